import { createHook } from 'node:async_hooks'
import { inspect } from 'node:util'
import fc from 'fast-check'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import swagger from '@fastify/swagger'
import t, { type Test } from 'tap'
import authPlugin, { authRoutes, InvalidCredentialsError, memoryStore, securityContext, validateOptions, type AuthPluginOptions, type BasicUser } from '../../index.js'
import { accounts, clock, password } from '../accounts.js'
import { bearer, build, options, refused, server } from '../build.js'
import { logged } from '../log-lines.js'
import { codesOf, documentOf } from '../openapi/document.js'
import { encryptionKey, enrol } from '../totp.js'
import { stores } from '../watched-store.js'

const CHALLENGE = 'Basic realm="api", charset="UTF-8"'
const BOTH = `Bearer realm="api", ${CHALLENGE}`

const encoded = (text: string | Buffer): string => Buffer.from(text).toString('base64')
const basic = (username: string, password: string): { authorization: string } => ({ authorization: `Basic ${encoded(`${username}:${password}`)}` })

/** Ada, by an application's own check, which keeps what it was asked. */
function own (): { asked: string[][], authenticate: (username: string, password: string) => Promise<BasicUser | null> } {
  const asked: string[][] = []
  return {
    asked,
    authenticate: async (username, given) => {
      asked.push([username, given])
      return username === 'ada' && given === password ? { id: 'ada', roles: ['admin'], email: 'ada@example.com', claims: { desk: 7 } } : null
    }
  }
}

async function guarded (t: Test, given: AuthPluginOptions, app: FastifyInstance = server(t)): Promise<(headers?: Record<string, string>) => Promise<LightMyRequestResponse>> {
  await app.register(authPlugin, given)
  app.get('/admin', { onRequest: [app.requireRole('admin')] }, async (request) => ({ user: request.user, acting: securityContext.get()?.id }))
  return async (headers = {}) => await app.inject({ url: '/admin', headers })
}

t.test('a user name and a password, beside bearer tokens', async (t) => {
  const { asked, authenticate } = own()
  const ask = await guarded(t, { ...options, basic: { authenticate } })
  const response = await ask(basic('ada', password))
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { user: { id: 'ada', roles: ['admin'], groups: [], scopes: [], email: 'ada@example.com', claims: { desk: 7 }, method: 'basic' }, acting: 'ada' })
  for (const scheme of ['basic', 'BASIC', 'bAsIc ']) t.equal((await ask({ authorization: `${scheme} ${encoded(`ada:${password}`)}` })).statusCode, 200, scheme)
  t.equal((await ask(bearer({ roles: ['admin'] }))).json().user.method, 'bearer')
  t.equal(asked.length, 4, 'of a token nobody is asked')
})

t.test('each 401 of a guard has a challenge per scheme', async (t) => {
  const ask = await guarded(t, { ...options, basic: { authenticate: own().authenticate } })
  const cases: Array<[headers: Record<string, string>, code: string, challenge: string]> = [
    [{}, 'MISSING_TOKEN', BOTH],
    [{ authorization: 'Basic' }, 'MISSING_TOKEN', BOTH],
    [{ authorization: 'Digest x' }, 'MISSING_TOKEN', BOTH],
    [basic('ada', 'wrong'), 'INVALID_CREDENTIALS', BOTH],
    [bearer({ exp: 1 }), 'TOKEN_EXPIRED', `Bearer realm="api", error="invalid_token", ${CHALLENGE}`]
  ]
  for (const [headers, code, challenge] of cases) {
    const response = await ask(headers)
    t.equal(response.statusCode, 401)
    t.equal(response.json().extra.code, code)
    t.equal(response.headers['www-authenticate'], challenge, code)
  }
  const denied = await ask(bearer({ roles: ['editor'] }))
  refused(t, denied, 403, 'INSUFFICIENT_ROLES')
})

