import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t from 'tap'
import type { Guard } from '../../index.js'
import { bearer, build, refused } from '../build.js'
import { callers, type Caller } from '../callers.js'
import { logged } from '../log-lines.js'

type Verdict = '200' | '400 INVALID_AUTHORIZATION_HEADER' | '401 MISSING_TOKEN' | '401 TOKEN_EXPIRED' | '403 INSUFFICIENT_ROLES' | '403 INSUFFICIENT_GROUPS' | '403 INSUFFICIENT_SCOPE'

/** A guard, and what it should say of a caller whose token is good. */
interface Spec {
  name: string
  make: (app: FastifyInstance) => Guard
  optional?: boolean
  judge: (caller: Caller) => Verdict
}

const one = (held: readonly string[]) => held.includes('a') || held.includes('b')
const both = (held: readonly string[]) => held.includes('a') && held.includes('b')

const specs: readonly Spec[] = [
  { name: 'user', make: (app) => app.requireUser(), judge: () => '200' },
  { name: 'optional', make: (app) => app.optionalUser(), optional: true, judge: () => '200' },
  // "b" alone is asked for too, so that a guard which only looks at the first name is found out.
  { name: 'role', make: (app) => app.requireRole('b', 'a'), judge: ({ roles }) => one(roles) ? '200' : '403 INSUFFICIENT_ROLES' },
  { name: 'roleB', make: (app) => app.requireRole('b'), judge: ({ roles }) => roles.includes('b') ? '200' : '403 INSUFFICIENT_ROLES' },
  { name: 'allRoles', make: (app) => app.requireAllRoles('a', 'b'), judge: ({ roles }) => both(roles) ? '200' : '403 INSUFFICIENT_ROLES' },
  { name: 'group', make: (app) => app.requireGroup('b', 'a'), judge: ({ groups }) => one(groups) ? '200' : '403 INSUFFICIENT_GROUPS' },
  { name: 'allGroups', make: (app) => app.requireAllGroups('a', 'b'), judge: ({ groups }) => both(groups) ? '200' : '403 INSUFFICIENT_GROUPS' },
  { name: 'scope', make: (app) => app.requireScope('b', 'a'), judge: ({ scopes }) => one(scopes) ? '200' : '403 INSUFFICIENT_SCOPE' },
  { name: 'allScopes', make: (app) => app.requireAllScopes('a', 'b'), judge: ({ scopes }) => both(scopes) ? '200' : '403 INSUFFICIENT_SCOPE' }
]

/** What several guards say together: the first that objects decides. */
function expected (guards: readonly Spec[], caller: Caller): Verdict {
  if (caller.kind === 'malformed') return '400 INVALID_AUTHORIZATION_HEADER'
  if (caller.kind === 'bad') return '401 TOKEN_EXPIRED'
  if (caller.kind === 'stranger') return guards.every((guard) => guard.optional === true) ? '200' : '401 MISSING_TOKEN'
  return guards.map((guard) => guard.judge(caller)).find((verdict) => verdict !== '200') ?? '200'
}

function verdict (response: LightMyRequestResponse): string {
  return response.statusCode === 200 ? '200' : `${response.statusCode} ${response.json().extra.code}`
}

interface Case {
  url: string
  guards: readonly Spec[]
}

/** Calls every route as every caller, and returns what came out otherwise than expected. */
async function mistakes (app: FastifyInstance, cases: readonly Case[], handled: () => number): Promise<string[]> {
  const wrong = []
  for (const { url, guards } of cases) {
    for (const caller of callers) {
      const before = handled()
      const found = verdict(await app.inject({ url, headers: caller.headers }))
      const wanted = expected(guards, caller)
      const ran = handled() - before
      if (found !== wanted || ran !== (wanted === '200' ? 1 : 0)) wrong.push(`${url} as ${caller.name}: ${found}, not ${wanted}; the handler ran ${ran} times`)
    }
  }
  return wrong
}

/** Every guard, and every ordered pair of guards. */
const pairs = specs.flatMap((first) => specs.map((second) => [first, second] as const))

