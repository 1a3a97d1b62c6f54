import fc from 'fast-check'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { authServerOptions } from '../../index.js'
import { bearer, build, options, refused, server } from '../build.js'
import { logged } from '../log-lines.js'
import { thrown } from '../thrown.js'

const all = async (t: Test, serverOptions: FastifyServerOptions = {}) => await build(t, { errorHandler: 'all' }, { ...authServerOptions, ...serverOptions })

const bodies = {
  400: '{"status_code":400,"detail":"The request is invalid.","extra":{"code":"REQUEST_INVALID"}}',
  404: '{"status_code":404,"detail":"Not Found","extra":{"code":"NOT_FOUND"}}',
  413: '{"status_code":413,"detail":"Payload Too Large","extra":{"code":"PAYLOAD_TOO_LARGE"}}',
  414: '{"status_code":414,"detail":"URI Too Long","extra":{"code":"URI_TOO_LONG"}}',
  415: '{"status_code":415,"detail":"Unsupported Media Type","extra":{"code":"UNSUPPORTED_MEDIA_TYPE"}}',
  500: '{"status_code":500,"detail":"Internal server error","extra":{"code":"INTERNAL_ERROR"}}'
}

t.test('unknown addresses and methods', async (t) => {
  const app = await all(t)
  app.get('/known', async () => 'in')
  for (const request of [{ url: '/unknown/c4n4ry?c4n4ry=1' }, { method: 'POST', url: '/known' }, { method: 'PUT', url: '/c4n4ry', payload: 'c4n4ry' }] as const) {
    const response = await app.inject(request)
    t.equal(response.statusCode, 404)
    t.equal(response.body, bodies[404])
    t.equal(response.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(response.headers.vary, 'Accept')
  }
  t.equal((await app.inject({ method: 'HEAD', url: '/unknown' })).statusCode, 404)
})

t.test('requests that cannot be read', async (t) => {
  const app = await all(t, { bodyLimit: 40, routerOptions: { maxParamLength: 10 } })
  app.post('/', async (request) => request.body)
  app.get('/p/:id', async () => 'in')
  const json = { 'content-type': 'application/json' }
  const cases: Array<[name: string, request: object, status: keyof typeof bodies]> = [
    ['malformed JSON', { headers: json, payload: '{"c4n4ry": ' }, 400],
    ['an empty body of JSON', { headers: json, payload: '' }, 400],
    ['prototype poisoning', { headers: json, payload: '{"__proto__":{"a":1}}' }, 400],
    ['constructor poisoning', { headers: json, payload: '{"constructor":{"prototype":1}}' }, 400],
    ['a body above the limit', { headers: json, payload: JSON.stringify({ c4n4ry: 'x'.repeat(100) }) }, 413],
    ['a media type nobody reads', { headers: { 'content-type': 'c4n4ry/x' }, payload: 'x' }, 415],
    ['a media type that is none', { headers: { 'content-type': 'c4n4ry' }, payload: 'x' }, 415]
  ]
  for (const [name, request, status] of cases) {
    const response = await app.inject({ method: 'POST', url: '/', ...request })
    t.equal(response.statusCode, status, name)
    t.equal(response.body, bodies[status], name)
  }
  const long = await app.inject('/p/' + 'c4n4ry'.repeat(10))
  t.notMatch(long.body, 'c4n4ry')
  t.strictSame(Object.keys(long.json()), ['status_code', 'detail', 'extra'])
})

t.test('attack: poisoned prototypes in bodies', async (t) => {
  const app = await all(t)
  app.post('/', async (request) => request.body)
  for (const payload of ['{"__proto__":{"admin":true}}', '{"a":{"__proto__":1}}', '{"constructor":{"prototype":{"admin":true}}}', '{"\\u005f_proto__":1}']) {
    const response = await app.inject({ method: 'POST', url: '/', headers: { 'content-type': 'application/json' }, payload })
    t.equal(response.body, bodies[400], payload)
  }
})

t.test('URLs that cannot be decoded', async (t) => {
  const app = await all(t)
  app.get('/p/:id', async () => 'in')
  for (const url of ['/p/%zz', '/%', '/p/%c0%ae', '/p/%E0%A4%A']) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 400, url)
    t.equal(response.body, bodies[400])
  }
})

interface Invalid { path: string, message: string }

