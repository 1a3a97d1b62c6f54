import { Type } from '@sinclair/typebox'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { memoryStore, OnboardingFlowCompleteError, OnboardingSessionExpiredError, OnboardingSessionInvalidError, OnboardingStepError, RateLimitError, type OnboardingAnswer } from '../../../index.js'
import { registerStep, type FlowView, type OnboardingStep, type StepContext } from '../../../lib/onboarding.js'
import { accounts, clock, password, until } from '../../accounts.js'
import { email, walk, wholeFlow } from '../../onboarding.js'
import { rejection } from '../../rejection.js'
import { testClock, type TestClock } from '../../store/engines.js'
import { thrown } from '../../thrown.js'
import { encryptionKey } from '../../totp.js'
import { watched, type WatchedStore } from '../../watched-store.js'
import { bare, type Bare, type BareOptions } from './bare.js'

const nothing = Type.Object({})

/** A step of an application's own, which does nothing unless a test says otherwise. */
function step (name: string, changes: Partial<OnboardingStep> = {}): OnboardingStep {
  return { name, schema: nothing, hint: { title: name }, execute () {}, ...changes }
}

interface World extends Bare {
  onboarding: Bare['accounts']['onboarding']
  clock: TestClock
  store: WatchedStore
  /** Another process, perhaps with other steps. */
  restart (steps: readonly OnboardingStep[]): Bare['accounts']['onboarding']
}

function world (steps: readonly OnboardingStep[], options: Partial<BareOptions> = {}): World {
  const clock = testClock()
  const store = watched(memoryStore({ clock: clock.now }))
  const start = (steps: readonly OnboardingStep[]): Bare => bare({ steps, store, clock: clock.now, ...options })
  const built = start(steps)
  return { ...built, onboarding: built.accounts.onboarding, clock, store, restart: (steps) => start(steps).accounts.onboarding }
}

const started = async ({ onboarding }: World, address = email): Promise<string> => (await onboarding.start({ email: address })).session

t.test('the whole flow, from an address to tokens like those of a sign-in', async (t) => {
  const { onboarding, kept } = wholeFlow()
  const built = await accounts(t, { onboarding, encryptionKey })
  const began = await built.app.bouncer.onboarding.start({ email: ' NORA@example.com' })
  t.match(began, { status: 'in_progress', current_step: 'verify_email', completed_steps: [], skipped_steps: [], expires_in: 3600 })
  t.strictSame(began.remaining_steps, ['verify_email', 'register', 'profile', 'accept_terms', 'setup_totp'])
  const end = (await walk(built, began.session)).at(-1)
  if (end === undefined || !('access_token' in end)) throw new Error('no tokens')
  t.strictSame(Object.keys(end).sort(), ['access_token', 'completed_steps', 'expires_in', 'refresh_token', 'shown', 'skipped_steps', 'status', 'token_type'])
  t.strictSame(decodeJwt(end.access_token).amr, ['pwd', 'otp', 'mfa'])
  t.equal((end.shown?.recovery_codes as string[]).length, 10, 'told together with the tokens')
  const { id } = await built.app.bouncer.authenticate(end.access_token)
  t.match(await built.app.bouncer.users.get(id), { email, is_verified: true, roles: [] })
  t.match(kept.profiles.get(id), { name: 'Nora' })
  t.match(kept.terms, [{ version: '2026-11', acceptedAt: Date, user: { id }, email }])
  t.strictSame(built.events.map(({ name }) => name), [
    'onboarding_started', 'onboarding_code_requested', 'onboarding_step_completed', 'user_created', 'verification_completed', 'onboarding_step_completed',
    'onboarding_step_completed', 'terms_accepted', 'onboarding_step_completed', 'mfa_enabled', 'onboarding_step_completed', 'user_login', 'onboarding_completed'
  ])
  t.match(built.happened('onboarding_step_completed').map(({ user }) => user?.id), [undefined, id, id, id, id])
  t.match(built.happened('user_login'), [{ user: { id } }])
})

