import type { Clock } from '../../clock.js'
import type { Passwords } from '../../password/passwords.js'
import { timeOrderedId } from '../../random.js'
import type { StoredUser, UserStore } from '../../store/contract.js'
import { normalizedNames, normalizedRoles, requiredFlag } from '../../user/account.js'
import { refusalOf, withPasswordCode, type PasswordCode } from './refusals.js'

/** A user to be made. Without a password nobody can sign in with one. */
export interface NewAccount {
  email: string
  password?: string
  username?: string | null
  roles?: readonly string[]
  is_active?: boolean
  is_verified?: boolean
  /** Whether the password is for one sign-in only, which sets another. Default false. */
  must_change_password?: boolean
}

/** Makes and stores a user, of a new id unless one was chosen before; nobody is told yet. Throws `UserAlreadyExistsError`, `PasswordPolicyError`, `TypeError`. */
export type UserMaker = (account: NewAccount, code?: PasswordCode, id?: string) => Promise<StoredUser>

/** What users are made with. */
export interface UserMakerOptions {
  users: UserStore
  passwords: Passwords
  clock: Clock
}

/** The maker of users, for registration and for administrators alike. */
export function createUserMaker ({ users, passwords, clock }: UserMakerOptions): UserMaker {
  async function hashOf (password: string, names: { email: string, username: string | null }, code: PasswordCode | undefined): Promise<string> {
    const check = passwords.check(password, names)
    await (code === undefined ? check : withPasswordCode(code, check))
    return await passwords.hash(password)
  }

  return async ({ password, roles = [], is_active: isActive = true, is_verified: isVerified = false, must_change_password: mustChangePassword = false, ...given }, code, id) => {
    const { email = '', username = null } = normalizedNames(given)
    if (email === '') throw new TypeError('email is missing')
    const granted = normalizedRoles(roles)
    const flags = { isActive: requiredFlag(isActive, 'is_active'), isVerified: requiredFlag(isVerified, 'is_verified'), mustChangePassword: requiredFlag(mustChangePassword, 'must_change_password') }
    // Hashed before it is known whether the address is taken: both take as long.
    const passwordHash = password === undefined ? null : await hashOf(password, { email, username }, code)
    const now = clock()
    const user: StoredUser = { id: id ?? timeOrderedId(now), email, username, passwordHash, roles: granted, ...flags, signedOutAt: null, createdAt: now, updatedAt: now }
    const stored = await users.insert(user)
    if (stored !== 'stored') throw refusalOf(stored, undefined, user)
    return user
  }
}
