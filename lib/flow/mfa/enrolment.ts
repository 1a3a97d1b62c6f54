import { UserNotFoundError } from '../../errors/account.js'
import { MfaSetupError } from '../../errors/authentication.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { EphemeralStore, StoredUser, UserStore } from '../../store/contract.js'
import { accountOf } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import type { RecoveryCodes, TotpSecret } from '../provider.js'
import type { Prove, TimedProof } from './proof.js'
import type { SecondFactor } from './second-factor.js'

/** What a user has besides the password. */
export interface FactorStatus {
  readonly totp: boolean
  readonly recovery_codes_left: number
}

/** Second factors of users, set up and taken away. */
export interface Mfa {
  /** Throws `UserNotFoundError`. */
  status (userId: string): Promise<FactorStatus>
  /**
   * A secret for an authenticator application; it counts once a code of it was
   * confirmed, within ten minutes. Throws `MfaSetupError` (there is a second
   * factor already), and what proofs are refused with: `StepUpRequiredError`,
   * `InvalidPasswordError`, `RateLimitError`.
   */
  setUp (userId: string, proof: TimedProof, origin?: Origin): Promise<TotpSecret>
  /** Makes the secret count, and gives recovery codes. Throws `MfaSetupError` (wrong code, or nothing set up), `RateLimitError`. */
  confirm (userId: string, code: string, origin?: Origin): Promise<RecoveryCodes>
  /** Takes the second factor away. Throws `MfaSetupError` (there is none, or a wrong code), and as {@link Mfa.setUp}. */
  disable (userId: string, proof: TimedProof, origin?: Origin): Promise<void>
  /** New recovery codes; the old ones work no more. Throws as {@link Mfa.disable}. */
  replaceRecoveryCodes (userId: string, proof: TimedProof, origin?: Origin): Promise<RecoveryCodes>
  /** Takes the second factor of a user away who has lost everything: for administrators. Throws `UserNotFoundError`, `MfaSetupError` (there is none). */
  reset (userId: string): Promise<void>
}

/** What enrolment is made with. */
export interface MfaOptions {
  users: UserStore
  ephemeral: EphemeralStore
  secondFactor: SecondFactor
  prove: Prove
  attempts: Attempts
  events: AuthEventEmitter
  /** Told of what failed when a second factor counted already. */
  report: (error: unknown) => void
}

/** How long a secret waits for its first code, in milliseconds. */
const WAITS_FOR = 600_000

/** Enrolment of second factors over these stores. */
export function createMfa ({ users, ephemeral, secondFactor, prove, attempts, events, report }: MfaOptions): Mfa {
  async function get (userId: string): Promise<StoredUser> {
    const user = await users.findById(userId)
    if (user === undefined) throw new UserNotFoundError({ userId })
    return user
  }

  async function remove (user: StoredUser): Promise<void> {
    if (!await secondFactor.remove(user.id)) throw notEnrolled()
    await events.emit('mfa_disabled', { user: accountOf(user) })
  }

  return {
    async status (userId) {
      const totp = await secondFactor.find((await get(userId)).id)
      return { totp: totp !== undefined, recovery_codes_left: totp?.recoveryCodes.length ?? 0 }
    },

    async setUp (userId, proof, origin = {}) {
      const user = await get(userId)
      if (await secondFactor.find(userId) !== undefined) throw new MfaSetupError({ reason: 'enrolled_already' })
      await prove(user, proof, origin)
      const { shown, sealed } = secondFactor.prepare(user)
      await ephemeral.set(pendingKey(userId), sealed, WAITS_FOR)
      return shown
    },

    async confirm (userId, code, origin = {}) {
      const user = await get(userId)
      const attempt = await attempts.begin('challenge', userId, origin)
      const sealed = await ephemeral.get(pendingKey(userId))
      if (sealed === undefined) throw new MfaSetupError({ reason: 'nothing_set_up' })
      const codes = await secondFactor.enrol(userId, sealed, code)
      if (codes === undefined) throw new MfaSetupError({ reason: 'wrong_code' })
      // It counts already: the codes must be told, whatever else fails.
      await ephemeral.delete(pendingKey(userId)).catch(report)
      await attempt.succeeded()
      await events.emit('mfa_enabled', { user: accountOf(user) }).catch(report)
      return { recovery_codes: codes }
    },

    async disable (userId, proof, origin = {}) {
      const user = await get(userId)
      if (await secondFactor.find(userId) === undefined) throw notEnrolled()
      await prove(user, proof, origin)
      await remove(user)
    },

    async replaceRecoveryCodes (userId, proof, origin = {}) {
      const user = await get(userId)
      await prove(user, proof, origin)
      // Found only now: the proof may have been one of the codes.
      const totp = await secondFactor.find(userId)
      const codes = totp && await secondFactor.replaceRecoveryCodes(totp)
      if (codes === undefined) throw notEnrolled()
      await events.emit('recovery_codes_replaced', { user: accountOf(user) })
      return { recovery_codes: codes }
    },

    reset: async (userId) => await remove(await get(userId))
  }
}

function pendingKey (userId: string): string {
  return `mfa_setup:${userId}`
}

function notEnrolled (): MfaSetupError {
  return new MfaSetupError({ reason: 'not_enrolled' })
}
