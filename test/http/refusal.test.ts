import { Type } from '@sinclair/typebox'
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { InsufficientRolesError, OAuthAccountAlreadyLinkedError, RateLimitError, AuthUnavailableError, UserNotFoundError, validateOptions, type AuthError, type AuthPluginOptions, type Exposure } from '../../index.js'
import { bearer, build, options, refused, server } from '../build.js'
import { logged, type LogLine } from '../log-lines.js'

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 } as const

/** Routes that refuse: by a guard, and by what a handler throws. */
function routes (app: FastifyInstance): void {
  app.get('/admin', { onRequest: app.requireRole('admin') }, async () => 'reached')
  app.get('/limited', async () => { throw new RateLimitError({ retryAfter: 30, identifier: 'ada' }) })
  app.get('/linked', async () => { throw new OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'acct-123', existingUserId: 7n }) })
  app.get('/down', async () => { throw new AuthUnavailableError({ dependency: 'keys', message: 'connect ECONNREFUSED' }) })
}

/** The line about a refusal, told by its error. */
const lineOf = (lines: LogLine[], type: string): LogLine | undefined => lines.find(({ err }) => (err as { type?: string } | undefined)?.type === type)

t.test('the log line: message and private context, at the level of logLevel', async (t) => {
  for (const [logLevel, number] of Object.entries(LEVELS) as Array<[keyof typeof LEVELS, number]>) {
    const { lines, serverOptions } = logged()
    const app = await build(t, { logLevel }, serverOptions)
    routes(app)
    refused(t, await app.inject({ url: '/admin', headers: bearer({ roles: ['support'] }) }), 403, 'INSUFFICIENT_ROLES')
    const roles = lineOf(lines, 'InsufficientRolesError')
    t.equal(roles?.level, number, logLevel)
    t.equal(roles?.msg, 'The authenticated user does not have any of the required roles.')
    t.strictSame(roles?.context, { requiredRoles: ['admin'], userRoles: ['support'], requireAll: false })
    t.type(roles?.reqId, 'string')
    refused(t, await app.inject('/linked'), 400, 'OAUTH_ACCOUNT_ALREADY_LINKED')
    const linked = lineOf(lines, 'OAuthAccountAlreadyLinkedError')
    t.equal(linked?.level, number)
    t.equal(linked?.msg, 'The google account acct-123 is already linked to user 7.')
    t.match(linked?.context, { provider: 'google', accountId: 'acct-123' })
  }
})

t.test('info is the default, and one refusal is one line', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await build(t, {}, serverOptions)
  routes(app)
  await app.inject({ url: '/admin', headers: bearer() })
  const about = lines.filter(({ err }) => err !== undefined)
  t.strictSame(about.map(({ level }) => level), [30])
})

t.test('silent writes nothing of a refusal; a 5xx is always an error', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await build(t, { logLevel: 'silent' }, serverOptions)
  routes(app)
  refused(t, await app.inject('/admin'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject('/limited'), 429, 'RATE_LIMITED')
  t.equal(lines.filter(({ err }) => err !== undefined).length, 0)
  refused(t, await app.inject('/down'), 503, 'AUTH_UNAVAILABLE')
  const down = lineOf(lines, 'AuthUnavailableError')
  t.equal(down?.level, 50)
  t.equal(down?.msg, 'connect ECONNREFUSED')
  t.strictSame(down?.context, { dependency: 'keys' })
})

t.test('a route whose own log is silent stays silent', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await build(t, {}, serverOptions)
  app.get('/quiet', { logLevel: 'silent', onRequest: app.requireUser() }, async () => 'reached')
  refused(t, await app.inject('/quiet'), 401, 'MISSING_TOKEN')
  t.strictSame(lines.filter(({ err }) => err !== undefined), [])
})

t.test('a logger of the application\'s own gets the error itself', async (t) => {
  const seen: unknown[] = []
  const nothing = (): void => {}
  const own = { level: 'trace', info: nothing, error: nothing, fatal: nothing, debug: nothing, trace: nothing, silent: nothing, warn: (entry: { err: AuthError }, message: string) => { seen.push(entry.err.name, message) }, child: () => own }
  const app = await build(t, { logLevel: 'warn' }, { loggerInstance: own as never })
  routes(app)
  refused(t, await app.inject('/limited'), 429, 'RATE_LIMITED')
  t.strictSame(seen, ['RateLimitError', 'Too many attempts. Try again later.'])
})

// expose

const exposure: Exposure = {
  schema: Type.Object({ required_roles: Type.Array(Type.String()) }),
  pick: (error) => ({ required_roles: [...(error as InsufficientRolesError).requiredRoles ?? []] })
}

