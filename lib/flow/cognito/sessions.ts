import { TokenInvalidError } from '../../errors/authentication.js'
import type { IdentityProvider } from '../provider.js'
import type { Tokens } from '../session/sessions.js'
import type { Call } from './calls.js'
import type { Answered } from './challenges.js'
import type { CognitoSettings } from './options.js'
import type { RefreshTicket, RefreshTickets } from './refresh-token.js'
import { accessTokenRefusals, refreshRefusals, revocationRefusals } from './refusals/token.js'
import { secretHash } from './secret-hash.js'
import { tokensOf } from './tokens.js'

/** Sessions, over these calls. Cognito ends the session of a refresh token, or all of a user, and no others. */
export function createSessions (call: Call, { clientId, clientSecret, refreshTokenRotation }: CognitoSettings, tickets: RefreshTickets): Pick<IdentityProvider, 'refresh' | 'signOut' | 'signOutEverywhere' | 'revoke'> {
  const proof = clientSecret === undefined ? {} : { ClientSecret: clientSecret }

  async function take ({ token, username }: RefreshTicket): Promise<Pick<Answered, 'ChallengeName' | 'AuthenticationResult'>> {
    // Cognito takes rotating tokens here only; cognito-local, and whatever is as old, does not know the operation.
    if (refreshTokenRotation) return await call(refreshRefusals, (sdk) => new sdk.GetTokensFromRefreshTokenCommand({ RefreshToken: token, ClientId: clientId, ...proof }))
    const hash = clientSecret !== undefined && username !== undefined && { SECRET_HASH: secretHash(clientSecret, username, clientId) }
    return await call(refreshRefusals, (sdk) => new sdk.InitiateAuthCommand({ AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: clientId, AuthParameters: { REFRESH_TOKEN: token, ...hash } }))
  }

  async function refresh (presented: string): Promise<Tokens> {
    const ticket = tickets.unpack(presented)
    const { ChallengeName: challenge, AuthenticationResult: result } = await take(ticket)
    // Nobody is there to answer it: the user signs in anew.
    if (challenge !== undefined) throw new TokenInvalidError()
    return tokensOf(result, { username: ticket.username, presented }, tickets)
  }

  async function signOut (accessToken: string): Promise<void> {
    await call(accessTokenRefusals, (sdk) => new sdk.GlobalSignOutCommand({ AccessToken: accessToken }))
  }

  return {
    refresh,
    async signOut ({ token }) { await signOut(token) },
    async signOutEverywhere ({ token }) { await signOut(token) },

    async revoke (presented, everywhere) {
      if (everywhere) return await signOut((await refresh(presented)).access_token)
      const { token } = tickets.unpack(presented)
      await call(revocationRefusals, (sdk) => new sdk.RevokeTokenCommand({ Token: token, ClientId: clientId, ...proof }))
    }
  }
}
