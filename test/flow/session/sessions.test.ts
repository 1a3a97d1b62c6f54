import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { AuthenticationError, AuthError, memoryStore, TokenInvalidError, TokenRevokedError, type Store, type Tokens } from '../../../index.js'
import { accounts, clock, password, tokensOf, type AccountsApp } from '../../accounts.js'
import { audience, issuer, secret } from '../../build.js'
import { newKey, pairOf } from '../../keys.js'
import { stores, watched } from '../../watched-store.js'

const anotherSecret = 'another secret of at least thirty-two bytes'
const thirdSecret = 'and a third secret of thirty-two bytes or more'
const sidOf = (tokens: Tokens): string => decodeJwt(tokens.access_token).sid as string

/** What the promise was rejected with. */
async function rejection (promise: Promise<unknown>): Promise<AuthError> {
  return await promise.then(() => { throw new Error('It was not rejected') }, (error: AuthError) => error)
}

/** Checks that neither token of a pair is worth anything. */
async function dead (t: Test, { app }: AccountsApp, tokens: Tokens, code: string, name = ''): Promise<void> {
  t.equal((await rejection(app.bouncer.authenticate(tokens.access_token))).code, code, `${name} access token`)
  t.equal((await rejection(app.bouncer.refresh(tokens.refresh_token))).code, code, `${name} refresh token`)
}

async function alive (t: Test, { app }: AccountsApp, tokens: Tokens, id: string): Promise<void> {
  t.equal((await app.bouncer.authenticate(tokens.access_token)).id, id, 'the access token is good')
}

t.test('an access token says who, for whom, until when, and of which session', async (t) => {
  const { app } = await accounts(t, { jwt: { secret, accessTokenTtl: 300 }, audience: [audience, 'another'] })
  const { id, email } = await app.bouncer.users.create({ email: 'Ada@example.com', roles: ['editor', 'admin'], password })
  const before = Math.floor(Date.now() / 1000)
  const first = await tokensOf(app.bouncer.login({ email, password }))
  const second = await tokensOf(app.bouncer.login({ email, password }))
  const claims = decodeJwt(first.access_token)
  t.match(claims, { iss: issuer, aud: audience, sub: id, token_type: 'access', roles: ['admin', 'editor'], email: 'ada@example.com' })
  t.strictSame(Object.keys(claims).sort(), ['amr', 'aud', 'auth_time', 'email', 'exp', 'iat', 'iss', 'jti', 'roles', 'sid', 'sub', 'token_type'])
  t.equal(claims.exp, claims.iat as number + 300)
  t.ok(claims.iat as number >= before)
  t.match(first, { token_type: 'Bearer', expires_in: 300 })
  const others = [await app.bouncer.refresh(second.refresh_token), second]
  t.equal(new Set([claims.jti, ...others.map((tokens) => decodeJwt(tokens.access_token).jti)]).size, 3, 'no two tokens have one jti')
  t.not(sidOf(second), claims.sid, 'each sign-in has a session of its own')
  t.equal(sidOf(others[0] as Tokens), sidOf(second), 'a refresh stays in its session')
  t.match(await app.bouncer.authenticate(first.access_token), { id, roles: ['admin', 'editor'], email: 'ada@example.com', method: 'bearer' })
})

