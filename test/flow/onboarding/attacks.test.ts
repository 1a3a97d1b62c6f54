import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { createSealer } from '../../../lib/encryption.js'
import { registerStep, totpStep, verifyEmailStep, type OnboardingStep } from '../../../lib/onboarding.js'
import { deriveKey } from '../../../lib/random.js'
import type { AuthPluginOptions, OnboardingAnswer } from '../../../index.js'
import { accounts, clock, password, type AccountsApp } from '../../accounts.js'
import { email, mailedCode, walk, wholeFlow } from '../../onboarding.js'
import { rejection } from '../../rejection.js'
import { encryptionKey } from '../../totp.js'

const another = 'another horse battery'

interface World extends AccountsApp {
  start (address?: string): Promise<string>
  advance (token: string, data?: object): Promise<OnboardingAnswer>
}

async function world (t: Test, steps: readonly OnboardingStep[], options: AuthPluginOptions = {}): Promise<World> {
  const built = await accounts(t, { onboarding: { steps }, encryptionKey, ...options })
  const { onboarding } = built.app.bouncer
  return { ...built, start: async (address = email) => (await onboarding.start({ email: address })).session, advance: async (token, data) => await onboarding.advance(token, data) }
}

/** Six digits that are not the code. */
const other = (code: string): string => code === '000000' ? '000001' : '000000'

t.test('attack: another session\'s token leads to that session alone', async (t) => {
  const built = await world(t, [verifyEmailStep(), registerStep()])
  const [mine, hers] = [await built.start('mallory@example.com'), await built.start('alice@example.com')]
  await built.advance(mine)
  const code = mailedCode(built)
  await built.advance(hers)
  t.match(await rejection(built.advance(hers, { code })), { errors: ['The code is not the one that was sent last'] }, 'a code of one session is none in another')
  await built.advance(mine, { code })
  t.match(await built.advance(mine, { password }), { status: 'complete' })
  t.equal(await built.app.bouncer.users.find({ email: 'alice@example.com' }), undefined)
})

t.test('attack: a code that is used again, and one of an older mail', async (t) => {
  const built = await world(t, [verifyEmailStep(), { name: 'end', schema: Type.Object({ code: Type.Optional(Type.String()) }), hint: { title: 'End' }, execute: () => ({ done: false }) }])
  const token = await built.start()
  await built.advance(token)
  await built.advance(token)
  const [older, newer] = [mailedCode(built, 1), mailedCode(built)]
  if (older !== newer) t.match(await rejection(built.advance(token, { code: older })), { errors: ['The code is not the one that was sent last'] })
  await built.advance(token, { code: newer })
  const again = await built.start()
  t.match(await rejection(built.advance(again, { code: newer })), { errors: ['No code has been sent'] }, 'in the next session it is nothing')
})

t.test('attack: guessing, and asking for another code to guess on', async (t) => {
  const pass = clock(t)
  const built = await world(t, [verifyEmailStep(), registerStep()], { attempts: false })
  const token = await built.start()
  const guess = async (code: string): Promise<readonly string[]> => (await rejection(built.advance(token, { code })) as { errors: string[] }).errors
  await built.advance(token)
  for (let count = 0; count < 5; count++) t.strictSame(await guess(other(mailedCode(built))), ['The code is not the one that was sent last'])
  t.strictSame(await guess(mailedCode(built)), ['The code does not work any more: ask for another'], 'the right one comes too late')
  await built.advance(token)
  for (let count = 0; count < 4; count++) t.strictSame(await guess(other(mailedCode(built))), ['The code is not the one that was sent last'])
  await built.advance(token)
  t.strictSame(await guess(mailedCode(built)), ['Too many wrong codes: start again'], 'ten in a session, over all codes, right or wrong')
  t.match(await rejection(built.advance(token, { code: mailedCode(built) })), { reason: 'Session is not usable' })
  pass(1)
  t.strictSame(built.happened('verification_completed'), [])
})

t.test('attack: guessing in one session after the other is counted by address', async (t) => {
  const built = await world(t, [verifyEmailStep(), registerStep()])
  const guesses: unknown[] = []
  for (let round = 0; round < 3; round++) {
    const token = await built.start()
    await built.advance(token)
    for (let count = 0; count < 3; count++) guesses.push((await rejection(built.advance(token, { code: other(mailedCode(built)) })) as { code: string }).code)
  }
  t.strictSame(guesses, [...Array(5).fill('ONBOARDING_STEP_FAILED'), ...Array(4).fill('RATE_LIMITED')])
})

