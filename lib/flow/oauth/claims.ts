import * as openid from 'openid-client'
import { OAuthProviderError } from '../../errors/oauth.js'
import type { OAuthEndpoints } from './presets.js'

/** What a provider says of somebody. */
export type Claims = Readonly<Record<string, unknown>>

/** The claims of the ID token, and, where it has no address, those of the UserInfo endpoint, which must be of the same person (OpenID Connect Core 1.0, section 5.3.2). */
export async function openidClaims (configuration: openid.Configuration, accessToken: string, idToken: openid.IDToken): Promise<Claims> {
  if (idToken.email !== undefined || configuration.serverMetadata().userinfo_endpoint === undefined) return idToken
  return { ...await openid.fetchUserInfo(configuration, accessToken, idToken.sub), ...idToken }
}

/** What a provider without ID tokens says of whoever the access token is for. Throws {@link OAuthProviderError}. */
export async function plainClaims (configuration: openid.Configuration, accessToken: string, provider: string, { userinfo, emails }: OAuthEndpoints): Promise<Claims> {
  async function json (address: string): Promise<unknown> {
    const response = await openid.fetchProtectedResource(configuration, accessToken, new URL(address), 'GET', undefined, new Headers({ accept: 'application/json' }))
    if (!response.ok) throw new OAuthProviderError({ provider, message: `${provider}: ${response.status} instead of a profile` })
    return await response.json()
  }

  const claims = await json(userinfo)
  if (!isRecord(claims)) throw new OAuthProviderError({ provider, message: `${provider}: a profile that is no object` })
  return emails === undefined ? claims : { ...claims, ...primaryOf(await json(emails)) }
}

/** The address that somebody has chosen as the first. */
function primaryOf (addresses: unknown): Claims {
  const list = Array.isArray(addresses) ? addresses.filter(isRecord) : []
  const primary = list.find((one) => one.primary === true)
  return { email: primary?.email, email_verified: primary?.verified === true }
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
