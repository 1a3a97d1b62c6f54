import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import authPlugin, { type AuthPluginOptions, type RouteAuth } from '../../index.js'
import { bearer, build, options, refused, server } from '../build.js'
import { logged } from '../log-lines.js'
import { codesOf, operationOf, USER_CODES } from '../openapi/document.js'

t.test('protect all asks for a user on every route that does not say otherwise', async (t) => {
  const app = await build(t, { protect: 'all' })
  app.get('/silent', async () => 'in')
  app.get('/open', { config: { auth: false } }, async () => 'in')
  app.get('/optional', { config: { auth: { optional: true } } }, async () => 'in')
  app.get('/roles', { config: { auth: { roles: ['admin'] } } }, async () => 'in')
  app.get('/guard', { preHandler: app.requireRole('admin') }, async () => 'in')
  app.get('/optional-guard', { preHandler: app.optionalUser() }, async () => 'in')
  app.get('/other-config', { config: { rateLimit: 1 } as object }, async () => 'in')
  await app.register(async (scope) => {
    scope.get('/silent', async () => 'in')
    await scope.register(async (nested) => { nested.get('/nested', async () => 'in') })
  }, { prefix: '/child' })

  for (const url of ['/silent', '/roles', '/guard', '/optional-guard', '/other-config', '/child/silent', '/child/nested']) {
    refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
    t.equal((await app.inject({ method: 'HEAD', url })).statusCode, 401)
    t.equal((await app.inject({ url, headers: bearer({ role: 'admin' }) })).body, 'in')
  }
  for (const url of ['/open', '/optional']) t.equal((await app.inject(url)).body, 'in')
  for (const url of ['/roles', '/guard']) refused(t, await app.inject({ url, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
})

t.test('protect all leaves unknown addresses alone', async (t) => {
  const app = await build(t, { protect: 'all' })
  app.get('/known', async () => 'in')
  const unknown = await app.inject('/unknown')
  t.equal(unknown.statusCode, 404)
  t.equal(unknown.json().message, 'Route GET:/unknown not found')
  t.equal((await app.inject({ method: 'POST', url: '/known' })).statusCode, 404)
  t.equal((await app.inject({ url: '/unknown', headers: { authorization: 'Bearer x' } })).statusCode, 404)
})

t.test('a function picks the routes that are protected', async (t) => {
  const asked: string[] = []
  const app = await build(t, { protect: (route) => { asked.push(`${String(route.method)} ${route.url}`); return route.url.startsWith('/admin') } })
  app.get('/admin/list', { exposeHeadRoute: false }, async () => 'in')
  app.get('/public', { exposeHeadRoute: false }, async () => 'in')
  app.get('/admin/login', { config: { auth: false }, exposeHeadRoute: false }, async () => 'in')
  app.get('/public/mine', { config: { auth: true }, exposeHeadRoute: false }, async () => 'in')
  t.strictSame(asked, ['GET /admin/list', 'GET /public'], 'asked once for each route that does not speak for itself')
  refused(t, await app.inject('/admin/list'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject('/public')).body, 'in')
  t.equal((await app.inject('/admin/login')).body, 'in')
  refused(t, await app.inject('/public/mine'), 401, 'MISSING_TOKEN')
})

t.test('a function that does not answer true or false, at once, is refused when the route is declared', async (t) => {
  for (const answer of [undefined, null, 0, 1, '', 'yes', {}, Promise.resolve(false)]) {
    const app = await build(t, { protect: (() => answer) as unknown as () => boolean })
    t.throws(() => app.get('/', async () => 'in'), { name: 'ConfigurationError', option: 'protect', message: /must answer true or false, at once/ })
    t.equal((await app.inject('/')).statusCode, 404)
  }
})

t.test('a function that throws keeps the route from being declared', async (t) => {
  const app = await build(t, { protect: () => { throw new Error('no answer') } })
  t.throws(() => app.get('/', async () => 'in'), { message: 'no answer' })
  t.equal((await app.inject('/')).statusCode, 404)
})

/** Every way in which a route can ask for a user without naming a guard. */
const asking: Array<{ name: string, plugin: AuthPluginOptions, route: Partial<RouteOptions> }> = [
  { name: 'config.auth', plugin: {}, route: { config: { auth: { roles: ['admin'] } } } },
  { name: 'protect all', plugin: { protect: 'all' }, route: {} },
  { name: 'protect as a function', plugin: { protect: () => true }, route: {} },
  { name: 'config.auth in preHandler', plugin: { hook: 'preHandler' }, route: { config: { auth: { roles: ['admin'] } } } },
  { name: 'protect all in preHandler', plugin: { hook: 'preHandler', protect: 'all' }, route: {} }
]

for (const { name, plugin, route } of asking) {
  for (const errorHandler of ['auth', 'all', false] as const) {
    t.test(`a route that was declared too early is shut, whoever calls: ${name}, errorHandler ${errorHandler}`, async (t) => {
      const orders: Record<string, () => ReturnType<typeof server>> = {
        'before an awaited plugin' () {
          const app = server(t)
          app.get('/', route, handler)
          app.register(authPlugin, { ...options, ...plugin, errorHandler })
          return app
        },
        'in a child that was registered before' () {
          const app = server(t)
          app.register(async (scope) => { scope.get('/', route, handler) })
          app.register(authPlugin, { ...options, ...plugin, errorHandler })
          return app
        },
        'in a child of a child that was registered before' () {
          const app = server(t)
          app.register(async (scope) => { await scope.register(async (nested) => { nested.get('/', route, handler) }) })
          app.register(authPlugin, { ...options, ...plugin, errorHandler })
          return app
        },
        'after a plugin that was not awaited' () {
          const app = server(t)
          app.register(authPlugin, { ...options, ...plugin, errorHandler })
          app.get('/', route, handler)
          return app
        }
      }
      let ran = 0
      async function handler (): Promise<string> { ran++; return 'in' }
      for (const [order, make] of Object.entries(orders)) {
        const app = make()
        for (const headers of [{}, bearer(), bearer({ roles: ['admin'] }), { authorization: 'Bearer a b' }]) {
          const response = await app.inject({ url: '/', headers })
          t.equal(response.statusCode, 500, order)
          if (errorHandler !== false) t.strictSame(response.json(), { status_code: 500, detail: 'Authentication is not configured correctly.', extra: { code: 'CONFIGURATION_ERROR' } })
        }
        t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 500)
      }
      t.equal(ran, 0, 'the handler never ran')
    })
  }
}

t.test('the log says which route was declared too early, and what to do', async (t) => {
  const { lines, serverOptions } = logged()
  const app = Fastify(serverOptions)
  t.teardown(async () => { await app.close() })
  app.get('/early', { config: { auth: true } }, async () => 'in')
  await app.register(authPlugin, options)
  await app.inject('/early')
  const line = lines.find(({ msg }) => msg.startsWith('GET /early asks for a user'))
  t.match(line, { level: 50, msg: 'GET /early asks for a user and was declared before fastify-bouncer had loaded. Write await app.register(authPlugin, ...), and declare routes after it.' })
})

t.test('early routes that ask for nothing work as before', async (t) => {
  const app = server(t)
  app.get('/open', async () => 'in')
  app.get('/said', { config: { auth: false } }, async () => 'in')
  app.register(async (scope) => { scope.get('/child', async (request) => ({ user: request.user })) })
  await app.register(authPlugin, options)
  t.equal((await app.inject('/open')).body, 'in')
  t.equal((await app.inject('/said')).body, 'in')
  t.equal((await app.inject('/child')).statusCode, 200)
})

t.test('routes of a child that is loaded after a plugin that was not awaited are guarded', async (t) => {
  const app = server(t)
  app.register(authPlugin, options)
  app.register(async (scope) => {
    scope.get('/config', { config: { auth: true } }, async () => 'in')
    scope.get('/guard', { preHandler: scope.requireUser() }, async () => 'in')
  })
  for (const url of ['/config', '/guard']) {
    refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
    t.equal((await app.inject({ url, headers: bearer() })).body, 'in')
  }
})

t.test('a guard asked for before the plugin has loaded is a TypeError, not an open route', async (t) => {
  const app = server(t)
  app.register(authPlugin, options)
  t.throws(() => app.get('/', { preHandler: app.requireUser() }, async () => 'in'), TypeError)
  t.equal((await app.inject('/')).statusCode, 404)
})

t.test('the scope of a child that was created before the plugin is guarded by hooks it adds later', async (t) => {
  const app = server(t)
  app.register(async (scope) => {
    scope.get('/', async () => 'in')
    app.after(() => { scope.addHook('onRequest', (request, reply, done) => { app.requireUser()(request, reply, done) }) })
  })
  app.register(authPlugin, options)
  t.equal((await app.inject('/')).statusCode, 401)
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'in')
})

type Vandal = (route: RouteOptions) => void
const vandals: Record<string, Vandal> = {
  'replaces onRequest': (route) => { route.onRequest = async () => {} },
  'replaces onRequest by a list': (route) => { route.onRequest = [] },
  'removes onRequest': (route) => { delete route.onRequest },
  'replaces preHandler': (route) => { route.preHandler = async () => {} },
  'empties the list of onRequest': (route) => { if (Array.isArray(route.onRequest)) route.onRequest.length = 0 },
  'empties the list of preHandler': (route) => { if (Array.isArray(route.preHandler)) route.preHandler.length = 0 },
  'replaces all hooks': (route) => { for (const stage of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) route[stage] = undefined },
  'adds to config': (route) => { route.config = { ...route.config, rateLimit: 1 } as object },
  'clones config': (route) => { route.config = JSON.parse(JSON.stringify(route.config)) },
  'replaces config': (route) => { route.config = {} },
  'removes config': (route) => { delete route.config },
  'replaces the error handler': (route) => { route.errorHandler = (_error, _request, reply) => { reply.code(418).send('teapot') } },
  'wraps the hooks': (route) => {
    for (const stage of ['onRequest', 'preHandler'] as const) {
      const hooks = [route[stage] ?? []].flat() as Array<(...args: unknown[]) => unknown>
      route[stage] = hooks.map((hook) => function (this: unknown, request: unknown, reply: unknown, done: unknown) { return hook.call(this, request, reply, done) }) as never
    }
  }
}

const guardedBy: Array<{ name: string, plugin: AuthPluginOptions, route: (app: ReturnType<typeof server>) => Partial<RouteOptions> }> = [
  ...asking.map(({ name, plugin, route }) => ({ name, plugin, route: () => route })),
  { name: 'a guard in onRequest', plugin: {}, route: (app) => ({ onRequest: app.requireUser() }) },
  { name: 'guards in a list of preHandler', plugin: {}, route: (app) => ({ preHandler: [app.requireUser(), app.optionalUser()] }) }
]

for (const { name, plugin, route } of guardedBy) {
  t.test(`an onRoute hook of another plugin opens no route: ${name}`, async (t) => {
    for (const [what, vandal] of Object.entries(vandals)) {
      let ran = 0
      const app = await build(t, plugin)
      app.addHook('onRoute', vandal)
      app.get('/', route(app), async () => { ran++; return 'in' })
      const ready = await app.ready().then(() => undefined, (error: unknown) => error)
      if (ready !== undefined) {
        t.match(ready, { name: 'ConfigurationError', option: 'config', message: /GET \// }, `${what}: refused at start`)
        continue
      }
      const { statusCode } = await app.inject('/')
      t.notOk(statusCode < 400, `${what}: a stranger gets ${statusCode}`)
      t.equal((await app.inject({ url: '/', headers: { authorization: 'Bearer x.y.z' } })).statusCode >= 400, true, `${what}: a bad token is refused`)
      t.equal(ran, 0, 'the handler did not run')
    }
  })
}

t.test('where another plugin replaces onRequest, callers who may pass still do', async (t) => {
  const app = await build(t)
  app.addHook('onRoute', (route) => { route.onRequest = async () => {}; route.preHandler = undefined })
  app.get('/config', { config: { auth: { roles: ['admin'] } } }, async () => 'in')
  app.get('/guard', { preHandler: app.requireRole('admin') }, async () => 'in')
  for (const url of ['/config', '/guard']) {
    refused(t, await app.inject({ url, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
    t.equal((await app.inject({ url, headers: bearer({ role: 'admin' }) })).body, 'in')
  }
})

t.test('an onRoute hook that came before this plugin sees and may change what the route asks', async (t) => {
  const app = server(t)
  app.addHook('onRoute', (route) => { if (route.url.startsWith('/admin')) route.config = { ...route.config, auth: { roles: ['admin'] } } })
  await app.register(authPlugin, options)
  app.get('/admin', async () => 'in')
  refused(t, await app.inject('/admin'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ url: '/admin', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
})

t.test('hook: preHandler checks after the body is read and validated', async (t) => {
  const app = await build(t, { hook: 'preHandler', protect: 'all' })
  const schema = { body: { type: 'object', required: ['name'] } }
  app.post('/', { schema }, async () => 'in')
  app.post('/roles', { schema, config: { auth: { roles: ['admin'] } } }, async () => 'in')
  t.equal((await app.inject({ method: 'POST', url: '/', payload: {} })).statusCode, 400)
  refused(t, await app.inject({ method: 'POST', url: '/', payload: { name: 'x' } }), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ method: 'POST', url: '/roles', payload: { name: 'x' }, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
})

t.test('config.auth is checked before the hooks of the route itself', async (t) => {
  for (const hook of ['onRequest', 'preHandler'] as const) {
    const app = await build(t, { hook })
    let ran = 0
    app.get('/', { config: { auth: true }, [hook]: async () => { ran++ } }, async () => 'in')
    refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
    t.equal(ran, 0)
    await app.inject({ url: '/', headers: bearer() })
    t.equal(ran, 1)
  }
})

t.test('objects that the application shares between routes are not changed', async (t) => {
  const app = await build(t, { protect: 'all' })
  const config = { auth: { roles: ['admin'] } }
  const schema = { response: { 200: { type: 'string' } } }
  const own = async () => {}
  const onRequest = [own]
  const preHandler = [app.requireRole('admin')]
  const route = { config, onRequest, preHandler }
  const before = { config: structuredClone(config), onRequest: [...onRequest], preHandler: [...preHandler], symbols: Object.getOwnPropertySymbols(config) }
  app.get('/1', { ...route, schema }, async () => 'in')
  app.get('/2', { ...route, schema }, async () => 'in')
  app.route({ ...route, method: ['POST', 'PUT'], url: '/3', handler: async () => 'in' })
  await app.ready()
  t.strictSame(config, before.config)
  t.strictSame(Object.getOwnPropertySymbols(config), before.symbols)
  t.strictSame(Object.getOwnPropertySymbols(config.auth), [])
  t.strictSame(onRequest, before.onRequest)
  t.strictSame(preHandler, before.preHandler)
  t.strictSame(Object.keys(schema), ['response'])
  refused(t, await app.inject('/2'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/2', headers: bearer({ role: 'admin' }) })).body, 'in')
})

t.test('frozen options of a route work', async (t) => {
  const app = await build(t)
  const route = Object.freeze({
    config: Object.freeze({ auth: Object.freeze({ roles: Object.freeze(['admin']) }) }),
    onRequest: Object.freeze([app.requireUser()]) as never,
    preHandler: Object.freeze([app.requireScope('read')]) as never
  })
  app.get('/', route, async () => 'in')
  app.route(Object.freeze({ ...route, method: 'POST' as const, url: '/', handler: async () => 'in' }))
  for (const method of ['GET', 'POST'] as const) {
    refused(t, await app.inject({ method, url: '/' }), 401, 'MISSING_TOKEN')
    refused(t, await app.inject({ method, url: '/', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
    t.equal((await app.inject({ method, url: '/', headers: bearer({ role: 'admin', scope: 'read' }) })).body, 'in')
  }
})

t.test('a change to the configuration after the route was declared changes nothing', async (t) => {
  const app = await build(t)
  const config: { auth: false | { roles: string[] } } = { auth: { roles: ['admin'] } }
  app.get('/', { config }, async () => 'in')
  const { auth } = config
  if (auth !== false) auth.roles.push('editor')
  config.auth = false
  refused(t, await app.inject({ url: '/', headers: bearer({ role: 'editor' }) }), 403, 'INSUFFICIENT_ROLES')
})

t.test('routes with constraints and parameters are guarded one by one', async (t) => {
  const app = await build(t)
  app.get('/:id', { config: { auth: true } }, async () => 'one')
  app.get('/open', async () => 'open')
  app.get('/v', { constraints: { version: '1.0.0' } }, async () => 'old')
  app.get('/v', { constraints: { version: '2.0.0' }, config: { auth: true } }, async () => 'new')
  refused(t, await app.inject('/1'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject('/op%65n%2f'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject('/open')).body, 'open')
  t.equal((await app.inject({ url: '/v', headers: { 'accept-version': '1.0.0' } })).body, 'old')
  refused(t, await app.inject({ url: '/v', headers: { 'accept-version': '2.0.0' } }), 401, 'MISSING_TOKEN')
})

t.test('wildcard routes and methods that an application adds are guarded', async (t) => {
  const app = await build(t, { protect: 'all' })
  app.addHttpMethod('PROPFIND')
  app.all('/any/*', async () => 'in')
  app.route({ method: 'PROPFIND', url: '/dav', handler: async () => 'in' })
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
    t.equal((await app.inject({ method, url: '/any/x' })).statusCode, 401, method)
  }
  t.equal((await app.inject({ method: 'PROPFIND' as 'GET', url: '/dav' })).statusCode, 401)
})

/** What a hook of another plugin makes of `config.auth`, whoever may pass then, and who may not. */
const lateChanges: Array<{ name: string, plugin?: AuthPluginOptions, before?: RouteAuth, after: RouteAuth, forbidden: string[], admitted: string[], codes: Record<string, string[]> }> = [
  { name: 'is added', after: { roles: ['admin'] }, forbidden: ['editor'], admitted: ['admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } },
  { name: 'is added to a protected route', plugin: { protect: 'all' }, after: { roles: ['admin'] }, forbidden: ['editor'], admitted: ['admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } },
  { name: 'is added as true', after: true, forbidden: [], admitted: ['editor'], codes: USER_CODES },
  { name: 'is replaced by more', before: true, after: { roles: ['admin'] }, forbidden: ['editor'], admitted: ['admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } },
  { name: 'is replaced by less', before: { roles: ['admin'] }, after: true, forbidden: ['editor'], admitted: ['admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } },
  { name: 'is replaced by optional', before: { roles: ['admin'] }, after: { optional: true }, forbidden: ['editor'], admitted: ['admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } },
  { name: 'is replaced by other roles', before: { roles: ['editor'] }, after: { roles: ['admin'] }, forbidden: ['editor', 'admin'], admitted: ['editor,admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } },
  { name: 'is turned from false to asking', before: false, after: { roles: ['admin'] }, forbidden: ['editor'], admitted: ['admin'], codes: { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] } }
]

/** Applications in which an `onRoute` hook that runs after ours sets `config.auth` of `/late`. */
const latecomers: Record<string, (app: FastifyInstance, auth: RouteAuth, declare: (scope: FastifyInstance) => void) => Promise<void>> = {
  async 'a child scope' (app, auth, declare) {
    await app.register(async (scope) => {
      scope.addHook('onRoute', (route) => { route.config = { ...route.config, auth } })
      declare(scope)
    })
  },
  async 'a child scope that writes into config' (app, auth, declare) {
    await app.register(async (scope) => {
      scope.addHook('onRoute', (route) => { Object.assign(route.config ?? {}, { auth }) })
      declare(scope)
    })
  },
  async 'another plugin' (app, auth, declare) {
    await app.register(fp(async (instance: FastifyInstance) => { instance.addHook('onRoute', (route) => { route.config = { ...route.config, auth } }) }))
    declare(app)
  },
  async 'another plugin that empties onRequest as well' (app, auth, declare) {
    await app.register(fp(async (instance: FastifyInstance) => { instance.addHook('onRoute', (route) => { route.config = { ...route.config, auth }; route.onRequest = [] }) }))
    declare(app)
  }
}

for (const { name, plugin, before, after, forbidden, admitted, codes } of lateChanges) {
  t.test(`config.auth that ${name} after ours has looked is asked for, and documented`, async (t) => {
    for (const [who, arrange] of Object.entries(latecomers)) {
      for (const hook of ['onRequest', 'preHandler'] as const) {
        let ran = 0
        const app = server(t)
        await app.register(swagger, { openapi: {} })
        await app.register(authPlugin, { ...options, ...plugin, hook })
        await arrange(app, after, (scope) => {
          scope.get('/late', before === undefined ? {} : { config: { auth: before } }, async () => { ran++; return 'in' })
        })
        refused(t, await app.inject('/late'), 401, 'MISSING_TOKEN')
        refused(t, await app.inject({ url: '/late', headers: { authorization: 'Bearer x.y.z' } }), 401, 'TOKEN_INVALID')
        for (const roles of forbidden) refused(t, await app.inject({ url: '/late', headers: bearer({ roles: roles.split(',') }) }), 403, 'INSUFFICIENT_ROLES')
        t.equal(ran, 0, `${who}: the handler did not run`)
        for (const roles of admitted) t.equal((await app.inject({ url: '/late', headers: bearer({ roles: roles.split(',') }) })).body, 'in', who)
        t.strictSame(codesOf(await operationOf(app, '/late')), codes, who)
      }
    }
  })
}

t.test('config.auth that is turned to false after ours has looked is refused at start', async (t) => {
  for (const [who, arrange] of Object.entries(latecomers)) {
    for (const auth of [true, { roles: ['admin'] }, { optional: true }, undefined] as const) {
      const app = await build(t, auth === undefined ? { protect: 'all' } : {})
      await arrange(app, false, (scope) => { scope.get('/late', auth === undefined ? {} : { config: { auth } }, async () => 'in') })
      await t.rejects(async () => { await app.ready() }, { name: 'ConfigurationError', option: 'config', message: /GET \/late asks for a user/ }, who)
    }
  }
})

t.test('config.auth that cannot be meant is refused at start also when it comes late', async (t) => {
  for (const [who, arrange] of Object.entries(latecomers)) {
    for (const auth of [{}, { role: 'admin' }, { roles: [] }, 'admin', null] as unknown as RouteAuth[]) {
      const app = await build(t)
      await arrange(app, auth, (scope) => { scope.get('/late', async () => 'in') })
      await t.rejects(async () => { await app.ready() }, { name: 'ConfigurationError', option: /^config\.auth/ }, who)
    }
  }
})

t.test('a function as protect is never asked about routes it did not see declared: they are shut', async (t) => {
  const nothing: unknown = undefined
  const functions: Record<string, () => boolean> = {
    'answers true': () => true,
    'answers false': () => false,
    'answers nothing': () => nothing as boolean,
    'throws an error': () => { throw new Error('c4n4ry') },
    'throws undefined': () => { throw nothing }
  }
  for (const [what, protect] of Object.entries(functions)) {
    for (const errorHandler of ['auth', 'all', false] as const) {
      let ran = 0
      const handler = async () => { ran++; return 'in' }
      const app = server(t)
      app.get('/root', handler)
      app.get('/said', { config: { auth: false } }, async () => 'open')
      app.register(async (scope) => { scope.get('/child', handler) })
      app.register(authPlugin, { ...options, protect, errorHandler })
      app.get('/after', handler)
      for (const url of ['/root', '/child', '/after']) {
        for (const headers of [{}, bearer()]) {
          const response = await app.inject({ url, headers })
          t.equal(response.statusCode, 500, what)
          if (errorHandler === false) t.equal(response.json().code, 'CONFIGURATION_ERROR')
          else refused(t, response, 500, 'CONFIGURATION_ERROR')
          t.notMatch(response.body, /c4n4ry/)
        }
      }
      t.equal(ran, 0, `${what}: the handler never ran`)
      t.equal((await app.inject('/said')).body, 'open', 'what a route says for itself needs no function')
    }
  }
})

t.test('attack: properties that objects inherit decide nothing (prototype pollution)', async (t) => {
  const prototype = Object.prototype as Record<string, unknown>
  // Objects hidden from loops, in which Fastify's own schemas would go round in circles.
  const pollute = (members: object) => {
    for (const [name, value] of Object.entries(members)) Object.defineProperty(prototype, name, { value, configurable: true, writable: true, enumerable: typeof value === 'boolean' })
  }
  const polluted: Array<Record<string, unknown>> = [{ auth: false }, { auth: true }, { auth: { optional: true } }, { optional: true }, { roles: ['editor'] }, { errors: [] }]
  for (const members of polluted) {
    t.teardown(() => { for (const name of Object.keys(members)) delete prototype[name] })
    let ran = 0
    const app = server(t)
    app.register(async (scope) => { scope.get('/early', async () => { ran++; return 'in' }) })
    app.register(authPlugin, { ...options, protect: 'all' })
    app.register(async (scope) => {
      pollute(members)
      scope.get('/silent', async () => { ran++; return 'in' })
      scope.get('/asking', { config: { auth: { roles: ['admin'] } } }, async () => { ran++; return 'in' })
      scope.get('/open', { config: { auth: false } }, async () => 'open')
    })
    try {
      await app.ready()
      const answers = {
        early: await app.inject('/early'),
        silent: await app.inject('/silent'),
        stranger: await app.inject('/asking'),
        editor: await app.inject({ url: '/asking', headers: bearer({ roles: ['editor'] }) }),
        open: await app.inject('/open')
      }
      for (const name of Object.keys(members)) delete prototype[name]
      refused(t, answers.early, 500, 'CONFIGURATION_ERROR')
      refused(t, answers.silent, 401, 'MISSING_TOKEN')
      refused(t, answers.stranger, 401, 'MISSING_TOKEN')
      refused(t, answers.editor, 403, 'INSUFFICIENT_ROLES')
      t.equal(answers.open.body, 'open')
      t.equal(ran, 0, JSON.stringify(members))
    } finally {
      for (const name of Object.keys(members)) delete prototype[name]
    }
  }
})

t.test('guards that another plugin takes away are asked all the same, each with its own refusal', async (t) => {
  const thieves: Record<string, Vandal> = {
    'empties onRequest': (route) => { if (Array.isArray(route.onRequest)) route.onRequest.length = 0 },
    'empties all': (route) => { for (const stage of ['onRequest', 'preHandler'] as const) route[stage] = [] },
    'takes the last of each': (route) => { for (const stage of ['onRequest', 'preHandler'] as const) route[stage] = [route[stage] ?? []].flat().slice(0, -1) as never }
  }
  for (const [what, thief] of Object.entries(thieves)) {
    const app = await build(t)
    let ran = 0
    const handler = async () => { ran++; return 'in' }
    await app.register(async (scope) => {
      scope.addHook('onRoute', thief)
      scope.get('/onRequest', { onRequest: scope.requireRole('admin') }, handler)
      scope.get('/both', { onRequest: scope.requireUser(), preHandler: [scope.requireAllRoles('admin', 'editor')] }, handler)
      scope.get('/config', { config: { auth: { scopes: ['read'] } }, onRequest: scope.requireRole('admin') }, handler)
    })
    for (const url of ['/onRequest', '/both', '/config']) {
      refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
      refused(t, await app.inject({ url, headers: bearer({ scope: 'read' }) }), 403, 'INSUFFICIENT_ROLES')
    }
    refused(t, await app.inject({ url: '/both', headers: bearer({ roles: ['admin'] }) }), 403, 'INSUFFICIENT_ROLES')
    refused(t, await app.inject({ url: '/config', headers: bearer({ roles: ['admin'] }) }), 403, 'INSUFFICIENT_SCOPE')
    t.equal(ran, 0, what)
    for (const url of ['/onRequest', '/both', '/config']) t.equal((await app.inject({ url, headers: bearer({ roles: ['admin', 'editor'], scope: 'read' }) })).body, 'in', what)
  }
})
