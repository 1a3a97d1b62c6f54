import { Value, ValueErrorType } from '@sinclair/typebox/value'
import { monotonicClock } from './clock.js'
import { errorClasses } from './errors.js'
import { ConfigurationError } from './errors/operation.js'
import type { TrustedIssuer } from './http/authenticate.js'
import type { FastifyJwtOptions } from './http/fastify-jwt.js'
import type { DetailResolver, Exposure, Exposures, RefusalLogLevel } from './http/refusal.js'
import type { Protect } from './http/routes.js'
import type { TokenUse } from './token/claims.js'
import { optionsSchema } from './options-schema.js'
import { HMAC_ALGORITHMS, localKeys, PUBLIC_KEY_ALGORITHMS, type KeyPair } from './token/local-keys.js'
import type { RoleResolver } from './token/principal.js'
import { remoteKeys } from './token/remote-keys.js'

/** How tokens are verified, and signed where there is a key for it. All times are in seconds. */
export interface JwtOptions {
  /** An HMAC secret of at least 32 bytes, a key pair in PEM, or several of one kind: the first signs, all verify. */
  secret?: string | KeyPair | ReadonlyArray<string | KeyPair>
  /** Address of an identity provider's key set; https, or http on loopback. In place of `secret`. */
  jwksUrl?: string
  /** Algorithms accepted, HMAC or public-key. Default: those of the key; HS256 for a string. */
  algorithms?: readonly string[]
  /** Seconds by which clocks may differ. Default 0. */
  clockTolerance?: number
  /** Lifetime of the access tokens that are signed. Default 900. */
  accessTokenTtl?: number
  /** Kinds of token accepted. Default `['access']`. */
  tokenUse?: readonly TokenUse[]
  /** Longest token read, in characters. Default 8192. */
  maxTokenLength?: number
  /** Remembers verified tokens: true for 1,000, or how many. Default false. */
  cache?: boolean | number
  /** Shows `@fastify/jwt` to the application: `app.jwt`, `request.jwtVerify`, `reply.jwtSign`. Default false. */
  decorate?: boolean
  /** For one fetch of the key set. Default 5. */
  jwksTimeout?: number
  /** Age at which the key set is fetched anew. Default 600. */
  jwksMaxAge?: number
  /** Least time between two fetches for unknown key ids. Default 30. */
  jwksCooldown?: number
  /** How long the last key set serves after `jwksMaxAge` while its endpoint is down. Default 3600. */
  jwksStaleFor?: number
  /** Largest key set read, in bytes. Default 1048576. */
  jwksMaxBytes?: number
}

/** One issuer among several. */
export interface IssuerOptions {
  /** Exact value of the claim `iss`. */
  issuer: string
  /** Accepted values of the claim `aud`; the first is put into tokens that are signed. */
  audience: string | readonly string[]
  jwt: JwtOptions
  /** Finds the roles of a token's bearer. Default: the claim `roles` (a list) or `role` (a string). */
  roles?: RoleResolver
}

