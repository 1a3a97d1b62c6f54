import { Value, ValueErrorType } from '@sinclair/typebox/value'
import { accountOptionsSchema, readAccountSettings, type AccountOptions, type AccountSettings } from './account-options.js'
import { errorClasses } from './errors.js'
import { ConfigurationError } from './errors/operation.js'
import type { TrustedIssuer } from './flow/session/identify.js'
import type { FastifyJwtOptions } from './http/fastify-jwt.js'
import { localUsers, type BasicAuthenticate } from './http/basic.js'
import type { DetailResolver, Exposure, Exposures, RefusalLogLevel } from './http/refusal.js'
import type { Protect } from './http/routes.js'
import { readIssuer, type IssuerOptions } from './issuer-options.js'
import { optionsSchema } from './options-schema.js'
import type { ProviderTrust } from './flow/provider.js'
import { readProviderSettings, type ProviderOptions, type ProviderSettings } from './provider-options.js'

/** HTTP Basic. */
export interface BasicOptions {
  /** A check of the application's own. Default: the users of the `store`. */
  authenticate?: BasicAuthenticate
  /** What the dialog of a browser shows. Default `'api'`. */
  realm?: string
  /** Whether users of the `store` who have a second factor pass without it. Default false. */
  allowSingleFactor?: boolean
  /** For how many seconds a password that was right is taken without hashing it again, while it is the user's. Default 0, at most 300. */
  cacheFor?: number
}

/** Options of the plugin. `issuer` and `audience`, or `issuers`, are required. */
export interface AuthPluginOptions extends Partial<IssuerOptions>, AccountOptions, ProviderOptions {
  /** Several issuers, in place of `issuer`, `audience`, `jwt`, `roles` and `claims`; chosen by the exact `iss` of a token. */
  issuers?: readonly IssuerOptions[]
  /** False switches every guard off, in development and test only. Default true. */
  enabled?: boolean
  /** Which routes are protected: those that ask, every one but `config: { auth: false }`, or those a function picks. Default `'declared'`. */
  protect?: Protect
  /** Where `config.auth` and `protect` are checked. Default `'onRequest'`, before a body is read. */
  hook?: 'onRequest' | 'preHandler'
  /** Whose errors get this package's body: `'auth'` ours, `'all'` every one, `false` none. Default `'auth'`. */
  errorHandler?: 'auth' | 'all' | false
  /** Name of the request property that shows the user. Default `'user'`. */
  userProperty?: string
  /** False leaves the instance alone but for `bouncer`. Default true. */
  decorate?: boolean
  /** HTTP Basic (RFC 7617), beside bearer tokens or, without `jwt`, alone: `true` for the users of the `store`, or the application's own check. Default false. */
  basic?: boolean | BasicOptions
  /** Whether {@link securityContext} works. Default true; docs/performance.md has its cost. */
  securityContext?: boolean
  /** Level of a refusal's log line. Default `'info'`; 5xx are always `'error'`. */
  logLevel?: RefusalLogLevel
  /** Private context that clients may see, by class name. */
  expose?: Exposures
  /** Another sentence, or another language, for an error's detail. */
  detail?: DetailResolver
}

/** Options as the plugin uses them. */
export interface Settings {
  issuers: readonly TrustedIssuer[]
  /** What `@fastify/jwt` is registered with: the issuer it is shown for, or the first that can sign. */
  jwt: FastifyJwtOptions | undefined
  /** Whether authentication depends on something that may be down. */
  mayBeUnavailable: boolean
  /** Whether tokens can die before they expire. */
  revocable: boolean
  maxTokenLength: number
  cacheSize: number
  enabled: boolean
  protect: Protect
  hook: 'onRequest' | 'preHandler'
  errorHandler: 'auth' | 'all' | false
  userProperty: string
  decorate: boolean
  securityContext: boolean
  logLevel: RefusalLogLevel
  expose: Record<string, Exposure>
  detail: DetailResolver | undefined
  propagateEvents: boolean
  /** HTTP Basic: the application's check, or that of the account system, which counts attempts; and what the dialog of a browser shows. */
  basic: { authenticate: BasicAuthenticate, realm: string, counted: boolean } | undefined
  /** The account system, if there is one, and the issuer of its tokens. */
  accounts: AccountSettings | undefined
  /** Where users sign in, if it is elsewhere. */
  provider: ProviderSettings | undefined
  localIssuer: TrustedIssuer | undefined
  /** Whose tokens the provider's users bring. */
  providerIssuer: string
  /** What others verify the tokens signed here with, as JSON Web Keys. */
  publicKeys: ReadonlyArray<Record<string, unknown>>
}

