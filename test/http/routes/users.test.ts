import { join } from 'node:path'
import t, { type Test } from 'tap'
import { memoryStore, type Store } from '../../../index.js'
import { sqliteStore } from '../../../lib/store/sql.js'
import { accounts, mailed, password, until, type AccountsApp } from '../../accounts.js'
import { audience, claims, forge, issuer, refused, secret, token } from '../../build.js'
import { peopleStore } from '../../store/people.js'
import { stores, watched } from '../../watched-store.js'

const another = 'another good password'
const CANARY = 'c4n4ry'

/** An application with an administrator and an ordinary user, both signed in. */
async function staffed (t: Test, ...options: Parameters<typeof accounts> extends [Test, ...infer Rest] ? Rest : never): Promise<AccountsApp & Record<'admin' | 'ada', Awaited<ReturnType<AccountsApp['signUp']>>>> {
  const built = await accounts(t, ...options)
  return { ...built, admin: await built.signUp({ email: 'root@example.com', roles: ['admin'] }), ada: await built.signUp({ email: 'ada@example.com', username: 'ada', roles: ['editor'] }) }
}

t.test('strangers, and users without the role, are refused on each route, before anything is looked up', async (t) => {
  const store = watched(memoryStore())
  const { app, call, ada, admin, signUp } = await staffed(t, { store })
  const nearly = await signUp({ roles: ['Admin', 'administrator', 'admin '] })
  const routes = [
    ['GET', '/users', undefined], ['GET', '/users?limit=1', undefined], ['GET', `/users/${admin.id}`, undefined], ['GET', '/users/nobody', undefined], ['GET', `/users/${ada.id}`, undefined],
    ['PATCH', `/users/${ada.id}`, { roles: ['admin'] }], ['PATCH', `/users/${admin.id}`, { is_active: false }], ['PATCH', '/users/nobody', { username: 'x' }], ['PATCH', `/users/${ada.id}`, { nonsense: 1 }],
    ['DELETE', `/users/${admin.id}`, undefined], ['DELETE', `/users/${ada.id}`, undefined], ['DELETE', '/users/nobody', undefined]
  ] as const
  store.calls.length = 0
  for (const [method, path, body] of routes) {
    refused(t, await call(method, path, body), 401, 'MISSING_TOKEN')
    refused(t, await call(method, path, body, forge({ alg: 'HS256' }, claims({ roles: ['admin'] }), 'another secret of thirty-two bytes or more')), 401, 'TOKEN_INVALID')
    for (const user of [ada, nearly]) refused(t, await call(method, path, body, user.access_token), 403, 'INSUFFICIENT_ROLES')
  }
  t.strictSame([...new Set(store.calls)].toSorted(), ['sessions.find', 'users.findById'], 'of each token its session and its user, and nothing else')
  t.match(await app.bouncer.users.get(ada.id), { roles: ['editor'], is_active: true })
  t.match(await app.bouncer.users.get(admin.id), { roles: ['admin'], is_active: true })
})

t.test('attack: a role in a token that the user has no more, or never had', async (t) => {
  const { app, call, admin, ada, signUp } = await staffed(t)
  const second = await signUp({ roles: ['admin'] })
  await app.bouncer.users.update(second.id, { roles: [] })
  refused(t, await call('GET', '/users', undefined, second.access_token), 401, 'TOKEN_REVOKED')
  refused(t, await call('GET', '/users', undefined, token({ sub: ada.id, sid: (await app.bouncer.authenticate(ada.access_token)).claims.sid, roles: ['admin'] })), 401, 'TOKEN_REVOKED')
  t.equal((await call('GET', '/users', undefined, admin.access_token)).statusCode, 200)
})

