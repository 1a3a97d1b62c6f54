import swagger from '@fastify/swagger'
import type { LightMyRequestResponse } from 'fastify'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { authRoutes, memoryStore } from '../../../index.js'
import { cheapHash, clock, password } from '../../accounts.js'
import { build, refused, secret } from '../../build.js'
import { baseUrl, oauthAccounts, redirectTo, verifierOf, type OAuthApp } from '../../oauth.js'
import { codesOf, documentOf, VERSIONS, type Operation } from '../../openapi/document.js'
import { encryptionKey, enrol } from '../../totp.js'
import { watched } from '../../watched-store.js'

const bearer = ['400 INVALID_AUTHORIZATION_HEADER', '401 ACCOUNT_UNAVAILABLE', '401 AUTHENTICATION_FAILED', '401 MISSING_TOKEN', '401 TOKEN_EXPIRED', '401 TOKEN_INVALID', '401 TOKEN_REVOKED', '503 AUTH_UNAVAILABLE']
const proven = ['400 INVALID_PASSWORD', '400 MFA_SETUP_FAILED', '401 STEP_UP_REQUIRED', '404 USER_NOT_FOUND', '429 RATE_LIMITED']
const body = ['400 REQUEST_INVALID', '413 PAYLOAD_TOO_LARGE', '415 UNSUPPORTED_MEDIA_TYPE']
const completing = ['400 OAUTH_ACCOUNT_ALREADY_LINKED', '400 OAUTH_STATE_INVALID', '401 ACCOUNT_UNAVAILABLE', '409 OAUTH_LINK_REQUIRED', '429 RATE_LIMITED', '502 OAUTH_PROVIDER_ERROR', '503 AUTH_UNAVAILABLE']

/** Exactly what each route can refuse. */
const DOCUMENTED: Record<string, string[]> = {
  'GET /oauth/{provider}/authorize': ['400 REQUEST_INVALID', '502 OAUTH_PROVIDER_ERROR'],
  'GET /oauth/{provider}/callback': [...completing, '400 REQUEST_INVALID'].sort(),
  'POST /oauth/{provider}/callback': [...completing, ...body].sort(),
  'POST /oauth/{provider}/link': [...bearer, ...proven, ...body, '502 OAUTH_PROVIDER_ERROR'].sort(),
  'GET /oauth/accounts': bearer,
  'DELETE /oauth/{provider}': [...bearer, ...proven, ...body, '403 AUTHORIZATION_DENIED'].sort()
}

const oauth = { baseUrl, redirects: [redirectTo], providers: { acme: { issuer: 'https://acme.example', clientId: 'x' }, google: { clientId: 'x' } } }

async function operationsOf (t: Test, version: string, errorHandler?: false): Promise<Record<string, Operation>> {
  const app = await build(t, { store: memoryStore(), passwords: cheapHash, encryptionKey, oauth, ...(errorHandler === false && { errorHandler }) })
  await app.register(swagger, { openapi: { openapi: version, info: { title: 'An API', version: '1.0.0' } } })
  await app.register(authRoutes, { prefix: '/auth' })
  const { paths } = await documentOf(app)
  return Object.fromEntries(Object.entries(paths).filter(([path]) => path.startsWith('/auth/oauth')).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) =>
    [`${method.toUpperCase()} ${path.replace('/auth', '')}`, operation])))
}

const listed = (operation: Operation): string[] => Object.entries(codesOf(operation)).flatMap(([status, codes]) => codes.map((code) => `${status} ${code}`)).sort()

for (const version of VERSIONS) {
  t.test(`OpenAPI ${version}: each route lists what it can refuse, and nothing else`, async (t) => {
    const operations = await operationsOf(t, version)
    t.strictSame(Object.fromEntries(Object.entries(operations).map(([route, operation]) => [route, listed(operation)])), DOCUMENTED)
  })
}

t.test('what is answered when all is well, and who may ask', async (t) => {
  const operations = await operationsOf(t, '3.1.0')
  t.strictSame(Object.fromEntries(Object.entries(operations).map(([route, { responses, security }]) => [route, [Object.keys(responses).filter((status) => status < '400').join(' '), JSON.stringify(security)]])), {
    'GET /oauth/{provider}/authorize': ['302', '[]'],
    'GET /oauth/{provider}/callback': ['200 202 302', '[]'],
    'POST /oauth/{provider}/callback': ['200 202 303', '[]'],
    'POST /oauth/{provider}/link': ['200', '[{"bearerAuth":[]}]'],
    'GET /oauth/accounts': ['200', '[{"bearerAuth":[]}]'],
    'DELETE /oauth/{provider}': ['204', '[{"bearerAuth":[]}]']
  })
  const { parameters, requestBody } = operations['POST /oauth/{provider}/callback'] as Operation & { parameters: object[], requestBody: { content: object } }
  t.match(parameters, [{ name: 'provider', in: 'path', schema: { anyOf: [{ enum: ['acme'] }, { enum: ['google'] }] } }], 'the providers by name')
  t.match(operations['GET /oauth/{provider}/authorize']?.responses['302'], { headers: { Location: { schema: { type: 'string' } } } })
  t.strictSame(Object.keys(requestBody.content), ['application/json', 'application/x-www-form-urlencoded'])
})