t.test('validation says which rule of the schema failed, of every part of the request', async (t) => {
  const app = await all(t, { ajv: { customOptions: { allErrors: true } } })
  const schema = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string', minLength: 3 }, age: { type: 'integer', minimum: 18 }, list: { type: 'array', items: { enum: ['a', 'b'] } } }
  }
  app.post('/body', { schema: { body: schema } }, async () => 'in')
  app.get('/query', { schema: { querystring: schema } }, async () => 'in')
  app.get('/params/:age', { schema: { params: { type: 'object', properties: { age: { type: 'integer' } } } } }, async () => 'in')
  app.get('/headers', { schema: { headers: { type: 'object', required: ['x-key'], properties: { 'x-key': { type: 'string', pattern: '^k' } } } } }, async () => 'in')
  const errorsOf = async (request: object): Promise<Invalid[]> => {
    const response = await app.inject(request)
    t.equal(response.statusCode, 400)
    const body = response.json()
    t.strictSame({ ...body, extra: { ...body.extra, errors: undefined } }, { status_code: 400, detail: 'The request is invalid.', extra: { code: 'REQUEST_INVALID', errors: undefined } })
    return body.extra.errors
  }
  t.strictSame(await errorsOf({ method: 'POST', url: '/body', payload: {} }), [{ path: 'body', message: "must have required property 'name'" }])
  t.strictSame(await errorsOf({ method: 'POST', url: '/body', payload: { name: 'x', age: 3, list: ['a', 'c4n4ry'] } }), [
    { path: 'body/properties/name', message: 'must NOT have fewer than 3 characters' },
    { path: 'body/properties/age', message: 'must be >= 18' },
    { path: 'body/properties/list/items', message: 'must be equal to one of the allowed values' }
  ])
  t.strictSame(await errorsOf({ url: '/query' }), [{ path: 'querystring', message: "must have required property 'name'" }])
  t.strictSame(await errorsOf({ url: '/params/c4n4ry' }), [{ path: 'params/properties/age', message: 'must be integer' }])
  t.strictSame(await errorsOf({ url: '/headers' }), [{ path: 'headers', message: "must have required property 'x-key'" }])
  t.strictSame(await errorsOf({ url: '/headers', headers: { 'x-key': 'c4n4ry' } }), [{ path: 'headers/properties/x-key', message: 'must match pattern "^k"' }])
})

const strict = {
  type: 'object',
  required: ['kind'],
  properties: { kind: { const: 'fixed' }, when: { type: 'string', format: 'date' }, size: { type: 'integer', multipleOf: 7 }, nested: { $ref: '#/definitions/nested' } },
  patternProperties: { '^p': { type: 'integer', maximum: 3 } },
  propertyNames: { maxLength: 30, pattern: '^[a-z0-9]+$' },
  additionalProperties: { type: 'object', propertyNames: { maxLength: 3 }, additionalProperties: { anyOf: [{ type: 'null' }, { type: 'array', maxItems: 0 }] } },
  dependencies: { size: ['when'] },
  maxProperties: 4,
  definitions: { nested: { type: 'object', additionalProperties: false, minProperties: 1 } },
  if: { required: ['size'] },
  then: { required: ['nested'] }
}

