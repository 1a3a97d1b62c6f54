import type { Clock } from '../../clock.js'
import { UserNotFoundError } from '../../errors/account.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { Account, StoredUser, UserConditions, UserStore } from '../../store/contract.js'
import { accountOf, movedNames, namesOf, normalizedNames } from '../../user/account.js'
import type { Attempt, Attempts } from '../attempts.js'
import { missingPassword, refusalOf, withPasswordCode, wrongPassword } from './refusals.js'
import type { Sessions } from '../session/sessions.js'
import type { Verification } from './verification.js'

/** What users change of themselves. Another address asks for the current password. */
export interface ProfileChanges {
  email?: string
  username?: string | null
  current_password?: string
}

/** What users do with their own accounts. */
export interface Profile {
  /**
   * Changes a user's own names. A new address is to be verified. Throws
   * `InvalidPasswordError` (the current password is missing or another one),
   * `UserAlreadyExistsError`, `RateLimitError`, `UserNotFoundError`, `TypeError`,
   * and an `AuthorizationError` where only verified users sign in and no
   * administrator would be left among them.
   */
  update (userId: string, changes: ProfileChanges, origin?: Origin): Promise<Account>
  /**
   * Changes a user's own password and ends all sessions. Throws
   * `InvalidPasswordError` (not the current one), `PasswordPolicyError`,
   * `RateLimitError`, `UserNotFoundError`.
   */
  changePassword (userId: string, passwords: { current_password: string, new_password: string }, origin?: Origin): Promise<void>
}

/** What a user's own changes are made with. */
export interface ProfileOptions {
  users: UserStore
  passwords: Passwords
  sessions: Sessions
  verification: Verification
  attempts: Attempts
  events: AuthEventEmitter
  clock: Clock
  adminRole: string
  requireVerified: boolean
}

const CODE = 'UPDATE_USER_INVALID_PASSWORD'

/** The changes users make to themselves, over these stores. */
export function createProfile (options: ProfileOptions): Profile {
  const { users, passwords, sessions, verification, attempts, events, clock, adminRole, requireVerified } = options

  async function get (userId: string): Promise<StoredUser> {
    const user = await users.findById(userId)
    if (user === undefined) throw new UserNotFoundError({ userId })
    return user
  }

  /** Guesses count, wherever the current password is asked for. */
  async function confirm (user: StoredUser, currentPassword: string, origin: Origin): Promise<Attempt | undefined> {
    const attempt = await attempts.begin('password_change', user.id, origin)
    const { matches } = await passwords.verify(currentPassword, user.passwordHash)
    return matches ? attempt : undefined
  }

  /** Checks what a new address asks for; the attempt succeeds with the change, so that taken addresses cannot be looked for at will. */
  async function confirmMove (user: StoredUser, email: string, currentPassword: string | undefined, origin: Origin): Promise<Attempt> {
    if (currentPassword === undefined) throw missingPassword(user.id)
    const attempt = await confirm(user, currentPassword, origin)
    if (attempt === undefined) throw wrongPassword(user.id)
    // A mail goes to it, whoever's it is.
    await attempts.begin('verify_request', email, origin)
    return attempt
  }

  return {
    async update (userId, { current_password: currentPassword, ...changes }, origin = {}) {
      const user = await get(userId)
      const names = movedNames(user, normalizedNames(changes))
      if (Object.keys(names).length === 0) return accountOf(user)
      const attempt = names.email === undefined ? undefined : await confirmMove(user, names.email, currentPassword, origin)
      const moved = attempt !== undefined
      const conditions: UserConditions = moved ? { passwordHash: user.passwordHash, ...(requireVerified && { keepRole: adminRole, keepVerified: true }) } : {}
      const after = await users.update(userId, { ...names, ...(moved && { isVerified: false }), updatedAt: clock() }, conditions)
      if (after === 'changed' && moved) throw wrongPassword(userId)
      if (typeof after === 'string') throw refusalOf(after, userId, names)
      await attempt?.succeeded()
      await events.emit('user_updated', { user: accountOf(after), fields: Object.keys(names), ...(moved && { previousEmail: user.email }) })
      if (moved) await verification.send(after)
      return accountOf(after)
    },

    async changePassword (userId, { current_password: currentPassword, new_password: password }, origin = {}) {
      const user = await get(userId)
      const attempt = await confirm(user, currentPassword, origin)
      if (attempt === undefined) throw wrongPassword(userId, CODE)
      // What is refused from here on is no guess.
      await attempt.succeeded()
      await withPasswordCode(CODE, passwords.check(password, namesOf(user), userId))
      const passwordHash = await passwords.hash(password)
      const after = await users.update(userId, { passwordHash, mustChangePassword: false, signedOutAt: clock(), updatedAt: clock() }, { passwordHash: user.passwordHash })
      // Somebody else was faster: what was given is not the current one any more.
      if (after === 'changed') throw wrongPassword(userId, CODE)
      if (typeof after === 'string') throw refusalOf(after, userId, {})
      await sessions.endAll(userId, 'password_changed')
      await events.emit('password_changed', { user: accountOf(after) })
    }
  }
}
