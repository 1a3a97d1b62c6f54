import { Type } from '@sinclair/typebox'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { AccountUnavailableError, memoryStore, OnboardingStepError, UserAlreadyExistsError, type AuthPluginOptions, type OnboardingAnswer } from '../../../index.js'
import { profileStep, registerStep, termsStep, totpStep, verifyEmailStep, type OnboardingStep } from '../../../lib/onboarding.js'
import { accounts, clock, password, type AccountsApp } from '../../accounts.js'
import { email, mailedCode, profileSchema } from '../../onboarding.js'
import { rejection } from '../../rejection.js'
import { codeOf, encryptionKey, wrongCode } from '../../totp.js'
import { watched, type WatchedStore } from '../../watched-store.js'

interface World extends AccountsApp {
  store: WatchedStore
  start (address?: string): Promise<string>
  advance (token: string, data?: object): Promise<OnboardingAnswer>
  /** What a step refused with. */
  refusals (token: string, data?: object): Promise<readonly string[]>
}

async function world (t: Test, steps: readonly OnboardingStep[], options: AuthPluginOptions = {}): Promise<World> {
  const store = watched(memoryStore())
  const built = await accounts(t, { onboarding: { steps }, encryptionKey, store, ...options })
  const { onboarding } = built.app.bouncer
  return {
    ...built,
    store,
    start: async (address = email) => (await onboarding.start({ email: address })).session,
    advance: async (token, data) => await onboarding.advance(token, data),
    async refusals (token, data) {
      const error = await rejection(onboarding.advance(token, data))
      t.ok(error instanceof OnboardingStepError)
      return (error as OnboardingStepError).errors
    }
  }
}

const last: OnboardingStep = { name: 'last', schema: Type.Object({}), hint: { title: 'The end' }, execute () {} }

t.test('register: the address is that of the flow', async (t) => {
  const { start, advance, refusals, app, happened } = await world(t, [registerStep(), last])
  const token = await start()
  t.match(await app.bouncer.onboarding.resume(token), { hint: { title: 'Create your account', fields: [{ name: 'password', type: 'password' }, { name: 'username' }] } })
  t.strictSame(await refusals(token, { email: 'other@example.com', password }), ['The address is another one than the flow was started for'])
  t.strictSame(await refusals(token, { password, roles: ['admin'] }), ['The data must NOT have additional properties'])
  t.strictSame(await refusals(token, {}), ['password is missing'])
  t.match(await refusals(token, { password: 'short' }), [/at least 8 characters/], 'a rule of passwords')
  t.strictSame(await app.bouncer.users.find({ email }), undefined)
  t.match(await advance(token, { email: 'NORA@example.com', password, username: 'Nora' }), { current_step: 'last' })
  t.match(await app.bouncer.users.find({ username: 'nora' }), { email, roles: [], is_verified: false, is_active: true })
  t.strictSame(happened('verification_requested'), [])
})

t.test('register: what is taken', async (t) => {
  const { start, advance, app } = await world(t, [registerStep()], { attempts: false })
  await app.bouncer.users.create({ email, username: 'nora' })
  const token = await start()
  t.ok(await rejection(advance(token, { password })) instanceof UserAlreadyExistsError)
  const other = await start('other@example.com')
  t.ok(await rejection(advance(other, { password, username: 'nora' })) instanceof UserAlreadyExistsError)
  t.match(await advance(other, { password, username: 'nora2' }), { status: 'complete', access_token: String })
})

t.test('register: its tries are counted like registrations', async (t) => {
  const { start, advance } = await world(t, [registerStep()])
  const token = await start()
  for (let count = 0; count < 5; count++) await t.rejects(advance(token, { password: 'short' }), { name: 'OnboardingStepError' })
  await t.rejects(advance(token, { password }), { code: 'RATE_LIMITED' })
})

