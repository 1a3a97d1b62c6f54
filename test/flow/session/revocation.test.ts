import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { AccountUnavailableError, AuthError, memoryStore, TokenInvalidError, TokenRevokedError, type AuthPluginOptions } from '../../../index.js'
import { accounts, clock, password, type AccountsApp } from '../../accounts.js'
import { audience, issuer, refused, secret } from '../../build.js'
import { guard, passed, type Guarded } from '../../guarded.js'
import { watched } from '../../watched-store.js'

const partner = 'https://partner.example.org'
const partnerSecret = 'the secret of a partner, thirty-two bytes'
const sidOf = (token: string): string => decodeJwt(token).sid as string

/** An application with accounts and a route that asks for a user. */
async function guardedAccounts (t: Test, overrides: AuthPluginOptions = {}): Promise<AccountsApp & Guarded> {
  const built = await accounts(t, overrides)
  return { ...built, ...guard(built.app) }
}

/** What the promise was rejected with. */
async function rejection (promise: Promise<unknown>): Promise<AuthError> {
  return await promise.then(() => { throw new Error('It was not rejected') }, (error: AuthError) => error)
}

/** What makes an access token worthless before it expires, and what it is refused with then. */
const ends: Record<string, [end: (built: AccountsApp, user: { id: string, access_token: string }) => Promise<unknown>, code: string]> = {
  'signing out': [async ({ app }, user) => { await app.bouncer.logout(user.access_token) }, 'TOKEN_REVOKED'],
  'signing out everywhere': [async ({ app }, { id }) => { await app.bouncer.logoutAll(id) }, 'TOKEN_REVOKED'],
  'ending the session': [async ({ app }, user) => { await app.bouncer.sessions.end(sidOf(user.access_token), 'ended', user.id) }, 'TOKEN_REVOKED'],
  'another password': [async ({ app }, { id }) => { await app.bouncer.users.setPassword(id, 'another horse battery') }, 'TOKEN_REVOKED'],
  'another password by the user': [async ({ app }, { id }) => { await app.bouncer.passwords.change(id, { current_password: password, new_password: 'another horse battery' }) }, 'TOKEN_REVOKED'],
  deactivation: [async ({ app }, { id }) => { await app.bouncer.users.update(id, { is_active: false }) }, 'ACCOUNT_UNAVAILABLE'],
  deletion: [async ({ app }, { id }) => { await app.bouncer.users.delete(id) }, 'ACCOUNT_UNAVAILABLE'],
  'losing a role': [async ({ app }, { id }) => { await app.bouncer.users.update(id, { roles: ['author'] }) }, 'TOKEN_REVOKED'],
  'losing all roles': [async ({ app }, { id }) => { await app.bouncer.users.update(id, { roles: [] }) }, 'TOKEN_REVOKED']
}

t.test('by default access tokens die at once', async (t) => {
  for (const [name, [end, code]] of Object.entries(ends)) {
    const built = await guardedAccounts(t)
    const user = await built.signUp({ roles: ['editor', 'author'] })
    const stranger = await built.signUp()
    passed(t, await built.ask(user.access_token), user.id, name)
    await end(built, user)
    const response = await built.ask(user.access_token)
    refused(t, response, 401, code)
    t.equal(response.headers['www-authenticate'], code === 'TOKEN_REVOKED' ? 'Bearer realm="api", error="invalid_token"' : 'Bearer realm="api"')
    const error = await rejection(built.app.bouncer.authenticate(user.access_token))
    if (code === 'TOKEN_REVOKED') t.match(error, { name: TokenRevokedError.name, tokenId: decodeJwt(user.access_token).jti }, name)
    else t.match(error, { name: AccountUnavailableError.name, userId: user.id, reason: name === 'deletion' ? 'deleted' : 'deactivated' }, name)
    passed(t, await built.ask(stranger.access_token), stranger.id, 'somebody else')
    t.equal(built.seen.length, 2)
  }
})

t.test('what takes nothing away ends nothing', async (t) => {
  const built = await guardedAccounts(t)
  const user = await built.signUp({ roles: ['editor'] })
  await built.app.bouncer.users.update(user.id, { roles: ['editor', 'author'], email: 'new@example.com', username: 'ada', is_verified: true })
  await built.app.bouncer.profile.update(user.id, { username: 'eve' })
  const response = await built.ask(user.access_token)
  passed(t, response, user.id)
  t.strictSame(response.json().roles, ['editor'], 'a role that was won comes with the next token')
  t.strictSame((await built.app.bouncer.authenticate((await built.app.bouncer.refresh(user.refresh_token)).access_token)).roles, ['author', 'editor'])
})

