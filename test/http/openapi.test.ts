import t, { type Test } from 'tap'
import auth from '@fastify/auth'
import swagger from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import authPlugin, { createSigner, errorResponses, InsufficientGroupsError, InvalidPasswordError, MissingTokenError, PasswordPolicyError, TokenExpiredError, UserNotFoundError } from '../../index.js'
import { bearer, options, server } from '../build.js'
import { buildDocumented, codesOf, documentOf, operationOf, USER_CODES, VERSIONS } from '../openapi/document.js'

const handler = async () => ({ ok: true })
const ROLES = { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] }
const bearerSecurity = [{ bearerAuth: [] }]

t.test('each way to guard a route documents what it refuses, and nothing else', async t => {
  const strangers = { ...USER_CODES, 401: ['TOKEN_EXPIRED', 'TOKEN_INVALID'] }
  const cases: Array<[name: string, declare: (app: FastifyInstance) => void, codes: object]> = [
    ['requireUser', app => { app.get('/x', { preHandler: app.requireUser() }, handler) }, USER_CODES],
    ['requireRole in a list', app => { app.get('/x', { preHandler: [app.requireRole('admin')] }, handler) }, ROLES],
    ['requireAllRoles in onRequest', app => { app.get('/x', { onRequest: app.requireAllRoles('a', 'b') }, handler) }, ROLES],
    ['requireGroup in preValidation', app => { app.get('/x', { preValidation: [app.requireGroup('a')] }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_GROUPS'] }],
    ['requireAllGroups', app => { app.get('/x', { preHandler: app.requireAllGroups('a') }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_GROUPS'] }],
    ['requireScope', app => { app.get('/x', { preHandler: app.requireScope('read') }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_SCOPE'] }],
    ['requireAllScopes', app => { app.get('/x', { preHandler: app.requireAllScopes('read') }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_SCOPE'] }],
    ['optionalUser', app => { app.get('/x', { preHandler: app.optionalUser() }, handler) }, strangers],
    ['several guards in several places', app => { app.get('/x', { onRequest: app.requireRole('a'), preHandler: [app.optionalUser(), app.requireRole('b'), app.requireScope('c')] }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_ROLES', 'INSUFFICIENT_SCOPE'] }],
    ['config.auth: true', app => { app.get('/x', { config: { auth: true } }, handler) }, USER_CODES],
    ['config.auth with roles and groups', app => { app.get('/x', { config: { auth: { roles: ['a'], allGroups: ['b'] } } }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_ROLES', 'INSUFFICIENT_GROUPS'] }],
    ['config.auth with optional', app => { app.get('/x', { config: { auth: { optional: true } } }, handler) }, strangers],
    ['config.auth with errors of the handler', app => { app.get('/x', { config: { auth: { errors: [UserNotFoundError, InsufficientGroupsError, TokenExpiredError] } } }, handler) }, { ...USER_CODES, 403: ['INSUFFICIENT_GROUPS'], 404: ['USER_NOT_FOUND'] }],
    ['a hook of the same scope, added after the route', app => { app.get('/x', handler); app.addHook('onRequest', app.requireRole('a')) }, ROLES],
    ['a hook of an enclosing plugin', app => {
      app.register(async outer => {
        outer.addHook('preHandler', outer.requireRole('a'))
        outer.register(async inner => { inner.get('/x', handler) })
      })
    }, ROLES],
    ['fastify.auth([...]) together with config.auth', app => {
      app.register(auth)
      app.register(async child => {
        child.get('/x', { config: { auth: { roles: ['a'] } }, preHandler: child.auth([child.requireRole('a')]) }, handler)
      })
    }, ROLES]
  ]
  for (const [name, declare, codes] of cases) {
    const app = await buildDocumented(t)
    declare(app)
    const operation = await operationOf(app, '/x')
    t.strictSame(codesOf(operation), codes, name)
    t.strictSame(Object.keys(operation.responses), ['200', ...Object.keys(codes)], `${name}: one response per status`)
    t.strictSame(operation.security, name.includes('ptional') ? [{ bearerAuth: [] }, {}] : bearerSecurity, `${name}: security`)
  }
})

t.test('the codes of the document are those that the route answers with', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { preHandler: app.requireRole('admin') }, handler)
  const documented = new Set(Object.values(codesOf(await operationOf(app, '/x'))).flat())
  const requests = [{}, { authorization: 'Bearer a b c' }, bearer({ exp: 1 }), bearer({ iss: 'x' }), bearer()]
  const answered = await Promise.all(requests.map(async headers => (await app.inject({ url: '/x', headers })).json().extra.code))
  t.strictSame(new Set(answered), documented)
})

t.test('503 is listed where authentication depends on something that may be down', async t => {
  for (const [name, overrides, listed] of [
    ['a secret', {}, false],
    ['a key set', { jwt: { jwksUrl: 'https://auth.example.com/keys' } }, true],
    ['a role resolver', { roles: () => [] }, true]
  ] as const) {
    const app = await buildDocumented(t, overrides)
    app.get('/x', { preHandler: app.requireUser() }, handler)
    const { responses } = await operationOf(app, '/x')
    t.equal('503' in responses, listed, name)
    if (listed) {
      t.strictSame(codesOf({ responses })[503], ['AUTH_UNAVAILABLE'])
      t.strictSame(responses[503]?.headers?.['Retry-After'], { description: 'Seconds to wait before trying again', schema: { type: 'integer' }, required: true })
    }
  }
})

t.test("protect: 'all' documents every route but those that are open to all", async t => {
  const app = await buildDocumented(t, { protect: 'all' }, { openapi: { openapi: '3.1.0', security: [{ bearerAuth: [] }], components: { securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer' } } } } })
  app.get('/closed', handler)
  app.get('/roles', { config: { auth: { roles: ['a'] } } }, handler)
  app.get('/open', { config: { auth: false } }, handler)
  const { paths } = await documentOf(app)
  t.strictSame(codesOf(paths['/closed']!.get!), USER_CODES)
  t.strictSame(codesOf(paths['/roles']!.get!), ROLES)
  t.strictSame(paths['/open']!.get, { responses: { 200: { description: 'Default Response' } }, security: [] }, 'and these are exempt from the security of the whole document')
})

t.test('without security for the whole document, a route that is declared open says so, and others are left alone', async t => {
  const app = await buildDocumented(t)
  app.get('/declared', { config: { auth: false } }, handler)
  app.get('/silent', handler)
  app.get('/guarded', { preHandler: app.requireUser() }, handler)
  const { paths } = await documentOf(app)
  const untouched = { responses: { 200: { description: 'Default Response' } } }
  t.strictSame(paths['/declared']!.get, { ...untouched, security: [] })
  t.strictSame(paths['/silent']!.get, untouched)
})

t.test('a route that is open, and reads a token itself, says that one can be sent', async t => {
  const app = await buildDocumented(t)
  app.get('/leave', { config: { auth: false }, schema: { response: errorResponses(MissingTokenError) } }, handler)
  app.get('/reset', { config: { auth: false }, schema: { response: errorResponses(TokenExpiredError) } }, handler)
  const { paths } = await documentOf(app)
  t.strictSame(paths['/leave']!.get!.security, [{ bearerAuth: [] }, {}])
  t.strictSame(paths['/reset']!.get!.security, [], 'other tokens do not come as a bearer')
})

t.test('errorHandler: false documents security only', async t => {
  const app = await buildDocumented(t, { errorHandler: false })
  app.get('/x', { preHandler: app.requireRole('a') }, handler)
  t.strictSame(await operationOf(app, '/x'), { responses: { 200: { description: 'Default Response' } }, security: bearerSecurity })
})

t.test('a refusal has its headers, both forms of body, and an example that is what is sent', async t => {
  for (const version of VERSIONS) {
    const app = await buildDocumented(t, {}, { openapi: { openapi: version } })
    app.get('/x', { preHandler: app.requireScope('reports:read') }, handler)
    const { paths, components } = await documentOf(app)
    const { 401: unauthorized, 403: forbidden } = paths['/x']!.get!.responses
    t.equal(forbidden!.description, 'Forbidden: INSUFFICIENT_SCOPE')
    for (const { headers } of [unauthorized!, forbidden!]) {
      t.strictSame(Object.entries(headers!).map(([name, { required }]) => [name, required]), [['Cache-Control', true], ['WWW-Authenticate', true], ['Vary', true]])
    }
    t.strictSame(unauthorized!.content!['application/json']!.schema, { anyOf: ['MissingToken', 'TokenExpired', 'TokenInvalid'].map(name => ({ $ref: `#/components/schemas/${name}Error` })) })
    t.strictSame(forbidden!.content!['application/json']!.schema, { $ref: '#/components/schemas/InsufficientScopeError' })
    t.strictSame(components.schemas.InsufficientScopeError, {
      type: 'object',
      required: ['status_code', 'detail', 'extra'],
      properties: {
        status_code: { type: 'number', enum: [403] },
        detail: { type: 'string' },
        extra: {
          type: 'object',
          required: ['code'],
          properties: {
            code: { type: 'string', enum: ['INSUFFICIENT_SCOPE'] },
            required_scopes: { type: 'array', items: { type: 'string' }, description: 'Scopes that are required' }
          }
        }
      }
    })
    for (const [type, content] of Object.entries(forbidden!.content!)) {
      const response = await app.inject({ url: '/x', headers: { ...bearer(), accept: type } })
      t.ok(response.headers['content-type']?.toString().startsWith(type))
      t.strictSame(content.examples.INSUFFICIENT_SCOPE!.value, response.json(), `${version} ${type}`)
    }
  }
})

t.test('what an application exposes is in the schema and in the example', async t => {
  const app = await buildDocumented(t, {
    expose: {
      InsufficientRolesError: {
        schema: Type.Object({
          required_roles: Type.Array(Type.String(), { examples: [['admin']] }),
          const: Type.Literal('x'),
          contact: Type.Union([Type.String(), Type.Null()], { default: null }),
          ticket: Type.String({ pattern: '^T\\d+$' })
        }),
        pick: () => ({})
      }
    }
  })
  app.get('/x', { preHandler: app.requireRole('admin') }, handler)
  const { paths, components } = await documentOf(app)
  const { properties } = components.schemas.InsufficientRolesError as { properties: { extra: object } }
  t.match(properties.extra, {
    required: ['code', 'required_roles', 'const', 'contact', 'ticket'],
    properties: { required_roles: { type: 'array', items: { type: 'string' } }, const: { type: 'string', enum: ['x'] }, contact: { default: null, anyOf: [{ type: 'string' }, { enum: [null] }] } }
  })
  const { content } = paths['/x']!.get!.responses[403]!
  t.strictSame(content!['application/json']!.examples.INSUFFICIENT_ROLES!.value.extra, { required_roles: ['admin'], const: 'x', contact: null, code: 'INSUFFICIENT_ROLES' }, 'what no example can be made of is left out')
  t.match(content!['application/problem+json']!.examples.INSUFFICIENT_ROLES!.value, { status: 403, code: 'INSUFFICIENT_ROLES', required_roles: ['admin'] })
})

t.test("a code of the endpoint's own has a schema of its own, named for it", async t => {
  for (const version of VERSIONS) {
    const app = await buildDocumented(t, {}, { openapi: { openapi: version } })
    const errors = [{ errorClass: InvalidPasswordError, code: 'REGISTER_INVALID_PASSWORD' }, { errorClass: PasswordPolicyError, code: 'REGISTER_INVALID_PASSWORD' }]
    app.post('/register', { schema: { response: errorResponses(...errors) } }, handler)
    app.post('/reset', { schema: { response: errorResponses({ errorClass: InvalidPasswordError, code: 'RESET_PASSWORD_INVALID_PASSWORD' }) } }, handler)
    app.post('/plain', { schema: { response: errorResponses(InvalidPasswordError) } }, handler)
    const { paths, components } = await documentOf(app)
    const { content } = paths['/register']!.post!.responses[400]!
    t.strictSame(content!['application/json']!.schema, { $ref: '#/components/schemas/RegisterInvalidPassword' })
    t.strictSame(content!['application/problem+json']!.schema, { $ref: '#/components/schemas/RegisterInvalidPasswordProblem' })
    t.strictSame(components.schemas.RegisterInvalidPassword, {
      type: 'object',
      required: ['status_code', 'detail', 'extra'],
      properties: {
        status_code: { type: 'number', enum: [400] },
        detail: { type: 'string' },
        extra: {
          type: 'object',
          required: ['code'],
          properties: {
            code: { type: 'string', enum: ['REGISTER_INVALID_PASSWORD'] },
            errors: { type: 'array', items: { type: 'string' }, description: 'One sentence per failed rule' }
          }
        }
      }
    })
    t.match(components.schemas.RegisterInvalidPasswordProblem, { properties: { status: { enum: [400] }, code: { enum: ['REGISTER_INVALID_PASSWORD'] } } })
    t.strictSame(Object.keys(components.schemas).sort(), ['InvalidPasswordError', 'InvalidPasswordProblem', 'RegisterInvalidPassword', 'RegisterInvalidPasswordProblem', 'ResetPasswordInvalidPassword', 'ResetPasswordInvalidPasswordProblem'])
  }
})

t.test('names made from codes are never taken twice', async t => {
  const app = await buildDocumented(t)
  const codes = ['A__B_', 'AB', 'A_B', 'A_B_PROBLEM', 'USER_NOT_FOUND_ERROR']
  app.get('/x', { schema: { response: errorResponses(UserNotFoundError, ...codes.map(code => ({ errorClass: UserNotFoundError, code }))) } }, handler)
  app.get('/same', { schema: { response: errorResponses({ errorClass: UserNotFoundError, code: 'USER_NOT_FOUND' }) } }, handler)
  const { paths, components } = await documentOf(app)
  for (const [type, path] of [['application/json', ['extra', 'properties', 'code', 'enum']], ['application/problem+json', ['code', 'enum']]] as const) {
    const documented = paths['/x']!.get!.responses[404]!.content![type]!.schema.anyOf!.map(({ $ref }) => {
      const { properties } = components.schemas[$ref.split('/').at(-1)!] as { properties: unknown }
      return path.reduce((value, key) => (value as Record<string, unknown>)[key], properties)
    })
    t.strictSame(documented, ['USER_NOT_FOUND', ...codes].map(code => [code]), type)
  }
  t.strictSame(paths['/same']!.get!.responses[404]!.content!['application/json']!.schema, { $ref: '#/components/schemas/UserNotFoundError' }, "the code of the class is none of the endpoint's own")
})

t.test('what an application exposes of a class is there under a code of the endpoint as well', async t => {
  const shown = (name: string) => ({ schema: Type.Object({ [name]: Type.String({ examples: ['u1'] }) }), pick: () => ({ [name]: 'u1' }) })
  const app = await buildDocumented(t, { expose: { InvalidPasswordError: shown('user_id') } })
  const code = 'REGISTER_INVALID_PASSWORD'
  app.post('/one', { schema: { response: errorResponses({ errorClass: InvalidPasswordError, code }) } }, async () => { throw new InvalidPasswordError({ code, errors: ['Password must be at least 8 characters'] }) })
  app.post('/two', { schema: { response: errorResponses({ errorClass: InvalidPasswordError, code }, { errorClass: PasswordPolicyError, code }) } }, handler)
  const { paths, components } = await documentOf(app)
  const { schema, examples } = paths['/one']!.post!.responses[400]!.content!['application/json']!
  t.match(components.schemas[schema.$ref!.split('/').at(-1)!], { properties: { extra: { required: ['code', 'user_id'] } } })
  t.strictSame(examples[code]!.value, (await app.inject({ method: 'POST', url: '/one' })).json())
  t.strictSame(paths['/two']!.post!.responses[400]!.content!['application/json']!.schema.anyOf?.map(({ $ref }) => $ref.split('/').at(-1)), ['RegisterInvalidPassword', 'AuthRegisterInvalidPassword'], 'a class that shares the code and exposes nothing has another schema')
  t.match(components.schemas.AuthRegisterInvalidPassword, { properties: { extra: { required: ['code'] } } })
  t.equal(paths['/two']!.post!.responses[400]!.description, 'Bad Request: REGISTER_INVALID_PASSWORD')
})

async function securityWith (t: Test, openapi: object, schema?: object): Promise<{ security: unknown, schemes: unknown }> {
  const app = await buildDocumented(t, {}, { openapi: { openapi: '3.0.3', ...openapi } })
  app.get('/x', { preHandler: app.requireUser(), ...(schema !== undefined && { schema }) }, handler)
  const { paths, components } = await documentOf(app)
  return { security: paths['/x']!.get!.security, schemes: components.securitySchemes }
}

t.test('the security scheme', async t => {
  const ours = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }
  const apiKey = { type: 'apiKey', in: 'header', name: 'x-api-key' }
  const other = { type: 'http', scheme: 'Bearer' }

  t.strictSame(await securityWith(t, {}), { security: bearerSecurity, schemes: { bearerAuth: ours } }, 'is added where none is declared')
  t.strictSame(await securityWith(t, { components: { securitySchemes: { apiKey } } }), { security: bearerSecurity, schemes: { apiKey, bearerAuth: ours } }, 'is added to those of other kinds')
  t.strictSame(await securityWith(t, { components: { securitySchemes: { apiKey, jwt: other } } }), { security: [{ jwt: [] }], schemes: { apiKey, jwt: other } }, 'is the one declared, under its name')
  t.strictSame(await securityWith(t, { components: { securitySchemes: { bearerAuth: apiKey } } }), { security: [{ fastifyBouncerBearer: [] }], schemes: { bearerAuth: apiKey, fastifyBouncerBearer: ours } }, 'leaves a scheme of another kind that has its name')
  t.strictSame(await securityWith(t, { components: { securitySchemes: { apiKey } } }, { security: [{ apiKey: [] }] }), { security: [{ apiKey: [] }], schemes: { apiKey } }, "yields to the route's own security")
  t.strictSame((await securityWith(t, { security: [{ apiKey: [] }], components: { securitySchemes: { apiKey } } })).security, bearerSecurity, 'replaces, on the route, the security of the whole document')
})

t.test("an application's own list of schemes is not written to", async t => {
  const securitySchemes = {}
  await securityWith(t, { components: { securitySchemes } })
  t.strictSame(securitySchemes, {})
})

t.test('the Authorization header is documented once, as security', async t => {
  const headers = (names: string[]) => ({ type: 'object', properties: Object.fromEntries(names.map(name => [name, { type: 'string' }])) })
  const app = await buildDocumented(t)
  app.get('/both', { preHandler: app.requireUser(), schema: { headers: headers(['Authorization', 'x-trace']) } }, handler)
  app.get('/alone', { preHandler: app.requireUser(), schema: { headers: headers(['authorization']), querystring: headers([]) } }, handler)
  app.get('/unguarded', { schema: { headers: headers(['authorization']) } }, handler)
  app.get('/query', { preHandler: app.requireUser(), schema: { querystring: headers(['authorization']) } }, handler)
  const { paths } = await documentOf(app)
  const names = (path: string) => paths[path]!.get!.parameters?.map(({ name }) => name)
  t.strictSame(names('/both'), ['x-trace'])
  t.strictSame(names('/alone'), undefined)
  t.strictSame(names('/unguarded'), ['authorization'])
  t.strictSame(names('/query'), ['authorization'])
})

t.test('what a signature comes in is documented once, as security', async (t) => {
  const fields = (names: string[]) => ({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })
  const app = await buildDocumented(t)
  const secret = 'a secret of at least thirty-two bytes'
  const url = app.requireSignedUrl({ signer: createSigner({ secret, purpose: 'downloads' }) })
  const request = app.requireSignedRequest({ keys: { billing: secret } })
  const schema = { querystring: fields(['expires', 'signature', 'file']), headers: fields(['Signature', 'x-trace', 'authorization']) }
  app.get('/url', { preHandler: url, schema }, handler)
  app.get('/url-alone', { preHandler: url, schema: { querystring: fields(['expires', 'signature']) } }, handler)
  app.get('/open', { preHandler: url, config: { auth: false }, schema }, handler)
  app.get('/request', { preHandler: request, schema }, handler)
  app.get('/both', { preHandler: [app.requireUser(), url, request], schema }, handler)
  app.get('/own', { preHandler: url, schema: { ...schema, security: [] } }, handler)
  app.get('/neither', { schema }, handler)
  const { paths } = await documentOf(app)
  const names = (path: string) => paths[path]!.get!.parameters?.map(({ name }) => name)
  t.strictSame(names('/url'), ['file', 'Signature', 'x-trace', 'authorization'])
  t.strictSame(names('/url-alone'), undefined)
  t.strictSame(names('/open'), ['file', 'Signature', 'x-trace', 'authorization'])
  t.strictSame(names('/request'), ['expires', 'signature', 'file', 'x-trace', 'authorization'])
  t.strictSame(names('/both'), ['file', 'x-trace'])
  for (const path of ['/own', '/neither']) t.strictSame(names(path), ['expires', 'signature', 'file', 'Signature', 'x-trace', 'authorization'])
})

t.test("the application's own responses stay", async t => {
  const app = await buildDocumented(t)
  const own = (description: string) => ({ description, type: 'object', properties: { mine: { type: 'string' } } })
  app.get('/x', { preHandler: app.requireRole('a'), schema: { response: { 200: own('mine'), 401: own('my 401'), '4xx': own('any other'), default: own('the rest') } } }, handler)
  const { responses } = await operationOf(app, '/x')
  const documented = (description: string) => ({ description, content: { 'application/json': { schema: { description, type: 'object', properties: { mine: { type: 'string' } } } } } })
  t.strictSame(responses[200], documented('mine'))
  t.strictSame(responses[401], documented('my 401'))
  t.strictSame(responses['4XX'], documented('any other'))
  t.strictSame(responses.default, documented('the rest'))
  t.strictSame(codesOf({ responses }), { 400: USER_CODES[400], 403: ['INSUFFICIENT_ROLES'] })
})

t.test("components keep the application's schemas, and do not take a name twice", async t => {
  const app = await buildDocumented(t, {}, { refResolver: { buildLocalReference: (json, _uri, _fragment, i) => String(json.$id ?? i) } })
  app.addSchema({ $id: 'MissingTokenError', type: 'object', properties: { theirs: { type: 'string' } } })
  app.addSchema({ $id: 'Item', type: 'object', properties: { name: { type: 'string' } } })
  app.get('/x', { preHandler: app.requireUser(), schema: { response: { 200: { $ref: 'Item#' }, 418: { $ref: 'MissingTokenError#' } } } }, handler)
  app.get('/y', { preHandler: app.requireUser() }, handler)
  const { paths, components } = await documentOf(app)
  t.match(components.schemas.MissingTokenError, { properties: { theirs: { type: 'string' } } })
  t.match(components.schemas.AuthMissingTokenError, { properties: { status_code: { enum: [401] } } })
  t.match(paths['/x']!.get!.responses[200], { content: { 'application/json': { schema: { $ref: '#/components/schemas/Item' } } } })
  for (const path of ['/x', '/y']) t.equal(paths[path]!.get!.responses[401]!.content!['application/json']!.schema.anyOf![0]!.$ref, '#/components/schemas/AuthMissingTokenError')
  t.equal(Object.keys(components.schemas).length, 2 + 2 * 4, 'each body of ours once')
})

t.test("classes of the application's own", async t => {
  class OrderNotFoundError extends UserNotFoundError { static override readonly code = 'ORDER_NOT_FOUND' }
  class SameCodeError extends UserNotFoundError {}
  const app = await buildDocumented(t)
  const anonymous = [class extends UserNotFoundError { static override readonly code = 'ANONYMOUS' }][0]!
  const errors = [UserNotFoundError, OrderNotFoundError, SameCodeError, anonymous]
  app.get('/x', { config: { auth: { errors } } }, handler)
  const { paths, components } = await documentOf(app)
  t.strictSame(codesOf(paths['/x']!.get!)[404], ['USER_NOT_FOUND', 'ORDER_NOT_FOUND', 'ANONYMOUS'], 'a code is listed once')
  t.strictSame(paths['/x']!.get!.responses[404]!.content!['application/json']!.schema.anyOf!.map(({ $ref }) => $ref.split('/').at(-1)), ['UserNotFoundError', 'OrderNotFoundError', 'ANONYMOUS'])
  t.ok('ANONYMOUSProblem' in components.schemas)
})

t.test('two registrations in sibling children share one document', async t => {
  const app = server(t)
  await app.register(swagger, { openapi: { openapi: '3.1.0' } })
  for (const name of ['one', 'two']) {
    await app.register(async child => {
      await child.register(authPlugin, options)
      child.get(`/${name}`, { preHandler: child.requireRole('a') }, handler)
    })
  }
  const { paths, components } = await documentOf(app)
  for (const path of ['/one', '/two']) {
    t.strictSame(codesOf(paths[path]!.get!), ROLES, path)
    t.strictSame(paths[path]!.get!.security, bearerSecurity, path)
  }
  t.strictSame(paths['/one'], paths['/two'], 'and its schemas')
  t.equal(Object.keys(components.schemas).length, 10)
  t.strictSame(Object.keys(components.securitySchemes!), ['bearerAuth'])
})

t.test('many routes share their schemas', async t => {
  const app = await buildDocumented(t)
  for (let i = 0; i < 1000; i++) app.get(`/items/${i}`, { preHandler: app.requireRole('a') }, handler)
  const { paths, components } = await documentOf(app)
  t.equal(Object.keys(paths).length, 1000)
  t.equal(Object.keys(components.schemas).length, 10, 'five refusals in two forms')
  for (const { content } of Object.values(paths['/items/999']!.get!.responses)) {
    for (const { schema } of Object.values(content ?? {})) t.ok((schema.anyOf ?? [schema]).every(one => Object.keys(one).join() === '$ref'))
  }
  t.ok(JSON.stringify(paths['/items/999']).length < 5000, 'about four kilobytes a route, most of it examples')
})