t.test('no key and no value of the client comes back, whatever the schema', async (t) => {
  const app = await all(t, { ajv: { customOptions: { allErrors: true, coerceTypes: false, removeAdditional: false } } })
  app.post('/body', { schema: { body: strict } }, async () => ({ fine: true }))
  app.get('/query', { schema: { querystring: strict } }, async () => ({ fine: true }))
  app.get('/headers', { schema: { headers: strict } }, async () => ({ fine: true }))
  app.get('/params/:kind/:c4n4ry', { schema: { params: { type: 'object', properties: { kind: { const: 'fixed' } }, additionalProperties: false } } }, async () => ({ fine: true }))
  const canary = fc.tuple(fc.constantFrom('c4n4ry', 'pc4n4ry', 'c4n4ry-long-enough-to-be-too-long-for-it'), fc.string()).map((parts) => parts.join(''))
  const key = fc.oneof({ weight: 3, arbitrary: canary }, { weight: 2, arbitrary: fc.constantFrom('kind', 'when', 'size', 'nested') })
  const { value: body } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, canary, fc.integer({ min: 400_000_000, max: 499_999_999 }), fc.boolean(), fc.constant(null), fc.array(tie('value')), fc.dictionary(key, tie('value')))
  }))
  let refusals = 0
  await fc.assert(fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: fc.dictionary(key, body) }, { weight: 1, arbitrary: body }), async (payload) => {
    const text = JSON.stringify(payload)
    const response = await app.inject({ method: 'POST', url: '/body', headers: { 'content-type': 'application/json' }, payload: text })
    if (response.statusCode === 400) refusals++
    return [200, 400].includes(response.statusCode) && !/c4n4ry|4\d{8}/.test(response.body)
  }), { numRuns: 2000 })
  t.ok(refusals > 500, `${refusals} refusals`)
  await fc.assert(fc.asyncProperty(fc.dictionary(key, canary), async (query) => {
    const response = await app.inject({ url: '/query', query })
    return [200, 400].includes(response.statusCode) && !/c4n4ry/.test(response.body)
  }), { numRuns: 300 })
  t.notMatch((await app.inject({ url: '/headers', headers: { 'x-c4n4ry': 'c4n4ry', kind: 'c4n4ry' } })).body, 'c4n4ry')
  const params = await app.inject('/params/c4n4ry/c4n4ry')
  t.equal(params.statusCode, 400)
  t.notMatch(params.body, /: ?"c4n4ry/)
})

t.test('failures of validators other than ajv are told without their words', async (t) => {
  const app = await all(t)
  const failures: unknown[] = [
    [{ message: 'c4n4ry', path: ['c4n4ry'] }],
    [{ keyword: 'custom', schemaPath: '#/c4n4ry', message: 'c4n4ry', instancePath: '/c4n4ry', params: {} }],
    [null], ['c4n4ry'], [42],
    [{ keyword: 'type', schemaPath: 5, message: 'c4n4ry' }]
  ]
  for (const [index, validation] of failures.entries()) {
    app.get(`/${index}`, async () => { throw Object.assign(new Error('c4n4ry'), { statusCode: 400, validation, validationContext: 'c4n4ry' }) })
  }
  for (const index of failures.keys()) {
    const response = await app.inject(`/${index}`)
    t.equal(response.statusCode, 400)
    t.strictSame(response.json(), { status_code: 400, detail: 'The request is invalid.', extra: { code: 'REQUEST_INVALID', errors: [{ path: 'request', message: 'is invalid' }] } })
  }
})

t.test('a rule that failed without a message', async (t) => {
  const app = await all(t)
  app.get('/', async () => { throw Object.assign(new Error('x'), { statusCode: 400, validation: [{ keyword: 'type', schemaPath: '#/properties/a/type' }], validationContext: 'body' }) })
  t.strictSame((await app.inject('/')).json().extra.errors, [{ path: 'body/properties/a', message: 'is invalid' }])
})

t.test('a status that has no name', async (t) => {
  const app = await all(t)
  app.get('/', async () => { throw Object.assign(new Error('c4n4ry'), { statusCode: 499 }) })
  t.equal((await app.inject('/')).body, '{"status_code":499,"detail":"Error","extra":{"code":"ERROR"}}')
})

t.test('a validator of the application that answers an error, or throws', async (t) => {
  const app = await all(t)
  app.post('/error', { schema: { body: {} }, validatorCompiler: () => () => ({ error: new Error('c4n4ry') }) }, async () => 'in')
  app.post('/throws', { schema: { body: {} }, validatorCompiler: () => () => { throw new Error('c4n4ry') } }, async () => 'in')
  for (const url of ['/error', '/throws']) {
    const response = await app.inject({ method: 'POST', url, payload: { a: 1 } })
    t.ok([400, 500].includes(response.statusCode), url)
    t.notMatch(response.body, 'c4n4ry')
    t.strictSame(Object.keys(response.json()), ['status_code', 'detail', 'extra'])
  }
})

