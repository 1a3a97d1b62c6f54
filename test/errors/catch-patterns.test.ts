import Fastify from 'fastify'
import t from 'tap'
import authPlugin, * as bouncer from '../../index.js'
import { accounts, cheapHash, password } from '../accounts.js'
import { bearer, build, forge, claims, options, refused, server } from '../build.js'

// How the libraries that this package takes after have their errors caught,
// and the bodies that their pages show. The patterns must work here.

/** Which of the handlers catches an error, tried in order as `except` clauses are. */
function caughtBy (error: unknown, ...classes: Array<abstract new (...args: never[]) => unknown>): string | undefined {
  return classes.find((Class) => error instanceof Class)?.name
}

t.test('tortoise-auth: catch everything, by one base class', async (t) => {
  for (const Class of bouncer.errorClasses) t.ok(Class === bouncer.AuthError as unknown || Class.prototype instanceof bouncer.AuthError, Class.name)
  t.equal(caughtBy(new bouncer.ChallengeRequiredError({ challengeName: 'X', session: 's' }), bouncer.AuthError), undefined)
})

t.test('tortoise-auth: catch all token, signing and onboarding errors', async (t) => {
  const families = {
    TokenError: [new bouncer.TokenExpiredError(), new bouncer.TokenInvalidError(), new bouncer.TokenRevokedError(), new bouncer.MissingTokenError()],
    SigningError: [new bouncer.SignatureExpiredError(), new bouncer.BadSignatureError()],
    OnboardingError: [
      new bouncer.OnboardingSessionExpiredError(), new bouncer.OnboardingSessionInvalidError(),
      new bouncer.OnboardingStepError({ stepName: 's', errors: [] }), new bouncer.OnboardingFlowCompleteError()
    ]
  }
  for (const [family, members] of Object.entries(families)) {
    for (const error of members) t.equal(caughtBy(error, bouncer.TokenError, bouncer.SigningError, bouncer.OnboardingError), family, error.name)
  }
})

t.test('tortoise-auth: distinguish between the reasons', async (t) => {
  const token = [bouncer.TokenExpiredError, bouncer.TokenRevokedError, bouncer.TokenInvalidError]
  for (const Class of token) t.equal(caughtBy(new Class(), ...token), Class.name)
  const onboarding = [bouncer.OnboardingSessionExpiredError, bouncer.OnboardingSessionInvalidError, bouncer.OnboardingFlowCompleteError]
  t.strictSame(onboarding.map((Class) => new Class().statusCode), [410, 404, 409])
  for (const Class of onboarding) t.equal(caughtBy(new Class(), ...onboarding), Class.name)
})

t.test('tortoise-auth: attributes of the password, event, hash and onboarding errors', async (t) => {
  const password = new bouncer.PasswordPolicyError({ errors: ['Password must be at least 8 characters', 'Password must contain at least one uppercase letter'] })
  t.ok(password instanceof bouncer.InvalidPasswordError)
  t.equal(password.message, 'Password must be at least 8 characters; Password must contain at least one uppercase letter')
  const original = new Error('down')
  const { eventName, handlerName, original: kept } = new bouncer.EventError({ eventName: 'user_login', handlerName: 'send_mail', original })
  t.strictSame([eventName, handlerName, kept], ['user_login', 'send_mail', original])
  t.equal(new bouncer.InvalidHashError({ hash: 'x' }).hash, 'x')
  t.equal(new bouncer.OnboardingSessionExpiredError({ sessionId: 'x' }).sessionId, 'x')
  t.equal(new bouncer.OnboardingSessionInvalidError({ reason: 'Session is not usable' }).reason, 'Session is not usable')
})

