import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import type { Test } from 'tap'
import { newKey, type TestKey } from './keys.js'

/** A signing key of the issuer, under a key id. */
export interface IssuerKey extends TestKey {
  kid: string
}

/** The tokens of one answer of the token endpoint. */
export interface Tokens {
  access_token: string
  id_token?: string
  refresh_token?: string
}

/** An OpenID provider on loopback. */
export interface OidcIssuer {
  /** Its identifier, and the base of its addresses. */
  readonly url: string
  /** The address of its key set, as its discovery document tells it. */
  jwksUri (): Promise<string>
  /** A JWT access token for the API, by client credentials. */
  accessToken (): Promise<string>
  /** Tokens for a person who signs in (authorization code and PKCE). */
  signIn (person: string): Promise<Tokens>
  /** Serves these keys from now on; the first one signs. */
  rotate (keys: readonly IssuerKey[]): Promise<void>
  /** Stops listening, and drops all connections. */
  stop (): Promise<void>
  /** Listens on the same port again. */
  start (): Promise<void>
}

/** The resource that access tokens are for; it is their audience too. */
export const api = 'https://api.example.com/'
const client = { client_id: 'tests', client_secret: 'the secret of the client of the tests' }
const redirectUri = 'https://client.example.com/callback'

// The package brings no types: what is used of it here.
interface Provider {
  callback (): RequestListener
  interactionFinished (request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  Grant: new (properties: object) => { addOIDCScope (scope: string): void, addResourceScope (resource: string, scope: string): void, save (): Promise<string> }
}
interface Context {
  oidc: { provider: Provider, client: { clientId: string }, session: { accountId: string } }
}
type ProviderClass = new (issuer: string, configuration: object) => Provider

// A variable, since for a literal TypeScript would ask for types.
const packageName: string = 'oidc-provider'

/** A key for {@link oidcIssuer}. */
export function issuerKey (kid: string): IssuerKey {
  return { kid, ...newKey('rsa') }
}

/** Starts `oidc-provider`; it stops when the test ends. */
export async function oidcIssuer (t: Test, keys: readonly IssuerKey[]): Promise<OidcIssuer> {
  const { default: OidcProvider } = await import(packageName) as { default: ProviderClass }
  let provider: Provider
  let listener: RequestListener
  const respond: RequestListener = (request, response) => {
    // The page on which people would sign in.
    if (request.url?.startsWith('/interaction/') === true) {
      const person = String(request.headers['x-person'])
      provider.interactionFinished(request, response, { login: { accountId: person }, consent: {} }).catch((error: unknown) => { response.destroy(error as Error) })
    } else {
      listener(request, response)
    }
  }
  let server: Server = await listen(respond, 0)
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const rotate = async (next: readonly IssuerKey[]): Promise<void> => {
    provider = new OidcProvider(url, configuration(next))
    listener = provider.callback()
  }
  await rotate(keys)
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  t.teardown(stop)

  async function token (parameters: Record<string, string>): Promise<Tokens> {
    const response = await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams({ ...client, resource: api, ...parameters }) })
    const body = await response.json()
    if (!response.ok) throw new Error(`The token endpoint refused: ${JSON.stringify(body)}`)
    return body as Tokens
  }

  return {
    url,
    async jwksUri () {
      const response = await fetch(`${url}/.well-known/openid-configuration`)
      return (await response.json() as { jwks_uri: string }).jwks_uri
    },
    accessToken: async () => (await token({ grant_type: 'client_credentials', scope: 'read' })).access_token,
    async signIn (person) {
      const verifier = randomBytes(32).toString('base64url')
      const query = new URLSearchParams({
        client_id: client.client_id,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'openid offline_access read',
        prompt: 'consent',
        resource: api,
        nonce: 'a nonce of the client',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256'
      })
      const code = await followToClient(`${url}/auth?${query}`, person)
      return await token({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier })
    },
    rotate,
    stop,
    start: async () => { server = await listen(respond, port) }
  }
}

function configuration (keys: readonly IssuerKey[]): object {
  return {
    jwks: { keys: keys.map(({ kid, privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' })) },
    clients: [{ ...client, token_endpoint_auth_method: 'client_secret_post', grant_types: ['client_credentials', 'authorization_code', 'refresh_token'], response_types: ['code'], redirect_uris: [redirectUri] }],
    scopes: ['openid', 'offline_access'],
    cookies: { keys: ['a key for cookies'] },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    async loadExistingGrant ({ oidc }: Context) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
      grant.addOIDCScope('openid offline_access')
      grant.addResourceScope(api, 'read')
      await grant.save()
      return grant
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => api,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'read', audience: api, accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } })
      }
    }
  }
}

/** Follows a browser's redirects until they lead to the client, and returns the code. */
async function followToClient (start: string, person: string): Promise<string> {
  const cookies = new Map<string, string>()
  let address = start
  for (let step = 0; step < 10; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(address, { redirect: 'manual', headers: { cookie, 'x-person': person } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`The provider answered ${response.status}: ${await response.text()}`)
    const next = new URL(location, address)
    if (next.href.startsWith(redirectUri)) {
      const code = next.searchParams.get('code')
      if (code === null) throw new Error(`The provider refused: ${next.search}`)
      return code
    }
    address = next.href
  }
  throw new Error('The provider went round in circles')
}

async function listen (respond: RequestListener, port: number): Promise<Server> {
  const server = createServer(respond)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
