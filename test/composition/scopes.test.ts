import { STATUS_CODES } from 'node:http'
import Fastify, { type RouteOptions } from 'fastify'
import t from 'tap'
import authPlugin, { ConfigurationError, validateOptions } from '../../index.js'
import { bearer, build, options, refused, server } from '../build.js'

t.test('attack: a route beside the scope that the plugin is registered in (registered without fastify-plugin)', async (t) => {
  const app = server(t)
  let ran = 0
  app.register(async (scope) => {
    await scope.register(authPlugin, { ...options, protect: 'all' })
    scope.get('/inside', async () => 'in')
  })
  app.register(async (scope) => {
    scope.get('/admin', { config: { auth: { roles: ['admin'] } } }, async () => { ran++; return 'secret' })
    scope.get('/theirs', { config: { auth: 'a plugin of theirs' as never } }, async () => 'theirs')
    scope.get('/also-theirs', { config: { auth: { strategy: 'jwt' } as never } }, async () => 'theirs')
    scope.get('/open', { config: { auth: false } }, async () => 'open')
    scope.get('/plain', async () => 'plain')
  })
  app.get('/root', { config: { auth: true } }, async () => { ran++; return 'secret' })
  for (const url of ['/admin', '/root']) refused(t, await app.inject({ url, headers: bearer({ roles: ['admin'] }) }), 500, 'CONFIGURATION_ERROR')
  t.equal(ran, 0)
  refused(t, await app.inject('/inside'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/inside', headers: bearer() })).body, 'in')
  for (const [url, body] of [['/theirs', 'theirs'], ['/also-theirs', 'theirs'], ['/open', 'open'], ['/plain', 'plain']] as const) {
    t.equal((await app.inject(url)).body, body)
  }
  t.equal((await app.inject('/nowhere')).statusCode, 404)
})

t.test('attack: the same, the plugin being registered several scopes down', async (t) => {
  const app = server(t)
  app.register(async (outer) => {
    outer.register(async (inner) => {
      await inner.register(authPlugin, options)
      inner.get('/inside', { config: { auth: true } }, async () => 'in')
    })
    outer.get('/between', { config: { auth: true } }, async () => 'secret')
  })
  app.register(async (scope) => { scope.get('/beside', { config: { auth: true } }, async () => 'secret') })
  app.get('/root', { config: { auth: true } }, async () => 'secret')
  for (const url of ['/between', '/beside', '/root']) refused(t, await app.inject({ url, headers: bearer() }), 500, 'CONFIGURATION_ERROR')
  t.equal((await app.inject({ url: '/inside', headers: bearer() })).body, 'in')
})

t.test('attack: a guard under a key that Fastify ignores', async (t) => {
  const app = await build(t)
  const handler = async (): Promise<string> => 'in'
  const declare = (extra: object) => () => { app.route({ method: 'GET', url: '/', handler, ...extra } as RouteOptions) }
  for (const extra of [
    { prehandler: app.requireUser() },
    { preHandlers: [app.requireRole('admin')] },
    { guard: app.requireUser() },
    { onrequest: app.requireScope('a') },
    { auth: true },
    { auth: { roles: ['admin'] } }
  ]) t.throws(declare(extra), { name: 'ConfigurationError', option: Object.keys(extra)[0] })
  t.doesNotThrow(declare({ auth: 'an option of another plugin', tags: [() => 1] }))
})

t.test('a refusal that nobody awaits does not end the process', async (t) => {
  const app = await build(t)
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => { unhandled.push(reason) }
  process.on('unhandledRejection', note)
  t.teardown(() => { process.off('unhandledRejection', note) })
  app.get('/', async (request, reply) => {
    const forgotten = [app.requireRole('admin')(request, reply), request.authenticate()]
    t.equal(forgotten.length, 2)
    await new Promise((resolve) => { setImmediate(resolve) })
    return 'answered'
  })
  t.equal((await app.inject('/')).body, 'answered')
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(unhandled, [])
})

t.test("with errorHandler 'all' a status that the reply has already is kept", async (t) => {
  const plain = Fastify()
  const app = await build(t, { errorHandler: 'all' })
  for (const one of [plain, app]) {
    one.get('/code', async (_request, reply) => { reply.code(422); throw new Error('c4n4ry') })
    one.get('/text', async () => { throw Object.assign(new Error('c4n4ry'), { statusCode: '418' }) })
    one.get('/ok', async (_request, reply) => { reply.code(201); throw new Error('c4n4ry') })
  }
  for (const url of ['/code', '/text', '/ok']) {
    const [theirs, ours] = [await plain.inject(url), await app.inject(url)]
    t.equal(ours.statusCode, theirs.statusCode)
    t.equal(ours.json().status_code, theirs.statusCode)
    t.equal(ours.json().detail, theirs.statusCode === 500 ? 'Internal server error' : STATUS_CODES[theirs.statusCode])
    t.notMatch(ours.body, /c4n4ry/)
  }
})

t.test('numbers in the wrong unit are refused', async (t) => {
  for (const jwt of [{ clockTolerance: 5000 }, { cache: 1e9 }]) {
    t.throws(() => { validateOptions({ ...options, jwt: { ...options.jwt, ...jwt } }) }, ConfigurationError)
  }
  for (const jwt of [{ jwksTimeout: 5000 }, { jwksMaxAge: 600_000 }, { jwksCooldown: 300_000 }, { jwksStaleFor: 3_600_000 }]) {
    await t.rejects(async () => { await build(t, { jwt: { jwksUrl: 'https://auth.example.com/jwks', ...jwt } }) }, { name: 'ConfigurationError', option: `jwt.${Object.keys(jwt)[0] ?? ''}` })
  }
})