t.test('order of checks: not found, invalidated, completed, expired', async (t) => {
  const built = world([registerStep()], { sessionLifetime: 60 })
  const { onboarding, clock, events } = built
  const every = (token: string) => [onboarding.advance(token, { password }), onboarding.skip(token), onboarding.resume(token)]
  const refused = async (token: string, expected: { new (...args: never[]): Error }, message: string) => {
    for (const call of every(token)) {
      const error = await rejection(call)
      t.ok(error instanceof expected, message)
      t.equal((error as Error).message, message)
    }
  }
  for (const token of ['', 'x', 'x'.repeat(43), 'x'.repeat(5000)]) await refused(token, OnboardingSessionInvalidError, 'Session not found')
  const completed = await started(built)
  await onboarding.advance(completed, { password })
  await refused(completed, OnboardingFlowCompleteError, 'Onboarding flow is already complete')
  const expired = await started(built, 'other@example.com')
  clock.advance(60_000)
  await refused(expired, OnboardingSessionExpiredError, 'Onboarding session has expired')
  t.match(await rejection(onboarding.resume(expired)), { sessionId: String })
  t.match(events.at(-1), { name: 'onboarding_session_expired', event: { email: 'other@example.com', sessionId: String } })
  await refused(completed, OnboardingFlowCompleteError, 'Onboarding flow is already complete')
  await started(built)
  await refused(completed, OnboardingSessionInvalidError, 'Session has been invalidated')
  await started(built, 'other@example.com')
  await refused(expired, OnboardingSessionInvalidError, 'Session has been invalidated')
  clock.advance(86_400_000)
  await refused(expired, OnboardingSessionInvalidError, 'Session not found')
})

t.test('a session lasts so long from its start, whatever is done in it', async (t) => {
  const built = world([step('one'), step('two')], { sessionLifetime: 100 })
  const token = await started(built)
  built.clock.advance(60_000)
  t.equal((await built.onboarding.advance(token) as { expires_in?: number }).expires_in, 40)
  built.clock.advance(39_999)
  t.equal((await built.onboarding.resume(token)).expires_in, 1)
  built.clock.advance(1)
  await t.rejects(built.onboarding.advance(token), OnboardingSessionExpiredError)
})

t.test('invalidatePrevious: false leaves older sessions as they are', async (t) => {
  const built = world([step('one')], { invalidatePrevious: false })
  const token = await started(built)
  await started(built)
  t.match(await built.onboarding.advance(token), { status: 'complete' })
})

t.test('starts are counted, by address', async (t) => {
  const built = world([step('one')], { limits: true })
  for (const wrong of ['nobody', '', undefined, {}]) await t.rejects(built.onboarding.start({ email: wrong as string }), { name: 'TypeError', message: 'email is no e-mail address' })
  for (let count = 0; count < 5; count++) await started(built)
  await t.rejects(started(built), RateLimitError)
  await t.resolves(started(built, 'other@example.com'))
})

t.test('a flow that makes nobody ends without tokens', async (t) => {
  const built = world([step('one')])
  t.strictSame(await built.onboarding.advance(await started(built)), { status: 'complete', completed_steps: ['one'], skipped_steps: [] })
  t.match(built.events.at(-1), { name: 'onboarding_completed', event: { email, user: undefined } })
})

t.test('skip: what need not be done, and nothing else', async (t) => {
  const built = world([step('free', { isRequired: () => false }), step('must'), step('also', { isRequired: async () => true })])
  const token = await started(built)
  t.match(await built.onboarding.resume(token), { current_step: 'free', hint: { title: 'free', skippable: true } })
  t.match(await built.onboarding.skip(token), { current_step: 'must', hint: { skippable: false }, skipped_steps: ['free'], remaining_steps: ['must', 'also'] })
  t.match(built.events.at(-1), { name: 'onboarding_step_skipped', event: { step: 'free' } })
  t.match(await rejection(built.onboarding.skip(token)), { code: 'ONBOARDING_STEP_FAILED', stepName: 'must', errors: ['This step cannot be skipped'] })
  t.match(built.events.at(-1), { name: 'onboarding_step_failed', event: { step: 'must', errors: ['This step cannot be skipped'] } })
  await built.onboarding.advance(token)
  await t.rejects(built.onboarding.skip(token), OnboardingStepError)
  t.match(await built.onboarding.advance(token), { status: 'complete', skipped_steps: ['free'] })
})

