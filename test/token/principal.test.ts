import { test } from 'tap'
import { AuthUnavailableError, TokenInvalidError, type AuthPluginOptions } from '../../index.js'
import { rolesFromClaims, userFromClaims } from '../../lib/token/principal.js'
import { bearer, build, refused } from '../build.js'

type Roles = NonNullable<AuthPluginOptions['roles']>

const base = { iss: 'i', aud: 'a', sub: 'user-1', exp: 1 }

test('roles by default: the list roles, else the name role', (t) => {
  t.strictSame(rolesFromClaims({ roles: ['a', 'b'], role: 'c' }), ['a', 'b'])
  t.strictSame(rolesFromClaims({ role: 'c' }), ['c'])
  t.strictSame(rolesFromClaims({ roles: [], role: 'c' }), [], 'an empty list is a list')
  t.strictSame(rolesFromClaims({ roles: null, role: 'c' }), [], 'a broken list is not made up for by another claim')
  t.strictSame(rolesFromClaims({ roles: 'a' }), [])
  t.strictSame(rolesFromClaims({ role: ['c'] }), [])
  t.strictSame(rolesFromClaims({ role: '' }), [])
  t.strictSame(rolesFromClaims({}), [])
  t.end()
})

test('names are exact, each once, and nothing but strings', (t) => {
  t.strictSame(rolesFromClaims({ roles: ['a', 'A', 'a', ' a', '', 1, null, undefined, ['a'], {}] }), ['a', 'A', ' a'])
  t.end()
})

test('scopes: scope, else scp, else scopes; a string is split at spaces', (t) => {
  const scopes = (claims: object): unknown => (userFromClaims({ ...base, ...claims }, undefined) as { scopes: unknown }).scopes
  t.strictSame(scopes({ scope: 'read write read' }), ['read', 'write'])
  t.strictSame(scopes({ scope: '  read   write ' }), ['read', 'write'])
  t.strictSame(scopes({ scope: '' }), [])
  t.strictSame(scopes({ scope: 'read\twrite' }), ['read\twrite'])
  t.strictSame(scopes({ scope: ['read', 'write'] }), ['read', 'write'])
  t.strictSame(scopes({ scp: ['a'], scopes: ['b'] }), ['a'])
  t.strictSame(scopes({ scp: 'a b' }), ['a', 'b'])
  t.strictSame(scopes({ scopes: ['b'] }), ['b'])
  for (const scope of [0, true, {}, { 0: 'a', length: 1 }]) t.strictSame(scopes({ scope }), [])
  t.end()
})

test('the user: id, lists, method, and an e-mail address where there is one', (t) => {
  const claims = { ...base, email: 'ada@example.com', groups: ['g'], roles: ['r'], scope: 's' }
  t.strictSame(userFromClaims(claims, undefined), { id: 'user-1', roles: ['r'], groups: ['g'], scopes: ['s'], email: 'ada@example.com', claims, method: 'bearer' })
  for (const email of [undefined, null, 1, ['ada@example.com']]) {
    t.notOk('email' in userFromClaims({ ...base, email }, undefined))
  }
  t.ok(Object.isFrozen(userFromClaims(claims, undefined)))
  t.end()
})

test('a role resolver replaces the default, at once or later', async (t) => {
  const claims = { ...base, roles: ['claimed'], realm_access: { roles: ['deep'] } }
  const resolver: Roles = ({ realm_access: realm }) => (realm as { roles: string[] }).roles
  t.strictSame((await userFromClaims(claims, resolver)).roles, ['deep'])
  t.strictSame((await userFromClaims(claims, async (all) => resolver(all))).roles, ['deep'])
})

test('a resolver that returns no list of names gives no roles', async (t) => {
  for (const value of [undefined, null, '', 'admin', 0, true, {}, { admin: true }, new Set(['admin']), [1, null], [['admin']]]) {
    t.strictSame((await userFromClaims(base, () => value as never)).roles, [], String(value))
    t.strictSame((await userFromClaims(base, async () => value as never)).roles, [], `later: ${String(value)}`)
  }
})

test('a list that a resolver keeps and changes afterwards changes no user', async (t) => {
  const kept = ['user']
  const user = await userFromClaims(base, () => kept)
  kept.push('admin')
  t.strictSame(user.roles, ['user'])
})

test('a resolver that fails refuses with 503, whatever it throws', async (t) => {
  const faults = [new Error('database password is hunter2'), null, undefined, 'hunter2', { statusCode: 200, message: 'hunter2' }]
  for (const fault of faults) {
    for (const roles of [() => { throw fault }, async () => { throw fault }]) {
      const app = await build(t, { roles })
      let ran = false
      app.get('/', { preHandler: [app.requireUser()] }, async () => { ran = true })
      const response = await app.inject({ url: '/', headers: bearer() })
      refused(t, response, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
      t.notMatch(response.payload, 'hunter2')
      t.notOk(ran)
    }
  }
})

test('a resolver may refuse with a class of this package', async (t) => {
  for (const roles of [() => { throw new TokenInvalidError({ reason: 'claims' }) }, async () => { throw new TokenInvalidError({ reason: 'claims' }) }]) {
    const app = await build(t, { roles })
    app.get('/', { preHandler: [app.requireUser()] }, async () => 'in')
    refused(t, await app.inject({ url: '/', headers: bearer() }), 401, 'TOKEN_INVALID', 'Invalid token: Missing or invalid claim')
  }
})

test('the cause of a resolver that failed is kept for operators', async (t) => {
  const fault = new Error('down')
  await t.rejects(async () => await userFromClaims(base, () => { throw fault }), { cause: fault, dependency: 'roles' })
  await t.rejects(async () => await userFromClaims(base, async () => { throw fault }), AuthUnavailableError)
})

test('a resolver is asked once for a request, however many guards ask', async (t) => {
  let asked = 0
  const app = await build(t, { roles: async () => { asked++; return ['a', 'b'] } })
  app.get('/', { onRequest: [app.requireUser(), app.requireRole('a')], preHandler: [app.requireAllRoles('a', 'b'), app.requireUser()] }, async (request) => (await request.authenticate()).roles)
  t.strictSame((await app.inject({ url: '/', headers: bearer() })).json(), ['a', 'b'])
  t.equal(asked, 1)
})

test('a resolver cannot change the claims that others see', async (t) => {
  const app = await build(t, { jwt: { secret: 'a secret of at least thirty-two bytes', cache: true }, roles: (claims) => { Reflect.set(claims, 'sub', 'root'); return [] } })
  app.get('/', { preHandler: [app.requireUser()] }, async (request) => request.user?.id)
  const headers = bearer()
  for (let round = 0; round < 2; round++) t.equal((await app.inject({ url: '/', headers })).payload, 'user-1')
})
