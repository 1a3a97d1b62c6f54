import { test, type Test } from 'tap'
import type { AuthPluginOptions } from '../../index.js'
import { refused } from '../build.js'
import { allRefused, guarded, passed, refusedAs, type Guarded } from '../guarded.js'
import { api, issuerKey, oidcIssuer, type OidcIssuer } from '../oidc-issuer.js'

const [spring, summer, autumn] = ['spring', 'summer', 'autumn'].map(issuerKey) as [ReturnType<typeof issuerKey>, ReturnType<typeof issuerKey>, ReturnType<typeof issuerKey>]
const part = (token: string, index: 0 | 1): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[index] as string, 'base64url').toString())

/** An API that trusts this issuer. */
async function resourceServer (t: Test, issuer: OidcIssuer, jwt: AuthPluginOptions['jwt'] = {}): Promise<Guarded> {
  return await guarded(t, { issuer: issuer.url, audience: api, jwt: { jwksUrl: await issuer.jwksUri(), ...jwt } })
}

test('access tokens of the token endpoint are accepted, by the key set that discovery names', async (t) => {
  const issuer = await oidcIssuer(t, [spring])
  const { app, ask, seen } = await resourceServer(t, issuer)
  app.get('/read', { preHandler: [app.requireScope('read')] }, async () => 'in')
  app.get('/write', { preHandler: [app.requireScope('write')] }, async () => 'in')
  const token = await issuer.accessToken()
  t.match(part(token, 0), { typ: 'at+jwt', alg: 'RS256', kid: 'spring' }, 'it is a JWT access token (RFC 9068)')
  passed(t, await ask(token), 'tests')
  t.strictSame(seen[0]?.scopes, ['read'])
  t.equal(seen[0]?.claims.client_id, 'tests')
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await app.inject({ url: '/read', headers })).statusCode, 200)
  refused(t, await app.inject({ url: '/write', headers }), 403, 'INSUFFICIENT_SCOPE')
})

test('of the tokens of a person who signs in, the access token is accepted and the others are not', async (t) => {
  const issuer = await oidcIssuer(t, [spring])
  const app = await resourceServer(t, issuer)
  const tokens = await issuer.signIn('ada')
  passed(t, await app.ask(tokens.access_token), 'ada')
  app.seen.length = 0
  t.equal(part(tokens.id_token ?? '', 1).sub, 'ada')
  await allRefused(t, app, { 'ID token': tokens.id_token ?? '' }, 'audience')
  await allRefused(t, app, { 'refresh token': tokens.refresh_token ?? '' }, 'malformed')
})

test('an ID token is refused for what it is, also where its audience would fit', async (t) => {
  const issuer = await oidcIssuer(t, [spring])
  const app = await guarded(t, { issuer: issuer.url, audience: [api, 'tests'], jwt: { jwksUrl: await issuer.jwksUri() } })
  const { id_token: idToken = '' } = await issuer.signIn('ada')
  t.equal(part(idToken, 1).aud, 'tests')
  await allRefused(t, app, { 'ID token': idToken }, 'token_type')
})

test('tokens of another issuer, or for another API, are refused', async (t) => {
  const [issuer, other] = await Promise.all([oidcIssuer(t, [spring]), oidcIssuer(t, [spring])])
  const token = await issuer.accessToken()
  const elsewhere = await guarded(t, { issuer: issuer.url, audience: 'https://other.example.com/', jwt: { jwksUrl: await issuer.jwksUri() } })
  await allRefused(t, elsewhere, { 'another audience': token }, 'audience')
  // The same key in both sets: the issuer alone must tell them apart.
  await allRefused(t, await resourceServer(t, other), { 'another issuer': token }, 'issuer')
})

test('key rotation while serving: the new key is found, the old one serves until it leaves the set', async (t) => {
  const issuer = await oidcIssuer(t, [spring])
  const keeping = await resourceServer(t, issuer, { jwksCooldown: 0 })
  const strict = await resourceServer(t, issuer, { jwksMaxAge: 0, jwksCooldown: 0 })
  const old = await issuer.accessToken()
  for (const { ask } of [keeping, strict]) passed(t, await ask(old), 'tests')

  await issuer.rotate([summer, spring])
  const next = await issuer.accessToken()
  t.equal(part(next, 0).kid, 'summer')
  for (const { ask } of [keeping, strict]) {
    passed(t, await ask(next), 'tests', 'the new key')
    passed(t, await ask(old), 'tests', 'the old key')
  }

  await issuer.rotate([autumn, summer])
  refusedAs(t, await strict.ask(old), 'unknown_key', 'a key that left the set')
  passed(t, await strict.ask(next), 'tests')
  passed(t, await keeping.ask(await issuer.accessToken()), 'tests')
  refusedAs(t, await keeping.ask(old), 'unknown_key', 'the set was replaced as a whole')
})

test('the issuer is stopped and started: stale keys serve, then 503, then all is well by itself', async (t) => {
  const issuer = await oidcIssuer(t, [spring])
  const patient = await resourceServer(t, issuer, { jwksMaxAge: 0, jwksCooldown: 0, jwksStaleFor: 600 })
  const strict = await resourceServer(t, issuer, { jwksMaxAge: 0, jwksCooldown: 0, jwksStaleFor: 0 })
  const late = await resourceServer(t, issuer, { jwksCooldown: 0 })
  const token = await issuer.accessToken()
  for (const { ask } of [patient, strict]) passed(t, await ask(token), 'tests')

  await issuer.stop()
  passed(t, await patient.ask(token), 'tests', 'the last set')
  for (const { ask, seen } of [strict, late]) {
    seen.length = 0
    const response = await ask(token)
    refused(t, response, 503, 'AUTH_UNAVAILABLE')
    t.match(response.headers['retry-after'], /^[1-9]\d*$/)
    t.equal(seen.length, 0)
  }

  await issuer.start()
  for (const { ask } of [patient, strict, late]) passed(t, await ask(token), 'tests', 'after the restart')
})