t.test('attack: a flood of mails to somebody', async (t) => {
  const free = await world(t, [verifyEmailStep({ maxSends: 3 })], { attempts: false })
  const token = await free.start()
  for (let count = 0; count < 3; count++) await free.advance(token)
  t.match(await rejection(free.advance(token)), { errors: ['No more codes can be sent: start again'] })
  t.match(await rejection(free.advance(token)), { reason: 'Session is not usable' })
  t.equal(free.happened('onboarding_code_requested').length, 3)
  const counted = await world(t, [verifyEmailStep()])
  const codes: unknown[] = []
  for (let round = 0; round < 5; round++) codes.push(await counted.advance(await counted.start()).then(() => 'sent', ({ code }) => code))
  t.strictSame(codes, ['sent', 'sent', 'sent', 'RATE_LIMITED', 'RATE_LIMITED'], 'over all sessions, and together with /verify/request')
  t.equal((await counted.call('POST', '/verify/request', { email })).statusCode, 429)
})

t.test('attack: a flow for the address of somebody who has an account touches nothing of it', async (t) => {
  const built = await world(t, [registerStep(), verifyEmailStep(), totpStep()], { attempts: false })
  const { id } = await built.app.bouncer.users.create({ email, password })
  const before = JSON.stringify(await built.app.bouncer.users.get(id))
  const token = await built.start()
  for (const data of [{ password: another }, { password }, { password, username: 'mallory' }]) {
    t.match(await rejection(built.advance(token, data)), { code: 'USER_ALREADY_EXISTS' }, 'not even with her password')
    t.match(await built.app.bouncer.onboarding.resume(token), { current_step: 'register' })
  }
  t.equal(JSON.stringify(await built.app.bouncer.users.get(id)), before)
  t.match(await built.app.bouncer.login({ email, password }), { access_token: String })
  t.strictSame(built.happened('user_login').length, 1)
})

t.test('attack: who has the mailbox, and no password, does not get the account that is there', async (t) => {
  const built = await world(t, [verifyEmailStep(), registerStep()])
  const { id } = await built.app.bouncer.users.create({ email, password })
  const token = await built.start()
  await built.advance(token)
  await built.advance(token, { code: mailedCode(built) })
  t.match(await rejection(built.advance(token, { password: another })), { code: 'USER_ALREADY_EXISTS' })
  t.match(await built.app.bouncer.users.get(id), { is_verified: false }, 'and does not verify it either')
})

t.test('attack: an account made in advance is the owner\'s once she has reset its password', async (t) => {
  const built = await world(t, [registerStep(), { name: 'later', schema: Type.Object({}), hint: { title: 'Later' }, execute () {} }])
  const { app } = built
  const token = await built.start()
  await built.advance(token, { password })
  await app.bouncer.passwords.requestReset(email)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const [reset] = built.happened('password_reset_requested')
  await app.bouncer.passwords.reset(reset?.token ?? '', another)
  for (const call of [built.advance(token), app.bouncer.onboarding.resume(token), app.bouncer.onboarding.skip(token)]) t.match(await rejection(call), { code: 'ONBOARDING_SESSION_INVALID', reason: 'Session is not usable' })
  t.strictSame(built.happened('user_login'), [])
  await app.bouncer.users.delete((await app.bouncer.users.find({ email }))?.id ?? '')
  t.match(await rejection(built.advance(token)), { reason: 'Session is not usable' })
})

t.test('attack: a registration that is done again after it was cut off changes no password', async (t) => {
  const built = await world(t, [registerStep()], { requireVerified: true, attempts: false })
  const token = await built.start()
  await rejection(built.advance(token, { password }))
  t.match(await rejection(built.advance(token, { password: another })), { code: 'ACCOUNT_UNAVAILABLE' })
  const { id } = await built.app.bouncer.users.find({ email }) ?? { id: '' }
  await built.app.bouncer.users.update(id, { is_verified: true })
  t.match(await rejection(built.app.bouncer.login({ email, password: another })), { code: 'INVALID_CREDENTIALS' })
  t.match(await built.app.bouncer.login({ email, password }), { access_token: String })
})

