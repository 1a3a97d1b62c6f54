import { AuthError, type AuthErrorOptions } from './auth-error.js'

const REALM = 'Bearer realm="api"'
const INVALID_TOKEN = bearerChallenge({ error: 'invalid_token' })
const INVALID_REQUEST = bearerChallenge({ error: 'invalid_request' })
/** A scope-token of RFC 6749, section 3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/

/** Who is meant, in errors about accounts. */
export interface UserIdentifier {
  type: 'email' | 'username'
  value: string
}

/** One Bearer challenge (RFC 6750, section 3), with its attributes in the order given. */
export function bearerChallenge (attributes: Record<string, string> = {}): string {
  return [REALM, ...Object.entries(attributes).map(([name, value]) => `${name}="${value}"`)].join(', ')
}

/** The names among `scopes` that may stand in a header. */
export function scopeTokens (scopes: Iterable<unknown>): string[] {
  return [...scopes].filter((scope): scope is string => typeof scope === 'string' && SCOPE_TOKEN.test(scope))
}

/** Credentials are invalid, or a session has lapsed. Base class of all 401s. */
export class AuthenticationError<Options extends object = object> extends AuthError<Options> {
  static override readonly statusCode: number = 401
  static override readonly code: string = 'AUTHENTICATION_FAILED'
  static override readonly detail: string = 'Invalid credentials'

  protected override classHeaders (): Record<string, string> {
    return { 'www-authenticate': REALM }
  }
}

/** Wrong user name or password. Unknown, wrong, inactive and locked accounts get one and the same body. */
export class InvalidCredentialsError extends AuthenticationError<{ identifier?: UserIdentifier | string, reason?: string }> {
  static override readonly code: string = 'INVALID_CREDENTIALS'
  declare readonly identifier?: UserIdentifier | string
  declare readonly reason?: string
}

/** An Authorization header that is malformed, repeated, undecodable, or names two methods (RFC 6750 `invalid_request`). */
export class InvalidAuthorizationError extends AuthError<{ reason?: string }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'INVALID_AUTHORIZATION_HEADER'
  static override readonly detail: string = 'Invalid authorization header'
  declare readonly reason?: string

  protected override classHeaders (): Record<string, string> {
    return { 'www-authenticate': INVALID_REQUEST }
  }
}

/** A valid token whose user has since been deactivated or deleted, or must verify an address first. */
export class AccountUnavailableError extends AuthenticationError<{ userId?: unknown, reason?: string }> {
  static override readonly code: string = 'ACCOUNT_UNAVAILABLE'
  static override readonly detail: string = 'Account is not available for sign-in.'
  declare readonly userId?: unknown
  declare readonly reason?: string
}

/** Base class of every token problem. */
export abstract class TokenError<Options extends object = object> extends AuthenticationError<Options> {
  static override readonly code: string = 'TOKEN_ERROR'
  static override readonly detail: string = 'Invalid token'

  protected override classHeaders (): Record<string, string> {
    return { 'www-authenticate': INVALID_TOKEN }
  }
}

/** No credentials, an empty Bearer, a foreign scheme, or an empty security context. */
export class MissingTokenError extends TokenError {
  static override readonly code: string = 'MISSING_TOKEN'
  static override readonly detail: string = 'Missing or invalid Authorization header'

  // RFC 6750, section 3.1: a request without credentials gets no error code.
  protected override classHeaders (): Record<string, string> {
    return { 'www-authenticate': REALM }
  }
}

/** The token's `exp` is in the past. */
export class TokenExpiredError extends TokenError<{ expiredAt?: Date }> {
  static override readonly code: string = 'TOKEN_EXPIRED'
  static override readonly detail: string = 'Token has expired'
  declare readonly expiredAt?: Date
}

/** Why a token is invalid, and the fixed sentence that clients see. */
export const TOKEN_INVALID_SENTENCES = {
  malformed: 'Malformed token',
  signature: 'Signature verification failed',
  issuer: 'Invalid issuer',
  audience: 'Invalid audience',
  unknown_key: 'No public key found',
  algorithm: 'Algorithm is not accepted',
  not_yet_valid: 'Token is not yet valid',
  token_type: 'Unexpected token type',
  claims: 'Missing or invalid claim'
} as const

/** A key of {@link TOKEN_INVALID_SENTENCES}. */
export type TokenInvalidReason = keyof typeof TOKEN_INVALID_SENTENCES

/** The token is malformed, not signed by a known key, or not meant for this API. */
export class TokenInvalidError extends TokenError<{ reason?: TokenInvalidReason }> {
  static override readonly code: string = 'TOKEN_INVALID'
  declare readonly reason?: TokenInvalidReason

  constructor (options: AuthErrorOptions & { reason?: TokenInvalidReason } = {}) {
    const { reason, detail } = options
    const known = reason !== undefined && Object.hasOwn(TOKEN_INVALID_SENTENCES, reason)
    super(known ? { ...options, detail: detail ?? `Invalid token: ${TOKEN_INVALID_SENTENCES[reason]}` } : options)
  }
}

/** Presented after logout or revocation, or a rotated refresh token presented again. */
export class TokenRevokedError extends TokenError<{ tokenId?: string }> {
  static override readonly code: string = 'TOKEN_REVOKED'
  static override readonly detail: string = 'Token has been revoked'
  declare readonly tokenId?: string
}

/** The route asks for a fresh or a second-factor sign-in (RFC 9470). */
export class StepUpRequiredError extends AuthenticationError<{ maxAge?: number, acrValues?: string[] }> {
  static override readonly code: string = 'STEP_UP_REQUIRED'
  static override readonly detail: string = 'Recent stronger authentication is required.'
  static override readonly publicFields: readonly string[] = ['maxAge', 'acrValues']
  declare readonly maxAge?: number
  declare readonly acrValues?: string[]

  protected override classHeaders (): Record<string, string> {
    const acrValues = scopeTokens(this.acrValues ?? []).join(' ')
    return {
      'www-authenticate': bearerChallenge({
        error: 'insufficient_user_authentication',
        ...(Number.isSafeInteger(this.maxAge) && { max_age: String(this.maxAge) }),
        ...(acrValues !== '' && { acr_values: acrValues })
      })
    }
  }
}

/** A challenge response that is wrong, late, used, or of another session. */
export class InvalidChallengeError extends AuthError<{ reason?: string }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'INVALID_CHALLENGE'
  static override readonly detail: string = 'Invalid or expired challenge'
  declare readonly reason?: string
}

/** TOTP set-up or its verification failed. */
export class MfaSetupError extends AuthError<{ reason?: string }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'MFA_SETUP_FAILED'
  static override readonly detail: string = 'MFA setup failed'
  declare readonly reason?: string
}
