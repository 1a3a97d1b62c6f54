import { TokenExpiredError, TokenInvalidError, type TokenInvalidReason } from '../errors/authentication.js'
import type { RawClaims } from './key-source.js'

/** What a token may be used as. */
export type TokenUse = 'access' | 'id'

/** What the claims of a token must say. */
export interface ClaimRules {
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
  if (!isMeantFor(own(claims, 'aud'), rules.audience)) throw invalid('audience')
  if (!rules.tokenUse.includes(tokenUse(claims) as TokenUse)) throw invalid('token_type')
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

function isMeantFor (audience: unknown, accepted: readonly string[]): boolean {
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
function tokenUse (claims: RawClaims): string | undefined {
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
  return use ?? (Object.hasOwn(claims, 'nonce') || Object.hasOwn(claims, 'at_hash') ? 'id' : 'access')
}

function invalid (reason: TokenInvalidReason): TokenInvalidError {
  return new TokenInvalidError({ reason })
}
