import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { authRoutes, type AuthEventName, type AuthPluginOptions } from '../../index.js'
import { cognitoProvider } from '../../lib/cognito.js'
import { refused } from '../build.js'
import { documentOf } from '../openapi/document.js'
import { codeOf, wrongCode } from '../totp.js'
import { until } from '../accounts.js'
import { cognitoLocal, SENT_CODE } from './local.js'

// The plugin, its routes and guards over a real cognito-local.

const local = await cognitoLocal(t)
const { endpoint, userPoolId, clientId } = local
const provider = cognitoProvider({ region: 'local', endpoint, userPoolId, clientId, timeout: 60 })

interface Application {
  app: FastifyInstance
  call (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object, token?: string): Promise<LightMyRequestResponse>
  events: Array<{ name: string, event: object }>
}

async function application (t: Test, options: Partial<AuthPluginOptions> = {}): Promise<Application> {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin, { provider, ...options })
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'x', version: '1' } } })
  await app.register(authRoutes, { prefix: '/auth' })
  app.get('/editors', { preHandler: [app.requireRole('editors')] }, async (request) => request.user)
  const events: Application['events'] = []
  for (const name of ['user_login_failed', 'rate_limit_exceeded', 'challenge_failed'] as AuthEventName[]) app.bouncer.events.on(name, (event) => { events.push({ name, event }) })
  return {
    app,
    events,
    call: async (method, path, payload, token) => await app.inject({ method, url: path, ...(payload !== undefined && { payload }), headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
  }
}

let people = 0
async function somebody (options?: Parameters<typeof local.user>[2]): Promise<{ email: string, password: string }> {
  const person = { email: `web${++people}@example.com`, password: `Pa55word!${people}` }
  await local.user(person.email, person.password, options)
  return person
}

t.test('signing in, and what guards make of it', async (t) => {
  const { call } = await application(t)
  const person = await somebody({ groups: ['editors'] })
  const login = await call('POST', '/auth/login', person)
  t.equal(login.statusCode, 200)
  t.strictSame(Object.keys(login.json()).sort(), ['access_token', 'expires_in', 'id_token', 'refresh_token', 'token_type'])
  t.equal(login.headers['cache-control'], 'no-store')
  const { access_token: token, id_token: idToken, refresh_token: refreshToken } = login.json()
  t.match((await call('GET', '/editors', undefined, token)).json(), { roles: ['editors'], groups: ['editors'], method: 'bearer' })
  refused(t, await call('GET', '/editors', undefined, idToken), 401, 'TOKEN_INVALID')
  refused(t, await call('GET', '/editors', undefined, refreshToken), 401, 'TOKEN_INVALID')
  const stranger = (await call('POST', '/auth/login', await somebody())).json()
  refused(t, await call('GET', '/editors', undefined, stranger.access_token), 403, 'INSUFFICIENT_ROLES')
  t.match((await call('GET', '/auth/me', undefined, token)).json(), { email: person.email, roles: ['editors'], is_active: true })
  const refreshed = await call('POST', '/auth/refresh', { refresh_token: refreshToken })
  t.equal(refreshed.statusCode, 200)
  t.equal((await call('GET', '/editors', undefined, refreshed.json().access_token)).statusCode, 200)
  t.equal((await call('POST', '/auth/logout', { refresh_token: refreshToken })).statusCode, 204)
  refused(t, await call('POST', '/auth/refresh', { refresh_token: refreshToken }), 401, 'TOKEN_INVALID')
})

t.test('wrong and unknown are one answer, and counted here', async (t) => {
  const { call, events } = await application(t)
  const { email } = await somebody()
  for (const name of [email, 'nobody@example.com']) {
    for (let guess = 0; guess < 5; guess++) refused(t, await call('POST', '/auth/login', { email: name, password: 'a guess' }), 401, 'INVALID_CREDENTIALS')
    refused(t, await call('POST', '/auth/login', { email: name.toUpperCase(), password: 'a guess' }), 429, 'RATE_LIMITED')
  }
  t.equal(events.filter(({ name }) => name === 'user_login_failed').length, 10)
  t.equal(events.filter(({ name }) => name === 'rate_limit_exceeded').length, 2)
  t.notMatch(JSON.stringify(events), 'a guess')
})

t.test('challenges: a password of the first time, an authenticator application', async (t) => {
  const { call, events } = await application(t)
  const person = await somebody({ temporary: true })
  const login = await call('POST', '/auth/login', person)
  t.equal(login.statusCode, 202)
  const { session } = login.json()
  t.match(login.json(), { challenge_name: 'NEW_PASSWORD_REQUIRED' })
  t.notOk(session.includes(person.email), 'what Cognito goes on with stays here')
  refused(t, await call('POST', '/auth/login/challenge', { session, challenge_name: 'MFA_TOTP', code: '000000' }), 400, 'INVALID_CHALLENGE')
  const changed = await call('POST', '/auth/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'An0ther!password' })
  t.equal(changed.statusCode, 200)
  refused(t, await call('POST', '/auth/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'An0ther!password' }), 400, 'INVALID_CHALLENGE')

  const { access_token: token } = changed.json()
  const setUp = await call('POST', '/auth/mfa/totp', {}, token)
  t.equal(setUp.statusCode, 200)
  const { secret } = setUp.json()
  refused(t, await call('POST', '/auth/mfa/totp/verify', { code: wrongCode(secret) }, token), 400, 'MFA_SETUP_FAILED')
  const verified = await call('POST', '/auth/mfa/totp/verify', { code: codeOf(secret) }, token)
  t.strictSame([verified.statusCode, verified.json()], [200, { recovery_codes: [] }])

  const again = await call('POST', '/auth/login', { email: person.email, password: 'An0ther!password' })
  t.equal(again.statusCode, 202)
  t.match(again.json(), { challenge_name: 'MFA_TOTP' })
  refused(t, await call('POST', '/auth/login/challenge', { session: again.json().session, challenge_name: 'MFA_TOTP', code: wrongCode(secret) }), 400, 'INVALID_CHALLENGE')
  const done = await call('POST', '/auth/login/challenge', { session: again.json().session, challenge_name: 'MFA_TOTP', code: codeOf(secret) })
  t.equal(done.statusCode, 200)
  t.ok(events.some(({ name }) => name === 'challenge_failed'))
  t.equal((await call('DELETE', '/auth/mfa/totp', {}, done.json().access_token)).statusCode, 204)
  t.equal((await call('POST', '/auth/login', { email: person.email, password: 'An0ther!password' })).statusCode, 200)
})

t.test('passwords: changed, and reset by a code', async (t) => {
  const { app, call } = await application(t)
  const { email, password } = await somebody({ attributes: [{ Name: 'email', Value: `web${people + 1}@example.com` }, { Name: 'email_verified', Value: 'true' }] })
  const { access_token: token } = (await call('POST', '/auth/login', { email, password })).json()
  t.equal((await call('POST', '/auth/me/password', { current_password: password, new_password: 'Ch4nged!password' }, token)).statusCode, 204)
  t.equal((await call('POST', '/auth/password/forgot', { email })).statusCode, 202)
  t.equal((await call('POST', '/auth/password/forgot', { email: 'nobody@example.com' })).statusCode, 202)
  let reset: LightMyRequestResponse | undefined
  // The mail goes out after the answer.
  await until(async () => {
    reset = await call('POST', '/auth/password/reset', { email, code: SENT_CODE, password: 'R3set!password' })
    return reset.statusCode === 204
  })
  refused(t, await call('POST', '/auth/password/reset', { token: 'x', password: 'R3set!password' }), 400, 'REQUEST_INVALID')
  t.ok(await app.bouncer.login({ email, password: 'R3set!password' }))
})

t.test('what a provider does not have is not there', async (t) => {
  const { app } = await application(t)
  const { paths } = await documentOf(app)
  t.strictSame(Object.keys(paths).filter((path) => path.startsWith('/auth')).sort(), [
    '/auth/login', '/auth/login/challenge', '/auth/logout', '/auth/logout-all', '/auth/me', '/auth/me/password', '/auth/mfa/totp', '/auth/mfa/totp/verify',
    '/auth/password/forgot', '/auth/password/reset', '/auth/refresh'
  ])
  t.throws(() => app.bouncer.users, { name: 'ConfigurationError', option: 'store' })
  await t.rejects(app.bouncer.register({ email: 'a@example.com', password: 'x' }), { name: 'ConfigurationError' })
  for (const group of ['registration', 'sessions', 'verification', 'users'] as const) {
    const other = Fastify()
    t.teardown(async () => { await other.close() })
    await other.register(authPlugin, { provider })
    await t.rejects(async () => { await other.register(authRoutes, { [group]: true }) }, { name: 'ConfigurationError', option: group })
  }
})

t.test('as calls', async (t) => {
  const { app } = await application(t)
  const person = await somebody()
  const tokens = await app.bouncer.login(person)
  if ('challenge_name' in tokens) throw new Error('a challenge')
  t.equal((await app.bouncer.authenticate(tokens.access_token)).method, 'bearer')
  t.ok((await app.bouncer.refresh(tokens.refresh_token)).access_token)
  await app.bouncer.logout(tokens.refresh_token)
  await t.rejects(app.bouncer.refresh(tokens.refresh_token), { code: 'TOKEN_INVALID' })
  await t.rejects(app.bouncer.challenges.respond({ session: 'x', challenge_name: 'MFA_TOTP', code: '000000' }), { code: 'INVALID_CHALLENGE' })
  for (const wrong of [{ email: 'a' }, { password: 'x' }, { email: 'a', username: 'b', password: 'x' }]) await t.rejects(app.bouncer.login(wrong as never), TypeError)
})