async function exposing (t: Test, expose: AuthPluginOptions['expose']): Promise<{ lines: LogLine[], get: (url: string, accept?: string) => Promise<LightMyRequestResponse> }> {
  const { lines, serverOptions } = logged()
  const app = await build(t, { expose }, serverOptions)
  routes(app)
  return { lines, get: async (url, accept = '*/*') => await app.inject({ url, headers: { accept, ...bearer({ roles: ['support'] }) } }) }
}

t.test('expose adds what it picks, for its class alone', async (t) => {
  const { get } = await exposing(t, { InsufficientRolesError: exposure })
  t.equal((await get('/admin')).body, '{"status_code":403,"detail":"The authenticated user does not have any of the required roles.","extra":{"code":"INSUFFICIENT_ROLES","required_roles":["admin"]}}')
  t.equal((await get('/admin', 'application/problem+json')).body, '{"type":"about:blank","title":"Forbidden","status":403,"detail":"The authenticated user does not have any of the required roles.","code":"INSUFFICIENT_ROLES","required_roles":["admin"]}')
  t.strictSame((await get('/limited')).json().extra, { code: 'RATE_LIMITED', retry_after: 30 })
})

t.test('expose is in the OpenAPI document as well', async (t) => {
  const app = server(t)
  await app.register(swagger, { openapi: { openapi: '3.1.0' } })
  await app.register(authPlugin, { ...options, expose: { InsufficientRolesError: exposure } })
  routes(app)
  await app.ready()
  const { components } = JSON.parse(JSON.stringify(app.swagger()))
  t.match(components.schemas.InsufficientRolesError.properties.extra.properties.required_roles, { type: 'array', items: { type: 'string' } })
  t.match(components.schemas.InsufficientRolesProblem.properties.required_roles, { type: 'array', items: { type: 'string' } })
  t.equal(components.schemas.MissingTokenError.properties.extra.properties.required_roles, undefined)
})

t.test('a pick that throws exposes nothing, and the refusal stands with its public fields', async (t) => {
  const pick = (): never => { throw new Error('pick failed') }
  const { lines, get } = await exposing(t, {
    InsufficientRolesError: { ...exposure, pick },
    RateLimitError: { schema: Type.Object({ identifier: Type.String() }), pick }
  })
  for (const accept of ['*/*', 'application/problem+json']) {
    const roles = await get('/admin', accept)
    t.equal(roles.statusCode, 403)
    t.notMatch(roles.body, /required_roles|pick failed/)
    const limited = await get('/limited', accept)
    t.equal(limited.statusCode, 429)
    t.equal((limited.json().extra ?? limited.json()).retry_after, 30)
    t.equal(limited.headers['retry-after'], '30')
    t.notMatch(limited.body, /identifier|ada/)
  }
  t.ok(lines.some(({ level, msg, err }) => level === 50 && msg === 'fastify-bouncer: expose failed while an error was answered' && (err as Error).message === 'pick failed'))
})

t.test('a pick that does not keep to its schema exposes nothing', async (t) => {
  const wrong: Record<string, unknown> = { missing: {}, none: undefined, text: 'roles', kind: { required_roles: 7n }, circular: { required_roles: Symbol('x') }, late: Promise.resolve({ required_roles: ['admin'] }) }
  for (const [name, picked] of Object.entries(wrong)) {
    const { get } = await exposing(t, { InsufficientRolesError: { ...exposure, pick: () => picked as Record<string, unknown> } })
    const response = await get('/admin')
    refused(t, response, 403, 'INSUFFICIENT_ROLES')
    t.strictSame(response.json().extra, { code: 'INSUFFICIENT_ROLES' }, name)
  }
})

t.test('a pick cannot overwrite what is ours, nor add what its schema lacks', async (t) => {
  const forged = { code: 'FORGED', status: 200, status_code: 200, type: 'forged', title: 'forged', detail: 'forged', unlisted: 'forged', required_roles: ['admin'] }
  const schemas = [exposure.schema, Type.Object({ code: Type.Integer(), status: Type.Integer(), type: Type.String(), title: Type.String(), detail: Type.String(), required_roles: Type.Array(Type.String()) })]
  for (const schema of schemas) {
    const { get } = await exposing(t, { InsufficientRolesError: { schema, pick: () => forged } })
    const json = (await get('/admin')).json()
    t.equal(json.status_code, 403)
    t.equal(json.extra.code, 'INSUFFICIENT_ROLES')
    t.match(json.detail, /^The authenticated user/)
    t.equal(json.extra.unlisted, undefined)
    t.strictSame((await get('/admin', 'application/problem+json')).json(), {
      type: 'about:blank', title: 'Forbidden', status: 403, detail: 'The authenticated user does not have any of the required roles.', code: 'INSUFFICIENT_ROLES', required_roles: ['admin']
    })
  }
})

