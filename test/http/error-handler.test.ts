import type { FastifyInstance, FastifyServerOptions, RouteOptions } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { authErrorHandler, AuthenticationError, ChallengeRequiredError, InsufficientRolesError, MissingTokenError, OAuthAccountAlreadyLinkedError, RateLimitError, securityContext, TokenError, UserAlreadyExistsError, UserNotFoundError, type AuthPluginOptions } from '../../index.js'
import { createRecogniser, createRefuser } from '../../lib/http/error-handler.js'
import { createGuard } from '../../lib/http/guards.js'
import { userPolicy } from '../../lib/http/policy.js'
import { createRefusalSender } from '../../lib/http/refusal.js'
import { bearer, build, claims, encode, forge, now, options, refused, secret, server, token } from '../build.js'
import { logged } from '../log-lines.js'
import { thrown } from '../thrown.js'

type Handler = NonNullable<RouteOptions['errorHandler']>
const own: Handler = (error, _request, reply) => { reply.code(499).send({ own: error.message }) }
const throwing: Handler = (error) => { throw error }

type Place = 'before' | 'after' | 'child' | 'route'

/** An application with a handler of its own, and a route that throws one of our errors. */
async function withHandler (t: Test, errorHandler: AuthPluginOptions['errorHandler'], place: Place, handler: Handler, serverOptions: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = server(t, serverOptions)
  if (place === 'before') app.setErrorHandler(handler)
  await app.register(authPlugin, { ...options, errorHandler })
  if (place === 'after') app.setErrorHandler(handler)
  await app.register(async (scope) => {
    if (place === 'child') scope.setErrorHandler(handler)
    const route = place === 'route' ? { errorHandler: handler } : {}
    scope.get('/guard', { ...route, preHandler: app.requireUser() }, async () => 'in')
    scope.get('/config', { ...route, config: { auth: true } }, async () => 'in')
    scope.get('/thrown', route, async () => { throw new MissingTokenError() })
    scope.get('/sent', route, (_request, reply) => { reply.send(new MissingTokenError()) })
    scope.get('/context', route, async () => securityContext.require())
    scope.get('/hook', { ...route, onSend: async (_request, reply) => { if (reply.statusCode === 200) throw new MissingTokenError() } }, async () => 'in')
  })
  return app
}

const urls = ['/guard', '/config', '/thrown', '/sent', '/context', '/hook']

for (const place of ['before', 'after', 'child', 'route'] as const) {
  for (const handler of [own, throwing]) {
    const kind = handler === own ? 'answers' : 'throws on'
    t.test(`errorHandler auth: our errors have our body beside a handler ${place} that ${kind}`, async (t) => {
      for (const allowErrorHandlerOverride of [true, false]) {
        const app = await withHandler(t, 'auth', place, handler, { allowErrorHandlerOverride })
        for (const url of urls) refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
      }
    })

    t.test(`errorHandler false: our errors go to a handler ${place} that ${kind}`, async (t) => {
      const app = await withHandler(t, false, place, handler)
      for (const url of urls) {
        const response = await app.inject(url)
        if (handler === own) {
          t.equal(response.statusCode, 499)
          t.strictSame(response.json(), { own: 'Missing or invalid Authorization header' })
        } else {
          t.equal(response.statusCode, 401)
          t.equal(response.headers['www-authenticate'], 'Bearer realm="api"')
          t.strictSame(response.json(), { statusCode: 401, code: 'MISSING_TOKEN', error: 'Unauthorized', message: 'Missing or invalid Authorization header' })
        }
      }
    })
  }

  t.test(`errorHandler all beside a handler ${place}`, async (t) => {
    const app = await withHandler(t, 'all', place, own)
    for (const url of urls) refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
  })
}

