import { AuthError, type AuthErrorOptions } from './auth-error.js'

/** Base class of onboarding problems. */
export abstract class OnboardingError<Options extends object = object> extends AuthError<Options> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'ONBOARDING_ERROR'
  static override readonly detail: string = 'Onboarding failed'
}

/** The session is older than its lifetime: start again. */
export class OnboardingSessionExpiredError extends OnboardingError<{ sessionId?: string }> {
  static override readonly statusCode: number = 410
  static override readonly code: string = 'ONBOARDING_SESSION_EXPIRED'
  static override readonly detail: string = 'Onboarding session has expired'
  declare readonly sessionId?: string
}

/** Why an onboarding session cannot be used; at the same time the public sentence. */
export const ONBOARDING_SESSION_REASONS = ['Session not found', 'Session has been invalidated', 'Session is not usable'] as const

/** One of {@link ONBOARDING_SESSION_REASONS}. */
export type OnboardingSessionReason = typeof ONBOARDING_SESSION_REASONS[number]

/** The session cannot be found, was replaced by a newer one, or is otherwise unusable. */
export class OnboardingSessionInvalidError extends OnboardingError<{ reason?: OnboardingSessionReason }> {
  static override readonly statusCode: number = 404
  static override readonly code: string = 'ONBOARDING_SESSION_INVALID'
  static override readonly detail: string = 'Session not found'
  static override readonly publicFields: readonly string[] = ['reason']
  declare readonly reason: OnboardingSessionReason

  constructor (options: AuthErrorOptions & { reason?: OnboardingSessionReason } = {}) {
    const { reason = 'Session not found', detail } = options
    super({ ...options, detail: detail ?? reason, reason })
  }
}

/** A step refused its data, or a step that cannot be skipped was skipped. */
export class OnboardingStepError extends OnboardingError<{ stepName: string, errors: readonly string[] }> {
  static override readonly statusCode: number = 422
  static override readonly code: string = 'ONBOARDING_STEP_FAILED'
  static override readonly detail: string = 'Onboarding step failed'
  static override readonly publicFields: readonly string[] = ['stepName', 'errors']
  declare readonly stepName: string
  declare readonly errors: readonly string[]

  constructor (options: AuthErrorOptions & { stepName: string, errors: readonly string[] }) {
    super({ ...options, errors: [...options.errors] })
  }
}

/** The flow is complete already: use the tokens given at completion. */
export class OnboardingFlowCompleteError extends OnboardingError {
  static override readonly statusCode: number = 409
  static override readonly code: string = 'ONBOARDING_FLOW_COMPLETE'
  static override readonly detail: string = 'Onboarding flow is already complete'
}
