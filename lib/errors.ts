/**
 * Every error class of this package, free of Fastify: the entry point
 * `fastify-bouncer/errors`. What each class means, its status and its code are
 * a public promise; `docs/errors.md` is generated from them.
 */
import { AuthError, type AuthErrorClass } from './errors/auth-error.js'
import * as account from './errors/account.js'
import * as authentication from './errors/authentication.js'
import * as authorization from './errors/authorization.js'
import * as oauth from './errors/oauth.js'
import * as onboarding from './errors/onboarding.js'
import * as operation from './errors/operation.js'
import * as signing from './errors/signing.js'

export { AuthError, type AuthErrorBody, type AuthErrorClass, type AuthErrorOptions } from './errors/auth-error.js'
export * from './errors/account.js'
export {
  AccountUnavailableError, AuthenticationError, InvalidAuthorizationError,
  InvalidChallengeError, InvalidCredentialsError, MfaSetupError, MissingTokenError, StepUpRequiredError,
  TokenError, TokenExpiredError, TokenInvalidError, TokenRevokedError,
  type TokenInvalidReason, type UserIdentifier
} from './errors/authentication.js'
export { ChallengeRequiredError, type ChallengeName, type ChallengeParameters, type ChallengeRequiredOptions, type CodeChallengeName } from './errors/challenge.js'
export {
  AuthorizationError, InsufficientGroupsError, InsufficientPermissionsError, InsufficientRolesError, InsufficientScopeError
} from './errors/authorization.js'
export * from './errors/oauth.js'
export {
  OnboardingError, OnboardingFlowCompleteError, OnboardingSessionExpiredError, OnboardingSessionInvalidError,
  OnboardingStepError, type OnboardingSessionReason
} from './errors/onboarding.js'
export * from './errors/operation.js'
export * from './errors/signing.js'

/** All classes under {@link AuthError}, itself included. */
export const errorClasses: readonly AuthErrorClass[] = [
  AuthError,
  ...Object.values({ ...operation, ...authentication, ...authorization, ...account, ...oauth, ...signing, ...onboarding })
    .filter((value) => typeof value === 'function' && value.prototype instanceof AuthError)
    .map((value) => value as unknown as AuthErrorClass)
]

/** The values of `extra.code`: `ErrorCode.TOKEN_EXPIRED === 'TOKEN_EXPIRED'`. */
export const ErrorCode = {
  AUTH_ERROR: 'AUTH_ERROR',
  CONFIGURATION_ERROR: 'CONFIGURATION_ERROR',
  EVENT_HANDLER_FAILED: 'EVENT_HANDLER_FAILED',
  INVALID_HASH: 'INVALID_HASH',
  AUTH_UNAVAILABLE: 'AUTH_UNAVAILABLE',
  AUTHENTICATION_FAILED: 'AUTHENTICATION_FAILED',
  INVALID_CREDENTIALS: 'INVALID_CREDENTIALS',
  INVALID_AUTHORIZATION_HEADER: 'INVALID_AUTHORIZATION_HEADER',
  ACCOUNT_UNAVAILABLE: 'ACCOUNT_UNAVAILABLE',
  TOKEN_ERROR: 'TOKEN_ERROR',
  MISSING_TOKEN: 'MISSING_TOKEN',
  TOKEN_EXPIRED: 'TOKEN_EXPIRED',
  TOKEN_INVALID: 'TOKEN_INVALID',
  TOKEN_REVOKED: 'TOKEN_REVOKED',
  VERIFY_USER_BAD_TOKEN: 'VERIFY_USER_BAD_TOKEN',
  RESET_PASSWORD_BAD_TOKEN: 'RESET_PASSWORD_BAD_TOKEN',
  STEP_UP_REQUIRED: 'STEP_UP_REQUIRED',
  INVALID_CHALLENGE: 'INVALID_CHALLENGE',
  MFA_SETUP_FAILED: 'MFA_SETUP_FAILED',
  AUTHORIZATION_DENIED: 'AUTHORIZATION_DENIED',
  INSUFFICIENT_PERMISSIONS: 'INSUFFICIENT_PERMISSIONS',
  INSUFFICIENT_ROLES: 'INSUFFICIENT_ROLES',
  INSUFFICIENT_GROUPS: 'INSUFFICIENT_GROUPS',
  INSUFFICIENT_SCOPE: 'INSUFFICIENT_SCOPE',
  RATE_LIMITED: 'RATE_LIMITED',
  USER_NOT_FOUND: 'USER_NOT_FOUND',
  USER_ALREADY_EXISTS: 'USER_ALREADY_EXISTS',
  INVALID_PASSWORD: 'INVALID_PASSWORD',
  UPDATE_USER_INVALID_PASSWORD: 'UPDATE_USER_INVALID_PASSWORD',
  REGISTER_INVALID_PASSWORD: 'REGISTER_INVALID_PASSWORD',
  RESET_PASSWORD_INVALID_PASSWORD: 'RESET_PASSWORD_INVALID_PASSWORD',
  PASSWORD_POLICY_VIOLATION: 'PASSWORD_POLICY_VIOLATION',
  OAUTH_ACCOUNT_ALREADY_LINKED: 'OAUTH_ACCOUNT_ALREADY_LINKED',
  OAUTH_STATE_INVALID: 'OAUTH_STATE_INVALID',
  OAUTH_LINK_REQUIRED: 'OAUTH_LINK_REQUIRED',
  OAUTH_PROVIDER_ERROR: 'OAUTH_PROVIDER_ERROR',
  SIGNING_ERROR: 'SIGNING_ERROR',
  SIGNATURE_EXPIRED: 'SIGNATURE_EXPIRED',
  BAD_SIGNATURE: 'BAD_SIGNATURE',
  ONBOARDING_ERROR: 'ONBOARDING_ERROR',
  ONBOARDING_SESSION_EXPIRED: 'ONBOARDING_SESSION_EXPIRED',
  ONBOARDING_SESSION_INVALID: 'ONBOARDING_SESSION_INVALID',
  ONBOARDING_STEP_FAILED: 'ONBOARDING_STEP_FAILED',
  ONBOARDING_FLOW_COMPLETE: 'ONBOARDING_FLOW_COMPLETE',
  REQUEST_INVALID: 'REQUEST_INVALID',
  NOT_FOUND: 'NOT_FOUND',
  METHOD_NOT_ALLOWED: 'METHOD_NOT_ALLOWED',
  PAYLOAD_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  UNSUPPORTED_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  HEADERS_TOO_LARGE: 'HEADERS_TOO_LARGE',
  INTERNAL_ERROR: 'INTERNAL_ERROR'
} as const

/** Any value of {@link ErrorCode}. */
export type ErrorCode = typeof ErrorCode[keyof typeof ErrorCode]