t.test('errorHandler all and a handler of the application, where Fastify allows one only', async (t) => {
  await t.rejects(withHandler(t, 'all', 'before', own, { allowErrorHandlerOverride: false }), { code: 'FST_ERR_ERROR_HANDLER_ALREADY_SET' })
  await t.rejects(withHandler(t, 'all', 'after', own, { allowErrorHandlerOverride: false }), { code: 'FST_ERR_ERROR_HANDLER_ALREADY_SET' })
  for (const place of ['child', 'route'] as const) {
    const app = await withHandler(t, 'all', place, own, { allowErrorHandlerOverride: false })
    refused(t, await app.inject('/guard'), 401, 'MISSING_TOKEN')
  }
})

t.test('errorHandler auth takes no root handler: the application may set its own, even where Fastify allows one only', async (t) => {
  const app = await build(t, {}, { allowErrorHandlerOverride: false })
  t.doesNotThrow(() => app.setErrorHandler(own))
  t.doesNotThrow(() => app.setNotFoundHandler(async () => 'nothing'))
})

t.test('errorHandler auth does not touch the handler of a route that has one', async (t) => {
  const app = await build(t)
  const seen: unknown[] = []
  app.get('/', {
    preHandler: app.requireUser(),
    errorHandler (error, _request, reply) {
      seen.push(error.message)
      reply.code(499).send('own')
    }
  }, async () => { throw new Error('foreign') })
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
  t.strictSame(seen, [])
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'own')
  t.strictSame(seen, ['foreign'])
})

t.test('errors of this package that a handler throws are answered with status, body and headers of their class', async (t) => {
  const app = await build(t)
  const errors: Record<string, () => unknown> = {
    exists: () => new UserAlreadyExistsError({ identifier: { type: 'email', value: 'admin@example.com' } }),
    roles: () => new InsufficientRolesError({ requiredRoles: new Set(['admin', 'billing']), userRoles: new Set(['support']), requireAll: true }),
    rate: () => new RateLimitError({ retryAfter: 30 }),
    linked: () => new OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'g-1', existingUserId: 'u-2' }),
    unknown: () => new UserNotFoundError({ userId: 'u-3' }),
    plain: () => new AuthenticationError({ code: 'SESSION_LAPSED', detail: 'The session has lapsed', message: 'idle for u-4', headers: { 'X-Hint': 'refresh' } })
  }
  for (const [name, make] of Object.entries(errors)) app.get(`/${name}`, async () => { throw make() })
  const body = async (name: string) => (await app.inject(`/${name}`)).body
  t.equal(await body('exists'), '{"status_code":400,"detail":"A user with the provided credentials already exists.","extra":{"code":"USER_ALREADY_EXISTS"}}')
  t.equal(await body('roles'), '{"status_code":403,"detail":"The authenticated user does not have all of the required roles.","extra":{"code":"INSUFFICIENT_ROLES"}}')
  t.equal(await body('rate'), '{"status_code":429,"detail":"Too many attempts. Try again later.","extra":{"code":"RATE_LIMITED","retry_after":30}}')
  t.equal((await app.inject('/rate')).headers['retry-after'], '30')
  t.notMatch(await body('linked'), /google|g-1|u-2/)
  t.equal(await body('unknown'), '{"status_code":404,"detail":"User not found","extra":{"code":"USER_NOT_FOUND"}}')
  const plain = await app.inject('/plain')
  refused(t, plain, 401, 'SESSION_LAPSED', 'The session has lapsed')
  t.equal(plain.headers['x-hint'], 'refresh')
  t.notMatch(plain.body, /idle|u-4/)
})

t.test('the body does not depend on what the reply was prepared for', async (t) => {
  const app = await build(t)
  app.get('/', {
    schema: { response: { 200: { type: 'string' }, 401: { type: 'object', properties: { mine: { type: 'string' } }, required: ['mine'] }, '4xx': { type: 'object', required: ['x'] }, default: { type: 'object', required: ['y'] } } },
    onRequest: async (_request, reply) => { reply.code(201).type('text/plain').header('vary', 'Origin').header('cache-control', 'max-age=3600').header('content-length', '3').serializer(() => 'mine') },
    preHandler: app.requireUser(),
    preSerialization: async (_request, _reply, payload) => ({ data: payload })
  }, async () => 'in')
  const response = await app.inject('/')
  refused(t, response, 401, 'MISSING_TOKEN')
  t.equal(response.headers.vary, 'Origin, Accept')
  t.equal(response.headers['content-length'], String(Buffer.byteLength(response.body)))
})

