import { AuthError } from '../errors/auth-error.js'
import { InvalidAuthorizationError, MissingTokenError, TokenExpiredError, TokenInvalidError } from '../errors/authentication.js'
import { AuthUnavailableError } from '../errors/operation.js'

const unavailable = (cause: unknown) => new AuthUnavailableError({ dependency: 'keys', cause })

// Every code of fast-jwt and @fastify/jwt that can come of a token. What is not
// here (INVALID_OPTION, SIGN_ERROR) is a fault of the program, not of a client.
const CLASSES: Record<string, (cause: unknown) => AuthError> = {
  FAST_JWT_MALFORMED: () => new TokenInvalidError({ reason: 'malformed' }),
  FAST_JWT_INVALID_TYPE: () => new TokenInvalidError({ reason: 'malformed' }),
  FAST_JWT_INVALID_PAYLOAD: () => new TokenInvalidError({ reason: 'malformed' }),
  FAST_JWT_INVALID_CRIT_HEADER: () => new TokenInvalidError({ reason: 'malformed' }),
  FAST_JWT_MISSING_SIGNATURE: () => new TokenInvalidError({ reason: 'signature' }),
  FAST_JWT_INVALID_SIGNATURE: () => new TokenInvalidError({ reason: 'signature' }),
  FAST_JWT_VERIFY_ERROR: () => new TokenInvalidError({ reason: 'signature' }),
  FAST_JWT_INVALID_ALGORITHM: () => new TokenInvalidError({ reason: 'algorithm' }),
  FAST_JWT_INVALID_KEY: () => new TokenInvalidError({ reason: 'unknown_key' }),
  FAST_JWT_MISSING_KEY: () => new TokenInvalidError({ reason: 'unknown_key' }),
  FAST_JWT_INACTIVE: () => new TokenInvalidError({ reason: 'not_yet_valid' }),
  FAST_JWT_EXPIRED: () => new TokenExpiredError(),
  FAST_JWT_MISSING_REQUIRED_CLAIM: () => new TokenInvalidError({ reason: 'claims' }),
  FAST_JWT_INVALID_CLAIM_TYPE: () => new TokenInvalidError({ reason: 'claims' }),
  FAST_JWT_INVALID_CLAIM_VALUE: () => new TokenInvalidError({ reason: 'claims' }),
  FAST_JWT_KEY_FETCHING_ERROR: unavailable,
  FST_JWT_BAD_REQUEST: () => new InvalidAuthorizationError({ reason: 'malformed' }),
  FST_JWT_BAD_COOKIE_REQUEST: () => new MissingTokenError(),
  FST_JWT_NO_AUTHORIZATION_IN_HEADER: () => new MissingTokenError(),
  FST_JWT_NO_AUTHORIZATION_IN_COOKIE: () => new MissingTokenError(),
  FST_JWT_AUTHORIZATION_TOKEN_EXPIRED: () => new TokenExpiredError(),
  FST_JWT_AUTHORIZATION_TOKEN_INVALID: () => new TokenInvalidError(),
  FST_JWT_AUTHORIZATION_TOKEN_UNTRUSTED: () => new TokenInvalidError()
}

/** The class of an error of fast-jwt or @fastify/jwt, told by its code; undefined for an error of anything else. */
export function fromLibrary (error: unknown): AuthError | undefined {
  if (error instanceof AuthError) return error
  if (typeof error !== 'object' || error === null) return undefined
  const { code, originalError } = error as { code?: unknown, originalError?: unknown }
  // Our own refusal, wrapped by the library on its way through a key function.
  if (originalError instanceof AuthError) return originalError
  if (typeof code !== 'string' || !Object.hasOwn(CLASSES, code)) return undefined
  return CLASSES[code]?.(error)
}
