import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.js'
import type { Origin } from '../../events.js'
import { mac } from '../../random.js'
import type { Account, StoredUser, UserStore } from '../../store/contract.js'
import { accountOf, unavailability } from '../../user/account.js'
import { bindingOf, type Completion } from './completion.js'
import type { CredentialCheck, Credentials } from './credentials.js'

/** What a password alone may do. */
export interface PasswordCheckOptions {
  /** Whether users with a second factor pass without it. Default false. */
  allowSingleFactor?: boolean
  /** For how many seconds a password that was right is taken without hashing it again, while it is the user's. Default 0. */
  cacheFor?: number
}

/**
 * The user of these credentials, without a session: for where a password is all
 * there is. Users who have, or must have, a second factor are refused unless
 * `allowSingleFactor`, and so is a password that must be changed first. Throws
 * `InvalidCredentialsError`, `RateLimitError`.
 */
export type PasswordCheck = (credentials: Credentials, origin?: Origin, options?: PasswordCheckOptions) => Promise<Account>

/** What passwords are checked with. */
export interface PasswordCheckDependencies {
  users: UserStore
  check: CredentialCheck
  completion: Completion
  clock: Clock
  requireVerified: boolean
}

interface Remembered {
  readonly userId: string
  readonly binding: string
  readonly until: number
}

const REMEMBERED = 1000

/** Checks of passwords over these stores. */
export function createPasswordCheck ({ users, check, completion, clock, requireVerified }: PasswordCheckDependencies): PasswordCheck {
  const remembered = new LRUCache<string, Remembered>({ max: REMEMBERED })
  // Of this process alone: what is remembered could be guessed at with no other key.
  const key = randomBytes(32)

  /** Why a password is not enough for this user, if it is not. */
  async function lacking (user: StoredUser, allowSingleFactor: boolean): Promise<string | undefined> {
    const asked = await completion.next(user, allowSingleFactor ? ['pwd', 'mfa'] : ['pwd'])
    if (asked === undefined || (allowSingleFactor && asked.name === 'MFA_SETUP')) return undefined
    return asked.name === 'NEW_PASSWORD_REQUIRED' ? 'password_to_be_changed' : 'second_factor'
  }

  /** The user whose password this was a short time ago, and is still. */
  async function recall (entry: string, { email, username }: Credentials, allowSingleFactor: boolean): Promise<StoredUser | undefined> {
    const known = remembered.get(entry)
    if (known === undefined || clock() >= known.until) return undefined
    const user = await users.findById(known.userId)
    const same = user !== undefined && unavailability(user, requireVerified) === undefined && bindingOf(user.passwordHash) === known.binding
    // Names move from one user to another.
    const named = email === undefined ? user?.username === username : user?.email === email
    return same && named && await lacking(user, allowSingleFactor) === undefined ? user : undefined
  }

  return async (credentials, origin = {}, { allowSingleFactor = false, cacheFor = 0 } = {}) => {
    const { email, username, password } = credentials
    const entry = cacheFor > 0 ? mac(key, email === undefined ? 'username' : 'email', String(email ?? username), String(password)).toString('base64') : undefined
    // Counted first: where an address is locked out, the right password must not look different from the wrong ones.
    const begun = await check.begin(credentials, origin)
    const known = entry === undefined ? undefined : await recall(entry, credentials, allowSingleFactor)
    if (known !== undefined) {
      await begun.attempt.succeeded()
      return accountOf(known)
    }
    const { user, hash, attempt, refuse } = await check.examine(credentials, origin, begun)
    const reason = await lacking(user, allowSingleFactor)
    if (reason !== undefined) return await refuse(reason)
    await attempt.succeeded()
    if (entry !== undefined) remembered.set(entry, { userId: user.id, binding: bindingOf(hash), until: clock() + cacheFor * 1000 })
    return accountOf(user)
  }
}
