import Fastify, { type FastifyInstance } from 'fastify'
import { test } from 'tap'
import authPlugin, { AuthUnavailableError, MissingTokenError, TokenExpiredError, TokenInvalidError, type User } from '../../index.js'
import { bearer, build, claims, now, options, refused, secret, token } from '../build.js'
import { guard, guarded, refusedAs } from '../guarded.js'
import { jwkOf, newKey, signed } from '../keys.js'
import { keyServer } from '../key-server.js'

const ada = { name: 'Ada', roles: ['admin', 'user'], groups: ['g'], scope: 'read write', email: 'ada@example.com' }

test('request.authenticate() is a promise of the user, and request.user is null until then', async (t) => {
  const app = await build(t)
  app.get('/', async (request) => {
    const before = request.user
    const promise = request.authenticate()
    t.ok(promise instanceof Promise)
    const user = await promise
    t.equal(request.user, user)
    return { before, user }
  })
  const { before, user } = (await app.inject({ url: '/', headers: bearer(ada) })).json()
  t.equal(before, null)
  t.match(user, { id: 'user-1', roles: ['admin', 'user'], groups: ['g'], scopes: ['read', 'write'], email: 'ada@example.com', method: 'bearer', claims: { sub: 'user-1', name: 'Ada' } })
  t.strictSame(Object.keys(user).sort(), ['claims', 'email', 'groups', 'id', 'method', 'roles', 'scopes'])
})

test('request.authenticate() rejects with one of our classes, and what a handler does with it is its own affair', async (t) => {
  const app = await build(t)
  app.get('/', async (request) => {
    try {
      return await request.authenticate()
    } catch (error) {
      t.equal(request.user, null)
      return { name: (error as Error).name, ours: error instanceof MissingTokenError || error instanceof TokenInvalidError || error instanceof TokenExpiredError }
    }
  })
  const named = async (authorization?: string): Promise<unknown> => (await app.inject({ url: '/', headers: { ...(authorization !== undefined && { authorization }) } })).json()
  t.strictSame(await named(), { name: 'MissingTokenError', ours: true })
  t.strictSame(await named('Bearer x.y.z'), { name: 'TokenInvalidError', ours: true })
  t.strictSame(await named(`Bearer ${token({ exp: 1 })}`), { name: 'TokenExpiredError', ours: true })
})

test('request.authenticate() that a handler lets through is answered like a guard would', async (t) => {
  const app = await build(t)
  app.get('/', async (request) => await request.authenticate())
  refusedAs(t, await app.inject({ url: '/' }), 'missing')
  refusedAs(t, await app.inject({ url: '/', headers: bearer({ aud: 'other' }) }), 'audience')
  refusedAs(t, await app.inject({ url: '/', headers: { authorization: 'Bearer a b' } }), 'header')
})

test('nobody is signed in on a route that does not ask, whatever token comes', async (t) => {
  const app = await build(t)
  app.get('/', async (request) => ({ user: request.user }))
  for (const headers of [bearer(), { authorization: 'Bearer rubbish' }, { authorization: '' }]) {
    const response = await app.inject({ url: '/', headers })
    t.equal(response.statusCode, 200)
    t.strictSame(response.json(), { user: null })
  }
})

test('a request is authenticated once: a header that changes on the way changes nothing', async (t) => {
  const app = await build(t)
  app.get('/', {
    onRequest: [app.requireUser()],
    preHandler: [async (request) => { request.headers.authorization = `Bearer ${token({ sub: 'root', roles: ['admin'] })}` }, app.requireUser()]
  }, async (request) => [request.user?.id, (await request.authenticate()).id, request.user?.roles])
  t.strictSame((await app.inject({ url: '/', headers: bearer() })).json(), ['user-1', 'user-1', []])
})

test('a refusal is final for its request', async (t) => {
  const app = await build(t)
  app.get('/', async (request) => {
    const first = await request.authenticate().catch((error: unknown) => error)
    request.headers.authorization = `Bearer ${token()}`
    const second = await request.authenticate().catch((error: unknown) => error)
    return { same: first === second, name: (second as Error).name, user: request.user }
  })
  t.strictSame((await app.inject({ url: '/', headers: bearer({ exp: 1 }) })).json(), { same: true, name: 'TokenExpiredError', user: null })
})

