import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import * as errors from '../../lib/errors.js'
import { build } from '../build.js'
import { contract } from './contract.js'

/** An error, and everything that a client must get of it. */
interface Case {
  name: string
  error: errors.AuthError
  status: number
  detail: string
  extra: { code: string, [field: string]: unknown }
  /** Headers besides content type, length, Cache-Control, Vary and Date. */
  headers?: Record<string, string>
}

const challenge = (attributes = ''): Record<string, string> => ({ 'www-authenticate': `Bearer realm="api"${attributes}` })
const invalidToken = challenge(', error="invalid_token"')

const tokenInvalid = (reason: errors.TokenInvalidReason, sentence: string): Case => ({
  name: 'TokenInvalidError',
  error: new errors.TokenInvalidError({ reason }),
  status: 401,
  detail: `Invalid token: ${sentence}`,
  extra: { code: 'TOKEN_INVALID' },
  headers: invalidToken
})

const sessionInvalid = (reason: errors.OnboardingSessionReason): Case => ({
  name: 'OnboardingSessionInvalidError',
  error: new errors.OnboardingSessionInvalidError({ reason }),
  status: 404,
  detail: reason,
  extra: { code: 'ONBOARDING_SESSION_INVALID', reason }
})

const cases: readonly Case[] = [
  { name: 'ConfigurationError', error: new errors.ConfigurationError({ option: 'jwt.secret', message: 'jwt.secret is too short.' }), status: 500, detail: 'Authentication is not configured correctly.', extra: { code: 'CONFIGURATION_ERROR' } },
  { name: 'EventError', error: new errors.EventError({ eventName: 'user.created', handlerName: 'welcome', original: new Error('no mail server') }), status: 500, detail: 'An event handler failed.', extra: { code: 'EVENT_HANDLER_FAILED' } },
  { name: 'InvalidHashError', error: new errors.InvalidHashError({ hash: '$argon2id$v=19' }), status: 500, detail: 'A stored password hash is not recognised.', extra: { code: 'INVALID_HASH' } },
  { name: 'AuthUnavailableError', error: new errors.AuthUnavailableError({ dependency: 'keys' }), status: 503, detail: 'Authentication is temporarily unavailable.', extra: { code: 'AUTH_UNAVAILABLE', retry_after: 5 }, headers: { 'retry-after': '5' } },
  { name: 'AuthUnavailableError', error: new errors.AuthUnavailableError({ retryAfter: 1.2 }), status: 503, detail: 'Authentication is temporarily unavailable.', extra: { code: 'AUTH_UNAVAILABLE', retry_after: 2 }, headers: { 'retry-after': '2' } },
  { name: 'AuthenticationError', error: new errors.AuthenticationError(), status: 401, detail: 'Invalid credentials', extra: { code: 'AUTHENTICATION_FAILED' }, headers: challenge() },
  { name: 'InvalidCredentialsError', error: new errors.InvalidCredentialsError({ identifier: 'ada', reason: 'locked' }), status: 401, detail: 'Invalid credentials', extra: { code: 'INVALID_CREDENTIALS' }, headers: challenge() },
  { name: 'InvalidAuthorizationError', error: new errors.InvalidAuthorizationError({ reason: 'repeated' }), status: 400, detail: 'Invalid authorization header', extra: { code: 'INVALID_AUTHORIZATION_HEADER' }, headers: challenge(', error="invalid_request"') },
  { name: 'AccountUnavailableError', error: new errors.AccountUnavailableError({ userId: 7, reason: 'deleted' }), status: 401, detail: 'Account is not available for sign-in.', extra: { code: 'ACCOUNT_UNAVAILABLE' }, headers: challenge() },
  { name: 'MissingTokenError', error: new errors.MissingTokenError(), status: 401, detail: 'Missing or invalid Authorization header', extra: { code: 'MISSING_TOKEN' }, headers: challenge() },
  { name: 'TokenExpiredError', error: new errors.TokenExpiredError({ expiredAt: new Date() }), status: 401, detail: 'Token has expired', extra: { code: 'TOKEN_EXPIRED' }, headers: invalidToken },
  { name: 'TokenInvalidError', error: new errors.TokenInvalidError(), status: 401, detail: 'Invalid token', extra: { code: 'TOKEN_INVALID' }, headers: invalidToken },
  tokenInvalid('malformed', 'Malformed token'),
  tokenInvalid('signature', 'Signature verification failed'),
  tokenInvalid('issuer', 'Invalid issuer'),
  tokenInvalid('audience', 'Invalid audience'),
  tokenInvalid('unknown_key', 'No public key found'),
  tokenInvalid('algorithm', 'Algorithm is not accepted'),
  tokenInvalid('not_yet_valid', 'Token is not yet valid'),
  tokenInvalid('token_type', 'Unexpected token type'),
  tokenInvalid('claims', 'Missing or invalid claim'),
  { name: 'TokenRevokedError', error: new errors.TokenRevokedError({ tokenId: 'jti-1' }), status: 401, detail: 'Token has been revoked', extra: { code: 'TOKEN_REVOKED' }, headers: invalidToken },
  { name: 'InvalidVerifyTokenError', error: new errors.InvalidVerifyTokenError({ reason: 'used' }), status: 400, detail: 'The email verification token is invalid.', extra: { code: 'VERIFY_USER_BAD_TOKEN' } },
  { name: 'InvalidResetTokenError', error: new errors.InvalidResetTokenError({ reason: 'used' }), status: 400, detail: 'The password reset token is invalid.', extra: { code: 'RESET_PASSWORD_BAD_TOKEN' } },
  { name: 'StepUpRequiredError', error: new errors.StepUpRequiredError({ maxAge: 300 }), status: 401, detail: 'Recent stronger authentication is required.', extra: { code: 'STEP_UP_REQUIRED', max_age: 300 }, headers: challenge(', error="insufficient_user_authentication", max_age="300"') },
  { name: 'StepUpRequiredError', error: new errors.StepUpRequiredError({ acrValues: ['mfa', 'phr'] }), status: 401, detail: 'Recent stronger authentication is required.', extra: { code: 'STEP_UP_REQUIRED', acr_values: ['mfa', 'phr'] }, headers: challenge(', error="insufficient_user_authentication", acr_values="mfa phr"') },
  { name: 'InvalidChallengeError', error: new errors.InvalidChallengeError({ reason: 'late' }), status: 400, detail: 'Invalid or expired challenge', extra: { code: 'INVALID_CHALLENGE' } },
  { name: 'MfaSetupError', error: new errors.MfaSetupError({ reason: 'wrong code' }), status: 400, detail: 'MFA setup failed', extra: { code: 'MFA_SETUP_FAILED' } },
  { name: 'InsufficientRolesError', error: new errors.InsufficientRolesError({ requiredRoles: ['admin'], userRoles: [] }), status: 403, detail: 'The authenticated user does not have any of the required roles.', extra: { code: 'INSUFFICIENT_ROLES' } },
  { name: 'InsufficientRolesError', error: new errors.InsufficientRolesError({ requiredRoles: ['admin'], userRoles: [], requireAll: true }), status: 403, detail: 'The authenticated user does not have all of the required roles.', extra: { code: 'INSUFFICIENT_ROLES' } },
  { name: 'InsufficientGroupsError', error: new errors.InsufficientGroupsError({ requiredGroups: ['staff'] }), status: 403, detail: 'The authenticated user does not have any of the required groups.', extra: { code: 'INSUFFICIENT_GROUPS' } },
  { name: 'InsufficientGroupsError', error: new errors.InsufficientGroupsError({ requireAll: true }), status: 403, detail: 'The authenticated user does not have all of the required groups.', extra: { code: 'INSUFFICIENT_GROUPS' } },
  { name: 'InsufficientScopeError', error: new errors.InsufficientScopeError({ requiredScopes: ['a', 'b'], userScopes: ['c'] }), status: 403, detail: 'The authenticated user does not have any of the required scopes.', extra: { code: 'INSUFFICIENT_SCOPE', required_scopes: ['a', 'b'] }, headers: challenge(', error="insufficient_scope", scope="a b"') },
  { name: 'InsufficientScopeError', error: new errors.InsufficientScopeError({ requiredScopes: ['a'], requireAll: true }), status: 403, detail: 'The authenticated user does not have all of the required scopes.', extra: { code: 'INSUFFICIENT_SCOPE', required_scopes: ['a'] }, headers: challenge(', error="insufficient_scope", scope="a"') },
  { name: 'RateLimitError', error: new errors.RateLimitError({ retryAfter: 29.5, identifier: '192.0.2.1' }), status: 429, detail: 'Too many attempts. Try again later.', extra: { code: 'RATE_LIMITED', retry_after: 30 }, headers: { 'retry-after': '30' } },
  { name: 'UserNotFoundError', error: new errors.UserNotFoundError({ userId: 7 }), status: 404, detail: 'User not found', extra: { code: 'USER_NOT_FOUND' } },
  { name: 'UserAlreadyExistsError', error: new errors.UserAlreadyExistsError({ identifier: { type: 'email', value: 'admin@example.com' } }), status: 400, detail: 'A user with the provided credentials already exists.', extra: { code: 'USER_ALREADY_EXISTS' } },
  { name: 'InvalidPasswordError', error: new errors.InvalidPasswordError({ userId: 7 }), status: 400, detail: 'The provided password is invalid.', extra: { code: 'INVALID_PASSWORD' } },
  { name: 'InvalidPasswordError', error: new errors.InvalidPasswordError({ errors: ['Too short', 'No digit'], code: errors.ErrorCode.REGISTER_INVALID_PASSWORD }), status: 400, detail: 'The provided password is invalid.', extra: { code: 'REGISTER_INVALID_PASSWORD', errors: ['Too short', 'No digit'] } },
  { name: 'PasswordPolicyError', error: new errors.PasswordPolicyError({ errors: ['Too short'], userId: 7 }), status: 400, detail: 'Password does not meet policy requirements', extra: { code: 'PASSWORD_POLICY_VIOLATION', errors: ['Too short'] } },
  { name: 'PasswordPolicyError', error: new errors.PasswordPolicyError({ errors: ['Too short'], code: errors.ErrorCode.RESET_PASSWORD_INVALID_PASSWORD }), status: 400, detail: 'Password does not meet policy requirements', extra: { code: 'RESET_PASSWORD_INVALID_PASSWORD', errors: ['Too short'] } },
  { name: 'OAuthAccountAlreadyLinkedError', error: new errors.OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'acct-123', existingUserId: 7 }), status: 400, detail: 'This provider account is already linked to another user. One provider identity can only be linked to a single local account.', extra: { code: 'OAUTH_ACCOUNT_ALREADY_LINKED' } },
  { name: 'OAuthStateError', error: new errors.OAuthStateError({ reason: 'nonce' }), status: 400, detail: 'The sign-in attempt is invalid or has expired.', extra: { code: 'OAUTH_STATE_INVALID' } },
  { name: 'OAuthLinkRequiredError', error: new errors.OAuthLinkRequiredError({ provider: 'google', userId: 7 }), status: 409, detail: 'An account with this e-mail address exists. Sign in to it first, then link this provider.', extra: { code: 'OAUTH_LINK_REQUIRED' } },
  { name: 'OAuthProviderError', error: new errors.OAuthProviderError({ provider: 'google' }), status: 502, detail: 'The sign-in provider did not answer correctly.', extra: { code: 'OAUTH_PROVIDER_ERROR' } },
  { name: 'SignatureExpiredError', error: new errors.SignatureExpiredError({ age: 7200, maxAge: 3600 }), status: 400, detail: 'Signature has expired', extra: { code: 'SIGNATURE_EXPIRED' } },
  { name: 'BadSignatureError', error: new errors.BadSignatureError({ reason: 'purpose' }), status: 400, detail: 'Invalid signature', extra: { code: 'BAD_SIGNATURE' } },
  { name: 'OnboardingSessionExpiredError', error: new errors.OnboardingSessionExpiredError({ sessionId: 's-1' }), status: 410, detail: 'Onboarding session has expired', extra: { code: 'ONBOARDING_SESSION_EXPIRED' } },
  sessionInvalid('Session not found'),
  sessionInvalid('Session has been invalidated'),
  sessionInvalid('Session is not usable'),
  { name: 'OnboardingStepError', error: new errors.OnboardingStepError({ stepName: 'profile', errors: ['Enter a name'] }), status: 422, detail: 'Onboarding step failed', extra: { code: 'ONBOARDING_STEP_FAILED', step_name: 'profile', errors: ['Enter a name'] } },
  { name: 'OnboardingFlowCompleteError', error: new errors.OnboardingFlowCompleteError(), status: 409, detail: 'Onboarding flow is already complete', extra: { code: 'ONBOARDING_FLOW_COMPLETE' } }
]

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  410: 'Gone',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable'
}

