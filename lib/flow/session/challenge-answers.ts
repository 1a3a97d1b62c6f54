import type { Clock } from '../../clock.js'
import { InvalidChallengeError } from '../../errors/authentication.js'
import { PasswordPolicyError } from '../../errors/account.js'
import type { AuthEventEmitter } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { IdentityStore, StoredUser, UserStore } from '../../store/contract.js'
import { accountOf, namesOf, unavailability } from '../../user/account.js'
import { fits } from '../login.js'
import type { SecondFactor } from '../mfa/second-factor.js'
import type { ChallengeAnswer, ChallengeContext, IdentityProvider, RecoveryCodes } from '../provider.js'
import { bindingOf, required, type Completion, type Progress } from './completion.js'
import type { Sessions, Tokens } from './sessions.js'

/** What answers to challenges are looked at with. */
export interface ChallengeAnswersOptions {
  users: UserStore
  identities: IdentityStore
  passwords: Passwords
  sessions: Sessions
  secondFactor: SecondFactor
  completion: Completion
  events: AuthEventEmitter
  clock: Clock
  requireVerified: boolean
  /** Told of what failed when a second factor counted already. */
  report: (error: unknown) => void
}

/** What a right answer leads to: more was shown, and perhaps codes that are to be told. */
type Advance = Progress & { readonly codes?: readonly string[] }

/** Answers to the challenges of {@link Completion}. */
export function createChallengeAnswers (options: ChallengeAnswersOptions): IdentityProvider['respond'] {
  const { users, identities, passwords, sessions, secondFactor, completion, events, clock, requireVerified, report } = options

  /** The user of a sign-in that is right still. */
  async function find ({ userId, binding, identity }: Progress): Promise<StoredUser | undefined> {
    if (identity !== undefined && (await identities.find(...identity))?.userId !== userId) return undefined
    const user = await users.findById(userId)
    return user !== undefined && unavailability(user, requireVerified) === undefined && bindingOf(user.passwordHash) === binding ? user : undefined
  }

  async function secondFactorUsed (user: StoredUser, progress: Progress, byApplication: boolean, code: string, { claim }: ChallengeContext): Promise<Advance> {
    const totp = await secondFactor.find(user.id)
    if (totp === undefined || !await (byApplication ? secondFactor.useTotp(totp, code) : secondFactor.useRecoveryCode(totp, code, user))) throw wrong('wrong_code')
    await claim()
    return { ...progress, amr: [...progress.amr, ...byApplication ? ['otp'] : [], 'mfa'] }
  }

  async function enrolled (user: StoredUser, progress: Progress, code: string, { claim }: ChallengeContext): Promise<Advance> {
    // Each challenge of this name has one.
    const codes = await secondFactor.enrol(user.id, progress.sealed as string, code)
    if (codes === undefined) throw wrong('wrong_code')
    await claim()
    // It counts already: the codes must be told, whatever a listener says.
    await events.emit('mfa_enabled', { user: accountOf(user) }).catch(report)
    return { ...progress, amr: [...progress.amr, 'otp', 'mfa'], codes }
  }

  async function passwordSet (user: StoredUser, progress: Progress, password: string, { claim }: ChallengeContext): Promise<Advance> {
    await passwords.check(password, namesOf(user), user.id)
    if ((await passwords.verify(password, user.passwordHash)).matches) {
      throw new PasswordPolicyError({ errors: ['Password must be another one than before'], userId: user.id })
    }
    const passwordHash = await passwords.hash(password)
    await claim()
    const after = await users.update(user.id, { passwordHash, mustChangePassword: false, signedOutAt: clock(), updatedAt: clock() }, { passwordHash: user.passwordHash })
    if (typeof after === 'string') throw wrong('changed_meanwhile')
    await sessions.endAll(user.id, 'password_changed')
    await events.emit('password_changed', { user: accountOf(after) })
    return { ...progress, binding: bindingOf(passwordHash) }
  }

  /** What an answer to the challenge that is asked leads to. */
  async function advance (user: StoredUser, progress: Progress, answer: ChallengeAnswer, context: ChallengeContext): Promise<Advance> {
    if (answer.challenge_name === 'NEW_PASSWORD_REQUIRED') return await passwordSet(user, progress, answer.new_password, context)
    if (answer.challenge_name === 'SELECT_MFA_TYPE') {
      await context.claim()
      throw required(answer.mfa_type, progress, { mfa_types: [answer.mfa_type] })
    }
    if (answer.challenge_name === 'MFA_SETUP') return await enrolled(user, progress, answer.code, context)
    return await secondFactorUsed(user, progress, answer.challenge_name === 'MFA_TOTP', answer.code, context)
  }

  return async (session, answer, context) => {
    const progress: Progress = JSON.parse(session)
    const user = await find(progress)
    if (user === undefined) throw wrong('changed_meanwhile')
    const asked = await completion.next(user, progress.amr)
    // Not only what was asked for when the challenge was made: what is asked for now.
    if (asked === undefined || !fits(answer, asked.name, asked.types)) throw wrong('other_challenge')
    const { codes, ...shown } = await advance(user, progress, answer, context)
    const now = await find(shown)
    const tokens = now && await completion.complete(now, shown, () => find(shown))
    if (tokens === undefined) throw wrong('changed_meanwhile')
    return codes === undefined ? tokens : { ...tokens, recovery_codes: codes } satisfies Tokens & RecoveryCodes
  }
}

function wrong (reason: string): InvalidChallengeError {
  return new InvalidChallengeError({ reason })
}
