import t from 'tap'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { parse } from 'yaml'
import authPlugin from '../../index.js'
import { bearer, build, options, refused, server } from '../build.js'
import { buildDocumented, codesOf, documentOf, operationOf, USER_CODES, VERSIONS, type Document, type Operation } from '../openapi/document.js'

const handler = async () => ({ ok: true })
const ROLES = { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] }
const MARK = /fastify-bouncer/

t.test('swagger before and after the plugin, awaited or not', async t => {
  for (const version of VERSIONS) {
    const registrations = [[swagger, { openapi: { openapi: version } }], [authPlugin, options]] as Array<[FastifyPluginAsync, object]>
    const documents = []
    for (const order of [registrations, registrations.toReversed()]) {
      for (const awaited of [true, false]) {
        const app = server(t)
        for (const [plugin, pluginOptions] of order) awaited ? await app.register(plugin, pluginOptions) : app.register(plugin, pluginOptions)
        app.register(async child => { child.get('/x', { preHandler: child.requireRole('a') }, handler) })
        documents.push(await documentOf(app))
      }
    }
    t.equal(documents[0]!.openapi, version)
    t.strictSame(codesOf(documents[0]!.paths['/x']!.get!), ROLES)
    for (const document of documents.slice(1)) t.strictSame(document, documents[0])
  }
})

t.test('the plugin in a child, swagger at the root', async t => {
  const app = server(t)
  await app.register(swagger, { openapi: {} })
  app.get('/outside', handler)
  app.register(async child => {
    await child.register(authPlugin, options)
    child.get('/inside', { preHandler: child.requireRole('a') }, handler)
  })
  const { paths } = await documentOf(app)
  t.strictSame(paths['/outside']!.get, { responses: { 200: { description: 'Default Response' } } })
  t.strictSame(codesOf(paths['/inside']!.get!), ROLES)
})

t.test('swagger in a child, the plugin at the root', async t => {
  const app = await build(t)
  let child: FastifyInstance | undefined
  await app.register(async instance => {
    child = instance
    await instance.register(swagger, { openapi: {} })
    instance.get('/x', { preHandler: instance.requireRole('a') }, handler)
  })
  await app.ready()
  t.strictSame(codesOf((child!.swagger() as unknown as Document).paths['/x']!.get!), ROLES)
})

t.test('a document asked for in an onReady hook that comes before ours is complete', async t => {
  const app = server(t)
  let early: unknown
  await app.register(swagger, { openapi: {} })
  app.addHook('onReady', async () => { early = JSON.parse(JSON.stringify(app.swagger())) })
  await app.register(authPlugin, options)
  app.get('/x', { preHandler: app.requireRole('a') }, handler)
  app.addHook('onRequest', app.requireScope('s'))
  t.strictSame(codesOf(await operationOf(app, '/x')), { ...USER_CODES, 403: ['INSUFFICIENT_SCOPE', 'INSUFFICIENT_ROLES'] })
  t.strictSame(early, app.swagger())
})

t.test('a document asked for too early fails as it does without us, and later comes out whole', async t => {
  const app = await buildDocumented(t)
  const schema = { summary: 'mine' }
  app.get('/x', { preHandler: app.requireUser(), schema }, handler)
  t.throws(() => app.swagger(), /must be called after \.ready\(\)/)
  t.strictSame(codesOf(await operationOf(app, '/x')), USER_CODES)
})