t.test('a reply serializer of the application does not write our bodies', async (t) => {
  const app = await build(t)
  app.setReplySerializer(() => 'enveloped')
  app.get('/', { preHandler: app.requireUser() }, async () => ({}))
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'enveloped')
})

t.test('onError hooks hear of a refusal once', async (t) => {
  for (const errorHandler of ['auth', 'all', false] as const) {
    const app = await build(t, { errorHandler })
    const heard: unknown[] = []
    app.addHook('onError', async (_request, _reply, error) => { heard.push(error) })
    app.get('/', { preHandler: app.requireUser() }, async () => 'in')
    await app.inject('/')
    t.equal(heard.length, 1)
    t.ok(heard[0] instanceof MissingTokenError)
  }
})

t.test('problem+json for those who ask', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.requireAllScopes('read') }, async () => 'in')
  const response = await app.inject({ url: '/', headers: { accept: 'application/problem+json', ...bearer() } })
  t.equal(response.statusCode, 403)
  t.equal(response.headers['content-type'], 'application/problem+json; charset=utf-8')
  t.strictSame(response.json(), { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'The authenticated user does not have all of the required scopes.', code: 'INSUFFICIENT_SCOPE', required_scopes: ['read'] })
})

t.test('authErrorHandler in a handler of the application, as the README shows it', async (t) => {
  const app = await build(t, { errorHandler: false })
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof TokenError) return reply.code(error.statusCode).headers(error.headers).send({ error: 'token_error', message: error.detail })
    return authErrorHandler(error, request, reply)
  })
  app.get('/', { preHandler: app.requireRole('admin') }, async () => { throw Object.assign(new Error('foreign'), { statusCode: 418 }) })
  const missing = await app.inject('/')
  t.equal(missing.statusCode, 401)
  t.strictSame(missing.json(), { error: 'token_error', message: 'Missing or invalid Authorization header' })
  t.equal(missing.headers['www-authenticate'], 'Bearer realm="api"')
  refused(t, await app.inject({ url: '/', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.strictSame((await app.inject({ url: '/', headers: bearer({ role: 'admin' }) })).json(), { statusCode: 418, error: "I'm a Teapot", message: 'foreign' })
})

t.test('authErrorHandler as the only handler, with detail, expose and logLevel of the plugin', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await build(t, { errorHandler: false, logLevel: 'warn', detail: () => 'Kein Zutritt' }, serverOptions)
  app.setErrorHandler(authErrorHandler)
  app.get('/', { preHandler: app.requireUser() }, async () => 'in')
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN', 'Kein Zutritt')
  t.ok(lines.some(({ level, msg }) => level === 40 && msg === 'Missing or invalid Authorization header'))
})

t.test('authErrorHandler in an application without the plugin', async (t) => {
  const app = server(t)
  app.setErrorHandler(authErrorHandler)
  app.get('/', async () => { throw new MissingTokenError() })
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
})

t.test('authErrorHandler never answers 2xx for what was thrown, and shows Errors as Fastify does', async (t) => {
  const plain = server(t)
  const app = server(t)
  app.setErrorHandler(authErrorHandler)
  for (const [name, make] of Object.entries(thrown)) {
    for (const instance of [plain, app]) instance.get(`/${encodeURIComponent(name)}`, async () => { throw make() })
  }
  for (const [name, make] of Object.entries(thrown)) {
    const url = `/${encodeURIComponent(encodeURIComponent(name))}`
    const response = await app.inject(url)
    t.ok(response.statusCode >= 400, `${name}: ${response.statusCode}`)
    if (make() instanceof Error) t.equal(response.body, (await plain.inject(url)).body, name)
  }
})