t.test('the last step may be skipped: then it ends', async (t) => {
  const built = world([step('free', { isRequired: () => false })])
  t.match(await built.onboarding.skip(await started(built)), { status: 'complete', skipped_steps: ['free'], completed_steps: [] })
})

t.test('what was skipped comes back when a later step makes it required', async (t) => {
  const country = Type.Object({ country: Type.String() })
  const built = world([
    step('papers', { isRequired: ({ data }) => data.country?.country === 'elsewhere' }),
    step('country', { schema: country, execute: (_context: StepContext, data: never) => ({ data }) })
  ])
  const token = await started(built)
  t.match(await built.onboarding.skip(token), { current_step: 'country' })
  const back = await built.onboarding.advance(token, { country: 'elsewhere' })
  t.match(back, { current_step: 'papers', hint: { skippable: false }, skipped_steps: [], remaining_steps: ['papers'] })
  await t.rejects(built.onboarding.skip(token), OnboardingStepError)
  t.match(await built.onboarding.advance(token), { status: 'complete', completed_steps: ['country', 'papers'], skipped_steps: [] })
})

t.test('isRequired: only false lets a step be skipped, and a function that fails nobody past', async (t) => {
  for (const odd of [undefined, null, 0, '', 'false', NaN]) {
    const built = world([step('odd', { isRequired: () => odd as never })])
    await t.rejects(built.onboarding.skip(await started(built)), OnboardingStepError, String(odd))
  }
  for (const [name, make] of Object.entries(thrown)) {
    let fails = false
    const built = world([step('fails', { isRequired () { if (fails) throw make(); return false } })])
    const token = await started(built)
    fails = true
    for (const call of [built.onboarding.skip(token), built.onboarding.advance(token), built.onboarding.resume(token)]) await t.rejects(call, { code: 'AUTH_UNAVAILABLE', dependency: 'onboarding.fails' }, name)
  }
  const built = world([step('limited', { isRequired () { throw new RateLimitError({ retryAfter: 5 }) } })])
  await t.rejects(started(built), RateLimitError, 'an error of this package is told as it is')
})

t.test('the flow is kept as it stood at the start', async (t) => {
  const built = world([step('one'), step('two')])
  const token = await started(built)
  const changed = built.restart([step('zero'), step('two'), step('one'), step('three')])
  t.match(await changed.resume(token), { current_step: 'one', remaining_steps: ['one', 'two'] })
  await changed.advance(token)
  await t.rejects(built.restart([step('two')]).advance(token), { code: 'ONBOARDING_SESSION_INVALID', reason: 'Session is not usable' }, 'also where the missing step was done')
  t.match(await changed.advance(token), { status: 'complete', completed_steps: ['one', 'two'] })
})

t.test('the step that is meant: refused where another is due', async (t) => {
  const built = world([step('one'), step('two', { isRequired: () => false })])
  const token = await started(built)
  t.match(await rejection(built.onboarding.advance(token, {}, { step: 'two' })), { stepName: 'one', errors: ['Another step is due'] })
  await built.onboarding.advance(token, {}, { step: 'one' })
  t.match(await rejection(built.onboarding.skip(token, { step: 'one' })), { stepName: 'two' }, 'a click that came twice')
  t.match(await built.onboarding.skip(token, { step: 'two' }), { status: 'complete' })
})

