import type { Clock } from '../../clock.js'
import { UserNotFoundError } from '../../errors/account.js'
import type { AuthEventEmitter } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { Account, FactorStore, IdentityStore, Page, PageRequest, StoredUser, UserChanges, UserConditions, UserStore } from '../../store/contract.js'
import { accountOf, movedNames, namesOf, normalizedNames, normalizedRoles, normalizeEmail, normalizeUsername, requiredFlag } from '../../user/account.js'
import type { NewAccount, UserMaker } from './new-user.js'
import { refusalOf, withPasswordCode } from './refusals.js'
import type { Sessions } from '../session/sessions.js'

/** What an administrator changes of a user; what is left out stays. */
export type AccountChanges = Partial<NewAccount>

/** The user manager: for administrators, and for programs. */
export interface Users {
  /** Makes a user. Throws `UserAlreadyExistsError`, `PasswordPolicyError`, and `TypeError` for what is no address, name, role or flag. */
  create (user: NewAccount): Promise<Account>
  /** Throws `UserNotFoundError`. */
  get (id: string): Promise<Account>
  /** By e-mail address or user name, in any spelling. Undefined when there is none. Throws `TypeError` for neither, or both. */
  find (name: { email: string } | { username: string }): Promise<Account | undefined>
  /** A page of users, oldest first; `limit` is 50 by default. */
  list (page?: Partial<PageRequest>): Promise<Page<Account>>
  /**
   * Changes a user. A new address has to be verified again; deactivation, a
   * new password, and that one must be set end all sessions. Throws `UserNotFoundError`,
   * `UserAlreadyExistsError`, `PasswordPolicyError`, `TypeError`, and an
   * `AuthorizationError` where no active administrator would be left.
   */
  update (id: string, changes: AccountChanges): Promise<Account>
  /** A new password, without the current one; ends all sessions. Throws `UserNotFoundError`, `PasswordPolicyError`, `TypeError`. */
  setPassword (id: string, password: string): Promise<void>
  /** Deletes a user and all sessions. Throws `UserNotFoundError`, and an `AuthorizationError` for the last active administrator. */
  delete (id: string): Promise<void>
}

/** What the user manager is made with. */
export interface UsersOptions {
  users: UserStore
  passwords: Passwords
  sessions: Sessions
  factors: FactorStore
  identities: IdentityStore
  makeUser: UserMaker
  events: AuthEventEmitter
  clock: Clock
  /** The role that somebody active must keep. */
  adminRole: string
  /** Whether an administrator who is not verified is none, since he cannot sign in. */
  requireVerified: boolean
}

const PAGE = 50
/** What is told of a change; a password has an event of its own. */
const FIELDS = ['email', 'username', 'roles', 'is_active', 'is_verified', 'must_change_password'] as const satisfies ReadonlyArray<keyof AccountChanges>

/** The user manager over these stores. */
export function createUsers ({ users, passwords, sessions, factors, identities, makeUser, events, clock, adminRole, requireVerified }: UsersOptions): Users {
  async function get (id: string): Promise<StoredUser> {
    const user = await users.findById(id)
    if (user === undefined) throw new UserNotFoundError({ userId: id })
    return user
  }

  async function hashOf (password: string, user: StoredUser): Promise<string> {
    await withPasswordCode('UPDATE_USER_INVALID_PASSWORD', passwords.check(password, namesOf(user), user.id))
    return await passwords.hash(password)
  }

  async function changesOf (before: StoredUser, changes: AccountChanges): Promise<UserChanges> {
    const { password, roles, is_active: isActive, is_verified: isVerified, must_change_password: mustChange } = changes
    const names = movedNames(before, normalizedNames(changes))
    const moved = names.email !== undefined
    const now = clock()
    return {
      ...names,
      ...(roles !== undefined && { roles: normalizedRoles(roles) }),
      ...(isActive !== undefined && { isActive: requiredFlag(isActive, 'is_active') }),
      ...(moved && { isVerified: false }),
      ...(isVerified !== undefined && { isVerified: requiredFlag(isVerified, 'is_verified') }),
      ...(password !== undefined && { passwordHash: await hashOf(password, { ...before, ...names }) }),
      ...(mustChange !== undefined ? { mustChangePassword: requiredFlag(mustChange, 'must_change_password') } : password !== undefined && { mustChangePassword: false }),
      ...((password !== undefined || isActive === false || mustChange === true) && { signedOutAt: now }),
      updatedAt: now
    }
  }

  const keeping: UserConditions = { keepRole: adminRole, keepVerified: requireVerified }

  async function update (id: string, changes: AccountChanges): Promise<Account> {
    const before = await get(id)
    const stored = await changesOf(before, changes)
    const mayLeave = stored.isActive === false || (requireVerified && stored.isVerified === false) || (stored.roles !== undefined && !stored.roles.includes(adminRole))
    const after = await users.update(id, stored, mayLeave ? keeping : {})
    if (typeof after === 'string') throw refusalOf(after, id, stored)
    const user = accountOf(after)
    if (!user.is_active) await sessions.endAll(id, 'deactivated')
    else if (stored.passwordHash !== undefined || stored.mustChangePassword === true) await sessions.endAll(id, 'password_changed')
    if (stored.passwordHash !== undefined) await events.emit('password_changed', { user })
    await events.emit('user_updated', { user, fields: FIELDS.filter((field) => changes[field] !== undefined), ...(user.email !== before.email && { previousEmail: before.email }) })
    return user
  }

  return {
    async create (account) {
      const user = accountOf(await makeUser(account))
      await events.emit('user_created', { user })
      return user
    },

    get: async (id) => accountOf(await get(id)),

    async find (name) {
      const { email, username } = name as { email?: string, username?: string }
      if ((typeof email === 'string') === (typeof username === 'string')) throw new TypeError('find() takes { email } or { username }')
      const normal = email === undefined ? normalizeUsername(username as string) : normalizeEmail(email)
      if (normal === undefined) return undefined
      const user = await (email === undefined ? users.findByUsername(normal) : users.findByEmail(normal))
      return user === undefined ? undefined : accountOf(user)
    },

    async list ({ limit = PAGE, after } = {}) {
      const { items, next } = await users.list({ limit, ...(after !== undefined && { after }) })
      return { items: items.map(accountOf), next }
    },

    update,

    async setPassword (id, password) {
      // Left undefined, say by a name that is spelt wrong, it would change nothing and say nothing.
      if (typeof password !== 'string') throw new TypeError('setPassword() takes the id of a user and a password')
      await update(id, { password })
    },

    async delete (id) {
      const outcome = await users.delete(id, keeping)
      if (outcome === 'last') throw refusalOf(outcome, id, {})
      // Where users are in a table of the application's own, no foreign key does
      // it; and of one who is gone already something may be left.
      await sessions.endAll(id, 'deleted')
      await factors.delete(id)
      await identities.deleteAll(id)
      if (outcome !== 'deleted') throw refusalOf(outcome, id, {})
      await events.emit('user_deleted', { userId: id })
    }
  }
}
