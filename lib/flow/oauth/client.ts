import * as openid from 'openid-client'
import type { Clock } from '../../clock.js'
import { OAuthProviderError } from '../../errors/oauth.js'
import { limitedFetch, type Fetch } from './limited-fetch.js'
import type { OAuthEndpoints } from './presets.js'
import { checkProfile, type CheckedProfile, type ProfileReader } from './profile.js'
import { refusalOf } from './refusals.js'

/** A provider as it was configured. */
export interface OAuthProviderSettings {
  readonly name: string
  readonly issuer: string
  readonly clientId: string
  /** Undefined for a public client. */
  readonly clientSecret: string | (() => string | Promise<string>) | undefined
  /** How the secret is sent; undefined for what the provider says that it takes. */
  readonly clientAuth: ClientAuthMethod | undefined
  readonly scopes: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  /** Undefined where they are discovered. */
  readonly endpoints: OAuthEndpoints | undefined
  readonly profile: ProfileReader
  /** Whether every address counts as verified. */
  readonly trustEmail: boolean
}

export type ClientAuthMethod = 'client_secret_post' | 'client_secret_basic'

/** What one attempt is checked by. */
export interface AttemptSecrets {
  readonly callbackUrl: string
  readonly state: string
  readonly nonce: string
  /** RFC 7636. */
  readonly verifier: string
}

/** What comes back from a provider, in the query of the callback. */
export interface CallbackParameters {
  readonly code?: string
  readonly state?: string
  /** RFC 9207. */
  readonly iss?: string
  readonly error?: string
}

/** Whom a provider has signed in, and its tokens. */
export interface ExternalIdentity extends CheckedProfile {
  readonly provider: string
  readonly issuer: string
  readonly tokens: ProviderTokens
}

/** Tokens of a provider, for its own interfaces. */
export interface ProviderTokens {
  readonly access_token: string
  readonly refresh_token?: string
  readonly id_token?: string
  readonly scope?: string
  /** When the access token expires, in seconds since 1970. */
  readonly expires_at?: number
}

/** One provider: authorization code with PKCE (RFC 6749, RFC 7636), and OpenID Connect where there is an ID token. */
export interface OAuthClient {
  readonly settings: OAuthProviderSettings
  /** Where a browser is sent. Throws {@link OAuthProviderError} where the provider cannot be discovered. */
  authorizationUrl (secrets: AttemptSecrets): Promise<string>
  /** Whom a callback is for. Throws {@link OAuthProviderError}, and `OAuthStateError` for what is of another attempt. */
  exchange (parameters: CallbackParameters, secrets: AttemptSecrets): Promise<ExternalIdentity>
}

/** What a client is made with. */
export interface OAuthClientOptions {
  settings: OAuthProviderSettings
  clock: Clock
  fetch?: Fetch
}

/** Seconds for one request. */
const TIMEOUT = 5
/** Milliseconds after which a provider is discovered anew. */
const DISCOVERED_FOR = 3_600_000
/** Seconds that the clocks of a provider and of this server may differ. */
const CLOCK_TOLERANCE = 30

