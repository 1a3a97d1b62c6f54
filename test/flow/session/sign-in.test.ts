import { createHook } from 'node:async_hooks'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { AuthUnavailableError, InvalidCredentialsError, memoryStore, RateLimitError, type Credentials, type Tokens } from '../../../index.js'
import { createEvents } from '../../../lib/events.js'
import type { Attempts } from '../../../lib/flow/attempts.js'
import { createCredentialCheck } from '../../../lib/flow/session/credentials.js'
import { createSignIn } from '../../../lib/flow/session/sign-in.js'
import { accounts, password, tokensOf, type AccountsApp } from '../../accounts.js'
import { foreignHashes } from '../../password/foreign-hashes.js'
import { stores, watched } from '../../watched-store.js'

const another = 'another horse battery'

/** What the promise was rejected with. */
async function rejection (promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => { throw new Error('It was not rejected') }, (error: unknown) => error)
}

/** Checks that nobody was signed in, and why: that is told to operators only. */
async function refusesLogin (t: Test, { app, events, happened }: AccountsApp, credentials: Credentials, reason: string): Promise<void> {
  events.length = 0
  const error = await rejection(app.bouncer.login(credentials))
  t.ok(error instanceof InvalidCredentialsError, reason)
  const [type, value] = credentials.email === undefined ? ['username', credentials.username] as const : ['email', credentials.email] as const
  t.match(error, { reason, identifier: { type, value }, detail: 'Invalid credentials', message: 'Invalid credentials' })
  t.strictSame((error as InvalidCredentialsError).toJSON(), { status_code: 401, detail: 'Invalid credentials', extra: { code: 'INVALID_CREDENTIALS' } })
  t.match(happened('user_login_failed'), [{ identifier: value, reason, origin: {} }])
  t.equal(happened('user_login_failed').length, 1)
  t.strictSame(happened('user_login'), [])
}

t.test('an e-mail address or a user name, in every spelling of it', async (t) => {
  const { app, happened } = await accounts(t)
  const user = await app.bouncer.users.create({ email: 'José@Example.com', username: 'Ada', password })
  const credentials: Credentials[] = [
    ...['josé@example.com', 'JOSÉ@EXAMPLE.COM', ' José@example.com\n', 'jose\u0301@example.com'].map((email) => ({ email, password })),
    ...['Ada', 'ada', 'ADA', '\uff21\uff44\uff41'].map((username) => ({ username, password }))
  ]
  for (const one of credentials) {
    const tokens = await tokensOf(app.bouncer.login(one))
    t.strictSame(Object.keys(tokens), ['access_token', 'refresh_token', 'token_type', 'expires_in'])
    t.equal(decodeJwt(tokens.access_token).sub, user.id, JSON.stringify(one))
  }
  t.strictSame(happened('user_login').map((event) => event.user.id), credentials.map(() => user.id))
  t.strictSame(happened('user_login_failed'), [])
})

t.test('the name is looked for as what it was given as, and nothing else', async (t) => {
  const built = await accounts(t)
  await built.app.bouncer.users.create({ email: 'ada@example.com', username: 'ada', password })
  await refusesLogin(t, built, { username: 'ada@example.com', password }, 'unknown')
  await refusesLogin(t, built, { email: 'ada', password }, 'unknown')
})

t.test('calls that name nobody, or two, are mistakes of the program', async (t) => {
  const { app, events } = await accounts(t)
  const wrong = [{}, { password }, { email: 'a@b.example', username: 'a', password }, { email: 'a@b.example' }, { email: 1, password }, { email: 'a@b.example', password: 1 }]
  for (const credentials of wrong) {
    await t.rejects(app.bouncer.login(credentials as never), { name: 'TypeError', message: 'login() takes { email, password } or { username, password }' })
  }
  t.strictSame(events, [])
})

