import t from 'tap'
import { AuthorizationError, AuthUnavailableError, PasswordPolicyError, UserAlreadyExistsError, UserNotFoundError, memoryStore, type UserStore } from '../../../index.js'
import { accounts, mailed, password } from '../../accounts.js'
import { rejection } from '../../rejection.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const another = 'another good password'

t.test('created as asked, and found by id, address and name in any spelling', async (t) => {
  const { app, events, happened } = await accounts(t)
  const { users } = app.bouncer
  const ada = await users.create({ email: ' Ada@Example.com', password, username: 'Ada', roles: ['editor', 'admin', 'editor'], is_verified: true })
  t.strictSame(ada, { id: ada.id, email, username: 'ada', roles: ['admin', 'editor'], is_active: true, is_verified: true })
  const eve = await users.create({ email: 'eve@example.com', is_active: false })
  t.strictSame(eve, { id: eve.id, email: 'eve@example.com', username: null, roles: [], is_active: false, is_verified: false })
  t.strictSame(events.map(({ name }) => name), ['user_created', 'user_created'], 'what administrators make is not mailed to')
  t.strictSame(happened('user_created'), [{ user: ada }, { user: eve }])
  t.strictSame(await users.get(ada.id), ada)
  for (const name of [{ email }, { email: 'ADA@example.com ' }, { username: 'ada' }, { username: 'ADA' }]) t.strictSame(await users.find(name), ada)
  for (const name of [{ email: 'nobody@example.com' }, { username: 'nobody' }, { email: 'ada' }, { username: 'a b' }, { email: '' }, { username: email }]) t.equal(await users.find(name), undefined, JSON.stringify(name))
  await t.rejects(users.get('nobody'), { name: 'UserNotFoundError', userId: 'nobody', code: 'USER_NOT_FOUND' })
})

