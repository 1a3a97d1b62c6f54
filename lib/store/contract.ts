import type { IdentityStore } from './identity-contract.js'

export type { IdentityChoice, IdentityStore, StoredIdentity } from './identity-contract.js'

/**
 * What the account system needs of a database. Every verb is atomic, also
 * between processes: authentication lives on races. Times are milliseconds since
 * 1970, given by the caller. What cannot be done throws; callers map any error
 * that is not one of this package's to `AuthUnavailableError`.
 */

/** A user as it is stored. */
export interface StoredUser {
  readonly id: string
  /** Normalised by the caller: unique without case. */
  readonly email: string
  /** Normalised by the caller; null where the user has none. */
  readonly username: string | null
  /** Null for a user who cannot sign in with a password. */
  readonly passwordHash: string | null
  readonly roles: readonly string[]
  readonly isActive: boolean
  readonly isVerified: boolean
  /** Whether the password is for one sign-in only, which sets another. */
  readonly mustChangePassword: boolean
  /** Sessions that began before are over: written with a new password in one step, whatever fails afterwards. Null for none. */
  readonly signedOutAt: number | null
  readonly createdAt: number
  readonly updatedAt: number
}

/** A user as it is shown: in answers, in events. Without password hash. */
export interface Account {
  readonly id: string
  readonly email: string
  readonly username: string | null
  readonly roles: readonly string[]
  readonly is_active: boolean
  readonly is_verified: boolean
}

/** What can be changed of a user. Undefined leaves a field as it is. */
export type UserChanges = Partial<Omit<StoredUser, 'id' | 'createdAt'>>

/** What must hold in the same moment as a change, or it is not made. */
export interface UserConditions {
  /** The user still has this password hash: compare-and-set. */
  passwordHash?: string | null
  /** The user still has this e-mail address: compare-and-set. */
  email?: string
  /** If this user is active and has this role, somebody active still has it after the change: the last administrator stays. */
  keepRole?: string
  /** For `keepRole`, only verified users count. */
  keepVerified?: boolean
}

/** Why a user was not stored. */
export type UserRefusal =
  /** There is no such user. */
  | 'missing'
  /** Another user has the address, or the user name. */
  | 'email' | 'username'
  /** A condition of compare-and-set does not hold any more. */
  | 'changed'
  /** The user is the last active one with the role of `keepRole`, and would not be any more. */
  | 'last'

/** One page of a list, and where the next one starts; undefined after the last. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | undefined
}

/** Which page of a list. `after` is the `next` of the page before; one that was made up gives an empty page, or any. */
export interface PageRequest {
  readonly limit: number
  readonly after?: string
}

/** Users. An application may implement it over a table of its own. */
export interface UserStore {
  findById (id: string): Promise<StoredUser | undefined>
  findByEmail (email: string): Promise<StoredUser | undefined>
  findByUsername (username: string): Promise<StoredUser | undefined>
  /** Stores a new user, unless address or user name are taken. */
  insert (user: StoredUser): Promise<'stored' | 'email' | 'username'>
  /** Changes a user, if all conditions hold; answers with the user as it is then. */
  update (id: string, changes: UserChanges, conditions?: UserConditions): Promise<StoredUser | UserRefusal>
  delete (id: string, conditions?: Pick<UserConditions, 'keepRole' | 'keepVerified'>): Promise<'deleted' | 'missing' | 'last'>
  /** Users by age, oldest first. */
  list (page: PageRequest): Promise<Page<StoredUser>>
}

/** Why a session is over. */
export type SessionEnd = 'logout' | 'logout_all' | 'ended' | 'password_changed' | 'deactivated' | 'deleted' | 'refresh_reuse'

/** A sign-in, and the family of refresh tokens that comes from it. */
export interface StoredSession {
  readonly id: string
  readonly userId: string
  /** SHA-256 of the one refresh token that is current. */
  readonly refreshDigest: string
  /** How many refresh tokens came before it. */
  readonly generation: number
  readonly createdAt: number
  /** When the current refresh token was made. */
  readonly rotatedAt: number
  /** When the session lapses if it is not refreshed. */
  readonly idleUntil: number
  /** When it lapses in any case. */
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly endReason: SessionEnd | null
  /** How its user signed in (RFC 8176): `pwd`, `otp`, and `mfa` where two factors were shown. */
  readonly amr: readonly string[]
  /** Address of the sign-in, for people who look at their sessions. */
  readonly address: string | null
  readonly userAgent: string | null
}

/** What a refresh changes of a session. */
export type Rotation = Pick<StoredSession, 'refreshDigest' | 'rotatedAt' | 'idleUntil'>

