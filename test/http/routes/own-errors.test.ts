import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { errorResponses, InvalidCredentialsError, RateLimitError, UserNotFoundError, type AuthPluginOptions } from '../../../index.js'
import { RequestInvalidError } from '../../../lib/errors/request.js'
import { handlingKey, type ErrorHandling } from '../../../lib/http/error-handler.js'
import { answerOwnErrors } from '../../../lib/http/routes/own-errors.js'
import { REQUEST_ERRORS } from '../../../lib/http/routes/request-errors.js'
import { strictValidator } from '../../../lib/http/routes/validation.js'
import { bearer, build, refused } from '../../build.js'
import { logged } from '../../log-lines.js'
import { buildDocumented, codesOf, documentOf } from '../../openapi/document.js'
import { thrown } from '../../thrown.js'

const body = Type.Object({ password: Type.String({ maxLength: 20 }) }, { additionalProperties: false })
const json = { 'content-type': 'application/json' }

/** Dummy routes as those of the account system are mounted; `declare` adds to them. */
async function mount (app: FastifyInstance, handled: boolean, declare: (scope: FastifyInstance) => void = () => {}): Promise<void> {
  const handling = (app as unknown as { [handlingKey]: ErrorHandling })[handlingKey]
  await app.register(async (scope) => {
    scope.setValidatorCompiler(strictValidator())
    answerOwnErrors(scope, handled ? handling : undefined)
    scope.post('/login', { config: { auth: false }, schema: { body, response: errorResponses(InvalidCredentialsError, RateLimitError, ...REQUEST_ERRORS) } }, async () => { throw new InvalidCredentialsError() })
    scope.get('/me', { config: { auth: true } }, async () => ({ ok: true }))
    scope.get('/fault', async () => { throw new Error('c4n4ry') })
    declare(scope)
  }, { prefix: '/auth' })
}

async function mounted (t: Test, overrides: AuthPluginOptions = {}, serverOptions: FastifyServerOptions = {}, declare?: (scope: FastifyInstance) => void): Promise<FastifyInstance> {
  const app = await build(t, overrides, serverOptions)
  await mount(app, overrides.errorHandler !== false, declare)
  return app
}

