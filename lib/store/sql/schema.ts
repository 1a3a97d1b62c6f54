import type { Generated, Kysely } from 'kysely'
import type { SessionEnd } from '../contract.js'

/** Written as ISO 8601 in UTC; drivers read timestamptz as dates. */
export type Time = string | Date
/** SQLite has no booleans but 0 and 1. */
export type Flag = boolean | number

export interface UserRow {
  id: string
  email: string
  username: string | null
  password_hash: string | null
  is_active: Flag
  is_verified: Flag
  must_change_password: Flag
  signed_out_at: Time | null
  created_at: Time
  updated_at: Time
}

export interface UserRoleRow {
  user_id: string
  role: string
}

export interface SessionRow {
  id: string
  user_id: string
  refresh_digest: string
  generation: number
  created_at: Time
  rotated_at: Time
  idle_until: Time
  expires_at: Time
  ended_at: Time | null
  end_reason: SessionEnd | null
  address: string | null
  user_agent: string | null
  /** Names with blanks between them. */
  amr: string
}

export interface TotpRow {
  user_id: string
  id: string
  secret: string
  used_step: number
  created_at: Time
}

export interface RecoveryCodeRow {
  user_id: string
  digest: string
}

export interface IdentityRow {
  user_id: string
  provider: string
  issuer: string
  subject: string
  email: string | null
  tokens: string | null
  created_at: Time
  used_at: Time
}

export interface EphemeralRow {
  key: string
  value: string | null
  count: Generated<number>
  expires_at: Time
}

export interface Tables {
  bouncer_users: UserRow
  bouncer_user_roles: UserRoleRow
  bouncer_sessions: SessionRow
  bouncer_totp: TotpRow
  bouncer_recovery_codes: RecoveryCodeRow
  bouncer_identities: IdentityRow
  bouncer_ephemeral: EphemeralRow
}

export type Database = Kysely<Tables>

/** A time as it is stored: sorts as text, too. Throws `RangeError` for what is no time. */
export function written (time: number): string {
  return new Date(time).toISOString()
}

/** Milliseconds since 1970 of a stored time. */
export function read (time: Time): number {
  return typeof time === 'string' ? Date.parse(time) : time.getTime()
}
