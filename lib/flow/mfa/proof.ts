import type { Clock } from '../../clock.js'
import { MfaSetupError, StepUpRequiredError } from '../../errors/authentication.js'
import type { Origin } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { StoredUser } from '../../store/contract.js'
import { wrongPassword } from '../account/refusals.js'
import type { Attempts } from '../attempts.js'
import type { Proof } from '../provider.js'
import type { SecondFactor } from './second-factor.js'

/** A {@link Proof}, or a sign-in that is recent enough to do without. */
export interface TimedProof extends Proof {
  /** When the user signed in, in seconds since 1970: the claim `auth_time` of a verified token. */
  readonly auth_time?: number
}

/** Checks that it is the user who asks. Throws `InvalidPasswordError`, `MfaSetupError` (wrong code), `StepUpRequiredError` (nothing was shown, and the sign-in is not recent), `RateLimitError`. */
export type Prove = (user: StoredUser, proof: TimedProof, origin: Origin) => Promise<void>

/** What proofs are checked with. */
export interface ProofOptions {
  passwords: Passwords
  secondFactor: SecondFactor
  attempts: Attempts
  /** For how many seconds a sign-in is recent. */
  recentSignIn: number
  clock: Clock
}

/** Proofs that a stolen access token does not give. */
export function createProof ({ passwords, secondFactor, attempts, recentSignIn, clock }: ProofOptions): Prove {
  async function provePassword (user: StoredUser, password: string, origin: Origin): Promise<void> {
    const attempt = await attempts.begin('password_change', user.id, origin)
    const { matches } = await passwords.verify(password, user.passwordHash)
    if (!matches) throw wrongPassword(user.id)
    await attempt.succeeded()
  }

  async function proveCode (user: StoredUser, code: string, origin: Origin): Promise<void> {
    const attempt = await attempts.begin('challenge', user.id, origin)
    const totp = await secondFactor.find(user.id)
    const right = totp !== undefined && (await secondFactor.useTotp(totp, code) || await secondFactor.useRecoveryCode(totp, code))
    if (!right) throw new MfaSetupError({ reason: 'wrong_code' })
    await attempt.succeeded()
  }

  return async (user, { current_password: password, code, auth_time: authTime }, origin) => {
    if (password !== undefined) return await provePassword(user, password, origin)
    if (code !== undefined) return await proveCode(user, code, origin)
    const age = clock() / 1000 - (authTime ?? -Infinity)
    if (!(age <= recentSignIn)) throw new StepUpRequiredError({ maxAge: recentSignIn })
  }
}
