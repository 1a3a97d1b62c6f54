import { decodeJwt } from 'jose'
import t from 'tap'
import { memoryStore, type Challenge } from '../../../index.js'
import { createProof } from '../../../lib/flow/mfa/proof.js'
import { accounts, clock, password, tokensOf } from '../../accounts.js'
import { refused } from '../../build.js'
import { rejection } from '../../rejection.js'
import { codeOf, encryptionKey, enrol, signInWith, wrongCode } from '../../totp.js'
import { stores, watched } from '../../watched-store.js'

const keyOf = (letters: string): string => Buffer.alloc(32, letters).toString('base64')

t.test('over HTTP: a secret, a code of it, recovery codes; and away again', async (t) => {
  const { signUp, call, happened } = await accounts(t, { encryptionKey })
  const { id, access_token: token } = await signUp()
  t.strictSame((await call('GET', '/mfa', undefined, token)).json(), { totp: false, recovery_codes_left: 0 })
  const setUp = await call('POST', '/mfa/totp', undefined, token)
  t.equal(setUp.statusCode, 200)
  const { secret, otpauth_uri: uri, qr_code: picture } = setUp.json()
  t.match(uri, new RegExp(`^otpauth://totp/auth\\.example\\.com:user1%40example\\.com\\?issuer=auth\\.example\\.com&secret=${secret}&`))
  t.match(picture, /^<svg[^>]* viewBox="0 0 \d+ \d+"/)
  t.equal(setUp.headers['cache-control'], 'no-store')
  t.strictSame((await call('GET', '/mfa', undefined, token)).json(), { totp: false, recovery_codes_left: 0 }, 'it does not count yet')

  refused(t, await call('POST', '/mfa/totp/verify', { code: wrongCode(secret) }, token), 400, 'MFA_SETUP_FAILED')
  const verified = await call('POST', '/mfa/totp/verify', { code: codeOf(secret, -30) }, token)
  t.equal(verified.statusCode, 200)
  t.equal(verified.json().recovery_codes.length, 10)
  t.match(happened('mfa_enabled'), [{ user: { id } }])
  t.strictSame((await call('GET', '/mfa', undefined, token)).json(), { totp: true, recovery_codes_left: 10 })
  refused(t, await call('POST', '/mfa/totp', undefined, token), 400, 'MFA_SETUP_FAILED')

  const fresh = await call('POST', '/mfa/recovery-codes', { code: codeOf(secret) }, token)
  t.equal(fresh.statusCode, 200)
  t.equal(fresh.json().recovery_codes.filter((code: string) => verified.json().recovery_codes.includes(code)).length, 0)
  t.match(happened('recovery_codes_replaced'), [{ user: { id } }])
  refused(t, await call('DELETE', '/mfa/totp', { code: verified.json().recovery_codes[0] }, token), 400, 'MFA_SETUP_FAILED')
  t.equal((await call('DELETE', '/mfa/totp', { code: fresh.json().recovery_codes[0] }, token)).statusCode, 204)
  t.match(happened('mfa_disabled'), [{ user: { id } }])
  refused(t, await call('DELETE', '/mfa/totp', undefined, token), 400, 'MFA_SETUP_FAILED')
  t.equal((await call('GET', '/mfa', undefined, token)).json().totp, false)
})