t.test('alone: bearer tokens are not taken, nor offered', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'x', version: '1' } } })
  const ask = await guarded(t, { basic: { authenticate: own().authenticate, realm: 'the archive' } }, app)
  t.equal((await ask(basic('ada', password))).statusCode, 200)
  for (const headers of [{}, bearer({ roles: ['admin'] }), basic('ada', 'wrong')]) {
    const response = await ask(headers)
    t.equal(response.statusCode, 401)
    t.equal(response.headers['www-authenticate'], 'Basic realm="the archive", charset="UTF-8"')
  }
  t.equal((await ask({ authorization: 'Bearer a, Basic b' })).statusCode, 400)
  const { paths, components } = await documentOf(app)
  const operation = paths['/admin']?.get
  t.strictSame(operation?.security, [{ basicAuth: [] }])
  t.strictSame(components.securitySchemes, { basicAuth: { type: 'http', scheme: 'basic' } })
  t.strictSame(codesOf(operation as never), { 400: ['INVALID_AUTHORIZATION_HEADER'], 401: ['MISSING_TOKEN', 'INVALID_CREDENTIALS'], 403: ['INSUFFICIENT_ROLES'], 503: ['AUTH_UNAVAILABLE'] })
})

t.test('what is documented beside bearer tokens, with the users of the store', async (t) => {
  const app = server(t)
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'x', version: '1' }, components: { securitySchemes: { password: { type: 'http', scheme: 'Basic' }, bearerAuth: { type: 'apiKey', in: 'query', name: 'x' } } } } })
  await guarded(t, { ...options, store: memoryStore(), basic: true }, app)
  app.get('/anyone', { config: { auth: { optional: true } } }, async () => 'ok')
  const { paths } = await documentOf(app)
  t.strictSame(paths['/admin']?.get?.security, [{ fastifyBouncerBearer: [] }, { password: [] }])
  t.strictSame(paths['/anyone']?.get?.security, [{ fastifyBouncerBearer: [] }, { password: [] }, {}])
  t.strictSame(codesOf(paths['/admin']?.get as never)[401], ['MISSING_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'INVALID_CREDENTIALS', 'TOKEN_REVOKED', 'ACCOUNT_UNAVAILABLE', 'AUTHENTICATION_FAILED'])
  t.strictSame(codesOf(paths['/admin']?.get as never)[429], ['RATE_LIMITED'])
})

t.test('the users of the store: by address or name, with limits, events and no session', async (t) => {
  for (const [name, make] of Object.entries(stores)) {
    const { app, signUp, happened, call } = await accounts(t, { store: make(), basic: true })
    app.get('/admin', { onRequest: [app.requireRole('admin')] }, async (request) => request.user)
    const ask = async (headers: Record<string, string>): Promise<LightMyRequestResponse> => await app.inject({ url: '/admin', headers })
    const { id, email } = await signUp({ email: 'ada@example.com', username: 'ada', roles: ['admin'] })
    for (const username of [email, 'ADA@example.com', 'ada', 'Ada']) {
      t.strictSame((await ask(basic(username, password))).json(), { id, roles: ['admin'], groups: [], scopes: [], email, claims: {}, method: 'basic' }, `${name}: ${username}`)
    }
    t.equal(happened('user_login').length, 1, 'the sign-in of before')
    t.equal((await app.bouncer.sessions.list(id)).items.length, 1)
    refused(t, await call('GET', '/me', undefined, undefined, basic('ada', password)), 401, 'MISSING_TOKEN')
    for (let guess = 0; guess < 5; guess++) refused(t, await ask(basic(email, 'a guess')), 401, 'INVALID_CREDENTIALS')
    const locked = await ask(basic(email, password))
    refused(t, locked, 429, 'RATE_LIMITED')
    t.equal(locked.headers['retry-after'], '600')
    t.equal(happened('user_login_failed').length, 5)
    for (const unknown of ['nobody@example.com', 'nobody', 'no name', 'a\u00e9@example.com']) refused(t, await ask(basic(unknown, password)), 401, 'INVALID_CREDENTIALS')
    await app.bouncer.users.update(id, { is_active: false, roles: ['editor'] }).catch(() => {})
  }
})

