import { TokenExpiredError, TokenInvalidError, type TokenInvalidReason } from '../errors/authentication.js'
import type { RawClaims } from './key-source.js'

/** What a token may be used as. */
export type TokenUse = 'access' | 'id'

/** Where the tokens of an issuer differ from what the standards say of them. */
export interface TokenShape {
  /** The claim that holds the audience of an access token, beside which `aud` is optional. Default `aud`. */
  readonly accessAudience?: string
  /** The claim that must say, to the letter, of which kind a token is. Default: it may be told in any way there is. */
  readonly useClaim?: string
  /** Claims of which each access token has at least one, and no ID token any. Default: none that are known. */
  readonly accessClaims?: readonly string[]
}

/** What the claims of a token must say. */
export interface ClaimRules extends TokenShape {
  issuer: string
  audience: readonly string[]
  /** Seconds by which clocks may differ. */
  clockTolerance: number
  tokenUse: readonly TokenUse[]
}

/**
 * Checks the registered claims (RFC 7519, section 4.1): `iss`, `aud`, `exp` and
 * `sub` required and exact, `nbf` and `iat` not in the future, and that the
 * token is of a kind that is accepted. `now` is in milliseconds.
 *
 * Throws {@link TokenInvalidError} or {@link TokenExpiredError}.
 */
export function checkClaims (claims: RawClaims, rules: ClaimRules, now: number): void {
  if (own(claims, 'iss') !== rules.issuer) throw invalid('issuer')
  const use = tokenUse(claims, rules)
  if (!isForUs(claims, use, rules)) throw invalid('audience')
  if (!rules.tokenUse.includes(use as TokenUse)) throw invalid('token_type')
  const subject = own(claims, 'sub')
  if (typeof subject !== 'string' || subject === '') throw invalid('claims')
  checkTimes(claims, rules.clockTolerance, now)
}

/** A claim, if the token itself holds it. */
export function own (claims: object, name: string): unknown {
  return Object.hasOwn(claims, name) ? (claims as RawClaims)[name] : undefined
}

/** Checks `exp`, `nbf` and `iat` alone: what may change about a token that was right before. `tolerance` is in seconds, `now` in milliseconds. */
export function checkTimes (claims: RawClaims, tolerance: number, now: number): void {
  const latest = now / 1000 + tolerance
  const expiry = own(claims, 'exp')
  if (typeof expiry !== 'number' || !Number.isFinite(expiry)) throw invalid('claims')
  for (const name of ['nbf', 'iat']) {
    const time = own(claims, name)
    if (time === undefined) continue
    if (typeof time !== 'number' || !Number.isFinite(time)) throw invalid('claims')
    if (time > latest) throw invalid('not_yet_valid')
  }
  if (expiry + tolerance <= now / 1000) throw new TokenExpiredError({ expiredAt: new Date(expiry * 1000) })
}

function isForUs (claims: RawClaims, use: string | undefined, { audience, accessAudience }: ClaimRules): boolean {
  const named = own(claims, 'aud')
  if (accessAudience === undefined || use === 'id') return isMeantFor(named, audience)
  const client = own(claims, accessAudience)
  // A token that names a resource besides is for that one only.
  return typeof client === 'string' && audience.includes(client) && (named === undefined || isMeantFor(named, audience))
}

/** Whether the value of `aud`, one name or a list of them, has one of the accepted names. */
export function isMeantFor (audience: unknown, accepted: readonly string[]): boolean {
  return Array.isArray(audience)
    ? audience.some((name) => accepted.includes(name))
    : accepted.includes(audience as string)
}

const ACCESS = new Set(['access', 'bearer', 'at+jwt', 'jwt'])

/**
 * What a token says it is: by Cognito's `token_use`, by `token_type`, by
 * Keycloak's `typ`; without such a mark, `nonce` and `at_hash` tell an ID token
 * (OpenID Connect Core, section 2), `events` a logout or security event token
 * (RFC 8417). Marks that contradict each other are no kind at all.
 */
function tokenUse (claims: RawClaims, { useClaim, accessClaims }: TokenShape): string | undefined {
  const uses = new Set<string>()
  for (const name of ['token_use', 'token_type', 'typ']) {
    const mark = own(claims, name)
    if (mark === undefined) continue
    if (typeof mark !== 'string') return undefined
    const use = mark.toLowerCase()
    uses.add(ACCESS.has(use) ? 'access' : use)
  }
  if (uses.size > 1 || Object.hasOwn(claims, 'events')) return undefined
  const [use] = uses
  if (useClaim !== undefined) return own(claims, useClaim) === use ? use : undefined
  if (use !== undefined) return use
  if (Object.hasOwn(claims, 'nonce') || Object.hasOwn(claims, 'at_hash')) return 'id'
  return accessClaims === undefined || accessClaims.some((name) => Object.hasOwn(claims, name)) ? 'access' : 'id'
}

function invalid (reason: TokenInvalidReason): TokenInvalidError {
  return new TokenInvalidError({ reason })
}
