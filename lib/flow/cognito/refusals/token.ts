import type { AuthError } from '../../../errors/auth-error.js'
import { AccountUnavailableError, TokenExpiredError, TokenInvalidError, TokenRevokedError } from '../../../errors/authentication.js'
import type { Refusals } from './table.js'

const account = (reason: string) => (): AccountUnavailableError => new AccountUnavailableError({ reason })

/** Any call with an access token. */
export const accessTokenRefusals: Refusals = {
  NotAuthorizedException: notAuthorized,
  UserNotFoundException: account('deleted'),
  UserNotConfirmedException: account('unverified'),
  PasswordResetRequiredException: account('password_reset_required')
}

/** `InitiateAuth` with a refresh token, and `GetTokensFromRefreshToken`. */
export const refreshRefusals: Refusals = {
  ...accessTokenRefusals,
  RefreshTokenReuseException: () => new TokenRevokedError(),
  UserLambdaValidationException: account('refused_by_trigger')
}

/** `RevokeToken`. */
export const revocationRefusals: Refusals = {
  NotAuthorizedException: notAuthorized,
  UnauthorizedException: () => new TokenInvalidError(),
  InvalidParameterException: () => new TokenInvalidError({ reason: 'malformed' }),
  UnsupportedTokenTypeException: () => new TokenInvalidError({ reason: 'token_type' })
}

/** "Access Token has been revoked", "Refresh Token has expired", "User is disabled.", "Access Token does not have required scopes", "Invalid Access Token", … */
export function notAuthorized (said: string): AuthError {
  if (/revoked/i.test(said)) return new TokenRevokedError()
  if (/expired/i.test(said)) return new TokenExpiredError()
  if (/disabled/i.test(said)) return account('deactivated')()
  return new TokenInvalidError(/scope/i.test(said) ? { reason: 'claims' } : {})
}