/** Sessions. Of a user who is deleted none is left. */
export interface SessionStore {
  insert (session: StoredSession): Promise<void>
  find (id: string): Promise<StoredSession | undefined>
  /** Puts the next refresh token in place of generation `generation`, raising it by one; false when it is not the current one, or the session has ended. */
  rotate (id: string, generation: number, rotation: Rotation): Promise<boolean>
  /** Ends a session, of this user if one is named; false when it is not there, or has ended before. */
  end (id: string, reason: SessionEnd, now: number, userId?: string): Promise<boolean>
  /** Ends all sessions of a user that have not ended; answers with their ids. */
  endAll (userId: string, reason: SessionEnd, now: number): Promise<readonly string[]>
  /** Sessions of a user that have neither ended nor lapsed, newest first. */
  listLive (userId: string, now: number, page: PageRequest): Promise<Page<StoredSession>>
  /** Deletes sessions that ended, or lapsed in every way, before `time`; answers with how many. */
  prune (time: number): Promise<number>
}

/** The authenticator application of a user. */
export interface StoredTotp {
  readonly userId: string
  /** Which enrolment it is: a later one has another. */
  readonly id: string
  /** The shared secret, encrypted. */
  readonly secret: string
  /** The newest time step of which a code was used (RFC 6238). */
  readonly usedStep: number
  /** Digests of the recovery codes that are left. */
  readonly recoveryCodes: readonly string[]
  readonly createdAt: number
}

/** Second factors, at most one of each user. Of a user who is deleted none is left. A verb does nothing where `id` is another enrolment's. */
export interface FactorStore {
  find (userId: string): Promise<StoredTotp | undefined>
  /** Stores a second factor; false where the user has one. */
  insert (totp: StoredTotp): Promise<boolean>
  /** Uses a time step up; false when it, or a newer one, has been used before. */
  useStep (userId: string, id: string, step: number): Promise<boolean>
  /** Uses a recovery code up; false when there is no such code. */
  useRecoveryCode (userId: string, id: string, digest: string): Promise<boolean>
  /** Puts other recovery codes in place of all there are; false where the second factor is gone. */
  replaceRecoveryCodes (userId: string, id: string, digests: readonly string[]): Promise<boolean>
  /** Puts `secret` in place of `expected`; false when there is another. */
  replaceSecret (userId: string, id: string, expected: string, secret: string): Promise<boolean>
  /** False when there is none. */
  delete (userId: string): Promise<boolean>
}

/** How many times a key was counted, and how long it is remembered, in milliseconds from now. */
export interface Count {
  readonly count: number
  readonly ttl: number
}

/** How {@link EphemeralStore.increment} counts. Times are in milliseconds. */
export interface CountLimit {
  /** How long a first count is remembered. */
  readonly ttl: number
  /** The count that starts the lock-out; `limit + 1` is the highest count there is. */
  readonly limit: number
  /** How long the key is remembered from the moment its count reaches `limit`. Later counts change nothing. */
  readonly limitTtl: number
}

/** What expires: one-time tokens, revoked token ids, counters. Values are strings; an expired key is no key. `ttl` is in milliseconds. */
export interface EphemeralStore {
  /** Stores a value unless there is one; false when there is. */
  add (key: string, value: string, ttl: number): Promise<boolean>
  /** Stores a value, in place of any other. */
  set (key: string, value: string, ttl: number): Promise<void>
  get (key: string): Promise<string | undefined>
  /** The value, which is gone then: of several callers one gets it. */
  take (key: string): Promise<string | undefined>
  /** Puts `value` in place of `expected`, keeping the time it has left; false when there is another value, or none. */
  replace (key: string, expected: string, value: string): Promise<boolean>
  delete (key: string): Promise<void>
  /** Counts one more. */
  increment (key: string, limit: CountLimit): Promise<Count>
  /** Counts one less, where the count is above 0 and below `below`. */
  decrement (key: string, below: number): Promise<void>
}

/** Everything a database does for the account system. */
export interface Store {
  /** Name for error messages and logs, such as `sqlite`. */
  readonly name: string
  readonly users: UserStore
  readonly sessions: SessionStore
  readonly factors: FactorStore
  readonly identities: IdentityStore
  readonly ephemeral: EphemeralStore
  /** What somebody should know at start, such as that nothing outlives the process. */
  readonly warning?: string
  /** Connects, and brings the tables up to date or checks that they are. Throws `ConfigurationError` for what an operator must do first. */
  open? (): Promise<void>
  /** Lets go of what {@link Store.open} or the factory took; not of a client that was given. */
  close? (): Promise<void>
}

/** A store for what expires alone, such as Redis. */
export type EphemeralOnlyStore = Pick<Store, 'name' | 'ephemeral' | 'warning' | 'open' | 'close'>
