import { names } from '../../access.js'
import type { Clock } from '../../clock.js'
import type { User } from '../../context.js'
import { MfaSetupError, StepUpRequiredError } from '../../errors/authentication.js'
import type { Origin } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { StoredTotp, StoredUser } from '../../store/contract.js'
import { wrongPassword } from '../account/refusals.js'
import type { Attempts } from '../attempts.js'
import type { Proof } from '../provider.js'
import type { SecondFactor } from './second-factor.js'

/** A {@link Proof}, or a sign-in that is recent enough to do without. */
export interface TimedProof extends Proof {
  /** When the user signed in, in seconds since 1970: the claim `auth_time` of a verified token. */
  readonly auth_time?: number
  /** What was shown then (RFC 8176): the claim `amr`. */
  readonly amr?: readonly string[]
}

/** Checks that it is the user who asks. Throws `InvalidPasswordError`, `MfaSetupError` (wrong code), `StepUpRequiredError` (nothing was shown, and the sign-in is not recent, or was without the second factor that there is), `RateLimitError`. */
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

/** Seconds. */
const CLOCK_SKEW = 60

/** Proofs that a stolen access token does not give. */
export function createProof ({ passwords, secondFactor, attempts, recentSignIn, clock }: ProofOptions): Prove {
  async function provePassword (user: StoredUser, password: string, origin: Origin): Promise<void> {
    const attempt = await attempts.begin('password_change', user.id, origin)
    const { matches } = await passwords.verify(password, user.passwordHash)
    if (!matches) throw wrongPassword(user.id)
    await attempt.succeeded()
  }

  async function proveCode (user: StoredUser, totp: StoredTotp | undefined, code: string, origin: Origin): Promise<void> {
    const attempt = await attempts.begin('challenge', user.id, origin)
    const right = totp !== undefined && (await secondFactor.useTotp(totp, code) || await secondFactor.useRecoveryCode(totp, code, user))
    if (!right) throw new MfaSetupError({ reason: 'wrong_code' })
    await attempt.succeeded()
  }

  return async (user, { current_password: password, code, auth_time: authTime, amr = [] }, origin) => {
    const totp = await secondFactor.find(user.id)
    if (code !== undefined) return await proveCode(user, totp, code, origin)
    // The password, and a session that it opened before there was a second factor, must not take that away.
    if (totp !== undefined && !amr.includes('mfa')) throw new StepUpRequiredError({ maxAge: recentSignIn, acrValues: ['mfa'] })
    if (password !== undefined) return await provePassword(user, password, origin)
    const age = clock() / 1000 - (authTime ?? -Infinity)
    // Not from the future, but for clocks that differ: a time in other units would be recent for ever.
    if (!(age <= recentSignIn && age >= -CLOCK_SKEW)) throw new StepUpRequiredError({ maxAge: recentSignIn })
  }
}

/** A proof, and how and when its user signed in, of which the token knows. */
export function timed ({ claims }: User, proof: Proof): TimedProof {
  const { auth_time: authTime, amr } = claims as Record<string, unknown>
  return { ...proof, ...(typeof authTime === 'number' && { auth_time: authTime }), amr: names(amr) }
}