t.test('GET /users: pages, oldest first', async (t) => {
  const { app, call, admin } = await staffed(t)
  for (let count = 0; count < 5; count++) await app.bouncer.users.create({ email: `more${count}@example.com` })
  const all = (await call('GET', '/users', undefined, admin.access_token)).json()
  t.equal(all.items.length, 7)
  t.equal(all.next, null)
  t.strictSame(Object.keys(all.items[0]), ['id', 'email', 'username', 'roles', 'is_active', 'is_verified'])
  const found: unknown[] = []
  for (let path = '/users?limit=3', pages = 0; pages < 3; pages++) {
    const response = await call('GET', path, undefined, admin.access_token)
    t.equal(response.statusCode, 200)
    t.equal(response.headers['cache-control'], 'no-store')
    const page = response.json()
    found.push(...page.items)
    path = `/users?limit=3&after=${encodeURIComponent(page.next)}`
    t.equal(page.next === null, pages === 2)
  }
  t.strictSame(found, all.items)
})

t.test('GET /users: limits and cursors that cannot be meant', async (t) => {
  const { call, admin } = await staffed(t)
  for (const query of ['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', `limit=${CANARY}`, 'limit=', 'limit=1&limit=2', 'after=1&after=2', `after=${'x'.repeat(1025)}`, `${CANARY}=1`, 'limit[]=1', '__proto__=1']) {
    const response = await call('GET', `/users?${query}`, undefined, admin.access_token)
    refused(t, response, 400, 'REQUEST_INVALID')
    t.notMatch(response.payload, CANARY)
  }
  for (const after of [CANARY, '%00', '%F0%9F%98%80', Buffer.from('[1,2]').toString('base64url'), Buffer.from('{}').toString('base64url'), '..%2F..%2Fetc']) {
    const response = await call('GET', `/users?after=${after}`, undefined, admin.access_token)
    t.equal(response.statusCode, 200, after)
    t.strictSame(response.json(), { items: [], next: null }, 'one that was made up shows nobody')
  }
})

t.test('GET /users/:id', async (t) => {
  const { call, admin, ada } = await staffed(t)
  const response = await call('GET', `/users/${ada.id}`, undefined, admin.access_token)
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { id: ada.id, email: 'ada@example.com', username: 'ada', roles: ['editor'], is_active: true, is_verified: true })
})

t.test('an id that nobody has is 404 on each route, whatever it is', async (t) => {
  for (const store of Object.values(stores)) {
    const { call, admin } = await staffed(t, { store: store() })
    for (const id of ['nobody', CANARY, '0', 'null', '%00', '%F0%9F%98%80', "'%20or%20'1'='1", '__proto__', 'constructor', '..%2F..%2F', admin.id.toUpperCase(), `${admin.id}%20`]) {
      for (const [method, body] of [['GET', undefined], ['PATCH', { username: 'x' }], ['DELETE', undefined]] as const) {
        const response = await call(method, `/users/${id}`, body, admin.access_token)
        refused(t, response, 404, 'USER_NOT_FOUND', 'User not found')
        t.strictSame(response.json().extra, { code: 'USER_NOT_FOUND' })
        t.notMatch(response.payload, CANARY)
      }
    }
  }
})

t.test('PATCH /users/:id: each field', async (t) => {
  const { call, admin, ada } = await staffed(t)
  const patch = async (body: object) => await call('PATCH', `/users/${ada.id}`, body, admin.access_token)
  const expected = { id: ada.id, email: 'ada@example.com', username: 'ada' as string | null, roles: ['editor'], is_active: true, is_verified: true }
  const cases: Array<[body: object, after: Partial<typeof expected>]> = [
    [{ username: 'Lovelace' }, { username: 'lovelace' }],
    [{ username: null }, { username: null }],
    [{ roles: ['writer', 'editor', 'writer'] }, { roles: ['editor', 'writer'] }],
    [{ roles: [] }, { roles: [] }],
    [{ email: ' New@Example.com' }, { email: 'new@example.com', is_verified: false }],
    [{ is_verified: true }, { is_verified: true }],
    [{ is_verified: false }, { is_verified: false }],
    [{ email: 'ada@example.com', is_verified: true, roles: ['editor'], username: 'ada' }, { email: 'ada@example.com', is_verified: true, roles: ['editor'], username: 'ada' }],
    [{ is_active: false }, { is_active: false }],
    [{ is_active: true }, { is_active: true }]
  ]
  for (const [body, after] of cases) {
    const response = await patch(body)
    t.equal(response.statusCode, 200, JSON.stringify(body))
    t.strictSame(response.json(), Object.assign(expected, after))
    t.strictSame((await call('GET', `/users/${ada.id}`, undefined, admin.access_token)).json(), expected)
  }
  const response = await patch({ password: another })
  t.equal(response.statusCode, 200)
  t.notMatch(response.payload, /argon2|another/)
  t.equal((await call('POST', '/login', { email: 'ada@example.com', password: another })).statusCode, 200)
})