t.test('a user who is deactivated, or whose password is another one now, is refused at once', async (t) => {
  const { app, signUp } = await accounts(t, { basic: true })
  app.get('/me', { onRequest: [app.requireUser()] }, async () => 'in')
  const status = async (given: string): Promise<number> => (await app.inject({ url: '/me', headers: basic(email, given) })).statusCode
  const { id, email } = await signUp()
  t.equal(await status(password), 200)
  await app.bouncer.users.setPassword(id, 'another good password')
  t.strictSame([await status(password), await status('another good password')], [401, 200])
  await app.bouncer.users.update(id, { is_active: false })
  t.equal(await status('another good password'), 401)
})

t.test('passwords hold colons, spaces and any letters of UTF-8', async (t) => {
  const { asked, authenticate } = own()
  const ask = await guarded(t, { ...options, basic: { authenticate } })
  const pairs = [['ada', 'a:b:c'], ['ada', ':'], ['ada', ' '], ['ädä', 'pä$$wörd 🔑'], ['ada', '\ufeffx'], ['\ufeffada', 'x']]
  for (const [username = '', given = ''] of pairs) await ask(basic(username, given))
  t.strictSame(asked, pairs)
  asked.length = 0
  await ask({ authorization: `Basic ${encoded('ada:x').replaceAll('=', '')}` })
  t.strictSame(asked, [['ada', 'x']], 'padded or not')
})

t.test('empty parts ask nobody: a directory would let them in', async (t) => {
  const { asked, authenticate } = own()
  const ask = await guarded(t, { ...options, basic: { authenticate } })
  for (const [username, given] of [['', ''], ['', password], ['ada', '']] as const) refused(t, await ask(basic(username, given)), 401, 'INVALID_CREDENTIALS')
  t.strictSame(asked, [])
})

t.test('what cannot be decoded is malformed, and asks nobody', async (t) => {
  const { asked, authenticate } = own()
  const { lines, serverOptions } = logged('error')
  const ask = await guarded(t, { ...options, basic: { authenticate } }, server(t, serverOptions))
  const wrong = ['Basic !', 'Basic YQ=a', 'Basic YWRhOng===', 'Basic YWRh_-==', `Basic ${encoded('no colon')}`, `Basic ${encoded(Buffer.from([0x61, 0x3a, 0xff]))}`, `Basic ${encoded('ada:a\u0000b')}`, `Basic ${encoded('ada\n:b')}`, `Basic ${'A'.repeat(8196)}`, 'Basic YWRhOng= x', 'Basic YQ, Bearer x', 'Basic "']
  for (const authorization of wrong) {
    const response = await ask({ authorization })
    refused(t, response, 400, 'INVALID_AUTHORIZATION_HEADER')
    t.equal(response.headers['www-authenticate'], 'Bearer realm="api", error="invalid_request"')
  }
  t.strictSame(asked, [])
  t.strictSame(lines, [])
})

t.test('any header: what is asked for is what was encoded, and anything else asks nobody', async (t) => {
  const { asked, authenticate } = own()
  const ask = await guarded(t, { ...options, basic: { authenticate } })
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((one) => !/\p{Cc}|\p{Cs}/u.test(one))
  await fc.assert(fc.asyncProperty(text.filter((one) => !one.includes(':')), text, async (username, given) => {
    asked.length = 0
    const { statusCode } = await ask(basic(username, given))
    return statusCode === (username === 'ada' && given === password ? 200 : 401) && JSON.stringify(asked) === JSON.stringify([[username, given]])
  }), { numRuns: 200, seed: 7617 })
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 24 }), async (bytes) => {
    const { statusCode } = await ask({ authorization: `Basic ${encoded(Buffer.from(bytes))}` })
    return [400, 401].includes(statusCode)
  }), { numRuns: 200, seed: 7617 })
})

