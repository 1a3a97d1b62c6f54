import type { FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { memoryStore, type Tokens } from '../../../index.js'
import { accounts, password, type AccountsApp } from '../../accounts.js'
import { refused } from '../../build.js'
import { guard, type Guarded } from '../../guarded.js'
import { logged } from '../../log-lines.js'
import { foreignHashes } from '../../password/foreign-hashes.js'
import { thrown } from '../../thrown.js'
import { codeOf, encryptionKey, enrol, signInWith } from '../../totp.js'
import { watched, type Verb, type WatchedStore } from '../../watched-store.js'

type Application = AccountsApp & Guarded & { store: WatchedStore }
type User = { id: string, email: string } & Tokens

async function start (t: Test, serverOptions: FastifyServerOptions = {}): Promise<Application> {
  const store = watched(memoryStore())
  const built = await accounts(t, { store, encryptionKey }, {}, serverOptions)
  return { ...built, ...guard(built.app), store }
}

const old = foreignHashes.find(({ by }) => by === 'bcrypt, 2b') as typeof foreignHashes[number]

interface Operation {
  /** What is done before the store fails. */
  prepare?: (application: Application, user: User) => Promise<unknown>
  request (application: Application, user: User): Promise<LightMyRequestResponse>
  /** The answer while all is well. */
  status: number
  /** Verbs that it cannot do without. */
  verbs: Verb[]
  /** Verbs that come when what was shown is used up: the same is refused then, and its user begins anew. */
  once?: Verb[]
  /** Verbs after it has succeeded: they cannot undo that, and are reported. */
  afterwards?: Verb[]
}

const refresh = async ({ call }: Application, { refresh_token: token }: User) => await call('POST', '/refresh', { refresh_token: token })
const signedInWithBoth = async ({ app }: Application, user: User): Promise<void> => {
  const { secret } = await enrol(app, user.id)
  Object.assign(user, await signInWith(app, { email: user.email, password }, secret))
}
const counted: Verb[] = ['ephemeral.increment']
const forgotten: Verb[] = ['ephemeral.delete', 'ephemeral.decrement']
const checked: Verb[] = ['sessions.find', 'users.findById']

const operations: Record<string, Operation> = {
  'a sign-in': {
    request: async ({ call }, { email }) => await call('POST', '/login', { email, password }),
    status: 200,
    verbs: [...counted, 'ephemeral.get', 'users.findByEmail', 'factors.find', 'sessions.insert', 'users.findById'],
    afterwards: [...forgotten, 'ephemeral.set']
  },
  'a sign-in that is asked for a second factor': {
    prepare: async ({ app }, { id }) => { await enrol(app, id) },
    request: async ({ call }, { email }) => await call('POST', '/login', { email, password }),
    status: 202,
    verbs: [...counted, 'ephemeral.get', 'users.findByEmail', 'factors.find', 'ephemeral.set']
  },
  'an answer to a challenge': {
    async prepare ({ app }, user) {
      const { secret } = await enrol(app, user.id)
      Object.assign(user, { secret, challenge: await app.bouncer.login({ email: user.email, password }) })
    },
    async request ({ call }, user) {
      const { secret, challenge: { session } } = user as unknown as { secret: string, challenge: { session: string } }
      return await call('POST', '/login/challenge', { session, challenge_name: 'MFA_TOTP', code: codeOf(secret) })
    },
    status: 200,
    verbs: ['ephemeral.get', ...counted, 'users.findById', 'factors.find', 'factors.useStep', 'ephemeral.take', 'sessions.insert'],
    once: ['ephemeral.take', 'sessions.insert'],
    afterwards: [...forgotten, 'ephemeral.set']
  },
  'a second factor set up': {
    request: async ({ call }, { access_token: token }) => await call('POST', '/mfa/totp', {}, token),
    status: 200,
    verbs: [...checked, 'factors.find', 'ephemeral.set']
  },
  'a second factor made to count': {
    async prepare ({ app }, user) { Object.assign(user, await app.bouncer.mfa.setUp(user.id, { auth_time: Date.now() / 1000 })) },
    request: async ({ call }, user) => await call('POST', '/mfa/totp/verify', { code: codeOf((user as unknown as { secret: string }).secret) }, user.access_token),
    status: 200,
    verbs: [...checked, ...counted, 'ephemeral.get', 'factors.insert'],
    afterwards: [...forgotten, 'ephemeral.set']
  },
  'recovery codes replaced': {
    prepare: signedInWithBoth,
    request: async ({ call }, { access_token: token }) => await call('POST', '/mfa/recovery-codes', {}, token),
    status: 200,
    verbs: [...checked, 'factors.find', 'factors.replaceRecoveryCodes']
  },
  'a second factor taken away': {
    prepare: signedInWithBoth,
    request: async ({ call }, { access_token: token }) => await call('DELETE', '/mfa/totp', {}, token),
    status: 204,
    verbs: [...checked, 'factors.find', 'factors.delete']
  },
  'a sign-in with an old hash': {
    prepare: async ({ store }, { id }) => await store.users.update(id, { passwordHash: old.hash }),
    request: async ({ call }, { email }) => await call('POST', '/login', { email, password: old.password }),
    status: 200,
    verbs: ['users.update']
  },
  'a sign-in with a wrong password': {
    request: async ({ call }, { email }) => await call('POST', '/login', { email, password: 'another horse' }),
    status: 401,
    verbs: [...counted, 'ephemeral.get', 'users.findByEmail']
  },
  'a refresh': { request: refresh, status: 200, verbs: [...counted, ...checked, 'sessions.rotate'], afterwards: forgotten },
  'a refresh again': {
    prepare: async ({ app }, { refresh_token: token }) => await app.bouncer.refresh(token),
    request: refresh,
    status: 200,
    verbs: [...counted, ...checked],
    afterwards: forgotten
  },
  'a refresh by a thief': {
    prepare: async ({ app }, { refresh_token: token }) => await app.bouncer.refresh((await app.bouncer.refresh(token)).refresh_token),
    request: refresh,
    status: 401,
    verbs: [...counted, 'sessions.find', 'sessions.end']
  },
  'a refresh of somebody deactivated by another hand': {
    prepare: async ({ store }, { id }) => await store.users.update(id, { isActive: false }),
    request: refresh,
    status: 401,
    verbs: [...counted, ...checked, 'sessions.end']
  },
  'a guarded route': { request: async ({ ask }, { access_token: token }) => await ask(token), status: 200, verbs: checked },
  'a guarded route, by a token of the application': {
    request: async ({ app, ask }, { id }) => await ask(app.bouncer.jwt?.sign({ sub: id, jti: id }) ?? ''),
    status: 200,
    verbs: ['ephemeral.get']
  },
  'a sign-out': { request: async ({ call }, { access_token: token }) => await call('POST', '/logout', undefined, token), status: 204, verbs: [...checked, 'sessions.end'] },
  'a sign-out by refresh token': { request: async ({ call }, { refresh_token: token }) => await call('POST', '/logout', { refresh_token: token }), status: 204, verbs: ['sessions.find', 'sessions.end'] },
  'a sign-out of a token of the application': {
    request: async ({ app, call }, { id }) => await call('POST', '/logout', undefined, app.bouncer.jwt?.sign({ sub: id, jti: id })),
    status: 204,
    verbs: ['ephemeral.get', 'ephemeral.set']
  },
  'a sign-out everywhere': { request: async ({ call }, { access_token: token }) => await call('POST', '/logout-all', undefined, token), status: 204, verbs: [...checked, 'sessions.endAll'] },
  'a sign-out everywhere by refresh token': { request: async ({ call }, { refresh_token: token }) => await call('POST', '/logout-all', { refresh_token: token }), status: 204, verbs: ['sessions.find', 'sessions.endAll'] },
  'a list of sessions': { request: async ({ call }, { access_token: token }) => await call('GET', '/sessions', undefined, token), status: 200, verbs: [...checked, 'sessions.listLive'] },
  'an end of a session': { request: async ({ call }, { access_token: token }) => await call('DELETE', `/sessions/${String(decodeJwt(token).sid)}`, undefined, token), status: 204, verbs: [...checked, 'sessions.end'] }
}

for (const [name, { prepare, request, status, verbs, once = [] }] of Object.entries(operations)) {
  t.test(`the store fails in ${name}: 503, never a pass, and all is well when it is back`, async (t) => {
    const application = await start(t)
    for (const verb of verbs) {
      const { store, seen } = application
      const user = await application.signUp()
      await prepare?.(application, user)
      store.failing.add(verb)
      seen.length = 0
      const response = await request(application, user)
      refused(t, response, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
      t.equal(response.headers['retry-after'], '5', verb)
      t.equal(response.json().extra.retry_after, 5)
      t.notMatch(response.payload, 'c4n4ry')
      t.strictSame(seen, [])
      store.failing.clear()
      t.equal((await request(application, user)).statusCode, once.includes(verb) ? 400 : status, `${verb}, again`)
    }
  })
}

for (const [name, { prepare, request, status, afterwards }] of Object.entries(operations)) {
  if (afterwards === undefined) continue
  t.test(`the store fails when ${name} has succeeded: that stands, and the fault is logged`, async (t) => {
    for (const verb of afterwards) {
      const { lines, serverOptions } = logged('error')
      const application = await start(t, serverOptions)
      const user = await application.signUp()
      await prepare?.(application, user)
      application.store.failing.add(verb)
      t.equal((await request(application, user)).statusCode, status, verb)
      t.match(lines, [{ err: { type: 'AuthUnavailableError' } }])
    }
  })
}

t.test('the verbs that are tried are those that are used', async (t) => {
  const application = await start(t)
  for (const [name, { prepare, request, verbs: needed, afterwards = [], status }] of Object.entries(operations)) {
    const verbs = [...needed, ...afterwards]
    const user = await application.signUp()
    await prepare?.(application, user)
    application.store.calls.length = 0
    t.equal((await request(application, user)).statusCode, status, name)
    const used = new Set(application.store.calls)
    t.ok(verbs.every((verb) => used.has(verb)), `${name} uses ${[...used].join(', ')}`)
    if (name !== 'a sign-in with an old hash') t.strictSame([...used].sort(), [...new Set(verbs)].sort(), name)
  }
})

t.test('whatever a store throws, nobody passes', async (t) => {
  const { store, ask, seen, signUp } = await start(t)
  const { access_token: token } = await signUp()
  store.failing.add('sessions.find')
  for (const [name, make] of Object.entries(thrown)) {
    store.fault = make
    const response = await ask(token)
    t.equal(response.statusCode, 503, name)
    t.equal(response.json().extra.code, 'AUTH_UNAVAILABLE')
  }
  t.strictSame(seen, [])
  store.failing.clear()
  t.equal((await ask(token)).statusCode, 200)
})

t.test('a store that never rotates what it shows as current is out of order, and not asked for ever', async (t) => {
  const { store, app, signUp } = await start(t)
  const { refresh_token: token } = await signUp()
  store.sessions.rotate = async () => false
  await t.rejects(app.bouncer.refresh(token), { code: 'AUTH_UNAVAILABLE', dependency: 'sessions' })
})

t.test('the ephemeral store fails: nobody can try what cannot be counted', async (t) => {
  const ephemeral = watched(memoryStore())
  const store = watched(memoryStore())
  const built = await accounts(t, { store, ephemeralStore: { name: 'other', ephemeral: ephemeral.ephemeral } })
  const { email } = await built.signUp()
  ephemeral.failing.add('ephemeral.increment')
  store.calls.length = 0
  refused(t, await built.call('POST', '/login', { email, password }), 503, 'AUTH_UNAVAILABLE')
  t.strictSame(store.calls, [])
  ephemeral.failing.clear()
  t.equal((await built.call('POST', '/login', { email, password })).statusCode, 200)
  t.strictSame(store.calls.filter((verb) => verb.startsWith('ephemeral')), [], 'what expires is in the other one')
})