t.test('register after a crash: the same password goes on, another one does not', async (t) => {
  const { start, advance, refusals, store, happened } = await world(t, [registerStep(), last])
  const pass = clock(t)
  const token = await start()
  // The user is stored, and the process dies before the session knows.
  const { replace } = store.ephemeral
  let replaced = 0
  store.ephemeral.replace = async (key, expected, value) => { if (++replaced > 1) throw new Error('dead'); return await replace(key, expected, value) }
  await t.rejects(advance(token, { password }), { code: 'AUTH_UNAVAILABLE' })
  store.ephemeral.replace = replace
  pass(31)
  t.strictSame(await refusals(token, { password: 'another horse battery' }), ['The account was made with another password: give that one'])
  t.match(await advance(token, { password }), { current_step: 'last' })
  t.equal(happened('user_created').length, 2, 'told once more: nobody knows whether it was told')
  t.equal((await store.users.list({ limit: 9 })).items.length, 1)
})

t.test('verify_email: a code by event, before there is a user', async (t) => {
  const built = await world(t, [verifyEmailStep({ codeTtl: 60 }), registerStep()])
  const pass = clock(t)
  const { start, advance, refusals, app, happened } = built
  const token = await start()
  t.match((await app.bouncer.onboarding.resume(token)).hint, { fields: [] })
  t.strictSame(await refusals(token, { code: '000000' }), ['No code has been sent'])
  const sent = await advance(token)
  t.match(sent, { status: 'in_progress', current_step: 'verify_email', shown: { code_length: 6, expires_in: 60 }, hint: { fields: [{ name: 'code' }] } })
  const [event] = happened('onboarding_code_requested')
  t.match(event, { email, expiresAt: new Date(Date.now() + 60_000) })
  const code = mailedCode(built)
  t.match(code, /^\d{6}$/)
  t.notMatch(JSON.stringify([sent, event, await app.bouncer.onboarding.resume(token)]), code, 'by no other way')
  pass(60)
  t.strictSame(await refusals(token, { code }), ['The code does not work any more: ask for another'])
  await advance(token, { code: ' ' })
  t.match(await advance(token, { code: mailedCode(built).replace(/(...)/, '$1 ') }), { current_step: 'register' })
  t.match(await advance(token, { password }), { status: 'complete', access_token: String })
  t.match(await app.bouncer.users.find({ email }), { is_verified: true })
  t.equal(happened('verification_completed').length, 1)
})

t.test('verify_email: after register', async (t) => {
  const built = await world(t, [registerStep(), verifyEmailStep()], { requireVerified: true })
  const { start, advance, app, happened } = built
  const token = await start()
  await advance(token, { password })
  t.match(await app.bouncer.users.find({ email }), { is_verified: false })
  await advance(token)
  t.match(await advance(token, { code: mailedCode(built) }), { status: 'complete', access_token: String })
  t.match(happened('verification_completed'), [{ user: { email, is_verified: true } }])
})

t.test('verify_email: the address was changed meanwhile', async (t) => {
  const built = await world(t, [registerStep(), verifyEmailStep()])
  const { start, advance, app } = built
  const token = await start()
  await advance(token, { password })
  const { id } = await app.bouncer.users.find({ email }) ?? { id: '' }
  await advance(token)
  await app.bouncer.users.update(id, { email: 'moved@example.com' })
  t.match(await rejection(advance(token, { code: mailedCode(built) })), { code: 'ONBOARDING_SESSION_INVALID', reason: 'Session is not usable' })
  t.match(await app.bouncer.users.get(id), { is_verified: false })
})

t.test('setup_totp: shown once, confirmed by a code', async (t) => {
  const { start, advance, refusals, app, happened } = await world(t, [registerStep(), totpStep(), last])
  const token = await start()
  await advance(token, { password })
  t.match((await app.bouncer.onboarding.resume(token)).hint, { title: 'Set up an authenticator application', fields: [], skippable: false })
  t.strictSame(await refusals(token, { code: '000000' }), ['No secret has been shown'])
  const first = await advance(token)
  const { secret, otpauth_uri: uri, qr_code: picture } = first.shown as Record<string, string>
  t.match(first, { current_step: 'setup_totp', hint: { fields: [{ name: 'code' }] } })
  t.match([secret, uri, picture], [/^[A-Z2-7]{32}$/, /^otpauth:/, /^<svg/])
  t.notMatch(JSON.stringify(await app.bouncer.onboarding.resume(token)), secret, 'once')
  t.strictSame(await refusals(token, { code: wrongCode(secret as string) }), ['The code is not right'])
  const { shown } = await advance(token)
  t.not(shown?.secret, secret, 'another time another one')
  t.strictSame(await refusals(token, { code: codeOf(secret as string) }), ['The code is not right'], 'the first is none any more')
  const done = await advance(token, { code: codeOf(shown?.secret as string) })
  t.equal((done.shown?.recovery_codes as string[]).length, 10)
  t.equal(happened('mfa_enabled').length, 1)
  t.notMatch(JSON.stringify(await app.bouncer.onboarding.resume(token)), (done.shown?.recovery_codes as string[])[0])
  const end = await advance(token)
  t.strictSame('access_token' in end && decodeJwt(end.access_token).amr, ['pwd', 'otp', 'mfa'])
})

