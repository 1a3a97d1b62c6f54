import type { Clock } from '../../clock.js'
import { InvalidVerifyTokenError } from '../../errors/account.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { Account, StoredUser, UserStore } from '../../store/contract.js'
import type { OneTimeTokens } from '../../token/one-time.js'
import { accountOf, normalizeEmail } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import type { LaterTasks } from '../later.js'

/** E-mail verification. The application mails the token of the event `verification_requested`. */
export interface Verification {
  /**
   * Makes a token for an address, if it is that of an active user who has not
   * verified it; whether it is, nobody learns. Throws `RateLimitError`.
   */
  request (email: string, origin?: Origin): Promise<void>
  /** Verifies an address by its token, once. Throws {@link InvalidVerifyTokenError}, `RateLimitError`. */
  verify (token: string, origin?: Origin): Promise<Account>
  /** Makes a token for a user who has just got the address. */
  send (user: StoredUser): Promise<void>
  /** Verifies an address that was shown to be its user's in another way; undefined where it is not the user's any more. */
  confirm (userId: string, email: string): Promise<Account | undefined>
}

/** What verification is made with. */
export interface VerificationOptions {
  users: UserStore
  tokens: OneTimeTokens
  attempts: Attempts
  events: AuthEventEmitter
  later: LaterTasks
  clock: Clock
  /** Seconds. */
  lifetime: number
}

const PURPOSE = 'verify'

/** E-mail verification over these stores. */
export function createVerification ({ users, tokens, attempts, events, later, clock, lifetime }: VerificationOptions): Verification {
  async function send (user: StoredUser): Promise<void> {
    const token = await tokens.issue(PURPOSE, { userId: user.id, email: user.email }, lifetime)
    await events.emit('verification_requested', { user: accountOf(user), token, expiresAt: new Date(clock() + lifetime * 1000) })
  }

  async function sendTo (email: string): Promise<void> {
    const user = await users.findByEmail(email)
    if (user !== undefined && user.isActive && !user.isVerified) await send(user)
  }

  async function mark (userId: string, email: string): Promise<StoredUser | undefined> {
    const after = await users.update(userId, { isVerified: true, updatedAt: clock() }, { email })
    return typeof after === 'string' ? undefined : after
  }

  return {
    send,

    async confirm (userId, email) {
      const after = await mark(userId, email)
      if (after === undefined) return undefined
      await events.emit('verification_completed', { user: accountOf(after) })
      return accountOf(after)
    },

    async request (email, origin = {}) {
      const normal = normalizeEmail(email)
      await attempts.begin('verify_request', normal ?? email, origin)
      // Looked up after the answer: finding somebody takes longer than finding nobody.
      if (normal !== undefined) later.run(() => sendTo(normal))
    },

    async verify (token, origin = {}) {
      const attempt = await attempts.begin('verify', undefined, origin)
      const bound = await tokens.read(PURPOSE, token)
      if (bound === undefined || !await tokens.use(PURPOSE, token)) throw new InvalidVerifyTokenError({ reason: 'unknown, used or expired' })
      const { userId = '', email = '' } = bound
      const user = await users.findById(userId)
      if (user?.isActive !== true) throw new InvalidVerifyTokenError({ reason: 'user deactivated or deleted' })
      const after = await mark(userId, email)
      if (after === undefined) throw new InvalidVerifyTokenError({ reason: 'address changed since' })
      await attempt.succeeded()
      await events.emit('verification_completed', { user: accountOf(after) })
      return accountOf(after)
    }
  }
}
