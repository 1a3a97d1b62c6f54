import fc from 'fast-check'
import type { RouteOptions } from 'fastify'
import t from 'tap'
import { AuthError, ConfigurationError, UserNotFoundError, type RouteAuth } from '../../index.js'
import { bearer, build, now, refused } from '../build.js'
import { callers, type Caller } from '../callers.js'

/** Declares a route with `auth` in its configuration, which may be anything. */
function declaring (auth: unknown): RouteOptions {
  return { method: 'GET', url: '/', config: { auth: auth as RouteAuth }, handler: async () => 'in' }
}

const lists = {
  roles: (caller: Caller) => caller.roles.length > 0,
  allRoles: (caller: Caller) => caller.roles.length === 2,
  groups: (caller: Caller) => caller.groups.length > 0,
  allGroups: (caller: Caller) => caller.groups.length === 2,
  scopes: (caller: Caller) => caller.scopes.length > 0,
  allScopes: (caller: Caller) => caller.scopes.length === 2
}
const names = Object.keys(lists) as Array<keyof typeof lists>
const codes = { roles: 'INSUFFICIENT_ROLES', allRoles: 'INSUFFICIENT_ROLES', groups: 'INSUFFICIENT_GROUPS', allGroups: 'INSUFFICIENT_GROUPS', scopes: 'INSUFFICIENT_SCOPE', allScopes: 'INSUFFICIENT_SCOPE' }

for (const hook of ['onRequest', 'preHandler'] as const) {
  t.test(`truth table of every set of keys, checked in ${hook}`, async (t) => {
    const app = await build(t, { hook })
    const sets = Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, index) => (bits & (1 << index)) !== 0))
    let handled = 0
    const wrong = []
    for (const [index, keys] of sets.entries()) {
      const auth = keys.length === 0 ? true : Object.fromEntries(keys.map((key) => [key, ['a', 'b']]))
      app.get(`/${index}`, { config: { auth } }, async () => { handled++; return {} })
    }
    for (const [index, keys] of sets.entries()) {
      for (const caller of callers) {
        handled = 0
        const response = await app.inject({ url: `/${index}`, headers: caller.headers })
        const lacking = keys.find((key) => !lists[key](caller))
        const expected = caller.kind === 'user'
          ? lacking === undefined ? 'in' : `403 ${codes[lacking]}`
          : { stranger: '401 MISSING_TOKEN', bad: '401 TOKEN_EXPIRED', malformed: '400 INVALID_AUTHORIZATION_HEADER' }[caller.kind]
        const found = handled === 1 ? 'in' : `${response.statusCode} ${response.json().extra.code}`
        if (found !== expected) wrong.push(`${keys.join('+')} as ${caller.name}: ${found}, not ${expected}`)
      }
    }
    t.strictSame(wrong, [])
  })
}

t.test('optional lets strangers pass and refuses bad tokens', async (t) => {
  const app = await build(t)
  app.get('/', { config: { auth: { optional: true } } }, async (request) => request.user?.id ?? 'a stranger')
  t.equal((await app.inject('/')).body, 'a stranger')
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'user-1')
  refused(t, await app.inject({ url: '/', headers: bearer({ exp: now() - 1 }) }), 401, 'TOKEN_EXPIRED')
  refused(t, await app.inject({ url: '/', headers: { authorization: 'Bearer a b' } }), 400, 'INVALID_AUTHORIZATION_HEADER')
})

t.test('optional: false, and errors alone, ask for a user', async (t) => {
  const app = await build(t)
  app.get('/not-optional', { config: { auth: { optional: false } } }, async () => 'in')
  app.get('/errors', { config: { auth: { errors: [UserNotFoundError, AuthError] } } }, async () => 'in')
  for (const url of ['/not-optional', '/errors']) {
    refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
    t.equal((await app.inject({ url, headers: bearer() })).body, 'in')
  }
})

t.test('a guard on the route asks for its own besides what config.auth asks', async (t) => {
  const app = await build(t)
  app.get('/', { config: { auth: { roles: ['a'] } }, preHandler: app.requireScope('s') }, async () => 'in')
  refused(t, await app.inject({ url: '/', headers: bearer({ scope: 's' }) }), 403, 'INSUFFICIENT_ROLES')
  refused(t, await app.inject({ url: '/', headers: bearer({ roles: ['a'] }) }), 403, 'INSUFFICIENT_SCOPE')
  t.equal((await app.inject({ url: '/', headers: bearer({ roles: ['a'], scope: 's' }) })).body, 'in')
})