t.test('setup_totp: guesses are limited like any others', async (t) => {
  const { start, advance } = await world(t, [registerStep(), totpStep()])
  const token = await start()
  await advance(token, { password })
  const { shown } = await advance(token)
  const secret = shown?.secret as string
  for (let count = 0; count < 5; count++) await t.rejects(advance(token, { code: wrongCode(secret) }), { name: 'OnboardingStepError' })
  await t.rejects(advance(token, { code: codeOf(secret) }), { code: 'RATE_LIMITED' })
})

t.test('setup_totp: required means required, and what need not be may be skipped', async (t) => {
  for (const required of [undefined, true, () => true, async () => undefined as never]) {
    const { start, advance, app } = await world(t, [registerStep(), totpStep(required === undefined ? {} : { required })])
    const token = await start()
    await advance(token, { password })
    t.match(await rejection(app.bouncer.onboarding.skip(token)), { stepName: 'setup_totp', errors: ['This step cannot be skipped'] })
  }
  for (const required of [false, () => false]) {
    const { start, advance, app } = await world(t, [registerStep(), totpStep({ required })])
    const token = await start()
    await advance(token, { password })
    const end = await app.bouncer.onboarding.skip(token)
    t.strictSame('access_token' in end && decodeJwt(end.access_token).amr, ['pwd'])
  }
})

t.test('the end is a sign-in like any other: a second factor that must be is asked for', async (t) => {
  const { start, advance, app, happened } = await world(t, [registerStep(), totpStep({ required: false })], { mfa: { required: true } })
  const token = await start()
  await advance(token, { password })
  const end = await app.bouncer.onboarding.skip(token)
  t.match(end, { status: 'complete', challenge_name: 'MFA_SETUP', session: String, secret: String })
  t.notOk('access_token' in end)
  t.strictSame(happened('user_login'), [])
  await t.rejects(app.bouncer.onboarding.resume(token), { code: 'ONBOARDING_FLOW_COMPLETE' })
  const { session, secret } = end as unknown as { session: string, secret: string }
  t.match(await app.bouncer.challenges.respond({ session, challenge_name: 'MFA_SETUP', code: codeOf(secret) }), { access_token: String })
})

t.test('the end is a sign-in like any other: an address that must be verified', async (t) => {
  const { start, advance, app } = await world(t, [registerStep()], { requireVerified: true })
  const token = await start()
  const error = await rejection(advance(token, { password }))
  t.ok(error instanceof AccountUnavailableError)
  t.match(error, { reason: 'unverified' })
  t.match(await app.bouncer.onboarding.resume(token), { status: 'in_progress', current_step: null, hint: null, remaining_steps: [] })
  const { id } = await app.bouncer.users.find({ email }) ?? { id: '' }
  await app.bouncer.users.update(id, { is_verified: true })
  t.match(await app.bouncer.onboarding.skip(token), { status: 'complete', access_token: String }, 'once it is, the tokens are there')
})

t.test('the end is a sign-in like any other: somebody who is deactivated, or locked out', async (t) => {
  const built = await world(t, [registerStep(), last])
  const { start, advance, app } = built
  const token = await start()
  await advance(token, { password })
  const { id } = await app.bouncer.users.find({ email }) ?? { id: '' }
  await app.bouncer.users.update(id, { is_active: false })
  for (const call of [advance(token), app.bouncer.onboarding.skip(token), app.bouncer.onboarding.resume(token)]) t.match(await rejection(call), { code: 'ACCOUNT_UNAVAILABLE', reason: 'deactivated' })
  await app.bouncer.users.update(id, { is_active: true })
  for (let count = 0; count < 5; count++) await rejection(app.bouncer.login({ email, password: 'wrong password' }))
  t.match(await rejection(advance(token)), { code: 'RATE_LIMITED' })
  t.match(await app.bouncer.onboarding.resume(token), { current_step: null })
})