test('what an application writes to request.user admits nobody', async (t) => {
  const app = await build(t)
  app.addHook('onRequest', async (request) => { request.user = { id: 'root', roles: ['admin'] } as unknown as User })
  let ran = false
  app.get('/', { preHandler: [app.requireRole('admin')] }, async () => { ran = true })
  refusedAs(t, await app.inject({ url: '/' }), 'missing')
  refused(t, await app.inject({ url: '/', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.notOk(ran)
})

test('parallel calls for one request share one fetch, one resolver call and one user', async (t) => {
  const key = newKey('P-256')
  const server = await keyServer(t, { keys: [jwkOf(key, { kid: 'a' })] })
  let resolved = 0
  const app = await build(t, { jwt: { jwksUrl: server.url }, roles: async () => { resolved++; return ['r'] } })
  app.get('/', async (request) => {
    const users = await Promise.all([request.authenticate(), request.authenticate(), request.authenticate()])
    return new Set([...users, await request.authenticate(), request.user]).size
  })
  const response = await app.inject({ url: '/', headers: { authorization: `Bearer ${signed({ alg: 'ES256', kid: 'a' }, claims(), key.privateKey)}` } })
  t.equal(response.payload, '1')
  t.strictSame([server.requests, resolved], [1, 1])
})

test('parallel calls for one request share one refusal', async (t) => {
  const server = await keyServer(t, {}, { listening: false })
  const app = await build(t, { jwt: { jwksUrl: server.url } })
  const key = newKey('P-256')
  app.get('/', async (request) => {
    const errors = await Promise.all([1, 2, 3].map(async () => await request.authenticate().catch((error: unknown) => error)))
    errors.push(await request.authenticate().catch((error: unknown) => error))
    return { distinct: new Set(errors).size, unavailable: errors[0] instanceof AuthUnavailableError, user: request.user }
  })
  const response = await app.inject({ url: '/', headers: { authorization: `Bearer ${signed({ alg: 'ES256', kid: 'a' }, claims(), key.privateKey)}` } })
  t.strictSame(response.json(), { distinct: 1, unavailable: true, user: null })
})

test('userProperty: another name, and request.user is not ours then', async (t) => {
  const app = await build(t, { userProperty: 'principal' })
  app.get('/', { preHandler: [app.requireUser()] }, async (request) => [(request as unknown as { principal: User }).principal.id, 'user' in request])
  t.strictSame((await app.inject({ url: '/', headers: bearer() })).json(), ['user-1', false])
})

test('a child that was there before the plugin: authentication works, and refuses', async (t) => {
  const app = Fastify() as unknown as FastifyInstance
  t.teardown(async () => { await app.close() })
  app.register(async (child) => {
    child.get('/early', { onRequest: async (request) => { await request.authenticate() } }, async (request) => request.user?.id)
  })
  app.register(authPlugin, options)
  const response = await app.inject({ url: '/early', headers: bearer() })
  t.strictSame([response.statusCode, response.payload], [200, 'user-1'])
  t.equal((await app.inject({ url: '/early' })).statusCode, 401)
  t.equal((await app.inject({ url: '/early', headers: bearer({ exp: 1 }) })).statusCode, 401)
})

test('switched off: nobody is signed in, and request.authenticate() says so', async (t) => {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'test'
  t.teardown(() => { process.env.NODE_ENV = before })
  const app = await build(t, { enabled: false })
  app.get('/open', { preHandler: [app.requireRole('admin')] }, async (request) => ({ user: request.user }))
  app.get('/asks', async (request) => await request.authenticate())
  t.strictSame((await app.inject({ url: '/open', headers: bearer() })).json(), { user: null })
  refusedAs(t, await app.inject({ url: '/asks', headers: bearer() }), 'missing')
})

test('concurrent requests keep their users apart', async (t) => {
  const { app } = await guarded(t, { roles: async (all) => { await new Promise((resolve) => setImmediate(resolve)); return [`role of ${String(all.sub)}`] } })
  app.get('/me', { preHandler: [app.requireUser()] }, async (request) => [request.user?.id, request.user?.roles])
  const ids = Array.from({ length: 100 }, (_, index) => `user-${index}`)
  const answers = await Promise.all(ids.map(async (sub) => await app.inject({ url: '/me', headers: bearer({ sub }) })))
  t.strictSame(answers.map((answer) => answer.json()), ids.map((id) => [id, [`role of ${id}`]]))
})

test('requests on one kept-alive connection have nothing of each other', async (t) => {
  const app = await build(t)
  guard(app)
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const ask = async (headers: Record<string, string>): Promise<unknown> => {
    const response = await fetch(address, { headers })
    return [response.status, (await response.json() as { id?: string }).id]
  }
  t.strictSame(await ask(bearer()), [200, 'user-1'])
  t.strictSame(await ask({}), [401, undefined])
  t.strictSame(await ask(bearer({ sub: 'user-2' })), [200, 'user-2'])
  t.strictSame(await ask(bearer({ exp: now() - 1 })), [401, undefined])
})

test('a refused token is logged without the token', async (t) => {
  const lines: string[] = []
  const { ask } = await guarded(t, { jwt: { secret } }, { logger: { level: 'trace', stream: { write: (line: string) => { lines.push(line) } } } })
  const text = token({ exp: 1, sub: 'a name that only the token holds' })
  await ask(text)
  await ask('rubbish.rubbish.rubbish')
  const log = lines.join('')
  t.match(log, 'TokenExpiredError')
  t.notOk(log.includes(text) || log.includes(text.split('.')[1] as string) || log.includes('a name that only') || log.includes('rubbish') || log.includes(secret))
})
