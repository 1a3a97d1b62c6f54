import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { authRoutes, ConfigurationError, memoryStore, type AuthRoutesOptions } from '../../../index.js'
import { registerStep } from '../../../lib/onboarding.js'
import { accounts, cheapHash, password } from '../../accounts.js'
import { build, options, refused, server } from '../../build.js'
import { newKey, pairOf } from '../../keys.js'

const withFlow = { onboarding: { steps: [registerStep()] } }
const withAccounts = { store: memoryStore(), passwords: cheapHash }

/** Checks that the routes are not registered, and that the error names the option and the remedy. */
async function refuses (t: Test, app: FastifyInstance, routes: object, option: string, message: RegExp): Promise<void> {
  const error = await Promise.resolve(app.register(authRoutes, routes as AuthRoutesOptions)).then(() => undefined, (reason: unknown) => reason)
  t.ok(error instanceof ConfigurationError, option)
  t.match(error, { option, message })
}

/** What each group of routes is left out with, and one route of each. */
const GROUPS: Array<[group: keyof AuthRoutesOptions, routes: Array<[method: 'GET' | 'POST', path: string]>]> = [
  ['signIn', [['POST', '/login'], ['POST', '/refresh'], ['POST', '/logout'], ['POST', '/logout-all']]],
  ['registration', [['POST', '/register']]],
  ['profile', [['GET', '/me'], ['POST', '/me/password']]],
  ['sessions', [['GET', '/sessions']]],
  ['verification', [['POST', '/verify'], ['POST', '/verify/request']]],
  ['recovery', [['POST', '/password/forgot'], ['POST', '/password/reset']]],
  ['users', [['GET', '/users']]],
  ['onboarding', [['POST', '/onboarding/start'], ['POST', '/onboarding/advance'], ['POST', '/onboarding/skip'], ['POST', '/onboarding/resume']]]
]

t.test('without the plugin, or without a store, there is nothing to route to', async (t) => {
  await refuses(t, server(t), {}, 'register', /Register and await the plugin before, in this scope or one around it/)
  await refuses(t, await build(t), {}, 'store', /give the plugin a store, such as store: sqliteStore\('auth\.db'\)/)
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  app.register(async (child) => { await child.register(authPlugin, { ...options, ...withAccounts }) })
  app.register(authRoutes)
  await t.rejects(async () => { await app.ready() }, { name: 'ConfigurationError', option: 'register' }, 'in a sibling')
})

t.test('options that cannot be meant', async (t) => {
  const wrong: Array<[option: string, values: unknown[], message: RegExp]> = [
    ['signIn', ['yes', 1, null, {}], /^signIn must be true or false\./],
    ['jwks', ['/keys', 0], /^jwks must be true or false\./],
    ['prefix', [1, null, true], /^prefix must be a path such as \/auth\./],
    ['login', [true], /^login is no option of authRoutes; there are prefix, signIn, .*\. Those of the account system are given to the plugin\./],
    ['adminRole', ['boss'], /^adminRole is no option of authRoutes/],
    ['store', [memoryStore()], /^store is no option of authRoutes/],
    ['toString', [true], /^toString is no option/]
  ]
  for (const [option, values, message] of wrong) {
    for (const value of values) await refuses(t, await build(t, withAccounts), { [option]: value }, option, message)
  }
})

t.test('onboarding has routes where there is a flow', async (t) => {
  const { app } = await accounts(t)
  t.notOk(app.hasRoute({ method: 'POST', url: '/auth/onboarding/start' }))
  await refuses(t, await build(t, withAccounts), { onboarding: true }, 'onboarding', /^onboarding: true needs a flow: give the plugin onboarding: \{ steps \}/)
})