const transforms: Array<[name: string, options: FastifyDynamicSwaggerOptions, path: string]> = [
  ['keeps the schema', { transform: ({ schema, url }) => ({ schema: { ...schema, tags: ['seen'] }, url }) }, '/items/{id}'],
  ['moves the route', { transform: ({ schema, url }) => ({ schema, url: `/v1${url}` }) }, '/v1/items/{id}'],
  ['makes a schema of its own', { transform: ({ url }) => ({ schema: { summary: 'mine' }, url }) }, '/items/{id}'],
  ['copies the whole document', { transformObject: (input) => structuredClone('openapiObject' in input ? input.openapiObject : {}) }, '/items/{id}'],
  ['moves the paths', {
    transformObject: (input) => {
      if (!('openapiObject' in input)) return {}
      const { paths, ...rest } = input.openapiObject
      return { ...rest, paths: Object.fromEntries(Object.entries(paths ?? {}).map(([path, item]) => [`/api${path}`, item])) }
    }
  }, '/api/items/{id}'],
  ['strips a base path', { openapi: { servers: [{ url: 'https://example.com/items' }] } }, '/{id}']
]
for (const [name, swaggerOptions, path] of transforms) {
  t.test(`a transform of the application's: ${name}`, async t => {
    const app = await buildDocumented(t, {}, swaggerOptions)
    app.get('/items/:id', { preHandler: app.requireRole('a'), schema: { description: 'an item', params: { type: 'object', properties: { id: { type: 'string' } } } } }, handler)
    const document = await documentOf(app)
    t.strictSame(Object.keys(document.paths), [path])
    t.strictSame(codesOf(document.paths[path]!.get!), ROLES)
    t.strictSame(document.paths[path]!.get!.security, [{ bearerAuth: [] }])
    t.notMatch(JSON.stringify(document), MARK)
  })
}

t.test('what a transform takes out of the document stays out', async t => {
  for (const transformObject of [
    () => ({ openapi: '3.1.0', info: { title: 'No paths', version: '1' } }),
    () => ({ openapi: '3.1.0', info: { title: 'Empty', version: '1' }, paths: { '/x': undefined, '/y': { get: undefined, summary: 'nothing here' } } })
  ]) {
    const app = await buildDocumented(t, {}, { transformObject: transformObject as never })
    app.get('/x', { preHandler: app.requireUser() }, handler)
    app.get('/y', { preHandler: app.requireUser() }, handler)
    await app.ready()
    t.strictSame(app.swagger(), transformObject())
  }
})

t.test('a transform sees routes that nothing is said of as they are', async t => {
  const seen: unknown[] = []
  const app = await buildDocumented(t, {}, { transform: ({ schema, url }) => { seen.push(schema); return { schema, url } } })
  app.get('/guarded', { preHandler: app.requireUser() }, handler)
  app.get('/silent', handler)
  await documentOf(app)
  t.strictSame(seen[1], undefined)
})

t.test('what a transform adds for a status of ours stays', async t => {
  const app = await buildDocumented(t, {}, { transform: ({ schema, url }) => ({ schema: { ...schema, response: { 401: { description: 'theirs', type: 'null' } } }, url }) })
  app.get('/x', { preHandler: app.requireUser() }, handler)
  t.strictSame((await operationOf(app, '/x')).responses[401], { description: 'theirs' })
})

t.test('HEAD routes refuse what their GET routes refuse', async t => {
  for (const transform of [undefined, transforms[1]![1].transform, transforms[2]![1].transform]) {
    const app = await buildDocumented(t, {}, { exposeHeadRoutes: true, transform })
    app.get('/plain', { preHandler: app.requireRole('a') }, handler)
    app.get('/named', { preHandler: app.requireRole('a'), schema: { operationId: 'named' } }, handler)
    const { paths } = await documentOf(app)
    for (const item of Object.values(paths)) {
      t.strictSame(codesOf(item.head!), ROLES)
      t.strictSame(item.head!.security, item.get!.security)
    }
    if (transform === undefined) t.strictSame([paths['/named']!.get!.operationId, paths['/named']!.head!.operationId], ['named', 'named-head'])
  }
})

t.test('a HEAD route of its own is documented by its own guards', async t => {
  const app = await buildDocumented(t, {}, { exposeHeadRoutes: true })
  const schema = (operationId: string) => ({ operationId })
  app.head('/alone', { preHandler: app.requireRole('a'), schema: schema('alone') }, handler)
  app.head('/open', { schema: schema('open') }, handler)
  app.get('/open', { preHandler: app.requireRole('a'), schema: schema('guarded'), exposeHeadRoute: false }, handler)
  const { paths } = await documentOf(app)
  t.strictSame(codesOf(paths['/alone']!.head!), ROLES)
  t.strictSame(codesOf(paths['/open']!.get!), ROLES)
  t.strictSame(paths['/open']!.head, { operationId: 'open-head', responses: { 200: { description: 'Default Response' } } })
})

