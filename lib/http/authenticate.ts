import type { FastifyRequest } from 'fastify'
import type { Identity, User } from '../context.js'
import { withoutStack } from '../errors/auth-error.js'
import { MissingTokenError } from '../errors/authentication.js'
import type { TokenVerifier, Issuer } from '../token/verify.js'
import { userFromClaims, type RoleResolver } from '../token/principal.js'
import { bearerToken } from './bearer.js'
import type { Policy } from './policy.js'

/** An issuer, and how its tokens name roles. */
export interface TrustedIssuer extends Issuer {
  readonly roles: RoleResolver | undefined
}

/** What is known of one request; kept under a symbol, since `request.user` is open to everyone. */
export interface RequestIdentity extends Identity {
  /** What authentication ended with, when it did not find a user. */
  refusal: unknown
  /** Authentication under way. */
  pending: Promise<User> | undefined
  /** The policy that let this request pass last. */
  admitted: Policy | undefined
}

export const identityKey = Symbol('fastify-bouncer.identity')

declare module 'fastify' {
  interface FastifyRequest {
    [identityKey]: RequestIdentity | null
  }
}

/** What is known of `request`, from its first hook on. */
export function identityOf (request: FastifyRequest): RequestIdentity {
  // Undefined in children that were created before the plugin was registered.
  return (request[identityKey] ??= { user: null, refusal: undefined, pending: undefined, admitted: undefined })
}

/** Finds the user of a request, once. Throws, or rejects with, what stood in the way. */
export type Authenticator = (request: FastifyRequest) => User | Promise<User>

export interface AuthenticatorOptions {
  verify: TokenVerifier<TrustedIssuer>
  /** Name of the request property that shows the user. */
  userProperty: string
}

/** The authenticator of bearer tokens. However many guards ask, a request is authenticated once. */
export function createAuthenticator ({ verify, userProperty }: AuthenticatorOptions): Authenticator {
  function settle (request: FastifyRequest, identity: RequestIdentity, user: User): User {
    identity.user = user
    ;(request as unknown as Record<string, unknown>)[userProperty] = user
    return user
  }

  async function settleLater (request: FastifyRequest, identity: RequestIdentity, user: Promise<User>): Promise<User> {
    try {
      return settle(request, identity, await user)
    } catch (error) {
      identity.refusal = error
      throw error
    }
  }

  return (request) => {
    const identity = identityOf(request)
    if (identity.user !== null) return identity.user
    if (identity.refusal !== undefined) throw identity.refusal
    if (identity.pending !== undefined) return identity.pending
    try {
      const verified = verify(withoutStack(() => bearerToken(request)))
      const user = verified instanceof Promise
        ? verified.then(({ issuer, claims }) => userFromClaims(claims, issuer.roles))
        : userFromClaims(verified.claims, verified.issuer.roles)
      if (!(user instanceof Promise)) return settle(request, identity, user)
      identity.pending = settleLater(request, identity, user)
      return identity.pending
    } catch (error) {
      identity.refusal = error
      throw error
    }
  }
}

/** The authenticator while authentication is switched off: nobody is signed in. */
export const nobody: Authenticator = () => {
  throw withoutStack(() => new MissingTokenError())
}
