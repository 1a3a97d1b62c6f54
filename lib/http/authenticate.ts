import type { FastifyRequest } from 'fastify'
import type { Identity, User } from '../context.js'
import { withoutStack } from '../errors/auth-error.js'
import { MissingTokenError } from '../errors/authentication.js'
import { isThenable } from '../promise.js'
import type { Issuer, TokenVerifier, VerifiedToken } from '../token/verify.js'
import { userFromClaims, type RoleResolver } from '../token/principal.js'
import { bearerToken } from './bearer.js'

/** An issuer, and how its tokens name roles. */
export interface TrustedIssuer extends Issuer {
  readonly roles: RoleResolver | undefined
}

/** What is known of one request; kept under a symbol, since `request.user` is open to everyone. */
export interface RequestIdentity extends Identity {
  /** What authentication ended with, when it did not find a user. */
  refusal: unknown
  /** Authentication under way. */
  pending: Promise<RequestIdentity> | undefined
  /** Whether a hook of the request's route has run, one that `onRoute` put there. */
  known: boolean
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
  return (request[identityKey] ??= { user: null, refusal: undefined, pending: undefined, known: false })
}

/**
 * Authenticates a request, once however many guards ask: afterwards its identity
 * has a user or a refusal. It throws nothing, since under attack nearly all work
 * is refusing, and errors are dear to throw and cheap to hand on.
 */
export type Authenticator = (request: FastifyRequest) => RequestIdentity | Promise<RequestIdentity>

export interface AuthenticatorOptions {
  verify: TokenVerifier<TrustedIssuer>
  /** Name of the request property that shows the user. */
  userProperty: string
}

/** The authenticator of bearer tokens. */
export function createAuthenticator ({ verify, userProperty }: AuthenticatorOptions): Authenticator {
  function findUser (request: FastifyRequest): User | PromiseLike<User> {
    const verified = withoutStack(() => verify(bearerToken(request)))
    return isThenable(verified) ? verified.then(userOf) : userOf(verified)
  }

  function settle (request: FastifyRequest, identity: RequestIdentity, user: User): RequestIdentity {
    ;(request as unknown as Record<string, unknown>)[userProperty] = user
    identity.user = user
    return identity
  }

  async function settleLater (request: FastifyRequest, identity: RequestIdentity, user: PromiseLike<User>): Promise<RequestIdentity> {
    try {
      return settle(request, identity, await user)
    } catch (error) {
      return refuse(identity, error)
    }
  }

  return (request) => {
    const identity = identityOf(request)
    if (identity.user !== null || identity.refusal !== undefined) return identity
    if (identity.pending !== undefined) return identity.pending
    try {
      const user = findUser(request)
      if (!isThenable(user)) return settle(request, identity, user)
      identity.pending = settleLater(request, identity, user)
      return identity.pending
    } catch (error) {
      return refuse(identity, error)
    }
  }
}

// Roles that a function finds may change while a token lives, and are asked for
// each time. Claims do not.
function userOf (verified: VerifiedToken<TrustedIssuer>): User | Promise<User> {
  const { issuer, claims } = verified
  if (issuer.roles !== undefined) return userFromClaims(claims, issuer.roles)
  verified.user ??= userFromClaims(claims)
  return verified.user
}

/** The authenticator while authentication is switched off: nobody is signed in. */
export const nobody: Authenticator = (request) => refuse(identityOf(request), withoutStack(() => new MissingTokenError()))

/** The user of a request. Throws, or rejects with, what stood in the way. */
export async function authenticated (authenticate: Authenticator, request: FastifyRequest): Promise<User> {
  const { user, refusal } = await authenticate(request)
  if (user === null) throw refusal
  return user
}

function refuse (identity: RequestIdentity, refusal: unknown): RequestIdentity {
  identity.refusal = refusal
  return identity
}
