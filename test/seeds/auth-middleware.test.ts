import Fastify from 'fastify'
import t from 'tap'
import authPlugin, {
  AuthenticationError, AuthError, authErrorHandler, ChallengeRequiredError, InvalidAuthorizationError, InvalidChallengeError, InvalidCredentialsError,
  MfaSetupError, PasswordPolicyError, TokenError, TokenInvalidError, UserNotFoundError, type Challenge
} from '../../index.js'
import { createIssuer } from '../../lib/testing.js'
import { accounts, password } from '../accounts.js'
import { build, claims, forge, now, options, refused, token } from '../build.js'
import { rejection } from '../rejection.js'
import { codeOf, encryptionKey, enrol, wrongCode } from '../totp.js'

// The "Exception Handling" page of auth-middleware, from top to bottom: what it
// says of each class, and its examples as an application writes them here.

t.test('InvalidTokenException: raised during token validation failures, with a status and a detail', async (t) => {
  const app = await build(t)
  const authenticateUser = app.bouncer.authenticate
  for (const [cause, given, detail] of [
    ['invalid', 'x', 'Invalid token: Malformed token'],
    ['expired', token({ exp: now() - 1 }), 'Token has expired'],
    ['signature', forge({ alg: 'HS256' }, claims(), 'another secret of thirty-two bytes or more'), 'Invalid token: Signature verification failed']
  ] as const) {
    // try: user = await authenticate_user(token)  except InvalidTokenException as e: ...
    let response: { status: number, content: object } | undefined
    try {
      await authenticateUser(given)
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      response = { status: error.statusCode, content: { error: 'Token error', detail: error.detail } }
    }
    t.match(response, { status: 401, content: { error: 'Token error', detail } }, cause)
  }
})

t.test('InvalidTokenException: missing or malformed Authorization header', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: [app.requireUser()] }, async () => 'ok')
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN', 'Missing or invalid Authorization header')
  refused(t, await app.inject({ url: '/', headers: { authorization: 'Digest x' } }), 401, 'MISSING_TOKEN')
})

t.test('InvalidTokenException: no public key found for the token', async (t) => {
  const issuer = await createIssuer()
  const other = await createIssuer()
  t.teardown(async () => { await Promise.all([issuer.close(), other.close()]) })
  const app = await build(t, { issuer: issuer.issuer, audience: 'api', jwt: { jwksUrl: issuer.jwksUrl } })
  const error = await rejection<TokenInvalidError>(app.bouncer.authenticate(await other.token({ aud: 'api', iss: issuer.issuer })))
  t.ok(error instanceof TokenInvalidError)
  t.equal(error.detail, 'Invalid token: No public key found')
})

t.test('AuthenticationError: catches whatever a verification fails with', async (t) => {
  const { app, signUp } = await accounts(t)
  const { id, access_token: access } = await signUp()
  await app.bouncer.users.update(id, { is_active: false })
  for (const given of ['x', token({ exp: 1 }), access]) {
    const warnings: string[] = []
    // try: result = await provider.verify_token(credentials)  except AuthenticationError as e: logger.warning(...)
    try {
      await app.bouncer.authenticate(given)
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error
      warnings.push(`Authentication error: ${error.message}`)
    }
    t.equal(warnings.length, 1)
  }
  t.equal(new AuthenticationError().detail, 'Invalid credentials')
})

t.test('InvalidCredentialsException: Basic credentials with a wrong user name or password', async (t) => {
  const { app, signUp } = await accounts(t, { basic: true })
  app.get('/', { preHandler: [app.requireUser()] }, async () => 'ok')
  const { email } = await signUp()
  for (const [username, given] of [[email, 'wrong'], ['nobody', password]]) {
    const response = await app.inject({ url: '/', headers: { authorization: `Basic ${Buffer.from(`${username}:${given}`).toString('base64')}` } })
    refused(t, response, 401, 'INVALID_CREDENTIALS', 'Invalid credentials')
  }
  t.ok(await rejection(app.bouncer.login({ email, password: 'wrong' })) instanceof InvalidCredentialsError)
})

t.test('UserNotFoundError: a user that the provider does not have', async (t) => {
  const { app, call, signUp } = await accounts(t)
  const { access_token: access } = await signUp({ roles: ['admin'] })
  refused(t, await call('GET', '/users/nobody', undefined, access), 404, 'USER_NOT_FOUND', 'User not found')
  t.ok(await rejection(app.bouncer.users.get('nobody')) instanceof UserNotFoundError)
})