t.test('user enumeration: every refusal is the same one, its reason private', async (t) => {
  const store = memoryStore()
  const built = await accounts(t, { store, requireVerified: true })
  const { app, events } = built
  const make = async (name: string, more: object = {}) => await app.bouncer.users.create({ email: `${name}@example.com`, password, is_verified: true, ...more })
  const wrong = await make('wrong')
  const inactive = await make('inactive', { is_active: false })
  const unverified = await make('unverified', { is_verified: false })
  const unusable = await make('unusable')
  const without = await make('without')
  await store.users.update(unusable.id, { passwordHash: 'c4n4ry$of$no$hasher' })
  await store.users.update(without.id, { passwordHash: null })

  const cases: Array<[credentials: Credentials, reason: string, userId: string | undefined]> = [
    [{ email: 'unknown@example.com', password }, 'unknown', undefined],
    [{ email: 'no address at all', password }, 'unknown', undefined],
    [{ email: 'wrong@example.com', password: another }, 'wrong_password', wrong.id],
    [{ email: 'wrong@example.com', password: '' }, 'wrong_password', wrong.id],
    [{ email: 'wrong@example.com', password: `${password}${'x'.repeat(200)}` }, 'wrong_password', wrong.id],
    [{ email: 'inactive@example.com', password }, 'inactive', inactive.id],
    [{ email: 'inactive@example.com', password: another }, 'wrong_password', inactive.id],
    [{ email: 'unverified@example.com', password }, 'unverified', unverified.id],
    [{ email: 'unverified@example.com', password: another }, 'wrong_password', unverified.id],
    [{ email: 'without@example.com', password }, 'wrong_password', without.id],
    [{ email: 'unusable@example.com', password }, 'invalid_hash', unusable.id]
  ]
  for (const [credentials, reason, userId] of cases) {
    await refusesLogin(t, built, credentials, reason)
    t.equal(built.happened('user_login_failed')[0]?.userId, userId, 'the event says whose')
  }
  t.strictSame(events.map(({ name, event }) => name === 'invalid_hash' ? event : name), [{ userId: unusable.id }, 'user_login_failed'], 'a hash that nobody reads is told of first')
})

t.test('requireVerified: once the address is verified, the user gets in', async (t) => {
  const built = await accounts(t, { requireVerified: true })
  const { app } = built
  const { id } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  await refusesLogin(t, built, { email: 'ada@example.com', password }, 'unverified')
  await app.bouncer.users.update(id, { is_verified: true })
  t.ok(await tokensOf(app.bouncer.login({ email: 'ada@example.com', password })))
})

t.test('user enumeration by work: a password is computed once, whoever it is for', async (t) => {
  const store = memoryStore()
  const { app } = await accounts(t, { store, requireVerified: true, passwords: { hasher: 'pbkdf2' } })
  for (const [name, more] of Object.entries({ right: {}, inactive: { is_active: false }, unverified: { is_verified: false }, unusable: {}, without: {} })) {
    await app.bouncer.users.create({ email: `${name}@example.com`, password, is_verified: true, ...more })
  }
  const change = async (name: string, passwordHash: string | null) => {
    await store.users.update((await app.bouncer.users.find({ email: `${name}@example.com` }))?.id ?? '', { passwordHash })
  }
  await change('unusable', 'c4n4ry')
  await change('without', null)

  let computed = 0
  const hook = createHook({ init (_id, type) { if (type === 'PBKDF2REQUEST') computed++ } }).enable()
  t.teardown(() => { hook.disable() })
  const work = async (name: string, given = password) => {
    computed = 0
    await tokensOf(app.bouncer.login({ email: `${name}@example.com`, password: given })).catch(() => {})
    return computed
  }
  t.equal(await work('right'), 1, 'the right password')
  t.equal(await work('right', another), 1, 'a wrong password')
  t.equal(await work('right', ''), 1, 'a password out of bounds')
  for (const name of ['unknown', 'inactive', 'unverified', 'unusable', 'without']) t.equal(await work(name), 1, name)
})

