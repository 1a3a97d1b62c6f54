import { test } from 'tap'
import { memoryStore, validateOptions, type AuthPluginOptions, type ClaimMap } from '../../index.js'
import { readClaimMap, valueAt } from '../../lib/token/claim-reader.js'
import { build, bearer, options } from '../build.js'

const read = (claims: object, map: ClaimMap, audience = ['my-api']) => {
  const { reader } = readClaimMap(map, audience)
  const payload = claims as Record<string, unknown>
  const client = reader.client(payload)
  return { roles: reader.roles(payload), groups: reader.groups(payload), scopes: reader.scopes(payload), client, machine: reader.isMachine(payload, client) }
}

test('a path is a list of names, which may hold anything', (t) => {
  const claims = { 'https://example.com/roles': ['a'], 'realm.access': { roles: ['b'] }, realm: { access: { roles: ['c'] } }, '': { '': ['d'] } }
  t.strictSame(read(claims, { roles: [['https://example.com/roles']] }).roles, ['a'])
  t.strictSame(read(claims, { roles: [['realm.access', 'roles']] }).roles, ['b'])
  t.strictSame(read(claims, { roles: [['realm', 'access', 'roles']] }).roles, ['c'])
  t.strictSame(read(claims, { roles: [['realm.access.roles'], ['realm/access/roles']] }).roles, [])
  t.strictSame(read(claims, { roles: [['', '']] }).roles, ['d'])
  t.end()
})

test('several paths add up, each name once; no path gives nothing', (t) => {
  const claims = { a: ['x', 'y'], b: { c: ['y', 'z'] }, roles: ['left'], role: 'left', groups: ['left'], scope: 'left' }
  t.strictSame(read(claims, { roles: [['a'], ['b', 'c'], ['missing', 'c']], groups: [['b', 'c'], ['a']], scopes: [['a']] }), { roles: ['x', 'y', 'z'], groups: ['y', 'z', 'x'], scopes: ['x', 'y'], client: undefined, machine: false })
  t.strictSame(read(claims, { roles: [], groups: [], scopes: [], clientId: [], machines: [] }), { roles: [], groups: [], scopes: [], client: undefined, machine: false })
  t.end()
})

test('what a map leaves out is that of the preset, or else of the standards', (t) => {
  const claims = { sub: 'job', roles: ['r'], groups: ['g'], scope: 's', client_id: 'job', cid: 'other', scp: ['o'] }
  t.strictSame(read(claims, {}), { roles: ['r'], groups: ['g'], scopes: ['s'], client: 'job', machine: true })
  t.strictSame(read(claims, { roles: [['scp']] }), { roles: ['o'], groups: ['g'], scopes: ['s'], client: 'job', machine: true })
  t.strictSame(read(claims, { preset: 'okta' }), { roles: ['r'], groups: ['g'], scopes: ['o'], client: 'other', machine: false })
  t.strictSame(read(claims, { preset: 'okta', clientId: [['client_id']], groups: undefined }), { roles: ['r'], groups: ['g'], scopes: ['o'], client: 'job', machine: true })
  t.end()
})

test('scopes are lists or texts with spaces between; lists of names are no texts', (t) => {
  const claims = { text: 'a  b', list: ['b c', 'd'], number: 7 }
  t.strictSame(read(claims, { scopes: [['text'], ['list'], ['number']] }).scopes, ['a', 'b', 'b c', 'd'])
  t.strictSame(read(claims, { roles: [['text']], groups: [['text']] }), { roles: [], groups: [], scopes: [], client: undefined, machine: false })
  t.end()
})

test('own members of objects only', (t) => {
  const hostile = JSON.parse('{"__proto__": {"roles": ["admin"]}, "a": {"__proto__": {"roles": ["admin"]}}, "list": ["x", {"roles": ["admin"]}], "text": "admin", "null": null}')
  for (const path of [['roles'], ['a', 'roles'], ['list', '1', 'roles'], ['list', 'length'], ['list', '0'], ['text', 'length'], ['text', '0'], ['null', 'roles'], ['constructor', 'name'], ['a', 'constructor'], ['toString'], ['missing', 'roles']]) {
    t.equal(valueAt(hostile, path), undefined, path.join('.'))
    t.strictSame(read(hostile, { roles: [path] }).roles, [])
  }
  t.strictSame(valueAt(hostile, ['__proto__', 'roles']), ['admin'], 'a claim of that name is a claim like others')
  t.strictSame(valueAt(hostile, []), hostile)
  t.end()
})

test('{audience} stands for each audience that the token is for', (t) => {
  const claims = { aud: ['two', 'three'], roles: { one: ['1'], two: ['2'], three: ['3'], '{audience}': ['4'] } }
  t.strictSame(read(claims, { roles: [['roles', '{audience}']] }, ['one', 'two']).roles, ['2'])
  t.strictSame(read({ ...claims, aud: 'one' }, { roles: [['roles', '{audience}']] }, ['one', 'two']).roles, ['1'])
  t.strictSame(read({ ...claims, aud: undefined }, { roles: [['roles', '{audience}']] }, ['one', 'two']).roles, [])
  t.strictSame(read({ aud: 'a', a: { a: ['x'] } }, { roles: [['{audience}', '{audience}']] }, ['a']).roles, ['x'])
  t.end()
})

test('the client is the first text that is not empty', (t) => {
  const clientId = [['a'], ['b', 'c'], ['d']]
  t.equal(read({ a: '', b: { c: 'x' }, d: 'y' }, { clientId }).client, 'x')
  t.equal(read({ a: ['x'], b: 'c', d: 'y' }, { clientId }).client, 'y')
  t.equal(read({ a: 1 }, { clientId }).client, undefined)
  t.end()
})