t.test('data is checked by the schema of the step, in its own words', async (t) => {
  const schema = Type.Object({
    name: Type.String({ minLength: 2 }),
    more: Type.Optional(Type.Object({ a: Type.Optional(Type.Number()) })),
    list: Type.Optional(Type.Array(Type.Object({ b: Type.Optional(Type.Number()) }))),
    either: Type.Optional(Type.Union([Type.Object({ c: Type.Number() }), Type.Null()])),
    one: Type.Optional(Type.Unsafe({ oneOf: [Type.Object({ d: Type.Number() }), Type.Null()] })),
    open: Type.Optional(Type.Record(Type.String(), Type.Unknown()))
  })
  let seen: unknown
  const built = world([step('ask', { schema, execute: (_context: StepContext, data: unknown) => { seen = data; return { done: false } } })])
  const token = await started(built)
  const cases: Array<[data: unknown, sentence: string]> = [
    [{}, 'name is missing'],
    [{ name: 'x' }, 'name must NOT have fewer than 2 characters'],
    [{ name: 1 }, 'name must be string'],
    [{ name: 'Nora', c4n4ry: 1 }, 'The data must NOT have additional properties'],
    [{ name: 'Nora', more: { c4n4ry: 1 } }, 'more must NOT have additional properties'],
    [{ name: 'Nora', list: [{ c4n4ry: 1 }] }, 'list must NOT have additional properties'],
    [{ name: 'Nora', either: { c: 1, c4n4ry: 1 } }, 'either must NOT have additional properties'],
    [{ name: 'Nora', one: { d: 1, c4n4ry: 1 } }, 'one must NOT have additional properties'],
    [{ name: 'Nora', more: { a: 'c4n4ry' } }, 'more must be number'],
    [JSON.parse('{"name":"Nora","__proto__":{"a":1}}'), 'The data has a key that is not allowed'],
    [JSON.parse(`{"name":"Nora","open":{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`), 'The data is nested too deeply'],
    [{ name: 'Nora', open: JSON.parse('{"__proto__":{"a":1}}') }, 'The data has a key that is not allowed'],
    [{ name: 'Nora', open: { deep: [{ constructor: 1 }] } }, 'The data has a key that is not allowed'],
    [Object.create({ name: 'Nora' }), 'name is missing'],
    ['c4n4ry', 'The data must be object'],
    [null, 'The data must be object'],
    [['c4n4ry'], 'The data must be object']
  ]
  for (const [data, sentence] of cases) {
    const { errors } = await rejection(built.onboarding.advance(token, data as never)) as OnboardingStepError
    t.equal(errors?.length, 1)
    t.equal(errors?.[0], sentence)
  }
  t.equal(seen, undefined, 'none of it reached the step')
  let deep: object = { end: 1 }
  for (let depth = 0; depth < 25; depth++) deep = { deep }
  const right = { name: 'Nora', open: { deep } }
  await built.onboarding.advance(token, right as never)
  t.strictSame(seen, right)
  t.not(seen, right, 'a copy')
  t.equal(built.events.filter(({ name }) => name === 'onboarding_step_failed').length, cases.length)
})

t.test('a step that refuses stays, with what it has kept', async (t) => {
  const built = world([step('guess', {
    execute ({ data }) {
      const tries = Number(data.guess?.tries ?? 0) + 1
      return tries < 3 ? { errors: [`wrong ${tries}`], data: { tries } } : undefined
    }
  })])
  const token = await started(built)
  for (const tries of [1, 2]) {
    t.match(await rejection(built.onboarding.advance(token)), { stepName: 'guess', errors: [`wrong ${tries}`] })
    t.match(await built.onboarding.resume(token), { current_step: 'guess', completed_steps: [] })
  }
  t.match(built.events.at(-1), { name: 'onboarding_step_failed', event: { step: 'guess', errors: ['wrong 2'] } })
  t.match(await built.onboarding.advance(token), { status: 'complete' })
})

t.test('a step can end the session', async (t) => {
  const built = world([step('strict', { execute: () => ({ errors: ['no more'], end: true }) })])
  const token = await started(built)
  t.match(await rejection(built.onboarding.advance(token)), { errors: ['no more'] })
  for (const call of [built.onboarding.advance(token), built.onboarding.resume(token), built.onboarding.skip(token)]) t.match(await rejection(call), { reason: 'Session is not usable' })
})

