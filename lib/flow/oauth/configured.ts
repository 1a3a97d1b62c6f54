import * as openid from 'openid-client'
import type { Clock } from '../../clock.js'
import { limitedFetch, type Fetch } from './limited-fetch.js'
import type { OAuthEndpoints } from './presets.js'
import type { ClientAuthMethod, OAuthProviderSettings } from './settings.js'

/** A provider as the library wants it. */
export type Configured = () => Promise<openid.Configuration>

/** What a provider is reached with. */
export interface ConfiguredOptions {
  settings: OAuthProviderSettings
  /** The secret as it is now; never asked for without one. */
  secret: () => string
  clock: Clock
  fetch?: Fetch | undefined
}

/** Seconds for one request. */
const TIMEOUT = 5
/** Milliseconds after which a provider is discovered anew. */
const DISCOVERED_FOR = 3_600_000
/** Seconds that the clocks of a provider and of this server may differ. */
const CLOCK_TOLERANCE = 30

/** Discovers a provider when it is first needed (OpenID Connect Discovery 1.0), or takes its endpoints as they were given. */
export function createConfigured ({ settings, secret, clock, fetch }: ConfiguredOptions): Configured {
  const { issuer, clientId, endpoints } = settings
  const limited = limitedFetch(fetch) as openid.CustomFetch
  const metadata = { [openid.clockTolerance]: CLOCK_TOLERANCE }
  const authenticate = authentication(settings, secret)
  let known: { configuration: openid.Configuration, until: number } | undefined
  let pending: Promise<openid.Configuration> | undefined

  async function discover (): Promise<openid.Configuration> {
    const execute = [openid.enableNonRepudiationChecks, ...unencrypted(issuer)]
    const configuration = await openid.discovery(new URL(issuer), clientId, metadata, authenticate, { [openid.customFetch]: limited, timeout: TIMEOUT, execute })
    known = { configuration, until: clock() + DISCOVERED_FOR }
    return configuration
  }

  function assemble ({ authorization, token, userinfo }: OAuthEndpoints): openid.Configuration {
    const server = { issuer, authorization_endpoint: authorization, token_endpoint: token, userinfo_endpoint: userinfo }
    const configuration = new openid.Configuration(server, clientId, metadata, authenticate)
    configuration[openid.customFetch] = limited
    configuration.timeout = TIMEOUT
    for (const allow of unencrypted(authorization, token, userinfo)) allow(configuration)
    return configuration
  }

  return async () => {
    if (endpoints !== undefined) return assemble(endpoints)
    if (known !== undefined && clock() < known.until) return known.configuration
    // Single flight: whoever comes while a provider is asked waits for that answer.
    pending ??= discover().finally(() => { pending = undefined })
    return await pending
  }
}

/** The secret, sent as the provider wants it. */
function authentication ({ clientSecret, clientAuth, endpoints }: OAuthProviderSettings, secret: () => string): openid.ClientAuth {
  if (clientSecret === undefined) return openid.None()
  return (server, ...rest) => {
    const method = clientAuth ?? preferred(server.token_endpoint_auth_methods_supported, endpoints !== undefined)
    const send = method === 'client_secret_post' ? openid.ClientSecretPost : openid.ClientSecretBasic
    send(secret())(server, ...rest)
  }
}

/** Where nothing is said, it is Basic (OpenID Connect Discovery 1.0, section 3); without discovery, what everybody takes. */
function preferred (supported: readonly string[] | undefined, plain: boolean): ClientAuthMethod {
  if (supported === undefined) return plain ? 'client_secret_post' : 'client_secret_basic'
  return supported.includes('client_secret_post') ? 'client_secret_post' : 'client_secret_basic'
}

/** What allows http where options did, which is on loopback only. */
function unencrypted (...addresses: string[]): Array<(configuration: openid.Configuration) => void> {
  return addresses.some((address) => new URL(address).protocol === 'http:') ? [openid.allowInsecureRequests] : []
}
