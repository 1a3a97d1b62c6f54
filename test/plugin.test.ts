import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { ConfigurationError, securityContext, type AuthPluginOptions, type Guards } from '../index.js'
import { audience, bearer, build, issuer, now, options, refused, secret, server, token } from './build.js'
import { logged } from './log-lines.js'

const factories = ['requireUser', 'optionalUser', 'requireRole', 'requireAllRoles', 'requireGroup', 'requireAllGroups', 'requireScope', 'requireAllScopes'] as const

function environment (t: Test, value: string): void {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = value
  t.teardown(() => { if (before === undefined) delete process.env.NODE_ENV; else process.env.NODE_ENV = before })
}

t.test('the instance, its children and the request get what they should', async (t) => {
  const app = await build(t)
  for (const name of factories) {
    t.type(app[name], 'function')
    t.equal(app[name], app.bouncer.guards[name])
  }
  t.notOk(app.hasDecorator('auth'), 'the name of @fastify/auth is left free')
  t.notOk(app.hasDecorator('jwt'), '@fastify/jwt is not shown')
  t.notOk(app.hasReplyDecorator('jwtSign'))
  await app.register(async (scope) => { t.equal(scope.requireUser, app.requireUser) })
})

t.test('decorate: false leaves the instance alone but for bouncer', async (t) => {
  const app = await build(t, { decorate: false })
  for (const name of factories) t.notOk(app.hasDecorator(name), name)
  const { guards } = app.bouncer
  app.get('/guard', { preHandler: guards.requireRole('admin') }, async () => 'in')
  app.get('/config', { config: { auth: { roles: ['admin'] } } }, async () => 'in')
  for (const url of ['/guard', '/config']) {
    refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
    refused(t, await app.inject({ url, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
    t.equal((await app.inject({ url, headers: bearer({ role: 'admin' }) })).body, 'in')
  }
})

t.test('decorate: false beside an application that has such names itself', async (t) => {
  const app = server(t)
  app.decorate('requireUser', (() => 'mine') as unknown as Guards['requireUser'])
  await app.register(authPlugin, { ...options, decorate: false })
  t.equal(app.requireUser(), 'mine')
  const taken = server(t)
  taken.decorate('requireUser', (() => 'mine') as unknown as Guards['requireUser'])
  await t.rejects(async () => { await taken.register(authPlugin, options) }, { code: 'FST_ERR_DEC_ALREADY_PRESENT' })
})

t.test('userProperty gives the user another name', async (t) => {
  const app = await build(t, { userProperty: 'principal' })
  app.get('/', { preHandler: app.requireUser() }, async (request) => ({ principal: (request as unknown as { principal: { id: string } }).principal.id, user: 'user' in request }))
  t.strictSame((await app.inject({ url: '/', headers: bearer() })).json(), { principal: 'user-1', user: false })
})

t.test('a userProperty that is taken by Fastify or the application is refused', async (t) => {
  const app = server(t)
  app.decorateRequest('account', null)
  await t.rejects(async () => { await app.register(authPlugin, { ...options, userProperty: 'account' }) }, { name: 'ConfigurationError', option: 'userProperty', message: /request\.account is wanted twice/ })
  const later = await build(t, { userProperty: 'account' })
  t.throws(() => later.decorateRequest('account', null), { name: 'ConfigurationError', option: 'userProperty' })
  await later.register(async (scope) => { t.throws(() => scope.decorateRequest('account', null), { name: 'ConfigurationError' }) })
  t.doesNotThrow(() => later.decorateRequest('other', null))
})

t.test('an application that has a request.signedBy of its own is told so, before and after', async (t) => {
  const problem = { name: 'ConfigurationError', option: 'register', message: /request\.signedBy/ }
  const app = server(t)
  app.decorateRequest('signedBy', null)
  await t.rejects(async () => { await app.register(authPlugin, options) }, problem)
  const later = await build(t)
  t.throws(() => later.decorateRequest('signedBy', null), problem)
  await t.rejects(async () => { await server(t).register(authPlugin, { ...options, userProperty: 'signedBy' }) }, { name: 'ConfigurationError', option: 'userProperty' })
})

for (const environmentName of ['development', 'test']) {
  t.test(`enabled: false in ${environmentName} lets everyone through, warns at start, and signs nobody in`, async (t) => {
    environment(t, environmentName)
    const { lines, serverOptions } = logged()
    const app = await build(t, { enabled: false, protect: 'all' }, serverOptions)
    for (const name of ['requireRole', 'requireAllRoles', 'requireGroup', 'requireAllGroups', 'requireScope', 'requireAllScopes'] as const) app.get(`/${name}`, { preHandler: app[name]('admin') }, async (request) => ({ user: request.user }))
    app.get('/requireUser', { onRequest: [app.requireUser(), app.optionalUser()] }, async (request) => ({ user: request.user }))
    app.get('/config', { config: { auth: { roles: ['admin'] } } }, async (request) => ({ user: request.user }))
    app.get('/protect', async (request) => ({ user: request.user }))
    app.get('/inline', async (request, reply) => { await app.requireRole('admin')(request, reply); return { user: request.user } })
    app.get('/authenticate', async (request) => await request.authenticate())
    app.get('/require', async () => securityContext.require())
    app.get('/context-role', async () => securityContext.requireRole('admin'))
    t.match(lines, [{ level: 40, msg: /switched off \(enabled: false\): every guard lets everyone through/ }])
    for (const url of ['/requireRole', '/requireAllRoles', '/requireGroup', '/requireAllGroups', '/requireScope', '/requireAllScopes', '/requireUser', '/config', '/protect', '/inline']) {
      for (const headers of [{}, bearer({ role: 'admin' }), bearer({ exp: 1 }), { authorization: 'rubbish ,' }]) {
        t.strictSame((await app.inject({ url, headers })).json(), { user: null }, url)
      }
    }
    for (const url of ['/authenticate', '/require', '/context-role']) {
      refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
      refused(t, await app.inject({ url, headers: bearer({ role: 'admin' }) }), 401, 'MISSING_TOKEN')
    }
  })
}

t.test('enabled: false needs no issuer, and still refuses what routes cannot mean', async (t) => {
  environment(t, 'test')
  const app = server(t)
  await app.register(authPlugin, { enabled: false })
  t.equal(app.bouncer.jwt, undefined)
  t.throws(() => app.requireRole(...[] as unknown as [string]), ConfigurationError)
  t.throws(() => app.get('/', { config: { auth: { roles: [] } } }, async () => 'in'), ConfigurationError)
  t.throws(() => app.get('/', { config: { auth: false }, preHandler: app.requireUser() }, async () => 'in'), ConfigurationError)
})

t.test('enabled: false in production registers nothing', async (t) => {
  environment(t, 'production')
  const app = server(t)
  await t.rejects(async () => { await app.register(authPlugin, { ...options, enabled: false }) }, { name: 'ConfigurationError', option: 'enabled' })
})

t.test('an application does not start when its options cannot be meant and nobody awaited', async (t) => {
  const app = server(t)
  app.register(authPlugin, { ...options, audience: '' })
  await t.rejects(async () => { await app.listen({ port: 0 }) }, { name: 'ConfigurationError', option: 'audience' })
})

t.test('twice in one scope, and below it, is refused', async (t) => {
  const app = await build(t)
  const wanted = { name: 'ConfigurationError', option: 'register', message: /registered twice.*for several issuers use the option issuers/ }
  await t.rejects(async () => { await app.register(authPlugin, options) }, wanted)
  const other = await build(t)
  await t.rejects(async () => { await other.register(async (scope) => { await scope.register(authPlugin, options) }) }, wanted)
})

t.test('in a child first, and in what contains it afterwards, is refused at start', async (t) => {
  const wanted = { name: 'ConfigurationError', option: 'register', message: /in one scope or in one that contains the other/ }
  const lenient = { ...options, jwt: { secret: 'another secret of at least 32 bytes!' } }
  const root = server(t)
  root.register(async (scope) => {
    await scope.register(authPlugin, lenient)
    scope.get('/', { preHandler: scope.requireUser() }, async () => 'in')
  })
  root.register(authPlugin, options)
  await t.rejects(async () => { await root.ready() }, wanted)

  const awaited = server(t)
  await awaited.register(async (scope) => { await scope.register(authPlugin, lenient) })
  await awaited.register(authPlugin, options)
  await t.rejects(async () => { await awaited.ready() }, wanted)

  const deep = server(t)
  deep.register(async (outer) => {
    outer.register(async (inner) => { await inner.register(authPlugin, lenient) })
    outer.register(authPlugin, { ...options, userProperty: 'principal', decorate: false })
  })
  await t.rejects(async () => { await deep.ready() }, wanted)
})

t.test('several in sibling children, each for its own issuer', async (t) => {
  const app = server(t)
  const others = [{ issuer: 'https://one.example.com', secret: 'the first secret of at least 32 bytes' }, { issuer: 'https://two.example.com', secret: 'the second secret of at least 32 bytes' }]
  for (const [index, other] of others.entries()) {
    await app.register(async (scope) => {
      await scope.register(authPlugin, { issuer: other.issuer, audience: `api-${index}`, jwt: { secret: other.secret }, protect: 'all' })
      scope.get('/', async () => securityContext.require().id)
      scope.get('/mint', { config: { auth: false } }, async () => scope.bouncer.jwt?.sign({ sub: `user-${index}` }))
    }, { prefix: `/${index}` })
  }
  app.get('/open', async () => 'open')
  const tokens = await Promise.all([0, 1].map(async (index) => (await app.inject(`/${index}/mint`)).body))
  for (const child of [0, 1]) {
    refused(t, await app.inject(`/${child}`), 401, 'MISSING_TOKEN')
    for (const [minted, text] of tokens.entries()) {
      const response = await app.inject({ url: `/${child}`, headers: { authorization: `Bearer ${text}` } })
      if (child === minted) t.equal(response.body, `user-${child}`)
      else refused(t, response, 401, 'TOKEN_INVALID')
    }
  }
  t.equal((await app.inject('/open')).body, 'open')
})

t.test('in a child, nothing outside of it is touched', async (t) => {
  const app = server(t)
  await app.register(async (scope) => {
    await scope.register(authPlugin, { ...options, protect: 'all' })
    scope.get('/in', async () => 'in')
  })
  app.get('/out', async (request) => ({ user: 'user' in request, authenticate: 'authenticate' in request }))
  app.get('/fault', async () => { throw new ConfigurationError() })
  t.strictSame((await app.inject('/out')).json(), { user: false, authenticate: false })
  t.equal((await app.inject('/fault')).json().code, 'CONFIGURATION_ERROR', 'as Fastify answers')
  refused(t, await app.inject('/in'), 401, 'MISSING_TOKEN')
  t.notOk(app.hasDecorator('bouncer'))
})

t.test('plugins of the application can depend on it', async (t) => {
  const app = server(t)
  await app.register(authPlugin, options)
  await app.register(fp(async (instance: FastifyInstance) => { instance.get('/', { preHandler: instance.requireUser() }, async () => 'in') }, { name: 'mine', dependencies: ['fastify-bouncer'], decorators: { fastify: ['bouncer', 'requireUser'], request: ['user', 'authenticate'] } }))
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
})

t.test('options from a function, as Fastify allows', async (t) => {
  const app = server(t)
  await app.register(authPlugin, () => options)
  app.get('/', { preHandler: app.requireUser() }, async () => 'in')
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'in')
})

t.test('several issuers in one application', async (t) => {
  const second = { issuer: 'https://second.example.com', audience: 'second-api', jwt: { secret: 'another secret of at least 32 bytes!' }, roles: () => ['from-second'] }
  const app = server(t)
  await app.register(authPlugin, { issuers: [{ issuer, audience, jwt: { secret } }, second] } satisfies AuthPluginOptions)
  app.get('/', { preHandler: app.requireUser() }, async (request) => request.user?.roles)
  t.strictSame((await app.inject({ url: '/', headers: bearer({ role: 'admin' }) })).json(), ['admin'])
  refused(t, await app.inject({ url: '/', headers: bearer({ iss: second.issuer, aud: second.audience }) }), 401, 'TOKEN_INVALID')
  refused(t, await app.inject({ url: '/', headers: bearer({ iss: 'https://third.example.com' }) }), 401, 'TOKEN_INVALID')
  refused(t, await app.inject({ url: '/', headers: bearer({ iss: undefined }) }), 401, 'TOKEN_INVALID')
  refused(t, await app.inject({ url: '/', headers: bearer({ iss: ['https://second.example.com'] }) }), 401, 'TOKEN_INVALID')
})

t.test('roles come from the resolver, which sees the claims; anything but a list of names is no roles', async (t) => {
  for (const [found, passes] of [[['admin'], true], [['admin', 'admin', ''], true], ['admin', false], [undefined, false], [null, false], [{}, false], [[['admin']], false], [new Set(['admin']), false], [true, false], [[], false]] as const) {
    for (const asynchronous of [false, true]) {
      const seen: unknown[] = []
      const app = await build(t, {
        roles: ((claims: { sub: string }) => {
          seen.push(claims.sub)
          return asynchronous ? Promise.resolve(found) : found
        }) as never
      })
      app.get('/', { preHandler: app.requireRole('admin') }, async () => 'in')
      // The claim would be enough by itself: it must not count beside a resolver.
      const response = await app.inject({ url: '/', headers: bearer({ roles: ['admin'] }) })
      if (passes) t.equal(response.body, 'in')
      else refused(t, response, 403, 'INSUFFICIENT_ROLES')
      t.strictSame(seen, ['user-1'])
    }
  }
})

t.test('a shared cache of verified tokens does not share what requests make of their users', async (t) => {
  for (const cache of [true, 10]) {
    const users = new Set<unknown>()
    const app = await build(t, { jwt: { secret, cache } })
    app.get('/', { preHandler: app.requireUser() }, async (request) => {
      users.add(request.user)
      const before = (request as { mark?: string }).mark
      ;(request as { mark?: string }).mark = 'seen'
      return { before, frozen: Object.isFrozen(request.user) && Object.isFrozen(request.user?.claims) }
    })
    const headers = { authorization: `Bearer ${token({ exp: now() + 60 })}` }
    for (let call = 0; call < 2; call++) t.strictSame((await app.inject({ url: '/', headers })).json(), { frozen: true })
    t.equal(users.size, 1, 'frozen, and so shared')
  }
})