for (const stage of ['onRequest', 'preHandler'] as const) {
  t.test(`truth table of every guard and every pair of guards in ${stage}`, async (t) => {
    const app = await build(t)
    let handled = 0
    const handler = async () => { handled++; return {} }
    const cases: Case[] = []
    for (const spec of specs) {
      app.get(`/alone/${spec.name}`, { [stage]: spec.make(app) }, handler)
      app.get(`/list/${spec.name}`, { [stage]: [spec.make(app)] }, handler)
      cases.push({ url: `/alone/${spec.name}`, guards: [spec] }, { url: `/list/${spec.name}`, guards: [spec] })
    }
    for (const [first, second] of pairs) {
      const url = `/pair/${first.name}/${second.name}`
      app.get(url, { [stage]: [first.make(app), second.make(app)] }, handler)
      cases.push({ url, guards: [first, second] })
    }
    t.strictSame(await mistakes(app, cases, () => handled), [])
    t.ok(handled > 100, 'some callers pass')
  })
}

t.test('truth table of every pair of guards, one in onRequest and one in preHandler', async (t) => {
  const app = await build(t)
  let handled = 0
  const cases = pairs.map(([first, second]) => {
    const url = `/mixed/${first.name}/${second.name}`
    app.get(url, { onRequest: first.make(app), preHandler: [second.make(app)] }, async () => { handled++; return {} })
    return { url, guards: [first, second] }
  })
  t.strictSame(await mistakes(app, cases, () => handled), [])
})

for (const stage of ['onRequest', 'preHandler'] as const) {
  t.test(`truth table of scope hooks of nested plugins in ${stage}`, async (t) => {
    const app = await build(t)
    let handled = 0
    const cases: Case[] = []
    for (const outer of specs) {
      await app.register(async (scope) => {
        scope.addHook(stage, outer.make(scope))
        scope.get('/', async () => { handled++; return {} })
        cases.push({ url: `/${outer.name}/`, guards: [outer] })
        for (const inner of specs) {
          await scope.register(async (nested) => {
            nested.addHook(stage, inner.make(nested))
            nested.get('/scope', async () => { handled++; return {} })
          }, { prefix: `/${inner.name}` })
          scope.get(`/${inner.name}/route`, { [stage]: inner.make(scope) }, async () => { handled++; return {} })
          cases.push(
            { url: `/${outer.name}/${inner.name}/scope`, guards: [outer, inner] },
            { url: `/${outer.name}/${inner.name}/route`, guards: [outer, inner] }
          )
        }
      }, { prefix: `/${outer.name}` })
    }
    t.strictSame(await mistakes(app, cases, () => handled), [])
  })
}