t.test('a check that fails is 503, and what it answers with must be somebody', async (t) => {
  const { lines, serverOptions } = logged('error')
  let answer: () => unknown = () => { throw new Error(`the directory says ${password}`) }
  const ask = await guarded(t, { ...options, basic: { authenticate: (async () => answer()) as never } }, server(t, serverOptions))
  const down = await ask(basic('ada', password))
  refused(t, down, 503, 'AUTH_UNAVAILABLE')
  t.notMatch(down.payload, password)
  answer = () => undefined
  refused(t, await ask(basic('ada', password)), 401, 'INVALID_CREDENTIALS')
  for (const nobody of [{}, { id: '' }, { id: 7 }]) {
    answer = () => nobody
    t.equal((await ask(basic('ada', password))).statusCode, 500, JSON.stringify(nobody))
  }
  answer = () => ({ id: 'ada', roles: 'admin' })
  refused(t, await ask(basic('ada', password)), 403, 'INSUFFICIENT_ROLES')
  t.ok(lines.length >= 4)
})

t.test('neither user name nor password is in a log line', async (t) => {
  const { lines, serverOptions } = logged('info')
  const ask = await guarded(t, { ...options, basic: { authenticate: own().authenticate } }, server(t, serverOptions))
  await ask(basic('ada', 'c4n4ry'))
  t.notMatch(JSON.stringify(lines), 'c4n4ry')
  t.notMatch(JSON.stringify(lines), encoded('ada:c4n4ry'))
})

t.test('options that cannot be meant', async (t) => {
  const wrong: Array<[given: AuthPluginOptions, option: string, message: RegExp]> = [
    [{ ...options, basic: true }, 'basic', /needs a store whose users it can ask, or \{ authenticate \}/],
    [{ ...options, basic: { realm: 'x' } }, 'basic', /needs a store/],
    [{ ...options, basic: 'yes' as never }, 'basic', /must be true, or/],
    [{ ...options, basic: { authenticate: 1 as never } }, 'basic', /must be true, or/],
    [{ ...options, basic: { authenticate: own().authenticate, realm: 'a"b' } }, 'basic', /./],
    [{ issuer: 'x', basic: { authenticate: own().authenticate } }, 'audience', /is missing/],
    [{ basic: true }, 'issuer', /is missing/]
  ]
  for (const [given, option, message] of wrong) await t.rejects(async () => { await server(t).register(authPlugin, given) }, { name: 'ConfigurationError', option, message })
  const ask = await guarded(t, { ...options, basic: false })
  t.equal((await ask(basic('ada', password))).headers['www-authenticate'], 'Bearer realm="api"', 'switched off')
})

t.test('a call checks a password without a session', async (t) => {
  const pass = clock(t)
  const { app, signUp, happened } = await accounts(t)
  const { id, email } = await signUp()
  pass(1)
  t.match(await app.bouncer.passwords.verify({ email, password }), { id, email })
  await t.rejects(app.bouncer.passwords.verify({ email, password: 'a guess' }, { address: '192.0.2.1' }), { code: 'INVALID_CREDENTIALS', reason: 'wrong_password' })
  t.match(happened('user_login_failed'), [{ origin: { address: '192.0.2.1' } }])
  t.equal(happened('user_login').length, 1)
})