t.test('an optional declaration does not weaken a guard, nor the other way round', async (t) => {
  const app = await build(t)
  app.get('/guard', { config: { auth: { optional: true } }, preHandler: app.requireUser() }, async () => 'in')
  app.get('/config', { config: { auth: true }, onRequest: app.optionalUser() }, async () => 'in')
  refused(t, await app.inject('/guard'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject('/config'), 401, 'MISSING_TOKEN')
})

t.test('what config.auth cannot mean is refused when the route is declared', async (t) => {
  const app = await build(t)
  const refusedDeclarations: Array<[auth: unknown, option: string, remedy: RegExp]> = [
    [undefined, 'config.auth', /true, false, or an object/],
    [null, 'config.auth', /true, false, or an object/],
    ['admin', 'config.auth', /true, false, or an object/],
    [0, 'config.auth', /true, false, or an object/],
    [1, 'config.auth', /true, false, or an object/],
    [['admin'], 'config.auth', /true, false, or an object/],
    [() => true, 'config.auth', /true, false, or an object/],
    [{}, 'config.auth', /empty object; write true/],
    [{ role: ['admin'] }, 'config.auth.role', /not known; known are roles, allRoles/],
    [{ roles: ['admin'], extra: 1 }, 'config.auth.extra', /not known/],
    [JSON.parse('{"__proto__": ["admin"]}'), 'config.auth.__proto__', /not known/],
    [{ roles: undefined }, 'config.auth.roles', /undefined; leave it out/],
    [{ roles: ['admin'], scopes: undefined }, 'config.auth.scopes', /undefined; leave it out/],
    [{ optional: undefined }, 'config.auth.optional', /undefined; leave it out/],
    [{ optional: 'yes' }, 'config.auth.optional', /true or false/],
    [{ optional: 1 }, 'config.auth.optional', /true or false/],
    [{ errors: UserNotFoundError }, 'config.auth.errors', /list of error classes/],
    [{ errors: [Error] }, 'config.auth.errors', /list of error classes/],
    [{ errors: ['UserNotFoundError'] }, 'config.auth.errors', /list of error classes/],
    [{ errors: [undefined] }, 'config.auth.errors', /list of error classes/],
    [{ errors: null }, 'config.auth.errors', /list of error classes/],
    [{ errors: [UserNotFoundError, { errorClass: UserNotFoundError }] }, 'config.auth.errors', /or of \{ errorClass, code \} with a code in capitals such as ORDER_NOT_FOUND/],
    [{ errors: [{ errorClass: Error, code: 'NOT_FOUND' }] }, 'config.auth.errors', /list of error classes/],
    [{ errors: [{ errorClass: UserNotFoundError, code: 'not_found' }] }, 'config.auth.errors', /list of error classes/],
    ...names.flatMap((name): Array<[unknown, string, RegExp]> => [
      [{ [name]: [] }, `config.auth.${name}`, /names no/],
      [{ [name]: 'admin' }, `config.auth.${name}`, /must be a list/],
      [{ [name]: null }, `config.auth.${name}`, /must be a list/],
      [{ [name]: new Set(['admin']) }, `config.auth.${name}`, /must be a list/],
      [{ [name]: [''] }, `config.auth.${name}`, /strings that are not empty/],
      [{ [name]: ['admin', undefined] }, `config.auth.${name}`, /strings that are not empty/],
      [{ [name]: [1] }, `config.auth.${name}`, /strings that are not empty/],
      [{ optional: true, [name]: ['admin'] }, 'config.auth.optional', /keep one of them/]
    ]),
    [{ scopes: ['read write'] }, 'config.auth.scopes', /RFC 6749/],
    [{ allScopes: ['a"b'] }, 'config.auth.allScopes', /RFC 6749/]
  ]
  for (const [auth, option, remedy] of refusedDeclarations) {
    let error: unknown
    try { app.route(declaring(auth)) } catch (thrown) { error = thrown }
    t.ok(error instanceof ConfigurationError, `${option} is refused`)
    t.match(error, { option, message: remedy, code: 'CONFIGURATION_ERROR' })
    t.ok((error as ConfigurationError).message.startsWith(option), 'the message names the option')
  }
  t.equal((await app.inject('/')).statusCode, 404, 'none of them became a route')
})

t.test('whatever config.auth holds, a route is refused, or refuses strangers, or said that it lets them in', async (t) => {
  const auth = fc.oneof(
    fc.anything(),
    fc.record(Object.fromEntries([...names, 'optional', 'errors', 'other'].map((key) => [key, fc.oneof(fc.constant(undefined), fc.constant(['a']), fc.boolean(), fc.array(fc.oneof(fc.string(), fc.anything())), fc.anything())])), { requiredKeys: [] })
  )
  await fc.assert(fc.asyncProperty(auth, async (value) => {
    const app = await build(t)
    try { app.route(declaring(value)) } catch (error) { return error instanceof ConfigurationError }
    const { statusCode } = await app.inject('/')
    const open = value === false || (value as { optional?: unknown }).optional === true
    return statusCode === (open ? 200 : 401)
  }), { numRuns: 300 })
})

t.test('a guard on an anonymous route is refused when the route is declared', async (t) => {
  const app = await build(t)
  for (const stage of ['onRequest', 'preValidation', 'preHandler']) {
    for (const hooks of [app.requireUser(), [app.requireRole('admin')], [async () => {}, app.optionalUser()]]) {
      t.throws(() => app.route({ ...declaring(false), [stage]: hooks }), { name: 'ConfigurationError', option: 'config.auth', message: /GET \/ is anonymous .* has a guard/ })
    }
  }
})

t.test('a guard of an enclosing scope before an anonymous route is refused when the application starts', async (t) => {
  const app = await build(t)
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.requireUser())
    scope.register(async (nested) => { nested.get('/login', { config: { auth: false } }, async () => 'in') })
  }, { prefix: '/api' })
  await t.rejects(async () => { await app.ready() }, { name: 'ConfigurationError', option: 'config.auth', message: /GET \/api\/login is anonymous/ })
})

