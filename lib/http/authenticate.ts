import type { FastifyRequest } from 'fastify'
import type { Identity, User } from '../context.js'
import { setHeader, withoutStack } from '../errors/auth-error.js'
import { AuthenticationError, MissingTokenError } from '../errors/authentication.js'
import { isThenable } from '../promise.js'
import type { Identify } from '../flow/session/identify.js'
import { isBasic } from './basic.js'
import { bearerToken } from './bearer.js'
import { authorizationHeader, presented } from './credentials.js'

/** What is known of one request; kept under a symbol, since `request.user` is open to everyone. */
export interface RequestIdentity extends Identity {
  /** What authentication ended with, when it did not find a user. */
  refusal: unknown
  /** Authentication under way. */
  pending: Promise<RequestIdentity> | undefined
  /** Whether nothing but a bearer token is taken: routes about a session have no use for a password. */
  bearerOnly: boolean
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
  return (request[identityKey] ??= { user: null, refusal: undefined, pending: undefined, bearerOnly: false, known: false })
}

/**
 * Authenticates a request, once however many guards ask: afterwards its identity
 * has a user or a refusal. It throws nothing, since under attack nearly all work
 * is refusing, and errors are dear to throw and cheap to hand on.
 */
export type Authenticator = (request: FastifyRequest) => RequestIdentity | Promise<RequestIdentity>

export interface AuthenticatorOptions {
  /** Reads bearer tokens; undefined where none are taken. */
  identify: Identify | undefined
  /** Reads Basic credentials; undefined where none are taken. */
  basic: ((request: FastifyRequest) => Promise<User>) | undefined
  /** The Basic challenge; undefined where Basic is not offered. */
  basicChallenge: string | undefined
  /** Name of the request property that shows the user. */
  userProperty: string
}

/** The authenticator of an application. */
export function createAuthenticator ({ identify, basic, basicChallenge, userProperty }: AuthenticatorOptions): Authenticator {
  const offering = basicChallenge === undefined ? undefined : offer(basicChallenge, identify !== undefined)

  function refuse (identity: RequestIdentity, refusal: unknown): RequestIdentity {
    if (!identity.bearerOnly) offering?.(refusal)
    identity.refusal = refusal
    return identity
  }

  function findUser (request: FastifyRequest, { bearerOnly }: RequestIdentity): User | PromiseLike<User> {
    if (basic !== undefined && !bearerOnly && isBasic(request)) return basic(request)
    return withoutStack(() => identify === undefined ? nothingTaken(request) : identify(bearerToken(request)))
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
      const user = findUser(request, identity)
      if (!isThenable(user)) return settle(request, identity, user)
      identity.pending = settleLater(request, identity, user)
      return identity.pending
    } catch (error) {
      return refuse(identity, error)
    }
  }
}

/** The authenticator while authentication is switched off: nobody is signed in. */
export const nobody: Authenticator = (request) => Object.assign(identityOf(request), { refusal: withoutStack(() => new MissingTokenError()) })

/** Marks the instances whose routes take bearer tokens alone. */
export const bearerOnlyKey = Symbol('fastify-bouncer.bearerOnly')

/** The user of a request. Throws, or rejects with, what stood in the way. */
export async function authenticated (authenticate: Authenticator, request: FastifyRequest): Promise<User> {
  const { user, refusal } = await authenticate(request)
  if (user === null) throw refusal
  return user
}

/** Tells, with each 401, that Basic is taken too, or that nothing else is. */
function offer (challenge: string, besideBearer: boolean): (refusal: unknown) => void {
  return (refusal) => {
    if (!(refusal instanceof AuthenticationError)) return
    const offered = refusal.headers['www-authenticate'] as string
    // An application may throw one and the same error again.
    if (offered.endsWith(challenge)) return
    setHeader(refusal, 'www-authenticate', besideBearer ? `${offered}, ${challenge}` : challenge)
  }
}

/** Of another scheme nothing is taken; a header that cannot be read is told as such all the same. */
function nothingTaken (request: FastifyRequest): never {
  presented(authorizationHeader(request))
  throw new MissingTokenError()
}
