import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { runAs, type User } from './context.js'
import { ConfigurationError } from './errors/operation.js'
import { authenticated, createAuthenticator, identityKey, identityOf, nobody, type Authenticator } from './http/authenticate.js'
import { createRecogniser, createRefuser, everyErrorHandler, handlingKey, routeErrorHandler, type ErrorHandling } from './http/error-handler.js'
import { basicChallenge, createBasic } from './http/basic.js'
import { registerFastifyJwt, type JwtService } from './http/fastify-jwt.js'
import { sendNotFound } from './http/foreign-errors.js'
import { ADMITTED, createEnforcer, createGuard, createGuards, type Enforcer, type Guards } from './http/guards.js'
import { createRefusalSender } from './http/refusal.js'
import type { Remember } from './http/nonces.js'
import { signedRequestPolicy } from './http/signed-request.js'
import { signedUrlPolicy } from './http/signed-url.js'
import { accountsKey, type MountedAccounts } from './http/routes/mounted.js'
import { guardRoutes, watchOutside } from './http/routes.js'
import { watchScopeGuards } from './http/scope-guards.js'
import { documentRoutes } from './http/swagger.js'
import { readSettings, type AuthPluginOptions, type Settings } from './options.js'
import { buildAccounts, missingAccounts, openAccounts, type OpenAccounts } from './account-system.js'
import { buildProvider, openProvider } from './provider-system.js'
import { systemClock } from './clock.js'
import { createEvents, type AuthEventEmitter } from './events.js'
import type { Accounts, SignInService } from './flow/accounts.js'
import { createIdentify, type Identify, type TrustedIssuer } from './flow/session/identify.js'
import type { EphemeralStore } from './store/contract.js'
import { memoryStore } from './store/memory.js'
import { createTokenVerifier } from './token/verify.js'

/** The services behind the plugin: `app.bouncer`. Those of accounts need the option `store`, and throw `ConfigurationError` without. */
export interface Bouncer extends Accounts {
  /** The guards, under their names; with `decorate: false` they are only here. */
  readonly guards: Guards
  /** Signs tokens with the key of `jwt.secret`; undefined where tokens come from elsewhere. */
  readonly jwt: JwtService | undefined
  /** What happens: `events.on('user_login', listener)`. */
  readonly events: Pick<AuthEventEmitter, 'on'>
}

async function bouncer (instance: FastifyInstance, options: AuthPluginOptions): Promise<void> {
  const settings = readSettings(options)
  const { enabled, errorHandler, userProperty } = settings
  refuseCollisions(instance, settings)
  if (!enabled) instance.log.warn('fastify-bouncer is switched off (enabled: false): every guard lets everyone through')

  const open = await openAccounts(instance, settings.accounts, settings.localIssuer)
  const identify = createIdentify({
    verify: createTokenVerifier({ ...settings, clock: systemClock }),
    revocation: settings.accounts?.maxStaleness === false ? undefined : open?.revocation,
    local: settings.localIssuer
  })
  const authenticate = enabled
    ? createAuthenticator({
      userProperty,
      identify: settings.issuers.length > 0 ? identify : undefined,
      basic: settings.basic && createBasic(settings.basic.authenticate),
      basicChallenge: settings.basic && basicChallenge(settings.basic.realm)
    })
    : nobody
  const enforce: Enforcer = enabled ? createEnforcer(authenticate) : () => ADMITTED
  const handling = { recognise: createRecogniser(settings.jwt?.show === true), send: createRefusalSender(settings) }
  const refuse = createRefuser(errorHandler !== false, handling)
  const ephemeral = open?.ephemeral ?? (settings.provider && await openProvider(instance, settings.provider))
  const signatures = { enabled, refuse, remember: remembering(instance, ephemeral) }
  const guards = createGuards((policy) => createGuard(policy, enforce, refuse), {
    signedUrl: signedUrlPolicy,
    signedRequest: (options) => signedRequestPolicy(options, signatures)
  })

  decorateRequest(instance, userProperty, authenticate)
  instance.decorate(handlingKey as never, handling as never)
  if (settings.decorate) {
    for (const [name, guard] of Object.entries(guards)) instance.decorate(name, guard)
  }
  if (settings.securityContext) followRequests(instance)
  const scopeGuards = watchScopeGuards(instance)
  const routes = guardRoutes(instance, {
    protect: settings.protect,
    hook: settings.hook,
    scopeGuards,
    enforce,
    refuse,
    errorHandler: errorHandler === false ? undefined : (own) => routeErrorHandler(own, handling)
  })
  watchOutside(instance, refuse)
  documentRoutes(instance, { routes, scopeGuards, settings })
  if (errorHandler === 'all') answerEverything(instance, handling)
  const jwt = settings.jwt === undefined ? undefined : await registerFastifyJwt(instance, settings.jwt, authenticate)
  const { bouncer, ...built } = services(instance, settings, { open, ephemeral, identify, guards, jwt })
  instance.decorate('bouncer', bouncer)
  instance.decorate(accountsKey as never, mounted(settings, built, errorHandler === false ? undefined : handling) as never)
}