t.test('a second factor: who has one, or must have one, is refused Basic like a wrong password', async (t) => {
  const { app, signUp, happened } = await accounts(t, { encryptionKey, basic: true, mfa: { required: ({ roles }) => roles.includes('admin') } })
  app.get('/', { onRequest: [app.requireUser()] }, async (request) => request.user?.id)
  const ask = async (email: string): Promise<LightMyRequestResponse> => await app.inject({ url: '/', headers: basic(email, password) })
  const plain = await signUp()
  t.equal((await ask(plain.email)).payload, plain.id)
  const enrolled = await signUp()
  await enrol(app, enrolled.id)
  await app.bouncer.users.create({ email: 'admin@example.com', password, roles: ['admin'] })
  await app.bouncer.users.create({ email: 'new@example.com', password, must_change_password: true })
  const wrong = await app.inject({ url: '/', headers: basic(plain.email, 'another') })
  for (const [email, reason] of [[enrolled.email, 'second_factor'], ['admin@example.com', 'second_factor'], ['new@example.com', 'password_to_be_changed']] as const) {
    const response = await ask(email)
    refused(t, response, 401, 'INVALID_CREDENTIALS')
    t.strictSame([response.payload, response.headers['www-authenticate']], [wrong.payload, wrong.headers['www-authenticate']], 'the same body as for a wrong one')
    t.match(happened('user_login_failed').at(-1), { identifier: email, reason })
  }
})

t.test('unless the application says otherwise', async (t) => {
  const { app, signUp } = await accounts(t, { encryptionKey, basic: { allowSingleFactor: true }, mfa: { required: ({ roles }) => roles.includes('admin') } })
  app.get('/', { onRequest: [app.requireUser()] }, async (request) => request.user?.id)
  app.get('/strict', { config: { auth: { factors: 2 } } }, async () => 'ok')
  const { id, email } = await signUp()
  await enrol(app, id)
  await app.bouncer.users.create({ email: 'admin@example.com', password, roles: ['admin'] })
  await app.bouncer.users.create({ email: 'new@example.com', password, must_change_password: true })
  t.equal((await app.inject({ url: '/', headers: basic(email, password) })).payload, id)
  t.equal((await app.inject({ url: '/', headers: basic('admin@example.com', password) })).statusCode, 200)
  refused(t, await app.inject({ url: '/', headers: basic('new@example.com', password) }), 401, 'INVALID_CREDENTIALS')
  refused(t, await app.inject({ url: '/strict', headers: basic(email, password) }), 401, 'STEP_UP_REQUIRED')
})

t.test('the cache of right passwords: no hash meanwhile, and none of it after a change', async (t) => {
  const pass = clock(t)
  let hashes = 0
  const hook = createHook({ init: (_id, type) => { if (type === 'PBKDF2REQUEST') hashes++ } }).enable()
  t.teardown(() => { hook.disable() })
  const { app, happened } = await accounts(t, { encryptionKey, basic: { cacheFor: 60 }, requireVerified: true, passwords: { hasher: 'pbkdf2' }, attempts: false })
  app.get('/', { onRequest: [app.requireUser()] }, async (request) => request.user?.id)
  const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', username: 'ada', password, is_verified: true })
  /** Whether a request passes, and how many hashes it takes. */
  const ask = async (name = email, given = password): Promise<[status: number, hashes: number]> => {
    const before = hashes
    const { statusCode } = await app.inject({ url: '/', headers: basic(name, given) })
    return [statusCode, hashes - before]
  }
  t.strictSame(await ask(), [200, 1])
  t.strictSame(await ask(), [200, 0])
  t.strictSame(await ask('ada'), [200, 1], 'by another name')
  t.strictSame(await ask('ada'), [200, 0])
  t.strictSame(await ask(email, 'another'), [401, 1])
  pass(61)
  t.strictSame(await ask(), [200, 1], 'not for longer')

  await app.bouncer.users.update(id, { is_active: false })
  t.equal((await ask())[0], 401)
  await app.bouncer.users.update(id, { is_active: true, is_verified: false })
  t.equal((await ask())[0], 401)
  await app.bouncer.users.update(id, { is_verified: true })
  t.strictSame(await ask(), [200, 0])
  await app.bouncer.users.update(id, { username: 'grace' })
  t.equal((await ask('ada'))[0], 401, 'whose name it is no more')
  await enrol(app, id)
  t.equal((await ask())[0], 401, 'a second factor counts at once')
  await app.bouncer.mfa.reset(id)
  t.strictSame(await ask(), [200, 0])
  await app.bouncer.users.setPassword(id, 'another horse battery')
  t.strictSame(await ask(), [401, 1], 'and so does another password')
  t.strictSame(await ask(email, 'another horse battery'), [200, 1])
  await app.bouncer.users.delete(id)
  t.equal((await ask(email, 'another horse battery'))[0], 401)
  t.notMatch(inspect(app.bouncer, { depth: 9 }), password)
  t.equal(happened('user_login').length, 0)
})