t.test('whatever is thrown, the body is ours, constant per status, and has nothing of the fault', async (t) => {
  const app = await all(t)
  for (const [name, make] of Object.entries(thrown)) {
    for (const [stage, route] of Object.entries({
      handler: { handler: async () => { throw make() } },
      hook: { preHandler: async () => { throw make() }, handler: async () => 'in' },
      done: { onRequest: (_request: unknown, _reply: unknown, done: (error: Error) => void) => { done((make() ?? new Error('nothing')) as Error) }, handler: async () => 'in' }
    })) app.route({ method: 'GET', url: `/${stage}/${encodeURIComponent(name)}`, ...route })
  }
  for (const [name, make] of Object.entries(thrown)) {
    for (const stage of ['handler', 'hook', 'done']) {
      const response = await app.inject(`/${stage}/${encodeURIComponent(encodeURIComponent(name))}`)
      // Fastify takes falsy values given to `done` for success.
      if (stage === 'done' && !(make() ?? true)) continue
      const { statusCode, status } = (make() ?? {}) as { statusCode?: unknown, status?: unknown }
      const expected = [statusCode, status].find((value) => Number.isInteger(value) && (value as number) >= 400 && (value as number) < 600) ?? 500
      t.equal(response.statusCode, expected, `${name} in ${stage}`)
      const body = response.json()
      t.strictSame(Object.keys(body), ['status_code', 'detail', 'extra'])
      t.equal(body.status_code, expected)
      if (expected === 500) t.equal(response.body, bodies[500])
      t.notMatch(response.body, /boom|oops|mine|far|who\?|No Authorization|not here/)
    }
  }
})

t.test('an error whose own headers or properties cannot be used is a 500, and the process lives', async (t) => {
  const app = await all(t)
  const errors: Record<string, unknown> = {
    'headers that are invalid': Object.assign(new Error('x'), { statusCode: 400, headers: { 'x-bad': 'a\nb' } }),
    'header names that are invalid': Object.assign(new Error('x'), { statusCode: 400, headers: { 'x bad': 'a' } }),
    'headers undefined': Object.assign(new Error('x'), { statusCode: 400, headers: { 'x-none': undefined } }),
    'headers a string': Object.assign(new Error('x'), { statusCode: 400, headers: 'x' }),
    'an accessor that throws': Object.defineProperty(new Error('x'), 'statusCode', { get () { throw new Error('c4n4ry') } })
  }
  for (const [index, error] of Object.values(errors).entries()) app.get(`/${index}`, async () => { throw error })
  for (const [index, name] of Object.keys(errors).entries()) {
    const response = await app.inject(`/${index}`)
    t.ok(response.statusCode >= 400, `${name}: ${response.statusCode}`)
    t.notMatch(response.body, /c4n4ry/)
  }
  t.equal((await app.inject('/unknown')).statusCode, 404)
})

t.test('headers that an error carries are kept', async (t) => {
  const app = await all(t)
  app.get('/', async () => { throw Object.assign(new Error('slow down'), { statusCode: 429, headers: { 'retry-after': '7', vary: 'Origin' } }) })
  const response = await app.inject('/')
  t.equal(response.headers['retry-after'], '7')
  t.equal(response.headers.vary, 'Origin, Accept')
  t.strictSame(response.json(), { status_code: 429, detail: 'Too Many Requests', extra: { code: 'TOO_MANY_REQUESTS' } })
})

t.test('headers that a foreign 5xx carries stay here; those of a 4xx, which are for the client, go out', async (t) => {
  const app = await all(t)
  const headers = { 'x-upstream': 'http://10.0.0.7/c4n4ry', 'set-cookie': 'c4n4ry=1', 'retry-after': '7', 'cache-control': 'public, max-age=600' }
  const statuses: Array<[given: object, status: number]> = [[{ statusCode: 500 }, 500], [{ statusCode: 502 }, 502], [{ status: 503 }, 503], [{ statusCode: 599 }, 599], [{}, 500], [{ statusCode: 200 }, 500], [{ statusCode: 400 }, 400], [{ statusCode: 429 }, 429], [{ status: 499 }, 499]]
  for (const [index, [given]] of statuses.entries()) app.get(`/${index}`, async () => { throw Object.assign(new Error('c4n4ry'), given, { headers }) })
  for (const [index, [, status]] of statuses.entries()) {
    const response = await app.inject(`/${index}`)
    t.equal(response.statusCode, status)
    if (status >= 500) {
      for (const name of Object.keys(headers)) t.notOk(name in response.headers, `${status}: ${name}`)
      t.notMatch(response.body + JSON.stringify(response.headers), /c4n4ry|10\.0\.0\.7/)
    } else {
      t.match(response.headers, { ...headers, 'set-cookie': 'c4n4ry=1' }, String(status))
      t.notMatch(response.body, 'c4n4ry')
    }
  }
})

