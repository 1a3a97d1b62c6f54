import t from 'tap'
import { memoryStore } from '../../../index.js'
import { accounts, mailed, password, visible } from '../../accounts.js'
import { forge, claims, refused, token } from '../../build.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const another = 'another good password'
const CANARY = 'c4n4ry'

const routes = [['GET', '/me'], ['PATCH', '/me'], ['POST', '/me/password']] as const

t.test('GET /me is the user of the token', async (t) => {
  const { call, signUp } = await accounts(t)
  const { id, access_token: access } = await signUp({ email, username: 'ada', roles: ['b', 'a'] })
  await signUp()
  const response = await call('GET', '/me', undefined, access)
  t.equal(response.statusCode, 200)
  t.equal(response.headers['cache-control'], 'no-store')
  t.strictSame(response.json(), { id, email, username: 'ada', roles: ['a', 'b'], is_active: true, is_verified: true })
})

t.test('strangers, and tokens that are none', async (t) => {
  const { call, signUp } = await accounts(t)
  const { id, refresh_token: refresh } = await signUp()
  for (const [method, path] of routes) {
    const body = method === 'GET' ? undefined : { current_password: password, new_password: another }
    refused(t, await call(method, path, body), 401, 'MISSING_TOKEN')
    refused(t, await call(method, path, body, refresh), 401, 'TOKEN_INVALID')
    refused(t, await call(method, path, body, forge({ alg: 'HS256' }, claims({ sub: id }), 'another secret of thirty-two bytes or more')), 401, 'TOKEN_INVALID')
  }
})

t.test('PATCH /me: names', async (t) => {
  const { app, call, signUp } = await accounts(t)
  const { id, access_token: access } = await signUp({ email })
  await signUp({ username: 'eve' })
  const response = await call('PATCH', '/me', { username: 'Lovelace' }, access)
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { id, email, username: 'lovelace', roles: [], is_active: true, is_verified: true })
  refused(t, await call('PATCH', '/me', { username: 'EVE' }, access), 400, 'USER_ALREADY_EXISTS')
  t.equal((await call('PATCH', '/me', { username: null }, access)).json().username, null)
  t.match(await app.bouncer.users.get(id), { username: null })
})

t.test('PATCH /me: another address asks for the current password', async (t) => {
  const built = await accounts(t)
  const { app, call, happened } = built
  const { id, access_token: access } = await built.signUp({ email })
  const refusals = [
    await call('PATCH', '/me', { email: 'new@example.com', current_password: CANARY }, access),
    await call('PATCH', '/me', { email: 'new@example.com', current_password: CANARY.repeat(100) }, access)
  ]
  for (const one of refusals) {
    refused(t, one, 400, 'INVALID_PASSWORD', 'The provided password is invalid.')
    t.strictSame(one.json().extra, { code: 'INVALID_PASSWORD' })
    t.strictSame(visible(one), visible(refusals[0] as never), 'however long it is')
  }
  t.strictSame((await call('PATCH', '/me', { email: 'new@example.com' }, access)).json().extra, { code: 'INVALID_PASSWORD', errors: ['The current password is needed to change the e-mail address'] })
  refused(t, await call('PATCH', '/me', { current_password: password }, access), 400, 'REQUEST_INVALID')
  t.match(await app.bouncer.users.get(id), { email, is_verified: true })
  const response = await call('PATCH', '/me', { email: ' New@Example.com', current_password: password }, access)
  t.equal(response.statusCode, 200)
  t.match(response.json(), { id, email: 'new@example.com', is_verified: false })
  const mail = await mailed(built, 'verification_requested')
  t.notMatch(response.payload, mail)
  t.match(happened('verification_requested'), [{ user: { email: 'new@example.com' } }])
  t.match((await call('POST', '/verify', { token: mail })).json(), { email: 'new@example.com', is_verified: true })
  await app.bouncer.users.create({ email: 'eve@example.com' })
  refused(t, await call('PATCH', '/me', { email: 'eve@example.com', current_password: 'wrong password' }, access), 400, 'INVALID_PASSWORD')
  refused(t, await call('PATCH', '/me', { email: 'eve@example.com', current_password: password }, access), 400, 'USER_ALREADY_EXISTS')
  t.equal((await call('PATCH', '/me', { email: 'NEW@example.com' }, access)).statusCode, 200, 'another spelling is no other address')
})

