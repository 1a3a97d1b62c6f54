import { test, type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import type { AuthPluginOptions, ClaimProvider, User } from '../../index.js'
import { createIssuer, type TestIssuer } from '../../lib/testing.js'
import { build, claims, forge, secret } from '../build.js'
import { allRefused, guard, passed, refusedAs, type Guarded } from '../guarded.js'

type Payload = Record<string, unknown>
type Principal = Omit<User, 'claims' | 'method'>

interface Served extends Guarded {
  issuer: TestIssuer
  /** A token with these claims, and nothing of its kind in its header. */
  token (claims: Payload): Promise<string>
}

/** An API that takes tokens of an issuer on loopback, whose keys it fetches. */
async function serve (t: Test, audience: string | string[], options: Partial<AuthPluginOptions>): Promise<Served> {
  const issuer = await createIssuer()
  t.teardown(async () => { await issuer.close() })
  const app = await build(t, { ...issuer.options, audience, ...options, jwt: { ...issuer.options.jwt, ...options.jwt } })
  return { ...guard(app), issuer, token: async (claims) => await issuer.token(claims, { header: { typ: 'JWT' } }) }
}

async function statusOf (app: FastifyInstance, url: string, token: string): Promise<string> {
  const response = await app.inject({ url, headers: { authorization: `Bearer ${token}` } })
  return response.statusCode === 200 ? '200' : `${response.statusCode} ${response.json().extra.code}`
}

const sub = '0b7e9e6a-5a4e-4f7c-9d4e-2f1f8a3c1d55'

/** Payloads as the providers make them, for a person and for a machine, and who these are. */
const providers: Record<ClaimProvider, { audience: string, person: Payload, ada: Principal, machine: Payload, job: Principal }> = {
  keycloak: {
    audience: 'orders-api',
    person: {
      sub,
      aud: ['orders-api', 'account'],
      typ: 'Bearer',
      azp: 'shop',
      sid: 'f0c5',
      acr: '1',
      realm_access: { roles: ['offline_access', 'clerk'] },
      resource_access: { 'orders-api': { roles: ['refunder'] }, shop: { roles: ['shop-admin'] }, account: { roles: ['manage-account'] } },
      groups: ['/staff'],
      scope: 'openid email orders:read',
      preferred_username: 'ada',
      email: 'ada@example.com'
    },
    ada: { id: sub, roles: ['offline_access', 'clerk', 'refunder'], groups: ['/staff'], scopes: ['openid', 'email', 'orders:read'], email: 'ada@example.com', clientId: 'shop' },
    machine: { sub, aud: 'orders-api', typ: 'Bearer', azp: 'Nightly-Job', realm_access: { roles: ['reader'] }, scope: 'orders:read', preferred_username: 'service-account-nightly-job', clientHost: '10.0.0.1', client_id: 'Nightly-Job' },
    job: { id: sub, roles: ['reader'], groups: [], scopes: ['orders:read'], clientId: 'Nightly-Job', machine: true }
  },
  auth0: {
    audience: 'https://api.example.com/',
    person: { sub: 'auth0|6553da60a54af58e29493993', aud: ['https://api.example.com/', 'https://tenant.auth0.com/userinfo'], azp: 'K1AUPhZq8mRi0Q0p', scope: 'openid read:orders', permissions: ['read:orders', 'refund:orders'], 'https://example.com/roles': ['clerk'] },
    ada: { id: 'auth0|6553da60a54af58e29493993', roles: ['read:orders', 'refund:orders'], groups: [], scopes: ['openid', 'read:orders'], clientId: 'K1AUPhZq8mRi0Q0p' },
    machine: { sub: 'awZfdIir8YFdGZWk@clients', aud: 'https://api.example.com/', azp: 'awZfdIir8YFdGZWk', gty: 'client-credentials', scope: 'read:orders', permissions: ['read:orders'] },
    job: { id: 'awZfdIir8YFdGZWk@clients', roles: ['read:orders'], groups: [], scopes: ['read:orders'], clientId: 'awZfdIir8YFdGZWk', machine: true }
  },
  okta: {
    audience: 'api://default',
    person: { ver: 1, jti: 'AT.0mP4', sub: 'ada@example.com', aud: 'api://default', cid: '0oabucvyc38HLL1ef0h7', uid: '00uid4BxXw6I6TV4m0g3', scp: ['openid', 'orders:read'], groups: ['Everyone', 'Staff'], roles: ['clerk'] },
    ada: { id: 'ada@example.com', roles: ['clerk'], groups: ['Everyone', 'Staff'], scopes: ['openid', 'orders:read'], clientId: '0oabucvyc38HLL1ef0h7' },
    machine: { ver: 1, jti: 'AT.1mP4', sub: '0oajob', aud: 'api://default', cid: '0oajob', scp: ['orders:read'] },
    job: { id: '0oajob', roles: [], groups: [], scopes: ['orders:read'], clientId: '0oajob', machine: true }
  },
  entra: {
    audience: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
    person: { sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ', aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3', oid: '00000000-0000-0000-66f3-3332eca7ea81', azp: 'b14a7505', azpacr: '0', scp: 'Orders.Read Orders.Write', roles: ['Clerk'], groups: ['0760b6cf-170e-4a14-91b3-4b78e0739963'], idtyp: 'user', ver: '2.0' },
    ada: { id: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ', roles: ['Clerk'], groups: ['0760b6cf-170e-4a14-91b3-4b78e0739963'], scopes: ['Orders.Read', 'Orders.Write'], clientId: 'b14a7505' },
    machine: { sub, aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3', oid: sub, appid: 'a8b7', appidacr: '1', roles: ['Orders.Read.All'], idtyp: 'app', ver: '1.0' },
    job: { id: sub, roles: ['Orders.Read.All'], groups: [], scopes: [], clientId: 'a8b7', machine: true }
  },
  cognito: {
    audience: '7m1234abcdefghij',
    person: { sub, aud: undefined, 'cognito:groups': ['clerks', 'staff'], client_id: '7m1234abcdefghij', token_use: 'access', scope: 'aws.cognito.signin.user.admin orders/read', username: 'ada', version: 2, origin_jti: 'f5e6', event_id: 'e1f2', auth_time: 1_700_000_000 },
    ada: { id: sub, roles: ['clerks', 'staff'], groups: ['clerks', 'staff'], scopes: ['aws.cognito.signin.user.admin', 'orders/read'], clientId: '7m1234abcdefghij' },
    machine: { sub: '7m1234abcdefghij', aud: undefined, client_id: '7m1234abcdefghij', token_use: 'access', scope: 'orders/read', version: 2 },
    job: { id: '7m1234abcdefghij', roles: [], groups: [], scopes: ['orders/read'], clientId: '7m1234abcdefghij', machine: true }
  }
}

for (const [name, { audience, person, ada, machine, job }] of Object.entries(providers)) {
  test(`${name}: who people and machines are, and what guards say to them`, async (t) => {
    const { app, ask, token, seen } = await serve(t, audience, { claims: name as ClaimProvider })
    const wanted: Array<[url: string, list: 'roles' | 'groups' | 'scopes', code: string]> = [['/role', 'roles', 'ROLES'], ['/group', 'groups', 'GROUPS'], ['/scope', 'scopes', 'SCOPE']]
    const last = (list: readonly string[]): string => list.at(-1) ?? 'of nobody'
    app.get('/role', { onRequest: app.requireRole(last(ada.roles)) }, async () => 'in')
    app.get('/group', { onRequest: app.requireGroup(last(ada.groups)) }, async () => 'in')
    app.get('/scope', { onRequest: app.requireScope(last(ada.scopes)) }, async () => 'in')
    app.get('/other', { onRequest: app.requireRole('shop-admin', 'manage-account', 'user', 'admin') }, async () => 'in')
    for (const [claims, principal] of [[person, ada], [machine, job]] as const) {
      const text = await token(claims)
      passed(t, await ask(text), principal.id)
      const { claims: shown, method, ...found } = seen.at(-1) as User
      t.strictSame(found, principal)
      t.match(shown, JSON.parse(JSON.stringify(claims)))
      for (const [url, list, code] of wanted) {
        const has = principal[list].includes(last(ada[list]))
        t.equal(await statusOf(app, url, text), has ? '200' : `403 INSUFFICIENT_${code}`, url)
      }
      t.equal(await statusOf(app, '/other', text), '403 INSUFFICIENT_ROLES')
    }
  })
}

test('an issuer without the option reads the names of the standards, and no others', async (t) => {
  const { ask, token, seen } = await serve(t, 'my-api', {})
  passed(t, await ask(await token({ realm_access: { roles: ['admin'] }, permissions: ['admin'], 'cognito:groups': ['admin'], cid: 'x', appid: 'x', idtyp: 'app', gty: 'client-credentials' })))
  const { claims, ...found } = seen[0] as User
  t.strictSame(found, { id: 'user-1', roles: [], groups: [], scopes: [], method: 'bearer' })
})

test('of several issuers, each has claims of its own', async (t) => {
  const [keycloak, okta] = await Promise.all([createIssuer(), createIssuer()])
  t.teardown(async () => { await Promise.all([keycloak.close(), okta.close()]) })
  const app = await build(t, { issuer: undefined, audience: undefined, jwt: undefined, issuers: [{ ...keycloak.options, claims: 'keycloak' }, { ...okta.options, claims: 'okta' }] })
  const { ask, seen } = guard(app)
  const claims = { realm_access: { roles: ['clerk'] }, groups: ['g'], scp: ['s'], scope: 'k', azp: 'a', cid: 'c' }
  for (const issuer of [keycloak, okta]) passed(t, await ask(await issuer.token(claims)))
  t.match(seen, [{ roles: ['clerk'], scopes: ['k'], clientId: 'a' }, { roles: [], scopes: ['s'], clientId: 'c' }])
})

test('a role resolver wins over the roles of a preset; groups, scopes and the client stay', async (t) => {
  const { audience, person } = providers.cognito
  for (const roles of [() => ['resolved'], async () => ['resolved']]) {
    const { ask, token, seen } = await serve(t, audience, { claims: 'cognito', roles })
    passed(t, await ask(await token(person)), sub)
    t.match(seen[0], { roles: ['resolved'], groups: ['clerks', 'staff'], scopes: ['aws.cognito.signin.user.admin', 'orders/read'], clientId: audience })
  }
})

test('a preset with claims of the application\'s own beside it', async (t) => {
  const { audience, person, ada } = providers.auth0
  const { ask, token, seen } = await serve(t, audience, { claims: { preset: 'auth0', roles: [['permissions'], ['https://example.com/roles']] } })
  passed(t, await ask(await token(person)), ada.id)
  t.match(seen[0], { ...ada, roles: ['read:orders', 'refund:orders', 'clerk'] })
})

test('cognito: tokens of another app client, and of none', async (t) => {
  const { audience, person } = providers.cognito
  const served = await serve(t, ['first', audience], { claims: 'cognito' })
  const tokens: Record<string, Payload> = {
    'another client': { ...person, client_id: 'another' },
    'another client, though aud is right': { ...person, client_id: 'another', aud: audience },
    'the client in aud alone': { ...person, client_id: undefined, aud: audience },
    'no client': { ...person, client_id: undefined },
    'a list with the client': { ...person, client_id: [audience] },
    'a list with another client too': { ...person, client_id: ['another', audience] },
    'two clients in one text': { ...person, client_id: `first ${audience}` },
    'an empty client': { ...person, client_id: '' },
    'the right client, and another resource': { ...person, aud: 'https://other.example.com' },
    'the right client, and aud of null': { ...person, aud: null },
    'the client in __proto__': JSON.parse(JSON.stringify({ ...person, client_id: undefined }).replace(/}$/, `,"__proto__":{"client_id":"${audience}"}}`))
  }
  const signed = Object.fromEntries(await Promise.all(Object.entries(tokens).map(async ([what, claims]) => [what, await served.token({ aud: undefined, ...claims })])))
  await allRefused(t, served, signed, 'audience')
  for (const client of ['first', audience]) passed(t, await served.ask(await served.token({ ...person, client_id: client })), sub)
  passed(t, await served.ask(await served.token({ ...person, aud: ['https://other.example.com', 'first'] })), sub, 'a resource that is ours besides')
})

test('cognito: refresh tokens, ID tokens, and tokens that do not say what they are', async (t) => {
  const { audience, person } = providers.cognito
  const idToken = { sub, aud: audience, 'cognito:username': 'ada', 'cognito:groups': ['clerks'], token_use: 'id', email: 'ada@example.com', at_hash: 'h' }
  const others: Record<string, Payload> = {
    refresh: { ...person, token_use: 'refresh' },
    'no mark': { ...person, token_use: undefined },
    'another mark alone': { ...person, token_use: undefined, typ: 'Bearer' },
    'a mark in capitals': { ...person, token_use: 'Access' },
    'what means the same elsewhere': { ...person, token_use: 'bearer' },
    'a list': { ...person, token_use: ['access'] },
    'marks that contradict each other': { ...person, token_use: 'access', typ: 'Refresh' }
  }
  const signedBy = async (served: Served, tokens: Record<string, Payload>) => Object.fromEntries(await Promise.all(Object.entries(tokens).map(async ([what, claims]) => [what, await served.token(claims)])))
  const strict = await serve(t, audience, { claims: 'cognito' })
  await allRefused(t, strict, await signedBy(strict, { ...others, 'an ID token': idToken }), 'token_type')
  await allRefused(t, strict, await signedBy(strict, { 'unmarked, with aud alone': { ...idToken, token_use: undefined } }), 'audience')

  const lenient = await serve(t, audience, { claims: 'cognito', jwt: { tokenUse: ['access', 'id'] } })
  await allRefused(t, lenient, await signedBy(lenient, { ...others, 'unmarked, with a nonce': { ...person, token_use: undefined, nonce: 'n' } }), 'token_type')
  await allRefused(t, lenient, await signedBy(lenient, { 'an ID token of another client': { ...idToken, aud: 'another' }, 'an ID token with client_id alone': { ...idToken, aud: undefined, client_id: audience } }), 'audience')
  passed(t, await lenient.ask(await lenient.token(idToken)), sub)
  t.match(lenient.seen[0], { roles: ['clerks'], groups: ['clerks'], email: 'ada@example.com', clientId: audience })
  passed(t, await lenient.ask(await lenient.token(person)), sub)

  const identity = await serve(t, audience, { claims: 'cognito', jwt: { tokenUse: ['id'] } })
  refusedAs(t, await identity.ask(await identity.token(person)), 'token_type')
})

test('entra: an ID token of an API that is its own client, with neither nonce nor at_hash', async (t) => {
  const { audience, person } = providers.entra
  const idToken = { sub, aud: audience, oid: sub, roles: ['Clerk'], preferred_username: 'ada@example.com', ver: '2.0' }
  const served = await serve(t, audience, { claims: 'entra' })
  await allRefused(t, served, { 'an ID token': await served.token(idToken), 'with azp in __proto__': await served.token(JSON.parse(JSON.stringify(idToken).replace(/}$/, ',"__proto__":{"azp":"x"}}'))) }, 'token_type')
  const lenient = await serve(t, audience, { claims: 'entra', jwt: { tokenUse: ['access', 'id'] } })
  passed(t, await lenient.ask(await lenient.token(idToken)), sub)
  passed(t, await lenient.ask(await lenient.token(person)), String(person.sub))
})

test('keycloak: ID and refresh tokens, and a token for another API of the realm', async (t) => {
  const { audience, person } = providers.keycloak
  const served = await serve(t, audience, { claims: 'keycloak' })
  await allRefused(t, served, { 'an ID token': await served.token({ ...person, typ: 'ID' }), 'a refresh token': await served.token({ ...person, typ: 'Refresh' }) }, 'token_type')
  await allRefused(t, served, { 'for its client alone': await served.token({ ...person, aud: 'account' }), 'for nobody': await served.token({ ...person, aud: undefined }) }, 'audience')
})

test('keycloak: client roles count for the audiences that the token is for, and no others', async (t) => {
  const { ask, token, seen } = await serve(t, ['orders-api', 'billing-api'], { claims: 'keycloak' })
  const claims = { azp: 'shop', resource_access: { 'orders-api': { roles: ['refunder'] }, 'billing-api': { roles: ['auditor'] }, shop: { roles: ['admin'] } } }
  for (const aud of ['orders-api', ['billing-api'], ['orders-api', 'billing-api', 'shop']]) passed(t, await ask(await token({ ...claims, aud })))
  t.strictSame(seen.map(({ roles }) => roles), [['refunder'], ['auditor'], ['refunder', 'auditor']])
})

test('whoever is named like a machine is none', async (t) => {
  const people: Array<[ClaimProvider, Payload]> = [
    ['keycloak', { azp: 'shop', preferred_username: 'service-account-shop' }],
    ['keycloak', { azp: 'shop', preferred_username: 'service-account-shop', client_id: 'other' }],
    ['keycloak', { azp: 'shop', preferred_username: 'ada', client_id: 'shop', clientId: 'shop' }],
    ['keycloak', { preferred_username: 'service-account-undefined', client_id: 'undefined' }],
    ['auth0', { sub: 'auth0|x@clients', azp: 'x' }],
    ['auth0', { sub: '@clients' }],
    ['auth0', { sub: 'auth0|x', azp: 'x', gty: ['client-credentials'] }],
    ['auth0', { sub: 'auth0|x', azp: 'x', gty: 'refresh_token' }],
    ['okta', { sub: '00u', cid: '0oa' }],
    ['okta', { sub: 'undefined' }],
    ['entra', { azp: 'x', idtyp: 'user' }],
    ['entra', { azp: 'x', idtyp: ['app'] }],
    ['cognito', { aud: undefined, sub: 'my-api', client_id: 'my-api', token_use: 'access', username: 'ada' }],
    ['cognito', { aud: undefined, sub: 'my-api', client_id: 'my-api', token_use: 'access', username: null }],
    ['cognito', { aud: undefined, sub: 'ada', client_id: 'my-api', token_use: 'access' }]
  ]
  for (const [claims, payload] of people) {
    const { ask, token, seen } = await serve(t, 'my-api', { claims })
    const { statusCode } = await ask(await token(payload))
    t.equal(statusCode, 200)
    t.notOk('machine' in (seen[0] as User), `${claims}: ${JSON.stringify(payload)}`)
  }
})

test('older versions of keycloak, auth0 in the profile of RFC 9068', async (t) => {
  const machines: Array<[ClaimProvider, Payload]> = [
    ['keycloak', { azp: 'job', preferred_username: 'service-account-job', clientId: 'job' }],
    ['auth0', { sub: 'x@clients', client_id: 'x' }],
    ['auth0', { sub: 'x', gty: 'client-credentials' }]
  ]
  for (const [claims, payload] of machines) {
    const { ask, token, seen } = await serve(t, 'my-api', { claims })
    await ask(await token(payload))
    t.match(seen, [{ machine: true }], `${claims}: ${JSON.stringify(payload)}`)
  }
})

test('lists of wrong types are no names: a text is not split into characters', async (t) => {
  const broken: unknown[] = ['admin', 'a', { 0: 'admin', length: 1 }, { roles: 'admin' }, [['admin']], [{ name: 'admin' }], 0, null, true, 'admin user']
  for (const [claims, wrap] of [
    ['cognito', (value: unknown) => ({ 'cognito:groups': value })],
    ['keycloak', (value: unknown) => ({ realm_access: { roles: value }, groups: value, azp: 'x' })],
    ['keycloak', (value: unknown) => ({ realm_access: value, resource_access: { 'my-api': value }, azp: 'x' })],
    ['keycloak', (value: unknown) => ({ resource_access: value, azp: 'x' })],
    ['auth0', (value: unknown) => ({ permissions: value })],
    ['okta', (value: unknown) => ({ groups: value, roles: value })],
    ['entra', (value: unknown) => ({ groups: value, roles: value, azp: 'x' })]
  ] as Array<[ClaimProvider, (value: unknown) => Payload]>) {
    const { ask, token, seen } = await serve(t, 'my-api', { claims })
    const kind = claims === 'cognito' ? { aud: undefined, client_id: 'my-api', token_use: 'access' } : {}
    for (const value of broken) passed(t, await ask(await token({ ...kind, ...wrap(value) })))
    for (const { roles, groups } of seen) t.strictSame([roles, groups], [[], []])
  }
})

test('with jwt.decorate, jwtVerify takes what guards take, and nothing else', async (t) => {
  const { audience, person } = providers.cognito
  const app = await build(t, { audience, claims: 'cognito', jwt: { secret, decorate: true, tokenUse: ['access', 'id'] } })
  app.get('/verify', async (request) => { await (request as unknown as { jwtVerify (): Promise<unknown> }).jwtVerify() })
  const { jwt } = app as unknown as { jwt: { verify (token: string): Promise<Payload> } }
  const statusWith = async (changes: Payload) => {
    const text = forge({ alg: 'HS256' }, claims({ ...person, ...changes }))
    const verified = await jwt.verify(text).then(() => 200, () => 401)
    t.equal((await app.inject({ url: '/verify', headers: { authorization: `Bearer ${text}` } })).statusCode, verified)
    return verified
  }
  t.equal(await statusWith({}), 200)
  t.equal(await statusWith({ token_use: 'id', client_id: undefined, aud: audience }), 200)
  t.equal(await statusWith({ client_id: 'another' }), 401)
  t.equal(await statusWith({ aud: 'another' }), 401)
  t.equal(await statusWith({ token_use: undefined }), 401)
})