t.test('a pick cannot overwrite a public field', async (t) => {
  const { get } = await exposing(t, { RateLimitError: { schema: Type.Object({ retry_after: Type.Integer(), identifier: Type.String() }), pick: () => ({ retry_after: 0, identifier: 'shown' }) } })
  t.strictSame((await get('/limited')).json().extra, { code: 'RATE_LIMITED', retry_after: 30, identifier: 'shown' })
})

t.test('expose for a name that is no class of ours is refused at start', async (t) => {
  for (const name of ['NoSuchError', 'Error', 'constructor']) t.throws(() => validateOptions({ ...options, expose: { [name]: exposure } }), { name: 'ConfigurationError', option: `expose.${name}` })
})

// detail

t.test('detail translates, by request, and leaves the rest', async (t) => {
  const french: Record<string, string> = { INSUFFICIENT_ROLES: 'Rôle insuffisant.', RATE_LIMITED: 'Trop d’essais.' }
  const app = await build(t, { detail: (error, request) => request.headers['accept-language'] === 'fr' ? french[error.code] : undefined })
  routes(app)
  const headers = { ...bearer(), 'accept-language': 'fr' }
  refused(t, await app.inject({ url: '/admin', headers }), 403, 'INSUFFICIENT_ROLES', 'Rôle insuffisant.')
  refused(t, await app.inject({ url: '/limited', headers }), 429, 'RATE_LIMITED', 'Trop d’essais.')
  refused(t, await app.inject({ url: '/linked', headers }), 400, 'OAUTH_ACCOUNT_ALREADY_LINKED', OAuthAccountAlreadyLinkedError.detail)
  refused(t, await app.inject({ url: '/admin', headers: bearer() }), 403, 'INSUFFICIENT_ROLES', 'The authenticated user does not have any of the required roles.')
  t.equal((await app.inject({ url: '/admin', headers: { ...headers, accept: 'application/problem+json' } })).json().detail, 'Rôle insuffisant.')
})

t.test('a detail that throws, or answers no string, changes nothing', async (t) => {
  const nothing: unknown = null
  const answers: Array<() => unknown> = [() => { throw new Error('translation failed') }, () => { throw nothing }, () => 42, () => null, () => ({ detail: 'x' }), async () => 'late', () => Symbol('x')]
  for (const answer of answers) {
    const { lines, serverOptions } = logged()
    const app = await build(t, { detail: answer as () => string }, serverOptions)
    routes(app)
    const response = await app.inject({ url: '/admin', headers: bearer() })
    refused(t, response, 403, 'INSUFFICIENT_ROLES', 'The authenticated user does not have any of the required roles.')
    t.notMatch(response.body, /translation failed/)
    t.equal(lines.some(({ msg }) => msg === 'fastify-bouncer: detail failed while an error was answered'), answers.indexOf(answer) < 2)
  }
})

// What an application does to its own answers.

t.test('serializers and hooks of the application leave the body alone', async (t) => {
  const seen: string[] = []
  const app = await build(t)
  app.setReplySerializer(() => '"serialised by the application"')
  app.addHook('preSerialization', async (_request, _reply, payload) => ({ envelope: payload }))
  app.addHook('onRequest', async (_request, reply) => { reply.serializer(() => '"serialised by the reply"') })
  app.addHook('onSend', async (_request, reply, payload) => {
    seen.push(String(payload))
    reply.header('x-seen', 'yes')
    return payload
  })
  routes(app)
  app.get('/own', async () => ({ ok: true }))
  const response = await app.inject({ url: '/admin', headers: { ...bearer() } })
  refused(t, response, 403, 'INSUFFICIENT_ROLES')
  t.strictSame(seen, [response.body], 'onSend sees the body as it goes out')
  t.equal(response.headers['x-seen'], 'yes')
  refused(t, await app.inject('/limited'), 429, 'RATE_LIMITED')
  t.equal((await app.inject('/own')).body, '"serialised by the reply"', 'its own answers are its own')
})

t.test('a schema of the application for the same status neither shapes nor breaks our body', async (t) => {
  const app = await build(t)
  const response = { '4xx': { type: 'object', required: ['mine'], properties: { mine: { type: 'string' } } } }
  app.get('/', { onRequest: app.requireUser(), schema: { response } }, async () => 'reached')
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
})