t.test('one route for several methods', async t => {
  const app = await buildDocumented(t)
  app.route({ method: ['GET', 'POST'], url: '/x', preHandler: app.requireRole('a'), handler })
  const { paths } = await documentOf(app)
  for (const method of ['get', 'post']) t.strictSame(codesOf(paths['/x']![method]!), ROLES, method)
})

t.test('a method that OpenAPI 3.2 keeps apart', async t => {
  for (const version of ['3.1.0', '3.2.0']) {
    const app = await buildDocumented(t, {}, { openapi: { openapi: version } })
    app.addHttpMethod('PURGE')
    app.route({ method: 'PURGE', url: '/x', preHandler: app.requireRole('a'), handler })
    const item = (await documentOf(app)).paths['/x']! as Record<string, Operation> & { additionalOperations?: Record<string, Operation> }
    const operation = item.purge ?? item.additionalOperations?.PURGE
    t.strictSame(codesOf(operation!), ROLES, version)
    t.strictSame(Object.keys(operation!), ['responses', 'security'])
  }
})

t.test('hidden routes stay hidden', async t => {
  const app = await buildDocumented(t, {}, { hideUntagged: true })
  app.get('/hidden', { preHandler: app.requireUser(), schema: { tags: ['a'], hide: true } }, handler)
  app.get('/untagged', { preHandler: app.requireUser() }, handler)
  app.get('/tagged', { preHandler: app.requireUser(), schema: { tags: ['a'] } }, handler)
  const { paths } = await documentOf(app)
  t.strictSame(Object.keys(paths), ['/tagged'])
})

t.test('a schema that several routes share is not changed', async t => {
  const make = () => ({ summary: 'shared', response: { 200: { type: 'object', properties: { ok: { type: 'boolean' } } } } })
  const schema = make()
  const app = await buildDocumented(t)
  app.get('/guarded', { preHandler: app.requireUser(), schema }, handler)
  app.get('/open', { schema }, handler)
  const { paths } = await documentOf(app)
  t.equal(JSON.stringify(schema), JSON.stringify(make()))
  t.strictSame(Object.keys(paths['/open']!.get!.responses), ['200'])
  t.strictSame(codesOf(paths['/guarded']!.get!), USER_CODES)
})

t.test('a route has its own schema, at run time and after the document was made', async t => {
  const app = await buildDocumented(t)
  const schema = { summary: 'mine' }
  let route: { schema?: object } | undefined
  app.addHook('onRoute', options => { if (options.method === 'GET') route = options })
  app.get('/x', { preHandler: app.requireUser(), schema }, async request => Object.keys(request.routeOptions.schema ?? {}))
  await documentOf(app)
  t.equal(route!.schema, schema)
  t.strictSame((await app.inject({ url: '/x', headers: bearer() })).json(), ['summary'])
})