/** An application with one open route for each case, which throws the case's error. */
async function application (t: Test): Promise<FastifyInstance> {
  const app = await build(t)
  for (const [index, { error }] of cases.entries()) app.get(`/${index}`, async () => { throw error })
  return app
}

function sameHeaders (t: Test, { headers }: { headers: Record<string, unknown> }, { headers: own = {} }: Case, type: string): void {
  const { 'content-length': length, date, connection, ...rest } = headers
  t.strictSame(rest, { 'cache-control': 'no-store', vary: 'Accept', 'content-type': `${type}; charset=utf-8`, ...own }, 'these headers and no others')
}

t.test('every class that can be thrown is provoked here', async (t) => {
  const provoked = [...new Set(cases.map(({ name }) => name))].sort()
  t.strictSame(provoked, contract.filter((row) => !row.abstract).map((row) => row.class).sort())
  for (const { name, error } of cases) t.equal(error.constructor.name, name)
})

t.test('thrown by a handler, each becomes its status, headers and body', async (t) => {
  const app = await application(t)
  for (const [index, one] of cases.entries()) {
    const response = await app.inject(`/${index}`)
    t.equal(response.statusCode, one.status, one.name)
    // Byte for byte: the order of the fields is part of it.
    t.equal(response.body, JSON.stringify({ status_code: one.status, detail: one.detail, extra: one.extra }), one.name)
    sameHeaders(t, response, one, 'application/json')
  }
})

