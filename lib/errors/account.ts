import { AuthError, wholeSeconds, type AuthErrorOptions } from './auth-error.js'
import type { UserIdentifier } from './authentication.js'

/** E-mail verification with a bad, used or expired token. */
export class InvalidVerifyTokenError extends AuthError<{ reason?: string }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'VERIFY_USER_BAD_TOKEN'
  static override readonly detail: string = 'The email verification token is invalid.'
  declare readonly reason?: string
}

/** Password reset with a bad, used or expired token. */
export class InvalidResetTokenError extends AuthError<{ reason?: string }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'RESET_PASSWORD_BAD_TOKEN'
  static override readonly detail: string = 'The password reset token is invalid.'
  declare readonly reason?: string
}

/** Too many attempts for an account or an address. `retryAfter` is in seconds. */
export class RateLimitError extends AuthError<{ retryAfter: number, identifier?: unknown }> {
  static override readonly statusCode: number = 429
  static override readonly code: string = 'RATE_LIMITED'
  static override readonly detail: string = 'Too many attempts. Try again later.'
  static override readonly publicFields: readonly string[] = ['retryAfter']
  declare readonly retryAfter: number
  declare readonly identifier?: unknown

  constructor (options: AuthErrorOptions & { retryAfter: number, identifier?: unknown }) {
    super({ ...options, retryAfter: wholeSeconds(options.retryAfter) })
  }

  protected override classHeaders (): Record<string, string> {
    return { 'retry-after': String(this.retryAfter) }
  }
}

/** An administrative look-up of a user that the store or provider does not have. */
export class UserNotFoundError extends AuthError<{ userId?: unknown }> {
  static override readonly statusCode: number = 404
  static override readonly code: string = 'USER_NOT_FOUND'
  static override readonly detail: string = 'User not found'
  declare readonly userId?: unknown
}

/** Creating or updating a user collides with an existing identity. */
export class UserAlreadyExistsError extends AuthError<{ identifier?: UserIdentifier }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'USER_ALREADY_EXISTS'
  static override readonly detail: string = 'A user with the provided credentials already exists.'
  declare readonly identifier?: UserIdentifier

  /** Mirrors `identifier.type`. */
  get identifierType (): UserIdentifier['type'] | undefined { return this.identifier?.type }
  /** Mirrors `identifier.value`. */
  get identifierValue (): string | undefined { return this.identifier?.value }
}

/** The password given is not acceptable, or not the current one. `errors` has one sentence per failed rule. */
export class InvalidPasswordError<Options extends object = { errors?: readonly string[], userId?: unknown }> extends AuthError<Options> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'INVALID_PASSWORD'
  static override readonly detail: string = 'The provided password is invalid.'
  static override readonly publicFields: readonly string[] = ['errors']
  declare readonly errors?: readonly string[]
  declare readonly userId?: unknown

  constructor (options: AuthErrorOptions & Options = {} as Options) {
    const { errors, message } = options as AuthErrorOptions & { errors?: readonly string[] }
    if (errors === undefined) super(options)
    // A list of no failures is left out, not sent empty.
    else if (errors.length === 0) super({ ...options, errors: undefined })
    else super({ ...options, message: message ?? errors.join('; '), errors: [...errors] })
  }
}

/** The password does not meet the policy: all failed rules at once. */
export class PasswordPolicyError extends InvalidPasswordError<{ errors: readonly string[], userId?: unknown }> {
  static override readonly code: string = 'PASSWORD_POLICY_VIOLATION'
  static override readonly detail: string = 'Password does not meet policy requirements'
}
