import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ConfigurationError } from '../../errors/operation.js'
import { bearerOnlyKey, identityOf } from '../authenticate.js'
import { errorResponses } from '../response-docs.js'
import type { Documenter } from './documented.js'
import { accountsKey, type MountedAccounts } from './mounted.js'
import { answerOwnErrors } from './own-errors.js'
import { callers, type CallerOf } from './caller.js'
import { keyRoutes } from './keys.js'
import { mfaResetRoutes, mfaRoutes, totpRoutes } from './mfa.js'
import { oauthRoutes } from './oauth.js'
import { onboardingRoutes } from './onboarding.js'
import { namesRoutes, profileRoutes, sessionRoutes } from './profile.js'
import { recoveryRoutes, registrationRoutes, verificationRoutes } from './registration.js'
import { signInRoutes } from './sign-in.js'
import { userRoutes } from './users.js'
import { strictValidator } from './validation.js'

/** Options of {@link authRoutes}: where the routes are, and which groups of them are left out. */
export interface AuthRoutesOptions {
  /** Stands before every path. Default none. */
  prefix?: string
  /** `/login`, `/login/challenge`, `/refresh`, `/logout`, `/logout-all`. Default true. */
  signIn?: boolean
  /** `/register`. Default true. */
  registration?: boolean
  /** `/me`, `/me/password`. Default true. */
  profile?: boolean
  /** `/sessions`. Default true. */
  sessions?: boolean
  /** `/verify`, `/verify/request`. Default true. */
  verification?: boolean
  /** `/password/forgot`, `/password/reset`. Default true. */
  recovery?: boolean
  /** `/mfa/totp` and what belongs to it. Default true where the plugin has an `encryptionKey`, or a provider. */
  mfa?: boolean
  /** `/oauth`: sign-in at providers, and linked accounts. Default true where the plugin has `oauth`. */
  oauth?: boolean
  /** `/onboarding/start` and what belongs to it. Default true where the plugin has the option `onboarding`. */
  onboarding?: boolean
  /** `/users`, for who has the plugin's `adminRole`. Default true. */
  users?: boolean
  /** Serves the public keys of `jwt.secret` at `/.well-known/jwks.json`, without the prefix. Default false. */
  jwks?: boolean
}

const OPTIONS: Record<keyof AuthRoutesOptions, true> = { prefix: true, signIn: true, registration: true, profile: true, sessions: true, verification: true, recovery: true, mfa: true, oauth: true, onboarding: true, users: true, jwks: true }

async function routes (instance: FastifyInstance, options: AuthRoutesOptions): Promise<void> {
  const mounted = readOptions(instance, options)
  const { service, issuer, handling } = mounted
  const callerOf = callers(issuer)
  if (options.jwks === true) keyRoutes(instance, mounted)

  const refusals: Documenter = handling === undefined ? () => ({}) : errorResponses

  await instance.register(async (scope) => {
    readJsonOnly(scope)
    scope.addHook('onRoute', ({ schema }) => { Object.assign(schema as object, { tags: ['accounts'] }) })
    scope.setValidatorCompiler(strictValidator())
    answerOwnErrors(scope, handling)
    takeBearerOnly(scope)
    if (options.signIn !== false) signInRoutes(scope, service, refusals, callerOf)
    if (options.profile !== false) profileRoutes(scope, service, refusals, callerOf)
    if (options.recovery !== false) recoveryRoutes(scope, service, refusals)
    if (options.mfa ?? mounted.hasMfa) totpRoutes(scope, service, refusals, callerOf)
    storeRoutes(scope, mounted, options, refusals, callerOf)
  }, { prefix: options.prefix ?? '' })
}