interface BuiltParts {
  open: OpenAccounts | undefined
  /** What expires; undefined where neither accounts nor a provider keep anything. */
  ephemeral: EphemeralStore | undefined
  identify: Identify
  guards: Guards
  jwt: JwtService | undefined
}

const NO_STORE = 'store is missing; accounts need one, such as store: sqliteStore(\'auth.db\') of fastify-bouncer/sql.'
const NOT_HERE = 'Users of a provider are not listed, made or changed here: for that, use a store.'

interface BuiltServices {
  /** Undefined where users are a provider's, or there are none. */
  accounts: Accounts | undefined
  service: SignInService | undefined
}

function services (instance: FastifyInstance, { propagateEvents, provider, providerIssuer }: Settings, { open, ephemeral, identify, guards, jwt }: BuiltParts): BuiltServices & { bouncer: Bouncer } {
  const events = createEvents({
    propagate: propagateEvents,
    report: (err) => { instance.log.error({ err }, `fastify-bouncer: a listener of ${err.eventName} failed`) }
  })
  const own = { guards, jwt, events: { on: events.on }, authenticate: async (token: string) => await identify(token) }
  // Not spread: members that refuse, for want of a store, do so when they are read.
  const bouncerOf = (accounts: object): Bouncer => Object.defineProperties({ ...own }, Object.getOwnPropertyDescriptors(accounts)) as Bouncer
  if (provider !== undefined && ephemeral !== undefined) {
    const { accounts, service } = buildProvider(instance, provider, { ephemeral, identify, issuer: providerIssuer, events })
    return { accounts: undefined, service, bouncer: Object.defineProperties(bouncerOf(missingAccounts(NOT_HERE)), Object.getOwnPropertyDescriptors(accounts)) }
  }
  if (open === undefined || jwt === undefined) return { accounts: undefined, service: undefined, bouncer: bouncerOf(missingAccounts(NO_STORE)) }
  const { accounts, service } = buildAccounts(instance, open, { identify, jwt, events })
  return { accounts, service, bouncer: bouncerOf(accounts) }
}

/** Remembers nonces of signed requests: where there is no store, in memory, which is said when a guard first needs it. */
function remembering (instance: FastifyInstance, ephemeral: EphemeralStore | undefined): () => Remember {
  let store = ephemeral
  return () => {
    if (store === undefined) instance.log.warn('fastify-bouncer: nonces of signed requests are known to this process alone; where there are several, give requireSignedRequest() a function remember')
    const { add } = (store ??= memoryStore().ephemeral)
    return async (key, ttl) => await add(key, '1', ttl)
  }
}

/** What the routes find: null where nobody can sign in. */
function mounted ({ accounts: settings, providerIssuer, localIssuer, publicKeys }: Settings, { accounts, service }: BuiltServices, handling: ErrorHandling | undefined): MountedAccounts | null {
  if (service === undefined) return null
  return {
    accounts,
    service,
    handling,
    publicKeys,
    issuer: settings === undefined ? providerIssuer : (localIssuer as TrustedIssuer).rules.issuer,
    hasMfa: settings === undefined || settings.sealer !== undefined,
    oauth: settings?.oauth && { providers: settings.oauth.providers.map(({ name }) => name), baseUrl: settings.oauth.baseUrl },
    hasOnboarding: settings?.onboarding !== undefined,
    adminRole: settings?.adminRole ?? '',
    requireVerified: settings?.requireVerified ?? false,
    concealExistingUsers: settings?.concealExistingUsers ?? false
  }
}

