import { AccountUnavailableError } from '../../errors/authentication.js'
import { OnboardingFlowCompleteError, OnboardingSessionExpiredError, OnboardingSessionInvalidError, OnboardingStepError } from '../../errors/onboarding.js'
import type { Origin } from '../../events.js'
import type { StoredUser } from '../../store/contract.js'
import { accountOf, normalizeEmail } from '../../user/account.js'
import { bindingOf } from '../session/completion.js'
import { createStepAccounts, type StepAccountOptions } from './account.js'
import { completeOf, progressOf, type OnboardingAnswer, type OnboardingProgress, type OnboardingStarted } from './answers.js'
import { busy, createClaims } from './claims.js'
import { createFinish, type FinishOptions } from './finish.js'
import { dueStep, stepsOf, type DueStep, type OpenFlow, type PreparedStep } from './flow.js'
import { createStepRun } from './run.js'
import { createOnboardingSessions, type OnboardingSessionsOptions, type OpenSession } from './sessions.js'
import type { FlowView, JsonObject } from './step.js'

/** What a call of {@link Onboarding} may say besides. */
export interface OnboardingCall {
  /** The step that is meant; refused where another one is due, as after a double click. */
  readonly step?: string
  readonly origin?: Origin
}

/** Onboarding: flows of steps, each under a session of its own. */
export interface Onboarding {
  /**
   * Starts a flow for an address; whether it is anybody's, nobody learns. Older
   * sessions of the address are over, unless `invalidatePrevious` is false.
   * Throws `RateLimitError`, and `TypeError` for what is no address.
   */
  start (person: { readonly email: string }, origin?: Origin): Promise<OnboardingStarted>
  /**
   * Gives the step that is due its data, and goes on: the next step, or at the end
   * tokens, or a challenge as a sign-in has it. Where no step is left and there
   * are no tokens yet, `data` is not looked at. Throws {@link OnboardingSessionInvalidError},
   * {@link OnboardingFlowCompleteError}, {@link OnboardingSessionExpiredError}, {@link OnboardingStepError} (the step
   * stays), {@link AccountUnavailableError}, `RateLimitError`, and what steps throw, such as `UserAlreadyExistsError`.
   */
  advance (token: string, data?: object, call?: OnboardingCall): Promise<OnboardingAnswer>
  /** Goes past a step that need not be done. Throws as {@link Onboarding.advance}. */
  skip (token: string, call?: OnboardingCall): Promise<OnboardingAnswer>
  /** Where the flow stands; nothing is done. Throws as {@link Onboarding.advance}, but no {@link OnboardingStepError}. */
  resume (token: string): Promise<OnboardingProgress>
}

/** The flow, and how its sessions are kept. */
export interface OnboardingSettings {
  readonly steps: ReadonlyMap<string, PreparedStep>
  /** Seconds. */
  readonly lifetime: number
  readonly invalidatePrevious: boolean
}

/** What onboarding is made with. */
export interface OnboardingEngineOptions extends StepAccountOptions, OnboardingSessionsOptions, Omit<FinishOptions, 'onboarding' | 'claims'>, OnboardingSettings {}