t.test('PasswordPolicyError: a password change that does not meet the policy', async (t) => {
  const { app, call } = await accounts(t)
  const { email } = await app.bouncer.users.create({ email: 'ada@example.com', password, must_change_password: true })
  const { session } = await app.bouncer.login({ email, password }) as Challenge
  const response = await call('POST', '/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'short' })
  refused(t, response, 400, 'PASSWORD_POLICY_VIOLATION', 'Password does not meet policy requirements')
  t.ok(await rejection(app.bouncer.users.setPassword((await app.bouncer.users.find({ email }))?.id ?? '', 'short')) instanceof PasswordPolicyError)
})

t.test('global handlers: one for a class, and one for its base class', async (t) => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin, { ...options, errorHandler: false })
  // @app.exception_handler(InvalidTokenException), @app.exception_handler(AuthenticationError)
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof TokenError) return reply.code(error.statusCode).send({ error: 'token_error', message: error.detail })
    if (error instanceof AuthenticationError) return reply.code(401).send({ error: 'authentication_failed', message: error.detail })
    return authErrorHandler(error, request, reply)
  })
  app.get('/guarded', { preHandler: [app.requireRole('admin')] }, async () => 'ok')
  app.get('/sign-in', async () => { throw new InvalidCredentialsError({ reason: 'wrong_password' }) })
  const ask = async (url: string, authorization?: string) => {
    const { statusCode, payload } = await app.inject({ url, headers: authorization === undefined ? {} : { authorization } })
    return [statusCode, JSON.parse(payload)]
  }
  t.strictSame(await ask('/guarded'), [401, { error: 'token_error', message: 'Missing or invalid Authorization header' }])
  t.strictSame(await ask('/guarded', 'Bearer x'), [401, { error: 'token_error', message: 'Invalid token: Malformed token' }])
  t.strictSame(await ask('/guarded', `Bearer ${token({ exp: 1 })}`), [401, { error: 'token_error', message: 'Token has expired' }])
  t.strictSame(await ask('/sign-in'), [401, { error: 'authentication_failed', message: 'Invalid credentials' }])
  t.match(await ask('/guarded', `Bearer ${token({ roles: [] })}`), [403, { extra: { code: 'INSUFFICIENT_ROLES' } }])
})

t.test('ChallengeRequiredError: an internal signal, turned into a challenge response', async (t) => {
  const error = new ChallengeRequiredError({ challengeName: 'MFA_TOTP', session: 's' })
  t.match(error, { challengeName: 'MFA_TOTP', session: 's' })
  t.notOk(error instanceof AuthError)
  const { app, call, signUp } = await accounts(t, { encryptionKey })
  const { id, email } = await signUp()
  await enrol(app, id)
  const response = await call('POST', '/login', { email, password })
  t.equal(response.statusCode, 202)
  t.match(response.json(), { challenge_name: 'MFA_TOTP', session: String })
  t.notOk('access_token' in response.json())
})

t.test('InvalidAuthorizationException: the authorization header is invalid', async (t) => {
  const app = await build(t, { basic: { authenticate: () => null } })
  app.get('/', { preHandler: [app.requireUser()] }, async () => 'ok')
  for (const authorization of ['Basic !!', `Basic ${Buffer.from('no colon').toString('base64')}`, 'Bearer a b', 'a=b']) {
    refused(t, await app.inject({ url: '/', headers: { authorization } }), 400, 'INVALID_AUTHORIZATION_HEADER', 'Invalid authorization header')
  }
  t.equal(new InvalidAuthorizationError().statusCode, 400)
})

t.test('InvalidChallengeError: the response is incorrect, or the session is expired', async (t) => {
  const { app, call, signUp } = await accounts(t, { encryptionKey })
  const { id, email } = await signUp()
  const { secret } = await enrol(app, id)
  const { session } = await app.bouncer.login({ email, password }) as Challenge
  for (const answer of [{ session, code: wrongCode(secret) }, { session: 'expired', code: codeOf(secret) }]) {
    refused(t, await call('POST', '/login/challenge', { challenge_name: 'MFA_TOTP', ...answer }), 400, 'INVALID_CHALLENGE', 'Invalid or expired challenge')
  }
  t.ok(new InvalidChallengeError() instanceof AuthError)
})

t.test('MfaSetupError: a set-up, or its verification, fails', async (t) => {
  const { call, signUp } = await accounts(t, { encryptionKey })
  const { access_token: access } = await signUp()
  const { secret } = (await call('POST', '/mfa/totp', {}, access)).json()
  refused(t, await call('POST', '/mfa/totp/verify', { code: wrongCode(secret) }, access), 400, 'MFA_SETUP_FAILED', 'MFA setup failed')
  t.equal((await call('POST', '/mfa/totp/verify', { code: codeOf(secret) }, access)).statusCode, 200)
  refused(t, await call('POST', '/mfa/totp', {}, access), 400, 'MFA_SETUP_FAILED', 'MFA setup failed')
  t.ok(new MfaSetupError() instanceof AuthError)
})