t.test('attack: mass assignment, and prototype pollution', async (t) => {
  const { app, call, signUp } = await accounts(t)
  const { id, access_token: access } = await signUp({ email })
  const before = await app.bouncer.users.get(id)
  const privileges: object[] = [
    { roles: ['admin'] }, { is_active: false }, { is_verified: true }, { id: 'other' }, { password: another }, { new_password: another }, { passwordHash: CANARY }, { password_hash: CANARY },
    { isVerified: true }, { sub: 'other' }, { userId: 'other' }, { [CANARY]: 1 }, { toString: 1 }, { constructor: { prototype: { roles: ['admin'] } } }
  ]
  for (const privilege of privileges) {
    const response = await call('PATCH', '/me', { username: 'new', ...privilege }, access)
    refused(t, response, 400, 'REQUEST_INVALID')
    t.notMatch(response.payload, CANARY)
    refused(t, await call('POST', '/me/password', { current_password: password, new_password: another, ...privilege, ...('new_password' in privilege && { x: 1 }) }, access), 400, 'REQUEST_INVALID')
  }
  for (const body of ['{"username":"new","__proto__":{"roles":["admin"]}}', '{"__proto__":{"username":"new"}}', '{}', '[]', 'null', '"new"', '{"username":5}', '{"email":null}', '{"username":"a b"}', '{"email":"new"}', '{"current_password":null}', '{']) {
    refused(t, await app.inject({ method: 'PATCH', url: '/auth/me', payload: body, headers: { 'content-type': 'application/json', authorization: `Bearer ${access}` } }), 400, 'REQUEST_INVALID')
  }
  t.strictSame(await app.bouncer.users.get(id), before)
  t.equal((await call('GET', '/me', undefined, access)).statusCode, 200)
})

