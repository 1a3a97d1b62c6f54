import { RateLimitError } from '../errors/account.js'
import type { AuthEventEmitter, Origin } from '../events.js'
import { digest } from '../random.js'
import type { EphemeralStore, StoredUser } from '../store/contract.js'
import { addressBlock } from '../user/address.js'

/** So many attempts in `window` seconds; the one that reaches `max` starts a lock-out of `lockout` seconds. */
export interface AttemptLimit {
  max: number
  window: number
  lockout: number
}

/** What is counted. */
export type AttemptOperation = 'login' | 'challenge' | 'refresh' | 'register' | 'password_change' | 'password_reset_request' | 'password_reset' | 'verify_request' | 'verify' | 'oauth' | 'onboarding'

/** Limits of one operation; false for none. */
export interface OperationLimits {
  account: AttemptLimit | false
  address: AttemptLimit | false
}

/** The limits of all operations. */
export type AttemptLimits = Record<AttemptOperation, OperationLimits>

const MINUTES = 60
const often: AttemptLimit = { max: 50, window: 5 * MINUTES, lockout: 10 * MINUTES }

/** Limits where nothing else is configured. */
export const DEFAULT_LIMITS: AttemptLimits = {
  login: { account: { max: 5, window: 5 * MINUTES, lockout: 10 * MINUTES }, address: often },
  // Codes of second factors, wherever they are asked for.
  challenge: { account: { max: 5, window: 5 * MINUTES, lockout: 10 * MINUTES }, address: often },
  // Counts what fails, and what is under way.
  refresh: { account: { max: 50, window: 5 * MINUTES, lockout: MINUTES }, address: { max: 1000, window: 5 * MINUTES, lockout: MINUTES } },
  register: { account: { max: 5, window: 60 * MINUTES, lockout: 60 * MINUTES }, address: { max: 50, window: 60 * MINUTES, lockout: 60 * MINUTES } },
  password_change: { account: { max: 5, window: 5 * MINUTES, lockout: 10 * MINUTES }, address: often },
  password_reset_request: { account: { max: 3, window: 5 * MINUTES, lockout: 15 * MINUTES }, address: often },
  password_reset: { account: false, address: often },
  verify_request: { account: { max: 3, window: 5 * MINUTES, lockout: 15 * MINUTES }, address: often },
  verify: { account: false, address: often },
  // Each asks the provider, and leaves a mark until the attempt would have expired.
  oauth: { account: false, address: often },
  // Flows that are started.
  onboarding: { account: { max: 5, window: 15 * MINUTES, lockout: 15 * MINUTES }, address: often }
}

/** An attempt that was let through and counted. */
export interface Attempt {
  /**
   * It was rightful: the account's count is forgotten, the address gets its own
   * back. What was done is done: where the store cannot do this any more, the
   * counts stay as they are and `report` is told.
   */
  succeeded (): Promise<void>
}

/** Counts attempts, and refuses those over a limit. */
export interface Attempts {
  /** Counts an attempt before it is made, so that no number of them at once gets past the limit. Throws {@link RateLimitError}. */
  begin (operation: AttemptOperation, account: string | undefined, origin: Origin): Promise<Attempt>
  /** An attempt that was let through and counted before, in another request. */
  resume (operation: AttemptOperation, account: string | undefined, origin: Origin): Attempt
  /** Remembers an address as one that this user signs in from, so that guesses of others do not lock it out. */
  trust (user: Pick<StoredUser, 'email' | 'username'>, origin: Origin): Promise<void>
}

/**
 * What a user's sign-ins are counted by. By name, not by user: a count that both
 * names of a user shared would tell strangers that they belong together.
 */
export function loginAccount (type: 'email' | 'username', name: string): string {
  return `${type}:${name}`
}

/** What is tried while signing in: an address where it was right before has a count of its own. */
const FAMILIARITY: ReadonlySet<AttemptOperation> = new Set(['login', 'challenge'])

