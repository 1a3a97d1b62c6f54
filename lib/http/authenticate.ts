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
  pending: Promise<RequestIdentity> | undefined
  /** The policy that let this request pass last. */
  admitted: Policy | undefined
  /** The mark of the request's route, once a hook of that route has run. */
  route: RouteMark | undefined
}

/** What `onRoute` leaves on a route, and what must have let a request pass when its body is about to be read. */
export interface RouteMark {
  /** What the route declares. */
  readonly policy: Policy | undefined
  /** What its guards ask that are no longer among its hooks. */
  lost: Policy | undefined
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
  return (request[identityKey] ??= { user: null, refusal: undefined, pending: undefined, admitted: undefined, route: undefined })
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
  function findUser (request: FastifyRequest): User | Promise<User> {
    const verified = withoutStack(() => verify(bearerToken(request)))
    return verified instanceof Promise
      ? verified.then(({ issuer, claims }) => userFromClaims(claims, issuer.roles))
      : userFromClaims(verified.claims, verified.issuer.roles)
  }

  function settle (request: FastifyRequest, identity: RequestIdentity, user: User): RequestIdentity {
    identity.user = user
    ;(request as unknown as Record<string, unknown>)[userProperty] = user
    return identity
  }

  async function settleLater (request: FastifyRequest, identity: RequestIdentity, user: Promise<User>): Promise<RequestIdentity> {
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
      if (!(user instanceof Promise)) return settle(request, identity, user)
      identity.pending = settleLater(request, identity, user)
      return identity.pending
    } catch (error) {
      return refuse(identity, error)
    }
  }
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