t.test('after a role was lost, the session goes on with a token that says so', async (t) => {
  const built = await guardedAccounts(t)
  const user = await built.signUp({ roles: ['editor', 'author'] })
  await built.app.bouncer.users.update(user.id, { roles: ['author'] })
  refused(t, await built.ask(user.access_token), 401, 'TOKEN_REVOKED')
  const response = await built.ask((await built.app.bouncer.refresh(user.refresh_token)).access_token)
  passed(t, response, user.id)
  t.strictSame(response.json().roles, ['author'])
})

t.test('each request looks at one session and one user', async (t) => {
  const store = watched(memoryStore())
  const built = await guardedAccounts(t, { store })
  const user = await built.signUp()
  store.calls.length = 0
  await built.ask(user.access_token)
  t.strictSame([...store.calls].sort(), ['sessions.find', 'users.findById'])
  store.calls.length = 0
  for (const token of ['', 'nonsense', `${user.access_token}x`, user.refresh_token]) t.match((await built.ask(token)).statusCode, /401/)
  t.strictSame(store.calls, [], 'a token that is wrong in itself costs no query')
})

t.test('revocation: false: access tokens die when they expire, refresh tokens at once', async (t) => {
  const pass = clock(t)
  const store = watched(memoryStore())
  const built = await guardedAccounts(t, { store, revocation: false, jwt: { secret, accessTokenTtl: 300 } })
  for (const [name, [end]] of Object.entries(ends)) {
    const user = await built.signUp({ roles: ['editor', 'author'] })
    await end(built, user)
    store.calls.length = 0
    passed(t, await built.ask(user.access_token), user.id, name)
    t.strictSame(store.calls, [], 'no query')
    if (!name.includes('role')) t.equal((await rejection(built.app.bouncer.refresh(user.refresh_token))).statusCode, 401, name)
    pass(301)
    refused(t, await built.ask(user.access_token), 401, 'TOKEN_EXPIRED')
  }
})

t.test('maxStaleness: an answer of the store serves for so many seconds, and no longer', async (t) => {
  const pass = clock(t)
  for (const [name, [end, code]] of Object.entries(ends)) {
    const store = watched(memoryStore())
    const built = await guardedAccounts(t, { store, revocation: { maxStaleness: 5 } })
    const user = await built.signUp({ roles: ['editor', 'author'] })
    passed(t, await built.ask(user.access_token), user.id)
    // Signing out by an access token asks with it, which must not make the answer younger.
    pass(2)
    await end(built, user)
    store.calls.length = 0
    pass(2)
    for (let request = 0; request < 3; request++) passed(t, await built.ask(user.access_token), user.id, name)
    t.strictSame(store.calls, [], 'the store is not asked again')
    pass(1)
    refused(t, await built.ask(user.access_token), 401, code)
    t.strictSame([...store.calls].sort(), ['sessions.find', 'users.findById'])
  }
})

t.test('maxStaleness: each session is asked for itself', async (t) => {
  clock(t)
  const store = watched(memoryStore())
  const built = await guardedAccounts(t, { store, revocation: { maxStaleness: 60 } })
  const users = [await built.signUp(), await built.signUp()]
  store.calls.length = 0
  for (const user of users) passed(t, await built.ask(user.access_token), user.id)
  t.equal(store.calls.length, 4)
  const next = await built.app.bouncer.refresh((users[0] as { refresh_token: string }).refresh_token)
  store.calls.length = 0
  passed(t, await built.ask(next.access_token), users[0]?.id, 'another token of a session that was looked at')
  t.strictSame(store.calls, [])
})

t.test('maxStaleness: what lapses, lapses in time', async (t) => {
  const pass = clock(t)
  const built = await guardedAccounts(t, { revocation: { maxStaleness: 3600 }, jwt: { secret, accessTokenTtl: 3600, refreshTokenTtl: 600 } })
  const user = await built.signUp()
  passed(t, await built.ask(user.access_token), user.id)
  pass(601)
  refused(t, await built.ask(user.access_token), 401, 'AUTHENTICATION_FAILED', 'Invalid credentials')
})