t.test('problem+json of foreign errors', async (t) => {
  const app = await all(t)
  app.get('/fault', async () => { throw new Error('boom') })
  app.post('/body', { schema: { body: { type: 'object', required: ['name'] } } }, async () => 'in')
  const headers = { accept: 'application/problem+json' }
  const unknown = await app.inject({ url: '/unknown', headers })
  t.equal(unknown.headers['content-type'], 'application/problem+json; charset=utf-8')
  t.strictSame(unknown.json(), { type: 'about:blank', title: 'Not Found', status: 404, detail: 'Not Found', code: 'NOT_FOUND' })
  t.strictSame((await app.inject({ url: '/fault', headers })).json(), { type: 'about:blank', title: 'Internal Server Error', status: 500, detail: 'Internal server error', code: 'INTERNAL_ERROR' })
  t.strictSame((await app.inject({ method: 'POST', url: '/body', headers, payload: {} })).json(), {
    type: 'about:blank', title: 'Bad Request', status: 400, detail: 'The request is invalid.', code: 'REQUEST_INVALID', errors: [{ path: 'body', message: "must have required property 'name'" }]
  })
})

t.test('the log has the fault that the client does not see', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await all(t, serverOptions)
  app.get('/fault', async () => { throw new Error('boom') })
  app.get('/value', async () => { throw 'oops' }) // eslint-disable-line no-throw-literal
  app.get('/client', async () => { throw Object.assign(new Error('your fault'), { statusCode: 409 }) })
  for (const url of ['/fault', '/value', '/client']) await app.inject(url)
  t.match(lines.find(({ msg }) => msg === 'boom'), { level: 50, err: { message: 'boom', stack: /Error: boom/ } })
  t.match(lines.find(({ msg }) => msg === 'A value that is no Error was thrown'), { level: 50, err: 'oops' })
  t.match(lines.find(({ msg }) => msg === 'your fault'), { level: 30 })
})

t.test('an error that is sent is an error: reply.send(error), and objects that are sent are not', async (t) => {
  const app = await all(t)
  app.get('/error', (_request, reply) => { reply.code(403).send(new Error('boom')) })
  app.get('/object', (_request, reply) => { reply.code(403).send({ mine: true }) })
  app.get('/declared', { schema: { response: { 403: { type: 'object', properties: { mine: { type: 'boolean' } } } } } }, (_request, reply) => { reply.code(403).send({ mine: true, hidden: 1 }) })
  t.strictSame(Object.keys((await app.inject('/error')).json()), ['status_code', 'detail', 'extra'])
  t.equal((await app.inject('/object')).body, '{"mine":true}')
  t.equal((await app.inject('/declared')).body, '{"mine":true}')
})

t.test('a not-found handler of the application in a child stays its own', async (t) => {
  const app = await all(t)
  await app.register(async (scope) => { scope.setNotFoundHandler(async (_request, reply) => await reply.code(404).send('child')) }, { prefix: '/child' })
  t.equal((await app.inject('/child/x')).body, 'child')
  t.equal((await app.inject('/x')).body, bodies[404])
})

t.test('in a child, errorHandler all answers for that child', async (t) => {
  const app: FastifyInstance = server(t)
  app.get('/outside', async () => { throw new Error('outside') })
  await app.register(async (scope) => {
    await scope.register(authPlugin, { ...options, errorHandler: 'all' })
    scope.get('/fault', async () => { throw new Error('inside') })
    scope.get('/guard', { preHandler: scope.requireUser() }, async () => 'in')
  }, { prefix: '/child' })
  t.equal((await app.inject('/outside')).json().message, 'outside')
  t.equal((await app.inject('/child/fault')).body, bodies[500])
  refused(t, await app.inject('/child/guard'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/child/guard', headers: bearer() })).body, 'in')
  t.equal((await app.inject('/child/unknown')).body, bodies[404])
  t.equal((await app.inject('/unknown')).json().message, 'Route GET:/unknown not found')
})

t.test('without authServerOptions, what Fastify answers before routing is its own', async (t) => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin, { ...options, errorHandler: 'all' })
  t.equal((await app.inject('/%')).json().code, 'FST_ERR_BAD_URL')
})