test('machines: all signs of a list, any of the lists', (t) => {
  const machines: ClaimMap['machines'] = [
    [{ claim: ['kind'], is: 'app' }, { claim: ['person'], absent: true }],
    [{ claim: ['sub'], startsWith: 'svc:' }, { claim: ['owner', 'id'], is: 'c-{client}-{client}' }]
  ]
  const machine = (claims: object) => read({ client_id: 'x', ...claims }, { machines }).machine
  t.ok(machine({ kind: 'app' }))
  t.notOk(machine({ kind: 'app', person: null }))
  t.notOk(machine({ kind: 'application' }))
  t.notOk(machine({ kind: ['app'] }))
  t.ok(machine({ sub: 'svc:1', owner: { id: 'c-x-x' } }))
  t.notOk(machine({ sub: 'svc:1', owner: { id: 'c-{client}-{client}' } }))
  t.notOk(machine({ sub: 'svc:1', owner: { id: 'c-undefined-undefined' }, client_id: undefined }))
  t.notOk(machine({ sub: ['svc:1'], owner: { id: 'c-x-x' } }))
  t.notOk(machine({ sub: 'a svc:1', owner: { id: 'c-x-x' } }))
  t.notOk(machine({}))
  t.equal(read({ sub: 'a', client_id: 'a' }, { machines: [] }).machine, false, 'no list knows none')
  t.end()
})

test('without the option: the client of client_id or azp, and RFC 9068 for machines', async (t) => {
  const app = await build(t)
  app.get('/', { onRequest: app.requireUser() }, async ({ user }) => [user?.clientId, user?.machine])
  const ask = async (claims: Record<string, unknown>) => (await app.inject({ url: '/', headers: bearer(claims) })).json()
  t.strictSame(await ask({}), [null, null])
  t.strictSame(await ask({ client_id: 'shop', azp: 'other' }), ['shop', null])
  t.strictSame(await ask({ azp: 'shop' }), ['shop', null])
  t.strictSame(await ask({ client_id: 'job', sub: 'job' }), ['job', true])
  t.strictSame(await ask({ client_id: ['user-1'], azp: '' }), [null, null])
})

test('a map that is changed after registration changes nothing', async (t) => {
  const roles = [['a', 'b']]
  const app = await build(t, { claims: { roles } })
  roles[0]!.splice(0, 2, 'evil')
  roles.push(['evil'])
  app.get('/', { onRequest: app.requireUser() }, async ({ user }) => user?.roles)
  t.strictSame((await app.inject({ url: '/', headers: bearer({ a: { b: ['x'] }, evil: ['admin'] }) })).json(), ['x'])
})

test('what claims cannot mean is refused', (t) => {
  const refused: Array<[claims: unknown, message: RegExp]> = [
    ...['google', '', 'Keycloak', '__proto__', 'toString', null, 1, true, [], ['keycloak']].map((value): [unknown, RegExp] => [value, /must be one of keycloak, auth0, okta, entra, cognito, or \{ preset/]),
    ...['roles', 'groups', 'scopes', 'clientId'].flatMap((name) => ['roles', ['roles'], [[]], [['']], [[1]], [['a', null]], {}, null, 7].map((value): [unknown, RegExp] => [{ [name]: value }, /must be one of/])),
    ...[[[]], [{ claim: ['a'], is: 'b' }], [[{ claim: ['a'] }]], [[{ claim: 'a', is: 'b' }]], [[{ claim: ['a'], is: '' }]], [[{ claim: ['a'], is: 'b', startsWith: 'c' }]], [[{ claim: ['a'], absent: false }]], 'sub'].map((value): [unknown, RegExp] => [{ machines: value }, /must be one of/]),
    [{ preset: 'google' }, /must be one of/],
    [{ audience: 'azp' }, /must be one of/],
    [{ tokens: { accessAudience: 'azp' } }, /must be one of/]
  ]
  for (const [claims, message] of refused) {
    t.throws(() => { validateOptions({ ...options, claims } as AuthPluginOptions) }, { name: 'ConfigurationError', option: 'claims', message }, JSON.stringify(claims))
    const { issuer, audience, jwt } = options
    t.throws(() => { validateOptions({ issuers: [{ issuer, audience, jwt, claims }] } as AuthPluginOptions) }, { name: 'ConfigurationError', option: 'issuers' })
  }
  t.doesNotThrow(() => { validateOptions({ ...options, claims: {} }) })
  t.doesNotThrow(() => { validateOptions({ ...options, claims: undefined }) })
  t.end()
})

test('claims beside issuers, and for the tokens of a store, are refused', (t) => {
  const { issuer, audience, jwt } = options
  const message = /^claims is given together with issuers/
  t.throws(() => { validateOptions({ issuers: [{ issuer, audience, jwt }], claims: 'okta' } as AuthPluginOptions) }, { option: 'claims', message })
  const store = memoryStore()
  t.throws(() => { validateOptions({ ...options, store, claims: 'okta' }) }, { option: 'claims', message: /revocation goes by what they say/ })
  t.doesNotThrow(() => {
    validateOptions({ store, issuers: [{ issuer, audience, jwt }, { issuer: 'https://okta.example.com', audience, jwt: { jwksUrl: 'https://okta.example.com/keys' }, claims: 'okta' }] } as AuthPluginOptions)
  })
  t.end()
})