t.test('maxStaleness: a clock that is put back makes no answer serve for longer', async (t) => {
  const pass = clock(t)
  const built = await guardedAccounts(t, { revocation: { maxStaleness: 5 }, jwt: { secret, clockTolerance: 600 } })
  const user = await built.signUp()
  passed(t, await built.ask(user.access_token), user.id)
  await built.app.bouncer.logoutAll(user.id)
  pass(-300)
  refused(t, await built.ask(user.access_token), 401, 'TOKEN_REVOKED')
})

t.test('maxStaleness: a fault of the store is not remembered', async (t) => {
  const store = watched(memoryStore())
  const built = await guardedAccounts(t, { store, revocation: { maxStaleness: 60 } })
  const user = await built.signUp()
  store.failing.add('sessions.find')
  refused(t, await built.ask(user.access_token), 503, 'AUTH_UNAVAILABLE')
  store.failing.clear()
  passed(t, await built.ask(user.access_token), user.id)
})

t.test('tokens that the application signs itself have no session: they pass, and can be revoked by their jti', async (t) => {
  const pass = clock(t)
  const built = await guardedAccounts(t)
  const { app } = built
  const sign = (claims: object) => app.bouncer.jwt?.sign(claims, { expiresIn: 100 }) ?? ''
  const [first, second, without] = [sign({ sub: 'a program', jti: 'one' }), sign({ sub: 'a program', jti: 'two' }), sign({ sub: 'a program' })]
  for (const token of [first, second, without]) passed(t, await built.ask(token), 'a program')

  await app.bouncer.logout(first)
  refused(t, await built.ask(first), 401, 'TOKEN_REVOKED')
  t.match(await rejection(app.bouncer.authenticate(first)), { name: 'TokenRevokedError', tokenId: 'one' })
  t.match(await rejection(app.bouncer.logout(first)), { name: 'TokenRevokedError' }, 'once')
  passed(t, await built.ask(second), 'a program')
  passed(t, await built.ask(sign({ sub: 'a program', jti: 'three' })), 'a program')

  t.match(await rejection(app.bouncer.logout(without)), { name: 'TokenInvalidError', reason: 'claims', message: 'A token without sid and jti cannot be revoked' })
  for (const jti of [1, null, ['one'], {}]) {
    const odd = sign({ sub: 'a program', jti })
    t.equal((await rejection(app.bouncer.logout(odd))).code, 'TOKEN_INVALID')
    passed(t, await built.ask(odd), 'a program')
  }
  t.strictSame(built.happened('user_logout'), [])
  pass(99)
  refused(t, await built.ask(first), 401, 'TOKEN_REVOKED')
})

t.test('a revoked token stays dead for as long as tolerance for clocks would let it live', async (t) => {
  const pass = clock(t)
  const built = await guardedAccounts(t, { jwt: { secret, clockTolerance: 60 } })
  const sign = (jti: string) => built.app.bouncer.jwt?.sign({ sub: 'a program', jti }, { expiresIn: 10 }) ?? ''
  const [early, late] = [sign('early'), sign('late')]
  await built.app.bouncer.logout(early)
  pass(30)
  refused(t, await built.ask(early), 401, 'TOKEN_REVOKED')
  passed(t, await built.ask(late), 'a program')
  await built.app.bouncer.logout(late)
  pass(35)
  refused(t, await built.ask(late), 401, 'TOKEN_REVOKED')
  pass(10)
  refused(t, await built.ask(late), 401, 'TOKEN_EXPIRED')
})

t.test('a session that is no session\'s name, or that of somebody else', async (t) => {
  const built = await guardedAccounts(t)
  const { app } = built
  const ada = await built.signUp()
  const eve = await built.signUp()
  const sign = (claims: object) => app.bouncer.jwt?.sign({ jti: 'x', ...claims }) ?? ''
  for (const sid of [1, null, true, [sidOf(ada.access_token)], { id: sidOf(ada.access_token) }]) {
    const token = sign({ sub: ada.id, sid })
    refused(t, await built.ask(token), 401, 'TOKEN_INVALID', 'Invalid token: Missing or invalid claim')
    t.ok(await rejection(app.bouncer.logout(token)) instanceof TokenInvalidError)
  }
  for (const sid of ['', 'no session', sidOf(ada.access_token)]) {
    refused(t, await built.ask(sign({ sub: eve.id, sid })), 401, 'TOKEN_REVOKED')
    t.ok(await rejection(app.bouncer.logout(sign({ sub: eve.id, sid }))) instanceof TokenRevokedError)
  }
  refused(t, await built.ask(sign({ sub: 'nobody', sid: sidOf(ada.access_token) })), 401, 'ACCOUNT_UNAVAILABLE')
  t.strictSame(built.seen, [])
  passed(t, await built.ask(ada.access_token), ada.id)
  passed(t, await built.ask(sign({ sub: ada.id, sid: sidOf(ada.access_token) })), ada.id, 'one that the application signed for a session')
})