t.test('a hash of another kind, or a weaker one, is replaced on login', async (t) => {
  const store = watched(memoryStore())
  const { app } = await accounts(t, { store })
  const kinds = ['bcrypt, 2b', 'Django, PBKDF2, salt of 22', 'passlib, scrypt', 'argon2-cffi, argon2id', 'Django, argon2']
  for (const [index, by] of kinds.entries()) {
    const { hash, password: own } = foreignHashes.find((one) => one.by === by) as typeof foreignHashes[number]
    const { id } = await app.bouncer.users.create({ email: `user${index}@example.com`, password })
    await store.users.update(id, { passwordHash: hash })
    store.calls.length = 0
    await tokensOf(app.bouncer.login({ email: `user${index}@example.com`, password: own }))
    const better = (await store.users.findById(id))?.passwordHash
    t.match(better, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, by)
    await tokensOf(app.bouncer.login({ email: `user${index}@example.com`, password: own }))
    t.equal((await store.users.findById(id))?.passwordHash, better, 'the better one stays')
    t.equal(store.calls.filter((verb) => verb === 'users.update').length, 1)
  }
})

t.test('an old hash is not replaced for a user who may not sign in, nor by a wrong password', async (t) => {
  const store = memoryStore()
  const built = await accounts(t, { store })
  const old = foreignHashes.find(({ by }) => by === 'bcrypt, 2a') as typeof foreignHashes[number]
  const { id } = await built.app.bouncer.users.create({ email: 'ada@example.com', password, is_active: false })
  await store.users.update(id, { passwordHash: old.hash })
  await refusesLogin(t, built, { email: 'ada@example.com', password: old.password }, 'inactive')
  await refusesLogin(t, built, { email: 'ada@example.com', password: another }, 'wrong_password')
  t.equal((await store.users.findById(id))?.passwordHash, old.hash)
})

t.test('what was tried too often is refused before anything is looked up', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const { app, happened } = built
  await app.bouncer.users.create({ email: 'ada@example.com', username: 'ada', password })
  for (let attempt = 1; attempt <= 5; attempt++) await refusesLogin(t, built, { email: 'ada@example.com', password: another }, 'wrong_password')
  store.calls.length = 0
  built.events.length = 0
  for (const email of ['ada@example.com', ' ADA@example.com ']) {
    const error = await rejection(app.bouncer.login({ email, password }))
    t.ok(error instanceof RateLimitError, 'another spelling is no other account')
  }
  t.strictSame(happened('user_login_failed'), [])
  t.equal(happened('rate_limit_exceeded').length, 2)
  t.strictSame(store.calls.filter((verb) => !verb.startsWith('ephemeral')), [])
})

