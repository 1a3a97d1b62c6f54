import { createHash, randomBytes } from 'node:crypto'
import type { FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { AuthPluginOptions, OAuthOptions, OAuthProviderOptions } from '../index.js'
import { accounts, type AccountsApp } from './accounts.js'
import { oauthProvider, type OAuthProvider } from './oauth-provider.js'

/** Where the tests' application is, as browsers see it. */
export const baseUrl = 'https://api.example.com'
/** Where a client of its own waits. */
export const redirectTo = 'https://app.example.com/signed-in'

/** A sign-in that somebody has begun. */
export interface Begun {
  /** The page of the provider. */
  url: string
  /** The cookie that came with it, as it is sent back. */
  cookie: string
  response: LightMyRequestResponse
}

export interface OAuthApp extends AccountsApp {
  provider: OAuthProvider
  /** Begins a sign-in at `acme`. */
  begin (query?: string): Promise<Begun>
  /** Begins a link. */
  beginLink (token: string, body?: object): Promise<Begun>
  /** What the provider leads back with. */
  visit (begun: Begun, person: string): Promise<string>
  /** Comes back. */
  comeBack (query: string, cookie?: string): Promise<LightMyRequestResponse>
  /** A whole sign-in. */
  signIn (person: string): Promise<LightMyRequestResponse>
  /** A whole link. */
  link (token: string, person: string): Promise<LightMyRequestResponse>
}

/** Options, and what is changed of `acme`. */
export type OAuthChanges = Partial<OAuthOptions> & { acme?: Partial<OAuthProviderOptions> }

/** An application whose users can sign in at a provider called `acme`. */
export async function oauthAccounts (t: Test, { acme: changes, ...oauth }: OAuthChanges = {}, overrides: AuthPluginOptions = {}, serverOptions: FastifyServerOptions = {}): Promise<OAuthApp> {
  const acme = await oauthProvider(t)
  const built = await accounts(t, { ...overrides, oauth: { providers: { acme: { ...acme.options, ...changes }, other: { ...acme.options, issuer: 'https://other.example' } }, redirects: [redirectTo], baseUrl, ...oauth } }, {}, serverOptions)
  const { call } = built

  function begun (response: LightMyRequestResponse, url: unknown): Begun {
    const [line = ''] = [response.headers['set-cookie'] ?? []].flat()
    return { url: String(url), cookie: line.replace(/;.*/, ''), response }
  }
  async function begin (query = ''): Promise<Begun> {
    const response = await call('GET', `/oauth/acme/authorize${query}`)
    return begun(response, response.headers.location)
  }
  async function beginLink (token: string, body: object = {}): Promise<Begun> {
    const response = await call('POST', '/oauth/acme/link', body, token)
    return begun(response, response.json().authorization_url)
  }
  const visit = async ({ url }: Begun, person: string): Promise<string> => (await acme.visit(url, person)).search
  const comeBack = async (query: string, cookie = ''): Promise<LightMyRequestResponse> => await call('GET', `/oauth/acme/callback${query}`, undefined, undefined, { cookie })
  const whole = async (one: Begun, person: string): Promise<LightMyRequestResponse> => await comeBack(await visit(one, person), one.cookie)

  return {
    ...built,
    provider: acme,
    begin,
    beginLink,
    visit,
    comeBack,
    signIn: async (person) => await whole(await begin(), person),
    link: async (token, person) => await whole(await beginLink(token), person)
  }
}

/** A verifier that a client keeps, and what it shows of it (RFC 7636). */
export function verifierOf (): { verifier: string, query: string, body: object } {
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const body = { redirect_to: redirectTo, code_challenge: challenge, code_challenge_method: 'S256' }
  return { verifier, query: `?${new URLSearchParams(body)}`, body }
}
