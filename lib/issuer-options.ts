import { monotonicClock } from './clock.js'
import { ConfigurationError } from './errors/operation.js'
import type { TrustedIssuer } from './flow/session/identify.js'
import type { FastifyJwtOptions } from './http/fastify-jwt.js'
import { isSecure } from './secure-url.js'
import type { ClaimMap, ClaimProvider } from './token/claim-presets.js'
import { readClaimMap } from './token/claim-reader.js'
import type { ClaimRules, TokenUse } from './token/claims.js'
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
  /** Seconds after which a session lapses that is not refreshed. Default 604800 (7 days). */
  refreshTokenTtl?: number
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
  /** Where the tokens hold roles, groups, scopes and the client: as those of a provider do, or a map of the application's own. Default: where the standards have it. */
  claims?: ClaimProvider | ClaimMap
}

/** An issuer as the plugin uses it. Times are in seconds. */
export interface ReadIssuer {
  trusted: TrustedIssuer
  jwt: FastifyJwtOptions
  /** The secrets that sign its tokens, today's first; undefined where they are signed elsewhere. */
  secrets: readonly string[] | undefined
  /** What others verify its tokens with, as JSON Web Keys. */
  publicKeys: ReadonlyArray<Record<string, unknown>>
  accessTokenTtl: number
  refreshTokenTtl: number
}

/** Reads one issuer and its keys. Throws {@link ConfigurationError}; `prefix` stands before the names of options in its message. */
export function readIssuer ({ issuer, audience, jwt, roles, claims }: IssuerOptions, prefix: string): ReadIssuer {
  const audiences = typeof audience === 'string' ? [audience] : [...audience]
  const clockTolerance = jwt.clockTolerance ?? 0
  const reading = claims === undefined ? undefined : readClaimMap(claims, audiences)
  const rules: ClaimRules = { issuer, audience: audiences, clockTolerance, tokenUse: [...jwt.tokenUse ?? ['access' as const]], ...reading?.tokens }
  if ((jwt.secret === undefined) === (jwt.jwksUrl === undefined)) {
    throw refuse(`${prefix}jwt`, 'needs exactly one of secret and jwksUrl')
  }
  checkAlgorithms(jwt.algorithms, prefix)
  const stray = Object.keys(jwt).find((name) => name.startsWith('jwks') && name !== 'jwksUrl' && jwt[name as keyof JwtOptions] !== undefined)
  if (jwt.secret !== undefined && stray !== undefined) throw refuse(`${prefix}jwt.${stray}`, 'is for keys that are fetched from jwt.jwksUrl; with jwt.secret leave it out')
  const secrets: ReadonlyArray<string | KeyPair> = Array.isArray(jwt.secret) ? jwt.secret : [jwt.secret]
  const local = jwt.secret === undefined ? undefined : localKeys(secrets, jwt.algorithms)
  const accessTokenTtl = jwt.accessTokenTtl ?? 900
  const keys = local ?? fromUrl(jwt, `${prefix}jwt.jwksUrl`)
  return {
    trusted: { rules, keys, roles, reader: reading?.reader },
    jwt: {
      rules,
      keys,
      signing: local?.signing,
      accessTokenTtl,
      maxTokenLength: jwt.maxTokenLength ?? 8192,
      show: jwt.decorate === true
    },
    secrets: local?.signing === undefined ? undefined : secrets.flatMap(signingSecret),
    publicKeys: local?.publicKeys ?? [],
    accessTokenTtl,
    refreshTokenTtl: jwt.refreshTokenTtl ?? 604_800
  }
}

/** What only this application knows of a key; nothing of a key that does not sign. */
function signingSecret (key: string | KeyPair): string[] {
  if (typeof key === 'string') return [key]
  if (key.private === undefined) return []
  return [typeof key.private === 'string' ? key.private : key.private.key]
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
  for (const name of ['accessTokenTtl', 'refreshTokenTtl'] as const) {
    if (jwt[name] !== undefined) throw refuse(`jwt.${name}`, 'is for tokens signed here; with jwksUrl they are signed elsewhere')
  }
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
  if (!isSecure(url)) throw refuse(option, 'must be https (http only on loopback): whoever can change the keys on their way can sign any token')
  if (url.username !== '' || url.password !== '') throw refuse(option, 'must hold no user name or password')
  return url.href
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: `${option} ${problem}.` })
}
