import type { Clock } from '../../clock.js'
import { PasswordPolicyError } from '../../errors/account.js'
import { OnboardingSessionInvalidError, OnboardingStepError } from '../../errors/onboarding.js'
import { ConfigurationError } from '../../errors/operation.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { StoredUser, UserStore } from '../../store/contract.js'
import { accountOf } from '../../user/account.js'
import type { UserMaker } from '../account/new-user.js'
import type { Verification } from '../account/verification.js'
import type { Attempts } from '../attempts.js'
import type { SecondFactor } from '../mfa/second-factor.js'
import { bindingOf } from '../session/completion.js'
import type { SessionRecord, SessionUser } from './sessions.js'
import type { StepAccount } from './step.js'

/** What steps work on accounts with. */
export interface StepAccountOptions {
  users: UserStore
  passwords: Passwords
  makeUser: UserMaker
  secondFactor: SecondFactor
  verification: Pick<Verification, 'confirm'>
  attempts: Attempts
  events: AuthEventEmitter
  clock: Clock
  concealExistingUsers: boolean
  /** Told of what failed when a second factor counted already. */
  report: (error: unknown) => void
}

/** What a step has found out or brought about: it holds whatever becomes of the step. */
export interface Facts {
  emailVerified: boolean
  user?: SessionUser
}

/** A step at work. */
export interface StepAtWork {
  readonly step: string
  readonly record: SessionRecord
  readonly origin: Origin
  readonly facts: Facts
  /** The user of the session, from the moment when there is one. */
  user: StoredUser | undefined
}

const CODE = 'REGISTER_INVALID_PASSWORD'

/** Accounts, as the steps of one session reach them: no step gets at a user that another session made. */
export function createStepAccounts (options: StepAccountOptions): (atWork: StepAtWork) => StepAccount {
  const { users, passwords, secondFactor, verification, attempts, events, clock } = options
  const make = userMaking(options)

  async function tell (stored: StoredUser): Promise<void> {
    const user = accountOf(stored)
    await events.emit('user_created', { user })
    if (user.is_verified) await events.emit('verification_completed', { user })
  }

  /** It counts, and the recovery codes were never told: whoever has the application gets others. */
  async function enrolledBefore (userId: string, code: string): Promise<readonly string[] | undefined> {
    const totp = await secondFactor.find(userId)
    return totp !== undefined && await secondFactor.useTotp(totp, code) ? await secondFactor.replaceRecoveryCodes(totp) : undefined
  }

  return (atWork) => {
    const { step, record, origin, facts } = atWork
    const { id: sessionId, email } = record
    function known (): StoredUser {
      if (atWork.user !== undefined) return atWork.user
      throw new ConfigurationError({ option: 'onboarding.steps', message: `The step ${step} works on a user, and no step before it has made one. Put registerStep() before it.` })
    }

    return {
      async create ({ password, username = null }) {
        await attempts.begin('register', email, origin)
        const { user: before } = atWork
        const own = before ?? await users.findById(record.userId)
        // Made by this session, and the answer was lost: whoever gives the password again goes on.
        if (own !== undefined && !(await passwords.verify(password, own.passwordHash)).matches) throw refused(step, ['The account was made with another password: give that one'])
        const user = own ?? await make(step, { email, password, username, is_verified: facts.emailVerified }, record.userId)
        atWork.user = user
        facts.user = { binding: bindingOf(user.passwordHash), amr: facts.user?.amr ?? ['pwd'], shownAt: clock() }
        if (before === undefined) await tell(user)
        return accountOf(user)
      },

      async beginSend () {
        await attempts.begin('verify_request', email, origin)
      },

      async sendCode (code, expiresAt) {
        await events.emit('onboarding_code_requested', { sessionId, email, code, expiresAt: new Date(expiresAt) })
      },

      async confirmEmail () {
        facts.emailVerified = true
        if (atWork.user !== undefined && await verification.confirm(atWork.user.id, email) === undefined) throw new OnboardingSessionInvalidError({ reason: 'Session is not usable', message: 'The address is not the user\'s any more' })
      },

      beginGuess: async () => await attempts.begin('challenge', atWork.user?.id ?? `onboarding:${email}`, origin),

      prepareTotp: () => secondFactor.prepare(known()),

      async enrolTotp (sealed, code) {
        const user = known()
        const codes = await secondFactor.enrol(user.id, sealed, code) ?? await enrolledBefore(user.id, code)
        if (codes === undefined) return undefined
        facts.user = withFactor(facts.user as SessionUser, clock())
        await events.emit('mfa_enabled', { user: accountOf(user) }).catch(options.report)
        return codes
      },

      async acceptTerms (version, acceptedAt) {
        await events.emit('terms_accepted', { sessionId, email, user: atWork.user && accountOf(atWork.user), version, acceptedAt })
      }
    }
  }
}

function userMaking ({ makeUser, concealExistingUsers }: StepAccountOptions) {
  return async (step: string, account: { email: string, password: string, username: string | null, is_verified: boolean }, id: string): Promise<StoredUser> => {
    if (concealExistingUsers && !account.is_verified) {
      throw new ConfigurationError({ option: 'onboarding.steps', message: 'With concealExistingUsers only whoever has shown that the address is his learns whether it is taken. Put verifyEmailStep() before registerStep().' })
    }
    try {
      return await makeUser(account, CODE, id)
    } catch (error) {
      if (error instanceof PasswordPolicyError) throw refused(step, error.errors as readonly string[], error)
      throw error
    }
  }
}

function withFactor ({ binding, amr }: SessionUser, shownAt: number): SessionUser {
  return { binding, amr: [...new Set([...amr, 'otp', 'mfa'])], shownAt }
}

function refused (stepName: string, errors: readonly string[], cause?: unknown): OnboardingStepError {
  return new OnboardingStepError({ stepName, errors, cause })
}