t.test('an anonymous route beside a guarded scope is fine', async (t) => {
  const app = await build(t)
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.requireUser())
    scope.get('/inside', async () => 'in')
  })
  await app.register(async (scope) => { scope.get('/outside', { config: { auth: false } }, async () => 'in') })
  refused(t, await app.inject('/inside'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject('/outside')).body, 'in')
})

t.test('names that cannot be meant are refused when a guard is made', async (t) => {
  const app = await build(t)
  for (const name of ['requireRole', 'requireAllRoles', 'requireGroup', 'requireAllGroups', 'requireScope', 'requireAllScopes'] as const) {
    const make = app[name] as (...names: unknown[]) => unknown
    for (const given of [[], [''], ['a', ''], [undefined], [null], [1], [true], [['admin']], [{ role: 'admin' }], [new Set(['a'])], ['a', undefined]]) {
      t.throws(() => make(...given), { name: 'ConfigurationError', option: `${name}()`, message: new RegExp(`^${name}\\(\\) (names no|takes)`) })
    }
  }
  for (const scope of ['read write', 'a"b', 'a\\b', 'é', 'a\nb']) {
    t.throws(() => app.requireScope(scope), { name: 'ConfigurationError', message: /RFC 6749/ })
  }
  for (const name of ['requireUser', 'optionalUser'] as const) {
    t.throws(() => (app[name] as (...names: unknown[]) => unknown)('admin'), { name: 'ConfigurationError', option: `${name}()` })
  }
})

t.test('a guard factory that was not called is refused where it is given as a hook', async (t) => {
  const app = await build(t)
  for (const name of Object.keys(app.bouncer.guards) as Array<keyof typeof app.bouncer.guards>) {
    const factory = app[name]
    const wanted = { name: 'ConfigurationError', option: `${name}()`, message: `${name} is given as a hook without being called. Write ${name}(...), with its names if it takes any.` }
    for (const stage of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse'] as const) {
      t.throws(() => app.route({ method: 'GET', url: '/', handler: async () => 'in', [stage]: factory }), wanted)
      t.throws(() => app.route({ method: 'GET', url: '/', handler: async () => 'in', [stage]: [async () => {}, factory] }), wanted)
      t.throws(() => app.addHook(stage as 'onRequest', factory as never), wanted)
      await app.register(async (scope) => { t.throws(() => scope.addHook(stage as 'onRequest', factory as never), wanted) })
    }
  }
  t.equal((await app.inject('/')).statusCode, 404)
})

t.test('a guard where it cannot refuse is itself refused: in a route, in the instance and in a child', async (t) => {
  const app = await build(t)
  for (const stage of ['preParsing', 'preSerialization', 'onSend', 'onResponse', 'onTimeout', 'onError', 'onRequestAbort']) {
    const wanted = { name: 'ConfigurationError', option: stage, message: `A guard is given as ${stage}, where it cannot refuse. Give it as onRequest or preHandler.` }
    const guard = app.requireUser()
    const addHook = (instance: typeof app) => { (instance.addHook as (stage: string, hook: unknown) => void)(stage, guard) }
    t.throws(() => app.route({ method: 'GET', url: '/', handler: async () => 'in', [stage]: guard }), wanted)
    t.throws(() => app.route({ method: 'GET', url: '/', handler: async () => 'in', [stage]: [async () => {}, guard] }), wanted)
    t.throws(() => { addHook(app) }, wanted)
    await app.register(async (scope) => { t.throws(() => { addHook(scope) }, wanted) })
  }
  t.equal((await app.inject('/')).statusCode, 404)
})

t.test('a guard in preValidation refuses before the body is validated', async (t) => {
  const app = await build(t)
  app.post('/', { schema: { body: { type: 'object', required: ['name'] } }, preValidation: app.requireRole('admin') }, async () => 'in')
  refused(t, await app.inject({ method: 'POST', url: '/', payload: {} }), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ method: 'POST', url: '/', payload: {}, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.equal((await app.inject({ method: 'POST', url: '/', payload: { name: 'x' }, headers: bearer({ role: 'admin' }) })).body, 'in')
})

t.test('hooks that are no functions are left to Fastify to refuse', async (t) => {
  for (const hook of ['requireUser', 42, { user: true }]) {
    const app = await build(t)
    t.throws(() => app.route({ method: 'GET', url: '/', handler: async () => 'in', preHandler: hook as never }), { code: 'FST_ERR_HOOK_INVALID_HANDLER' })
    app.addHook('onRequest', hook as never)
    await t.rejects(async () => { await app.ready() }, { code: 'FST_ERR_HOOK_INVALID_HANDLER' })
  }
})