t.test('a fraction of a second is not promised', async (t) => {
  const { app } = await accounts(t, { jwt: { secret, accessTokenTtl: 90.7 } })
  const { email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  t.equal((await tokensOf(app.bouncer.login({ email, password }))).expires_in, 90)
})

t.test('a refresh token tells nothing, and is stored as a digest only', async (t) => {
  const store = memoryStore()
  const { signUp } = await accounts(t, { store })
  const { refresh_token: token, ...rest } = await signUp()
  t.match(token, /^[\w-]{91}$/)
  const session = await store.sessions.find(sidOf({ refresh_token: token, ...rest }))
  t.notMatch(JSON.stringify(session), token)
  t.equal(session?.refreshDigest.length, 43)
})

t.test('a refresh rotates: new tokens, with what is true by now', async (t) => {
  const built = await accounts(t)
  const { app, signUp, happened } = built
  const first = await signUp({ roles: ['editor'] })
  await app.bouncer.users.update(first.id, { roles: ['editor', 'author'], email: 'new@example.com' })
  const second = await app.bouncer.refresh(first.refresh_token, { address: '192.0.2.1', userAgent: 'curl' })
  t.not(second.refresh_token, first.refresh_token)
  t.match(decodeJwt(second.access_token), { sub: first.id, sid: sidOf(first), roles: ['author', 'editor'], email: 'new@example.com' })
  t.strictSame(happened('token_refreshed'), [{ userId: first.id, sessionId: sidOf(first), origin: { address: '192.0.2.1', userAgent: 'curl' } }])
  await alive(t, built, first, first.id)
  await alive(t, built, second, first.id)
  const third = await app.bouncer.refresh(second.refresh_token)
  t.not(third.refresh_token, second.refresh_token)
})

t.test('a session may run on for its whole life, one refresh after another', async (t) => {
  const { app, signUp } = await accounts(t)
  const tokens = await signUp()
  let current: Tokens = tokens
  const seen = new Set([tokens.refresh_token])
  for (let round = 0; round < 60; round++) {
    current = await app.bouncer.refresh(current.refresh_token)
    seen.add(current.refresh_token)
  }
  t.equal(seen.size, 61, 'what succeeds is not counted against anybody')
})

for (const [engine, make] of Object.entries(stores)) {
  t.test(`${engine}: twenty refreshes of one token at once: one rotation, one successor`, async (t) => {
    const store = make()
    const built = await accounts(t, { store })
    const first = await built.signUp()
    const all = await Promise.all(Array.from({ length: 20 }, async () => await built.app.bouncer.refresh(first.refresh_token)))
    t.equal(built.happened('token_refreshed').length, 1)
    t.equal(new Set(all.map((tokens) => tokens.refresh_token)).size, 1)
    t.equal(new Set(all.map((tokens) => decodeJwt(tokens.access_token).jti)).size, 20)
    t.equal((await store.sessions.find(sidOf(first)))?.generation, 1)
    for (const tokens of all) await alive(t, built, tokens, first.id)
    t.ok(await built.app.bouncer.refresh((all[0] as Tokens).refresh_token), 'the successor is good')
    t.strictSame(built.happened('refresh_token_reused'), [])
  })

  t.test(`${engine}: a refresh whose answer was lost can be repeated for a while`, async (t) => {
    const pass = clock(t)
    const built = await accounts(t, { store: make(), sessions: { gracePeriod: 30 } })
    const first = await built.signUp()
    const lost = await built.app.bouncer.refresh(first.refresh_token)
    pass(29)
    const repeated = await built.app.bouncer.refresh(first.refresh_token)
    t.equal(repeated.refresh_token, lost.refresh_token)
    t.not(repeated.access_token, lost.access_token)
    t.equal(built.happened('token_refreshed').length, 1)
    await alive(t, built, repeated, first.id)
    t.ok(await built.app.bouncer.refresh(repeated.refresh_token))
  })

  t.test(`${engine}: replay of a rotated refresh token ends the whole family`, async (t) => {
    const pass = clock(t)
    const built = await accounts(t, { store: make() })
    const first = await built.signUp()
    const other = await tokensOf(built.app.bouncer.login({ email: first.email, password }))
    const second = await built.app.bouncer.refresh(first.refresh_token)
    pass(11)
    for (let replay = 0; replay < 3; replay++) {
      const error = await rejection(built.app.bouncer.refresh(first.refresh_token, { address: '192.0.2.66' }))
      t.ok(error instanceof TokenRevokedError)
    }
    t.strictSame(built.happened('refresh_token_reused'), [{ userId: first.id, sessionId: sidOf(first), origin: { address: '192.0.2.66' } }], 'told once')
    await dead(t, built, first, 'TOKEN_REVOKED', 'first')
    await dead(t, built, second, 'TOKEN_REVOKED', 'second')
    await alive(t, built, other, first.id)
  })

  t.test(`${engine}: replay of a refresh token older than the last ends the family at once`, async (t) => {
    const built = await accounts(t, { store: make() })
    const first = await built.signUp()
    const second = await built.app.bouncer.refresh(first.refresh_token)
    const third = await built.app.bouncer.refresh(second.refresh_token)
    t.ok(await rejection(built.app.bouncer.refresh(first.refresh_token)) instanceof TokenRevokedError)
    t.equal(built.happened('refresh_token_reused').length, 1)
    for (const tokens of [first, second, third]) await dead(t, built, tokens, 'TOKEN_REVOKED')
  })

  t.test(`${engine}: race of two replays: the family ends once`, async (t) => {
    const pass = clock(t)
    const built = await accounts(t, { store: make() })
    const first = await built.signUp()
    await built.app.bouncer.refresh(first.refresh_token)
    pass(11)
    const errors = await Promise.all(Array.from({ length: 10 }, async () => await rejection(built.app.bouncer.refresh(first.refresh_token))))
    t.ok(errors.every((error) => error instanceof TokenRevokedError))
    t.equal(built.happened('refresh_token_reused').length, 1)
  })

  const ends: Record<string, [end: (app: AccountsApp['app'], id: string) => Promise<unknown>, code: string, reason: string]> = {
    'logging out everywhere': [async (app, id) => { await app.bouncer.logoutAll(id) }, 'TOKEN_REVOKED', 'logout_all'],
    deactivation: [async (app, id) => await app.bouncer.users.update(id, { is_active: false }), 'ACCOUNT_UNAVAILABLE', 'deactivated'],
    'another password': [async (app, id) => { await app.bouncer.users.setPassword(id, 'another horse battery') }, 'TOKEN_REVOKED', 'password_changed']
  }
  for (const [name, [end, code, reason]] of Object.entries(ends)) {
    t.test(`${engine}: race of a refresh against ${name}`, async (t) => {
      // Each is a place where the one can come in between the steps of the other.
      for (const [verb, when] of [['sessions.find', 'after'], ['users.findById', 'after'], ['sessions.rotate', 'before']] as const) {
        const store = watched(make())
        const built = await accounts(t, { store })
        const first = await built.signUp()
        const held = store.hold(verb, when)
        const refresh = rejection(built.app.bouncer.refresh(first.refresh_token))
        await held.reached
        await end(built.app, first.id)
        held.release()
        t.equal((await refresh).code, code, `${when} ${verb}`)
        await dead(t, built, first, code)
        t.strictSame(built.happened('token_refreshed'), [])
        t.strictSame(built.happened('user_logout'), [{ userId: first.id, sessionIds: [sidOf(first)], reason }])
      }
      const store = watched(make())
      const built = await accounts(t, { store })
      const first = await built.signUp()
      const held = store.hold('sessions.rotate', 'after')
      const refresh = built.app.bouncer.refresh(first.refresh_token)
      await held.reached
      await end(built.app, first.id)
      held.release()
      await dead(t, built, await refresh, code, 'given too late, the')
    })
  }
}

t.test('two servers on one store: twenty refreshes of one token rotate once', async (t) => {
  const store = memoryStore()
  const servers = [await accounts(t, { store }), await accounts(t, { store })] as const
  const first = await servers[0].signUp()
  const all = await Promise.all(Array.from({ length: 20 }, async (_, index) => await (servers[index % 2] as AccountsApp).app.bouncer.refresh(first.refresh_token)))
  t.equal(new Set(all.map((tokens) => tokens.refresh_token)).size, 1)
  t.equal(servers[0].happened('token_refreshed').length + servers[1].happened('token_refreshed').length, 1)
  await servers[0].app.bouncer.logoutAll(first.id)
  for (const tokens of all) await dead(t, servers[1], tokens, 'TOKEN_REVOKED')
})

t.test('gracePeriod: 0 lets nothing be repeated', async (t) => {
  clock(t)
  const built = await accounts(t, { sessions: { gracePeriod: 0 } })
  const first = await built.signUp()
  const second = await built.app.bouncer.refresh(first.refresh_token)
  t.ok(await rejection(built.app.bouncer.refresh(first.refresh_token)) instanceof TokenRevokedError)
  await dead(t, built, second, 'TOKEN_REVOKED')
})

t.test('a repeat within the grace period is refused when the session has ended, or its user has been deactivated', async (t) => {
  const store = memoryStore()
  const built = await accounts(t, { store })
  const left = await built.signUp()
  await built.app.bouncer.refresh(left.refresh_token)
  await built.app.bouncer.logoutAll(left.id)
  t.equal((await rejection(built.app.bouncer.refresh(left.refresh_token))).code, 'TOKEN_REVOKED')
  const gone = await built.signUp()
  await built.app.bouncer.refresh(gone.refresh_token)
  // By another hand than ours, which ends sessions too.
  await store.users.update(gone.id, { isActive: false })
  t.equal((await rejection(built.app.bouncer.refresh(gone.refresh_token))).code, 'ACCOUNT_UNAVAILABLE')
  t.strictSame(built.happened('refresh_token_reused'), [])
})

t.test('forged and mutated refresh tokens cost no query', async (t) => {
  const store = watched(memoryStore())
  const { app, signUp } = await accounts(t, { store })
  const { refresh_token: token } = await signUp()
  const bytes = Buffer.from(token, 'base64url')
  const flipped = Array.from(bytes.keys(), (index) => {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] as number) ^ 1
    return changed.toString('base64url')
  })
  const spelt = [`${token}=`, ` ${token}`, `${token}\n`, token.slice(1), token.slice(0, -1), `${token}A`, token.toUpperCase(), '', 'A'.repeat(token.length), 'x'.repeat(1000), '\u{1f511}'.repeat(token.length)]
  // The last character of base64url has bits to spare: other characters decode to the same bytes.
  const twins = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map((last) => token.slice(0, -1) + last).filter((twin) => twin !== token)
  store.calls.length = 0
  for (const forged of [...flipped, ...spelt, ...twins]) {
    const error = await rejection(app.bouncer.refresh(forged, { address: '192.0.2.1' }))
    if (!(error instanceof TokenInvalidError)) t.fail(`${forged} was ${error.name}`)
  }
  t.strictSame(store.calls.filter((verb) => !verb.startsWith('ephemeral.')), [])
  for (const forged of [...flipped, ...spelt, ...twins]) {
    const error = await rejection(app.bouncer.logout(forged))
    if (!(error instanceof TokenInvalidError)) t.fail(`${forged} was ${error.name}, in a logout`)
  }
  t.strictSame(store.calls.filter((verb) => !verb.startsWith('ephemeral.')), [])
  store.calls.length = 0
  for (const forged of flipped) await rejection(app.bouncer.refresh(forged))
  t.strictSame(store.calls, [], 'without an address, not even the count')
  t.ok(await app.bouncer.refresh(token), 'the one that was mutated is good')
})