t.test('pico-client-auth: securityContext.require() and requireRole() throw what can be caught', async (t) => {
  const app = await build(t)
  const seen: unknown[] = []
  app.get('/', { onRequest: app.optionalUser() }, async () => {
    try { bouncer.securityContext.require() } catch (error) { seen.push(caughtBy(error, bouncer.InsufficientPermissionsError, bouncer.MissingTokenError)) }
    try { bouncer.securityContext.requireRole('admin') } catch (error) { seen.push(caughtBy(error, bouncer.InsufficientPermissionsError, bouncer.MissingTokenError)) }
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal((await app.inject({ url: '/', headers: bearer() })).statusCode, 200)
  t.strictSame(seen, ['MissingTokenError', 'MissingTokenError', 'InsufficientPermissionsError'])
})

t.test('pico-client-auth: the error format, with the sentences of its table', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: [app.requireRole('admin')] }, async () => 'reached')
  const get = async (headers: Record<string, string>) => await app.inject({ url: '/', headers })
  const tampered = forge({ alg: 'HS256' }, claims(), 'another secret of thirty-two bytes or more')
  refused(t, await get({}), 401, 'MISSING_TOKEN', 'Missing or invalid Authorization header')
  refused(t, await get(bearer({ exp: 1 })), 401, 'TOKEN_EXPIRED', 'Token has expired')
  refused(t, await get({ authorization: `Bearer ${tampered}` }), 401, 'TOKEN_INVALID', 'Invalid token: Signature verification failed')
  refused(t, await get(bearer()), 403, 'INSUFFICIENT_ROLES', 'The authenticated user does not have any of the required roles.')
})

t.test('pico-client-auth: a configuration error stops the start, with its reason', async (t) => {
  const logged: string[] = []
  try {
    await Fastify().register(authPlugin, { ...options, audience: '' })
  } catch (error) {
    if (error instanceof bouncer.ConfigurationError) logged.push(`Missing auth config: ${error.message}`)
  }
  t.match(logged[0], /^Missing auth config: audience must be .+ not empty/)
})

t.test('auth-middleware: handlers for one class, across the application', async (t) => {
  const app = server(t)
  await app.register(authPlugin, { ...options, errorHandler: false })
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof bouncer.TokenError) return reply.code(error.statusCode).headers(error.headers).send({ error: 'token_error', message: error.detail })
    if (error instanceof bouncer.AuthenticationError) return reply.code(401).headers(error.headers).send({ error: 'authentication_failed', message: error.message })
    return bouncer.authErrorHandler(error, request, reply)
  })
  app.get('/', { preHandler: [app.requireRole('admin')] }, async () => 'reached')
  app.get('/login', async () => { throw new bouncer.AuthenticationError() })
  const expired = await app.inject({ url: '/', headers: bearer({ exp: 1 }) })
  t.equal(expired.statusCode, 401)
  t.equal(expired.body, '{"error":"token_error","message":"Token has expired"}')
  t.equal(expired.headers['www-authenticate'], 'Bearer realm="api", error="invalid_token"')
  const failed = await app.inject('/login')
  t.equal(failed.statusCode, 401)
  t.equal(failed.body, '{"error":"authentication_failed","message":"Invalid credentials"}')
  refused(t, await app.inject({ url: '/', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
})

t.test('auth-middleware: the same handlers for the routes of accounts', async (t) => {
  const app = server(t)
  await app.register(authPlugin, { ...options, errorHandler: false, store: bouncer.memoryStore(), passwords: cheapHash })
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof bouncer.TokenError) return reply.code(error.statusCode).headers(error.headers).send({ error: 'token_error', message: error.detail })
    if (error instanceof bouncer.AuthenticationError) return reply.code(401).headers(error.headers).send({ error: 'authentication_failed', message: error.message })
    return bouncer.authErrorHandler(error, request, reply)
  })
  await app.register(bouncer.authRoutes, { prefix: '/auth' })
  const post = async (path: string, payload: object) => await app.inject({ method: 'POST', url: `/auth${path}`, payload })
  t.equal((await post('/login', { email: 'ada@example.com', password })).payload, '{"error":"authentication_failed","message":"Invalid credentials"}')
  t.equal((await post('/refresh', { refresh_token: 'x' })).payload, '{"error":"token_error","message":"Invalid token: Malformed token"}')
  refused(t, await post('/verify', { token: 'x' }), 400, 'VERIFY_USER_BAD_TOKEN', 'The email verification token is invalid.')
})

