import { createLocalJWKSet, createRemoteJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { test } from 'tap'
import { authRoutes, memoryStore } from '../../../index.js'
import { accounts, cheapHash } from '../../accounts.js'
import { audience, build, issuer, secret } from '../../build.js'
import { ALGORITHMS, encrypted, jwkOf, newKey, pairOf, type KeyKind } from '../../keys.js'

const PATH = '/.well-known/jwks.json'

test('another service verifies the tokens of sessions with the published keys', async (t) => {
  for (const kind of Object.keys(ALGORITHMS) as KeyKind[]) {
    const { app, signUp } = await accounts(t, { jwt: { secret: pairOf(newKey(kind)) } }, { jwks: true })
    const { id, access_token: token } = await signUp()
    const response = await app.inject(PATH)
    t.equal(response.statusCode, 200, kind)
    const { payload } = await jwtVerify(token, createLocalJWKSet(response.json() as JSONWebKeySet), { issuer, audience })
    t.equal(payload.sub, id)
  }
})

test('another service fetches the keys over the network, and keeps them for five minutes', async (t) => {
  const { app, signUp } = await accounts(t, { jwt: { secret: pairOf(newKey('P-256')) } }, { jwks: true })
  const { id, access_token: token } = await signUp()
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(PATH, origin)), { issuer, audience })
  t.equal(payload.sub, id)
  const response = await app.inject(PATH)
  t.equal(response.headers['cache-control'], 'public, max-age=300')
  t.match(response.headers['content-type'], /^application\/json/)
})

test('a key set has every member of its keys, none that is private, and those of rotation', async (t) => {
  const [now, before] = [newKey('rsa'), newKey('ed25519')]
  const pair = { public: now.pem.public, private: { key: encrypted(now, 'open sesame'), passphrase: 'open sesame' }, kid: 'summer' }
  const { app } = await accounts(t, { jwt: { secret: [pair, { public: before.pem.public, kid: 'spring' }] } }, { jwks: true })
  const response = await app.inject(PATH)
  t.strictSame(response.json(), {
    keys: [jwkOf(now, { kid: 'summer', use: 'sig' }), jwkOf(before, { kid: 'spring', use: 'sig', alg: 'EdDSA' })]
  })
  t.notMatch(response.payload, /"d":|PRIVATE|open sesame/)
})

test('the keys are for everybody, whatever else is protected, and without the prefix', async (t) => {
  const { app, call } = await accounts(t, { protect: 'all', jwt: { secret: pairOf(newKey('P-256')) } }, { jwks: true })
  t.equal((await app.inject(PATH)).statusCode, 200)
  t.equal((await app.inject({ url: PATH, headers: { authorization: 'Bearer nonsense' } })).statusCode, 200, 'whatever credentials come along')
  t.equal((await call('GET', PATH)).statusCode, 404)
})

test('the keys are not served unless they are asked for', async (t) => {
  for (const routes of [{}, { jwks: false }]) {
    const { app } = await accounts(t, { jwt: { secret: pairOf(newKey('P-256')) } }, routes)
    t.equal((await app.inject(PATH)).statusCode, 404)
  }
})

test('attack: keys of another issuer are not published, for he could sign our tokens with them', async (t) => {
  const [own, partners] = [newKey('P-256'), newKey('P-256')]
  const app = await build(t, {
    issuer: undefined,
    audience: undefined,
    jwt: undefined,
    issuers: [
      { issuer: 'https://partner.example.org', audience, jwt: { secret: { public: partners.pem.public } } },
      { issuer, audience, jwt: { secret: pairOf(own) } }
    ],
    store: memoryStore(),
    passwords: cheapHash
  })
  await app.register(authRoutes, { jwks: true })
  const { keys } = (await app.inject(PATH)).json() as JSONWebKeySet
  t.strictSame(keys.map(({ x }) => x), [jwkOf(own).x])
})

test('with a secret there is nothing to publish, and register() says so without it', async (t) => {
  const app = await build(t, { store: memoryStore(), passwords: cheapHash })
  try {
    await app.register(authRoutes, { jwks: true })
    t.fail('it was registered')
  } catch (error) {
    const { code, option, message } = error as { code: string, option: string, message: string }
    t.strictSame([code, option], ['CONFIGURATION_ERROR', 'jwks'])
    t.match(message, /public, private/)
    t.notMatch(message, secret)
  }
})
