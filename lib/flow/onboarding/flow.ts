import { AuthError } from '../../errors/auth-error.js'
import { OnboardingSessionInvalidError } from '../../errors/onboarding.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { Origin } from '../../events.js'
import type { StoredUser } from '../../store/contract.js'
import type { DataCheck } from './data.js'
import { fieldsOf } from './fields.js'
import type { OpenSession, SessionRecord } from './sessions.js'
import type { FlowView, OnboardingStep, StepField } from './step.js'

/** A step, and the check of its data. */
export interface PreparedStep {
  readonly step: OnboardingStep
  readonly check: DataCheck
}

/** The step that is due. */
export interface DueStep extends PreparedStep {
  readonly required: boolean
}

/** A session, with all that belongs to it. */
export interface OpenFlow {
  readonly session: OpenSession
  readonly steps: readonly PreparedStep[]
  readonly user: StoredUser | undefined
  readonly view: FlowView
  readonly origin: Origin
}

/** What a client needs to go on. */
export interface OnboardingHint {
  readonly title: string
  readonly description?: string
  readonly fields: readonly StepField[]
  readonly skippable: boolean
}

/** The steps of a session, as they were named at its start. Throws `OnboardingSessionInvalidError` where one is not there any more. */
export function stepsOf ({ steps }: SessionRecord, known: ReadonlyMap<string, PreparedStep>): readonly PreparedStep[] {
  return steps.map((name) => {
    const prepared = known.get(name)
    if (prepared === undefined) throw new OnboardingSessionInvalidError({ reason: 'Session is not usable', message: `The session has a step that there is not: ${name}` })
    return prepared
  })
}

/**
 * The first step that is left; undefined when there is none. What was skipped
 * comes back when it must be done by now: what later steps told may decide that.
 */
export async function dueStep (steps: readonly PreparedStep[], { completed, skipped }: SessionRecord, view: FlowView): Promise<DueStep | undefined> {
  for (const prepared of steps) {
    const { name } = prepared.step
    if (completed.includes(name)) continue
    const required = await isRequired(prepared.step, view)
    if (required || !skipped.includes(name)) return { ...prepared, required }
  }
  return undefined
}

async function isRequired (step: OnboardingStep, view: FlowView): Promise<boolean> {
  if (step.isRequired === undefined) return true
  try {
    // Only `false` itself: what somebody forgot to return must not let anybody past.
    return await step.isRequired(view) !== false
  } catch (cause) {
    if (cause instanceof AuthError) throw cause
    throw new AuthUnavailableError({ dependency: `onboarding.${step.name}`, message: `isRequired() of the step ${step.name} failed`, cause })
  }
}

/** What the client is told of the step that is due. */
export function hintOf ({ step, required }: DueStep, view: FlowView): OnboardingHint {
  const { title, description, fields = fieldsOf(step.schema) } = typeof step.hint === 'function' ? step.hint(view) : step.hint
  return { title, ...(description !== undefined && { description }), fields, skippable: !required }
}