for (const [engine, make] of Object.entries(stores)) {
  t.test(`${engine}: race of ten sign-ins: an old hash is replaced once, and all get in`, async (t) => {
    const store = watched(make())
    const { app, happened } = await accounts(t, { store, attempts: false })
    const old = foreignHashes.find(({ by }) => by === 'bcrypt, 2b') as typeof foreignHashes[number]
    const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
    await store.users.update(id, { passwordHash: old.hash })
    const stored: unknown[] = []
    const { update } = store.users
    store.users.update = async (...args) => {
      const answer = await update(...args)
      stored.push(typeof answer === 'string' ? answer : 'replaced')
      return answer
    }

    const tokens = await Promise.all(Array.from({ length: 10 }, async () => await tokensOf(app.bouncer.login({ email, password: old.password }))))
    t.equal(stored.filter((outcome) => outcome === 'replaced').length, 1, 'one hash was stored')
    t.ok(stored.every((outcome) => outcome === 'replaced' || outcome === 'changed'))
    for (const { access_token: accessToken } of tokens) t.equal((await app.bouncer.authenticate(accessToken)).id, id)
    t.equal(new Set(tokens.map(({ access_token: accessToken }) => decodeJwt(accessToken).sid)).size, 10)
    t.equal(happened('user_login').length, 10)
    t.strictSame(happened('password_changed'), [], 'the password is the same')
  })

  const changes: Record<string, (app: AccountsApp['app'], id: string) => Promise<unknown>> = {
    'another password': async (app, id) => { await app.bouncer.users.setPassword(id, another) },
    deactivation: async (app, id) => await app.bouncer.users.update(id, { is_active: false })
  }
  for (const [name, change] of Object.entries(changes)) {
    t.test(`${engine}: race of a sign-in against ${name}: what was seen before does not count`, async (t) => {
      const store = watched(make())
      const { app, happened } = await accounts(t, { store })
      const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
      const held = store.hold('sessions.insert')
      const login = rejection(app.bouncer.login({ email, password }))
      await held.reached
      await change(app, id)
      held.release()
      t.match(await login, { name: 'InvalidCredentialsError', reason: 'changed_meanwhile', code: 'INVALID_CREDENTIALS' })
      t.strictSame((await store.sessions.listLive(id, Date.now(), { limit: 10 })).items, [], 'the session it had started is over')
      t.strictSame(happened('user_login'), [])
      t.match(happened('user_login_failed'), [{ userId: id, reason: 'changed_meanwhile' }])
    })
  }

  t.test(`${engine}: race of a sign-in against another password, after the last look: its tokens are dead`, async (t) => {
    const store = watched(make())
    const { app } = await accounts(t, { store })
    const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
    const held = store.hold('users.findById', 'after')
    const login = app.bouncer.login({ email, password })
    await held.reached
    await app.bouncer.users.setPassword(id, another)
    held.release()
    const tokens = await tokensOf(login)
    t.match(await rejection(app.bouncer.authenticate(tokens.access_token)), { code: 'TOKEN_REVOKED' })
    t.match(await rejection(app.bouncer.refresh(tokens.refresh_token)), { code: 'TOKEN_REVOKED' })
  })

  t.test(`${engine}: race of a sign-in against deletion: nobody gets in`, async (t) => {
    const store = watched(make())
    const { app, happened } = await accounts(t, { store })
    for (const verb of ['sessions.insert', 'users.findById'] as const) {
      const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
      const held = store.hold(verb)
      const login = rejection(app.bouncer.login({ email, password }))
      await held.reached
      await app.bouncer.users.delete(id)
      held.release()
      t.match(await login, { statusCode: verb === 'users.findById' ? 401 : /401|503/ }, verb)
      t.strictSame((await store.sessions.listLive(id, Date.now(), { limit: 10 })).items, [])
    }
    t.strictSame(happened('user_login'), [])
  })

  t.test(`${engine}: race of a sign-in against the same password, set anew: it is still right`, async (t) => {
    const store = watched(make())
    const { app, happened } = await accounts(t, { store })
    const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
    const held = store.hold('sessions.insert')
    const login = app.bouncer.login({ email, password })
    await held.reached
    await app.bouncer.users.setPassword(id, password)
    held.release()
    t.equal((await app.bouncer.authenticate((await tokensOf(login)).access_token)).id, id)
    t.equal(happened('user_login').length, 1)
  })
}

t.test('a better hash waits for the next sign-in when too much is to be hashed', async (t) => {
  const events = createEvents({ propagate: true, report: () => {} })
  const { users } = memoryStore()
  const user = { id: 'ada', email: 'ada@example.com', username: null, passwordHash: 'an old hash', roles: [], isActive: true, isVerified: true, mustChangePassword: false, signedOutAt: null, createdAt: 1, updatedAt: 1 }
  await users.insert(user)
  const attempts: Attempts = { begin: async () => attempts.resume('login', undefined, {}), resume: () => ({ succeeded: async () => {} }), trust: async () => {} }
  const faults = [new AuthUnavailableError({ dependency: 'hashing' }), new Error('broken')]
  const started: string[] = []
  const login = createSignIn({
    users,
    check: createCredentialCheck({
      users,
      events,
      requireVerified: false,
      attempts,
      passwords: { check: async () => {}, verify: async () => ({ matches: true, outdated: true }), hash: async () => { throw faults.shift() } }
    }),
    // The queue is full between two steps of one sign-in: no request can bring that about.
    completion: { next: async () => undefined, complete: async ({ id }) => { started.push(id); return {} as Tokens } }
  })
  await t.resolves(login({ email: user.email, password }))
  t.equal((await users.findById('ada'))?.passwordHash, 'an old hash')
  await t.rejects(login({ email: user.email, password }), { message: 'broken' }, 'any other fault is one')
  t.strictSame(started, ['ada'])
})