const DEFAULT_CACHE_SIZE = 1000

/**
 * Throws the {@link ConfigurationError} that `register()` would, for deployment
 * scripts. The error names the option and what to do.
 */
export function validateOptions (options: AuthPluginOptions): void {
  readSettings(options)
}

/** Checks the options, reads the keys and fills in defaults. Throws {@link ConfigurationError}. */
export function readSettings (given: AuthPluginOptions): Settings {
  checkShape(given)
  // Without a prototype: what nobody wrote must not come from there.
  const options: AuthPluginOptions = Object.assign(Object.create(null), given)
  const enabled = options.enabled ?? true
  if (!enabled && !['development', 'test'].includes(process.env.NODE_ENV ?? '')) {
    throw refuse('enabled', 'false would let everyone in. It is for NODE_ENV=development and NODE_ENV=test; elsewhere leave it out')
  }
  const issuers = enabled ? issuersOf(options).map((issuer, index) => readIssuer(issuer, options.issuers === undefined ? '' : `issuers.${index}.`)) : []
  const jwts = enabled ? issuersOf(options).map((issuer) => issuer.jwt) : []
  for (const name of Object.keys(options.expose ?? {})) {
    if (!errorClasses.some((errorClass) => errorClass.name === name)) throw refuse(`expose.${name}`, 'is no error class of this package')
  }
  const signer = issuers.find(({ jwt }) => jwt.show) ?? issuers.find(({ jwt }) => jwt.signing !== undefined)
  const provider = enabled ? readProviderSettings(options, Object.keys(accountOptionsSchema)) : undefined
  if (enabled && options.provider?.trust !== undefined) checkTrust(options.provider.trust, issuers.map(({ trusted }) => trusted))
  const accounts = enabled && provider === undefined ? readAccountSettings(options, { accessTokenTtl: 900, refreshTokenTtl: 604_800, secrets: undefined, issuer: signer?.trusted.rules.issuer ?? '', ...signer }) : undefined
  if (accounts !== undefined && signer?.trusted.reader !== undefined) {
    throw refuse('claims', 'is for tokens of an identity provider, and the issuer that signs those of the store has it; leave it out there, since revocation goes by what they say')
  }
  return {
    issuers: issuers.map(({ trusted }) => trusted),
    jwt: signer?.jwt,
    accounts,
    provider,
    providerIssuer: options.provider?.trust?.issuer ?? issuers[0]?.trusted.rules.issuer ?? '',
    localIssuer: signer?.trusted,
    // Of that issuer only: with another's among them, its owner could sign our tokens for those who trust this list.
    publicKeys: signer?.publicKeys ?? [],
    propagateEvents: options.events?.propagate ?? false,
    basic: enabled ? basicOf(options) : undefined,
    mayBeUnavailable: accounts !== undefined || provider !== undefined || (enabled && typeof options.basic === 'object') || (enabled && issuersOf(options).some((issuer) => issuer.jwt.jwksUrl !== undefined || issuer.roles !== undefined)),
    revocable: accounts !== undefined && accounts.maxStaleness !== false,
    maxTokenLength: Math.max(0, ...issuers.map(({ jwt }) => jwt.maxTokenLength)),
    cacheSize: Math.max(0, ...jwts.map(({ cache = false }) => typeof cache === 'number' ? cache : cache ? DEFAULT_CACHE_SIZE : 0)),
    enabled,
    protect: options.protect ?? 'declared',
    hook: options.hook ?? 'onRequest',
    errorHandler: options.errorHandler ?? 'auth',
    userProperty: options.userProperty ?? 'user',
    decorate: options.decorate ?? true,
    securityContext: options.securityContext ?? true,
    logLevel: options.logLevel ?? 'info',
    expose: (options.expose ?? {}) as Record<string, Exposure>,
    detail: options.detail
  }
}

