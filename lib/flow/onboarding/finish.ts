import type { Clock } from '../../clock.js'
import { AccountUnavailableError } from '../../errors/authentication.js'
import { OnboardingSessionInvalidError } from '../../errors/onboarding.js'
import type { AuthEventEmitter } from '../../events.js'
import type { StoredUser, UserStore } from '../../store/contract.js'
import { unavailability } from '../../user/account.js'
import { loginAccount, type Attempts } from '../attempts.js'
import type { OrChallenge, SignInAnswer } from '../login.js'
import { bindingOf, type Completion, type Progress } from '../session/completion.js'
import type { Sessions } from '../session/sessions.js'
import { busy, type Claims } from './claims.js'
import type { OpenFlow } from './flow.js'
import type { OnboardingSessions, OpenSession, SessionUser } from './sessions.js'

/** What flows are ended with. */
export interface FinishOptions {
  users: UserStore
  onboarding: Pick<OnboardingSessions, 'change'>
  claims: Claims
  completion: Completion
  orChallenge: OrChallenge
  /** Sessions of users. */
  sessions: Pick<Sessions, 'end' | 'sessionOf'>
  attempts: Attempts
  events: AuthEventEmitter
  clock: Clock
  requireVerified: boolean
  report: (error: unknown) => void
}

/** Ends a flow of which no step is left: tokens or a challenge for the user it made, nothing where it made none. */
export type Finish = (flow: OpenFlow) => Promise<SignInAnswer | undefined>

/** The end of flows: a sign-in like any other, once. */
export function createFinish (options: FinishOptions): Finish {
  const { users, onboarding, claims, completion, orChallenge, sessions, attempts, events, clock, requireVerified, report } = options

  /** As with a password that was right. Throws `AccountUnavailableError` for whoever could not sign in. */
  async function signIn (user: StoredUser, { binding, amr, shownAt }: SessionUser, { origin, session: { record: { emailVerified } } }: OpenFlow): Promise<SignInAnswer> {
    const reason = unavailability(user, requireVerified)
    if (reason !== undefined) throw new AccountUnavailableError({ userId: user.id, reason })
    const account = loginAccount('email', user.email)
    // Whoever reads the owner's mail is no stranger: what others tried must not keep him out.
    if (emailVerified) await attempts.trust(user, origin)
    await attempts.begin('login', account, origin)
    const progress: Progress = { userId: user.id, binding, amr, account, origin, shownAt }
    const stillRight = async (): Promise<StoredUser | undefined> => {
      const now = await users.findById(user.id)
      return now !== undefined && unavailability(now, requireVerified) === undefined && bindingOf(now.passwordHash) === binding ? now : undefined
    }
    return await orChallenge(async () => {
      const tokens = await completion.complete(user, progress, stillRight)
      if (tokens === undefined) throw new OnboardingSessionInvalidError({ reason: 'Session is not usable', message: 'The user has changed meanwhile' })
      return tokens
    })
  }

  /** Marks the flow as complete; where that cannot be, the tokens are nobody's. */
  async function seal (claimed: OpenSession, last: string, given: SignInAnswer | undefined): Promise<void> {
    let marked: OpenSession | undefined
    try {
      marked = await onboarding.change(claimed, { claim: undefined, completedAt: clock() })
      if (marked === undefined) throw busy(last)
    } finally {
      if (marked === undefined && given !== undefined && 'refresh_token' in given) await sessions.end(sessions.sessionOf(given.refresh_token), 'ended').catch(report)
    }
  }

  return async (flow) => {
    const { session, user, view } = flow
    const { id: sessionId, email, steps, user: made } = session.record
    const last = steps.at(-1) as string
    const claimed = await claims.take(session, last)
    let given: SignInAnswer | undefined
    try {
      if (user !== undefined && made !== undefined) given = await signIn(user, made, flow)
    } catch (error) {
      await onboarding.change(claimed, { claim: undefined }).catch(report)
      throw error
    }
    await seal(claimed, last, given)
    // The tokens must be told, whatever a listener says.
    await events.emit('onboarding_completed', { sessionId, email, user: view.user }).catch(report)
    return given
  }
}