t.test('ChallengeRequiredError is no refusal: unanswered, it is a fault', async (t) => {
  const app = await build(t, { errorHandler: 'all' })
  app.get('/', async () => { throw new ChallengeRequiredError({ challengeName: 'TOTP', session: 'secret session' }) })
  const response = await app.inject('/')
  t.equal(response.statusCode, 500)
  t.equal(response.body, '{"status_code":500,"detail":"Internal server error","extra":{"code":"INTERNAL_ERROR"}}')
})

t.test('whatever the role resolver throws, the caller gets 503 and nothing of it', async (t) => {
  for (const errorHandler of ['auth', 'all'] as const) {
    for (const [name, make] of Object.entries(thrown)) {
      for (const asynchronous of [false, true]) {
        const app = await build(t, { errorHandler, roles: () => { if (asynchronous) return Promise.reject(make()); throw make() } })
        let ran = 0
        app.get('/', { config: { auth: true } }, async () => { ran++; return 'in' })
        app.get('/optional', { preHandler: app.optionalUser() }, async () => { ran++; return 'in' })
        for (const url of ['/', '/optional']) {
          const response = await app.inject({ url, headers: bearer() })
          t.equal(response.body, '{"status_code":503,"detail":"Authentication is temporarily unavailable.","extra":{"code":"AUTH_UNAVAILABLE","retry_after":5}}', name)
          t.equal(response.headers['retry-after'], '5')
        }
        t.equal(ran, 0)
      }
    }
  }
})

/** Two routes that the plugin never saw, and a not-found handler, all throwing an error with a private message. */
async function unseen (t: Test, errorHandler: AuthPluginOptions['errorHandler']): Promise<FastifyInstance> {
  const app = server(t)
  const fail = async () => { throw new OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'g-1', existingUserId: 'u-2' }) }
  app.get('/early', fail)
  app.register(async (scope) => { scope.get('/child', fail) })
  app.register(authPlugin, { ...options, errorHandler })
  app.register(async (scope) => { scope.setNotFoundHandler(fail) }, { prefix: '/none' })
  return app
}

t.test('errors on routes that the plugin never saw keep their status, and their private message to themselves', async (t) => {
  for (const errorHandler of ['auth', 'all'] as const) {
    const app = await unseen(t, errorHandler)
    for (const url of ['/early', '/child', '/none/such']) {
      const response = await app.inject(url)
      t.equal(response.statusCode, 400)
      t.match(response.body, /already linked to another user/)
      t.notMatch(response.body, /google|g-1|u-2/)
      t.equal(response.headers['cache-control'], 'no-store')
    }
  }
  refused(t, await (await unseen(t, 'all')).inject('/none/such'), 400, 'OAUTH_ACCOUNT_ALREADY_LINKED')
})

t.test('a fault inside a guard refuses with a constant body, and is logged', async (t) => {
  for (const errorHandler of ['auth', 'all', false] as const) {
    const { lines, serverOptions } = logged()
    const app = await build(t, { errorHandler }, serverOptions)
    app.addHook('onRequest', async (request) => {
      Object.defineProperty(request.raw, 'rawHeaders', { get () { throw new Error('c4n4ry') } })
    })
    let ran = 0
    app.get('/user', { preHandler: app.requireUser() }, async () => { ran++; return 'in' })
    app.get('/optional', { config: { auth: { optional: true } } }, async () => { ran++; return 'in' })
    for (const url of ['/user', '/optional']) {
      const response = await app.inject({ url, headers: bearer() })
      t.equal(response.statusCode, 500)
      if (errorHandler !== false) t.equal(response.body, '{"status_code":500,"detail":"Internal server error","extra":{"code":"INTERNAL_ERROR"}}')
    }
    t.equal(ran, 0)
    t.ok(lines.some(({ level, err }) => level === 50 && (err as { message?: string }).message === 'c4n4ry'))
  }
})

