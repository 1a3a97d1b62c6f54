import { isDeepStrictEqual } from 'node:util'
import { OnboardingStepError } from '../../errors/onboarding.js'
import type { AuthEventEmitter } from '../../events.js'
import { accountOf } from '../../user/account.js'
import type { Facts, StepAtWork } from './account.js'
import { busy, type Claims } from './claims.js'
import type { DueStep, OpenFlow } from './flow.js'
import { stepDigest, type OnboardingSessions, type OpenSession } from './sessions.js'
import type { FlowView, JsonObject, StepAccount, StepContext, StepOutcome } from './step.js'

/** What steps are run with. */
export interface StepRunOptions {
  sessions: OnboardingSessions
  claims: Claims
  accountOf: (atWork: StepAtWork) => StepAccount
  events: AuthEventEmitter
  /** Told of what failed when a step was done. */
  report: (error: unknown) => void
}

/** Runs the step that is due, once: the session as it is then, and what the person is to see. */
export type StepRun = (flow: OpenFlow, due: DueStep, data: unknown) => Promise<{ session: OpenSession, shown: JsonObject | undefined }>

/** The run of steps: claimed, done, stored. Whatever fails before it is stored leaves the session at this step. */
export function createStepRun ({ sessions, claims, accountOf: accountFor, events, report }: StepRunOptions): StepRun {
  function contextOf (view: FlowView, { token, record }: OpenSession, atWork: StepAtWork): StepContext {
    return {
      ...view,
      account: accountFor(atWork),
      digest: (text) => stepDigest(token, atWork.step, text),
      count: async (what, max) => await sessions.count(record, `${atWork.step}:${what}`, max)
    }
  }

  return async (flow, { step }, data) => {
    const { name } = step
    const { emailVerified, user } = flow.session.record
    const facts: Facts = { emailVerified, ...(user !== undefined && { user }) }
    const claimed = await claims.take(flow.session, name)
    const atWork: StepAtWork = { step: name, record: claimed.record, origin: flow.origin, facts, user: flow.user }
    const { id: sessionId, email } = claimed.record
    const failed = async (errors: readonly string[]): Promise<void> => await events.emit('onboarding_step_failed', { sessionId, email, step: name, errors })

    let outcome: StepOutcome
    try {
      outcome = checked(name, await step.execute(contextOf(flow.view, claimed, atWork), structuredClone(data)))
    } catch (error) {
      // What cannot be stored now is found out again: the claim lapses by itself.
      await sessions.change(claimed, { ...facts, claim: undefined }).catch(report)
      if (error instanceof OnboardingStepError) await failed(error.errors)
      throw error
    }

    const session = await sessions.change(claimed, { ...facts, ...changesOf(claimed, name, outcome), claim: undefined })
    // Too slow: another request has the claim, and runs the step once more.
    if (session === undefined) throw busy(name)
    if (outcome.errors !== undefined) {
      await failed(outcome.errors)
      throw new OnboardingStepError({ stepName: name, errors: outcome.errors })
    }
    // Done is done: what is to be seen must be, whatever a listener says.
    if (outcome.done !== false) await events.emit('onboarding_step_completed', { sessionId, email, step: name, user: atWork.user && accountOf(atWork.user) }).catch(report)
    return { session, shown: outcome.show }
  }
}

function changesOf ({ record: { data, completed, skipped } }: OpenSession, name: string, { done, data: kept, errors, end }: StepOutcome) {
  return {
    ...(kept !== undefined && { data: { ...data, [name]: kept } }),
    ...(errors === undefined && done !== false && { completed: [...completed, name], skipped: skipped.filter((other) => other !== name) }),
    ...(errors !== undefined && end === true && { ended: true })
  }
}

const KEYS: Record<keyof StepOutcome, true> = { done: true, data: true, show: true, errors: true, end: true }

/** An outcome that nobody can have meant otherwise: a step that answers with anything else, such as `false`, is not done. */
function checked (name: string, outcome: unknown): StepOutcome {
  if (outcome === undefined) return {}
  const isOutcome = typeof outcome === 'object' && outcome !== null && Object.keys(outcome).every((key) => Object.hasOwn(KEYS, key))
  const { done, errors, data, show } = isOutcome ? outcome as StepOutcome : {}
  const isWhole = (done === undefined || typeof done === 'boolean') && (errors === undefined || Array.isArray(errors)) && [data, show].every((part) => part === undefined || isJsonObject(part))
  if (!isOutcome || !isWhole) throw new TypeError(`execute() of the step ${name} must answer with nothing, or with { done, data, show, errors, end }, of which data and show are objects of JSON`)
  return outcome as StepOutcome
}

/** Whether it comes out of a store, and out of an answer, as it went in. */
function isJsonObject (value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  try {
    return isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value)
  } catch {
    return false
  }
}