/** Onboarding over these stores. */
export function createOnboarding (options: OnboardingEngineOptions): Onboarding {
  const { users, attempts, events, clock, steps: known, invalidatePrevious, report } = options
  const sessions = createOnboardingSessions(options)
  const claims = createClaims(sessions, clock)
  const finish = createFinish({ ...options, onboarding: sessions, claims })
  const run = createStepRun({ sessions, claims, accountOf: createStepAccounts(options), events, report })

  /** What can be gone on with. Checked in this order: there, the newest, not complete, not too old. */
  async function open (token: string): Promise<OpenSession> {
    const session = await sessions.read(token)
    if (session === undefined) throw new OnboardingSessionInvalidError({ reason: 'Session not found' })
    const { ended, completedAt } = session.record
    await refuseOlder(session)
    if (ended === true) throw new OnboardingSessionInvalidError({ reason: 'Session is not usable' })
    if (completedAt !== undefined) throw new OnboardingFlowCompleteError()
    await refuseLapsed(session)
    return session
  }

  async function refuseLapsed ({ record: { id: sessionId, email, expiresAt } }: OpenSession): Promise<void> {
    if (expiresAt > clock()) return
    await events.emit('onboarding_session_expired', { sessionId, email })
    throw new OnboardingSessionExpiredError({ sessionId })
  }

  async function refuseOlder ({ record }: OpenSession): Promise<void> {
    if (invalidatePrevious && !await sessions.isNewest(record)) throw new OnboardingSessionInvalidError({ reason: 'Session has been invalidated' })
  }

  /** The user that the session made, if it still has a right to him: a password that was changed takes it away. */
  async function userOf ({ record: { user, userId } }: OpenSession): Promise<StoredUser | undefined> {
    if (user === undefined) return undefined
    const found = await users.findById(userId)
    if (found === undefined || bindingOf(found.passwordHash) !== user.binding) throw new OnboardingSessionInvalidError({ reason: 'Session is not usable', message: 'The user is gone, or has another password' })
    if (!found.isActive) throw new AccountUnavailableError({ userId, reason: 'deactivated' })
    return found
  }

  async function flowOf (session: OpenSession, origin: Origin): Promise<OpenFlow> {
    const steps = stepsOf(session.record, known)
    const user = await userOf(session)
    const { id: sessionId, email, emailVerified, data } = session.record
    const view: FlowView = {
      sessionId,
      email,
      emailVerified,
      user: user && accountOf(user),
      data: Object.freeze(Object.assign(Object.create(null), structuredClone(data))),
      now: clock(),
      origin
    }
    return { session, steps, user, view, origin }
  }

  const due = async ({ steps, session, view }: OpenFlow): Promise<DueStep | undefined> => await dueStep(steps, session.record, view)

  /** The session as it is now: its next step, or its end. */
  async function goOn (flow: OpenFlow, shown?: JsonObject): Promise<OnboardingAnswer> {
    const next = await due(flow)
    if (next !== undefined) return progressOf(flow, next, clock(), shown)
    // A step may have taken long.
    await refuseOlder(flow.session)
    await refuseLapsed(flow.session)
    return completeOf(flow, await finish(flow), shown)
  }

  /** The same after a step. `shown` is for the person, and is told whatever happens now. */
  async function goOnAfter (session: OpenSession, { origin }: OpenFlow, shown: JsonObject | undefined): Promise<OnboardingAnswer> {
    try {
      return await goOn(await flowOf(session, origin), shown)
    } catch (error) {
      if (shown === undefined) throw error
      // The next call meets it again, and has nothing to lose.
      report(error)
      return progressOf({ session }, undefined, clock(), shown)
    }
  }

  async function refuse ({ session: { record } }: OpenFlow, step: string, errors: readonly string[]): Promise<never> {
    await events.emit('onboarding_step_failed', { sessionId: record.id, email: record.email, step, errors })
    throw new OnboardingStepError({ stepName: step, errors })
  }

  /** The flow, and the step that is due if it is the one that is meant; undefined where none is left. */
  async function expected (token: string, { step: meant, origin = {} }: OnboardingCall): Promise<{ flow: OpenFlow, current: DueStep | undefined }> {
    const flow = await flowOf(await open(token), origin)
    const current = await due(flow)
    const name = current?.step.name
    if (name !== undefined && meant !== undefined && name !== meant) throw new OnboardingStepError({ stepName: name, errors: ['Another step is due'] })
    return { flow, current }
  }

  return {
    async start (person, origin = {}) {
      const given: unknown = (person as { email?: unknown } | undefined)?.email
      const email = typeof given === 'string' ? normalizeEmail(given) : undefined
      if (email === undefined) throw new TypeError('email is no e-mail address')
      await attempts.begin('onboarding', email, origin)
      const steps = [...known.keys()]
      const session = await sessions.start(email, steps)
      await events.emit('onboarding_started', { sessionId: session.record.id, email, steps, origin })
      const flow = await flowOf(session, origin)
      return { session: session.token, ...progressOf(flow, await due(flow), clock()) }
    },

    async advance (token, data = {}, call = {}) {
      const { flow, current } = await expected(token, call)
      if (current === undefined) return await goOn(flow)
      const problem = current.check(data)
      if (problem !== undefined) return await refuse(flow, current.step.name, [problem])
      const { session, shown } = await run(flow, current, data)
      return await goOnAfter(session, flow, shown)
    },

    async skip (token, call = {}) {
      const { flow, current } = await expected(token, call)
      if (current === undefined) return await goOn(flow)
      const { step: { name }, required } = current
      if (required) return await refuse(flow, name, ['This step cannot be skipped'])
      claims.refuseBusy(flow.session, name)
      const { record: { id: sessionId, email, skipped } } = flow.session
      const session = await sessions.change(flow.session, { skipped: [...skipped, name] })
      if (session === undefined) throw busy(name)
      // It is stored: a client that is told of a fault would skip the next step as well.
      await events.emit('onboarding_step_skipped', { sessionId, email, step: name, user: flow.view.user }).catch(report)
      return await goOn(await flowOf(session, flow.origin))
    },

    async resume (token) {
      const flow = await flowOf(await open(token), {})
      return progressOf(flow, await due(flow), clock())
    }
  }
}
