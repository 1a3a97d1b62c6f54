import type { User } from '../../context.js'
import { isThenable } from '../../promise.js'
import { userFromClaims, type ClaimReader, type RoleResolver } from '../../token/principal.js'
import type { Issuer, TokenVerifier, VerifiedToken } from '../../token/verify.js'
import type { Revocation } from './revocation.js'

/** An issuer, and how its tokens name roles and the like. */
export interface TrustedIssuer extends Issuer {
  readonly roles: RoleResolver | undefined
  /** Where its tokens say who their bearer is. Default: where the standards have it. */
  readonly reader?: ClaimReader | undefined
}

/** The user of an access token. Throws, or rejects with, the class that says what is wrong with it. */
export type Identify = (token: string) => User | PromiseLike<User>

/** What tokens are read with. */
export interface IdentifyOptions {
  verify: TokenVerifier<TrustedIssuer>
  /** Whether tokens of the issuer that signs here have died since; undefined for no check. */
  revocation: Pick<Revocation, 'check'> | undefined
  /** The issuer whose tokens have sessions here. */
  local: TrustedIssuer | undefined
}

/** Reads the user out of an access token: signature and claims first, then what has become of its session. */
export function createIdentify ({ verify, revocation, local }: IdentifyOptions): Identify {
  function admit (verified: VerifiedToken<TrustedIssuer>): User | Promise<User> {
    if (revocation === undefined || verified.issuer !== local) return userOf(verified)
    return revocation.check(verified.claims).then(() => userOf(verified))
  }

  return (token) => {
    const verified = verify(token)
    return isThenable(verified) ? verified.then(admit) : admit(verified)
  }
}

// Roles that a function finds may change while a token lives, and are asked for
// each time. Claims do not.
function userOf (verified: VerifiedToken<TrustedIssuer>): User | Promise<User> {
  const { issuer, claims } = verified
  if (issuer.roles !== undefined) return userFromClaims(claims, issuer.roles, issuer.reader)
  verified.user ??= userFromClaims(claims, undefined, issuer.reader)
  return verified.user
}
