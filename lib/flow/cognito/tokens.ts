import type { AuthenticationResultType } from '@aws-sdk/client-cognito-identity-provider'
import type { Tokens } from '../session/sessions.js'
import { issuedClaims } from './access-token.js'
import type { RefreshTickets } from './refresh-token.js'
import { unavailable } from './refusals/table.js'

/** What is known of a user before Cognito answers. */
export interface TokenOwner {
  /** The name the call was made with. */
  readonly username: string | undefined
  /** At a refresh: what stays valid where Cognito gives no new one. */
  readonly presented?: string
}

/** Tokens out of what Cognito answers. Throws `AuthUnavailableError` when some are missing: half a sign-in is none. */
export function tokensOf (result: AuthenticationResultType | undefined, owner: TokenOwner, tickets: RefreshTickets): Tokens {
  const { AccessToken: accessToken, RefreshToken: token, IdToken: idToken, ExpiresIn: expiresIn } = result ?? {}
  if (accessToken === undefined) throw unavailable('Cognito answered without an access token.')
  const claims = issuedClaims(accessToken)
  // The token has the name that the secret hash of a refresh is made of; somebody may have signed in with another one.
  const username = claims.username ?? owner.username
  const refreshToken = token === undefined ? owner.presented : tickets.pack({ token, username })
  const lifetime = expiresIn ?? claims.lifetime
  if (refreshToken === undefined || lifetime === undefined) throw unavailable('Cognito answered without a refresh token, or without a lifetime.')
  return {
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: 'Bearer',
    expires_in: lifetime,
    ...(idToken !== undefined && { id_token: idToken })
  }
}