/** The client of a provider. Nothing is asked before somebody signs in. */
export function createOAuthClient ({ settings, clock, fetch }: OAuthClientOptions): OAuthClient {
  const { name, clientId, scopes, parameters, endpoints } = settings
  const limited = limitedFetch(fetch) as openid.CustomFetch
  let secret = ''
  let known: { configuration: openid.Configuration, until: number } | undefined
  let pending: Promise<openid.Configuration> | undefined

  const authenticate: openid.ClientAuth = (server, client, body, headers) => {
    if (settings.clientSecret === undefined) return openid.None()(server, client, body, headers)
    const method = settings.clientAuth ?? preferred(server.token_endpoint_auth_methods_supported, endpoints !== undefined)
    const send = method === 'client_secret_post' ? openid.ClientSecretPost(secret) : openid.ClientSecretBasic(secret)
    send(server, client, body, headers)
  }

  async function configure (): Promise<openid.Configuration> {
    const metadata = { [openid.clockTolerance]: CLOCK_TOLERANCE }
    const loopback = !isHttps(settings.issuer) ? [openid.allowInsecureRequests] : []
    if (endpoints === undefined) {
      return await openid.discovery(new URL(settings.issuer), clientId, metadata, authenticate, { [openid.customFetch]: limited, timeout: TIMEOUT, execute: [openid.enableNonRepudiationChecks, ...loopback] })
    }
    const { authorization, token, userinfo } = endpoints
    const configuration = new openid.Configuration({ issuer: settings.issuer, authorization_endpoint: authorization, token_endpoint: token, userinfo_endpoint: userinfo }, clientId, metadata, authenticate)
    configuration[openid.customFetch] = limited
    configuration.timeout = TIMEOUT
    for (const execute of [authorization, token, userinfo].every(isHttps) ? [] : [openid.allowInsecureRequests]) execute(configuration)
    return configuration
  }

  // Single flight: whoever comes while a provider is asked waits for that answer.
  async function configured (): Promise<openid.Configuration> {
    if (known !== undefined && clock() < known.until) return known.configuration
    pending ??= configure().finally(() => { pending = undefined })
    const configuration = await pending
    known = { configuration, until: clock() + DISCOVERED_FOR }
    return configuration
  }

  async function mapped<Result> (work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (fault) {
      throw refusalOf(name, fault)
    }
  }

  async function json (configuration: openid.Configuration, accessToken: string, address: string): Promise<unknown> {
    const response = await openid.fetchProtectedResource(configuration, accessToken, new URL(address), 'GET', undefined, new Headers({ accept: 'application/json' }))
    if (!response.ok) throw new OAuthProviderError({ provider: name, message: `${name}: ${response.status} instead of a profile` })
    return await response.json()
  }

  /** What a provider without ID tokens says of whoever the token is for. */
  async function plainClaims (configuration: openid.Configuration, accessToken: string, { userinfo, emails }: OAuthEndpoints): Promise<Record<string, unknown>> {
    const claims = await json(configuration, accessToken, userinfo)
    if (!isRecord(claims)) throw new OAuthProviderError({ provider: name, message: `${name}: a profile that is no object` })
    if (emails === undefined) return claims
    return { ...claims, ...primaryOf(await json(configuration, accessToken, emails)) }
  }

  /** The claims of the ID token, and, where it has no address, those of the UserInfo endpoint, which must be of the same person. */
  async function openidClaims (configuration: openid.Configuration, accessToken: string, idToken: openid.IDToken): Promise<Record<string, unknown>> {
    if (idToken.email !== undefined || configuration.serverMetadata().userinfo_endpoint === undefined) return idToken
    return { ...await openid.fetchUserInfo(configuration, accessToken, idToken.sub), ...idToken }
  }

  return {
    settings,

    authorizationUrl: async ({ callbackUrl, state, nonce, verifier }) => await mapped(async () => openid.buildAuthorizationUrl(await configured(), {
      ...parameters,
      redirect_uri: callbackUrl,
      scope: scopes.join(' '),
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(endpoints === undefined && { nonce })
    }).href),

    exchange: async (given, { callbackUrl, state, nonce, verifier }) => await mapped(async () => {
      const configuration = await configured()
      if (settings.clientSecret !== undefined) secret = typeof settings.clientSecret === 'string' ? settings.clientSecret : await settings.clientSecret()
      const url = new URL(callbackUrl)
      for (const [key, value] of Object.entries(given)) url.searchParams.set(key, value)
      const tokens = await openid.authorizationCodeGrant(configuration, url, { expectedState: state, pkceCodeVerifier: verifier, ...(endpoints === undefined && { expectedNonce: nonce }) })
      const idToken = endpoints === undefined ? tokens.claims() as openid.IDToken : undefined
      const claims = endpoints === undefined ? await openidClaims(configuration, tokens.access_token, idToken as openid.IDToken) : await plainClaims(configuration, tokens.access_token, endpoints)
      const { emailVerified, ...profile } = checkProfile(name, await settings.profile(claims))
      return {
        ...profile,
        emailVerified: profile.email !== undefined && (emailVerified || settings.trustEmail),
        provider: name,
        // Of whom the ID token says that it is: with several tenants behind one address, each has its own.
        issuer: idToken?.iss ?? settings.issuer,
        tokens: tokensOf(tokens, clock)
      }
    })
  }
}

function isHttps (address: string): boolean {
  return new URL(address).protocol === 'https:'
}

/** OpenID Connect Discovery 1.0, section 3: where nothing is said, it is Basic; without discovery, what everybody takes. */
function preferred (supported: readonly string[] | undefined, plain: boolean): ClientAuthMethod {
  if (supported === undefined) return plain ? 'client_secret_post' : 'client_secret_basic'
  return supported.includes('client_secret_post') ? 'client_secret_post' : 'client_secret_basic'
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The address that somebody has chosen as the first. */
function primaryOf (addresses: unknown): Record<string, unknown> {
  const list = Array.isArray(addresses) ? addresses.filter(isRecord) : []
  const primary = list.find((one) => one.primary === true)
  return { email: primary?.email, email_verified: primary?.verified === true }
}

function tokensOf (tokens: openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers, clock: Clock): ProviderTokens {
  const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken, scope } = tokens
  const left = tokens.expiresIn()
  return {
    access_token: accessToken,
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(idToken !== undefined && { id_token: idToken }),
    ...(scope !== undefined && { scope }),
    ...(left !== undefined && { expires_at: Math.floor(clock() / 1000) + left })
  }
}