function checkShape (options: unknown): void {
  const first = Value.Errors(optionsSchema, options).First()
  if (first === undefined) return
  const option = first.path.slice(1).replaceAll('/', '.')
  if (first.type === ValueErrorType.ObjectAdditionalProperties) throw refuse(option, 'is not an option of fastify-bouncer; the README lists those there are')
  throw refuse(option, (first.schema as { remedy?: string }).remedy ?? 'is missing, or of the wrong type')
}

function issuersOf (options: AuthPluginOptions): readonly IssuerOptions[] {
  const { issuer, audience, jwt, roles, claims, issuers } = options
  if (issuers !== undefined) {
    for (const [name, value] of Object.entries({ issuer, audience, jwt, roles, claims })) {
      if (value !== undefined) throw refuse(name, 'is given together with issuers; put it into one of them')
    }
    if (issuers.filter((one) => one.jwt.decorate === true).length > 1) throw refuse('issuers', 'shows @fastify/jwt for several issuers; set jwt.decorate for one')
    for (const name of ['maxTokenLength', 'cache'] as const) {
      if (new Set(issuers.map((one) => one.jwt[name])).size > 1) throw refuse(`issuers.jwt.${name}`, 'holds for all issuers, since it works before one is chosen; give each the same')
    }
    if (new Set(issuers.map((one) => one.issuer)).size < issuers.length) throw refuse('issuers', 'names an issuer twice; each must have an iss of its own')
    return issuers
  }
  const { trust } = options.provider ?? {}
  if (trust !== undefined && issuer === undefined) {
    const { issuer: iss, audience: aud, jwksUrl } = trust
    return [{ issuer: iss, audience: audience ?? aud, jwt: { ...jwt, jwksUrl }, claims: claims ?? trust.claims, ...(roles !== undefined && { roles }) }]
  }
  const alone = typeof options.basic === 'object' && options.basic.authenticate !== undefined
  if (alone && [issuer, audience, jwt, roles, claims].every((one) => one === undefined)) return []
  if (issuer === undefined) throw refuse('issuer', 'is missing; give the exact value of the tokens\' iss')
  if (audience === undefined) throw refuse('audience', 'is missing; give the exact value of the tokens\' aud')
  if (jwt === undefined) throw refuse('jwt', 'is missing; give { secret } or { jwksUrl }')
  return [{ issuer, audience, jwt, ...(roles !== undefined && { roles }), ...(claims !== undefined && { claims }) }]
}

/** Users of the provider must be able to use what they are given. */
function checkTrust ({ issuer, audience }: ProviderTrust, issuers: readonly TrustedIssuer[]): void {
  const found = issuers.find(({ rules }) => rules.issuer === issuer)
  if (found === undefined) throw refuse('issuer', `is another one than the provider's, whose tokens would be accepted nowhere; leave it out, or put ${issuer} among the issuers`)
  if (!found.rules.audience.includes(audience)) throw refuse('audience', `lacks the provider's, ${audience}, without which its tokens are accepted nowhere`)
}

function basicOf ({ basic = false, store }: AuthPluginOptions): Settings['basic'] {
  if (basic === false) return undefined
  const { authenticate, realm = 'api', ...local } = basic === true ? {} : basic
  if (authenticate === undefined && store === undefined) throw refuse('basic', 'needs a store whose users it can ask, or { authenticate }')
  const [stray] = Object.keys(local)
  if (authenticate !== undefined && stray !== undefined) throw refuse(`basic.${stray}`, 'is for users of the store; a check of your own decides for itself')
  return { authenticate: authenticate ?? localUsers(local), realm, counted: authenticate === undefined }
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: option === '' ? `The options ${problem}.` : `${option} ${problem}.` })
}