const requests: Array<[name: string, request: { headers?: Record<string, string>, payload?: object | string }, status: number, code: string]> = [
  ['a body that the schema refuses', { payload: { password: 1 } }, 400, 'REQUEST_INVALID'],
  ['malformed JSON', { headers: json, payload: '{"c4n4ry": ' }, 400, 'REQUEST_INVALID'],
  ['an empty body of JSON', { headers: json, payload: '' }, 400, 'REQUEST_INVALID'],
  ['no body', {}, 400, 'REQUEST_INVALID'],
  ['poisoned prototypes', { headers: json, payload: '{"__proto__":{"password":"c4n4ry"}}' }, 400, 'REQUEST_INVALID'],
  ['a body above the limit', { payload: { password: 'c4n4ry'.repeat(50) } }, 413, 'PAYLOAD_TOO_LARGE'],
  ['a media type nobody reads', { headers: { 'content-type': 'c4n4ry/x' }, payload: 'x' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['a body of no media type', { headers: { 'content-length': '1' }, payload: Buffer.from('x') }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['a refusal', { payload: { password: 'x' } }, 401, 'INVALID_CREDENTIALS']
]

for (const errorHandler of ['auth', 'all'] as const) {
  t.test(`errorHandler: ${errorHandler}: every error of our own routes has our body`, async (t) => {
    const app = await mounted(t, { errorHandler }, { bodyLimit: 100 })
    for (const [name, request, status, code] of requests) {
      const response = await app.inject({ method: 'POST', url: '/auth/login', ...request })
      refused(t, response, status, code)
      t.notMatch(response.body, 'c4n4ry', name)
      const problem = await app.inject({ method: 'POST', url: '/auth/login', ...request, headers: { ...request.headers, accept: 'application/problem+json' } })
      t.match(problem.json(), { status, code }, `${name}, as a problem`)
      t.equal(problem.headers['cache-control'], 'no-store')
    }
    refused(t, await app.inject('/auth/me'), 401, 'MISSING_TOKEN')
    const fault = await app.inject('/auth/fault')
    refused(t, fault, 500, 'INTERNAL_ERROR', 'Internal server error')
    t.notMatch(fault.body, 'c4n4ry')
  })
}

t.test('the rule that a body broke is told, and nothing of the body', async (t) => {
  const app = await mounted(t)
  const errorsOf = async (payload: object) => (await app.inject({ method: 'POST', url: '/auth/login', payload })).json().extra.errors
  t.strictSame(await errorsOf({ password: 'c4n4ry'.repeat(9) }), [{ path: 'body/properties/password', message: 'must NOT have more than 20 characters' }])
  t.strictSame(await errorsOf({ password: 'x', c4n4ry: 1 }), [{ path: 'body', message: 'must NOT have additional properties' }])
})

t.test('foreign errors of other routes stay as they were, with errorHandler auth', async (t) => {
  const app = await mounted(t)
  app.post('/outside', { schema: { body } }, async () => 'in')
  app.get('/outside/fault', async () => { throw new Error('theirs') })
  t.match((await app.inject({ method: 'POST', url: '/outside', payload: {} })).json(), { code: 'FST_ERR_VALIDATION', error: 'Bad Request' })
  const fault = await app.inject('/outside/fault')
  t.match(fault.json(), { message: 'theirs', statusCode: 500 })
  t.notOk('cache-control' in fault.headers)
})

t.test('errorHandler: false: errors of our own routes are the application\'s, and no answer is stored', async (t) => {
  const app = await build(t, { errorHandler: false }, { bodyLimit: 100 })
  app.setErrorHandler((error: Error & { statusCode?: number, code?: string }, _request, reply) => reply.code(error.statusCode ?? 500).send({ theirs: error.code ?? error.message }))
  app.setSchemaErrorFormatter(() => Object.assign(new Error('formatted by the application'), { code: 'THEIR_CODE' }))
  await mount(app, false)
  const expected = ['THEIR_CODE', 'FST_ERR_CTP_INVALID_JSON_BODY', 'FST_ERR_CTP_EMPTY_JSON_BODY', 'THEIR_CODE', 'FST_ERR_CTP_INVALID_JSON_BODY', 'FST_ERR_CTP_BODY_TOO_LARGE', 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'INVALID_CREDENTIALS']
  for (const [index, [name, request]] of requests.entries()) {
    const response = await app.inject({ method: 'POST', url: '/auth/login', ...request })
    t.strictSame(response.json(), { theirs: expected[index] }, name)
    t.equal(response.headers['cache-control'], 'no-store', name)
  }
  t.strictSame((await app.inject('/auth/fault')).json(), { theirs: 'c4n4ry' })
  t.strictSame((await app.inject('/auth/me')).json(), { theirs: 'MISSING_TOKEN' })
})

t.test('an application\'s own handler and formatter are not asked on our own routes', async (t) => {
  const app = await build(t)
  app.setErrorHandler((_error, _request, reply) => reply.code(418).send({ theirs: true }))
  app.setSchemaErrorFormatter(() => Object.assign(new Error('theirs'), { statusCode: 422, code: 'THEIRS' }))
  await mount(app, true)
  app.post('/outside', { schema: { body } }, async () => 'in')
  refused(t, await app.inject({ method: 'POST', url: '/auth/login', payload: {} }), 400, 'REQUEST_INVALID')
  refused(t, await app.inject('/auth/fault'), 500, 'INTERNAL_ERROR')
  t.equal((await app.inject({ method: 'POST', url: '/outside', payload: {} })).statusCode, 418)
})

t.test('whatever is thrown on our own routes, the body is ours and has nothing of the fault', async (t) => {
  const entries = Object.entries(thrown)
  const app = await mounted(t, {}, {}, (scope) => {
    for (const [index, [, make]] of entries.entries()) {
      scope.get(`/thrown/${index}`, async () => { throw make() })
      scope.get(`/hook/${index}`, { preHandler: async () => { throw make() } }, async () => 'in')
    }
    scope.get('/looked-at', async () => { throw Object.defineProperty(new Error('x'), 'statusCode', { get () { throw new Error('c4n4ry') } }) })
  })
  for (const [index, [name, make]] of entries.entries()) {
    for (const stage of ['thrown', 'hook']) {
      const response = await app.inject(`/auth/${stage}/${index}`)
      const { statusCode, status } = (make() ?? {}) as { statusCode?: unknown, status?: unknown }
      const expected = [statusCode, status].find((value) => Number.isInteger(value) && (value as number) >= 400 && (value as number) < 600) ?? 500
      t.equal(response.statusCode, expected, `${name}, ${stage}`)
      t.strictSame(Object.keys(response.json()), ['status_code', 'detail', 'extra'], name)
      t.notMatch(response.body, /boom|oops|mine|far|who\?|No Authorization|not here|c4n4ry/)
      t.equal(response.headers['cache-control'], 'no-store')
    }
  }
  refused(t, await app.inject('/auth/looked-at'), 500, 'INTERNAL_ERROR')
})

t.test('an answer that its own schema refuses is a 500 with nothing in it', async (t) => {
  const app = await mounted(t, {}, {}, (scope) => {
    scope.get('/broken', { schema: { response: { 200: Type.Object({ id: Type.String(), name: Type.String() }) } } }, async () => ({ id: 'c4n4ry' }) as never)
  })
  const response = await app.inject('/auth/broken')
  refused(t, response, 500, 'INTERNAL_ERROR')
  t.notMatch(response.body, 'c4n4ry')
})

t.test('no answer of our own routes is stored, but those of routes that say so', async (t) => {
  const app = await build(t)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'public, max-age=600')
    if (request.headers['x-limited'] !== undefined) {
      reply.removeHeader('cache-control')
      throw Object.assign(new Error('slow down'), { statusCode: 429 })
    }
  })
  await mount(app, true, (scope) => {
    scope.get('/keys', async (_request, reply) => reply.header('cache-control', 'public, max-age=300').send({ keys: [] }))
    scope.get('/empty', async (_request, reply) => reply.code(204).send())
  })
  app.get('/outside', async () => 'in')
  const cached = async (url: string, headers = {}) => (await app.inject({ url, headers })).headers['cache-control']
  t.equal(await cached('/auth/me', bearer()), 'no-store', 'although the application lets its answers be stored')
  t.equal(await cached('/auth/me'), 'no-store')
  t.equal(await cached('/auth/empty'), 'no-store')
  t.equal(await cached('/auth/keys'), 'public, max-age=300')
  t.equal(await cached('/auth/me', { 'x-limited': '1' }), 'no-store', 'nor what a hook of the application answers first')
  t.equal(await cached('/outside'), 'public, max-age=600')
})