t.test('what was shown with the last step is told even where the end fails', async (t) => {
  const { start, advance, app, store } = await world(t, [registerStep(), totpStep()])
  const token = await start()
  await advance(token, { password })
  const { shown } = await advance(token)
  store.failing.add('sessions.insert')
  const done = await advance(token, { code: codeOf(shown?.secret as string) })
  t.match(done, { status: 'in_progress', current_step: null, shown: { recovery_codes: Array } })
  t.match(await rejection(advance(token)), { code: 'AUTH_UNAVAILABLE' })
  store.failing.clear()
  t.match(await advance(token), { status: 'complete', access_token: String })
  t.equal((await app.bouncer.mfa.status((await app.bouncer.users.find({ email }))?.id ?? '')).recovery_codes_left, 10)
})

t.test('tokens of a flow that cannot be marked as complete are nobody\'s', async (t) => {
  for (const broken of ['fails', 'refuses'] as const) {
    const { start, advance, app, store } = await world(t, [registerStep(), last])
    const token = await start()
    await advance(token, { password })
    const { replace } = store.ephemeral
    const { insert } = store.sessions
    store.sessions.insert = async (session) => {
      await insert(session)
      store.ephemeral.replace = async () => { if (broken === 'fails') throw new Error('dead'); return false }
    }
    t.match(await rejection(advance(token)), { code: broken === 'fails' ? 'AUTH_UNAVAILABLE' : 'ONBOARDING_STEP_FAILED' })
    Object.assign(store.ephemeral, { replace })
    Object.assign(store.sessions, { insert })
    const { id } = await app.bouncer.users.find({ email }) ?? { id: '' }
    t.strictSame((await app.bouncer.sessions.list(id)).items, [])
  }
})

t.test('the user changes while the tokens are made', async (t) => {
  const { start, advance, app, store } = await world(t, [registerStep(), last])
  const token = await start()
  await advance(token, { password })
  const { id } = await app.bouncer.users.find({ email }) ?? { id: '' }
  const held = store.hold('sessions.insert')
  const end = rejection(advance(token))
  await held.reached
  await app.bouncer.users.setPassword(id, 'another horse battery')
  held.release()
  t.match(await end, { code: 'ONBOARDING_SESSION_INVALID', reason: 'Session is not usable' })
  t.strictSame((await app.bouncer.sessions.list(id)).items, [])
})

t.test('a newer start while the last step works: there are no tokens', async (t) => {
  let go = (): void => {}
  let reached = (): void => {}
  const there = new Promise<void>((resolve) => { reached = resolve })
  const slow: OnboardingStep = { ...last, async execute () { reached(); await new Promise<void>((resolve) => { go = resolve }) } }
  const { start, advance, happened } = await world(t, [registerStep(), slow])
  const token = await start()
  await advance(token, { password })
  const end = rejection(advance(token))
  await there
  await start()
  go()
  t.match(await end, { reason: 'Session has been invalidated' })
  t.strictSame(happened('user_login'), [])
})

