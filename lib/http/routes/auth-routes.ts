import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ConfigurationError } from '../../errors/operation.js'
import { errorResponses } from '../response-docs.js'
import type { Documenter } from './documented.js'
import { accountsKey, type MountedAccounts } from './mounted.js'
import { answerOwnErrors } from './own-errors.js'
import { callers } from './caller.js'
import { keyRoutes } from './keys.js'
import { profileRoutes, sessionRoutes } from './profile.js'
import { recoveryRoutes, registrationRoutes, verificationRoutes } from './registration.js'
import { signInRoutes } from './sign-in.js'
import { userRoutes } from './users.js'
import { strictValidator } from './validation.js'

/** Options of {@link authRoutes}: where the routes are, and which groups of them are left out. */
export interface AuthRoutesOptions {
  /** Stands before every path. Default none. */
  prefix?: string
  /** `/login`, `/refresh`, `/logout`, `/logout-all`. Default true. */
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
  /** `/users`, for who has the plugin's `adminRole`. Default true. */
  users?: boolean
  /** Serves the public keys of `jwt.secret` at `/.well-known/jwks.json`, without the prefix. Default false. */
  jwks?: boolean
}

const OPTIONS: Record<keyof AuthRoutesOptions, true> = { prefix: true, signIn: true, registration: true, profile: true, sessions: true, verification: true, recovery: true, users: true, jwks: true }

async function routes (instance: FastifyInstance, options: AuthRoutesOptions): Promise<void> {
  const mounted = readOptions(instance, options)
  const { accounts, issuer, handling, adminRole, requireVerified, concealExistingUsers } = mounted
  const callerOf = callers(issuer)
  if (options.jwks === true) keyRoutes(instance, mounted)

  const refusals: Documenter = handling === undefined ? () => ({}) : errorResponses

  await instance.register(async (scope) => {
    readJsonOnly(scope)
    scope.addHook('onRoute', ({ schema }) => { Object.assign(schema as object, { tags: ['accounts'] }) })
    scope.setValidatorCompiler(strictValidator())
    answerOwnErrors(scope, handling)
    if (options.signIn !== false) signInRoutes(scope, accounts, refusals, callerOf)
    if (options.registration !== false) registrationRoutes(scope, accounts, refusals, concealExistingUsers)
    if (options.profile !== false) profileRoutes(scope, accounts, refusals, callerOf, requireVerified)
    if (options.sessions !== false) sessionRoutes(scope, accounts, refusals, callerOf)
    if (options.verification !== false) verificationRoutes(scope, accounts, refusals)
    if (options.recovery !== false) recoveryRoutes(scope, accounts, refusals)
    if (options.users !== false) userRoutes(scope, accounts, refusals, adminRole, callerOf)
  }, { prefix: options.prefix ?? '' })
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
  return mounted
}

function refuse (option: string, message: string): ConfigurationError {
  return new ConfigurationError({ option, message })
}

/**
 * The routes of the account system, each documented with all it can refuse.
 * Register it after the plugin: `app.register(authRoutes, { prefix: '/auth' })`.
 * Throws {@link ConfigurationError}.
 */
export const authRoutes: FastifyPluginAsync<AuthRoutesOptions> = fp(routes, { fastify: '5.x', name: 'fastify-bouncer-routes' })