t.test('whatever a step throws, or answers with, it is not done', async (t) => {
  for (const [name, make] of Object.entries(thrown)) {
    let fails = true
    const built = world([step('fails', { execute () { if (fails) throw make() } })])
    const token = await started(built)
    const failure = await built.onboarding.advance(token).then(() => 'passed', (error: unknown) => ({ error }))
    t.not(failure, 'passed', name)
    t.match(await built.onboarding.resume(token), { current_step: 'fails' })
    fails = false
    t.match(await built.onboarding.advance(token), { status: 'complete' }, 'and nobody has to wait')
  }
  for (const odd of [false, true, null, 'done', 0, [1], { error: 'typo' }, { done: 'yes' }, { errors: 'no' }, { rowCount: 1 }]) {
    const built = world([step('odd', { execute: () => odd as never })])
    const token = await started(built)
    await t.rejects(built.onboarding.advance(token), { name: 'TypeError', message: 'execute() of the step odd must answer with nothing, or with { done, data, show, errors, end }' }, JSON.stringify(odd))
    t.match(await built.onboarding.resume(token), { current_step: 'odd' })
  }
  const built = world([step('refuses', { execute () { throw new OnboardingStepError({ stepName: 'refuses', errors: ['by class'] }) } })])
  await t.rejects(built.onboarding.advance(await started(built)), { errors: ['by class'] })
  t.match(built.events.at(-1), { name: 'onboarding_step_failed', event: { errors: ['by class'] } })
})

t.test('a session that another request works on is busy, until that has ended or its time is over', async (t) => {
  let release = (): void => {}
  let runs = 0
  const slow = step('slow', { async execute () { if (++runs === 1) await new Promise<void>((resolve) => { release = resolve }) } })
  const built = world([slow, step('next', { isRequired: () => false })])
  const token = await started(built)
  const first = rejection(built.onboarding.advance(token))
  await until(() => runs > 0)
  const busy = { stepName: 'slow', errors: ['This step is being processed'] }
  t.match(await rejection(built.onboarding.advance(token)), busy)
  t.match(await built.onboarding.resume(token), { current_step: 'slow' }, 'looking is always possible')
  built.clock.advance(-60_000)
  t.equal(runs, 1)
  built.clock.advance(60_000 + 29_999)
  t.match(await rejection(built.onboarding.advance(token)), busy)
  built.clock.advance(1)
  t.match(await built.onboarding.advance(token), { current_step: 'next' })
  release()
  t.match(await first, busy, 'whoever was too slow has done nothing')
  t.match(await built.onboarding.resume(token), { current_step: 'next', completed_steps: ['slow'] })
})

t.test('a clock that is set back holds no session up', async (t) => {
  let runs = 0
  const built = world([step('hangs', { execute: async () => await (++runs === 1 ? new Promise<void>(() => {}) : undefined) })])
  const token = await started(built)
  built.onboarding.advance(token).catch(() => {})
  await until(() => runs > 0)
  await t.rejects(built.onboarding.advance(token), OnboardingStepError)
  built.clock.advance(-3_600_000)
  t.match(await built.onboarding.advance(token), { status: 'complete' })
})

t.test('skip waits for nobody either', async (t) => {
  let release = (): void => {}
  let reached = false
  const built = world([step('slow', { isRequired: () => false, async execute () { reached = true; await new Promise<void>((resolve) => { release = resolve }) } })])
  const token = await started(built)
  const first = built.onboarding.advance(token)
  await until(() => reached)
  await t.rejects(built.onboarding.skip(token), { errors: ['This step is being processed'] })
  release()
  t.match(await first, { status: 'complete' })
  const other = await started(built, 'other@example.com')
  const held = built.store.hold('ephemeral.replace')
  const skipped = rejection(built.onboarding.skip(other))
  await held.reached
  const { value } = await built.onboarding.skip(other).then((value) => ({ value }))
  t.match(value, { status: 'complete' })
  held.release()
  t.match(await skipped, { errors: ['This step is being processed'] })
})

