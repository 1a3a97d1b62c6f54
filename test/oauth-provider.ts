import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import type { Test } from 'tap'
import type { OAuthProviderOptions } from '../index.js'
import { issuerKey } from './oidc-issuer.js'

/** What the provider knows of a person. */
export interface Person {
  email?: string
  email_verified?: boolean
}

/** A provider that people sign in at: `oidc-provider`, with a page that asks for a name. */
export interface OAuthProvider {
  readonly url: string
  /** What an application is given to sign people in here. */
  readonly options: OAuthProviderOptions
  /** Those who can sign in, by name. */
  readonly people: Map<string, Person>
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Goes to an authorization page as a browser does, signs somebody in, and answers with the address that it leads back to. */
  visit (authorizationUrl: string, person: string): Promise<URL>
  /** Where it may lead back to, from now on. */
  register (...redirectUris: string[]): Promise<void>
  /** Answers a path in place of the provider; undefined answers nothing at all. */
  answerInstead (path: string, answer: ((response: ServerResponse) => void) | undefined): void
  /** Answers a path with JSON. */
  answerWith (path: string, body: unknown, status?: number): void
  /** Tokens with an ID token of these claims, signed as its own are. */
  tokens (claims: Record<string, unknown>): Promise<object>
  /** As before. */
  answerAgain (): void
  stop (): Promise<void>
}

interface Context { oidc: { provider: Provider, client: { clientId: string }, session: { accountId: string } } }
interface Provider {
  callback (): RequestListener
  interactionFinished (request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  Grant: new (properties: object) => { addOIDCScope (scope: string): void, save (): Promise<string> }
}
type ProviderClass = new (issuer: string, configuration: object) => Provider

// A variable, since for a literal TypeScript would ask for types.
const packageName: string = 'oidc-provider'

const client = { client_id: 'an-application', client_secret: 'the secret of an application' }
const key = issuerKey('today')

const SIGN_IN = `<!doctype html><html lang="en"><title>A provider</title><body><h1>Sign in at the provider</h1>
<form method="post"><label>Name <input name="person" autofocus></label> <button>Sign in</button></form></body></html>`

/** Starts the provider; it stops when the test ends. */
export async function oauthProvider (t: Test, changes: object = {}): Promise<OAuthProvider> {
  const { default: OidcProvider } = await import(packageName) as { default: ProviderClass }
  const people = new Map<string, Person>()
  const asked: string[] = []
  const instead = new Map<string, ((response: ServerResponse) => void) | undefined>()
  let provider: Provider
  let listener: RequestListener

  async function interact (request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET' && request.headers['x-person'] === undefined) {
      response.setHeader('content-type', 'text/html').end(SIGN_IN)
      return
    }
    const person = request.headers['x-person'] ?? new URLSearchParams(await text(request)).get('person')
    await provider.interactionFinished(request, response, person === 'nobody' ? { error: 'access_denied' } : { login: { accountId: String(person) }, consent: {} })
  }

  const server: Server = createServer((request, response) => {
    const path = String(request.url).replace(/\?.*/, '')
    asked.push(path)
    if (instead.has(path)) return instead.get(path)?.(response)
    if (path.startsWith('/interaction/')) interact(request, response).catch((error: unknown) => { response.destroy(error as Error) })
    else listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function register (...redirectUris: string[]): Promise<void> {
    provider = new OidcProvider(url, { ...configuration(people, redirectUris), ...changes })
    listener = provider.callback()
  }
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  t.teardown(stop)
  await register('https://api.example.com/auth/oauth/acme/callback')

  return {
    url,
    options: { issuer: url, clientId: client.client_id, clientSecret: client.client_secret },
    people,
    asked,
    visit: async (start, person) => await followBack(url, start, person),
    register,
    answerInstead: (path, answer) => { instead.set(path, answer) },
    answerWith (path, body, status = 200) {
      instead.set(path, (response) => { response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)) })
    },
    async tokens (claims) {
      const now = Math.floor(Date.now() / 1000)
      const idToken = await new SignJWT({ iss: url, aud: client.client_id, sub: 'ada', iat: now, exp: now + 300, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: key.kid }).sign(key.privateKey)
      return { access_token: 'an access token of the provider', token_type: 'Bearer', expires_in: 60, id_token: idToken }
    },
    answerAgain: () => { instead.clear() },
    stop
  }
}

function configuration (people: Map<string, Person>, redirectUris: string[]): object {
  return {
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: key.kid, use: 'sig', alg: 'RS256' }] },
    clients: [{ ...client, redirect_uris: redirectUris, response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    scopes: ['openid', 'email', 'profile', 'offline_access'],
    cookies: { keys: ['a key for cookies'] },
    pkce: { required: () => true },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
    interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    async loadExistingGrant ({ oidc }: Context) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
      grant.addOIDCScope('openid email profile offline_access')
      await grant.save()
      return grant
    },
    features: { devInteractions: { enabled: false } }
  }
}

/** Follows redirects within the provider, with its cookies, until one leads away. */
async function followBack (url: string, start: string, person: string): Promise<URL> {
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
    if (next.origin !== url) return next
    address = next.href
  }
  throw new Error('The provider went round in circles')
}