t.test('a scope hook added after a route of its scope stands before it all the same', async (t) => {
  const app = await build(t)
  await app.register(async (scope) => {
    scope.get('/early', async () => 'in')
    scope.addHook('preHandler', scope.requireRole('admin'))
  })
  refused(t, await app.inject('/early'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ url: '/early', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.equal((await app.inject({ url: '/early', headers: bearer({ roles: ['admin'] }) })).body, 'in')
})

t.test('truth table of guards called inline, in a handler and in a hook of the application', async (t) => {
  const app = await build(t)
  let handled = 0
  const cases = specs.flatMap((spec) => {
    const guard = spec.make(app)
    app.get(`/handler/${spec.name}`, async (request, reply) => {
      await guard(request, reply)
      handled++
      return {}
    })
    app.get(`/hook/${spec.name}`, { preHandler: async (request, reply) => { await guard(request, reply) } }, async () => { handled++; return {} })
    return ['handler', 'hook'].map((place) => ({ url: `/${place}/${spec.name}`, guards: [spec] }))
  })
  t.strictSame(await mistakes(app, cases, () => handled), [])
})

t.test('a guard called inline returns a promise, also when it refuses', async (t) => {
  const app = await build(t)
  app.get('/', async (request, reply) => {
    const outcome = app.requireUser()(request, reply)
    t.type(outcome, Promise)
    await t.rejects(outcome, { code: 'MISSING_TOKEN' })
    t.notOk(reply.sent, 'it leaves the reply alone')
    return 'handled by the application'
  })
  t.equal((await app.inject('/')).body, 'handled by the application')
})

t.test('HEAD routes', async (t) => {
  const app = await build(t)
  let handled = 0
  const handler = async () => { handled++; return {} }
  app.get('/auto/preHandler', { preHandler: [app.requireRole('admin')] }, handler)
  app.get('/auto/onRequest', { onRequest: app.requireRole('admin') }, handler)
  app.get('/auto/config', { config: { auth: { roles: ['admin'] } } }, handler)
  app.head('/explicit/preHandler', { preHandler: [app.requireRole('admin')] }, handler)
  app.head('/explicit/config', { config: { auth: { roles: ['admin'] } } }, handler)
  app.route({ method: ['GET', 'HEAD'], url: '/both', preHandler: app.requireRole('admin'), handler })
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.requireRole('admin'))
    scope.get('/auto/scope', handler)
  })
  for (const url of ['/auto/preHandler', '/auto/onRequest', '/auto/config', '/auto/scope', '/explicit/preHandler', '/explicit/config', '/both']) {
    await t.test(url, async (t) => {
      handled = 0
      const stranger = await app.inject({ method: 'HEAD', url })
      t.equal(stranger.statusCode, 401)
      t.equal(stranger.headers['www-authenticate'], 'Bearer realm="api"')
      t.equal(stranger.headers['cache-control'], 'no-store')
      t.equal((await app.inject({ method: 'HEAD', url, headers: bearer() })).statusCode, 403)
      t.equal(handled, 0, 'the handler did not run')
      t.equal((await app.inject({ method: 'HEAD', url, headers: bearer({ roles: ['admin'] }) })).statusCode, 200)
      t.equal(handled, 1)
    })
  }
})

t.test('several guards verify a token once, and ask for its roles once', async (t) => {
  let asked = 0
  const roles = async () => { asked++; return ['a', 'b'] }
  const app = await build(t, { roles })
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.requireUser())
    scope.get('/', {
      config: { auth: { roles: ['a'] } },
      onRequest: [scope.requireRole('a'), scope.requireAllRoles('a', 'b')],
      preHandler: [scope.optionalUser(), scope.requireRole('b')]
    }, async (request) => {
      const [first, second] = await Promise.all([request.authenticate(), request.authenticate()])
      return first === second && first === request.user
    })
  })
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'true')
  t.equal(asked, 1)
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'true')
  t.equal(asked, 2, 'and anew for the next request')
})

t.test('guards running at the same time ask once', async (t) => {
  let asked = 0
  const app = await build(t, { roles: async () => { asked++; await new Promise(setImmediate); return [] } })
  app.get('/', async (request, reply) => {
    const guard = app.requireUser()
    await Promise.all([guard(request, reply), guard(request, reply), request.authenticate()])
    return asked
  })
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, '1')
})

t.test('a refusal is found once: later guards give the same one', async (t) => {
  let asked = 0
  const app = await build(t, { roles: () => { asked++; throw new Error('directory down') } })
  app.get('/', async (request) => {
    const errors: unknown[] = []
    for (let attempt = 0; attempt < 3; attempt++) await request.authenticate().catch((error: unknown) => errors.push(error))
    return { same: errors[0] === errors[1] && errors[1] === errors[2], count: errors.length }
  })
  t.strictSame((await app.inject({ url: '/', headers: bearer() })).json(), { same: true, count: 3 })
  t.equal(asked, 1)
})

t.test('request.user is null before authentication, and the user after it', async (t) => {
  const app = await build(t)
  const seen: unknown[] = []
  app.get('/', {
    onRequest: async (request) => { seen.push(request.user) },
    preHandler: [app.requireUser(), async (request) => { seen.push(request.user?.id) }]
  }, async (request) => request.user)
  const response = await app.inject({ url: '/', headers: bearer({ sub: 'ann', roles: ['admin'], groups: ['staff'], scope: 'read write', email: 'ann@example.com' }) })
  t.strictSame(seen, [null, 'ann'])
  const { claims, ...user } = response.json()
  t.strictSame(user, { id: 'ann', roles: ['admin'], groups: ['staff'], scopes: ['read', 'write'], email: 'ann@example.com', method: 'bearer' })
  t.equal(claims.sub, 'ann')
})