/** Options of the plugin. `issuer` and `audience`, or `issuers`, are required. */
export interface AuthPluginOptions extends Partial<IssuerOptions> {
  /** Several issuers, in place of `issuer`, `audience`, `jwt` and `roles`; chosen by the exact `iss` of a token. */
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
  return {
    issuers: issuers.map(({ trusted }) => trusted),
    jwt: issuers.find(({ jwt }) => jwt.show)?.jwt ?? issuers.find(({ jwt }) => jwt.signing !== undefined)?.jwt,
    mayBeUnavailable: enabled && issuersOf(options).some((issuer) => issuer.jwt.jwksUrl !== undefined || issuer.roles !== undefined),
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
  const { issuer, audience, jwt, roles, issuers } = options
  if (issuers !== undefined) {
    for (const [name, value] of Object.entries({ issuer, audience, jwt, roles })) {
      if (value !== undefined) throw refuse(name, 'is given together with issuers; put it into one of them')
    }
    if (issuers.filter((one) => one.jwt.decorate === true).length > 1) throw refuse('issuers', 'shows @fastify/jwt for several issuers; set jwt.decorate for one')
    for (const name of ['maxTokenLength', 'cache'] as const) {
      if (new Set(issuers.map((one) => one.jwt[name])).size > 1) throw refuse(`issuers.jwt.${name}`, 'holds for all issuers, since it works before one is chosen; give each the same')
    }
    if (new Set(issuers.map((one) => one.issuer)).size < issuers.length) throw refuse('issuers', 'names an issuer twice; each must have an iss of its own')
    return issuers
  }
  if (issuer === undefined) throw refuse('issuer', 'is missing; give the exact value of the tokens\' iss')
  if (audience === undefined) throw refuse('audience', 'is missing; give the exact value of the tokens\' aud')
  if (jwt === undefined) throw refuse('jwt', 'is missing; give { secret } or { jwksUrl }')
  return [{ issuer, audience, jwt, ...(roles !== undefined && { roles }) }]
}

function readIssuer ({ issuer, audience, jwt, roles }: IssuerOptions, prefix: string): { trusted: TrustedIssuer, jwt: FastifyJwtOptions } {
  const audiences = typeof audience === 'string' ? [audience] : [...audience]
  const clockTolerance = jwt.clockTolerance ?? 0
  const rules = { issuer, audience: audiences, clockTolerance, tokenUse: [...jwt.tokenUse ?? ['access' as const]] }
  if ((jwt.secret === undefined) === (jwt.jwksUrl === undefined)) {
    throw refuse(`${prefix}jwt`, 'needs exactly one of secret and jwksUrl')
  }
  checkAlgorithms(jwt.algorithms, prefix)
  const stray = Object.keys(jwt).find((name) => name.startsWith('jwks') && name !== 'jwksUrl' && jwt[name as keyof JwtOptions] !== undefined)
  if (jwt.secret !== undefined && stray !== undefined) throw refuse(`${prefix}jwt.${stray}`, 'is for keys that are fetched from jwt.jwksUrl; with jwt.secret leave it out')
  const local = jwt.secret === undefined ? undefined : localKeys(Array.isArray(jwt.secret) ? jwt.secret : [jwt.secret], jwt.algorithms)
  const keys = local ?? fromUrl(jwt, `${prefix}jwt.jwksUrl`)
  return {
    trusted: { rules, keys, roles },
    jwt: {
      rules,
      keys,
      signing: local?.signing,
      accessTokenTtl: jwt.accessTokenTtl ?? 900,
      maxTokenLength: jwt.maxTokenLength ?? 8192,
      show: jwt.decorate === true
    }
  }
}

function checkAlgorithms (algorithms: readonly string[] = [], prefix: string): void {
  const option = `${prefix}jwt.algorithms`
  const unknown = algorithms.find((name) => !HMAC_ALGORITHMS.includes(name) && !PUBLIC_KEY_ALGORITHMS.includes(name))
  if (unknown !== undefined) throw refuse(option, `has ${unknown}, which is not accepted; accepted are ${[...HMAC_ALGORITHMS, ...PUBLIC_KEY_ALGORITHMS].join(', ')}`)
  const hmac = algorithms.filter((name) => HMAC_ALGORITHMS.includes(name))
  if (hmac.length > 0 && hmac.length < algorithms.length) throw refuse(option, 'mixes HMAC and public-key algorithms, with which a public key passes for a secret; keep one kind')
}

function fromUrl (jwt: JwtOptions, option: string): TrustedIssuer['keys'] {
  const url = readUrl(jwt.jwksUrl as string, option)
  const algorithms = jwt.algorithms ?? PUBLIC_KEY_ALGORITHMS
  if (algorithms.some((name) => HMAC_ALGORITHMS.includes(name))) throw refuse('jwt.algorithms', 'has an HMAC algorithm, which needs jwt.secret; a key set has public keys')
  if (jwt.accessTokenTtl !== undefined) throw refuse('jwt.accessTokenTtl', 'is for tokens signed here; with jwksUrl they are signed elsewhere')
  return remoteKeys({
    url,
    algorithms,
    timeout: jwt.jwksTimeout ?? 5,
    maxAge: jwt.jwksMaxAge ?? 600,
    cooldown: jwt.jwksCooldown ?? 30,
    staleFor: jwt.jwksStaleFor ?? 3600,
    maxBytes: jwt.jwksMaxBytes ?? 1_048_576,
    fetch: (input, init) => globalThis.fetch(input, init),
    clock: monotonicClock
  })
}

function readUrl (value: string, option: string): string {
  if (!URL.canParse(value)) throw refuse(option, 'is not an absolute URL')
  const url = new URL(value)
  const loopback = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) throw refuse(option, 'must be https (http only on loopback): whoever can change the keys on their way can sign any token')
  if (url.username !== '' || url.password !== '') throw refuse(option, 'must hold no user name or password')
  return url.href
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: option === '' ? `The options ${problem}.` : `${option} ${problem}.` })
}