t.test('tortoise-auth, litestar-auth: an application catches, looks, and throws on', async (t) => {
  const { app, signUp } = await accounts(t)
  const { id } = await signUp()
  const seen: unknown[] = []
  app.put<{ Body: bouncer.AccountChanges }>('/people', async ({ body }) => {
    try {
      return await app.bouncer.users.update(id, body)
    } catch (error) {
      seen.push(caughtBy(error, bouncer.TokenError, bouncer.PasswordPolicyError, bouncer.InvalidPasswordError, bouncer.UserAlreadyExistsError, bouncer.AuthError))
      if (error instanceof bouncer.InvalidPasswordError) seen.push(error.userId)
      if (error instanceof bouncer.UserAlreadyExistsError) seen.push(error.identifierType, error.identifierValue)
      throw error
    }
  })
  await app.bouncer.users.create({ email: 'admin@example.com' })
  const put = async (payload: object) => await app.inject({ method: 'PUT', url: '/people', payload })
  refused(t, await put({ password: 'sh0rt+' }), 400, 'UPDATE_USER_INVALID_PASSWORD')
  refused(t, await put({ email: 'admin@example.com' }), 400, 'USER_ALREADY_EXISTS')
  t.equal((await put({ username: 'ada' })).statusCode, 200)
  t.strictSame(seen, ['PasswordPolicyError', id, 'UserAlreadyExistsError', 'email', 'admin@example.com'])
})

const pages = [
  {
    error: new bouncer.OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'acct-123', existingUserId: 'user-17' }),
    body: `{
  "status_code": 400,
  "detail": "This provider account is already linked to another user. One provider identity can only be linked to a single local account.",
  "extra": {
    "code": "OAUTH_ACCOUNT_ALREADY_LINKED"
  }
}`
  },
  {
    error: new bouncer.UserAlreadyExistsError(),
    body: `{
  "status_code": 400,
  "detail": "A user with the provided credentials already exists.",
  "extra": {
    "code": "USER_ALREADY_EXISTS"
  }
}`
  },
  {
    error: new bouncer.UserAlreadyExistsError({ identifier: { type: 'email', value: 'admin@example.com' } }),
    body: `{
  "status_code": 400,
  "detail": "A user with the provided credentials already exists.",
  "extra": {
    "code": "USER_ALREADY_EXISTS"
  }
}`
  },
  {
    error: new bouncer.InvalidPasswordError({ userId: 'user-17', code: bouncer.ErrorCode.UPDATE_USER_INVALID_PASSWORD }),
    body: `{
  "status_code": 400,
  "detail": "The provided password is invalid.",
  "extra": {
    "code": "UPDATE_USER_INVALID_PASSWORD"
  }
}`
  },
  {
    error: new bouncer.InsufficientRolesError({ requiredRoles: new Set(['admin', 'billing']), userRoles: new Set(['support']), requireAll: true }),
    body: `{
  "status_code": 403,
  "detail": "The authenticated user does not have all of the required roles.",
  "extra": {
    "code": "INSUFFICIENT_ROLES"
  }
}`
  }
]

t.test('litestar-auth: the response bodies of its page, byte for byte', async (t) => {
  const app = await build(t)
  for (const [index, { error }] of pages.entries()) app.get(`/${index}`, async () => { throw error })
  for (const [index, { error, body }] of pages.entries()) {
    // The page breaks its lines for readers; a response does not.
    t.equal((await app.inject(`/${index}`)).body, JSON.stringify(JSON.parse(body)), error.name)
  }
})

t.test('litestar-auth: what its page logs is on the error, and the guard raises it itself', async (t) => {
  const app = await build(t, { errorHandler: false })
  const seen: unknown[] = []
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof bouncer.InsufficientRolesError) seen.push([error.requireAll, [...error.requiredRoles ?? []], [...error.userRoles ?? []]])
    return bouncer.authErrorHandler(error, request, reply)
  })
  app.get('/', { preHandler: [app.requireAllRoles('admin', 'billing')] }, async () => 'reached')
  const response = await app.inject({ url: '/', headers: bearer({ roles: ['support'] }) })
  t.equal(response.body, JSON.stringify(JSON.parse(pages[4]?.body ?? '')))
  t.strictSame(seen, [[true, ['admin', 'billing'], ['support']]])
})
