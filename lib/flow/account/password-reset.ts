import type { Clock } from '../../clock.js'
import { InvalidResetTokenError } from '../../errors/account.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import { digest } from '../../random.js'
import type { IdentityStore, StoredUser, UserStore } from '../../store/contract.js'
import type { OneTimeTokens } from '../../token/one-time.js'
import { accountOf, namesOf, normalizeEmail } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import type { LaterTasks } from '../later.js'
import { withPasswordCode } from './refusals.js'
import type { Sessions } from '../session/sessions.js'

/** Forgotten passwords. The application mails the token of the event `password_reset_requested`. */
export interface PasswordReset {
  /** Makes a token for the active user of an address; whether there is one, nobody learns. Throws `RateLimitError`. */
  request (email: string, origin?: Origin): Promise<void>
  /**
   * Sets a new password by a token, once, and ends all sessions. A password that
   * is not acceptable leaves the token as it is. Throws
   * {@link InvalidResetTokenError}, `PasswordPolicyError`, `RateLimitError`.
   */
  reset (token: string, password: string, origin?: Origin): Promise<void>
}

/** What a reset is made with. */
export interface PasswordResetOptions {
  users: UserStore
  passwords: Passwords
  sessions: Sessions
  identities: IdentityStore
  tokens: OneTimeTokens
  attempts: Attempts
  events: AuthEventEmitter
  later: LaterTasks
  clock: Clock
  /** Seconds. */
  lifetime: number
}

const PURPOSE = 'reset'

/** Password reset over these stores. */
export function createPasswordReset (options: PasswordResetOptions): PasswordReset {
  const { users, identities, passwords, sessions, tokens, attempts, events, later, clock, lifetime } = options

  async function send (user: StoredUser): Promise<void> {
    const token = await tokens.issue(PURPOSE, { userId: user.id, binding: bindingOf(user) }, lifetime)
    await events.emit('password_reset_requested', { user: accountOf(user), token, expiresAt: new Date(clock() + lifetime * 1000) })
  }

  async function sendTo (email: string): Promise<void> {
    const user = await users.findByEmail(email)
    if (user?.isActive === true) await send(user)
  }

  async function userOf (token: string): Promise<StoredUser> {
    const bound = await tokens.read(PURPOSE, token)
    if (bound === undefined) throw new InvalidResetTokenError({ reason: 'unknown, used or expired' })
    const user = await users.findById(bound.userId as string)
    if (user === undefined || !user.isActive) throw new InvalidResetTokenError({ reason: 'user deactivated or deleted' })
    if (bound.binding !== bindingOf(user)) throw new InvalidResetTokenError({ reason: 'password or address changed since' })
    return user
  }

  // Until now nobody had shown whose address it is: a stranger may have made the
  // account, and linked one of his own to come back with.
  async function forgetIdentities (user: StoredUser): Promise<void> {
    const linked = await identities.list(user.id)
    await identities.deleteAll(user.id)
    for (const { provider, subject } of linked) await events.emit('oauth_account_unlinked', { user: accountOf(user), provider, accountId: subject })
  }

  return {
    async request (email, origin = {}) {
      const normal = normalizeEmail(email)
      await attempts.begin('password_reset_request', normal ?? email, origin)
      // Looked up after the answer: finding somebody takes longer than finding nobody.
      if (normal !== undefined) later.run(() => sendTo(normal))
    },

    async reset (token, password, origin = {}) {
      const attempt = await attempts.begin('password_reset', undefined, origin)
      const user = await userOf(token)
      await withPasswordCode('RESET_PASSWORD_INVALID_PASSWORD', passwords.check(password, namesOf(user), user.id))
      const passwordHash = await passwords.hash(password)
      if (!await tokens.use(PURPOSE, token)) throw new InvalidResetTokenError({ reason: 'used meanwhile' })
      const after = await users.update(user.id, { passwordHash, mustChangePassword: false, signedOutAt: clock(), updatedAt: clock() }, { passwordHash: user.passwordHash, email: user.email })
      if (typeof after === 'string') throw new InvalidResetTokenError({ reason: 'password or address changed meanwhile' })
      await sessions.endAll(user.id, 'password_changed')
      if (!user.isVerified) await forgetIdentities(after)
      await attempt.succeeded()
      // Whoever reads the owner's mail is no stranger: what others tried must not keep him out.
      await attempts.trust(after, origin)
      await events.emit('password_reset_completed', { user: accountOf(after) })
    }
  }
}

/** A token dies with the password, and with the address it was mailed to. */
function bindingOf ({ email, passwordHash }: StoredUser): string {
  return digest(`${passwordHash ?? ''} ${email}`)
}