t.test('groups of routes can be left out, one by one', async (t) => {
  for (const [group] of GROUPS) {
    const { app } = await accounts(t, withFlow, { [group]: false })
    await app.ready()
    for (const [other, routes] of GROUPS) {
      for (const [method, path] of routes) t.equal(app.hasRoute({ method, url: `/auth${path}` }), other !== group, `without ${group}: ${path}`)
    }
  }
  const { app } = await accounts(t, withFlow, Object.fromEntries(GROUPS.map(([group]) => [group, false])))
  t.notMatch(app.printRoutes(), /GET|POST/)
})

t.test('true is what they are anyway', async (t) => {
  const { app } = await accounts(t, withFlow, Object.fromEntries(GROUPS.map(([group]) => [group, true])))
  for (const [, routes] of GROUPS) for (const [method, path] of routes) t.ok(app.hasRoute({ method, url: `/auth${path}` }))
})

t.test('with and without a prefix, in a scope of their own, and in two places', async (t) => {
  const app = await build(t, withAccounts)
  await app.register(authRoutes)
  await app.register(authRoutes, { prefix: '/v2/auth', users: false })
  await app.register(async (child) => { await child.register(authRoutes, { prefix: '/inner' }) }, { prefix: '/outer' })
  for (const prefix of ['', '/v2/auth', '/outer/inner']) {
    refused(t, await app.inject({ method: 'POST', url: `${prefix}/login`, payload: { email: 'a@example.com', password } }), 401, 'INVALID_CREDENTIALS')
  }
  t.equal((await app.inject('/v2/auth/users')).statusCode, 404)
})

t.test('the key set is at its own address, whatever the prefix, and only where there are keys', async (t) => {
  const { app } = await accounts(t, { jwt: { secret: pairOf(newKey('P-256')) } }, { prefix: '/auth', jwks: true })
  t.equal((await app.inject('/.well-known/jwks.json')).json().keys.length, 1)
  await refuses(t, await build(t, withAccounts), { jwks: true }, 'jwks', /Give jwt\.secret as \{ public, private \} in PEM/)
})

t.test('adminRole: who may manage users', async (t) => {
  const statuses = async (plugin: object) => {
    const { call, signUp } = await accounts(t, plugin)
    const found = []
    for (const role of ['admin', 'root', 'boss']) found.push((await call('GET', '/users', undefined, (await signUp({ roles: [role] })).access_token)).statusCode)
    return found
  }
  t.strictSame(await statuses({}), [200, 403, 403])
  t.strictSame(await statuses({ adminRole: 'root' }), [403, 200, 403])
})

t.test('the routes are as open as they say, in an application that protects everything', async (t) => {
  const { call, signUp } = await accounts(t, { protect: 'all' })
  const { email, access_token: token } = await signUp()
  t.equal((await call('POST', '/login', { email, password })).statusCode, 200)
  refused(t, await call('GET', '/me'), 401, 'MISSING_TOKEN')
  t.equal((await call('GET', '/me', undefined, token)).statusCode, 200)
})

t.test('an application\'s own hooks, parsers and validators do not change what the routes take', async (t) => {
  const app = await build(t, withAccounts)
  app.addContentTypeParser('text/csv', { parseAs: 'string' }, async (_request: unknown, body: string) => ({ email: body, password }))
  app.setValidatorCompiler(() => () => true)
  await app.register(authRoutes)
  refused(t, await app.inject({ method: 'POST', url: '/login', payload: 'ada@example.com', headers: { 'content-type': 'text/csv' } }), 415, 'UNSUPPORTED_MEDIA_TYPE')
  refused(t, await app.inject({ method: 'POST', url: '/login', payload: { email: 1 } }), 400, 'REQUEST_INVALID')
  const json = { 'content-type': 'application/json' }
  refused(t, await app.inject({ method: 'POST', url: '/logout', payload: '', headers: json }), 401, 'MISSING_TOKEN', 'Missing or invalid Authorization header')
  refused(t, await app.inject({ method: 'POST', url: '/login', payload: '', headers: json }), 400, 'REQUEST_INVALID')
})
