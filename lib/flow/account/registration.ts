import { UserAlreadyExistsError } from '../../errors/account.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { Account, StoredUser, UserStore } from '../../store/contract.js'
import { accountOf, normalizeEmail } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import type { LaterTasks } from '../later.js'
import type { UserMaker } from './new-user.js'
import type { Verification } from './verification.js'

/** What somebody who signs up gives. */
export interface Registration {
  email: string
  password: string
  username?: string | null
}

/**
 * Makes a user without roles, and a token to verify the address with. Throws
 * `UserAlreadyExistsError`, `PasswordPolicyError`, `RateLimitError`, `TypeError`.
 *
 * With `concealExistingUsers` nobody learns whether the address was free: the
 * answer is undefined, and a listener of `user_registered_again` may write to it.
 * User names are then chosen later: `TypeError` for one.
 */
export type Register = (registration: Registration, origin?: Origin) => Promise<Account | undefined>

/** What registration is made with. */
export interface RegisterOptions {
  users: UserStore
  makeUser: UserMaker
  verification: Verification
  attempts: Attempts
  events: AuthEventEmitter
  later: LaterTasks
  concealExistingUsers: boolean
}

const CODE = 'REGISTER_INVALID_PASSWORD'

/** Registration over these stores. */
export function createRegister ({ users, makeUser, verification, attempts, events, later, concealExistingUsers }: RegisterOptions): Register {
  async function welcome (user: StoredUser): Promise<void> {
    await events.emit('user_created', { user: accountOf(user) })
    await verification.send(user)
  }

  async function tellOwner (email: string, origin: Origin): Promise<void> {
    const user = await users.findByEmail(normalizeEmail(email) as string)
    if (user !== undefined) await events.emit('user_registered_again', { user: accountOf(user), origin })
  }

  /** Answers as for a free address, and tells its owner; the time of the answer tells nothing either. */
  async function conceal (registration: Registration, origin: Origin): Promise<undefined> {
    // A name would be taken afterwards, or free: that tells as much.
    if (typeof registration.username === 'string') throw new TypeError('With concealExistingUsers nobody registers with a user name; users choose one later')
    try {
      const user = await makeUser(registration, CODE)
      later.run(() => welcome(user))
    } catch (error) {
      if (!(error instanceof UserAlreadyExistsError)) throw error
      later.run(() => tellOwner(registration.email, origin))
    }
    return undefined
  }

  return async ({ email, password, username = null }, origin = {}) => {
    await attempts.begin('register', normalizeEmail(email) ?? email, origin)
    // Nothing else of what was given: roles are not for the person to choose.
    const registration = { email, password, username }
    if (concealExistingUsers) return await conceal(registration, origin)
    const user = await makeUser(registration, CODE)
    await welcome(user)
    return accountOf(user)
  }
}