t.test('the document has the codes that our own routes answer with', async (t) => {
  const app = await buildDocumented(t)
  await mount(app, true)
  const { paths, components } = await documentOf(app)
  t.strictSame(codesOf(paths['/auth/login']!.post!), { 400: ['REQUEST_INVALID'], 401: ['INVALID_CREDENTIALS'], 413: ['PAYLOAD_TOO_LARGE'], 415: ['UNSUPPORTED_MEDIA_TYPE'], 429: ['RATE_LIMITED'] })
  t.strictSame(components.schemas.RequestInvalidError, {
    type: 'object',
    required: ['status_code', 'detail', 'extra'],
    properties: {
      status_code: { type: 'number', enum: [400] },
      detail: { type: 'string' },
      extra: {
        type: 'object',
        required: ['code'],
        properties: {
          code: { type: 'string', enum: ['REQUEST_INVALID'] },
          errors: {
            type: 'array',
            description: 'What the schema asks, and where in the schema; absent when the request cannot be read at all',
            items: { type: 'object', required: ['path', 'message'], properties: { path: { type: 'string' }, message: { type: 'string' } } }
          }
        }
      }
    }
  })
  const { responses } = paths['/auth/login']!.post!
  const sent: Array<[status: number, request: { headers?: Record<string, string>, payload: object | string }]> = [
    [400, { payload: {} }], [413, { payload: { password: 'x'.repeat(2 ** 20) } }], [415, { headers: { 'content-type': 'a/b' }, payload: 'x' }]
  ]
  for (const [status, request] of sent) {
    for (const [accept, { examples }] of Object.entries(responses[status]!.content!)) {
      const response = await app.inject({ method: 'POST', url: '/auth/login', ...request, headers: { ...request.headers, accept } })
      t.strictSame(Object.values(examples)[0]!.value, response.json(), `${status} ${accept}`)
      for (const name of Object.keys(responses[status]!.headers!)) t.ok(name.toLowerCase() in response.headers, name)
    }
  }
})

