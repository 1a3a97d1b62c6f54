import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.js'
import { AccountUnavailableError, TokenInvalidError, TokenRevokedError } from '../../errors/authentication.js'
import type { EphemeralStore, SessionStore, StoredSession, StoredUser, UserStore } from '../../store/contract.js'
import { rolesFromClaims } from '../../token/principal.js'
import { unavailability } from '../../user/account.js'
import { refuseEnded, refuseSignedOut } from './sessions.js'

/** Where revocation looks, and how often. */
export interface RevocationOptions {
  sessions: SessionStore
  users: UserStore
  ephemeral: EphemeralStore
  /** For how many seconds an answer of the store may be used again; 0 for not at all. */
  maxStaleness: number
  /** For how many seconds a token is accepted after it has expired. */
  clockTolerance: number
  /** Whether the user must have a verified address. */
  requireVerified: boolean
  clock: Clock
}

/** What has become of a token since it was signed. */
export interface Revocation {
  /**
   * Refuses the verified claims of a token that has died since. Throws
   * `TokenRevokedError` (signed out, or a role was lost), `AccountUnavailableError`
   * (user deactivated, deleted, or not verified), `AuthenticationError` (session lapsed).
   */
  check (claims: Readonly<Record<string, unknown>>): Promise<void>
  /** Revokes a token that has no session, by its `jti`, until it would expire anyway. */
  revoke (claims: Readonly<Record<string, unknown>>): Promise<void>
}

interface State {
  readonly readAt: number
  readonly session: StoredSession | undefined
  readonly user: StoredUser | undefined
}

const REMEMBERED = 10_000

/** Looks at each access token's session and user. A token that was signed by the application itself has none; it can be revoked by its `jti`. */
export function createRevocation ({ sessions, users, ephemeral, maxStaleness, clockTolerance, requireVerified, clock }: RevocationOptions): Revocation {
  const remembered = maxStaleness > 0 ? new LRUCache<string, State>({ max: REMEMBERED }) : undefined

  async function stateOf (sessionId: string, userId: string): Promise<State> {
    // By both: a token that the application signed itself may name a user whose session it is not.
    const key = `${sessionId} ${userId}`
    const known = remembered?.get(key)
    const readAt = clock()
    // Not from the future: a clock that was put back must not stretch it.
    if (known !== undefined && known.readAt <= readAt && readAt - known.readAt < maxStaleness * 1000) return known
    const [session, user] = await Promise.all([sessions.find(sessionId), users.findById(userId)])
    const state = { readAt, session, user }
    remembered?.set(key, state)
    return state
  }

  async function checkSession (sessionId: string, claims: Readonly<Record<string, unknown>>): Promise<void> {
    const userId = claims.sub as string
    const { session, user } = await stateOf(sessionId, userId)
    const reason = unavailability(user, requireVerified)
    if (user === undefined || reason !== undefined) throw new AccountUnavailableError({ userId, reason })
    const tokenId = typeof claims.jti === 'string' ? { tokenId: claims.jti } : {}
    if (session === undefined || session.userId !== userId) throw new TokenRevokedError(tokenId)
    refuseEnded(session, clock(), tokenId)
    refuseSignedOut(session, user, tokenId)
    // A token says more than is true once a role was taken away.
    if (!rolesFromClaims(claims).every((role) => user.roles.includes(role))) throw new TokenRevokedError(tokenId)
  }

  return {
    async check (claims) {
      const { sid, jti } = claims
      if (typeof sid === 'string') return await checkSession(sid, claims)
      if (sid !== undefined) throw new TokenInvalidError({ reason: 'claims' })
      if (typeof jti !== 'string') return
      if (await ephemeral.get(revokedKey(jti)) !== undefined) throw new TokenRevokedError({ tokenId: jti })
    },

    async revoke ({ jti, exp }) {
      if (typeof jti !== 'string') throw new TokenInvalidError({ reason: 'claims', message: 'A token without sid and jti cannot be revoked' })
      await ephemeral.set(revokedKey(jti), '1', Math.max(1, ((exp as number) + clockTolerance) * 1000 - clock()))
    }
  }
}

function revokedKey (jti: string): string {
  return `revoked:${jti}`
}