t.test('profile: data of the application\'s own', async (t) => {
  const saved: unknown[] = []
  const schema = Type.Object({
    name: Type.String({ title: 'Your name' }),
    mail: Type.Optional(Type.String({ format: 'email' })),
    age: Type.Optional(Type.Integer()),
    height: Type.Optional(Type.Number()),
    news: Type.Optional(Type.Boolean()),
    colour: Type.Optional(Type.Union([Type.Literal('red'), Type.Literal('green')])),
    size: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['s', 'l'] })),
    odd_one: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    old_password: Type.Optional(Type.String())
  })
  const { start, advance, refusals, app } = await world(t, [registerStep(), profileStep({
    schema,
    title: 'Who are you?',
    description: 'Others see it.',
    async save (user, data) {
      if (data.name === 'root') throw new OnboardingStepError({ stepName: 'profile', errors: ['Not this name'] })
      saved.push([user.email, data])
      return 'whatever'
    }
  }), profileStep({ name: 'more', schema: Type.Object({}), save () {}, required: false }), profileStep({ name: 'most', schema: Type.Object({}), save () {}, required: ({ data }) => data.more !== undefined })])
  const token = await start()
  const { hint } = await advance(token, { password }) as { hint?: { title: string, fields: Array<Record<string, unknown>> } }
  t.match(hint, { title: 'Who are you?', description: 'Others see it.' })
  t.strictSame(hint?.fields.map(({ name, type, label, required, options }) => [name, type, label, required, options]), [
    ['name', 'text', 'Your name', true, undefined],
    ['mail', 'email', 'Mail', false, undefined],
    ['age', 'number', 'Age', false, undefined],
    ['height', 'number', 'Height', false, undefined],
    ['news', 'checkbox', 'News', false, undefined],
    ['colour', 'select', 'Colour', false, ['red', 'green']],
    ['size', 'select', 'Size', false, ['s', 'l']],
    ['odd_one', 'text', 'Odd one', false, undefined],
    ['old_password', 'password', 'Old password', false, undefined]
  ])
  t.strictSame(await refusals(token, { name: 'root' }), ['Not this name'])
  t.match(await advance(token, { name: 'Nora', age: 36 }), { current_step: 'more', hint: { title: 'About you', skippable: true } })
  t.strictSame(saved, [[email, { name: 'Nora', age: 36 }]])
  await app.bouncer.onboarding.skip(token)
  t.match(await app.bouncer.onboarding.skip(token), { status: 'complete' })
})

t.test('accept_terms: version and time', async (t) => {
  const { start, advance, refusals, happened, app } = await world(t, [termsStep({ version: '3', description: 'See /terms' }), registerStep()])
  const token = await start()
  t.match((await app.bouncer.onboarding.resume(token)).hint, { title: 'Terms of use', description: 'See /terms', fields: [{ name: 'accepted' }, { name: 'version', type: 'hidden', options: ['3'] }] })
  for (const data of [{}, { accepted: true }, { accepted: false, version: '3' }, { accepted: 'true', version: '3' }, { accepted: true, version: '2' }]) t.equal((await refusals(token, data)).length, 1, JSON.stringify(data))
  t.strictSame(happened('terms_accepted'), [])
  await advance(token, { accepted: true, version: '3' })
  t.match(happened('terms_accepted'), [{ email, user: undefined, version: '3', acceptedAt: Date }])
  for (const version of ['', 3, undefined]) t.throws(() => termsStep({ version: version as string }), { name: 'TypeError' })
})

t.test('accept_terms: what cannot be kept is not accepted', async (t) => {
  let fails = true
  const { start, advance, happened, app } = await world(t, [registerStep(), termsStep({ version: '3', title: 'Rules', save () { if (fails) throw new Error('no disk') } })])
  const token = await start()
  await advance(token, { password })
  await t.rejects(advance(token, { accepted: true, version: '3' }), { message: 'no disk' })
  t.match(await app.bouncer.onboarding.resume(token), { current_step: 'accept_terms', hint: { title: 'Rules' } })
  t.strictSame(happened('terms_accepted'), [])
  fails = false
  t.match(await advance(token, { accepted: true, version: '3' }), { status: 'complete' })
  t.match(happened('terms_accepted'), [{ user: { email } }])
})

t.test('a step of an application\'s own can do what ours do', async (t) => {
  const own: OnboardingStep = {
    name: 'invited',
    schema: Type.Object({}),
    hint: { title: 'Welcome' },
    async execute ({ account }) {
      await account.create({ password })
      await account.create({ password })
      await account.confirmEmail()
      return { show: { welcome: true } }
    }
  }
  const { start, advance, happened, app } = await world(t, [own])
  const end = await advance(await start())
  t.match(end, { status: 'complete', shown: { welcome: true }, access_token: String })
  t.equal(happened('user_created').length, 1)
  t.match(await app.bouncer.users.find({ email }), { is_verified: true })
  const nobody: OnboardingStep = { ...own, async execute ({ account }) { account.prepareTotp() } }
  const without = await world(t, [nobody])
  await t.rejects(without.advance(await without.start()), { name: 'ConfigurationError', option: 'onboarding.steps', message: /Put registerStep\(\) before it/ })
})