t.test('HEAD is refused with the headers of GET, and no body', async (t) => {
  const app = await build(t)
  routes(app)
  const get = await app.inject('/admin')
  const head = await app.inject({ method: 'HEAD', url: '/admin' })
  t.equal(head.statusCode, 401)
  t.equal(head.body, '')
  for (const name of ['content-type', 'content-length', 'cache-control', 'vary', 'www-authenticate']) t.equal(head.headers[name], get.headers[name], name)
  t.equal(Number(head.headers['content-length']), Buffer.byteLength(get.body))
})

// Headers.

t.test('Vary keeps what it has, and gets Accept once', async (t) => {
  const cases: Array<[before: string | string[] | undefined, after: string]> = [
    [undefined, 'Accept'],
    ['Origin', 'Origin, Accept'],
    ['Accept', 'Accept'],
    ['accept', 'accept'],
    ['Origin, ACCEPT ,Cookie', 'Origin, ACCEPT ,Cookie'],
    ['Accept-Encoding', 'Accept-Encoding, Accept'],
    ['Accept-Language, X-Accept', 'Accept-Language, X-Accept, Accept'],
    ['*', '*'],
    [['Origin', 'Cookie'], 'Origin,Cookie, Accept'],
    [['Origin', 'Accept'], 'Origin,Accept']
  ]
  const app = await build(t)
  for (const [index, [before]] of cases.entries()) {
    app.get(`/before/${index}`, async (_request, reply) => {
      if (before !== undefined) reply.header('vary', before)
      throw new UserNotFoundError()
    })
    app.get(`/error/${index}`, async () => { throw new UserNotFoundError(typeof before === 'string' ? { headers: { Vary: before } } : {}) })
  }
  for (const [index, [before, after]] of cases.entries()) {
    t.equal(String((await app.inject(`/before/${index}`)).headers.vary), after, `set before: ${String(before)}`)
    if (typeof before === 'string') t.equal((await app.inject(`/error/${index}`)).headers.vary, after, `on the error: ${before}`)
  }
})

t.test('headers of the error win over those set before; type and length are the body\'s', async (t) => {
  const app = await build(t)
  app.get('/', async (_request, reply) => {
    reply.headers({ 'cache-control': 'public, max-age=3600', 'content-type': 'text/csv', 'set-cookie': 'seen=1', 'x-before': 'kept' })
    throw new RateLimitError({ retryAfter: 30, headers: { 'X-Own': 'yes', 'Content-Type': 'text/html', 'retry-after': '60' } })
  })
  const { headers, body } = await app.inject('/')
  t.equal(headers['cache-control'], 'no-store')
  t.equal(headers['content-type'], 'application/json; charset=utf-8')
  t.equal(Number(headers['content-length']), Buffer.byteLength(body))
  t.equal(headers['x-own'], 'yes')
  t.equal(headers['retry-after'], '60')
  t.equal(headers['x-before'], 'kept')
})

t.test('a status that was set before is replaced', async (t) => {
  const app = await build(t)
  app.get('/', async (_request, reply) => { reply.code(202); throw new UserNotFoundError() })
  refused(t, await app.inject('/'), 404, 'USER_NOT_FOUND')
})

t.test('no header and no body repeats what a client sent', async (t) => {
  const app = await build(t)
  routes(app)
  const marker = 'made-up-by-the-client'
  for (const authorization of [marker, `Bearer ${marker}`, `${marker} ${marker}`, `Bearer ${marker} ${marker}`, `Basic ${marker}, Bearer ${marker}`]) {
    const response = await app.inject({ url: `/admin?q=${marker}`, headers: { authorization, accept: `text/${marker}, application/problem+json`, origin: marker, 'x-request-id': marker } })
    t.ok([400, 401].includes(response.statusCode))
    t.notMatch(response.body + JSON.stringify(response.headers), marker, authorization)
  }
})

t.test('an error answers again and again: it is not changed by being sent', async (t) => {
  const app = await build(t)
  const error: AuthError = new InsufficientRolesError({ requiredRoles: new Set(['admin']) })
  app.get('/', async () => { throw error })
  const first = await app.inject('/')
  const second = await app.inject('/')
  t.equal(second.body, first.body)
  t.equal(second.headers.vary, first.headers.vary)
})

// A log that fails.

/** Server options of an application whose log cannot write errors. */
const failingLog = (t: Test): FastifyServerOptions => {
  const { serverOptions } = logged()
  t.ok(serverOptions.logger)
  return { logger: { ...(serverOptions.logger as object), serializers: { err: () => { throw new Error('serializer failed') } } } }
}

