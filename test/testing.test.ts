import t from 'tap'
import { generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import authPlugin, { ConfigurationError, type AuthPluginOptions } from '../index.js'
import { createIssuer, injectAs, type TestIssuer, type TestIssuerOptions, type TestUser } from '../lib/testing.js'
import { bearer, build, now, refused, server } from './build.js'

async function start (t: Test, options?: TestIssuerOptions): Promise<TestIssuer> {
  const issuer = await createIssuer(options)
  t.teardown(async () => { await issuer.close() })
  return issuer
}

/** An application that trusts `issuer`, with a route that shows its user. */
async function trusting (t: Test, issuer: TestIssuer, overrides: AuthPluginOptions = {}): Promise<FastifyInstance> {
  const app = server(t)
  await app.register(authPlugin, { ...issuer.options, ...overrides })
  app.get('/me', { onRequest: [app.requireUser()] }, async (request) => request.user)
  return app
}

const ask = async (app: FastifyInstance, token: string) => await app.inject({ url: '/me', headers: { authorization: `Bearer ${token}` } })

t.test('createIssuer', async (t) => {
  for (const algorithm of ['ES256', 'RS256', 'EdDSA'] as const) {
    t.test(`its tokens are accepted, its keys fetched over HTTP: ${algorithm}`, async (t) => {
      const issuer = await start(t, { algorithm, audience: 'another-api' })
      const app = await trusting(t, issuer)
      const token = await issuer.token({ sub: 'ada', roles: ['admin'], tenant: 7 })
      t.match(decodeProtectedHeader(token), { alg: algorithm, typ: 'at+jwt', kid: /./ })
      const user = (await ask(app, token)).json()
      t.match(user, { id: 'ada', roles: ['admin'], claims: { iss: issuer.issuer, aud: 'another-api', tenant: 7 } })
      t.equal(user.claims.exp - user.claims.iat, 900, 'valid for a quarter of an hour')
    })
  }

  t.test('listens on loopback, and shows no private key', async (t) => {
    const issuer = await start(t)
    t.match(issuer.issuer, /^http:\/\/127\.0\.0\.1:\d+$/)
    t.equal(issuer.audience, 'my-api')
    t.strictSame(issuer.options, { issuer: issuer.issuer, audience: 'my-api', jwt: { jwksUrl: issuer.jwksUrl, jwksCooldown: 0 } })
    const response = await fetch(issuer.jwksUrl)
    t.equal(response.headers.get('content-type'), 'application/json')
    const { keys } = await response.json() as { keys: object[] }
    t.strictSame(keys.map((key) => Object.keys(key).sort()), [['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']])
    t.equal((await fetch(`${issuer.issuer}/elsewhere`)).status, 404)
  })

  t.test('two issuers do not accept each other\'s tokens', async (t) => {
    const [ours, theirs] = [await start(t), await start(t)]
    const app = await trusting(t, ours)
    refused(t, await ask(app, await theirs.token({ iss: ours.issuer })), 401, 'TOKEN_INVALID', 'Invalid token: No public key found')
  })

  t.test('makes tokens that are refused: expired, without a claim, of another kind', async (t) => {
    const issuer = await start(t)
    const app = await trusting(t, issuer)
    refused(t, await ask(app, await issuer.token({}, { expiresIn: -1 })), 401, 'TOKEN_EXPIRED')
    refused(t, await ask(app, await issuer.token({ exp: now() - 1 })), 401, 'TOKEN_EXPIRED')
    refused(t, await ask(app, await issuer.token({ sub: undefined })), 401, 'TOKEN_INVALID', 'Invalid token: Missing or invalid claim')
    refused(t, await ask(app, await issuer.token({ aud: 'another-api' })), 401, 'TOKEN_INVALID', 'Invalid token: Invalid audience')
    refused(t, await ask(app, await issuer.token({}, { header: { typ: 'logout+jwt' } })), 401, 'TOKEN_INVALID', 'Invalid token: Unexpected token type')
    refused(t, await ask(app, await issuer.token({}, { header: { kid: 'unknown' } })), 401, 'TOKEN_INVALID', 'Invalid token: No public key found')
    t.equal((await ask(app, await issuer.token({}, { header: { kid: undefined } }))).statusCode, 200, 'a token without a key id is tried with the key there is')
  })

  t.test('rotates: new tokens pass at once, earlier ones go on', async (t) => {
    const issuer = await start(t)
    const app = await trusting(t, issuer)
    const before = await issuer.token()
    t.equal((await ask(app, before)).statusCode, 200)
    await issuer.rotate()
    const after = await issuer.token()
    t.not(decodeProtectedHeader(after).kid, decodeProtectedHeader(before).kid)
    t.equal((await ask(app, after)).statusCode, 200)
    t.equal((await ask(app, before)).statusCode, 200)
  })

  t.test('rotates with keep: false: earlier tokens are refused', async (t) => {
    const issuer = await start(t)
    const app = await trusting(t, issuer)
    const before = await issuer.token()
    t.equal((await ask(app, before)).statusCode, 200)
    await issuer.rotate({ keep: false })
    t.equal((await ask(app, await issuer.token())).statusCode, 200)
    refused(t, await ask(app, before), 401, 'TOKEN_INVALID', 'Invalid token: No public key found')
  })

  t.test('closed, its keys cannot be had: 503', async (t) => {
    const issuer = await start(t)
    const app = await trusting(t, issuer)
    await issuer.close()
    await t.resolves(issuer.close(), 'twice is no mistake')
    refused(t, await ask(app, await issuer.token()), 503, 'AUTH_UNAVAILABLE')
  })

  t.test('says so when it cannot listen', async (t) => {
    const { createIssuer } = await t.mockImport<typeof import('../lib/testing.js')>('../lib/testing.js', {
      'node:http': {
        createServer: () => ({
          once (_event: string, listener: (error: Error) => void) {
            listener(new Error('no port is left'))
            return this
          },
          listen () {}
        })
      }
    })
    await t.rejects(createIssuer(), { message: 'no port is left' })
  })
})

/** Injects as `user` and returns what the application made of it. */
async function seen (app: FastifyInstance, user: TestUser, issuer?: TestIssuer): Promise<unknown> {
  const { claims: _, ...shown } = (await injectAs(app, user, '/me', issuer)).json()
  return shown
}

const everything: TestUser = { id: 'ada', roles: ['admin'], groups: ['staff'], scopes: ['read', 'write'], email: 'ada@example.com' }
const shown = { ...everything, method: 'bearer' }
const nothing = { id: 'user-1', roles: [], groups: [], scopes: [], method: 'bearer' }

t.test('injectAs', async (t) => {
  t.test('signs with the application\'s own secret', async (t) => {
    const app = await build(t)
    app.get('/me', { onRequest: [app.requireUser()] }, async (request) => request.user)
    t.strictSame(await seen(app, everything), shown)
    t.strictSame(await seen(app, {}), nothing)
  })

  t.test('signs with the application\'s own key pair', async (t) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
    const app = await build(t, { jwt: { secret: { public: publicKey, private: privateKey } } })
    app.get('/me', { onRequest: [app.requireUser()] }, async (request) => request.user)
    t.strictSame(await seen(app, everything), shown)
  })

  t.test('has the issuer sign where the application cannot', async (t) => {
    const issuer = await start(t)
    const app = await trusting(t, issuer)
    t.strictSame(await seen(app, everything, issuer), shown)
    t.strictSame(await seen(app, {}, issuer), nothing)
  })

  t.test('works where the plugin leaves the instance alone', async (t) => {
    const app = await build(t, { decorate: false })
    app.get('/me', { onRequest: [app.bouncer.guards.requireUser()] }, async (request) => request.user)
    t.strictSame(await seen(app, { id: 'ada' }), { ...nothing, id: 'ada' })
  })

  t.test('other claims go along, and feed a role resolver', async (t) => {
    const app = await build(t, { roles: (claims) => (claims.realm_access as { roles: string[] }).roles })
    app.get('/me', { onRequest: [app.requireRole('editor')] }, async (request) => request.user)
    const response = await injectAs(app, { id: 'eddie', claims: { realm_access: { roles: ['editor'] }, tenant: 7 } }, '/me')
    t.match(response.json(), { id: 'eddie', roles: ['editor'], claims: { tenant: 7 } })
  })

  t.test('refusals come as they would: no role, no token', async (t) => {
    const app = await build(t)
    app.get('/admin', { onRequest: [app.requireRole('admin')] }, async () => t.fail('the handler must not run'))
    refused(t, await injectAs(app, { roles: ['viewer'] }, '/admin'), 403, 'INSUFFICIENT_ROLES')
    refused(t, await injectAs(app, null, '/admin'), 401, 'MISSING_TOKEN')
  })

  t.test('passes on method, body and headers, except for another\'s credentials', async (t) => {
    const app = await build(t)
    app.post('/notes', { onRequest: [app.requireUser()] }, async (request) => ({ by: request.user?.id, body: request.body, trace: request.headers['x-trace'] }))
    const request = { method: 'POST' as const, url: '/notes', payload: { text: 'hello' }, headers: { 'x-trace': 'abc', Authorization: bearer({ sub: 'somebody-else' }).authorization } }
    const { Authorization } = request.headers
    t.strictSame((await injectAs(app, { id: 'vera' }, request)).json(), { by: 'vera', body: { text: 'hello' }, trace: 'abc' })
    refused(t, await injectAs(app, null, request), 401, 'MISSING_TOKEN', 'Missing or invalid Authorization header')
    t.equal(request.headers.Authorization, Authorization, 'what it was given is left as it was')
  })

  t.test('says what is missing where nobody can sign', async (t) => {
    const app = await trusting(t, await start(t))
    await t.rejects(injectAs(app, {}, '/me'), { constructor: ConfigurationError, option: 'issuer', message: /createIssuer/ })
    await t.rejects(injectAs(server(t), {}, '/me'), /createIssuer/, 'nor without the plugin')
  })

  t.test('a scope is a string, and no scopes is no claim', async (t) => {
    const app = await build(t)
    app.get('/me', { onRequest: [app.requireUser()] }, async (request) => request.user?.claims)
    t.equal((await injectAs(app, { scopes: ['read', 'write'] }, '/me')).json().scope, 'read write')
    t.notOk('scope' in (await injectAs(app, {}, '/me')).json())
  })
})