t.test('a refresh token that the store contradicts is refused, and ends nothing', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const first = await built.signUp()
  const second = await built.app.bouncer.refresh(first.refresh_token)
  const { find } = store.sessions
  // A backup was restored.
  const before = await find(sidOf(first))
  store.sessions.find = async () => before === undefined ? undefined : { ...before, generation: 0, refreshDigest: 'another' }
  for (const { refresh_token: token } of [first, second]) {
    t.match(await rejection(built.app.bouncer.refresh(token)), { code: 'TOKEN_INVALID' })
  }
  store.sessions.find = find
  await alive(t, built, second, first.id)
})

t.test('confusion of tokens: an access token is no refresh token, and the other way round', async (t) => {
  const { app, signUp } = await accounts(t)
  const tokens = await signUp()
  const errors = [await rejection(app.bouncer.refresh(tokens.access_token)), await rejection(app.bouncer.sessions.ownerOf(tokens.access_token))]
  for (const error of errors) t.match(error, { code: 'TOKEN_INVALID', reason: 'token_type', detail: 'Invalid token: Unexpected token type' })
  t.match(await rejection(app.bouncer.authenticate(tokens.refresh_token)), { code: 'TOKEN_INVALID', reason: 'malformed' })
})

t.test('a session that is not refreshed lapses', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { jwt: { secret, accessTokenTtl: 3600, refreshTokenTtl: 600 } })
  const { app } = built
  const first = await built.signUp()
  pass(599)
  const second = await app.bouncer.refresh(first.refresh_token)
  pass(599)
  await alive(t, built, second, first.id)
  const third = await app.bouncer.refresh(second.refresh_token)
  pass(601)
  for (const error of [await rejection(app.bouncer.refresh(third.refresh_token)), await rejection(app.bouncer.authenticate(third.access_token)), await rejection(app.bouncer.sessions.ownerOf(third.refresh_token))]) {
    t.equal(error.constructor, AuthenticationError)
    t.match(error, { code: 'AUTHENTICATION_FAILED', detail: 'Invalid credentials', message: 'The session has lapsed' })
  }
  t.strictSame((await app.bouncer.sessions.list(first.id, { limit: 9 })).items, [])
  t.strictSame(built.happened('refresh_token_reused'), [])
})

