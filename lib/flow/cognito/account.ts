import type { IdentityProvider } from '../provider.js'
import type { Call } from './calls.js'
import { unavailable } from './refusals/table.js'
import { accessTokenRefusals } from './refusals/token.js'

/** The account of whoever asks, over these calls. Roles are those of the verified token: `GetUser` does not tell groups. */
export function createLookUp (call: Call): IdentityProvider['lookUp'] {
  return async ({ user, token }) => {
    const { Username: username, UserAttributes: attributes = [] } = await call(accessTokenRefusals, (sdk) => new sdk.GetUserCommand({ AccessToken: token }))
    const attribute = (name: string): string | undefined => attributes.find(({ Name }) => Name === name)?.Value
    const id = attribute('sub')
    if (id === undefined || username === undefined) throw unavailable('Cognito answered without a user.')
    return {
      id,
      email: attribute('email') ?? '',
      // In pools that sign in with an address, Cognito makes a user name of the id.
      username: username === id ? null : username,
      roles: [...user.roles],
      is_active: true,
      is_verified: attribute('email_verified') === 'true'
    }
  }
}