t.test('with errorHandler: false, bodies are the application\'s: none is documented', async (t) => {
  for (const operation of Object.values(await operationsOf(t, '3.1.0', false))) t.strictSame(listed(operation), [])
})

/** Sends what is right but for what is changed. */
type Send = (change?: { token?: string | undefined, payload?: object | string, headers?: Record<string, string>, query?: string }) => Promise<LightMyRequestResponse>

interface World extends OAuthApp {
  store: ReturnType<typeof watched>
  pass: (seconds: number) => void
  send: Send
  tokens: Record<'fresh' | 'revoked' | 'deactivated' | 'lapsed' | 'expired' | 'undated' | 'nobody', string>
}

/** How each code is provoked on any route that documents it. */
const PROVOKED: Record<string, (world: World, route: string) => Promise<LightMyRequestResponse>> = {
  REQUEST_INVALID: async ({ send }, route) => await send(route.startsWith('GET') ? { query: '?state=1&state=2&redirect_to=x' } : { payload: '{', headers: { 'content-type': 'application/json' } }),
  PAYLOAD_TOO_LARGE: async ({ send }) => await send({ payload: JSON.stringify('x'.repeat(2 ** 21)), headers: { 'content-type': 'application/json' } }),
  UNSUPPORTED_MEDIA_TYPE: async ({ send }) => await send({ payload: 'x', headers: { 'content-type': 'text/csv' } }),
  INVALID_AUTHORIZATION_HEADER: async ({ send }) => await send({ token: 'a b' }),
  MISSING_TOKEN: async ({ send }) => await send({ token: undefined }),
  TOKEN_EXPIRED: async ({ send, tokens }) => await send({ token: tokens.expired }),
  TOKEN_INVALID: async ({ send }) => await send({ token: 'x' }),
  TOKEN_REVOKED: async ({ send, tokens }) => await send({ token: tokens.revoked }),
  AUTHENTICATION_FAILED: async ({ send, tokens }) => await send({ token: tokens.lapsed }),
  STEP_UP_REQUIRED: async ({ send, tokens }) => await send({ token: tokens.undated }),
  USER_NOT_FOUND: async ({ send, tokens }) => await send({ token: tokens.nobody }),
  INVALID_PASSWORD: async ({ send }) => await send({ payload: { current_password: 'another horse' } }),
  MFA_SETUP_FAILED: async ({ send }) => await send({ payload: { code: '000000' } }),
  ACCOUNT_UNAVAILABLE: async ({ send, tokens, provider }, route) => {
    if (!route.includes('callback')) return await send({ token: tokens.deactivated })
    provider.people.set('ada', {})
    return await send()
  },
  AUTH_UNAVAILABLE: async ({ send, store: { failing } }) => {
    failing.add('sessions.find').add('ephemeral.increment')
    return await send().finally(() => { failing.clear() })
  },
  RATE_LIMITED: async ({ send, store }) => {
    const { increment } = store.ephemeral
    store.ephemeral.increment = async (key, limit) => ({ ...await increment(key, limit), count: limit.limit + 1 })
    return await send({ payload: { current_password: password } }).finally(() => { store.ephemeral.increment = increment })
  },
  AUTHORIZATION_DENIED: async ({ send, signIn }) => await send({ token: (await signIn('ada')).json().access_token }),
  OAUTH_STATE_INVALID: async ({ send }, route) => await send(route.startsWith('GET') ? { query: '?code=x&state=x' } : { payload: { code: 'x', state: 'x', code_verifier: 'x'.repeat(43) } }),
  OAUTH_PROVIDER_ERROR: async ({ send, provider }, route) => {
    provider.answerInstead(route.includes('callback') ? '/token' : '/.well-known/openid-configuration', (response) => { response.destroy() })
    return await send().finally(provider.answerAgain)
  },
  OAUTH_LINK_REQUIRED: async ({ send, app }) => {
    await app.bouncer.users.create({ email: 'ada@example.com' })
    return await send()
  },
  OAUTH_ACCOUNT_ALREADY_LINKED: async ({ call, comeBack, app, beginLink, visit, signUp, tokens }, route) => {
    await app.bouncer.oauth.link((await signUp()).id, { provider: 'acme', subject: 'ada' })
    const { verifier, body } = verifierOf()
    const begun = await beginLink(tokens.fresh, route.startsWith('GET') ? {} : body)
    const query = await visit(begun, 'ada')
    return route.startsWith('GET') ? await comeBack(query, begun.cookie) : await call('POST', '/oauth/acme/callback', { ...Object.fromEntries(new URLSearchParams(query)), code_verifier: verifier })
  }
}