t.test('request.user stays null for strangers, and on routes without a guard even with a token', async (t) => {
  const app = await build(t)
  app.get('/open', async (request) => ({ user: request.user }))
  app.get('/optional', { preHandler: app.optionalUser() }, async (request) => ({ user: request.user }))
  t.strictSame((await app.inject({ url: '/open', headers: bearer() })).json(), { user: null })
  t.strictSame((await app.inject('/optional')).json(), { user: null })
  t.equal((await app.inject({ url: '/optional', headers: bearer() })).json().user.id, 'user-1')
})

t.test('request.authenticate gives the user, or the class that says why not', async (t) => {
  const app = await build(t)
  app.get('/', async (request) => await request.authenticate())
  t.equal((await app.inject({ url: '/', headers: bearer() })).json().id, 'user-1')
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN', 'Missing or invalid Authorization header')
  refused(t, await app.inject({ url: '/', headers: bearer({ exp: 1 }) }), 401, 'TOKEN_EXPIRED', 'Token has expired')
  refused(t, await app.inject({ url: '/', headers: { authorization: 'Bearer  x y' } }), 400, 'INVALID_AUTHORIZATION_HEADER')
})

t.test('setting request.user does not change what guards decide', async (t) => {
  const app = await build(t)
  const admin = { id: 'admin', roles: ['admin'], groups: [], scopes: [], claims: {}, method: 'bearer' as const }
  app.addHook('onRequest', async (request) => {
    if (request.headers['x-impostor'] !== undefined) request.user = admin
  })
  app.get('/onRequest', { onRequest: app.requireRole('admin') }, async () => 'in')
  app.get('/preHandler', { preHandler: [async (request) => { request.user = admin }, app.requireRole('admin')] }, async () => 'in')
  app.get('/config', { config: { auth: { roles: ['admin'] } } }, async () => 'in')
  app.get('/authenticate', async (request) => await request.authenticate())
  for (const url of ['/onRequest', '/preHandler', '/config']) {
    refused(t, await app.inject({ url, headers: { 'x-impostor': '1' } }), 401, 'MISSING_TOKEN')
    refused(t, await app.inject({ url, headers: { 'x-impostor': '1', ...bearer({ roles: ['editor'] }) } }), 403, 'INSUFFICIENT_ROLES')
  }
  refused(t, await app.inject({ url: '/authenticate', headers: { 'x-impostor': '1' } }), 401, 'MISSING_TOKEN')
})

t.test('changing the user that was found does not change what later guards decide', async (t) => {
  const app = await build(t)
  app.get('/', {
    preHandler: [
      app.requireUser(),
      async (request) => {
        t.throws(() => { (request.user as unknown as { roles: string[] }).roles.push('admin') }, TypeError)
        t.throws(() => { (request.user as unknown as { roles: string[] }).roles = ['admin'] }, TypeError)
        t.throws(() => { (request.user as unknown as { claims: { roles: string[] } }).claims.roles.push('admin') }, TypeError)
      },
      app.requireRole('admin')
    ]
  }, async () => 'in')
  refused(t, await app.inject({ url: '/', headers: bearer({ roles: ['editor'] }) }), 403, 'INSUFFICIENT_ROLES')
})

