import { TokenInvalidError } from '../../errors/authentication.js'
import type { IdentityProvider } from '../provider.js'
import type { Tokens } from '../session/sessions.js'
import type { Call } from './calls.js'
import type { CognitoSettings } from './options.js'
import type { RefreshTickets } from './refresh-token.js'
import { accessTokenRefusals, refreshRefusals, revocationRefusals } from './refusals/token.js'
import { secretHash } from './secret-hash.js'
import { tokensOf } from './tokens.js'

/** Sessions, over these calls. Cognito ends the session of a refresh token, or all of a user, and no others. */
export function createSessions (call: Call, { clientId, clientSecret }: CognitoSettings, tickets: RefreshTickets): Pick<IdentityProvider, 'refresh' | 'signOut' | 'signOutEverywhere' | 'revoke'> {
  async function refresh (presented: string): Promise<Tokens> {
    const { token, username } = tickets.unpack(presented)
    const { ChallengeName: challenge, AuthenticationResult: result } = await call(refreshRefusals, (sdk) => new sdk.InitiateAuthCommand({
      AuthFlow: 'REFRESH_TOKEN_AUTH',
      ClientId: clientId,
      AuthParameters: {
        REFRESH_TOKEN: token,
        ...(clientSecret !== undefined && username !== undefined && { SECRET_HASH: secretHash(clientSecret, username, clientId) })
      }
    }))
    // Nobody is there to answer it: the user signs in anew.
    if (challenge !== undefined) throw new TokenInvalidError()
    return tokensOf(result, { username, presented }, tickets)
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
      await call(revocationRefusals, (sdk) => new sdk.RevokeTokenCommand({ Token: token, ClientId: clientId, ...(clientSecret !== undefined && { ClientSecret: clientSecret }) }))
    }
  }
}
