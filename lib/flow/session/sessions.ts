import type { Clock } from '../../clock.js'
import { AccountUnavailableError, AuthenticationError, TokenInvalidError, TokenRevokedError } from '../../errors/authentication.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import { digest, randomToken, timeOrderedId } from '../../random.js'
import type { Page, PageRequest, SessionEnd, SessionStore, StoredSession, StoredUser, UserStore } from '../../store/contract.js'
import type { RefreshToken, RefreshTokens } from '../../token/refresh-token.js'
import { unavailability } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import { sessionInfo, type SessionInfo } from './session-info.js'

/** What a sign-in or a refresh gives (RFC 6749, section 5.1). `expires_in` is in seconds. */
export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  /** Of providers that have one (OpenID Connect). */
  readonly id_token?: string
}

/** Lifetimes in seconds. */
export interface SessionLifetimes {
  accessTokenTtl: number
  /** Without a refresh. */
  idle: number
  /** In any case. */
  absolute: number
  /** For repeating a refresh whose answer was lost. */
  grace: number
}

/** Signs claims as an access token that lives for so many seconds. */
export type AccessTokenSigner = (claims: Readonly<Record<string, unknown>>, lifetime: number) => string

/** What sessions are made with. */
export interface SessionsOptions {
  sessions: SessionStore
  users: UserStore
  refreshTokens: RefreshTokens
  sign: AccessTokenSigner
  lifetimes: SessionLifetimes
  attempts: Attempts
  events: AuthEventEmitter
  clock: Clock
  /** Whether users must have a verified address. */
  requireVerified: boolean
}

/** The sessions of users: begun, refreshed, ended. */
export interface Sessions {
  /** Starts a session for a user who has signed in, in these ways (RFC 8176), now or at `shownAt`, in milliseconds. */
  start (user: StoredUser, origin: Origin, amr: readonly string[], shownAt?: number): Promise<{ session: StoredSession, tokens: Tokens }>
  /**
   * New tokens for a refresh token, which is used up by it. Throws
   * `TokenInvalidError`, `TokenRevokedError` (ended, or used before),
   * `AuthenticationError` (lapsed), `AccountUnavailableError`, `RateLimitError`.
   */
  refresh (refreshToken: string, origin?: Origin): Promise<Tokens>
  /** The session that a refresh token of this server belongs to, current or not. Throws `TokenInvalidError`. */
  sessionOf (refreshToken: string): string
  /** The user of a refresh token that could be used now, without using it. Throws as {@link Sessions.refresh}. */
  ownerOf (refreshToken: string): Promise<string>
  /** Ends one session, of this user if one is named. Nothing happens when there is no such session. */
  end (sessionId: string, reason: SessionEnd, userId?: string): Promise<void>
  /** Ends all sessions of a user. */
  endAll (userId: string, reason: SessionEnd): Promise<void>
  /** Sessions of a user that are alive, newest first; `limit` is 50 by default. */
  list (userId: string, page?: Partial<PageRequest>): Promise<Page<SessionInfo>>
}

const PAGE = 50
/** Characters of what a client says of itself. */
const MAX_TEXT = 256
/** A rotation that another process was faster with is looked at once more, and decided then. */
const ROUNDS = 3