t.test('what a step is given, and what of it comes back', async (t) => {
  let seen: StepContext | undefined
  let asked: FlowView | undefined
  const built = world([
    step('keeps', { execute: ({ digest }) => ({ data: { secret: 'c4n4ry', digest: digest('x') }, show: { for: 'the person' } }) }),
    step('looks', {
      hint: (flow) => { asked = flow; return { title: `for ${flow.email}`, description: 'Look' } },
      execute (context) { seen = context; return { done: false } }
    })
  ])
  const token = await started(built)
  const answers: OnboardingAnswer[] = [await built.onboarding.advance(token, {}, { origin: { address: '192.0.2.1' } })]
  t.match(answers[0], { shown: { for: 'the person' }, hint: { title: `for ${email}`, description: 'Look', fields: [] } })
  answers.push(await built.onboarding.advance(token, {}, { origin: { address: '192.0.2.1' } }), await built.onboarding.resume(token))
  t.notOk('shown' in (answers[2] as object), 'once')
  t.notMatch(JSON.stringify([answers, built.events]), /c4n4ry/)
  t.match(seen, { email, emailVerified: false, user: undefined, now: built.clock.now(), origin: { address: '192.0.2.1' }, data: { keeps: { secret: 'c4n4ry' } } })
  t.match(asked, { email })
  t.throws(() => { (seen?.data as Record<string, unknown>).keeps = {} }, TypeError)
  t.notMatch(JSON.stringify([seen, built.events]), token, 'the token is nobody\'s but the client\'s')
})

t.test('the store has nothing to read, and what was changed in it is no session', async (t) => {
  const entries = new Map<string, string>()
  const built = world([step('keeps', { execute: () => ({ done: false, data: { secret: 'c4n4ry' } }) })])
  const { set, replace } = built.store.ephemeral
  built.store.ephemeral.set = async (key, value, ttl) => { entries.set(key, value); await set(key, value, ttl) }
  built.store.ephemeral.replace = async (key, expected, value) => { entries.set(key, value); return await replace(key, expected, value) }
  const again = built.restart([step('keeps', { execute: () => ({ done: false, data: { secret: 'c4n4ry' } }) })])
  const { session: token } = await again.start({ email })
  await again.advance(token)
  const stored = JSON.stringify([...entries])
  for (const secret of [token, email, 'c4n4ry', 'keeps']) t.notOk(stored.includes(secret), secret)
  const [key = '', value = ''] = [...entries].find(([name]) => name.startsWith('onboarding:')) ?? []
  await set(key, `${value.slice(0, -2)}AA`, 60_000)
  t.match(await rejection(again.resume(token)), { reason: 'Session not found' })
  await set(key, 'odd', 60_000)
  t.match(await rejection(again.resume(token)), { reason: 'Session not found' })
})

t.test('what names the newest session is gone: none is', async (t) => {
  const built = world([step('one')])
  const token = await started(built)
  const get = built.store.ephemeral.get
  built.store.ephemeral.get = async (key) => key.startsWith('onboarding_newest') ? undefined : await get(key)
  t.match(await rejection(built.restart([step('one')]).resume(token)), { reason: 'Session has been invalidated' })
})

t.test('a fault of the store is told, and what cannot be released lapses', async (t) => {
  const built = world([step('fails', { execute () { built.store.failing.add('ephemeral.replace'); throw new Error('c4n4ry') } })])
  const token = await started(built)
  await t.rejects(built.onboarding.advance(token), { message: 'c4n4ry' })
  t.equal(built.reported.length, 1)
  built.store.failing.clear()
  await t.rejects(built.onboarding.advance(token), { errors: ['This step is being processed'] })
  built.clock.advance(30_000)
  await t.rejects(built.onboarding.advance(token), { message: 'c4n4ry' })
  const odd = world([step('one')])
  const other = await started(odd)
  const broken = new RangeError('c4n4ry')
  const parse = t.capture(JSON, 'parse', () => { throw broken })
  await t.rejects(odd.onboarding.resume(other), broken)
  parse.restore()
})