t.test('attack: a stolen access token sets up, replaces and takes away nothing', async (t) => {
  const pass = clock(t)
  const { app, signUp, call } = await accounts(t, { encryptionKey, jwt: { secret: 'x'.repeat(32), accessTokenTtl: 7200 } })
  const { id, email, access_token: token } = await signUp()
  pass(601)
  const stepUp = await call('POST', '/mfa/totp', undefined, token)
  refused(t, stepUp, 401, 'STEP_UP_REQUIRED')
  t.equal(stepUp.json().extra.max_age, 600)
  t.match(stepUp.headers['www-authenticate'], 'error="insufficient_user_authentication", max_age="600"')
  refused(t, await call('POST', '/mfa/totp', { current_password: 'not it at all' }, token), 400, 'INVALID_PASSWORD')
  refused(t, await call('POST', '/mfa/totp', { code: '000000' }, token), 400, 'MFA_SETUP_FAILED')
  const setUp = await call('POST', '/mfa/totp', { current_password: password }, token)
  t.equal(setUp.statusCode, 200)
  t.equal((await call('POST', '/mfa/totp/verify', { code: codeOf(setUp.json().secret, -30) }, token)).statusCode, 200)
  for (const [method, path] of [['DELETE', '/mfa/totp'], ['POST', '/mfa/recovery-codes']] as const) {
    refused(t, await call(method, path, undefined, token), 401, 'STEP_UP_REQUIRED')
    refused(t, await call(method, path, {}, token), 401, 'STEP_UP_REQUIRED')
    refused(t, await call(method, path, { code: wrongCode(setUp.json().secret) }, token), 400, 'MFA_SETUP_FAILED')
  }
  t.strictSame(await app.bouncer.mfa.status(id), { totp: true, recovery_codes_left: 10 })
  const { session } = await app.bouncer.login({ email, password }) as Challenge
  const recent = await tokensOf(app.bouncer.challenges.respond({ session, challenge_name: 'MFA_TOTP', code: codeOf(setUp.json().secret) }))
  t.equal((await call('DELETE', '/mfa/totp', undefined, recent.access_token)).statusCode, 204, 'a recent sign-in is enough')
})

t.test('attack: the password, and a session that it opened before, take no second factor away', async (t) => {
  const pass = clock(t)
  const { app, signUp, call } = await accounts(t, { encryptionKey, jwt: { secret: 'x'.repeat(32), accessTokenTtl: 7200 } })
  const { id, email, access_token: old } = await signUp()
  const { secret } = await enrol(app, id)
  for (const [method, path] of [['DELETE', '/mfa/totp'], ['POST', '/mfa/recovery-codes']] as const) {
    const response = await call(method, path, { current_password: password }, old)
    refused(t, response, 401, 'STEP_UP_REQUIRED')
    t.strictSame(response.json().extra, { code: 'STEP_UP_REQUIRED', max_age: 600, acr_values: ['mfa'] })
    refused(t, await call(method, path, {}, old), 401, 'STEP_UP_REQUIRED')
  }
  const { access_token: both } = await signInWith(app, { email, password }, secret)
  pass(601)
  refused(t, await call('DELETE', '/mfa/totp', {}, both), 401, 'STEP_UP_REQUIRED')
  t.equal((await call('DELETE', '/mfa/totp', { current_password: password }, both)).statusCode, 204, 'where both were shown, the password is enough')
})

t.test('attack: an administrator\'s stolen token does not take his own second factor away by the route for others', async (t) => {
  const { app, signUp, call } = await accounts(t, { encryptionKey })
  const { id, access_token: token } = await signUp({ roles: ['admin'] })
  await enrol(app, id)
  refused(t, await call('DELETE', `/users/${id}/mfa`, undefined, token), 400, 'MFA_SETUP_FAILED')
  t.equal((await app.bouncer.mfa.status(id)).totp, true)
})

t.test('a recovery code that is used as a proof is told of', async (t) => {
  const { app, signUp, happened } = await accounts(t, { encryptionKey })
  const { id } = await signUp()
  const { recovery_codes: codes } = await enrol(app, id)
  await app.bouncer.mfa.replaceRecoveryCodes(id, { code: codes[0] as string })
  t.match(happened('recovery_code_used'), [{ user: { id }, left: 9 }])
})