function refuseCollisions (instance: FastifyInstance, { userProperty, jwt }: Settings): void {
  if (instance.hasDecorator('bouncer')) throw nested()
  // A parent that registers it later contains this scope as well: both would
  // share one identity per request, and the parent would trust this one's marks.
  instance.addHook('onReady', async () => {
    if ('bouncer' in Object.getPrototypeOf(instance)) throw nested()
  })
  const wanted = new Map([['signedBy', signedByTaken], [userProperty, () => taken(userProperty)]])
  for (const [name, problem] of wanted) {
    if (instance.hasRequestDecorator(name)) throw problem()
  }
  if (jwt?.show === true && instance.hasDecorator('jwt')) {
    throw new ConfigurationError({ option: 'jwt.decorate', message: 'jwt.decorate would show a second @fastify/jwt to an application that has one already. Leave it out; app.bouncer.jwt signs.' })
  }
  // Others that want the name later would only learn that it is there already.
  const decorate = instance.decorateRequest as (...args: unknown[]) => FastifyInstance
  function refusing (this: FastifyInstance, name: unknown, ...rest: unknown[]): FastifyInstance {
    const problem = wanted.get(name as string)
    if (problem !== undefined && this.hasRequestDecorator(name as string)) throw problem()
    return decorate.call(this, name, ...rest)
  }
  instance.decorateRequest = refusing as FastifyInstance['decorateRequest']
}

function nested (): ConfigurationError {
  return new ConfigurationError({ option: 'register', message: 'fastify-bouncer is registered twice, in one scope or in one that contains the other. Register it once, or in children that do not contain each other; for several issuers use the option issuers.' })
}

function taken (userProperty: string): ConfigurationError {
  return new ConfigurationError({ option: 'userProperty', message: `request.${userProperty} is wanted twice, perhaps by @fastify/jwt or @fastify/passport besides fastify-bouncer. Give userProperty another name, such as 'principal'.` })
}

function signedByTaken (): ConfigurationError {
  return new ConfigurationError({ option: 'register', message: 'request.signedBy is wanted twice: here it is the key id of a signed request. Give the application\'s own another name.' })
}

function decorateRequest (instance: FastifyInstance, userProperty: string, authenticate: Authenticator): void {
  instance.decorateRequest(identityKey as never, null as never)
  instance.decorateRequest(userProperty, null)
  instance.decorateRequest('signedBy', null)
  instance.decorateRequest('authenticate', function (this: FastifyRequest): Promise<User> {
    const user = authenticated(authenticate, this)
    // Where nobody awaits it, its refusal must not end the process.
    user.catch(() => {})
    return user
  })
}

// `run`, never `enterWith`: that one would stay entered for the next request of
// a kept-alive connection. The end of a pipelined response comes in the context
// of the response before it, and time-outs and aborts in none, so the request's
// own is entered again for those.
function followRequests (instance: FastifyInstance): void {
  instance.addHook('onRequest', (request, _reply, done) => { runAs(identityOf(request), done) })
  instance.addHook('onResponse', (request, _reply, done) => { runAs(identityOf(request), done) })
  instance.addHook('onTimeout', (request, _reply, done) => { runAs(identityOf(request), done) })
  instance.addHook('onRequestAbort', (request, done) => { runAs(identityOf(request), done) })
}

function answerEverything (instance: FastifyInstance, handling: ErrorHandling): void {
  instance.setErrorHandler(everyErrorHandler(handling))
  instance.setNotFoundHandler((request, reply) => sendNotFound(request, reply))
}

/** The Fastify plugin. Throws {@link ConfigurationError} from `register()` for options that cannot be meant. */
export const authPlugin: FastifyPluginAsync<AuthPluginOptions> = fp(bouncer, { fastify: '5.x', name: 'fastify-bouncer' })
