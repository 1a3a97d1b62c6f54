import type { SignInAnswer } from '../login.js'
import { hintOf, type DueStep, type OnboardingHint, type OpenFlow } from './flow.js'
import type { JsonObject } from './step.js'

/** How far a flow is. */
interface Standing {
  readonly completed_steps: readonly string[]
  readonly skipped_steps: readonly string[]
  /** For the person, in this answer alone, such as a secret to scan. */
  readonly shown?: JsonObject
}

/** A flow under way. */
export interface OnboardingProgress extends Standing {
  readonly status: 'in_progress'
  /** Null where no step is left and the tokens are still to be given: advance once more. */
  readonly current_step: string | null
  readonly hint: OnboardingHint | null
  /** The current one first. */
  readonly remaining_steps: readonly string[]
  /** Seconds that the session has left. */
  readonly expires_in: number
}

/** A flow that has begun. `session` is the token that the other calls take: secret. */
export interface OnboardingStarted extends OnboardingProgress {
  readonly session: string
}

/** A flow that is over. With a user it has tokens, or a challenge; without, neither. */
export interface OnboardingComplete extends Standing {
  readonly status: 'complete'
}

/** What comes of a step: `'challenge_name' in answer` and `'access_token' in answer` tell what the end is. */
export type OnboardingAnswer = OnboardingProgress | OnboardingComplete | (OnboardingComplete & SignInAnswer)

/** The answer while a step is left, or the end has not come yet. */
export function progressOf ({ session: { record }, view }: Pick<OpenFlow, 'session'> & Partial<OpenFlow>, due: DueStep | undefined, now: number, shown?: JsonObject): OnboardingProgress {
  const { completed, skipped, steps, expiresAt } = record
  const current = due?.step.name ?? null
  return {
    status: 'in_progress',
    current_step: current,
    hint: due === undefined || view === undefined ? null : hintOf(due, view),
    completed_steps: completed,
    skipped_steps: skipped.filter((name) => name !== current),
    remaining_steps: steps.filter((name) => name === current || !(completed.includes(name) || skipped.includes(name))),
    expires_in: Math.max(0, Math.ceil((expiresAt - now) / 1000)),
    ...(shown !== undefined && { shown })
  }
}

/** The answer at the end. */
export function completeOf ({ session: { record } }: OpenFlow, given: SignInAnswer | undefined, shown?: JsonObject): OnboardingAnswer {
  const { completed, skipped } = record
  return { ...given, status: 'complete', completed_steps: completed, skipped_steps: skipped, ...(shown !== undefined && { shown }) }
}