async function makeWorld (t: Test, route: string): Promise<World> {
  const pass = clock(t)
  const store = watched(memoryStore())
  const built = await oauthAccounts(t, {}, { store, encryptionKey, jwt: { secret, accessTokenTtl: 7200, refreshTokenTtl: 3600 } })
  const { app, signUp, begin, visit, comeBack, call } = built
  built.provider.people.set('ada', { email: 'ada@example.com', email_verified: true })
  const sign = (claims: object, expiresIn = 7200): string => app.bouncer.jwt?.sign(claims as never, { expiresIn }) ?? ''
  const expired = sign({ sub: 'x' }, 1)
  const { access_token: lapsed } = await signUp()
  pass(3601)
  const [fresh, revoked, deactivated] = [await signUp(), await signUp(), await signUp()]
  await app.bouncer.logoutAll(revoked.id)
  await app.bouncer.users.update(deactivated.id, { is_active: false })
  const tokens = { fresh: fresh.access_token, revoked: revoked.access_token, deactivated: deactivated.access_token, lapsed, expired, undated: sign({ sub: fresh.id }), nobody: sign({ sub: 'nobody' }) }

  const [method = '', path = ''] = route.replace('{provider}', 'acme').split(' ')
  const send: Send = async ({ payload, headers = {}, query, ...rest } = {}) => {
    const token = 'token' in rest ? rest.token : tokens.fresh
    if (!route.includes('callback') || typeof payload === 'string') return await call(method as 'GET', `${path}${query ?? ''}`, (payload ?? (method === 'GET' ? undefined : {})) as object, token, headers)
    const { verifier, query: own } = verifierOf()
    const begun = await begin(method === 'GET' ? '' : own)
    const answer = query ?? await visit(begun, 'ada')
    if (method === 'GET') return await comeBack(answer, begun.cookie)
    return await call('POST', path, payload !== undefined && 'state' in payload ? payload : { ...Object.fromEntries(new URLSearchParams(answer)), code_verifier: verifier })
  }
  return { ...built, store, pass, send, tokens }
}

for (const [route, refusals] of Object.entries(DOCUMENTED)) {
  t.test(`${route}: every refusal that is documented is made`, async (t) => {
    for (const refusal of refusals) {
      await t.test(refusal, async (t) => {
        const [status, code = ''] = refusal.split(' ')
        const response = await (PROVOKED[code] as typeof PROVOKED[string])(await makeWorld(t, route), route)
        refused(t, response, Number(status), code)
        t.equal('retry-after' in response.headers, status === '429' || status === '503')
      })
    }
    const response = await (await makeWorld(t, route)).send()
    t.ok(response.statusCode < 400, 'unchanged, it is answered')
  })
}

t.test('HEAD uses no attempt up', async (t) => {
  const app = await oauthAccounts(t)
  app.provider.people.set('ada', { email: 'ada@example.com', email_verified: true })
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  t.equal((await app.app.inject({ method: 'HEAD', url: `/auth/oauth/acme/callback${query}`, headers: { cookie: begun.cookie } })).statusCode, 404)
  const response = await app.comeBack(query, begun.cookie)
  t.equal(response.statusCode, 200)
  t.ok(decodeJwt(response.json().access_token).sub)
})

t.test('an answer without a body', async (t) => {
  const app = await oauthAccounts(t)
  for (const headers of [{}, { 'content-type': 'application/json' }, { 'content-type': 'application/x-www-form-urlencoded' }]) {
    const response = await app.app.inject({ method: 'POST', url: '/auth/oauth/acme/callback', headers })
    if (response.statusCode !== 303) refused(t, response, 400, 'REQUEST_INVALID')
    t.equal(response.headers['referrer-policy'], 'no-referrer')
  }
})

t.test('a provider that nobody configured', async (t) => {
  const app = await oauthAccounts(t)
  for (const name of ['evil', 'constructor', '__proto__', 'ACME', 'acme%00']) {
    refused(t, await app.call('GET', `/oauth/${name}/authorize`), 400, 'REQUEST_INVALID')
    const response = await app.call('GET', `/oauth/${name}/callback?state=x`)
    refused(t, response, 400, 'REQUEST_INVALID')
    t.equal(response.headers['referrer-policy'], 'no-referrer')
  }
})

t.test('a second factor in the way of a link is not asked for twice', async (t) => {
  const app = await oauthAccounts(t, {}, { encryptionKey })
  const user = await app.signUp()
  const { recovery_codes: codes } = await enrol(app.app, user.id)
  const begun = await app.beginLink(user.access_token, { code: codes[0] })
  t.equal((await app.comeBack(await app.visit(begun, 'ada'), begun.cookie)).statusCode, 200)
})