t.test('PATCH /users/:id: what is refused changes nothing', async (t) => {
  const { app, call, admin, ada } = await staffed(t)
  await app.bouncer.users.create({ email: `${CANARY}@example.com`, username: CANARY })
  const patch = async (body: object) => await call('PATCH', `/users/${ada.id}`, body, admin.access_token)
  for (const body of [{ email: `${CANARY}@EXAMPLE.com` }, { username: CANARY.toUpperCase() }]) {
    const response = await patch({ ...body, is_active: false, roles: ['admin'] })
    refused(t, response, 400, 'USER_ALREADY_EXISTS')
    t.notMatch(response.payload, new RegExp(CANARY, 'i'))
  }
  const weak = await patch({ password: `${CANARY}1`.slice(0, 6), is_active: false })
  refused(t, weak, 400, 'UPDATE_USER_INVALID_PASSWORD')
  t.strictSame(weak.json().extra.errors, ['Password must be at least 8 characters'])
  const nonsense: object[] = [
    {}, { id: 'x' }, { passwordHash: CANARY }, { createdAt: 0 }, { role: 'admin' }, { isActive: false }, { current_password: password }, { [CANARY]: 1 },
    { is_active: 'false' }, { is_active: 0 }, { is_active: null }, { is_verified: 'true' }, { roles: 'admin' }, { roles: [''] }, { roles: [5] }, { roles: null }, { roles: { 0: 'admin' } },
    { roles: Array(101).fill('x') }, { roles: ['x'.repeat(129)] }, { email: null }, { email: 'ada' }, { email: 5 }, { username: '' }, { username: 'a b' }, { username: 5 }, { password: null }, { password: 5 }
  ]
  for (const body of nonsense) {
    const response = await patch({ ...body })
    refused(t, response, 400, 'REQUEST_INVALID')
    t.notMatch(response.payload, CANARY)
  }
  t.match(await app.bouncer.users.get(ada.id), { email: 'ada@example.com', username: 'ada', roles: ['editor'], is_active: true, is_verified: true })
  t.equal((await call('GET', '/me', undefined, ada.access_token)).statusCode, 200)
})

t.test('who is deactivated is out at once', async (t) => {
  const { call, admin, ada } = await staffed(t)
  await call('PATCH', `/users/${ada.id}`, { is_active: false }, admin.access_token)
  refused(t, await call('GET', '/me', undefined, ada.access_token), 401, 'ACCOUNT_UNAVAILABLE', 'Account is not available for sign-in.')
  refused(t, await call('POST', '/refresh', { refresh_token: ada.refresh_token }), 401, 'ACCOUNT_UNAVAILABLE')
  refused(t, await call('POST', '/login', { email: 'ada@example.com', password }), 401, 'INVALID_CREDENTIALS')
  await call('PATCH', `/users/${ada.id}`, { is_active: true }, admin.access_token)
  t.equal((await call('GET', '/me', undefined, ada.access_token)).statusCode, 401, 'an old session does not come back')
  t.equal((await call('POST', '/refresh', { refresh_token: ada.refresh_token })).statusCode, 401)
  t.equal((await call('POST', '/login', { email: 'ada@example.com', password })).statusCode, 200)
})

t.test('who loses a role loses the tokens that claim it, and keeps the session', async (t) => {
  const { call, admin, ada } = await staffed(t)
  await call('PATCH', `/users/${ada.id}`, { roles: ['viewer'] }, admin.access_token)
  refused(t, await call('GET', '/me', undefined, ada.access_token), 401, 'TOKEN_REVOKED')
  const next = await call('POST', '/refresh', { refresh_token: ada.refresh_token })
  t.equal(next.statusCode, 200)
  t.strictSame((await call('GET', '/me', undefined, next.json().access_token)).json().roles, ['viewer'])
})

