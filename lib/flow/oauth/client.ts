import * as openid from 'openid-client'
import type { Clock } from '../../clock.js'
import { openidClaims, plainClaims } from './claims.js'
import { createConfigured } from './configured.js'
import type { Fetch } from './limited-fetch.js'
import { checkProfile, type CheckedProfile } from './profile.js'
import { refusalOf } from './refusals.js'
import type { OAuthProviderSettings } from './settings.js'

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

/** Tokens of a provider, for its own interfaces. */
export interface ProviderTokens {
  readonly access_token: string
  readonly refresh_token?: string
  readonly id_token?: string
  readonly scope?: string
  /** When the access token expires, in seconds since 1970. */
  readonly expires_at?: number
}

/** Whom a provider has signed in, and its tokens. */
export interface ExternalIdentity extends CheckedProfile {
  readonly provider: string
  readonly issuer: string
  readonly tokens: ProviderTokens
}

/** One provider: authorization code with PKCE (RFC 6749, RFC 7636), and OpenID Connect where there is an ID token. */
export interface OAuthClient {
  /** Where a browser is sent. Throws `OAuthProviderError` where the provider cannot be discovered. */
  authorizationUrl (secrets: AttemptSecrets): Promise<string>
  /** Whom a callback is for. Throws `OAuthProviderError`, and `OAuthStateError` for what is of another attempt. */
  exchange (parameters: CallbackParameters, secrets: AttemptSecrets): Promise<ExternalIdentity>
}

/** What a client is made with. */
export interface OAuthClientOptions {
  settings: OAuthProviderSettings
  clock: Clock
  fetch?: Fetch
}

type TokenResponse = openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers

/** The client of a provider. Nothing is asked before somebody signs in. */
export function createOAuthClient ({ settings, clock, fetch }: OAuthClientOptions): OAuthClient {
  const { name, scopes, parameters, endpoints, clientSecret, trustEmail } = settings
  let secret = ''
  const configured = createConfigured({ settings, secret: () => secret, clock, fetch })

  async function identityOf (configuration: openid.Configuration, tokens: TokenResponse): Promise<ExternalIdentity> {
    const idToken = endpoints === undefined ? tokens.claims() as openid.IDToken : undefined
    const { access_token: accessToken } = tokens
    const claims = idToken === undefined
      ? await plainClaims(configuration, accessToken, name, endpoints as NonNullable<typeof endpoints>)
      : await openidClaims(configuration, accessToken, idToken)
    const { emailVerified, ...profile } = checkProfile(name, await soon(settings.profile(claims)))
    return {
      ...profile,
      emailVerified: emailVerified || (trustEmail && profile.email !== undefined),
      provider: name,
      // The one that the ID token names: behind one address there may be many, each with subjects of its own.
      issuer: idToken?.iss ?? settings.issuer,
      tokens: tokensOf(tokens, clock)
    }
  }

  async function authorizationUrl ({ callbackUrl, state, nonce, verifier }: AttemptSecrets): Promise<string> {
    const { href } = openid.buildAuthorizationUrl(await configured(), {
      ...parameters,
      redirect_uri: callbackUrl,
      scope: scopes.join(' '),
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(endpoints === undefined && { nonce })
    })
    return href
  }

  async function exchange (given: CallbackParameters, { callbackUrl, state, nonce, verifier }: AttemptSecrets): Promise<ExternalIdentity> {
    const configuration = await configured()
    if (clientSecret !== undefined) secret = typeof clientSecret === 'string' ? clientSecret : await soon(clientSecret())
    const url = new URL(callbackUrl)
    for (const [key, value] of Object.entries(given)) url.searchParams.set(key, value)
    const checks = { expectedState: state, pkceCodeVerifier: verifier, ...(endpoints === undefined && { expectedNonce: nonce }) }
    return await identityOf(configuration, await openid.authorizationCodeGrant(configuration, url, checks))
  }

  async function mapped<Result> (work: Promise<Result>): Promise<Result> {
    try {
      return await work
    } catch (fault) {
      throw refusalOf(name, fault)
    }
  }

  return {
    authorizationUrl: async (secrets) => await mapped(authorizationUrl(secrets)),
    exchange: async (given, secrets) => await mapped(exchange(given, secrets))
  }
}

/** Seconds for what the application does in between. */
const PATIENCE = 5

/** What a function of the application's answers, if it does in time. */
async function soon<Result> (answer: Result | Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`a function of the options did not answer within ${PATIENCE} seconds`)) }, PATIENCE * 1000)
  })
  return await Promise.race([answer, late]).finally(() => { clearTimeout(timer) })
}

function tokensOf (tokens: TokenResponse, clock: Clock): ProviderTokens {
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