t.test('body and headers of the refusals', async (t) => {
  const app = await build(t)
  app.get('/role', { preHandler: app.requireRole('admin') }, async () => 'in')
  app.get('/roles', { preHandler: app.requireAllRoles('admin', 'billing') }, async () => 'in')
  app.get('/groups', { preHandler: app.requireAllGroups('staff') }, async () => 'in')
  app.get('/scopes', { preHandler: app.requireAllScopes('read', 'write') }, async () => 'in')

  const stranger = await app.inject('/role')
  refused(t, stranger, 401, 'MISSING_TOKEN')
  t.equal(stranger.body, '{"status_code":401,"detail":"Missing or invalid Authorization header","extra":{"code":"MISSING_TOKEN"}}')
  t.equal(stranger.headers['www-authenticate'], 'Bearer realm="api"')

  const role = await app.inject({ url: '/role', headers: bearer() })
  refused(t, role, 403, 'INSUFFICIENT_ROLES')
  t.equal(role.body, '{"status_code":403,"detail":"The authenticated user does not have any of the required roles.","extra":{"code":"INSUFFICIENT_ROLES"}}')
  t.notOk('www-authenticate' in role.headers)

  const roles = await app.inject({ url: '/roles', headers: bearer({ roles: ['admin'] }) })
  t.equal(roles.body, '{"status_code":403,"detail":"The authenticated user does not have all of the required roles.","extra":{"code":"INSUFFICIENT_ROLES"}}')

  const groups = await app.inject({ url: '/groups', headers: bearer() })
  t.equal(groups.body, '{"status_code":403,"detail":"The authenticated user does not have all of the required groups.","extra":{"code":"INSUFFICIENT_GROUPS"}}')

  const scopes = await app.inject({ url: '/scopes', headers: bearer({ scope: 'read' }) })
  refused(t, scopes, 403, 'INSUFFICIENT_SCOPE')
  t.strictSame(scopes.json().extra, { code: 'INSUFFICIENT_SCOPE', required_scopes: ['read', 'write'] })
  t.equal(scopes.headers['www-authenticate'], 'Bearer realm="api", error="insufficient_scope", scope="read write"')

  const expired = await app.inject({ url: '/role', headers: bearer({ exp: 1 }) })
  t.equal(expired.headers['www-authenticate'], 'Bearer realm="api", error="invalid_token"')
  const malformed = await app.inject({ url: '/role', headers: { authorization: 'Bearer a b' } })
  t.equal(malformed.headers['www-authenticate'], 'Bearer realm="api", error="invalid_request"')
})

t.test('names are compared exactly', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.requireRole('admin') }, async () => 'in')
  for (const roles of [['Admin'], ['ADMIN'], [' admin'], ['admin '], ['admins'], ['adm'], ['admin\u0000'], ['аdmin'], [['admin']], [{ 0: 'admin' }], { admin: true, includes: true, length: 1, 0: 'admin' }, 'superadmin', 'admin editor', 1, true, null]) {
    refused(t, await app.inject({ url: '/', headers: bearer({ roles }) }), 403, 'INSUFFICIENT_ROLES')
  }
  t.equal((await app.inject({ url: '/', headers: bearer({ roles: ['x', 'admin', 'admin'] }) })).body, 'in')
  t.equal((await app.inject({ url: '/', headers: bearer({ role: 'admin' }) })).body, 'in')
})

t.test('the log line of a refusal has message and private context, at the level asked for', async (t) => {
  for (const [logLevel, level] of [[undefined, 30], ['warn', 40], ['debug', 20]] as const) {
    const { lines, text, serverOptions } = logged()
    const app = await build(t, logLevel === undefined ? {} : { logLevel }, serverOptions)
    app.get('/', { preHandler: app.requireAllRoles('admin', 'billing') }, async () => 'in')
    const headers = bearer({ roles: ['support'] })
    await app.inject({ url: '/', headers })
    const line = lines.find(({ msg }) => msg === 'The authenticated user does not have all of the required roles.')
    t.equal(line?.level, level)
    t.match(line, { context: { requiredRoles: ['admin', 'billing'], userRoles: ['support'], requireAll: true }, reqId: String })
    t.equal(lines.filter(({ msg }) => msg === line?.msg).length, 1, 'one line')
    t.notMatch(text(), headers.authorization.slice('Bearer '.length), 'no token in the log')
  }
})