t.test('DELETE /users/:id: 204, once', async (t) => {
  const { call, admin, ada } = await staffed(t)
  const response = await call('DELETE', `/users/${ada.id}`, undefined, admin.access_token)
  t.strictSame([response.statusCode, response.payload, response.headers['cache-control']], [204, '', 'no-store'])
  refused(t, await call('DELETE', `/users/${ada.id}`, undefined, admin.access_token), 404, 'USER_NOT_FOUND')
  refused(t, await call('GET', '/me', undefined, ada.access_token), 401, 'ACCOUNT_UNAVAILABLE')
  refused(t, await call('POST', '/login', { email: 'ada@example.com', password }), 401, 'INVALID_CREDENTIALS')
  t.equal((await call('POST', '/register', { email: 'ada@example.com', password, username: 'ada' })).statusCode, 201, 'address and name are free')
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`the last administrator stays, whoever asks, on ${name}`, async (t) => {
    const { call, admin, signUp } = await staffed(t, { store: store() })
    const ways = [['PATCH', { is_active: false }], ['PATCH', { roles: [] }], ['PATCH', { roles: ['editor'], is_active: true }], ['DELETE', undefined]] as const
    for (const [method, body] of ways) {
      const response = await call(method, `/users/${admin.id}`, body, admin.access_token)
      refused(t, response, 403, 'AUTHORIZATION_DENIED', 'The last administrator cannot be removed.')
      t.strictSame(response.json().extra, { code: 'AUTHORIZATION_DENIED' })
    }
    t.match((await call('GET', '/me', undefined, admin.access_token)).json(), { roles: ['admin'], is_active: true })
    for (const [method, body] of ways) {
      const second = await signUp({ roles: ['admin'] })
      t.equal((await call(method, `/users/${second.id}`, body, admin.access_token)).statusCode, method === 'DELETE' ? 204 : 200, 'the last but one goes')
      const third = await signUp({ roles: ['admin'] })
      t.equal((await call(method, `/users/${third.id}`, body, third.access_token)).statusCode, method === 'DELETE' ? 204 : 200, 'by himself too')
    }
    refused(t, await call('DELETE', `/users/${admin.id}`, undefined, admin.access_token), 403, 'AUTHORIZATION_DENIED')
  })

  t.test(`race: two administrators demote each other, on ${name}`, async (t) => {
    const { app, call, admin, signUp } = await staffed(t, { store: store() })
    const second = await signUp({ roles: ['admin'] })
    const answers = await Promise.all([
      call('PATCH', `/users/${second.id}`, { roles: [] }, admin.access_token),
      call('PATCH', `/users/${admin.id}`, { roles: [] }, second.access_token)
    ])
    t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1)
    // The other was refused by the store, or had lost his role before he was let in.
    t.ok(['AUTHORIZATION_DENIED', 'TOKEN_REVOKED'].includes(answers.find(({ statusCode }) => statusCode !== 200)?.json().extra.code))
    t.equal((await app.bouncer.users.list()).items.filter(({ roles }) => roles.includes('admin')).length, 1)
  })
}

t.test('adminRole: another role manages users, and somebody keeps it', async (t) => {
  const ofPlugin = await accounts(t, { adminRole: 'owner' })
  for (const [built, role] of [[ofPlugin, 'owner']] as const) {
    const people = { admin: await built.signUp({ roles: ['admin'] }), owner: await built.signUp({ roles: ['owner'] }), support: await built.signUp({ roles: ['support'] }) }
    for (const [name, { access_token: access }] of Object.entries(people)) {
      const response = await built.call('GET', '/users', undefined, access)
      if (name === role) t.equal(response.statusCode, 200)
      else refused(t, response, 403, 'INSUFFICIENT_ROLES')
    }
    const { admin, owner } = people
    const by = people[role].access_token
    t.equal((await built.call('DELETE', `/users/${admin.id}`, undefined, by)).statusCode, 204)
    refused(t, await built.call('DELETE', `/users/${owner.id}`, undefined, by), 403, 'AUTHORIZATION_DENIED')
  }
})