t.test('a guard of a not-found handler answers in our body, reached by an unknown address or by callNotFound()', async (t) => {
  for (const errorHandler of ['auth', 'all'] as const) {
    for (const stage of ['preValidation', 'preHandler'] as const) {
      for (const roles of [undefined, async () => ['editor']]) {
        let ran = 0
        const app = server(t)
        await app.register(authPlugin, { ...options, errorHandler, ...(roles !== undefined && { roles }) })
        await app.register(async (scope) => {
          scope.setNotFoundHandler({ [stage]: app.requireRole('admin') }, async (_request, reply) => { ran++; return await reply.code(404).send('nothing for you') })
          scope.get('/open', (_request, reply) => { reply.callNotFound() })
          scope.get('/mine', { preHandler: app.requireUser() }, (_request, reply) => { reply.callNotFound() })
        }, { prefix: '/child' })
        // Of the hooks of a not-found handler, callNotFound() runs preHandler alone.
        const urls = stage === 'preHandler' ? ['/child/unknown', '/child/open', '/child/mine'] : ['/child/unknown']
        for (const url of urls) {
          refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
          refused(t, await app.inject({ url, headers: bearer({ roles: ['editor'] }) }), 403, 'INSUFFICIENT_ROLES')
        }
        t.equal(ran, 0)
        if (roles === undefined) {
          for (const url of urls) t.equal((await app.inject({ url, headers: bearer({ roles: ['admin'] }) })).body, 'nothing for you')
        }
      }
    }
  }
})

/** Routes that end in an error with a private message, most by way of a not-found handler. */
async function withPrivateMessage (t: Test, errorHandler: AuthPluginOptions['errorHandler'], own?: Handler): Promise<FastifyInstance> {
  const app = server(t)
  const fail = async () => { throw new OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'g-1', existingUserId: 'u-2' }) }
  await app.register(authPlugin, { ...options, errorHandler })
  if (own !== undefined) app.setErrorHandler(own)
  await app.register(async (scope) => {
    scope.setNotFoundHandler(fail)
    scope.get('/called', (_request, reply) => { reply.callNotFound() })
    scope.get('/called-by-user', { preHandler: app.requireUser() }, (_request, reply) => { reply.callNotFound() })
  }, { prefix: '/child' })
  app.get('/thrown', fail)
  return app
}

const privateUrls = ['/child/unknown', '/child/called', '/child/called-by-user', '/thrown']

t.test('a private message stays here where Fastify answers, behind callNotFound() and without any handler', async (t) => {
  for (const errorHandler of ['auth', 'all', false] as const) {
    const app = await withPrivateMessage(t, errorHandler)
    for (const url of privateUrls) {
      const response = await app.inject({ url, headers: bearer() })
      t.equal(response.statusCode, 400, url)
      t.match(response.body, /already linked to another user/)
      t.notMatch(response.body + JSON.stringify(response.headers), /google|g-1|u-2/, `${url}, errorHandler ${errorHandler}`)
    }
  }
})

t.test('a handler of the application gets the whole message, with errorHandler false and behind callNotFound()', async (t) => {
  const whole = 'The google account g-1 is already linked to user u-2.'
  const app = await withPrivateMessage(t, false, own)
  for (const url of privateUrls) t.strictSame((await app.inject({ url, headers: bearer() })).json(), { own: whole }, url)
})