t.test('a session lapses in the end, however often it is refreshed', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { jwt: { secret, accessTokenTtl: 900, refreshTokenTtl: 600 }, sessions: { maxLifetime: 1000 } })
  const { app } = built
  const first = await built.signUp()
  t.equal(first.expires_in, 900)
  pass(400)
  const second = await app.bouncer.refresh(first.refresh_token)
  t.equal(second.expires_in, 600, 'no access token outlives its session')
  const { exp, iat } = decodeJwt(second.access_token)
  t.equal(exp as number - (iat as number), 600)
  pass(599)
  const third = await app.bouncer.refresh(second.refresh_token)
  t.equal(third.expires_in, 1)
  pass(2)
  t.match(await rejection(app.bouncer.refresh(third.refresh_token)), { code: 'AUTHENTICATION_FAILED' })
  t.match(await rejection(app.bouncer.authenticate(second.access_token)), { code: /TOKEN_EXPIRED|AUTHENTICATION_FAILED/ })
})

t.test('by default a session lasts as long as its refresh tokens may, and 30 days at least', async (t) => {
  const { app, signUp } = await accounts(t)
  const { id } = await signUp()
  const [session] = (await app.bouncer.sessions.list(id, { limit: 1 })).items
  t.equal(Date.parse(session?.expires_at ?? '') - Date.parse(session?.created_at ?? ''), 30 * 86_400_000)
  const longer = await accounts(t, { jwt: { secret, refreshTokenTtl: 90 * 86_400 } })
  const { id: otherId } = await longer.signUp()
  const [other] = (await longer.app.bouncer.sessions.list(otherId, { limit: 1 })).items
  t.equal(Date.parse(other?.expires_at ?? '') - Date.parse(other?.created_at ?? ''), 90 * 86_400_000)
})