t.test('a store that fails is 503, and nothing is changed', async (t) => {
  const store = watched(memoryStore())
  const { app, call, admin, ada } = await staffed(t, { store })
  for (const [verb, method, path, body] of [
    ['users.list', 'GET', '/users', undefined], ['users.findById', 'GET', `/users/${ada.id}`, undefined], ['users.update', 'PATCH', `/users/${ada.id}`, { is_active: false }], ['users.delete', 'DELETE', `/users/${ada.id}`, undefined]
  ] as const) {
    store.failing.add(verb)
    const response = await call(method, path, body, admin.access_token)
    refused(t, response, 503, 'AUTH_UNAVAILABLE')
    t.notMatch(response.payload, CANARY)
    store.failing.clear()
  }
  t.match(await app.bouncer.users.get(ada.id), { is_active: true })
})

t.test('a store of the application that answers with what nobody asked for is 503, not 200', async (t) => {
  for (const answer of ['changed', 'nonsense', undefined, null, 5]) {
    const { users } = memoryStore()
    const { app, call } = await accounts(t, { store: memoryStore({ users: { ...users, insert: async () => answer as never, delete: async () => answer as never } }) })
    const headers = token({ sub: 'root', roles: ['admin'] })
    refused(t, await call('POST', '/register', { email: 'ada@example.com', password }), 503, 'AUTH_UNAVAILABLE')
    refused(t, await call('DELETE', '/users/ada', undefined, headers), 503, 'AUTH_UNAVAILABLE')
    t.strictSame((await app.bouncer.users.list()).items, [])
  }
})

const own: Record<string, (t: Test) => Store> = {
  'in memory': (t) => memoryStore({ users: peopleStore(t, ':memory:') }),
  'in a file': (t) => {
    const file = join(t.testdir(), 'people.db')
    return sqliteStore(file, { users: peopleStore(t, file) })
  }
}

for (const [name, store] of Object.entries(own)) {
  t.test(`users in a table of the application, sessions ${name}: all of it`, async (t) => {
    const built = await staffed(t, { attempts: false, store: store(t) })
    const { app, call, admin, ada, happened } = built
    const { id } = (await call('POST', '/register', { email: 'Eve@Example.com', password, username: 'Eve' })).json()
    refused(t, await call('POST', '/register', { email: 'eve@example.com', password }), 400, 'USER_ALREADY_EXISTS')
    refused(t, await call('POST', '/register', { email: 'new@example.com', password, username: 'EVE' }), 400, 'USER_ALREADY_EXISTS')
    t.match((await call('POST', '/verify', { token: await mailed(built, 'verification_requested') })).json(), { id, email: 'eve@example.com', username: 'eve', is_verified: true })
    const eve = (await call('POST', '/login', { username: 'eve', password })).json()
    t.match((await call('PATCH', '/me', { email: 'evelyn@example.com', current_password: password }, eve.access_token)).json(), { email: 'evelyn@example.com', is_verified: false })
    t.equal((await call('POST', '/me/password', { current_password: password, new_password: another }, eve.access_token)).statusCode, 204)
    refused(t, await call('GET', '/me', undefined, eve.access_token), 401, 'TOKEN_REVOKED')
    await call('POST', '/password/forgot', { email: 'evelyn@example.com' })
    t.equal((await call('POST', '/password/reset', { token: await mailed(built, 'password_reset_requested'), password })).statusCode, 204)
    t.equal((await call('POST', '/login', { email: 'evelyn@example.com', password })).statusCode, 200)
    t.strictSame((await call('GET', '/users?limit=2', undefined, admin.access_token)).json().items.map(({ email }: { email: string }) => email), ['root@example.com', 'ada@example.com'])
    t.match((await call('PATCH', `/users/${ada.id}`, { roles: ['viewer'], is_active: false }, admin.access_token)).json(), { roles: ['viewer'], is_active: false })
    refused(t, await call('GET', '/me', undefined, ada.access_token), 401, 'ACCOUNT_UNAVAILABLE')
    refused(t, await call('DELETE', `/users/${admin.id}`, undefined, admin.access_token), 403, 'AUTHORIZATION_DENIED')
    t.equal((await call('DELETE', `/users/${ada.id}`, undefined, admin.access_token)).statusCode, 204)
    refused(t, await call('GET', `/users/${ada.id}`, undefined, admin.access_token), 404, 'USER_NOT_FOUND')
    await until(() => happened('user_deleted').length === 1)
    const answers = await Promise.all([...Array(10).keys()].map(async (index) => await call('POST', '/register', { email: index % 2 ? 'one@example.com' : 'ONE@example.com', password })))
    t.strictSame(answers.map(({ statusCode }) => statusCode).toSorted(), [201, ...Array(9).fill(400)])
    t.equal((await app.bouncer.users.list()).items.length, 3)
  })
}

