import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.js'
import type { User } from '../context.js'
import { AuthError, withoutStack } from '../errors/auth-error.js'
import { TokenInvalidError } from '../errors/authentication.js'
import { isThenable } from '../promise.js'
import { checkClaims, checkTimes, type ClaimRules } from './claims.js'
import { parseHeader, peekIssuer, type TokenHeader } from './compact.js'
import type { KeySource, RawClaims, VerificationKey } from './key-source.js'

/** An issuer whose tokens are accepted. */
export interface Issuer {
  readonly rules: ClaimRules
  readonly keys: KeySource
}

/** A token whose signature and claims are right. */
export interface VerifiedToken<I extends Issuer = Issuer> {
  readonly issuer: I
  /** Frozen, since cached results are shared between requests. */
  readonly claims: Readonly<RawClaims>
  /** The user that the claims speak of, kept once somebody has read him from them. */
  user?: User
}

export interface TokenVerifierOptions<I extends Issuer> {
  issuers: readonly I[]
  /** Longest token read, in characters. */
  maxTokenLength: number
  /** How many verified tokens are remembered; 0 for none. */
  cacheSize: number
  clock: Clock
}

/** Verifies a token. Throws `TokenInvalidError`, `TokenExpiredError` or `AuthUnavailableError`. */
export type TokenVerifier<I extends Issuer> = (token: string) => VerifiedToken<I> | PromiseLike<VerifiedToken<I>>

interface Remembered<I extends Issuer> extends VerifiedToken<I> {
  readonly header: TokenHeader
  readonly key: VerificationKey
}

/** The verifier of all issuers: one synchronous pass, unless keys have to be fetched. */
export function createTokenVerifier<I extends Issuer> (options: TokenVerifierOptions<I>): TokenVerifier<I> {
  const { clock, maxTokenLength } = options
  const byName = new Map(options.issuers.map((issuer) => [issuer.rules.issuer as unknown, issuer]))
  const only = options.issuers.length === 1 ? options.issuers[0] : undefined
  const headers = new Map<string, TokenHeader>()
  const remembered = options.cacheSize > 0 ? new LRUCache<string, Remembered<I>>({ max: options.cacheSize }) : undefined

  function issuerOf (token: string): I {
    // Chosen before any key is looked at, so that no issuer's key ever
    // verifies another's token.
    const issuer = only ?? byName.get(peekIssuer(token))
    if (issuer === undefined) throw new TokenInvalidError({ reason: 'issuer' })
    return issuer
  }

  function finish (token: string, issuer: I, header: TokenHeader, keys: readonly VerificationKey[], known: Remembered<I> | undefined): VerifiedToken<I> {
    // A token that was right before spares the signature and the claims that
    // cannot change. Its key must still be one of the issuer's.
    if (known !== undefined && keys.includes(known.key)) {
      checkTimes(known.claims, issuer.rules.clockTolerance, clock())
      return known
    }
    const result = { issuer, header, ...checkSignature(token, keys) }
    checkClaims(result.claims, issuer.rules, clock())
    remembered?.set(token, result)
    return result
  }

  return (token) => {
    const known = remembered?.get(token)
    const header = known?.header ?? parseHeader(token, maxTokenLength, headers)
    const issuer = known?.issuer ?? issuerOf(token)
    if (!issuer.keys.algorithms.has(header.alg)) throw new TokenInvalidError({ reason: 'algorithm' })
    const keys = issuer.keys.find(header)
    return isThenable(keys)
      ? keys.then((found) => withoutStack(() => finish(token, issuer, header, found, known)))
      : finish(token, issuer, header, keys, known)
  }
}

function checkSignature (token: string, keys: readonly VerificationKey[]): { key: VerificationKey, claims: RawClaims } {
  let refusal: AuthError | undefined
  for (const key of keys) {
    const claims = key.verify(token)
    if (!(claims instanceof AuthError)) return { key, claims: deepFreeze(claims) }
    refusal = claims
  }
  throw refusal ?? new TokenInvalidError({ reason: 'unknown_key' })
}

// With a list of its own in place of the stack, however deep claims are nested.
function deepFreeze<Value extends object> (root: Value): Value {
  const left: object[] = [root]
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    for (const member of Object.values(Object.freeze(value))) {
      if (typeof member === 'object' && member !== null) left.push(member)
    }
  }
  return root
}