t.test('sessions are listed with what their user knows them by, newest first, in pages', async (t) => {
  const pass = clock(t)
  const built = await accounts(t)
  const { app } = built
  const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  const stranger = await built.signUp()
  const ids: string[] = []
  for (let index = 0; index < 5; index++) {
    pass(1)
    ids.unshift(sidOf(await tokensOf(app.bouncer.login({ email, password }, { address: `192.0.2.${index}`, userAgent: 'x'.repeat(1000) }))))
  }
  const first = await app.bouncer.sessions.list(id, { limit: 2 })
  const second = await app.bouncer.sessions.list(id, { limit: 2, after: first.next as string })
  const third = await app.bouncer.sessions.list(id, { limit: 2, after: second.next as string })
  t.strictSame([first, second, third].map((page) => page.items.length), [2, 2, 1])
  t.equal(third.next, undefined)
  const items = [first, second, third].flatMap((page) => page.items)
  t.strictSame(items.map((session) => session.id), ids)
  t.strictSame(items.map((session) => session.address), ['192.0.2.4', '192.0.2.3', '192.0.2.2', '192.0.2.1', '192.0.2.0'])
  t.strictSame(Object.keys(items[0] ?? {}), ['id', 'created_at', 'last_used_at', 'expires_at', 'address', 'user_agent'])
  t.equal(items[0]?.user_agent?.length, 256, 'what a client says of itself is bounded')
  t.strictSame((await app.bouncer.sessions.list(stranger.id, { limit: 9 })).items.map((session) => [session.id, session.address, session.user_agent]), [[sidOf(stranger), null, null]])
  pass(60)
  const tokens = await app.bouncer.refresh(stranger.refresh_token)
  const [used] = (await app.bouncer.sessions.list(stranger.id, { limit: 9 })).items
  t.equal(used?.id, sidOf(tokens))
  t.equal(Date.parse(used?.last_used_at ?? '') - Date.parse(used?.created_at ?? ''), 65_000)
})

t.test('sessions end one by one, of their own user only, and once', async (t) => {
  const built = await accounts(t)
  const { app, happened } = built
  const ada = await built.signUp()
  const eve = await built.signUp()
  await app.bouncer.sessions.end(sidOf(ada), 'ended', eve.id)
  await app.bouncer.sessions.end('no session', 'ended')
  t.strictSame(happened('user_logout'), [])
  await alive(t, built, ada, ada.id)
  await app.bouncer.sessions.end(sidOf(ada), 'ended', ada.id)
  await app.bouncer.sessions.end(sidOf(ada), 'ended', ada.id)
  t.strictSame(happened('user_logout'), [{ userId: ada.id, sessionIds: [sidOf(ada)], reason: 'ended' }])
  await dead(t, built, ada, 'TOKEN_REVOKED')
})

