import t, { type Test } from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import type { AuthPluginOptions } from '../../../index.js'
import { accounts, password, type AccountsApp } from '../../accounts.js'
import { codeOf, encryptionKey, enrol } from '../../totp.js'

const another = 'another horse battery'

/** Every text in an answer, however deep, headers too. */
function textsIn (value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

/** One value of an earlier answer, given as every kind of credential there is. Each request should be refused. */
function uses (value: string, email: string): Array<[method: 'GET' | 'POST' | 'DELETE', path: string, payload: object | undefined, headers: Record<string, string>]> {
  const bearer = { authorization: `Bearer ${value}` }
  const basic = (text: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  return [
    ['GET', '/auth/me', undefined, bearer],
    ['GET', '/guarded', undefined, bearer],
    ['GET', '/guarded', undefined, basic(`${email}:${value}`)],
    ['GET', '/guarded', undefined, basic(`${value}:${value}`)],
    ['GET', '/guarded', undefined, basic(value)],
    ['GET', '/guarded', undefined, { authorization: value }],
    ['GET', '/auth/sessions', undefined, bearer],
    ['POST', '/auth/refresh', { refresh_token: value }, {}],
    ['POST', '/auth/logout', { refresh_token: value }, {}],
    ['POST', '/auth/logout-all', { refresh_token: value }, {}],
    ['POST', '/auth/logout', undefined, bearer],
    ['POST', '/auth/login', { email, password: value }, {}],
    ['POST', '/auth/login', { username: value, password }, {}],
    ['POST', '/auth/verify', { token: value }, {}],
    ['POST', '/auth/password/reset', { token: value, password: another }, {}],
    ['POST', '/auth/me/password', { current_password: password, new_password: another }, bearer],
    ['POST', '/auth/mfa/totp', { current_password: password }, bearer],
    ['POST', '/auth/mfa/totp/verify', { code: value }, bearer],
    ['DELETE', '/auth/mfa/totp', { current_password: password }, bearer],
    ['POST', '/auth/mfa/recovery-codes', { current_password: password }, bearer],
    ['POST', '/auth/login/challenge', { session: value, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: another }, {}],
    ['POST', '/auth/login/challenge', { session: value, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'RECOVERY_CODE' }, {}],
    ...(['MFA_TOTP', 'RECOVERY_CODE', 'MFA_SETUP'] as const).flatMap((name): Array<['POST', string, object, Record<string, string>]> => [
      ['POST', '/auth/login/challenge', { session: value, challenge_name: name, code: value }, {}],
      ['POST', '/auth/login/challenge', { session: value, challenge_name: name, code: '000000' }, {}]
    ])
  ]
}

interface World extends AccountsApp {
  email: string
  id: string
}

async function world (t: Test, options: AuthPluginOptions): Promise<World> {
  const built = await accounts(t, { encryptionKey, attempts: false, basic: true, ...options })
  built.app.get('/guarded', { onRequest: [built.app.requireUser()] }, async () => 'reached')
  const { id, email } = await built.app.bouncer.users.create({ email: 'ada@example.com', password, is_verified: true })
  return { ...built, id, email }
}

/** Replays every value of every answer so far; all are refused, and nobody is signed in. */
async function replay (t: Test, { app, email, id, happened }: World, answers: LightMyRequestResponse[]): Promise<void> {
  const own = [...new Set(answers.flatMap((answer) => [...textsIn(answer.json()), ...textsIn(answer.headers)]))]
  t.ok(own.length > 3)
  for (const value of own) {
    for (const [method, url, payload, headers] of uses(value, email)) {
      // A challenge that is still to be answered must survive this: five answers end it.
      if (url.endsWith('/challenge') && answers.some((answer) => answer.json().session === value)) continue
      const { statusCode } = await app.inject({ method, url, ...(payload !== undefined && { payload }), headers: /[^\x20-\x7e]/.test(headers.authorization ?? '') ? {} : headers })
      if (statusCode < 400) t.fail(`${method} ${url} is answered ${statusCode} for ${value}`)
    }
  }
  t.strictSame((await app.bouncer.sessions.list(id)).items, [])
  for (const name of ['user_login', 'token_refreshed', 'password_changed', 'password_reset_completed', 'verification_completed'] as const) t.strictSame(happened(name), [], name)
}

t.test('attack: values of the answer that asks for a code', async (t) => {
  const built = await world(t, {})
  const { secret, recovery_codes: codes } = await enrol(built.app, built.id)
  const login = await built.call('POST', '/login', { email: built.email, password })
  t.equal(login.statusCode, 202)
  await replay(t, built, [login])
  const { session } = login.json()
  const selected = await built.call('POST', '/login/challenge', { session, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'RECOVERY_CODE' })
  t.equal(selected.statusCode, 202)
  await replay(t, built, [login, selected])
  t.equal((await built.call('POST', '/login/challenge', { session: selected.json().session, challenge_name: 'RECOVERY_CODE', code: codes[0] })).statusCode, 200, 'the challenge itself works all the while')
  t.ok(codeOf(secret))
})

t.test('attack: values of the answers of a whole chain', async (t) => {
  const built = await world(t, { mfa: { required: true } })
  await built.app.bouncer.users.update(built.id, { must_change_password: true })
  const first = await built.call('POST', '/login', { email: built.email, password })
  t.match(first.json(), { challenge_name: 'NEW_PASSWORD_REQUIRED' })
  await replay(t, built, [first])
  const second = await built.call('POST', '/login/challenge', { session: first.json().session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: another })
  t.match(second.json(), { challenge_name: 'MFA_SETUP' })
  built.events.length = 0
  await replay(t, built, [first, second])
  t.strictSame(await built.app.bouncer.mfa.status(built.id), { totp: false, recovery_codes_left: 0 })
  const { session, secret } = second.json()
  t.equal((await built.call('POST', '/login/challenge', { session, challenge_name: 'MFA_SETUP', code: codeOf(secret) })).statusCode, 200)
})

t.test('attack: values of the set-up that an enrolled account was asked for before', async (t) => {
  const built = await world(t, { mfa: { required: true } })
  const login = await built.call('POST', '/login', { email: built.email, password })
  const { session, secret } = login.json()
  const done = await built.call('POST', '/login/challenge', { session, challenge_name: 'MFA_SETUP', code: codeOf(secret, -30) })
  t.equal(done.statusCode, 200)
  await built.app.bouncer.logoutAll(built.id)
  built.events.length = 0
  const next = await built.call('POST', '/login', { email: built.email, password })
  t.match(next.json(), { challenge_name: 'MFA_TOTP' })
  await replay(t, built, [login, next])
})