/** An error that cannot be looked at. */
function unreadable (): Error {
  const error = new Error()
  for (const name of ['message', 'stack', 'name', 'cause']) Object.defineProperty(error, name, { get () { throw new Error('c4n4ry') } })
  return error
}

/** One of our errors, with a message that cannot be read. */
function unreadableOurs (): AuthError {
  return Object.defineProperty(new UserNotFoundError(), 'message', { get () { throw new Error('c4n4ry') } })
}

/** Everywhere that a guard can refuse: on routes, before unknown addresses, and on a route that was declared too early. */
async function everywhere (t: Test, overrides: AuthPluginOptions, serverOptions: FastifyServerOptions): Promise<{ app: FastifyInstance, ran: () => number }> {
  let ran = 0
  const handler = async () => { ran++; return 'in' }
  const app = server(t, serverOptions)
  app.register(async (scope) => {
    scope.get('/early', handler)
    scope.get('/asking', { config: { auth: true } }, handler)
    app.after(() => { scope.addHook('preHandler', (request, reply, done) => { app.requireUser()(request, reply, done) }) })
  })
  await app.register(authPlugin, { ...options, ...overrides })
  app.get('/onRequest', { onRequest: app.requireUser() }, handler)
  app.get('/preHandler', { preHandler: [app.requireUser()] }, handler)
  app.get('/config', { config: { auth: true } }, handler)
  app.get('/inline', async (request, reply) => { await app.requireUser()(request, reply); return await handler() })
  await app.register(async (scope) => {
    scope.setNotFoundHandler({ preHandler: app.requireUser() }, async () => await handler())
    scope.get('/called', (_request, reply) => { reply.callNotFound() })
  }, { prefix: '/none' })
  return { app, ran: () => ran }
}

const everyUrl = ['/onRequest', '/preHandler', '/config', '/inline', '/none/such', '/none/called', '/early']

t.test('a logger that throws changes no refusal, and keeps nobody waiting', async (t) => {
  for (const errorHandler of ['auth', 'all'] as const) {
    for (const roles of [undefined, async () => { throw new Error('directory down') }]) {
      const { app, ran } = await everywhere(t, { errorHandler, ...(roles !== undefined && { roles }) }, failingLog(t))
      for (const url of everyUrl) {
        refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
        refused(t, await app.inject({ url, headers: bearer({ exp: 1 }) }), 401, 'TOKEN_EXPIRED')
        if (roles !== undefined) refused(t, await app.inject({ url, headers: bearer() }), 503, 'AUTH_UNAVAILABLE')
      }
      refused(t, await app.inject('/asking'), 500, 'CONFIGURATION_ERROR')
      t.equal(ran(), 0)
    }
  }
})

t.test('a logger that throws, a detail and a pick that throw as well', async (t) => {
  const fail = (): never => { throw new Error('failed') }
  const { app } = await everywhere(t, { detail: fail, expose: { MissingTokenError: { schema: Type.Object({ hint: Type.String() }), pick: fail } } }, failingLog(t))
  for (const url of everyUrl) refused(t, await app.inject(url), 401, 'MISSING_TOKEN', 'Missing or invalid Authorization header')
})

t.test('an error that cannot be looked at, from the role resolver, is a 503 everywhere', async (t) => {
  for (const errorHandler of ['auth', 'all'] as const) {
    for (const roles of [() => { throw unreadable() }, async () => { await null; throw unreadable() }]) {
      for (const serverOptions of [{}, logged().serverOptions, failingLog(t)]) {
        const { app, ran } = await everywhere(t, { errorHandler, roles }, serverOptions)
        for (const url of everyUrl) {
          const response = await app.inject({ url, headers: bearer() })
          refused(t, response, 503, 'AUTH_UNAVAILABLE')
          t.notMatch(response.body, /c4n4ry/)
        }
        t.equal(ran(), 0)
      }
    }
  }
})

t.test('an error of ours with a message that cannot be read is answered as its class is', async (t) => {
  for (const roles of [() => { throw unreadableOurs() }, async () => { await null; throw unreadableOurs() }]) {
    for (const serverOptions of [{}, logged().serverOptions, failingLog(t)]) {
      const { app, ran } = await everywhere(t, { roles }, serverOptions)
      for (const url of everyUrl) {
        const response = await app.inject({ url, headers: bearer() })
        refused(t, response, 404, 'USER_NOT_FOUND')
        t.notMatch(response.body, /c4n4ry/)
      }
      t.equal(ran(), 0)
    }
  }
})
