import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import type { LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import type { OAuthProviderOptions } from '../../../index.js'
import { accounts, type AccountsApp } from '../../accounts.js'
import { refused } from '../../build.js'
import { baseUrl } from '../../oauth.js'

interface Asked { authorization: string | undefined, body: URLSearchParams }

interface Plain extends AccountsApp {
  answers: Record<string, unknown>
  asked: Map<string, Asked>
  signIn (): Promise<LightMyRequestResponse>
}

/** An application that signs in at a provider which knows OAuth 2.0 and no more, as GitHub does. */
async function plain (t: Test, changes: Partial<OAuthProviderOptions> = {}, emails = true): Promise<Plain> {
  const answers: Record<string, unknown> = {
    '/token': { access_token: 'a token of the provider', token_type: 'bearer', scope: 'user' },
    '/user': { id: 583231, login: 'octocat', email: null },
    '/emails': [{ email: 'old@example.com', primary: false, verified: true }, { email: 'Octo@example.com', primary: true, verified: true }]
  }
  const asked = new Map<string, Asked>()
  async function note ({ url = '', headers: { authorization } }: IncomingMessage, request: IncomingMessage): Promise<unknown> {
    asked.set(url, { authorization, body: new URLSearchParams(await text(request)) })
    return answers[url]
  }
  const server = createServer((request, response) => {
    note(request, request).then((answer) => {
      response.writeHead(answer === undefined ? 500 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    }, () => { response.destroy() })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const built = await accounts(t, {
    oauth: {
      baseUrl,
      providers: {
        hub: {
          preset: 'github',
          clientId: 'an-application',
          clientSecret: 'a secret: of äpplications',
          authorizationEndpoint: `${url}/authorize?tenant=1`,
          tokenEndpoint: `${url}/token`,
          userinfoEndpoint: `${url}/user`,
          ...(emails && { emailsEndpoint: `${url}/emails` }),
          ...changes
        }
      }
    }
  })
  async function signIn (): Promise<LightMyRequestResponse> {
    const { headers } = await built.call('GET', '/oauth/hub/authorize')
    const authorization = new URL(String(headers.location))
    t.strictSame([authorization.pathname, authorization.searchParams.get('tenant'), authorization.searchParams.get('scope'), authorization.searchParams.has('nonce')], ['/authorize', '1', 'read:user user:email', false])
    t.equal(authorization.searchParams.get('code_challenge_method'), 'S256')
    const query = new URLSearchParams({ code: 'a-code', state: String(authorization.searchParams.get('state')) })
    const [cookie = ''] = [headers['set-cookie'] ?? []].flat()
    return await built.call('GET', `/oauth/hub/callback?${query}`, undefined, undefined, { cookie: cookie.replace(/;.*/, '') })
  }
  return { ...built, answers, asked, signIn }
}

t.test('signs in by the profile and its first address', async (t) => {
  const app = await plain(t)
  const response = await app.signIn()
  t.equal(response.statusCode, 200)
  const { access_token: access } = response.json()
  t.match((await app.call('GET', '/me', undefined, access)).json(), { email: 'octo@example.com', is_verified: true })
  t.match((await app.call('GET', '/oauth/accounts', undefined, access)).json().items, [{ provider: 'hub', account_id: '583231', email: 'octo@example.com' }])
  const { body } = app.asked.get('/token') as Asked
  t.match(Object.fromEntries(body), { grant_type: 'authorization_code', code: 'a-code', redirect_uri: `${baseUrl}/auth/oauth/hub/callback`, client_id: 'an-application', client_secret: 'a secret: of äpplications' })
  t.match(body.get('code_verifier'), /^[\w-]{43}$/)
  t.equal(app.asked.get('/user')?.authorization, 'Bearer a token of the provider')
  t.equal(app.asked.get('/emails')?.authorization, 'Bearer a token of the provider')
})

t.test('shows its secret as it was configured', async (t) => {
  const basic = await plain(t, { clientAuth: 'client_secret_basic' })
  t.equal((await basic.signIn()).statusCode, 200)
  // RFC 6749, section 2.3.1: each part is encoded as in a form.
  const [id = '', shown = ''] = Buffer.from(String(basic.asked.get('/token')?.authorization).replace('Basic ', ''), 'base64').toString().split(':')
  t.strictSame([id, shown].map((part) => decodeURIComponent(part.replaceAll('+', ' '))), ['an-application', 'a secret: of äpplications'])
  let made = 0
  const signed = await plain(t, { clientSecret: async () => `made ${++made}` })
  await signed.signIn()
  await signed.signIn()
  t.equal(signed.asked.get('/token')?.body.get('client_secret'), 'made 2')
  const open = await plain(t, { clientSecret: undefined as unknown as string })
  t.equal((await open.signIn()).statusCode, 200)
  t.strictSame([open.asked.get('/token')?.body.has('client_secret'), open.asked.get('/token')?.authorization], [false, undefined], 'a public client has none')
  const failing = await plain(t, { clientSecret: () => { throw new Error('c4n4ry') } })
  refused(t, await failing.signIn(), 502, 'OAUTH_PROVIDER_ERROR')
})

t.test('a code that was used before, in the words of GitHub', async (t) => {
  const app = await plain(t)
  app.answers['/token'] = { error: 'bad_verification_code', error_description: 'c4n4ry' }
  refused(t, await app.signIn(), 400, 'OAUTH_STATE_INVALID')
  app.answers['/token'] = { error: 'incorrect_client_credentials' }
  refused(t, await app.signIn(), 502, 'OAUTH_PROVIDER_ERROR')
})

t.test('a function that never answers', async (t) => {
  const app = await plain(t, { clientSecret: async () => await new Promise(() => {}) })
  refused(t, await app.signIn(), 502, 'OAUTH_PROVIDER_ERROR')
})

t.test('an address that is not verified, or none', async (t) => {
  for (const emails of [[], [{ email: 'a@example.com', primary: true, verified: false }], [{ email: 'a@example.com', primary: true, verified: 'true' }], [{ email: 'a@example.com', verified: true }], [null, 'x', { primary: true }], { error: 'x' }, 'x', null]) {
    const app = await plain(t)
    app.answers['/emails'] = emails
    refused(t, await app.signIn(), 401, 'ACCOUNT_UNAVAILABLE')
    t.strictSame(app.happened('user_created'), [])
  }
})

t.test('a profile of the application\'s own making', async (t) => {
  const app = await plain(t, { profile: async ({ login }) => ({ subject: String(login), email: 'own@example.com', emailVerified: true }) }, false)
  const { access_token: access } = (await app.signIn()).json()
  t.match((await app.call('GET', '/oauth/accounts', undefined, access)).json().items, [{ account_id: 'octocat', email: 'own@example.com' }])
  const named = await plain(t, { profile: { subject: 'login', email: 'mail', emailVerified: 'confirmed' } }, false)
  named.answers['/user'] = { login: 'octocat', mail: 'octo@example.com', confirmed: 1 }
  t.equal((await named.signIn()).statusCode, 200)
})

t.test('a profile that names nobody', async (t) => {
  const nobody: Array<[what: string, changes: Partial<OAuthProviderOptions>, user: unknown]> = [
    ['no id', {}, { login: 'x' }],
    ['an id that is no name', {}, { id: { a: 1 } }],
    ['a number that is none', {}, { id: 1.5 }],
    ['a number too large to be told from its neighbours', {}, { id: 2 ** 60 }],
    ['a list', {}, [1]],
    ['null', {}, null],
    ['of the prototype', { profile: { subject: 'constructor' } }, {}],
    ['a function that throws', { profile: () => { throw new Error('c4n4ry') } }, { id: 1 }],
    ['a function that throws a string', { profile: () => { throw 'c4n4ry' } }, { id: 1 }], // eslint-disable-line no-throw-literal
    ['a function that rejects with nothing', { profile: async () => await Promise.reject(undefined) }, { id: 1 }], // eslint-disable-line prefer-promise-reject-errors
    ['a function that answers nothing', { profile: (() => undefined) as unknown as () => { subject: string } }, { id: 1 }],
    ['a server that fails', {}, undefined]
  ]
  for (const [what, changes, user] of nobody) {
    const app = await plain(t, changes)
    app.answers['/user'] = user
    const response = await app.signIn()
    refused(t, response, 502, 'OAUTH_PROVIDER_ERROR', 'The sign-in provider did not answer correctly.')
    t.notMatch(response.payload, /c4n4ry/, what)
    t.strictSame(app.happened('user_created'), [])
  }
})