t.test('POST /me/password: 204, and every session is over', async (t) => {
  const { call, signUp } = await accounts(t)
  const { access_token: access, refresh_token: refresh } = await signUp({ email })
  const other = (await call('POST', '/login', { email, password })).json()
  const response = await call('POST', '/me/password', { current_password: password, new_password: another }, access)
  t.strictSame([response.statusCode, response.payload, response.headers['cache-control']], [204, '', 'no-store'])
  for (const one of [access, other.access_token]) refused(t, await call('GET', '/me', undefined, one), 401, 'TOKEN_REVOKED')
  for (const one of [refresh, other.refresh_token]) refused(t, await call('POST', '/refresh', { refresh_token: one }), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/login', { email, password }), 401, 'INVALID_CREDENTIALS')
  t.equal((await call('POST', '/login', { email, password: another })).statusCode, 200)
})

t.test('POST /me/password: not the current password is one thing, an unacceptable one another', async (t) => {
  const { call, signUp } = await accounts(t)
  const { id, access_token: access } = await signUp({ email, username: 'lovelace' })
  const wrong = await call('POST', '/me/password', { current_password: CANARY, new_password: 'x' }, access)
  refused(t, wrong, 400, 'UPDATE_USER_INVALID_PASSWORD', 'The provided password is invalid.')
  t.strictSame(wrong.json().extra, { code: 'UPDATE_USER_INVALID_PASSWORD' })
  const weak = await call('POST', '/me/password', { current_password: password, new_password: 'lovela1' }, access)
  refused(t, weak, 400, 'UPDATE_USER_INVALID_PASSWORD', 'Password does not meet policy requirements')
  t.strictSame(weak.json().extra, { code: 'UPDATE_USER_INVALID_PASSWORD', errors: ['Password must be at least 8 characters', 'Password must not be too similar to your user name'] })
  for (const { payload } of [wrong, weak]) t.notMatch(payload, new RegExp(`${CANARY}|lovela1|${id}`))
  t.equal((await call('GET', '/me', undefined, access)).statusCode, 200, 'and nobody was signed out')
})

t.test('attack: guessing the current password with a stolen access token', async (t) => {
  const { call, signUp } = await accounts(t)
  const { access_token: access } = await signUp({ email })
  for (let count = 0; count < 5; count++) {
    const guess = count % 2 ? await call('PATCH', '/me', { email: 'thief@example.com', current_password: `guess ${count}` }, access) : await call('POST', '/me/password', { current_password: `guess ${count}`, new_password: another }, access)
    t.equal(guess.statusCode, 400)
  }
  for (const response of [await call('POST', '/me/password', { current_password: password, new_password: another }, access), await call('PATCH', '/me', { email: 'thief@example.com', current_password: password }, access)]) {
    refused(t, response, 429, 'RATE_LIMITED')
    t.equal(response.headers['retry-after'], '600')
  }
  t.match((await call('GET', '/me', undefined, access)).json(), { email })
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`race: ten changes of one password, on ${name}`, async (t) => {
    const { call, signUp } = await accounts(t, { attempts: false, store: store() })
    const { access_token: access } = await signUp({ email })
    const answers = await Promise.all([...Array(10).keys()].map(async (index) => await call('POST', '/me/password', { current_password: password, new_password: `another password ${index}` }, access)))
    const winners = answers.flatMap(({ statusCode }, index) => statusCode === 204 ? [index] : [])
    t.equal(winners.length, 1)
    // The session of the others may be over before they have been let in.
    for (const one of answers.filter(({ statusCode }) => statusCode !== 204)) t.ok(['UPDATE_USER_INVALID_PASSWORD', 'TOKEN_REVOKED'].includes(one.json().extra.code))
    t.equal((await call('POST', '/login', { email, password: `another password ${winners[0]}` })).statusCode, 200)
  })

  t.test(`race: two users take one address, on ${name}`, async (t) => {
    const { call, signUp } = await accounts(t, { store: store() })
    const both = [await signUp(), await signUp()]
    const answers = await Promise.all(both.map(async (user) => await call('PATCH', '/me', { email, current_password: password }, user.access_token)))
    t.strictSame(answers.map(({ statusCode }) => statusCode).toSorted(), [200, 400])
    refused(t, answers.find(({ statusCode }) => statusCode === 400) as never, 400, 'USER_ALREADY_EXISTS')
  })
}

t.test('a user who is not there any more: 401, or 404 where tokens are not looked up', async (t) => {
  for (const [revocation, status, code] of [[true, 401, 'ACCOUNT_UNAVAILABLE'], [false, 404, 'USER_NOT_FOUND']] as const) {
    const { app, call, signUp } = await accounts(t, { revocation })
    const { id, access_token: access } = await signUp()
    await app.bouncer.users.delete(id)
    for (const [method, path] of routes) {
      const body = { GET: undefined, PATCH: { username: 'ada' }, POST: { current_password: password, new_password: another } }[method]
      refused(t, await call(method, path, body, access), status, code)
    }
  }
})

t.test('a token that the application signed itself: of a user here, and of nobody', async (t) => {
  const { app, call } = await accounts(t)
  const { id } = await app.bouncer.users.create({ email })
  t.match((await call('GET', '/me', undefined, token({ sub: id }))).json(), { id, email })
  refused(t, await call('GET', '/me', undefined, token({ sub: 'nobody' })), 404, 'USER_NOT_FOUND')
})

t.test('a stored hash of no known kind is our fault, and is not shown', async (t) => {
  const store = memoryStore()
  const { call, signUp } = await accounts(t, { store })
  const { id, access_token: access } = await signUp()
  await store.users.update(id, { passwordHash: `${CANARY}$of$no$hasher` })
  for (const response of [await call('POST', '/me/password', { current_password: password, new_password: another }, access), await call('PATCH', '/me', { email, current_password: password }, access)]) {
    refused(t, response, 500, 'INVALID_HASH', 'A stored password hash is not recognised.')
    t.notMatch(response.payload, CANARY)
  }
})

t.test('a store that fails is 503, and nothing is changed', async (t) => {
  const store = watched(memoryStore())
  const { app, call, signUp } = await accounts(t, { store })
  const { id, access_token: access } = await signUp({ email })
  for (const verb of ['users.findById', 'sessions.find', 'users.update'] as const) {
    store.failing.add(verb)
    refused(t, await call('PATCH', '/me', { username: 'ada' }, access), 503, 'AUTH_UNAVAILABLE')
    refused(t, await call('POST', '/me/password', { current_password: password, new_password: another }, access), 503, 'AUTH_UNAVAILABLE')
    store.failing.clear()
  }
  t.match(await app.bouncer.users.get(id), { username: null })
  t.equal((await call('POST', '/login', { email, password })).statusCode, 200)
})