t.test('the same as problem+json, for clients that ask for it', async (t) => {
  const app = await application(t)
  for (const [index, one] of cases.entries()) {
    const response = await app.inject({ url: `/${index}`, headers: { accept: 'application/problem+json' } })
    t.equal(response.statusCode, one.status, one.name)
    t.equal(response.body, JSON.stringify({ type: 'about:blank', title: titles[one.status], status: one.status, detail: one.detail, ...one.extra }), one.name)
    sameHeaders(t, response, one, 'application/problem+json')
  }
})

t.test('thrown by a hook, sent by a handler, or rejected later, the answer is the same', async (t) => {
  const app = await build(t)
  for (const [index, { error }] of cases.entries()) {
    app.get(`/hook/${index}`, { preHandler: (_request, _reply, done) => { done(error) } }, async () => 'reached')
    app.get(`/sent/${index}`, (_request, reply) => { reply.send(error) })
    app.get(`/later/${index}`, (_request, reply) => { setImmediate(() => { reply.send(error) }) })
  }
  for (const [index, one] of cases.entries()) {
    for (const way of ['hook', 'sent', 'later']) {
      const response = await app.inject(`/${way}/${index}`)
      t.equal(response.statusCode, one.status, `${one.name} ${way}`)
      t.equal(response.body, JSON.stringify({ status_code: one.status, detail: one.detail, extra: one.extra }))
      sameHeaders(t, response, one, 'application/json')
    }
  }
})

t.test('errors are read through a proxy and Object.create, as other handlers hand them on', async (t) => {
  const app = await build(t)
  for (const [index, { error }] of cases.entries()) {
    app.get(`/created/${index}`, async () => { throw Object.create(error) })
    app.get(`/proxy/${index}`, async () => { throw new Proxy(error, {}) })
  }
  for (const [index, one] of cases.entries()) {
    for (const way of ['created', 'proxy']) {
      const response = await app.inject(`/${way}/${index}`)
      t.equal(response.statusCode, one.status, `${one.name} ${way}`)
      t.equal(response.body, JSON.stringify({ status_code: one.status, detail: one.detail, extra: one.extra }))
      sameHeaders(t, response, one, 'application/json')
    }
  }
})
