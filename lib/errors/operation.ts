import { AuthError, wholeSeconds, type AuthErrorOptions } from './auth-error.js'

/** How long a client should wait when nobody can say, in seconds. */
const DEFAULT_RETRY_AFTER = 5

/** Options that cannot be meant. Thrown by `register()`; the message names the option and the remedy. */
export class ConfigurationError extends AuthError<{ option?: string }> {
  static override readonly code: string = 'CONFIGURATION_ERROR'
  static override readonly detail: string = 'Authentication is not configured correctly.'
  declare readonly option?: string
}

/** A listener of an event threw. */
export class EventError extends AuthError<{ eventName: string, handlerName: string, original: unknown }> {
  static override readonly code: string = 'EVENT_HANDLER_FAILED'
  static override readonly detail: string = 'An event handler failed.'
  declare readonly eventName: string
  declare readonly handlerName: string
  declare readonly original: unknown
}

/** A stored password hash belongs to no configured hasher. */
export class InvalidHashError extends AuthError {
  static override readonly code: string = 'INVALID_HASH'
  static override readonly detail: string = 'A stored password hash is not recognised.'
  /** The unrecognised value. It is not enumerable: no log, no inspection prints it. */
  declare readonly hash?: string

  constructor (options: AuthErrorOptions & { hash?: string } = {}) {
    const { hash, ...rest } = options
    super(rest)
    Object.defineProperty(this, 'hash', { get: () => hash, enumerable: false })
  }
}

/** Keys, store, hasher queue or identity provider cannot answer. `retryAfter` is in seconds, 5 by default. */
export class AuthUnavailableError extends AuthError<{ dependency?: string, retryAfter?: number }> {
  static override readonly statusCode: number = 503
  static override readonly code: string = 'AUTH_UNAVAILABLE'
  static override readonly detail: string = 'Authentication is temporarily unavailable.'
  static override readonly publicFields: readonly string[] = ['retryAfter']
  declare readonly dependency?: string
  declare readonly retryAfter: number

  constructor (options: AuthErrorOptions & { dependency?: string, retryAfter?: number } = {}) {
    super({ ...options, retryAfter: wholeSeconds(options.retryAfter ?? DEFAULT_RETRY_AFTER) })
  }

  protected override classHeaders (): Record<string, string> {
    return { 'retry-after': String(this.retryAfter) }
  }
}