t.test('a refresh makes no sign-in recent', async (t) => {
  const pass = clock(t)
  const { app, signUp, call } = await accounts(t, { encryptionKey })
  const { access_token: token, refresh_token: refreshToken } = await signUp()
  pass(601)
  const refreshed = await app.bouncer.refresh(refreshToken)
  t.equal(decodeJwt(refreshed.access_token).auth_time, decodeJwt(token).auth_time)
  refused(t, await call('POST', '/mfa/totp', undefined, refreshed.access_token), 401, 'STEP_UP_REQUIRED')
})

t.test('attack: a time of sign-in that is none', async (t) => {
  const prove = createProof({ passwords: {} as never, secondFactor: { find: async () => undefined } as never, attempts: {} as never, recentSignIn: 600, clock: () => 1_000_000 })
  for (const authTime of [undefined, NaN, -Infinity, Infinity, 399, 0, 1061, 1_000_000]) {
    await t.rejects(prove({ id: 'ada' } as never, authTime === undefined ? {} : { auth_time: authTime }, {}), { code: 'STEP_UP_REQUIRED' }, String(authTime))
  }
  for (const authTime of [400, 1000, 1060]) await t.resolves(prove({ id: 'ada' } as never, { auth_time: authTime }, {}))
})

t.test('attack: guessing codes to take the second factor away', async (t) => {
  const { app, signUp } = await accounts(t, { encryptionKey })
  const { id } = await signUp()
  const { secret } = await enrol(app, id)
  for (let guess = 0; guess < 5; guess++) t.match(await rejection(app.bouncer.mfa.disable(id, { code: wrongCode(secret) })), { code: 'MFA_SETUP_FAILED' })
  t.match(await rejection(app.bouncer.mfa.disable(id, { code: codeOf(secret) })), { code: 'RATE_LIMITED' })
  t.equal((await app.bouncer.mfa.status(id)).totp, true)
})

t.test('a secret waits ten minutes for its first code; the newest counts', async (t) => {
  const pass = clock(t)
  const { app, signUp } = await accounts(t, { encryptionKey })
  const { id } = await signUp()
  const now = () => ({ auth_time: Date.now() / 1000 })
  t.match(await rejection(app.bouncer.mfa.confirm(id, '000000')), { code: 'MFA_SETUP_FAILED', reason: 'nothing_set_up' })
  const first = await app.bouncer.mfa.setUp(id, now())
  const second = await app.bouncer.mfa.setUp(id, now())
  t.not(first.secret, second.secret)
  t.match(await rejection(app.bouncer.mfa.confirm(id, codeOf(first.secret))), { reason: 'wrong_code' })
  pass(601)
  t.match(await rejection(app.bouncer.mfa.confirm(id, codeOf(second.secret))), { reason: 'nothing_set_up' })
  for (const call of [app.bouncer.mfa.status('x'), app.bouncer.mfa.setUp('x', now()), app.bouncer.mfa.confirm('x', '000000'), app.bouncer.mfa.disable('x', now()), app.bouncer.mfa.replaceRecoveryCodes('x', now()), app.bouncer.mfa.reset('x')]) {
    t.match(await rejection(call as Promise<unknown>), { code: 'USER_NOT_FOUND' })
  }
  for (const call of [app.bouncer.mfa.disable(id, now()), app.bouncer.mfa.replaceRecoveryCodes(id, now()), app.bouncer.mfa.reset(id)]) {
    t.match(await rejection(call as Promise<unknown>), { code: 'MFA_SETUP_FAILED', reason: 'not_enrolled' })
  }
})

for (const [engine, make] of Object.entries(stores)) {
  t.test(`${engine}: race: one secret confirmed ten times at once gives one list of codes`, async (t) => {
    const { app, signUp, happened } = await accounts(t, { encryptionKey, store: make(), attempts: false })
    const { id } = await signUp()
    const { secret } = await app.bouncer.mfa.setUp(id, { auth_time: Date.now() / 1000 })
    const code = codeOf(secret)
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => app.bouncer.mfa.confirm(id, code)))
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    t.equal(happened('mfa_enabled').length, 1)
    t.strictSame(await app.bouncer.mfa.status(id), { totp: true, recovery_codes_left: 10 })
  })
}