t.test('authErrorHandler answers what request.jwtVerify() throws in our body, without the words of the library', async (t) => {
  const JWT = { alg: 'HS256', typ: 'JWT' }
  const cases: Record<string, { text: string, code: string }> = {
    'a payload of null': { text: forge(JWT, 'null'), code: 'TOKEN_INVALID' },
    'a payload of text': { text: forge(JWT, '"text"'), code: 'TOKEN_INVALID' },
    'a payload of a number': { text: forge(JWT, '7'), code: 'TOKEN_INVALID' },
    'a payload of a list': { text: forge(JWT, '[]'), code: 'TOKEN_INVALID' },
    'an empty payload': { text: forge(JWT, {}), code: 'TOKEN_INVALID' },
    'a payload that is broken': { text: forge(JWT, '{"iss":'), code: 'TOKEN_INVALID' },
    'nbf in the future': { text: token({ nbf: now() + 3600 }), code: 'TOKEN_INVALID' },
    'iat in the future': { text: token({ iat: now() + 3600 }), code: 'TOKEN_INVALID' },
    'nbf that is no number': { text: token({ nbf: 'soon' }), code: 'TOKEN_INVALID' },
    'exp in the past': { text: token({ exp: 1 }), code: 'TOKEN_EXPIRED' },
    'another key': { text: forge(JWT, claims(), 'another secret of at least 32 bytes!'), code: 'TOKEN_INVALID' },
    'another algorithm': { text: forge({ alg: 'HS512' }, claims()), code: 'TOKEN_INVALID' },
    'no algorithm': { text: `${encode({ alg: 'none' })}.${encode(claims())}.AAAA`, code: 'TOKEN_INVALID' },
    crit: { text: forge({ ...JWT, crit: ['exp'] }, claims()), code: 'TOKEN_INVALID' }
  }
  for (const errorHandler of ['auth', 'all', false] as const) {
    const app = await build(t, { errorHandler, jwt: { secret, decorate: true } })
    if (errorHandler !== 'all') app.setErrorHandler(authErrorHandler)
    let ran = 0
    app.get('/', async (request) => { await (request as unknown as { jwtVerify: () => Promise<unknown> }).jwtVerify(); ran++; return 'in' })
    for (const [name, { text, code }] of Object.entries(cases)) {
      const response = await app.inject({ url: '/', headers: { authorization: `Bearer ${text}` } })
      t.equal(response.statusCode, 401, name)
      refused(t, response, 401, code)
      t.notMatch(response.body, /FAST_JWT|FST_JWT|payload|nbf|iat|claim must|Authorization token|verify/, name)
    }
    refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
    t.equal(ran, 0)
    t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'in')
  }
})

/** A guard whose enforcer a test writes, as the plugin would make it. */
function guardOf (handled: boolean, enforce: () => unknown) {
  const handling = { recognise: createRecogniser(false), send: createRefusalSender({ logLevel: 'info' }) }
  return createGuard(userPolicy, enforce, createRefuser(handled, handling))
}

t.test('whatever an enforcer answers but admission, and whatever it throws, nobody passes', async (t) => {
  const faults: Record<string, () => unknown> = { ...thrown, 'a symbol': () => Symbol('fastify-bouncer.admitted'), 'a function': () => () => true }
  for (const handled of [true, false]) {
    for (const [name, make] of Object.entries(faults)) {
      const enforcers: Record<string, () => unknown> = {
        answers: () => make(),
        'answers later': async () => { await null; return make() },
        throws: () => { throw make() },
        'throws later': async () => { await null; throw make() }
      }
      const app = server(t)
      let ran = 0
      const handler = async () => { ran++; return 'in' }
      for (const [index, enforce] of Object.values(enforcers).entries()) {
        const guard = guardOf(handled, enforce)
        app.get(`/${index}/onRequest`, { onRequest: guard }, handler)
        app.get(`/${index}/preHandler`, { preHandler: [guard, async () => {}] }, handler)
        app.get(`/${index}/inline`, { preHandler: async (request, reply) => { await guard(request, reply) } }, handler)
      }
      for (const [index, how] of Object.keys(enforcers).entries()) {
        for (const stage of ['onRequest', 'preHandler', 'inline']) {
          const response = await app.inject(`/${index}/${stage}`)
          t.equal(ran, 0, `${how} ${name} in ${stage}`)
          if (handled && stage !== 'inline') t.equal(response.body, '{"status_code":500,"detail":"Internal server error","extra":{"code":"INTERNAL_ERROR"}}', `${how} ${name}`)
        }
      }
    }
  }
})
