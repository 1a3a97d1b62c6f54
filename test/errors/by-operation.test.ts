import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import t from 'tap'
import authPlugin, { ConfigurationError, createSigner, memoryStore, validateOptions, type AuthPluginOptions } from '../../index.js'
import { accounts, clock, mailed, password, type AccountsApp } from '../accounts.js'
import { registerStep } from '../../lib/onboarding.js'
import { encryptionKey } from '../totp.js'
import { oauthAccounts, type OAuthApp } from '../oauth.js'
import { watched } from '../watched-store.js'
import { contract } from './contract.js'
import { bearer, build, forge, claims, issuer, audience, now, options, refused, server } from '../build.js'

// Every class whose operation there is, provoked by that operation.

interface Case {
  provokes: string
  request: InjectOptions
  status: number
  code: string
  detail: string
  challenge?: string
}

const bad = 'Bearer realm="api", error="invalid_token"'
const other = 'another secret of thirty-two bytes or more'

const signing = { secret: other, purpose: 'downloads' }
const signer = createSigner(signing)
const earlier = createSigner({ ...signing, clock: () => Date.now() - 120_000 })

const cases: readonly Case[] = [
  { provokes: 'MissingTokenError', request: { url: '/user' }, status: 401, code: 'MISSING_TOKEN', detail: 'Missing or invalid Authorization header', challenge: 'Bearer realm="api"' },
  { provokes: 'InvalidAuthorizationError', request: { url: '/user', headers: { authorization: 'Bearer a b' } }, status: 400, code: 'INVALID_AUTHORIZATION_HEADER', detail: 'Invalid authorization header', challenge: 'Bearer realm="api", error="invalid_request"' },
  { provokes: 'TokenExpiredError', request: { url: '/user', headers: bearer({ exp: now() - 1 }) }, status: 401, code: 'TOKEN_EXPIRED', detail: 'Token has expired', challenge: bad },
  { provokes: 'TokenInvalidError', request: { url: '/user', headers: { authorization: `Bearer ${forge({ alg: 'HS256' }, claims(), other)}` } }, status: 401, code: 'TOKEN_INVALID', detail: 'Invalid token: Signature verification failed', challenge: bad },
  { provokes: 'InsufficientRolesError', request: { url: '/role', headers: bearer({ roles: ['support'] }) }, status: 403, code: 'INSUFFICIENT_ROLES', detail: 'The authenticated user does not have any of the required roles.' },
  { provokes: 'InsufficientGroupsError', request: { url: '/group', headers: bearer({ groups: ['guests'] }) }, status: 403, code: 'INSUFFICIENT_GROUPS', detail: 'The authenticated user does not have any of the required groups.' },
  { provokes: 'InsufficientScopeError', request: { url: '/scope', headers: bearer({ scope: 'profile' }) }, status: 403, code: 'INSUFFICIENT_SCOPE', detail: 'The authenticated user does not have all of the required scopes.', challenge: 'Bearer realm="api", error="insufficient_scope", scope="reports:read reports:write"' },
  { provokes: 'BadSignatureError', request: { url: signer.signUrl('/signed', { expiresIn: 60 }).replace('signed', 'signed/other') }, status: 400, code: 'BAD_SIGNATURE', detail: 'Invalid signature' },
  { provokes: 'SignatureExpiredError', request: { url: earlier.signUrl('/signed', { expiresIn: 60 }) }, status: 400, code: 'SIGNATURE_EXPIRED', detail: 'Signature has expired' },
  { provokes: 'StepUpRequiredError', request: { url: '/recent', headers: bearer({ auth_time: now() - 400 }) }, status: 401, code: 'STEP_UP_REQUIRED', detail: 'Recent stronger authentication is required.', challenge: 'Bearer realm="api", error="insufficient_user_authentication", max_age="300"' }
]

