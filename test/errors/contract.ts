import { readFileSync } from 'node:fs'
import { AuthError, errorClasses, type AuthErrorBody, type AuthErrorClass } from '../../lib/errors.js'

/** One row of the contract: what a class promises. */
export interface Row {
  class: string
  parent: string
  status: number
  code: string
  detail: string
  private: string[]
  public: string[]
  when: string
  abstract: boolean
  required: string[]
  endpointCodes: Record<string, string>
  client: string
}

/** The contract. Later versions add rows, and change nothing in those that are here. */
export const contract = JSON.parse(readFileSync(new URL('../fixtures/errors.json', import.meta.url), 'utf8')) as readonly Row[]

/** The class of a row. */
export function classOf (row: Row): AuthErrorClass {
  const found = errorClasses.find((errorClass) => errorClass.name === row.class)
  if (found === undefined) throw new Error(`there is no class ${row.class}`)
  return found
}

/** Context for every class that has any, private and public, camelCase as a constructor takes it. */
const CONTEXT: Record<string, object> = {
  ConfigurationError: { option: 'jwt.secret' },
  EventError: { eventName: 'user.created', handlerName: 'welcome', original: new Error('no mail server') },
  InvalidHashError: { hash: '$argon2id$v=19$m=65536' },
  AuthUnavailableError: { dependency: 'keys', retryAfter: 7 },
  InvalidCredentialsError: { identifier: { type: 'email', value: 'ada@example.com' }, reason: 'wrong' },
  InvalidAuthorizationError: { reason: 'repeated' },
  AccountUnavailableError: { userId: 'user-17', reason: 'deactivated' },
  TokenExpiredError: { expiredAt: new Date(0) },
  TokenInvalidError: { reason: 'issuer' },
  TokenRevokedError: { tokenId: 'token-23' },
  InvalidVerifyTokenError: { reason: 'used' },
  InvalidResetTokenError: { reason: 'used' },
  StepUpRequiredError: { maxAge: 300, acrValues: ['mfa'] },
  InvalidChallengeError: { reason: 'late' },
  MfaSetupError: { reason: 'wrong code' },
  InsufficientRolesError: { requiredRoles: new Set(['admin']), userRoles: new Set(['support']), requireAll: true },
  InsufficientGroupsError: { requiredGroups: new Set(['staff']), userGroups: new Set(['guests']), requireAll: false },
  InsufficientScopeError: { requiredScopes: ['reports:read'], userScopes: new Set(['profile']), requireAll: false },
  RateLimitError: { identifier: 'ada@example.com', retryAfter: 30 },
  UserNotFoundError: { userId: 'user-17' },
  UserAlreadyExistsError: { identifier: { type: 'email', value: 'ada@example.com' } },
  InvalidPasswordError: { userId: 'user-17', errors: ['Password must be at least 8 characters'] },
  PasswordPolicyError: { userId: 'user-17', errors: ['Password must be at least 8 characters'] },
  OAuthAccountAlreadyLinkedError: { provider: 'google', accountId: 'acct-123', existingUserId: 'user-17' },
  OAuthStateError: { reason: 'nonce' },
  OAuthLinkRequiredError: { provider: 'google', userId: 'user-17' },
  OAuthProviderError: { provider: 'google' },
  SignatureExpiredError: { age: 7200, maxAge: 3600 },
  BadSignatureError: { reason: 'purpose' },
  OnboardingSessionExpiredError: { sessionId: 'session-5' },
  OnboardingSessionInvalidError: { reason: 'Session has been invalidated' },
  OnboardingStepError: { stepName: 'profile', errors: ['Enter a display name'] }
}

/** What a constructor of `errorClass` is given in these tests: a value for each field there is. */
export const contextOf = (errorClass: AuthErrorClass): object => CONTEXT[errorClass.name] ?? {}

/** An error of a class, with a value in every field, or with `options` alone. */
export function make (errorClass: AuthErrorClass, options: object = contextOf(errorClass)): AuthError {
  // Abstract classes too: abstract is a word for the compiler.
  const Class = errorClass as unknown as new (options: object) => AuthError
  return new Class(options)
}

/** A property of an error, by name. */
export const property = (error: AuthError, name: string): unknown => (error as unknown as Record<string, unknown>)[name]

/** `requiredRoles` for `required_roles`. */
export const camelCase = (name: string): string => name.replace(/_[a-z]/g, (letter) => letter.slice(1).toUpperCase())

/** The body that an error must have. */
export const bodyFor = (row: Row, extra: object = {}, detail: string = row.detail): AuthErrorBody =>
  ({ status_code: row.status, detail, extra: { code: row.code, ...extra } })