t.test('options of the check of the store are for no other', async (t) => {
  for (const [given, option] of [
    [{ authenticate: () => null, allowSingleFactor: true }, 'basic.allowSingleFactor'],
    [{ authenticate: () => null, cacheFor: 5 }, 'basic.cacheFor'],
    [{ cacheFor: 301 }, 'basic'],
    [{ cacheFor: -1 }, 'basic'],
    [{ allowSingleFactor: 'yes' }, 'basic']
  ] as Array<[object, string]>) t.throws(() => validateOptions({ ...options, store: memoryStore(), basic: given as never }), { name: 'ConfigurationError', option })
})

t.test('attack: a remembered password is no way around a lock-out', async (t) => {
  const { app, signUp } = await accounts(t, { basic: { cacheFor: 60 } })
  app.get('/', { onRequest: [app.requireUser()] }, async () => 'ok')
  const { email } = await signUp()
  const ask = async (given: string, remoteAddress: string): Promise<number> => (await app.inject({ url: '/', headers: basic(email, given), remoteAddress })).statusCode
  t.equal(await ask(password, '192.0.2.1'), 200)
  for (let guess = 0; guess < 5; guess++) t.equal(await ask(`guess ${guess}`, '198.51.100.1'), 401)
  t.equal(await ask(password, '198.51.100.1'), 429, 'where guesses are refused, so is the right one')
  t.equal(await ask(password, '192.0.2.1'), 200, 'and the machine goes on')
})

t.test('routes of accounts take no password, look at none, and offer no dialog', async (t) => {
  const { signUp, call, happened } = await accounts(t, { basic: true })
  const { email } = await signUp()
  for (const [method, path] of [['GET', '/me'], ['POST', '/logout'], ['GET', '/sessions'], ['GET', '/users']] as const) {
    for (const headers of [basic(email, password), basic(email, 'wrong'), {}]) {
      const response = await call(method, path, undefined, undefined, headers)
      refused(t, response, 401, 'MISSING_TOKEN')
      t.equal(response.headers['www-authenticate'], 'Bearer realm="api"', path)
    }
    t.equal((await call(method, path, undefined, 'x')).headers['www-authenticate'], 'Bearer realm="api", error="invalid_token"')
  }
  t.strictSame(happened('user_login_failed'), [])
  const documented = server(t)
  await documented.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'x', version: '1' } } })
  await documented.register(authPlugin, { ...options, store: memoryStore(), basic: true })
  await documented.register(authRoutes)
  documented.get('/machines', { onRequest: [documented.requireUser()] }, async () => 'ok')
  const { paths } = await documentOf(documented)
  t.strictSame(paths['/me']?.get?.security, [{ bearerAuth: [] }])
  t.strictSame(paths['/logout']?.post?.security, [{ bearerAuth: [] }, {}])
  t.strictSame(paths['/machines']?.get?.security, [{ bearerAuth: [] }, { basicAuth: [] }])
  t.notOk(codesOf(paths['/me']?.get as never)[401]?.includes('INVALID_CREDENTIALS'))
  t.equal(codesOf(paths['/sessions']?.get as never)[429], undefined)
})

t.test('one and the same error, thrown again, offers Basic once', async (t) => {
  const error = new InvalidCredentialsError()
  const app = await build(t, { basic: { authenticate: () => { throw error } } })
  app.get('/', { onRequest: [app.requireUser()] }, async () => 'ok')
  for (let request = 0; request < 3; request++) t.equal((await app.inject({ url: '/', headers: basic('ada', 'x') })).headers['www-authenticate'], BOTH)
})