t.test('a role that a token claims in any way must still be held', async (t) => {
  const built = await guardedAccounts(t)
  const ada = await built.signUp({ roles: ['editor'] })
  const sign = (claims: object) => built.app.bouncer.jwt?.sign({ sub: ada.id, sid: sidOf(ada.access_token), ...claims }) ?? ''
  for (const claims of [{ role: 'editor' }, { roles: ['editor'] }, { roles: [] }, {}]) passed(t, await built.ask(sign(claims)), ada.id, JSON.stringify(claims))
  for (const claims of [{ role: 'admin' }, { roles: ['admin'] }, { roles: ['editor', 'admin'] }]) refused(t, await built.ask(sign(claims)), 401, 'TOKEN_REVOKED')
})

t.test('maxStaleness: a token with the session of somebody else leaves no trace in what is remembered', async (t) => {
  const built = await guardedAccounts(t, { revocation: { maxStaleness: 60 } })
  const ada = await built.signUp({ roles: ['editor'] })
  const eve = await built.signUp()
  for (const sub of [eve.id, 'nobody']) await built.ask(built.app.bouncer.jwt?.sign({ sub, sid: sidOf(ada.access_token) }) ?? '')
  t.strictSame(built.seen, [])
  passed(t, await built.ask(ada.access_token), ada.id)
})

t.test('tokens of another issuer have no sessions here', async (t) => {
  const store = watched(memoryStore())
  const built = await guardedAccounts(t, {
    store,
    issuer: undefined,
    audience: undefined,
    jwt: undefined,
    issuers: [{ issuer, audience, jwt: { secret } }, { issuer: partner, audience, jwt: { secret: partnerSecret } }]
  })
  const { app, call } = built
  const ada = await built.signUp()
  const foreign = await accounts(t, { store: memoryStore(), issuer: partner, jwt: { secret: partnerSecret } })
  const sign = (claims: object) => foreign.app.bouncer.jwt?.sign(claims) ?? ''
  const jti = decodeJwt(ada.access_token).jti

  store.calls.length = 0
  passed(t, await built.ask(sign({ sub: 'theirs', sid: 'a session of theirs', jti: 'theirs' })), 'theirs')
  passed(t, await built.ask(sign({ sub: 'theirs', sid: 1 })), 'theirs')
  t.strictSame(store.calls, [], 'nothing is looked up')

  t.comment('attack: the partner names a session, a token and a user of ours')
  const forged = sign({ sub: ada.id, sid: sidOf(ada.access_token), jti })
  const refusal = { name: 'TokenInvalidError', reason: 'issuer', detail: 'Invalid token: Invalid issuer' }
  t.match(await rejection(app.bouncer.logout(forged)), refusal)
  t.match(await rejection(app.bouncer.logout(sign({ sub: ada.id, jti }))), refusal)
  const requests = [['GET', '/me'], ['PATCH', '/me', { username: 'eve' }], ['POST', '/me/password', { current_password: password, new_password: 'another horse battery' }], ['GET', '/sessions'], ['DELETE', `/sessions/${sidOf(ada.access_token)}`], ['POST', '/logout'], ['POST', '/logout-all']] as const
  store.calls.length = 0
  for (const [method, path, payload] of requests) {
    refused(t, await call(method, path, payload, forged), 401, 'TOKEN_INVALID', 'Invalid token: Invalid issuer')
  }
  t.strictSame(store.calls, [])
  passed(t, await built.ask(ada.access_token), ada.id)
})

t.test('an issuer whose tokens are signed here is the one that has sessions, wherever it stands in the list', async (t) => {
  const keys = await accounts(t, { issuer: partner, jwt: { secret: partnerSecret } })
  const built = await guardedAccounts(t, {
    issuer: undefined,
    audience: undefined,
    jwt: undefined,
    issuers: [{ issuer: partner, audience, jwt: { jwksUrl: 'https://partner.example.org/keys' } }, { issuer, audience, jwt: { secret } }]
  })
  t.ok(keys)
  const ada = await built.signUp()
  passed(t, await built.ask(ada.access_token), ada.id)
  await built.app.bouncer.logoutAll(ada.id)
  refused(t, await built.ask(ada.access_token), 401, 'TOKEN_REVOKED')
})