t.test('keys are rotated: an old one opens, and what it opened is encrypted anew', async (t) => {
  const store = watched(memoryStore())
  const [old, today] = [keyOf('old '), keyOf('today ')]
  const before = await accounts(t, { store, encryptionKey: old })
  const { id, email } = await before.signUp()
  const { secret } = await enrol(before.app, id)
  const sealed = (await store.factors.find(id))?.secret

  const both = await accounts(t, { store, encryptionKey: [today, old] })
  const signIn = async ({ app }: typeof both, after = 0): Promise<unknown> => {
    const { session } = await app.bouncer.login({ email, password }) as Challenge
    return await tokensOf(app.bouncer.challenges.respond({ session, challenge_name: 'MFA_TOTP', code: codeOf(secret, after) }))
  }
  store.failing.add('factors.replaceSecret')
  t.ok(await signIn(both), 'also where that is not possible')
  t.equal((await store.factors.find(id))?.secret, sealed)
  store.failing.clear()
  t.ok(await signIn(both, 30))
  t.not((await store.factors.find(id))?.secret, sealed)
  const after = await accounts(t, { store, encryptionKey: today })
  const pass = clock(t)
  pass(60)
  t.ok(await signIn(after), 'the old key is not needed any more')
})

t.test('an administrator takes the second factor of somebody away who has lost everything', async (t) => {
  const { app, signUp, call, happened } = await accounts(t, { encryptionKey })
  const [admin, user] = [await signUp({ roles: ['admin'] }), await signUp()]
  await enrol(app, user.id)
  refused(t, await call('DELETE', `/users/${user.id}/mfa`, undefined, user.access_token), 403, 'INSUFFICIENT_ROLES')
  t.equal((await call('DELETE', `/users/${user.id}/mfa`, undefined, admin.access_token)).statusCode, 204)
  t.match(happened('mfa_disabled'), [{ user: { id: user.id } }])
  t.ok(await tokensOf(app.bouncer.login({ email: user.email, password })))
})

t.test('with its user, a second factor is gone', async (t) => {
  for (const store of [memoryStore(), memoryStore({ users: memoryStore().users })]) {
    const { app, signUp } = await accounts(t, { encryptionKey, store })
    const { id } = await signUp()
    await enrol(app, id)
    await app.bouncer.users.delete(id)
    t.equal(await store.factors.find(id), undefined)
  }
})

t.test('routes of second factors are there where they can be set up', async (t) => {
  const hasMfa = async (options: object, routes: object): Promise<boolean> => {
    const { app } = await accounts(t, options, routes)
    return app.hasRoute({ method: 'POST', url: '/auth/mfa/totp' })
  }
  t.equal(await hasMfa({ encryptionKey }, {}), true)
  t.equal(await hasMfa({ encryptionKey }, { mfa: false }), false)
  t.equal(await hasMfa({}, {}), false)
  t.match(await rejection(accounts(t, {}, { mfa: true })), { name: 'ConfigurationError', option: 'encryptionKey' })
  const { app } = await accounts(t, { encryptionKey }, { users: false })
  t.notOk(app.hasRoute({ method: 'DELETE', url: '/auth/users/:id/mfa' }))
  t.ok(app.hasRoute({ method: 'GET', url: '/auth/mfa' }))
})

t.test('race: recovery codes of a second factor that has just gone', async (t) => {
  const store = memoryStore()
  const { app, signUp } = await accounts(t, { encryptionKey, store })
  const { id } = await signUp()
  const { secret } = await enrol(app, id)
  store.factors.replaceRecoveryCodes = async () => false
  t.match(await rejection(app.bouncer.mfa.replaceRecoveryCodes(id, { code: codeOf(secret) })), { code: 'MFA_SETUP_FAILED', reason: 'not_enrolled' })
})