t.test('attack: an administrator of another issuer manages no users here', async (t) => {
  const partner = { issuer: 'https://partner.example.org', secret: 'the secret of the partner, long enough' }
  const { app, call, signUp } = await accounts(t, {
    issuer: undefined,
    audience: undefined,
    jwt: undefined,
    issuers: [
      { issuer, audience, jwt: { secret } },
      { issuer: partner.issuer, audience, jwt: { secret: partner.secret } }
    ]
  })
  const { id } = await signUp()
  const foreign = forge({ alg: 'HS256', typ: 'JWT' }, claims({ sub: 'root', roles: ['admin'], iss: partner.issuer }), partner.secret)
  app.get('/guarded', { config: { auth: { roles: ['admin'] } } }, async () => 'in')
  t.equal((await app.inject({ url: '/guarded', headers: { authorization: `Bearer ${foreign}` } })).statusCode, 200, 'who is an administrator of the application')
  for (const [method, path, body] of [['GET', '/users', undefined], ['GET', `/users/${id}`, undefined], ['PATCH', `/users/${id}`, { password: 'taken over now' }], ['DELETE', `/users/${id}`, undefined]] as const) {
    refused(t, await call(method, path, body, foreign), 401, 'TOKEN_INVALID')
  }
  t.equal((await app.bouncer.users.get(id)).id, id)
})

t.test('with requireVerified, the last administrator cannot lose the mark that he is verified', async (t) => {
  const { app, call, signUp } = await accounts(t, { requireVerified: true })
  const { id, access_token: access } = await signUp({ roles: ['admin'] })
  await app.bouncer.users.create({ email: 'unverified@example.com', roles: ['admin'] })
  refused(t, await call('PATCH', `/users/${id}`, { is_verified: false }, access), 403, 'AUTHORIZATION_DENIED')
  refused(t, await call('PATCH', `/users/${id}`, { email: 'new@example.com' }, access), 403, 'AUTHORIZATION_DENIED')
  refused(t, await call('PATCH', '/me', { email: 'new@example.com', current_password: password }, access), 403, 'AUTHORIZATION_DENIED')
  refused(t, await call('DELETE', `/users/${id}`, undefined, access), 403, 'AUTHORIZATION_DENIED')
  t.equal((await call('PATCH', `/users/${id}`, { email: 'new@example.com', is_verified: true }, access)).statusCode, 200, 'an address that he vouches for')
  await signUp({ roles: ['admin'] })
  t.equal((await call('PATCH', `/users/${id}`, { is_verified: false }, access)).statusCode, 200, 'one of two may')
})

t.test('roles that not every store could keep', async (t) => {
  const { app, call, signUp } = await accounts(t)
  const { id, access_token: access } = await signUp({ roles: ['admin'] })
  for (const role of ['', '\0', 'a\nb', '\ud800', 'x'.repeat(129)]) refused(t, await call('PATCH', `/users/${id}`, { roles: ['admin', role] }, access), 400, 'REQUEST_INVALID')
  for (const role of ['', '\0', '\ud800']) await t.rejects(app.bouncer.users.update(id, { roles: ['admin', role] }), { name: 'TypeError', message: /role names/ })
  t.strictSame((await app.bouncer.users.get(id)).roles, ['admin'])
})