t.test('a user without a password cannot sign in, until there is one', async (t) => {
  const { app } = await accounts(t)
  const { id } = await app.bouncer.users.create({ email })
  for (const guess of ['', password, 'null']) await t.rejects(app.bouncer.login({ email, password: guess }), { code: 'INVALID_CREDENTIALS' })
  await app.bouncer.users.setPassword(id, password)
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('nonsense is a TypeError, and makes and changes nobody', async (t) => {
  const { app, events, signUp } = await accounts(t)
  const { users } = app.bouncer
  const { id } = await signUp({ email })
  const before = await users.get(id)
  events.length = 0
  const accountsThatAreNone: unknown[] = [
    undefined, null, {}, 'ada', { email: undefined }, { email: null }, { email: 5 }, { email: 'ada' }, { email: '' }, { email: ['a@example.com'] },
    { email: 'a@example.com', username: 5 }, { email: 'a@example.com', username: 'a b' }, { email: 'a@example.com', username: 'b@example.com' },
    { email: 'a@example.com', roles: 'admin' }, { email: 'a@example.com', roles: null }, { email: 'a@example.com', roles: [''] }, { email: 'a@example.com', roles: [5] },
    { email: 'a@example.com', is_active: 'false' }, { email: 'a@example.com', is_active: 0 }, { email: 'a@example.com', is_verified: null }
  ]
  for (const account of accountsThatAreNone) await t.rejects(users.create(account as never), TypeError, JSON.stringify(account))
  const changesThatAreNone: unknown[] = [null, { email: null }, { email: 'ada' }, { username: 5 }, { roles: 'admin' }, { roles: [null] }, { is_active: 'false' }, { is_active: null }, { is_verified: 1 }]
  for (const changes of changesThatAreNone) await t.rejects(users.update(id, changes as never), TypeError, JSON.stringify(changes))
  for (const given of [undefined, null, 5, {}, ['a good password']]) await t.rejects(users.setPassword(id, given as never), TypeError, JSON.stringify(given))
  for (const given of [undefined, null, {}, 'ada', { email: undefined }, { email: 5 }, { username: null }, { email, username: 'ada' }, { id }]) await t.rejects(users.find(given as never), TypeError, JSON.stringify(given))
  t.strictSame(events, [])
  t.strictSame((await users.list()).items, [before])
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('address and name are unique', async (t) => {
  const { app } = await accounts(t)
  const { users } = app.bouncer
  await users.create({ email, username: 'ada' })
  const { id } = await users.create({ email: 'eve@example.com', username: 'eve' })
  const collisions: Array<[type: 'email' | 'username', value: string, Promise<unknown>]> = [
    ['email', email, users.create({ email: 'ADA@example.com' })],
    ['username', 'ada', users.create({ email: 'new@example.com', username: 'ADA' })],
    ['email', email, users.update(id, { email: ' ADA@example.com' })],
    ['username', 'ada', users.update(id, { username: 'Ada' })]
  ]
  for (const [type, value, collision] of collisions) {
    const error = await rejection<UserAlreadyExistsError>(collision)
    t.type(error, UserAlreadyExistsError)
    t.strictSame([error.identifier, error.identifierType, error.identifierValue], [{ type, value }, type, value])
    t.equal(error.message, 'A user with the provided credentials already exists.')
  }
  t.match(await users.get(id), { email: 'eve@example.com', username: 'eve' })
})

t.test('passwords are held to the rules, with the address and the name as they will be', async (t) => {
  const { app, happened } = await accounts(t)
  const { users } = app.bouncer
  const created = await rejection<PasswordPolicyError>(users.create({ email, username: 'lovelace', password: 'lovela1' }))
  t.strictSame([created.code, created.errors, created.userId], ['PASSWORD_POLICY_VIOLATION', ['Password must be at least 8 characters', 'Password must not be too similar to your user name'], undefined])
  const { id } = await users.create({ email, password })
  const updated = await rejection<PasswordPolicyError>(users.update(id, { username: 'countess', password: 'countess1' }))
  t.strictSame([updated.code, updated.errors, updated.userId], ['UPDATE_USER_INVALID_PASSWORD', ['Password must not be too similar to your user name'], id])
  const set = await rejection<PasswordPolicyError>(users.setPassword(id, '123'))
  t.match(set, { code: 'UPDATE_USER_INVALID_PASSWORD', userId: id, errors: ['Password must be at least 8 characters', 'Password must not be entirely numeric'] })
  t.match(await users.get(id), { username: null })
  t.strictSame(happened('password_changed'), [])
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('a change changes what it names, and tells what that was', async (t) => {
  const { app, happened } = await accounts(t)
  const { users } = app.bouncer
  const { id } = await users.create({ email, password, username: 'ada', is_verified: true })
  const expected = { id, email, username: 'ada', roles: [] as string[], is_active: true, is_verified: true }
  t.strictSame(await users.update(id, {}), expected)
  t.strictSame(await users.update(id, { username: 'Lovelace' }), { ...expected, username: 'lovelace' })
  t.strictSame(await users.update(id, { username: null, email: 'ADA@example.com' }), { ...expected, username: null }, 'another spelling is no other address')
  t.strictSame(await users.update(id, { email: 'new@example.com' }), { ...expected, username: null, email: 'new@example.com', is_verified: false }, 'a new one has to be verified')
  t.strictSame(await users.update(id, { email, is_verified: true }), { ...expected, username: null }, 'unless somebody says it is')
  t.strictSame(await users.update(id, { roles: ['b', 'a', 'b'], is_active: undefined, id: 'x', passwordHash: 'y' } as never), { ...expected, username: null, roles: ['a', 'b'] })
  t.strictSame(happened('user_updated').map(({ fields }) => [...fields]), [[], ['username'], ['email', 'username'], ['email'], ['email', 'is_verified'], ['roles']])
  t.strictSame(happened('verification_requested'), [])
  await t.resolves(app.bouncer.login({ email, password }))
  await t.rejects(users.update('nobody', { username: 'x' }), { name: 'UserNotFoundError', userId: 'nobody' })
})

t.test('a new password ends all sessions', async (t) => {
  const { app, signUp, events, happened } = await accounts(t)
  const { id, access_token: access, refresh_token: refresh } = await signUp({ email })
  events.length = 0
  t.equal(await app.bouncer.users.setPassword(id, another), undefined)
  t.match(happened('user_logout'), [{ userId: id, sessionIds: { length: 1 }, reason: 'password_changed' }])
  t.match(happened('password_changed'), [{ user: { id } }])
  t.notOk(JSON.stringify(events).includes(another))
  await t.rejects(app.bouncer.authenticate(access), { code: 'TOKEN_REVOKED' })
  await t.rejects(app.bouncer.refresh(refresh), { code: 'TOKEN_REVOKED' })
  await t.rejects(app.bouncer.login({ email, password }), { code: 'INVALID_CREDENTIALS' })
  await t.resolves(app.bouncer.login({ email, password: another }))
  await t.rejects(app.bouncer.users.setPassword('nobody', another), UserNotFoundError)
})

t.test('who is deactivated is out at once, and who comes back has to sign in', async (t) => {
  const { app, signUp, happened } = await accounts(t)
  const { users } = app.bouncer
  const { id, access_token: access, refresh_token: refresh } = await signUp({ email })
  t.match(await users.update(id, { is_active: false, password: another }), { is_active: false })
  t.match(happened('user_logout'), [{ userId: id, reason: 'deactivated' }])
  const gone = { name: 'AccountUnavailableError', code: 'ACCOUNT_UNAVAILABLE', userId: id, reason: 'deactivated' }
  t.match(await rejection(app.bouncer.authenticate(access)), gone)
  t.match(await rejection(app.bouncer.refresh(refresh)), gone)
  t.match(await rejection(app.bouncer.login({ email, password: another })), { code: 'INVALID_CREDENTIALS', reason: 'inactive' })
  await users.update(id, { is_active: true })
  t.match(await rejection(app.bouncer.authenticate(access)), { statusCode: 401 }, 'what was ended does not come alive again')
  t.match(await rejection(app.bouncer.refresh(refresh)), { statusCode: 401 })
  await t.resolves(app.bouncer.login({ email, password: another }))
})

t.test('a role that is lost ends what claims it', async (t) => {
  const { app, signUp } = await accounts(t)
  const { id, access_token: access, refresh_token: refresh } = await signUp({ roles: ['editor', 'viewer'] })
  await app.bouncer.users.update(id, { roles: ['viewer', 'editor', 'writer'] })
  t.match(await app.bouncer.authenticate(access), { roles: ['editor', 'viewer'] }, 'a role that is won does not')
  await app.bouncer.users.update(id, { roles: ['viewer'] })
  await t.rejects(app.bouncer.authenticate(access), { code: 'TOKEN_REVOKED' })
  const { access_token: next } = await app.bouncer.refresh(refresh)
  t.match(await app.bouncer.authenticate(next), { roles: ['viewer'] })
})

t.test('who is deleted is gone, with sessions and tokens, and the address is free', async (t) => {
  for (const [name, store] of Object.entries(stores)) {
    const built = await accounts(t, { store: store() })
    const { app, happened } = built
    const { id, access_token: access, refresh_token: refresh } = await built.signUp({ email, username: 'ada' })
    await app.bouncer.passwords.requestReset(email)
    const reset = await mailed(built, 'password_reset_requested')
    t.equal(await app.bouncer.users.delete(id), undefined, name)
    t.strictSame(happened('user_deleted'), [{ userId: id }])
    await t.rejects(app.bouncer.users.get(id), UserNotFoundError)
    await t.rejects(app.bouncer.users.delete(id), { name: 'UserNotFoundError', userId: id })
    t.equal(happened('user_deleted').length, 1)
    const { id: next } = await app.bouncer.users.create({ email, username: 'ada', password })
    t.not(next, id)
    t.match(await rejection(app.bouncer.authenticate(access)), { code: 'ACCOUNT_UNAVAILABLE', reason: 'deleted' }, 'who has the address now is somebody else')
    t.match(await rejection(app.bouncer.refresh(refresh)), { statusCode: 401 })
    await t.rejects(app.bouncer.passwords.reset(reset, another), { code: 'RESET_PASSWORD_BAD_TOKEN' })
    t.strictSame((await app.bouncer.sessions.list(next, { limit: 10 })).items, [])
  }
})

t.test('lists have everybody, oldest first, 50 to a page', async (t) => {
  const { app } = await accounts(t)
  const { users } = app.bouncer
  const ids: string[] = []
  for (let count = 0; count < 53; count++) ids.push((await users.create({ email: `user${count}@example.com` })).id)
  const first = await users.list()
  t.equal(first.items.length, 50)
  const second = await users.list({ after: first.next })
  t.equal(second.next, undefined)
  t.strictSame([...first.items, ...second.items].map(({ id }) => id).toSorted(), ids.toSorted())
  t.notOk(JSON.stringify(first).includes('passwordHash'))
  const found: string[] = []
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await users.list({ limit: 10, after })
    found.push(...page.items.map(({ id }) => id))
    after = page.next
  }
  t.strictSame(found, [...first.items, ...second.items].map(({ id }) => id))
})

/** Ways in which an administrator stops being one. */
const ways = {
  demoted: { roles: ['editor'] },
  deactivated: { is_active: false },
  both: { roles: [], is_active: false },
  deleted: undefined
}

for (const [name, store] of Object.entries(stores)) {
  for (const [way, changes] of Object.entries(ways)) {
    t.test(`the last administrator is not ${way}, on ${name}`, async (t) => {
      const { app, signUp, events } = await accounts(t, { store: store() })
      const { users } = app.bouncer
      const remove = async (id: string): Promise<unknown> => changes === undefined ? await users.delete(id) : await users.update(id, changes)
      const { id, access_token: access } = await signUp({ roles: ['admin'] })
      await users.create({ email: 'former@example.com', roles: ['admin'], is_active: false })
      await users.create({ email: 'other@example.com', roles: ['administrator', 'Admin'] })
      const before = await users.get(id)
      events.length = 0
      const error = await rejection<AuthorizationError & { userId: string }>(remove(id))
      t.type(error, AuthorizationError)
      t.match(error, { name: 'LastAdministratorError', code: 'AUTHORIZATION_DENIED', statusCode: 403, userId: id })
      t.strictSame(await users.get(id), before)
      t.strictSame(events, [])
      await t.resolves(app.bouncer.authenticate(access))
      const { id: second } = await signUp({ roles: ['admin'] })
      await t.resolves(remove(id), 'the one before the last is')
      await t.rejects(remove(second), { code: 'AUTHORIZATION_DENIED' })
    })
  }

  t.test(`race: two administrators remove each other, on ${name}`, async (t) => {
    for (const [firstWay, first] of Object.entries(ways)) {
      for (const [secondWay, second] of Object.entries(ways)) {
        const { app } = await accounts(t, { store: store() })
        const { users } = app.bouncer
        const both = [await users.create({ email: 'a@example.com', roles: ['admin'] }), await users.create({ email: 'b@example.com', roles: ['admin'] })]
        const answers = await Promise.allSettled(both.map(async ({ id }, index) => {
          const changes = index === 0 ? first : second
          return changes === undefined ? await users.delete(id) : await users.update(id, changes)
        }))
        t.strictSame(answers.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'], `one ${firstWay}, one ${secondWay}`)
        t.match(answers.find(({ status }) => status === 'rejected'), { reason: { code: 'AUTHORIZATION_DENIED' } })
        t.equal((await users.list()).items.filter((user) => user.is_active && user.roles.includes('admin')).length, 1)
      }
    }
  })

  t.test(`where there is no administrator, the others can be changed and deleted, on ${name}`, async (t) => {
    const { app } = await accounts(t, { store: store() })
    const { users } = app.bouncer
    const { id: former } = await users.create({ email: 'former@example.com', roles: ['admin'], is_active: false })
    const { id } = await users.create({ email, roles: ['editor'] })
    t.match(await users.update(id, { roles: [], is_active: false }), { roles: [], is_active: false })
    t.match(await users.update(former, { roles: [] }), { roles: [] })
    await t.resolves(users.delete(id))
    await t.resolves(users.delete(former))
  })
}

t.test('what leaves the last administrator what he is, is done', async (t) => {
  const { app, signUp } = await accounts(t)
  const { users } = app.bouncer
  const { id } = await signUp({ roles: ['admin'] })
  await t.resolves(users.update(id, { username: 'root', roles: ['admin', 'editor'], is_active: true }))
  await t.resolves(users.update(id, { roles: ['admin'], email: 'root@example.com' }))
  await t.resolves(users.setPassword(id, another))
})

t.test('adminRole: who holds that role is kept', async (t) => {
  const { app, signUp } = await accounts(t, { adminRole: 'owner' })
  const { id: admin } = await signUp({ roles: ['admin'] })
  const { id: owner } = await signUp({ roles: ['owner'] })
  await t.resolves(app.bouncer.users.delete(admin))
  await t.rejects(app.bouncer.users.delete(owner), { code: 'AUTHORIZATION_DENIED' })
  await t.rejects(app.bouncer.users.update(owner, { roles: ['admin'] }), { code: 'AUTHORIZATION_DENIED' })
})

t.test('a store of the application that answers with what nobody asked for is out of order', async (t) => {
  for (const answer of ['changed', 'nonsense', 'stored'] as const) {
    const { users } = memoryStore()
    const own: UserStore = { ...users, insert: async () => answer as never, update: async () => answer as never, delete: async () => answer as never }
    const { app, events } = await accounts(t, { store: memoryStore({ users: own }) })
    await users.insert({ id: 'ada', email, username: null, passwordHash: null, roles: [], isActive: true, isVerified: false, mustChangePassword: false, signedOutAt: null, createdAt: 1, updatedAt: 1 })
    const outOfOrder = { name: 'AuthUnavailableError', code: 'AUTH_UNAVAILABLE', dependency: 'users' }
    await t.rejects(app.bouncer.users.update('ada', { username: 'x' }), outOfOrder, answer)
    await t.rejects(app.bouncer.users.update('ada', { is_active: false }), outOfOrder)
    await t.rejects(app.bouncer.users.delete('ada'), outOfOrder)
    t.strictSame(events, [])
    if (answer !== 'stored') await t.rejects(app.bouncer.users.create({ email: 'eve@example.com' }), outOfOrder)
  }
  for (const answer of [undefined, null, 5, {}]) {
    const { users } = memoryStore()
    const own: UserStore = { ...users, insert: async () => answer as never, delete: async () => answer as never }
    const { app, events } = await accounts(t, { store: memoryStore({ users: own }) })
    await t.rejects(app.bouncer.users.create({ email }), AuthUnavailableError, JSON.stringify(answer))
    await t.rejects(app.bouncer.users.delete('ada'), AuthUnavailableError)
    t.strictSame(events, [])
  }
})

t.test('a store that fails refuses, and nothing was announced', async (t) => {
  const store = watched(memoryStore())
  const { app, signUp, events } = await accounts(t, { store })
  const { users } = app.bouncer
  const { id } = await signUp({ email })
  events.length = 0
  const calls: Record<string, () => Promise<unknown>> = {
    'users.insert': async () => await users.create({ email: 'eve@example.com' }),
    'users.findById': async () => await users.get(id),
    'users.findByEmail': async () => await users.find({ email }),
    'users.findByUsername': async () => await users.find({ username: 'ada' }),
    'users.list': async () => await users.list(),
    'users.update': async () => await users.update(id, { username: 'ada' }),
    'users.delete': async () => await users.delete(id)
  }
  for (const [verb, call] of Object.entries(calls)) {
    store.failing.add(verb as never)
    await t.rejects(call(), AuthUnavailableError, verb)
    store.failing.clear()
  }
  t.strictSame(events, [])
  t.match(await users.get(id), { email, username: null })
})
