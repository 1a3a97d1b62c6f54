/** Steps for the option `onboarding`, and what steps of an application's own are made of. */
export { profileStep, type ProfileStepOptions } from './flow/onboarding/steps/profile.js'
export { registerStep, type RegisterSchema } from './flow/onboarding/steps/register.js'
export { termsStep, type AcceptedTerms, type TermsSchema, type TermsStepOptions } from './flow/onboarding/steps/terms.js'
export { totpStep, type TotpSchema, type TotpStepOptions } from './flow/onboarding/steps/totp.js'
export { verifyEmailStep, type VerifyEmailOptions, type VerifyEmailSchema } from './flow/onboarding/steps/verify-email.js'
export type {
  FlowView, Json, JsonObject, OnboardingStep, StepAccount, StepContext, StepField, StepHint, StepOutcome
} from './flow/onboarding/step.js'