t.test('a listener that throws takes nobody anything that was done', async (t) => {
  const { onboarding } = wholeFlow()
  const built = await accounts(t, { onboarding, encryptionKey, events: { propagate: true } })
  for (const name of ['onboarding_step_completed', 'onboarding_completed', 'mfa_enabled'] as const) built.app.bouncer.events.on(name, () => { throw new Error('the log is full') })
  const { session } = await built.app.bouncer.onboarding.start({ email })
  t.match((await walk(built, session)).at(-1), { status: 'complete', access_token: String, shown: { recovery_codes: Array } })
})

t.test('where nothing is configured, each call says so', async (t: Test) => {
  const { app } = await accounts(t)
  for (const call of ['start', 'advance', 'skip', 'resume'] as const) await t.rejects(async () => await app.bouncer.onboarding[call]({ email } as never), { name: 'ConfigurationError', option: 'onboarding' })
})

t.test('the time is the server\'s', async (t) => {
  const pass = clock(t)
  const { onboarding } = wholeFlow({ sessionLifetime: 120 })
  const { app } = await accounts(t, { onboarding, encryptionKey })
  const { session } = await app.bouncer.onboarding.start({ email })
  pass(120)
  await t.rejects(app.bouncer.onboarding.resume(session), OnboardingSessionExpiredError)
})

t.test('race: two servers whose clocks differ run a step once', async (t) => {
  for (const ahead of [-5000, -50, 50, 5000, 59_000]) {
    let [runs, atWork, most] = [0, 0, 0]
    let release = (): void => {}
    const released = new Promise<void>((resolve) => { release = resolve })
    const slow = step('slow', {
      async execute () {
        runs++
        most = Math.max(most, ++atWork)
        await released
        atWork--
      }
    })
    const first = world([slow])
    const other = bare({ steps: [slow], store: first.store, clock: () => first.clock.now() - ahead }).accounts.onboarding
    const token = await started(first)
    const one = first.onboarding.advance(token)
    await until(() => runs === 1)
    t.match(await rejection(other.advance(token)), { errors: ['This step is being processed'] }, `${ahead} ms ahead`)
    release()
    t.match(await one, { status: 'complete' })
    t.strictSame([runs, most], [1, 1])
  }
})

t.test('what is shown once is told, whatever fails after the step', async (t) => {
  const showing = step('showing', { execute: () => ({ show: { secret: 'shown once' } }) })
  const shown = { status: 'in_progress', current_step: null, hint: null, completed_steps: ['showing'], shown: { secret: 'shown once' } }
  for (const after of [step('after', { isRequired: () => { throw new Error('c4n4ry') } }), step('after', { hint: () => { throw new Error('c4n4ry') } })]) {
    const built = world([step('first'), showing, after])
    const token = await started(built)
    await built.onboarding.advance(token)
    t.match(await built.onboarding.advance(token), { ...shown, completed_steps: ['first', 'showing'] })
    t.equal(built.reported.length, 1)
    await t.rejects(built.onboarding.resume(token), 'the next call meets it again')
  }
  const built = world([registerStep(), showing, step('after')])
  const token = await started(built)
  await built.onboarding.advance(token, { password })
  const find = built.store.users.findById.bind(built.store.users)
  let left = 1
  built.store.users.findById = async (id) => {
    if (left-- === 0) throw new Error('the database is gone')
    return await find(id)
  }
  t.match(await built.onboarding.advance(token), { status: 'in_progress', shown: { secret: 'shown once' } })
})

