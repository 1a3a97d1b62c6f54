import type { StoredSession } from '../../store/contract.js'

/** A session as its user may see it. Times are ISO 8601. */
export interface SessionInfo {
  readonly id: string
  readonly created_at: string
  /** When it was last refreshed. */
  readonly last_used_at: string
  /** When it lapses in any case. */
  readonly expires_at: string
  readonly address: string | null
  readonly user_agent: string | null
}

/** What of a session its user sees. */
export function sessionInfo ({ id, createdAt, rotatedAt, expiresAt, address, userAgent }: StoredSession): SessionInfo {
  return {
    id,
    created_at: new Date(createdAt).toISOString(),
    last_used_at: new Date(rotatedAt).toISOString(),
    expires_at: new Date(expiresAt).toISOString(),
    address,
    user_agent: userAgent
  }
}