/** What only the users of a store have. */
function storeRoutes (scope: FastifyInstance, { accounts, hasMfa, hasOnboarding, oauth, adminRole, requireVerified, concealExistingUsers }: MountedAccounts, options: AuthRoutesOptions, refusals: Documenter, callerOf: CallerOf): void {
  if (accounts === undefined) return
  if (options.registration !== false) registrationRoutes(scope, accounts, refusals, concealExistingUsers)
  if (options.profile !== false) namesRoutes(scope, accounts, refusals, callerOf, requireVerified)
  if (options.sessions !== false) sessionRoutes(scope, accounts, refusals, callerOf)
  if (options.verification !== false) verificationRoutes(scope, accounts, refusals)
  if (oauth !== undefined && options.oauth !== false) oauthRoutes(scope, { ...oauth, oauth: accounts.oauth }, refusals, callerOf)
  if (options.users !== false) userRoutes(scope, accounts, refusals, adminRole, callerOf)
  if (options.onboarding ?? hasOnboarding) onboardingRoutes(scope, accounts.onboarding, refusals)
  if (!(options.mfa ?? hasMfa)) return
  mfaRoutes(scope, accounts.mfa, refusals, callerOf)
  if (options.users !== false) mfaResetRoutes(scope, accounts.mfa, refusals, adminRole, callerOf)
}

/** Whoever gives a password with each request has no session that these routes are about: it is not even looked at. */
function takeBearerOnly (scope: FastifyInstance): void {
  scope.decorate(bearerOnlyKey as never, true as never)
  scope.addHook('onRequest', (request, _reply, done) => {
    identityOf(request).bearerOnly = true
    done()
  })
}

type JsonParser = (request: FastifyRequest, body: string, done: (error: Error | null, body?: unknown) => void) => void

// Many clients say `application/json` where they send nothing.
function readJsonOnly (scope: FastifyInstance): void {
  const parse = scope.getDefaultJsonParser('error', 'error') as JsonParser
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body as string, done)
  })
}

function readOptions (instance: FastifyInstance, options: AuthRoutesOptions): MountedAccounts {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(OPTIONS, name)) throw refuse(name, `${name} is no option of authRoutes; there are ${Object.keys(OPTIONS).join(', ')}. Those of the account system are given to the plugin.`)
    const isPrefix = name === 'prefix'
    if (isPrefix ? typeof value !== 'string' : typeof value !== 'boolean') throw refuse(name, `${name} must be ${isPrefix ? 'a path such as /auth' : 'true or false'}.`)
  }
  const mounted = (instance as unknown as { [accountsKey]?: MountedAccounts | null })[accountsKey]
  if (mounted === undefined) throw refuse('register', 'authRoutes are registered where fastify-bouncer is not. Register and await the plugin before, in this scope or one around it.')
  if (mounted === null) throw refuse('store', 'authRoutes need the account system: give the plugin a store, such as store: sqliteStore(\'auth.db\') of fastify-bouncer/sql.')
  if (options.mfa === true && !mounted.hasMfa) throw refuse('encryptionKey', 'mfa: true needs second factors: give the plugin an encryptionKey, 32 random bytes in base64.')
  if (options.oauth === true && mounted.oauth === undefined) throw refuse('oauth', 'oauth: true needs providers: give the plugin oauth: { providers }.')
  if (options.onboarding === true && mounted.accounts !== undefined && !mounted.hasOnboarding) throw refuse('onboarding', 'onboarding: true needs a flow: give the plugin onboarding: { steps }, from fastify-bouncer/onboarding.')
  const lacking = mounted.accounts === undefined && STORE_ONLY.find((name) => options[name] === true)
  if (lacking) throw refuse(lacking, `${lacking} has no routes here: the users are the provider's, and it has nothing of the kind.`)
  return mounted
}

/** Groups of routes for the users of a store. */
const STORE_ONLY = ['registration', 'sessions', 'verification', 'users', 'onboarding'] as const

function refuse (option: string, message: string): ConfigurationError {
  return new ConfigurationError({ option, message })
}

/**
 * The routes of the account system, each documented with all it can refuse.
 * Register it after the plugin: `app.register(authRoutes, { prefix: '/auth' })`.
 * Throws {@link ConfigurationError}.
 */
export const authRoutes: FastifyPluginAsync<AuthRoutesOptions> = fp(routes, { fastify: '5.x', name: 'fastify-bouncer-routes' })