t.test('concealExistingUsers: nobody but the owner of an address learns whether it is taken', async (t) => {
  const built = await world(t, [verifyEmailStep(), registerStep()], { concealExistingUsers: true, requireVerified: true })
  const { start, advance, app } = built
  await app.bouncer.users.create({ email })
  const seen: unknown[] = []
  for (const address of [email, 'free@example.com']) {
    const token = await start(address)
    seen.push([await app.bouncer.onboarding.resume(token), await advance(token), await rejection(advance(token, { code: 'guess' }))])
  }
  t.strictSame(JSON.stringify(seen[0]), JSON.stringify(seen[1]))
  const token = await start()
  await advance(token)
  await advance(token, { code: mailedCode(built) })
  t.ok(await rejection(advance(token, { password })) instanceof UserAlreadyExistsError)
  const shy: OnboardingStep = { ...last, async execute ({ account }) { await account.create({ password }) } }
  const careless = await world(t, [shy], { concealExistingUsers: true, requireVerified: true })
  await t.rejects(careless.advance(await careless.start()), { name: 'ConfigurationError', message: /Put verifyEmailStep\(\) before registerStep\(\)/ })
})

t.test('a code that is refused for now uses up none of the session', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { onboarding: { steps: [verifyEmailStep(), registerStep()] } })
  const { onboarding } = built.app.bouncer
  const { session } = await onboarding.start({ email })
  for (let send = 0; send < 3; send++) await onboarding.advance(session, {})
  for (let click = 0; click < 10; click++) await t.rejects(onboarding.advance(session, {}), { code: 'RATE_LIMITED' })
  t.match(await onboarding.resume(session), { current_step: 'verify_email' })
  pass(901)
  await onboarding.advance(session, {})
  t.match(await onboarding.advance(session, { code: mailedCode(built) }), { current_step: 'register' })
})

t.test('guesses of a password elsewhere do not keep the owner of an address out at the end', async (t) => {
  const built = await accounts(t, { onboarding: { steps: [verifyEmailStep(), registerStep()] } })
  const { onboarding } = built.app.bouncer
  const origin = { address: '192.0.2.1' }
  const { session } = await onboarding.start({ email }, origin)
  await onboarding.advance(session, {}, { origin })
  await onboarding.advance(session, { code: mailedCode(built) }, { origin })
  for (let guess = 0; guess < 6; guess++) await built.call('POST', '/login', { email, password: 'a guess' })
  t.match(await onboarding.advance(session, { password }, { origin }), { status: 'complete' })
})

t.test('steps that cannot be meant are refused when they are made', async (t) => {
  for (const options of [{ codeTtl: 0 }, { codeTtl: NaN }, { codeTtl: '600' }, { codeTtl: 86_401 }]) t.throws(() => verifyEmailStep(options as { codeTtl: number }), /codeTtl in seconds/)
  for (const options of [{ maxSends: 0 }, { maxGuesses: 1.5 }, { maxSends: '5' }]) t.throws(() => verifyEmailStep(options as { maxSends: number }), /whole numbers above 0/)
  t.throws(() => termsStep({ version: '1', save: 'x' as unknown as () => void }), TypeError)
  t.throws(() => profileStep({ schema: profileSchema } as unknown as Parameters<typeof profileStep>[0]), TypeError)
})

t.test('fields of a form: unions of what no form can choose from are no choice', async (t) => {
  const schema = Type.Object({ agreed: Type.Union([Type.Literal(true), Type.Literal(false)]), size: Type.Union([Type.Literal('s'), Type.Null()]), rank: Type.Unsafe<string | null>({ enum: ['a', 'b', null] }) })
  const built = await accounts(t, { onboarding: { steps: [registerStep(), profileStep({ schema, save: () => {} })] } })
  const { session } = (await built.call('POST', '/onboarding/start', { email })).json()
  const { hint } = (await built.call('POST', '/onboarding/advance', { session, data: { password } })).json()
  t.strictSame(hint.fields.map(({ name, type, options }: Record<string, unknown>) => [name, type, options]), [['agreed', 'text', undefined], ['size', 'text', undefined], ['rank', 'select', ['a', 'b']]])
})