/** Guarded routes, and the URLs whose handlers ran. */
function guarded (app: FastifyInstance): string[] {
  const reached: string[] = []
  const handler = async (request: { url: string }) => { reached.push(request.url) }
  app.get('/user', { onRequest: app.requireUser() }, handler)
  app.get('/role', { onRequest: app.requireRole('admin') }, handler)
  app.get('/group', { onRequest: app.requireGroup('staff') }, handler)
  app.get('/scope', { onRequest: app.requireAllScopes('reports:read', 'reports:write') }, handler)
  app.get('/signed', { onRequest: app.requireSignedUrl({ signer }) }, handler)
  app.get('/signed/other', { onRequest: app.requireSignedUrl({ signer }) }, handler)
  app.get('/recent', { config: { auth: { maxAge: 300 } } }, handler)
  return reached
}

t.test('a request that is refused gets its class, and no handler runs', async (t) => {
  const app = await build(t)
  const reached = guarded(app)
  for (const { provokes, request, status, code, detail, challenge } of cases) {
    await t.test(provokes, async (t) => {
      const response = await app.inject(request)
      refused(t, response, status, code, detail)
      t.equal(response.headers['www-authenticate'], challenge)
    })
  }
  t.strictSame(reached, [])
})

t.test('AuthUnavailableError (AUTH_UNAVAILABLE): keys that cannot be had', async (t) => {
  const app = await build(t, { jwt: { jwksUrl: await deadUrl() } })
  const reached = guarded(app)
  const response = await app.inject({ url: '/user', headers: bearer() })
  t.equal(response.statusCode, 401, 'a token that no key set could verify is not worth a fetch')
  const unavailable = await app.inject({ url: '/user', headers: { authorization: `Bearer ${forge({ alg: 'RS256', kid: 'k' }, claims())}` } })
  refused(t, unavailable, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
  t.match(unavailable.headers['retry-after'], /^[1-9][0-9]*$/)
  t.equal(unavailable.json().extra.retry_after, Number(unavailable.headers['retry-after']))
  t.equal(unavailable.headers['www-authenticate'], undefined)
  t.strictSame(reached, [])
})

t.test('ConfigurationError (CONFIGURATION_ERROR): options that cannot be meant', async (t) => {
  const app = server(t)
  const empty = { ...options, issuer: '' }
  await t.rejects(async () => { await app.register(authPlugin, empty) }, { name: 'ConfigurationError', code: 'CONFIGURATION_ERROR', statusCode: 500, option: 'issuer' })
  t.throws(() => validateOptions({ issuer, audience }), ConfigurationError)
  t.throws(() => validateOptions({ issuer, audience }), /jwt is missing; give/)
})

interface Operation {
  provokes: string
  status: number
  code: string
  detail: string
  /** What else is in `extra`. */
  extra?: object
  options?: () => AuthPluginOptions
  run: (built: AccountsApp, pass: (seconds: number) => void) => Promise<LightMyRequestResponse>
}

const email = 'ada@example.com'
const another = 'another good password'
const tooShort = { errors: ['Password must be at least 8 characters'] }
const weak = 'sh0rt+'

/** The token of the mail that somebody asks for. */
async function asked (built: AccountsApp, path: string, name: 'verification_requested' | 'password_reset_requested'): Promise<string> {
  await built.call('POST', path, { email })
  return await mailed(built, name)
}

const operations: readonly Operation[] = [
  {
    provokes: 'AuthenticationError',
    status: 401,
    code: 'AUTHENTICATION_FAILED',
    detail: 'Invalid credentials',
    async run ({ call, signUp }, pass) {
      const { refresh_token: refresh } = await signUp()
      pass(604_800)
      return await call('POST', '/refresh', { refresh_token: refresh })
    }
  },
  {
    provokes: 'InvalidCredentialsError',
    status: 401,
    code: 'INVALID_CREDENTIALS',
    detail: 'Invalid credentials',
    run: async ({ call }) => await call('POST', '/login', { email, password })
  },
  {
    provokes: 'AccountUnavailableError',
    status: 401,
    code: 'ACCOUNT_UNAVAILABLE',
    detail: 'Account is not available for sign-in.',
    async run ({ app, call, signUp }) {
      const { id, access_token: access } = await signUp()
      await app.bouncer.users.update(id, { is_active: false })
      return await call('GET', '/me', undefined, access)
    }
  },
  {
    provokes: 'TokenExpiredError',
    status: 401,
    code: 'TOKEN_EXPIRED',
    detail: 'Token has expired',
    async run ({ call, signUp }, pass) {
      const { access_token: access } = await signUp()
      pass(900)
      return await call('GET', '/me', undefined, access)
    }
  },
  {
    provokes: 'TokenInvalidError',
    status: 401,
    code: 'TOKEN_INVALID',
    detail: 'Invalid token: Unexpected token type',
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      return await call('POST', '/refresh', { refresh_token: access })
    }
  },
  {
    provokes: 'TokenRevokedError',
    status: 401,
    code: 'TOKEN_REVOKED',
    detail: 'Token has been revoked',
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      await call('POST', '/logout', undefined, access)
      return await call('GET', '/me', undefined, access)
    }
  },
  {
    provokes: 'InvalidVerifyTokenError',
    status: 400,
    code: 'VERIFY_USER_BAD_TOKEN',
    detail: 'The email verification token is invalid.',
    async run (built) {
      await built.app.bouncer.users.create({ email })
      const token = await asked(built, '/verify/request', 'verification_requested')
      await built.call('POST', '/verify', { token })
      return await built.call('POST', '/verify', { token })
    }
  },
  {
    provokes: 'InvalidResetTokenError',
    status: 400,
    code: 'RESET_PASSWORD_BAD_TOKEN',
    detail: 'The password reset token is invalid.',
    async run (built, pass) {
      await built.app.bouncer.users.create({ email })
      const token = await asked(built, '/password/forgot', 'password_reset_requested')
      pass(3600)
      return await built.call('POST', '/password/reset', { token, password })
    }
  },
  {
    provokes: 'RateLimitError',
    status: 429,
    code: 'RATE_LIMITED',
    detail: 'Too many attempts. Try again later.',
    extra: { retry_after: 600 },
    async run ({ call }) {
      for (let count = 0; count < 5; count++) await call('POST', '/login', { email, password })
      return await call('POST', '/login', { email, password })
    }
  },
  {
    provokes: 'UserNotFoundError',
    status: 404,
    code: 'USER_NOT_FOUND',
    detail: 'User not found',
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp({ roles: ['admin'] })
      return await call('GET', '/users/nobody', undefined, access)
    }
  },
  {
    provokes: 'UserAlreadyExistsError',
    status: 400,
    code: 'USER_ALREADY_EXISTS',
    detail: 'A user with the provided credentials already exists.',
    async run ({ app, call }) {
      await app.bouncer.users.create({ email })
      return await call('POST', '/register', { email, password })
    }
  },
  {
    provokes: 'InvalidPasswordError',
    status: 400,
    code: 'INVALID_PASSWORD',
    detail: 'The provided password is invalid.',
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      return await call('PATCH', '/me', { email, current_password: another }, access)
    }
  },
  {
    provokes: 'InvalidPasswordError',
    status: 400,
    code: 'UPDATE_USER_INVALID_PASSWORD',
    detail: 'The provided password is invalid.',
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      return await call('POST', '/me/password', { current_password: another, new_password: another }, access)
    }
  },
  {
    provokes: 'PasswordPolicyError',
    status: 400,
    code: 'PASSWORD_POLICY_VIOLATION',
    detail: 'Password does not meet policy requirements',
    extra: tooShort,
    // No route of ours: an application that makes users in one of its own.
    async run ({ app }) {
      app.post('/people', async () => await app.bouncer.users.create({ email, password: weak }))
      return await app.inject({ method: 'POST', url: '/people' })
    }
  },
  {
    provokes: 'PasswordPolicyError',
    status: 400,
    code: 'REGISTER_INVALID_PASSWORD',
    detail: 'Password does not meet policy requirements',
    extra: tooShort,
    run: async ({ call }) => await call('POST', '/register', { email, password: weak })
  },
  {
    provokes: 'PasswordPolicyError',
    status: 400,
    code: 'UPDATE_USER_INVALID_PASSWORD',
    detail: 'Password does not meet policy requirements',
    extra: tooShort,
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      return await call('POST', '/me/password', { current_password: password, new_password: weak }, access)
    }
  },
  {
    provokes: 'PasswordPolicyError',
    status: 400,
    code: 'RESET_PASSWORD_INVALID_PASSWORD',
    detail: 'Password does not meet policy requirements',
    extra: tooShort,
    async run (built) {
      await built.app.bouncer.users.create({ email })
      const token = await asked(built, '/password/forgot', 'password_reset_requested')
      return await built.call('POST', '/password/reset', { token, password: weak })
    }
  },
  {
    provokes: 'InvalidChallengeError',
    status: 400,
    code: 'INVALID_CHALLENGE',
    detail: 'Invalid or expired challenge',
    run: async ({ call }) => await call('POST', '/login/challenge', { session: 'x', challenge_name: 'MFA_TOTP', code: '000000' })
  },
  {
    provokes: 'MfaSetupError',
    status: 400,
    code: 'MFA_SETUP_FAILED',
    detail: 'MFA setup failed',
    options: () => ({ encryptionKey }),
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      return await call('POST', '/mfa/totp/verify', { code: '000000' }, access)
    }
  },
  {
    provokes: 'OnboardingSessionExpiredError',
    status: 410,
    code: 'ONBOARDING_SESSION_EXPIRED',
    detail: 'Onboarding session has expired',
    options: () => ({ onboarding: { steps: [registerStep()] } }),
    async run ({ app, call }, pass) {
      const { session } = await app.bouncer.onboarding.start({ email })
      pass(3600)
      return await call('POST', '/onboarding/advance', { session, data: { password } })
    }
  },
  {
    provokes: 'OnboardingSessionInvalidError',
    status: 404,
    code: 'ONBOARDING_SESSION_INVALID',
    detail: 'Session has been invalidated',
    extra: { reason: 'Session has been invalidated' },
    options: () => ({ onboarding: { steps: [registerStep()] } }),
    async run ({ app, call }) {
      const { session } = await app.bouncer.onboarding.start({ email })
      await app.bouncer.onboarding.start({ email })
      return await call('POST', '/onboarding/resume', { session })
    }
  },
  {
    provokes: 'OnboardingStepError',
    status: 422,
    code: 'ONBOARDING_STEP_FAILED',
    detail: 'Onboarding step failed',
    extra: { step_name: 'register', errors: tooShort.errors },
    options: () => ({ onboarding: { steps: [registerStep()] } }),
    async run ({ app, call }) {
      const { session } = await app.bouncer.onboarding.start({ email })
      return await call('POST', '/onboarding/advance', { session, data: { password: weak } })
    }
  },
  {
    provokes: 'OnboardingFlowCompleteError',
    status: 409,
    code: 'ONBOARDING_FLOW_COMPLETE',
    detail: 'Onboarding flow is already complete',
    options: () => ({ onboarding: { steps: [registerStep()] } }),
    async run ({ app, call }) {
      const { session } = await app.bouncer.onboarding.start({ email })
      await app.bouncer.onboarding.advance(session, { password })
      return await call('POST', '/onboarding/advance', { session })
    }
  },
  {
    provokes: 'AuthorizationError',
    status: 403,
    code: 'AUTHORIZATION_DENIED',
    detail: 'The last administrator cannot be removed.',
    async run ({ call, signUp }) {
      const { id, access_token: access } = await signUp({ roles: ['admin'] })
      return await call('DELETE', `/users/${id}`, undefined, access)
    }
  },
  {
    provokes: 'InsufficientRolesError',
    status: 403,
    code: 'INSUFFICIENT_ROLES',
    detail: 'The authenticated user does not have any of the required roles.',
    async run ({ call, signUp }) {
      const { access_token: access } = await signUp()
      return await call('GET', '/users', undefined, access)
    }
  },
  {
    provokes: 'InvalidHashError',
    status: 500,
    code: 'INVALID_HASH',
    detail: 'A stored password hash is not recognised.',
    options () {
      const store = memoryStore()
      const findById: typeof store.users.findById = async (id) => {
        const user = await store.users.findById(id)
        return user && { ...user, passwordHash: 'md5$5f4dcc3b5aa765d61d8327deb882cf99' }
      }
      return { store: { ...store, users: { ...store.users, findById } } }
    },
    async run ({ app, call }) {
      const { id } = await app.bouncer.users.create({ email, password })
      return await call('POST', '/me/password', { current_password: password, new_password: another }, bearer({ sub: id }).authorization.slice(7))
    }
  },
  {
    provokes: 'EventError',
    status: 500,
    code: 'EVENT_HANDLER_FAILED',
    detail: 'An event handler failed.',
    options: () => ({ events: { propagate: true } }),
    async run ({ app, call }) {
      app.bouncer.events.on('user_created', () => { throw new Error('the mail server is down') })
      return await call('POST', '/register', { email, password })
    }
  },
  {
    provokes: 'AuthUnavailableError',
    status: 503,
    code: 'AUTH_UNAVAILABLE',
    detail: 'Authentication is temporarily unavailable.',
    extra: { retry_after: 5 },
    options () {
      const store = watched(memoryStore())
      store.failing.add('users.insert')
      return { store }
    },
    run: async ({ call }) => await call('POST', '/register', { email, password })
  }
]