t.test('logLevel silent logs no refusal, and a 503 is logged as an error all the same', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await build(t, { logLevel: 'silent', roles: () => { throw new Error('directory down') } }, serverOptions)
  app.get('/', { preHandler: app.requireUser() }, async () => 'in')
  await app.inject('/')
  t.notOk(lines.some(({ msg }) => msg.startsWith('Missing')))
  refused(t, await app.inject({ url: '/', headers: bearer() }), 503, 'AUTH_UNAVAILABLE')
  t.equal(lines.find(({ msg }) => msg === 'Authentication is temporarily unavailable.')?.level, 50)
})

t.test('a body is not read before a guard in onRequest, and is before one in preHandler', async (t) => {
  const app = await build(t)
  const schema = { body: { type: 'object', required: ['name'] } }
  app.post('/onRequest', { schema, onRequest: app.requireUser() }, async () => 'in')
  app.post('/config', { schema, config: { auth: true } }, async () => 'in')
  app.post('/preHandler', { schema, preHandler: app.requireUser() }, async () => 'in')
  const request = { method: 'POST', payload: '{ not json', headers: { 'content-type': 'application/json' } } as const
  refused(t, await app.inject({ ...request, url: '/onRequest' }), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ ...request, url: '/config' }), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ ...request, url: '/preHandler' })).statusCode, 400)
})

const First = Promise
class Subclass<Value> extends First<Value> {}

/** A promise of another library: no instance of ours, and only as good as its `then`. */
class Foreign {
  readonly #inner: Promise<unknown>

  constructor (run: (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void) {
    this.#inner = new First(run)
  }

  static resolve (value: unknown): Foreign { return new Foreign((resolve) => { resolve(value) }) }
  static reject (reason: unknown): Foreign { return new Foreign((_resolve, reject) => { reject(reason) }) }

  then (fulfilled?: (value: unknown) => unknown, rejected?: (reason: unknown) => unknown): Foreign {
    return Foreign.resolve(this.#inner.then(fulfilled, rejected))
  }

  catch (rejected: (reason: unknown) => unknown): Foreign { return this.then(undefined, rejected) }
}

t.test('attack: another Promise in place of the global one, while roles are looked up', async (t) => {
  const own = globalThis.Promise
  t.teardown(() => { globalThis.Promise = own })
  const down = new Error('directory down')
  const answers: Record<string, () => unknown> = {
    'an async function that fails': async () => { throw down },
    'the other promise, rejected': () => Promise.reject(down),
    'the first promise, rejected': () => own.reject(down),
    'a thenable that rejects later': () => ({ then: (_resolve: unknown, reject: (reason: unknown) => void) => { setImmediate(() => { reject(down) }) } }),
    'a thenable that rejects with nothing': () => ({ then: (_resolve: unknown, reject: (reason?: unknown) => void) => { reject() } }),
    'a thenable that rejects and then resolves': () => ({ then: (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => { reject(down); resolve(['admin']) } }),
    'a thenable that throws': () => ({ then: () => { throw down } })
  }
  for (const [kind, other] of Object.entries({ 'its own': own, 'a subclass': Subclass, 'a foreign one': Foreign })) {
    for (const [what, answer] of Object.entries(answers)) {
      let ran = 0
      const roles = () => {
        globalThis.Promise = other as unknown as PromiseConstructor
        // Back after the guard, which goes on at once, and before anybody else.
        queueMicrotask(() => { globalThis.Promise = own })
        return answer() as Promise<string[]>
      }
      const app = await build(t, { roles })
      const handler = async () => { ran++; return 'in' }
      app.get('/user', { preHandler: [app.requireUser(), async () => {}] }, handler)
      app.get('/role', { onRequest: app.requireRole('admin') }, handler)
      app.get('/optional', { preHandler: app.optionalUser() }, handler)
      app.get('/config', { config: { auth: true } }, handler)
      app.get('/inline', async (request, reply) => { await app.requireUser()(request, reply); return await handler() })
      for (const url of ['/user', '/role', '/optional', '/config', '/inline']) refused(t, await app.inject({ url, headers: bearer({ roles: ['admin'] }) }), 503, 'AUTH_UNAVAILABLE')
      t.equal(ran, 0, `${kind}, ${what}`)
    }
  }
})
