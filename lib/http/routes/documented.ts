import type { AuthErrorClass } from '../../errors/auth-error.js'
import { RateLimitError } from '../../errors/account.js'
import { AccountUnavailableError, AuthenticationError, InvalidAuthorizationError, MissingTokenError, TokenExpiredError, TokenInvalidError, TokenRevokedError } from '../../errors/authentication.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { errorResponses } from '../response-docs.js'

/** What a refresh token can be refused with. */
export const REFRESH_REFUSALS: readonly AuthErrorClass[] = [TokenInvalidError, TokenRevokedError, AccountUnavailableError, AuthenticationError]

/** What an access token can be refused with, where no guard stands that would document it. */
export const BEARER_REFUSALS: readonly AuthErrorClass[] = [InvalidAuthorizationError, MissingTokenError, TokenExpiredError, ...REFRESH_REFUSALS]

/** What any route of accounts can end with: it counts attempts, in a store. */
export const COUNTED: readonly AuthErrorClass[] = [RateLimitError, AuthUnavailableError]

/** `config` of a route that is for everybody. */
export const ANYONE = { auth: false } as const

/** Documents refusals, as `errorResponses` does; nothing where errors are the application's to answer. */
export type Documenter = typeof errorResponses
