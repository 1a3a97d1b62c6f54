import { createVerifier, type Algorithm } from 'fast-jwt'
import type { AuthError } from '../errors/auth-error.js'
import type { TokenHeader } from './compact.js'
import { fromLibrary } from './library-errors.js'

/** Claims as they stand in a token whose signature is right. */
export type RawClaims = Record<string, unknown>

/** One key, ready to check signatures. Its identity is what cached results hang on. */
export interface VerificationKey {
  /** The claims, once the signature is right, or why it is not; no claim is looked at. Throws for faults of the program only. */
  verify (token: string): RawClaims | AuthError
  /** PEM of the public key, or the secret. */
  readonly material: string
}

/** Where keys come from. */
export interface KeySource {
  /** The algorithms accepted: an allow-list, either HMAC or public-key. */
  readonly algorithms: ReadonlySet<string>
  /**
   * The keys that may have signed a token with this header, most likely first.
   * Throws `TokenInvalidError` (`unknown_key`) when there is none, and
   * `AuthUnavailableError` when nobody can say.
   */
  find (header: TokenHeader): readonly VerificationKey[] | PromiseLike<readonly VerificationKey[]>
}

/** Prepares a PEM public key or an HMAC secret, once. Throws what fast-jwt throws for a key it does not take. */
export function verificationKey (material: string, algorithms: readonly string[]): VerificationKey {
  const verify = createVerifier({
    key: material,
    algorithms: algorithms as Algorithm[],
    // Claims are checked by our own rules: the library lets absent ones pass.
    ignoreExpiration: true,
    ignoreNotBefore: true
  })
  return {
    material,
    verify (token) {
      try {
        return verify(token) as RawClaims
      } catch (error) {
        const refusal = fromLibrary(error)
        if (refusal === undefined) throw error
        return refusal
      }
    }
  }
}