t.test('a request that a route itself finds invalid is answered like one that its schema refuses', async (t) => {
  const errors = [{ path: 'body/properties/email', message: 'must be free of blanks' }]
  const app = await mounted(t, {}, {}, (scope) => { scope.get('/checked', async () => { throw new RequestInvalidError({ errors }) }) })
  const response = await app.inject('/auth/checked')
  refused(t, response, 400, 'REQUEST_INVALID', 'The request is invalid.')
  t.strictSame(response.json().extra, { code: 'REQUEST_INVALID', errors })
})

t.test('the log has what happened, and nothing of a body', async (t) => {
  const { lines, serverOptions, text } = logged()
  const app = await mounted(t, {}, serverOptions)
  for (const payload of ['{"password":"c4n4ry"', '{"password":"c4n4ry","admin":true}', '{"password":["c4n4ry"]}', '{"__proto__":"c4n4ry"}']) await app.inject({ method: 'POST', url: '/auth/login', headers: json, payload })
  await app.inject({ method: 'POST', url: '/auth/login', payload: { password: 'x', c4n4ry: 1 } })
  t.ok(lines.some(({ level, msg }) => level === 30 && msg === 'body must be string'), 'the rule that was broken')
  t.notMatch(lines.map(({ msg }) => msg).join(), 'c4n4ry')
  t.notMatch(text().replaceAll('"additionalProperty":"c4n4ry"', ''), 'c4n4ry', 'no value; a key, where it is the fault')
  await app.inject('/auth/fault')
  t.match(lines.find(({ level }) => level === 50), { err: { message: 'c4n4ry', stack: /Error: c4n4ry/ } })
})

t.test('a validator that fails without saying anything', async (t) => {
  const app = await mounted(t, {}, {}, (scope) => {
    scope.post('/silent', { schema: { body: {} }, validatorCompiler: () => Object.assign(() => false, { errors: [] }) as never }, async () => 'in')
  })
  refused(t, await app.inject({ method: 'POST', url: '/auth/silent', payload: {} }), 400, 'REQUEST_INVALID')
})

t.test('refusals keep what an error class adds', async (t) => {
  const app = await mounted(t, {}, {}, (scope) => {
    scope.get('/limited', async () => { throw new RateLimitError({ retryAfter: 7 }) })
    scope.get('/missing', async () => { throw new UserNotFoundError({ code: 'SESSION_NOT_FOUND' }) })
  })
  const response = await app.inject('/auth/limited')
  refused(t, response, 429, 'RATE_LIMITED')
  t.equal(response.headers['retry-after'], '7')
  refused(t, await app.inject('/auth/missing'), 404, 'SESSION_NOT_FOUND')
})