t.test('logging out everywhere ends all sessions of one user, and says so once', async (t) => {
  const built = await accounts(t)
  const { app, happened } = built
  const ada = await built.signUp()
  const elsewhere = await tokensOf(app.bouncer.login({ email: ada.email, password }))
  const eve = await built.signUp()
  await app.bouncer.logoutAll(ada.id)
  await app.bouncer.logoutAll(ada.id)
  await app.bouncer.logoutAll('nobody')
  const [event, ...others] = happened('user_logout')
  t.match(event, { userId: ada.id, reason: 'logout_all' })
  t.strictSame([...event?.sessionIds ?? []].sort(), [sidOf(ada), sidOf(elsewhere)].sort())
  t.strictSame(others, [])
  for (const tokens of [ada, elsewhere]) await dead(t, built, tokens, 'TOKEN_REVOKED')
  await alive(t, built, eve, eve.id)
})

t.test('whose a refresh token is, is told of the current one only', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const first = await built.signUp()
  t.equal(await app.bouncer.sessions.ownerOf(first.refresh_token), first.id)
  const second = await app.bouncer.refresh(first.refresh_token)
  t.match(await rejection(app.bouncer.sessions.ownerOf(first.refresh_token)), { code: 'TOKEN_REVOKED' })
  t.equal(await app.bouncer.sessions.ownerOf(second.refresh_token), first.id, 'asking uses nothing up, and ends nothing')
  await app.bouncer.users.update(first.id, { is_active: false })
  t.match(await rejection(app.bouncer.sessions.ownerOf(second.refresh_token)), { code: 'ACCOUNT_UNAVAILABLE' })
})

t.test('rotation of secrets: the one before still reads, one that is gone does not', async (t) => {
  const store = memoryStore()
  const withSecret = async (given: string | string[]) => await accounts(t, { store, jwt: { secret: given } })
  const before = await withSecret(secret)
  const ada = await before.signUp()
  const bob = await before.signUp()
  const lost = await before.app.bouncer.refresh(bob.refresh_token)

  const during = await withSecret([anotherSecret, secret])
  await alive(t, during, ada, ada.id)
  t.equal((await during.app.bouncer.refresh(bob.refresh_token)).refresh_token, lost.refresh_token, 'a lost answer has the same successor still')
  const rotated = await during.app.bouncer.refresh(ada.refresh_token)
  t.equal((await during.app.bouncer.refresh(ada.refresh_token)).refresh_token, rotated.refresh_token)

  const after = await withSecret([anotherSecret])
  await alive(t, after, rotated, ada.id)
  t.ok(await after.app.bouncer.refresh(rotated.refresh_token))
  t.match(await rejection(after.app.bouncer.refresh(lost.refresh_token)), { code: 'TOKEN_INVALID' })
  t.match(await rejection(after.app.bouncer.authenticate(ada.access_token)), { code: 'TOKEN_INVALID', reason: 'signature' })
})

t.test('sessions.secret: refresh tokens with a key of their own', async (t) => {
  const store: Store = memoryStore()
  const first = await accounts(t, { store, sessions: { secret: anotherSecret } })
  const ada = await first.signUp()
  const second = await accounts(t, { store, jwt: { secret: thirdSecret }, sessions: { secret: [thirdSecret, anotherSecret] } })
  const tokens = await second.app.bouncer.refresh(ada.refresh_token)
  await alive(t, second, tokens, ada.id)
  const third = await accounts(t, { store, jwt: { secret: anotherSecret }, sessions: { secret: thirdSecret } })
  t.match(await rejection(third.app.bouncer.refresh(ada.refresh_token)), { code: 'TOKEN_INVALID' }, 'the secret of access tokens reads none')
  t.ok(await third.app.bouncer.refresh(tokens.refresh_token))
})

t.test('key pairs: access tokens for others to verify, refresh tokens for nobody else', async (t) => {
  const [first, second] = [newKey('P-256'), newKey('P-256')]
  const store = memoryStore()
  const before = await accounts(t, { store, jwt: { secret: pairOf(first) } })
  const ada = await before.signUp()
  await alive(t, before, ada, ada.id)
  const during = await accounts(t, { store, jwt: { secret: [pairOf(second), pairOf(first)] } })
  await alive(t, during, ada, ada.id)
  const rotated = await during.app.bouncer.refresh(ada.refresh_token)
  const after = await accounts(t, { store, jwt: { secret: pairOf(second) } })
  await alive(t, after, rotated, ada.id)
  t.ok(await after.app.bouncer.refresh(rotated.refresh_token))
  t.match(await rejection(after.app.bouncer.refresh(ada.refresh_token)), { code: 'TOKEN_INVALID' })
})
