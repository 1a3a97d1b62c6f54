import { createHash, generateKeyPair, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { OAuthProviderOptions } from 'fastify-bouncer'
import { listenFrom, portOf } from './listen.js'

/** Acme, where people have accounts already: an OpenID provider on loopback, in place of Google and the like. */
export interface SignInProvider {
  readonly origin: string
  /** For `oauth.providers`. */
  readonly options: OAuthProviderOptions
  close (): Promise<void>
}

/** Somebody with an account at Acme. */
export interface AcmePerson {
  name: string
  email: string
  email_verified: boolean
}

/** By what Acme knows them by. Ada has an account of that address at the example, too; nobody has made sure that Tom's is his. */
export const acmePeople: Readonly<Record<string, AcmePerson>> = {
  'acme-1': { name: 'Ada', email: 'ada@example.com', email_verified: true },
  'acme-2': { name: 'Iris', email: 'iris@example.com', email_verified: true },
  'acme-3': { name: 'Tom', email: 'tom@example.com', email_verified: false }
}

/** What is used of `oidc-provider`, which comes without types. */
interface Provider {
  callback (): RequestListener
  interactionFinished (request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  Grant: new (properties: object) => { addOIDCScope (scope: string): void, save (): Promise<string> }
}
interface Context { oidc: { provider: Provider, client: { clientId: string }, session: { accountId: string } } }

// Variables, since for literals TypeScript would ask for types.
const [providerModule, adapterModule]: string[] = ['oidc-provider', 'oidc-provider/lib/adapters/memory_adapter.js']

const HOST = '127.0.0.1'
const SCOPES = ['openid', 'email', 'profile']
const MINUTE = 60

/**
 * Starts it on the first free port from `port` on; 0 for any. Its address is
 * part of who somebody is there, so that it should stay the same. The browser
 * may come back to these addresses, exactly.
 */
export async function startSignInProvider (port: number, callbacks: readonly string[]): Promise<SignInProvider> {
  const server = await listenFrom(() => createServer(), HOST, port)
  const origin = `http://${HOST}:${portOf(server)}`
  const client = { client_id: 'the-example', client_secret: randomBytes(32).toString('base64url') }
  const OidcProvider = await providerClass()
  const provider = new OidcProvider(origin, await configuration(client, callbacks))
  const answer = provider.callback()
  const page = signInPage(callbacks.map((callback) => new URL(callback).origin))

  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/sign-in/')) return answer(request, response)
    signIn(provider, page, request, response).catch(() => { send(response, 400, message('This sign-in is over: go back, and begin again.')) })
  })

  return {
    origin,
    // It asks each time who it is: otherwise whoever was there last would sign in again, unasked.
    options: { issuer: origin, clientId: client.client_id, clientSecret: client.client_secret, parameters: { prompt: 'login' } },
    async close () {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
}

/** It supports newer versions of Node.js than this package, and says so in the terminal while it is loaded. */
async function providerClass (): Promise<new (issuer: string, configuration: object) => Provider> {
  const { warn } = console
  console.warn = () => {}
  try {
    return (await import(providerModule as string)).default
  } finally {
    console.warn = warn
  }
}

async function configuration (client: object, callbacks: readonly string[]): Promise<object> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const { createMemoryAdapter } = await import(adapterModule as string) as { createMemoryAdapter: () => unknown }
  return {
    // What a real one would keep, such as keys and sessions, this one has for as long as it runs.
    adapter: createMemoryAdapter(),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: { AccessToken: 5 * MINUTE, IdToken: 5 * MINUTE, Interaction: 10 * MINUTE, Session: 10 * MINUTE, Grant: 10 * MINUTE },
    clients: [{ ...client, redirect_uris: callbacks, response_types: ['code'], grant_types: ['authorization_code'] }],
    pkce: { required: () => true },
    scopes: SCOPES,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...acmePeople[id] }) }),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/sign-in/${uid}` },
    // Whoever signs in agrees: there is one application.
    async loadExistingGrant ({ oidc: { provider, client, session } }: Context) {
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope(SCOPES.join(' '))
      await grant.save()
      return grant
    },
    // A page of its own, for what an application did wrong: its default one asks for other styles.
    renderError (context: { type: string, body: string, set (headers: object): void }, { error }: { error: string }) {
      const { headers, body } = message(`Acme cannot go on: ${/^[a-z_]+$/.test(error) ? error : 'error'}.`)
      context.type = 'html'
      context.set(headers)
      context.body = body
    },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } }
  }
}

/** Asks who it is, and takes their word for it. */
async function signIn (provider: Provider, page: Page, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return send(response, 200, page)
  const person = new URLSearchParams(await text(request)).get('person') ?? ''
  const result = Object.hasOwn(acmePeople, person) ? { login: { accountId: person }, consent: {} } : { error: 'access_denied' }
  // Whose sign-in it is, its cookie says.
  await provider.interactionFinished(request, response, result)
}

interface Page { headers: Record<string, string>, body: string }

function send (response: ServerResponse, status: number, { headers, body }: Page): void {
  response.writeHead(status, headers).end(body)
}

const STYLE = `
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
main { max-width: 22rem; margin: 3rem auto; padding: 0 1rem }
button { display: block; width: 100%; margin: 0.75rem 0; padding: 0.6rem 1rem; border: 1px solid; border-radius: 0.3rem; background: none; color: inherit; font: inherit; text-align: left; cursor: pointer }
small { display: block }
`

/** A page, under a policy that lets it do nothing but send its form, on whose answer the browser may go to `targets`. */
function pageOf (content: string, targets: readonly string[] = []): Page {
  const style = createHash('sha256').update(STYLE).digest('base64')
  return {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      // The redirect that follows on the form counts as its target.
      'content-security-policy': `default-src 'none'; style-src 'sha256-${style}'; img-src data:; base-uri 'none'; form-action ${targets.length === 0 ? "'none'" : ["'self'", ...new Set(targets)].join(' ')}; frame-ancestors 'none'`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store'
    },
    body: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Acme</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><main><h1>Acme</h1>${content}</main></body>
</html>
`
  }
}

function signInPage (targets: readonly string[]): Page {
  const buttons = Object.entries(acmePeople).map(([id, { name, email, email_verified: verified }]) =>
    `<button name="person" value="${id}">${name} <small>${email}, ${verified ? 'verified' : 'not verified'}</small></button>`)
  return pageOf(`<p>The example wants to know who you are. Who signs in?</p>
<form method="post">${buttons.join('\n')}<button name="person" value="nobody">Nobody: go back</button></form>`, targets)
}

const message = (sentence: string): Page => pageOf(`<p>${sentence}</p>`)