t.test('a session says when the password was shown, not when the flow has ended', async (t) => {
  const built = world([registerStep(), step('after')], { sessionLifetime: 86_400 })
  const token = await started(built)
  const at = built.clock.now()
  await built.onboarding.advance(token, { password })
  built.clock.advance(3_500_000)
  const end = await built.onboarding.advance(token)
  if (!('access_token' in end)) throw new Error('no tokens')
  t.equal((JSON.parse(end.access_token.replace('access.', '')) as { auth_time: number }).auth_time, Math.floor(at / 1000))
})

t.test('a step that took longer than the session has left ends it', async (t) => {
  const clocked: { advance?: () => void } = {}
  const built = world([step('slow', { execute: () => { clocked.advance?.() } })], { sessionLifetime: 60 })
  clocked.advance = () => { built.clock.advance(61_000) }
  await t.rejects(built.onboarding.advance(await started(built)), OnboardingSessionExpiredError)
})

t.test('attack: what nobody lists, in objects of every kind of schema', async (t) => {
  const inner = Type.Object({ a: Type.String() })
  const schemas = {
    'a record': [Type.Object({ x: Type.Record(Type.String(), inner) }), { x: { k: { a: 'b' } } }, { x: { k: { a: 'b', role: 'admin' } } }],
    'a tuple': [Type.Object({ x: Type.Tuple([inner]) }), { x: [{ a: 'b' }] }, { x: [{ a: 'b', role: 'admin' }] }],
    'additional properties': [Type.Object({ x: Type.Object({}, { additionalProperties: inner }) }), { x: { k: { a: 'b' } } }, { x: { k: { a: 'b', role: 'admin' } } }],
    'a list': [Type.Object({ x: Type.Array(inner) }), { x: [{ a: 'b' }] }, { x: [{ a: 'b', role: 'admin' }] }],
    'a union': [Type.Object({ x: Type.Union([inner, Type.Null()]) }), { x: { a: 'b' } }, { x: { a: 'b', role: 'admin' } }]
  } as const
  for (const [name, [schema, right, wrong]] of Object.entries(schemas)) {
    const reached: unknown[] = []
    const built = world([step('one', { schema, execute: (_context, data) => { reached.push(data) } })])
    const token = await started(built)
    await t.rejects(built.onboarding.advance(token, wrong), OnboardingStepError, name)
    t.strictSame(reached, [])
    t.match(await built.onboarding.advance(token, right), { status: 'complete' }, name)
  }
  t.throws(() => world([step('one', { schema: Type.Object({ x: Type.Intersect([inner, Type.Object({ b: Type.String() })]) }) })]), /use Type\.Composite/)
})

t.test('an outcome that no store and no answer can hold is none, and frees the session at once', async (t) => {
  for (const outcome of [{ show: 'text' }, { data: { n: 1n } }, { show: { f () {} } }, { data: [1] }, { show: { at: new Date() } }, { data: { n: NaN } }]) {
    let given: unknown = outcome
    const built = world([step('one', { execute: () => given as never })])
    const token = await started(built)
    await t.rejects(built.onboarding.advance(token), TypeError)
    given = undefined
    t.match(await built.onboarding.advance(token), { status: 'complete' })
  }
})

t.test('what is no session and no person', async (t) => {
  const built = world([step('one')])
  for (const token of [undefined, null, 5, {}]) await t.rejects(built.onboarding.resume(token as unknown as string), OnboardingSessionInvalidError)
  for (const person of [undefined, null, {}, 'nora@example.com']) await t.rejects(built.onboarding.start(person as unknown as { email: string }), { name: 'TypeError', message: /no e-mail address/ })
})

t.test('a listener of a skip that throws takes nobody along', async (t) => {
  const built = await accounts(t, { onboarding: { steps: [step('one', { isRequired: () => false }), step('two', { isRequired: () => false }), step('three')] }, events: { propagate: true } })
  built.app.bouncer.events.on('onboarding_step_skipped', () => { throw new Error('c4n4ry') })
  const { session } = await built.app.bouncer.onboarding.start({ email })
  t.match(await built.app.bouncer.onboarding.skip(session), { current_step: 'two' })
})