t.test('attack: a complete flow is done once more', async (t) => {
  const { onboarding } = wholeFlow()
  const built = await world(t, onboarding.steps)
  const token = await built.start()
  await walk(built, token)
  for (const data of [{}, { password }, { code: '000000' }]) t.match(await rejection(built.advance(token, data)), { code: 'ONBOARDING_FLOW_COMPLETE' })
  t.equal(built.happened('user_login').length, 1)
})

t.test('attack: the session as any other kind of token, and any other as a session', async (t) => {
  const built = await world(t, [registerStep(), totpStep()], { basic: true, mfa: { required: true } })
  const { call, app } = built
  app.get('/guarded', { onRequest: [app.requireUser()] }, async () => 'reached')
  const session = await built.start()
  await built.advance(session, { password })
  const requests: Array<[path: string, payload: object]> = [
    ['/refresh', { refresh_token: session }],
    ['/logout', { refresh_token: session }],
    ['/logout-all', { refresh_token: session }],
    ['/verify', { token: session }],
    ['/password/reset', { token: session, password: another }],
    ['/login', { email, password: session }],
    ['/login/challenge', { session, challenge_name: 'MFA_SETUP', code: '000000' }],
    ['/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: another }]
  ]
  for (const [path, payload] of requests) t.ok((await call('POST', path, payload)).statusCode >= 400, path)
  for (const path of ['/me', '/sessions', '/mfa']) t.equal((await call('GET', path, undefined, session)).statusCode, 401, path)
  for (const authorization of [`Bearer ${session}`, session, `Basic ${Buffer.from(`${email}:${session}`).toString('base64')}`]) t.ok((await app.inject({ url: '/guarded', headers: { authorization } })).statusCode >= 400)
  const { id } = await app.bouncer.users.find({ email }) ?? { id: '' }
  t.strictSame((await app.bouncer.sessions.list(id)).items, [])

  const { email: hers, access_token: access, refresh_token: refresh } = await (await world(t, [registerStep()])).signUp()
  const challenge = await app.bouncer.login({ email, password }) as { session: string }
  await app.bouncer.passwords.requestReset(email)
  await new Promise((resolve) => setTimeout(resolve, 50))
  for (const token of [access, refresh, hers, challenge.session, built.happened('password_reset_requested')[0]?.token ?? '']) {
    for (const path of ['/onboarding/advance', '/onboarding/skip', '/onboarding/resume']) t.equal((await call('POST', path, { session: token })).json().extra.code.replace('REQUEST_INVALID', 'ONBOARDING_SESSION_INVALID'), 'ONBOARDING_SESSION_INVALID')
  }
})

t.test('attack: what somebody put into the store by hand is no session', async (t) => {
  const { store } = { store: (await import('../../../index.js')).memoryStore() }
  const built = await world(t, [registerStep()], { store })
  const token = 'x'.repeat(43)
  const { digest } = await import('../../../lib/random.js')
  const sealed = createSealer([deriveKey('y'.repeat(43), 'onboarding')]).seal(JSON.stringify({ steps: [], completed: [], skipped: [], data: {}, expiresAt: Infinity }), 'onboarding')
  await store.ephemeral.set(`onboarding:${digest(token)}`, sealed, 60_000)
  t.match(await rejection(built.app.bouncer.onboarding.resume(token)), { reason: 'Session not found' })
})

t.test('no code, secret or token in events as they are logged, or on diagnostics_channel', async (t) => {
  const { subscribe, unsubscribe } = await import('node:diagnostics_channel')
  const { onboarding } = wholeFlow()
  const built = await world(t, onboarding.steps)
  const published: unknown[] = []
  const listen = (message: unknown): void => { published.push(message) }
  subscribe('fastify-bouncer:onboarding_code_requested', listen)
  const token = await built.start()
  const answers = await walk(built, token)
  unsubscribe('fastify-bouncer:onboarding_code_requested', listen)
  t.match(published, [{ email }])
  const said = JSON.stringify([built.events, published])
  const secrets = [token, password, mailedCode(built), ...answers.flatMap(({ shown }) => [shown?.secret, ...(shown?.recovery_codes ?? []) as string[]])].filter((one) => typeof one === 'string') as string[]
  t.equal(secrets.length, 14)
  for (const secret of secrets) t.notOk(said.includes(`"${secret}"`))
})