t.test('a foreign 401 or 403 on a documented route is not written by our schemas', async t => {
  const plain = server(t)
  const app = await buildDocumented(t)
  const guard = app.requireRole('admin')
  for (const [instance, preHandler] of [[plain, []], [app, [guard]]] as const) {
    for (const status of [400, 401, 403]) {
      instance.get(`/thrown/${status}`, { preHandler: [...preHandler] }, async () => { throw Object.assign(new Error('theirs'), { statusCode: status, code: 'THEIRS' }) })
      instance.get(`/sent/${status}`, { preHandler: [...preHandler] }, async (_request, reply) => reply.code(status).send({ any: ['thing'], status_code: 'odd' }))
    }
  }
  await app.ready()
  app.swagger()
  for (const kind of ['thrown', 'sent']) {
    for (const status of [400, 401, 403]) {
      const url = `/${kind}/${status}`
      const expected = await plain.inject(url)
      const answer = await app.inject({ url, headers: bearer({ roles: ['admin'] }) })
      t.equal(answer.statusCode, status, url)
      t.equal(answer.body, expected.body, url)
    }
  }
  refused(t, await app.inject({ url: '/sent/403', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
})

t.test('YAML says what JSON says, without anchors', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { preHandler: app.requireRole('a') }, handler)
  app.route({ method: ['GET', 'PUT'], url: '/y', preHandler: app.requireRole('a'), handler })
  await app.ready()
  const text = app.swagger({ yaml: true })
  t.strictSame(parse(text), JSON.parse(JSON.stringify(app.swagger())))
  t.notMatch(text, /: [&*]a\d/)
  t.notMatch(text, MARK)
  t.equal(app.swagger({ yaml: true }), text)
  t.equal(app.swagger(), app.swagger(), 'the document is made once')
})

t.test('@fastify/swagger-ui serves the completed document', async t => {
  const app = await buildDocumented(t)
  await app.register(swaggerUi, { routePrefix: '/docs' })
  app.get('/x', { preHandler: app.requireRole('a') }, handler)
  const json = await app.inject('/docs/json')
  t.strictSame(codesOf((json.json() as Document).paths['/x']!.get!), ROLES)
  const yaml = await app.inject('/docs/yaml')
  t.strictSame(parse(yaml.body), json.json())
  t.notMatch(json.body + yaml.body, MARK)
})

t.test("@fastify/swagger-ui under protect: 'all' asks for a user", async t => {
  const app = await buildDocumented(t, { protect: 'all' })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  refused(t, await app.inject('/docs/json'), 401, 'MISSING_TOKEN')
})

t.test('documents under other names stay as they are, and show nothing of ours', async t => {
  const app = await buildDocumented(t)
  await app.register(swagger, { openapi: {}, decorator: 'internal' as never })
  app.get('/x', { preHandler: app.requireRole('a'), schema: { summary: 'mine' } }, handler)
  const { internal } = app as unknown as { internal: FastifyInstance['swagger'] }
  t.strictSame(codesOf(await operationOf(app, '/x')), ROLES)
  t.strictSame(internal().paths?.['/x'], { get: { summary: 'mine', responses: { 200: { description: 'Default Response' } } } })
  t.notMatch(internal({ yaml: true }), MARK)
})

t.test('Swagger 2.0 documents show nothing of ours', async t => {
  const app = await build(t)
  await app.register(swagger, { swagger: { info: { title: 'An API', version: '1' } } })
  app.get('/x', { preHandler: app.requireRole('a') }, handler)
  await app.ready()
  t.strictSame(JSON.parse(JSON.stringify(app.swagger())).paths, { '/x': { get: { responses: { 200: { description: 'Default Response' } } } } })
  t.notMatch(app.swagger({ yaml: true }), MARK)
})

t.test('a static document is what the application wrote', async t => {
  const document = () => ({ openapi: '3.1.0', info: { title: 'Written', version: '1' }, paths: { '/x': { get: { responses: { 200: { description: 'OK' } } } } } })
  const app = await build(t)
  await app.register(swagger, { mode: 'static', specification: { document: document() } })
  const plain = server(t)
  await plain.register(swagger, { mode: 'static', specification: { document: document() } })
  app.get('/x', { preHandler: app.requireRole('a') }, handler)
  await app.ready()
  await plain.ready()
  t.strictSame(app.swagger(), document())
  t.equal(app.swagger({ yaml: true }), plain.swagger({ yaml: true }))
})

t.test("an application's own decorator called swagger is left alone", async t => {
  const app = await build(t)
  app.decorate('swagger', 'mine' as never)
  app.get('/x', { preHandler: app.requireUser() }, handler)
  await app.ready()
  t.equal(app.swagger as unknown, 'mine')
})

t.test('without swagger nothing happens', async t => {
  const app = await build(t)
  app.get('/x', { preHandler: app.requireUser() }, handler)
  await app.ready()
  t.notOk('swagger' in app)
})

t.test('a guard of an enclosing scope before a route that says it is open is refused when the server starts', async t => {
  const app = await build(t)
  app.get('/open', { config: { auth: false } }, handler)
  app.addHook('onRequest', app.requireUser())
  await t.rejects(async () => await app.ready(), { name: 'ConfigurationError', option: 'config.auth', message: /GET \/open is anonymous/ })
})