/** Sessions: each a family of refresh tokens, of which one is current. */
export function createSessions (options: SessionsOptions): Sessions {
  const { sessions, users, refreshTokens, lifetimes, attempts, events, clock, requireVerified } = options

  function tokensFor (user: StoredUser, session: StoredSession, refreshToken: string): Tokens {
    const left = (session.expiresAt - clock()) / 1000
    // An access token never outlives its session.
    const lifetime = Math.max(1, Math.floor(Math.min(lifetimes.accessTokenTtl, left)))
    const claims = {
      sub: user.id,
      sid: session.id,
      jti: randomToken(),
      token_type: 'access',
      roles: user.roles,
      email: user.email,
      auth_time: Math.floor(session.createdAt / 1000),
      amr: session.amr
    }
    return { access_token: options.sign(claims, lifetime), refresh_token: refreshToken, token_type: 'Bearer', expires_in: lifetime }
  }

  async function availableUser (session: StoredSession): Promise<StoredUser> {
    const user = await users.findById(session.userId)
    const reason = unavailability(user, requireVerified)
    if (user !== undefined && reason === undefined) {
      refuseSignedOut(session, user)
      return user
    }
    // Whoever verifies the address later is still signed in.
    if (reason === 'deleted' || reason === 'deactivated') await sessions.end(session.id, reason, clock())
    throw new AccountUnavailableError({ userId: session.userId, reason })
  }

  async function reused (session: StoredSession, origin: Origin): Promise<never> {
    // Two hold a token of this family, and nobody can tell which is the thief (RFC 9700, section 4.14.2).
    if (await sessions.end(session.id, 'refresh_reuse', clock())) {
      await events.emit('refresh_token_reused', { userId: session.userId, sessionId: session.id, origin })
    }
    throw new TokenRevokedError()
  }

  /** The tokens, or undefined when another process was faster and all is to be looked at again. */
  async function rotate (token: RefreshToken, origin: Origin): Promise<Tokens | undefined> {
    const session = await liveSession(token.sessionId)
    const age = session.generation - token.generation
    if (age === 1 && clock() - session.rotatedAt < lifetimes.grace * 1000) {
      const successor = token.successors().find((candidate) => digest(candidate) === session.refreshDigest)
      if (successor !== undefined) return tokensFor(await availableUser(session), session, successor)
    }
    if (age > 0) return await reused(session, origin)
    if (token.digest !== session.refreshDigest) throw new TokenInvalidError({ reason: 'signature' })
    const user = await availableUser(session)
    const now = clock()
    const successor = token.successor()
    const rotation = { refreshDigest: digest(successor), rotatedAt: now, idleUntil: now + lifetimes.idle * 1000 }
    if (!await sessions.rotate(session.id, session.generation, rotation)) return undefined
    await events.emit('token_refreshed', { userId: user.id, sessionId: session.id, origin })
    return tokensFor(user, session, successor)
  }

  async function liveSession (id: string): Promise<StoredSession> {
    const session = await sessions.find(id)
    if (session === undefined) throw new TokenRevokedError()
    refuseEnded(session, clock())
    return session
  }

  function read (refreshToken: string): RefreshToken {
    const token = refreshTokens.read(refreshToken)
    if (token === undefined) throw new TokenInvalidError({ reason: refreshToken.split('.', 3).length === 3 ? 'token_type' : 'malformed' })
    return token
  }

  return {
    async start (user, origin, amr, shownAt) {
      const now = clock()
      const id = timeOrderedId(now)
      const refreshToken = refreshTokens.first(id)
      const session: StoredSession = {
        id,
        userId: user.id,
        refreshDigest: digest(refreshToken),
        generation: 0,
        // Another machine's clock may be ahead: this session began after its user was signed out all the same.
        createdAt: Math.max(Math.min(now, shownAt ?? now), user.signedOutAt ?? 0),
        rotatedAt: now,
        idleUntil: now + lifetimes.idle * 1000,
        expiresAt: now + lifetimes.absolute * 1000,
        endedAt: null,
        endReason: null,
        address: origin.address?.slice(0, MAX_TEXT) ?? null,
        userAgent: origin.userAgent?.slice(0, MAX_TEXT) ?? null,
        amr
      }
      await sessions.insert(session)
      return { session, tokens: tokensFor(user, session, refreshToken) }
    },

    async refresh (refreshToken, origin = {}) {
      const token = refreshTokens.read(refreshToken)
      const attempt = await attempts.begin('refresh', token?.sessionId, origin)
      const known = token ?? read(refreshToken)
      for (let round = 0; round < ROUNDS; round++) {
        const tokens = await rotate(known, origin)
        if (tokens === undefined) continue
        await attempt.succeeded()
        return tokens
      }
      throw new AuthUnavailableError({ dependency: 'sessions', message: 'The store does not rotate a session that it shows as current' })
    },

    sessionOf: (refreshToken) => read(refreshToken).sessionId,

    async ownerOf (refreshToken) {
      const token = read(refreshToken)
      const session = await liveSession(token.sessionId)
      if (token.generation !== session.generation || token.digest !== session.refreshDigest) throw new TokenRevokedError()
      return session.userId
    },

    async end (sessionId, reason, userId) {
      const session = await sessions.find(sessionId)
      if (session === undefined || !await sessions.end(sessionId, reason, clock(), userId)) return
      await events.emit('user_logout', { userId: session.userId, sessionIds: [sessionId], reason })
    },

    async endAll (userId, reason) {
      const sessionIds = await sessions.endAll(userId, reason, clock())
      if (sessionIds.length > 0) await events.emit('user_logout', { userId, sessionIds, reason })
    },

    async list (userId, { limit = PAGE, after } = {}) {
      const { items, next } = await sessions.listLive(userId, clock(), { limit, ...(after !== undefined && { after }) })
      return { items: items.map(sessionInfo), next }
    }
  }
}

/** Throws why a session is over, if it is; `context` names the token that was looked at. */
export function refuseEnded (session: StoredSession, now: number, context: { tokenId?: string } = {}): void {
  if (session.endReason === 'deactivated' || session.endReason === 'deleted') {
    throw new AccountUnavailableError({ userId: session.userId, reason: session.endReason })
  }
  if (session.endedAt !== null) throw new TokenRevokedError(context)
  if (session.expiresAt <= now || session.idleUntil <= now) throw new AuthenticationError({ message: 'The session has lapsed' })
}

/** Throws where the user was signed out everywhere after the session began, also where a fault kept the session from being ended. */
export function refuseSignedOut (session: StoredSession, user: StoredUser, context: { tokenId?: string } = {}): void {
  if (isSignedOut(session, user)) throw new TokenRevokedError(context)
}

/** Whether the session began before its user was signed out everywhere. */
export function isSignedOut ({ createdAt }: Pick<StoredSession, 'createdAt'>, { signedOutAt }: StoredUser): boolean {
  return signedOutAt !== null && createdAt < signedOutAt
}