/** How long an address is remembered from which an account has signed in. */
const FAMILIAR_FOR = 30 * 24 * 60 * MINUTES * 1000

/** Where attempts are counted, and how far. */
export interface AttemptsOptions {
  ephemeral: EphemeralStore
  limits: AttemptLimits
  events: AuthEventEmitter
  /** Told what could not be stored after an operation that had succeeded. */
  report: (error: unknown) => void
}

/** Counts attempts per account, whether there is such an account or not, and per address. */
export function createAttempts ({ ephemeral, limits, events, report }: AttemptsOptions): Attempts {
  async function count (operation: AttemptOperation, key: string, limit: AttemptLimit, identifier: string, origin: Origin): Promise<void> {
    const { count, ttl } = await ephemeral.increment(key, { ttl: limit.window * 1000, limit: limit.max, limitTtl: limit.lockout * 1000 })
    if (count <= limit.max) return
    const retryAfter = Math.max(1, Math.ceil(ttl / 1000))
    // Once per lock-out would need another key; a listener may count for itself.
    await events.emit('rate_limit_exceeded', { operation, identifier, retryAfter, origin })
    throw new RateLimitError({ identifier, retryAfter })
  }

  // Whoever tries passwords elsewhere must not lock the owner out for good: an
  // address from which the account has signed in before has a count of its own.
  async function accountKey (operation: AttemptOperation, account: string, block: string | undefined): Promise<string> {
    const key = `attempts:${operation}:account:${digest(account)}`
    if (!FAMILIARITY.has(operation) || block === undefined) return key
    return await ephemeral.get(familiarKey(account, block)) === undefined ? key : `${key}:${block}`
  }

  /** Which counts an attempt is made in. */
  function countsOf (operation: AttemptOperation, account: string | undefined, origin: Origin) {
    const { account: accountLimit, address: addressLimit } = limits[operation]
    const block = addressBlock(origin.address)
    return {
      block,
      byAddress: addressLimit === false || block === undefined ? undefined : { key: `attempts:${operation}:address:${block}`, limit: addressLimit, name: block },
      byAccount: accountLimit === false || account === undefined ? undefined : { limit: accountLimit, name: account }
    }
  }

  async function forgive (operation: AttemptOperation, account: string | undefined, origin: Origin): Promise<void> {
    const { block, byAddress, byAccount } = countsOf(operation, account, origin)
    await Promise.all([
      byAccount === undefined ? undefined : accountKey(operation, byAccount.name, block).then((key) => ephemeral.delete(key)),
      byAddress === undefined ? undefined : ephemeral.decrement(byAddress.key, byAddress.limit.max + 1)
    ])
    // Afterwards: the count that is forgotten is that of an address not known before.
    if (FAMILIARITY.has(operation) && byAccount !== undefined && block !== undefined) await ephemeral.set(familiarKey(byAccount.name, block), '1', FAMILIAR_FOR)
  }

  const resume: Attempts['resume'] = (operation, account, origin) => ({ succeeded: () => forgive(operation, account, origin).catch(report) })

  return {
    async begin (operation, account, origin) {
      const { block, byAddress, byAccount } = countsOf(operation, account, origin)
      if (byAddress !== undefined) await count(operation, byAddress.key, byAddress.limit, byAddress.name, origin)
      if (byAccount !== undefined) await count(operation, await accountKey(operation, byAccount.name, block), byAccount.limit, byAccount.name, origin)
      return resume(operation, account, origin)
    },

    resume,

    async trust ({ email, username }, origin) {
      const block = addressBlock(origin.address)
      if (block === undefined) return
      const names = [loginAccount('email', email), ...username === null ? [] : [loginAccount('username', username)]]
      await Promise.all(names.map((name) => ephemeral.set(familiarKey(name, block), '1', FAMILIAR_FOR))).catch(report)
    }
  }
}

function familiarKey (account: string, block: string): string {
  return `familiar:${digest(account)}:${block}`
}