t.test('an operation of accounts that is refused gets its class', async (t) => {
  for (const { provokes, status, code, detail, extra = {}, options, run } of operations) {
    await t.test(`${provokes} (${code})`, async (t) => {
      const pass = clock(t)
      const response = await run(await accounts(t, options?.()), pass)
      refused(t, response, status, code, detail)
      t.strictSame(response.json().extra, { code, ...extra })
      t.equal(response.headers['retry-after'], 'retry_after' in extra ? String(extra.retry_after) : undefined)
    })
  }
})

const oauthOperations: Array<Pick<Operation, 'provokes' | 'status' | 'code' | 'detail'> & { run: (app: OAuthApp) => Promise<LightMyRequestResponse> }> = [
  {
    provokes: 'OAuthStateError',
    status: 400,
    code: 'OAUTH_STATE_INVALID',
    detail: 'The sign-in attempt is invalid or has expired.',
    run: async ({ comeBack }) => await comeBack('?code=x&state=y')
  },
  {
    provokes: 'OAuthProviderError',
    status: 502,
    code: 'OAUTH_PROVIDER_ERROR',
    detail: 'The sign-in provider did not answer correctly.',
    async run ({ provider, call }) {
      await provider.stop()
      return await call('GET', '/oauth/acme/authorize')
    }
  },
  {
    provokes: 'OAuthLinkRequiredError',
    status: 409,
    code: 'OAUTH_LINK_REQUIRED',
    detail: 'An account with this e-mail address exists. Sign in to it first, then link this provider.',
    async run ({ app, signIn }) {
      await app.bouncer.users.create({ email })
      return await signIn('ada')
    }
  },
  {
    provokes: 'OAuthAccountAlreadyLinkedError',
    status: 400,
    code: 'OAUTH_ACCOUNT_ALREADY_LINKED',
    detail: 'This provider account is already linked to another user. One provider identity can only be linked to a single local account.',
    async run ({ signUp, link }) {
      await link((await signUp()).access_token, 'ada')
      return await link((await signUp()).access_token, 'ada')
    }
  }
]

t.test('an operation at a provider that is refused gets its class', async (t) => {
  for (const { provokes, status, code, detail, run } of oauthOperations) {
    await t.test(`${provokes} (${code})`, async (t) => {
      const app = await oauthAccounts(t)
      app.provider.people.set('ada', { email, email_verified: true })
      const response = await run(app)
      refused(t, response, status, code, detail)
      t.strictSame(response.json().extra, { code })
    })
  }
})

t.test('every class is provoked here', async (t) => {
  const provoked = new Set([...cases.map(({ provokes }) => provokes), ...[...operations, ...oauthOperations].map(({ provokes }) => provokes), 'ConfigurationError'])
  for (const { class: name, abstract } of contract) {
    if (!abstract) t.ok(provoked.has(name), name)
  }
  const codes = new Set(operations.map(({ code }) => code))
  for (const { endpointCodes } of contract) {
    for (const code of Object.values(endpointCodes)) t.ok(codes.has(code), code)
  }
})

/** An address on loopback where nobody listens. */
async function deadUrl (): Promise<string> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  listener.close()
  await once(listener, 'close')
  return `http://127.0.0.1:${port}/keys`
}
