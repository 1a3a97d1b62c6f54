import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { memoryStore, type AuthEventName, type Tokens } from '../../../index.js'
import { accounts, cheapHash, clock, mailed, password, tokensOf, visible, type AccountsApp } from '../../accounts.js'
import { refused, secret } from '../../build.js'
import { guard } from '../../guarded.js'
import { logged } from '../../log-lines.js'
import { watched } from '../../watched-store.js'

const another = 'another horse battery'
const jti = (tokens: Tokens): unknown => decodeJwt(tokens.access_token).jti

/** Signs in over HTTP. */
const login = async ({ call }: AccountsApp, email: string, given: string, headers: Record<string, string> = {}) =>
  await call('POST', '/login', { email, password: given }, undefined, headers)

/** Checks that a request was refused for having been made too often, and for how long. */
function limited (t: Test, response: Awaited<ReturnType<typeof login>>, seconds: number): void {
  refused(t, response, 429, 'RATE_LIMITED', 'Too many attempts. Try again later.')
  t.strictSame(response.json().extra, { code: 'RATE_LIMITED', retry_after: seconds })
  t.equal(response.headers['retry-after'], String(seconds))
}

t.test('POST /login gives tokens that nobody stores on their way', async (t) => {
  const built = await accounts(t)
  const { app, call, ask } = { ...built, ...guard(built.app) }
  const { id } = await app.bouncer.users.create({ email: 'ada@example.com', username: 'ada', password })
  for (const names of [{ email: 'Ada@Example.com' }, { username: 'ADA' }]) {
    const response = await call('POST', '/login', { ...names, password })
    t.equal(response.statusCode, 200)
    t.equal(response.headers['cache-control'], 'no-store')
    const tokens = response.json()
    t.strictSame(Object.keys(tokens), ['access_token', 'refresh_token', 'token_type', 'expires_in'])
    t.match(tokens, { token_type: 'Bearer', expires_in: 900 })
    t.equal((await ask(tokens.access_token)).json().id, id)
  }
  const [event] = built.happened('user_login')
  t.match(event, { user: { id, email: 'ada@example.com', username: 'ada' }, origin: { address: '127.0.0.1', userAgent: 'lightMyRequest' } })
})

t.test('user enumeration: unknown, wrong, inactive, unverified and unreadable are one answer', async (t) => {
  const store = memoryStore()
  const { serverOptions, lines } = logged()
  const built = await accounts(t, { store, requireVerified: true }, {}, serverOptions)
  const { app, call } = built
  const ids = new Map<string, string>()
  for (const [name, more] of Object.entries({ wrong: {}, inactive: { is_active: false }, unverified: { is_verified: false }, unusable: {}, without: {} })) {
    ids.set(name, (await app.bouncer.users.create({ email: `${name}@example.com`, username: name, password, is_verified: true, ...more })).id)
  }
  await store.users.update(ids.get('unusable') ?? '', { passwordHash: 'c4n4ry$of$no$hasher' })
  await store.users.update(ids.get('without') ?? '', { passwordHash: null })
  const cases: Array<[body: Record<string, string>, reason: string]> = [
    [{ email: 'unknown@example.com', password }, 'unknown'],
    [{ username: 'unknown', password }, 'unknown'],
    [{ email: 'no address', password }, 'unknown'],
    [{ email: '', password: '' }, 'unknown'],
    [{ username: 'x'.repeat(320), password }, 'unknown'],
    [{ email: 'wrong@example.com', password: another }, 'wrong_password'],
    [{ username: 'wrong', password: another }, 'wrong_password'],
    [{ email: 'wrong@example.com', password: '' }, 'wrong_password'],
    [{ email: 'wrong@example.com', password: 'x'.repeat(1024) }, 'wrong_password'],
    [{ email: 'inactive@example.com', password }, 'inactive'],
    [{ email: 'unverified@example.com', password }, 'unverified'],
    [{ email: 'unusable@example.com', password }, 'invalid_hash'],
    [{ email: 'without@example.com', password }, 'wrong_password']
  ]
  const first = await call('POST', '/login', { email: 'nobody@example.com', password })
  refused(t, first, 401, 'INVALID_CREDENTIALS', 'Invalid credentials')
  t.equal(first.headers['www-authenticate'], 'Bearer realm="api"')
  for (const [body, reason] of cases) {
    lines.length = 0
    built.events.length = 0
    t.strictSame(visible(await call('POST', '/login', body)), visible(first), JSON.stringify(body).slice(0, 60))
    t.equal(built.happened('user_login_failed')[0]?.reason, reason)
    const line = lines.find(({ context }) => context !== undefined)
    t.match(line, { level: 30, context: { reason }, err: { type: 'InvalidCredentialsError' } }, 'the log says why')
  }
  t.strictSame(built.happened('user_login'), [])
})

t.test('bodies that are none reach nothing', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const json = { 'content-type': 'application/json' }
  const send = async (path: string, payload: string, headers = json) => await built.app.inject({ method: 'POST', url: `/auth${path}`, payload, headers })
  const login = { email: 'ada@example.com', password }
  const bodies: Record<string, unknown[]> = {
    '/login': [{}, [], null, 'x', { email: 'a@b.example' }, { password }, { ...login, username: 'ada' }, { ...login, roles: ['admin'] }, { ...login, email: 1 }, { ...login, password: null }, { ...login, password: ['x'] }, { ...login, password: 'x'.repeat(4097) }, { ...login, email: 'x'.repeat(321) }],
    '/refresh': [{}, [], null, { refresh_token: '' }, { refresh_token: 1 }, { refresh_token: ['x'] }, { refresh_token: 'x', access_token: 'x' }, { refresh_token: 'x'.repeat(20_001) }],
    '/logout': [[], 'x', 1, { refresh_token: '' }, { refresh_token: null }, { access_token: 'x' }, { refresh_token: 'x'.repeat(20_001) }],
    '/logout-all': [[], 'x', 1, { refresh_token: '' }, { refresh_token: null }, { all: true }]
  }
  for (const [path, wrong] of Object.entries(bodies)) {
    for (const body of wrong) refused(t, await send(path, JSON.stringify(body)), 400, 'REQUEST_INVALID', 'The request is invalid.')
    refused(t, await send(path, '{"__proto__": {"password": "x"}}'), 400, 'REQUEST_INVALID')
    refused(t, await send(path, '{'), 400, 'REQUEST_INVALID')
    refused(t, await send(path, 'refresh_token=x', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'UNSUPPORTED_MEDIA_TYPE')
    refused(t, await send(path, JSON.stringify({ refresh_token: 'x'.repeat(2 ** 21) })), 413, 'PAYLOAD_TOO_LARGE')
  }
  t.strictSame(store.calls, [])
  t.strictSame(built.events, [])
})

t.test('guessing: the sixth wrong password in a row is refused unseen, and so is the right one', async (t) => {
  const pass = clock(t)
  const built = await accounts(t)
  await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  await built.app.bouncer.users.create({ email: 'bob@example.com', password })
  const answers = []
  for (const email of ['ada@example.com', 'unknown@example.com']) {
    for (let guess = 1; guess <= 5; guess++) refused(t, await login(built, email, another), 401, 'INVALID_CREDENTIALS')
    const sixth = await login(built, email, another)
    limited(t, sixth, 600)
    answers.push(visible(sixth))
    limited(t, await login(built, email, password), 600)
  }
  t.strictSame(answers[0], answers[1], 'the same for accounts that there are not')
  t.match(built.happened('rate_limit_exceeded')[0], { operation: 'login', identifier: 'email:ada@example.com', retryAfter: 600, origin: { address: '127.0.0.1' } })
  t.equal((await login(built, 'bob@example.com', password)).statusCode, 200, 'others are not concerned')

  pass(599)
  limited(t, await login(built, 'ADA@example.com', password), 1)
  pass(1)
  t.equal((await login(built, 'ada@example.com', password)).statusCode, 200, 'it ends by itself, whatever came meanwhile')
  for (let guess = 1; guess <= 5; guess++) refused(t, await login(built, 'ada@example.com', another), 401, 'INVALID_CREDENTIALS')
})

t.test('a user who mistypes now and then is not locked out', async (t) => {
  const pass = clock(t)
  const built = await accounts(t)
  await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  for (let day = 1; day <= 3; day++) {
    for (let guess = 1; guess <= 4; guess++) await login(built, 'ada@example.com', another)
    t.equal((await login(built, 'ada@example.com', password)).statusCode, 200, 'the fifth is right, and begins anew')
  }
  for (let guess = 1; guess <= 8; guess++) {
    refused(t, await login(built, 'ada@example.com', another), 401, 'INVALID_CREDENTIALS')
    if (guess === 4) pass(301)
  }
  t.strictSame(built.happened('rate_limit_exceeded'), [])
})

t.test('guessing in parallel: no more than five passwords are looked at', async (t) => {
  const built = await accounts(t)
  await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  const answers = await Promise.all(Array.from({ length: 20 }, async () => await login(built, 'ada@example.com', another)))
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [...Array(5).fill(401), ...Array(15).fill(429)])
  t.equal(built.happened('user_login_failed').length, 5)
})

t.test('lock-out of a victim: from where she has signed in before, she gets in', async (t) => {
  const built = await accounts(t, {}, {}, { trustProxy: true })
  await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  const home = { 'x-forwarded-for': '192.0.2.1' }
  const attacker = { 'x-forwarded-for': '198.51.100.66' }
  t.equal((await login(built, 'ada@example.com', password, home)).statusCode, 200)
  for (let guess = 1; guess <= 5; guess++) await login(built, 'ada@example.com', another, attacker)
  limited(t, await login(built, 'ada@example.com', password, attacker), 600)
  limited(t, await login(built, 'ada@example.com', password, { 'x-forwarded-for': '203.0.113.1' }), 600)
  t.equal((await login(built, 'ada@example.com', password, home)).statusCode, 200)
  for (let guess = 1; guess <= 5; guess++) await login(built, 'ada@example.com', another, home)
  limited(t, await login(built, 'ada@example.com', password, home), 600)
})

const perAddress = { login: { account: false, address: { max: 2, window: 60, lockout: 120 } } } as const

t.test('password spraying: attempts are counted by address as well', async (t) => {
  const built = await accounts(t, { attempts: perAddress })
  for (const name of ['a', 'b']) refused(t, await login(built, `${name}@example.com`, another), 401, 'INVALID_CREDENTIALS')
  limited(t, await login(built, 'c@example.com', another), 120)
  t.match(built.happened('rate_limit_exceeded'), [{ operation: 'login', identifier: '127.0.0.1' }])
})

t.test('forged X-Forwarded-For: it counts where trustProxy says so, and nowhere else', async (t) => {
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const untrusting = await accounts(t, { attempts: perAddress })
  for (const address of ['192.0.2.1', '192.0.2.2']) refused(t, await login(untrusting, 'a@example.com', another, from(address)), 401, 'INVALID_CREDENTIALS')
  limited(t, await login(untrusting, 'a@example.com', another, from('192.0.2.3')), 120)
  t.match(untrusting.happened('user_login_failed'), [{ origin: { address: '127.0.0.1' } }, { origin: { address: '127.0.0.1' } }])

  const trusting = await accounts(t, { attempts: perAddress }, {}, { trustProxy: true })
  for (const [one, other] of [['192.0.2.1', '::ffff:192.0.2.1'], ['2001:db8:0:1::1', '2001:db8:0:1:ffff:ffff:ffff:ffff']] as const) {
    for (const address of [one, other]) refused(t, await login(trusting, 'a@example.com', another, from(address)), 401, 'INVALID_CREDENTIALS')
    limited(t, await login(trusting, 'a@example.com', another, from(one)), 120)
  }
  refused(t, await login(trusting, 'a@example.com', another, from('2001:db8:0:2::1')), 401, 'INVALID_CREDENTIALS')
})

t.test('attempts: false lets everything be tried', async (t) => {
  const built = await accounts(t, { attempts: false })
  for (let guess = 1; guess <= 7; guess++) refused(t, await login(built, 'ada@example.com', another), 401, 'INVALID_CREDENTIALS')
})

t.test('a flood of sign-ins: what does not fit into the queue is told to wait', async (t) => {
  const built = await accounts(t, { attempts: false, passwords: { ...cheapHash, concurrency: 1, queueLimit: 2 } })
  const { id } = await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  const answers = await Promise.all(Array.from({ length: 6 }, async () => await login(built, 'ada@example.com', password)))
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, 200, 200, 503, 503, 503])
  for (const answer of answers.filter(({ statusCode }) => statusCode === 503)) {
    refused(t, answer, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
    t.equal(answer.headers['retry-after'], String(answer.json().extra.retry_after))
  }
  t.equal((await login(built, 'ada@example.com', password)).statusCode, 200, 'afterwards there is room')
  t.strictSame(built.happened('user_login').map(({ user }) => user.id), Array(4).fill(id))
})

t.test('POST /refresh gives new tokens, and refuses all others', async (t) => {
  const built = await accounts(t)
  const { app, call, happened } = built
  const first = await built.signUp()
  const refresh = async (token: string, headers = {}) => await call('POST', '/refresh', { refresh_token: token }, undefined, headers)
  const response = await refresh(first.refresh_token, { 'user-agent': 'curl' })
  t.equal(response.statusCode, 200)
  t.equal(response.headers['cache-control'], 'no-store')
  const second = response.json() as Tokens
  t.strictSame(Object.keys(second), ['access_token', 'refresh_token', 'token_type', 'expires_in'])
  t.match(happened('token_refreshed'), [{ userId: first.id, origin: { address: '127.0.0.1', userAgent: 'curl' } }])
  const repeated = (await refresh(first.refresh_token)).json() as Tokens
  t.equal(repeated.refresh_token, second.refresh_token)
  t.not(jti(repeated), jti(second))

  refused(t, await refresh('nonsense'), 401, 'TOKEN_INVALID', 'Invalid token: Malformed token')
  refused(t, await refresh(second.access_token), 401, 'TOKEN_INVALID', 'Invalid token: Unexpected token type')
  const third = (await refresh(second.refresh_token)).json() as Tokens
  refused(t, await refresh(first.refresh_token), 401, 'TOKEN_REVOKED', 'Token has been revoked')
  refused(t, await refresh(third.refresh_token), 401, 'TOKEN_REVOKED')
  const gone = await built.signUp()
  await app.bouncer.users.update(gone.id, { is_active: false })
  refused(t, await refresh(gone.refresh_token), 401, 'ACCOUNT_UNAVAILABLE')
})

t.test('tokens that are mailed are no refresh tokens and no access tokens, nor the other way round', async (t) => {
  const built = await accounts(t)
  const { call } = built
  const tokens = await built.signUp()
  await call('POST', '/register', { email: 'new@example.com', password })
  await call('POST', '/password/forgot', { email: tokens.email })
  const [verify, reset] = [await mailed(built, 'verification_requested'), await mailed(built, 'password_reset_requested')]
  for (const token of [verify, reset]) {
    t.equal(token.length, 43)
    refused(t, await call('POST', '/refresh', { refresh_token: token }), 401, 'TOKEN_INVALID')
    refused(t, await call('POST', '/logout', { refresh_token: token }), 401, 'TOKEN_INVALID')
    refused(t, await call('POST', '/logout-all', { refresh_token: token }), 401, 'TOKEN_INVALID')
    for (const path of ['/logout', '/logout-all']) refused(t, await call('POST', path, undefined, token), 401, 'TOKEN_INVALID')
    refused(t, await call('GET', '/me', undefined, token), 401, 'TOKEN_INVALID')
  }
  for (const token of [tokens.access_token, tokens.refresh_token, reset]) refused(t, await call('POST', '/verify', { token }), 400, 'VERIFY_USER_BAD_TOKEN')
  for (const token of [tokens.access_token, tokens.refresh_token, verify]) refused(t, await call('POST', '/password/reset', { token, password: another }), 400, 'RESET_PASSWORD_BAD_TOKEN')
})

t.test('refreshes that fail are limited, those that succeed are not', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { attempts: { refresh: { account: { max: 3, window: 60, lockout: 30 }, address: { max: 6, window: 60, lockout: 90 } } } })
  let { refresh_token: token } = await built.signUp()
  const refresh = async (given: string) => await built.call('POST', '/refresh', { refresh_token: given })
  for (let round = 0; round < 10; round++) token = (await refresh(token)).json().refresh_token
  await built.call('POST', '/logout', { refresh_token: token })
  for (let round = 0; round < 3; round++) refused(t, await refresh(token), 401, 'TOKEN_REVOKED')
  limited(t, await refresh(token), 30)
  t.match(built.happened('rate_limit_exceeded'), [{ operation: 'refresh' }])
  for (let round = 0; round < 2; round++) refused(t, await refresh('nonsense'), 401, 'TOKEN_INVALID')
  limited(t, await refresh('nonsense'), 90)
  pass(91)
  refused(t, await refresh(token), 401, 'TOKEN_REVOKED')
})

t.test('POST /logout ends the session that the bearer token is of', async (t) => {
  const built = await accounts(t)
  const { call } = built
  const ada = await built.signUp()
  const elsewhere = await tokensOf(built.app.bouncer.login({ email: ada.email, password }))
  const response = await call('POST', '/logout', undefined, ada.access_token)
  t.equal(response.statusCode, 204)
  t.equal(response.payload, '')
  t.equal(response.headers['cache-control'], 'no-store')
  t.match(built.happened('user_logout'), [{ userId: ada.id, reason: 'logout' }])
  refused(t, await call('GET', '/me', undefined, ada.access_token), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/refresh', { refresh_token: ada.refresh_token }), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/logout', undefined, ada.access_token), 401, 'TOKEN_REVOKED')
  t.equal((await call('GET', '/me', undefined, elsewhere.access_token)).statusCode, 200)
  for (const payload of [{}, undefined]) {
    const again = await tokensOf(built.app.bouncer.login({ email: ada.email, password }))
    t.equal((await call('POST', '/logout', payload, again.access_token)).statusCode, 204)
    refused(t, await call('GET', '/me', undefined, again.access_token), 401, 'TOKEN_REVOKED')
  }
  const again = await tokensOf(built.app.bouncer.login({ email: ada.email, password }))
  const empty = await built.app.inject({ method: 'POST', url: '/auth/logout', payload: 'null', headers: { 'content-type': 'application/json', authorization: `Bearer ${again.access_token}` } })
  t.equal(empty.statusCode, 204)
})

t.test('POST /logout by refresh token, when the access token has expired', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { jwt: { secret, accessTokenTtl: 60 } })
  const { call } = built
  const [ada, bob] = [await built.signUp(), await built.signUp()]
  const next = await built.app.bouncer.refresh(bob.refresh_token)
  pass(61)
  refused(t, await call('POST', '/logout', undefined, ada.access_token), 401, 'TOKEN_EXPIRED')
  t.equal((await call('POST', '/logout', { refresh_token: ada.refresh_token }, ada.access_token)).statusCode, 204, 'both together')
  t.equal((await call('POST', '/logout', { refresh_token: bob.refresh_token })).statusCode, 204, 'alone, though it was used before')
  for (const token of [ada.refresh_token, next.refresh_token]) refused(t, await call('POST', '/refresh', { refresh_token: token }), 401, 'TOKEN_REVOKED')
  t.equal((await call('POST', '/logout', { refresh_token: ada.refresh_token })).statusCode, 204, 'twice')
  t.equal(built.happened('user_logout').length, 2, 'told once for each')
  t.strictSame(built.happened('refresh_token_reused'), [])
})

t.test('POST /logout-all ends every session of the user', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { jwt: { secret, accessTokenTtl: 60 } })
  const { call } = built
  const bob = await built.signUp()
  for (const by of ['access', 'refresh', 'both'] as const) {
    const ada = await built.signUp()
    const elsewhere = await tokensOf(built.app.bouncer.login({ email: ada.email, password }))
    if (by !== 'access') {
      pass(61)
      refused(t, await call('POST', '/logout-all', undefined, ada.access_token), 401, 'TOKEN_EXPIRED')
    }
    const payload = by === 'access' ? undefined : { refresh_token: ada.refresh_token }
    const response = await call('POST', '/logout-all', payload, by === 'refresh' ? undefined : ada.access_token)
    t.equal(response.statusCode, 204, by)
    t.equal(response.headers['cache-control'], 'no-store')
    for (const { refresh_token: token } of [ada, elsewhere]) refused(t, await call('POST', '/refresh', { refresh_token: token }), 401, 'TOKEN_REVOKED')
    refused(t, await call('POST', '/logout-all', { refresh_token: ada.refresh_token }), 401, 'TOKEN_REVOKED')
  }
  t.equal(built.happened('user_logout').filter(({ reason, sessionIds }) => reason === 'logout_all' && sessionIds.length === 2).length, 3)
  t.equal((await call('POST', '/refresh', { refresh_token: bob.refresh_token })).statusCode, 200)
})

t.test('confusion of tokens: each is refused in the place of the other, and ends nothing', async (t) => {
  const built = await accounts(t)
  const { call } = built
  const ada = await built.signUp()
  for (const path of ['/logout', '/logout-all']) {
    refused(t, await call('POST', path), 401, 'MISSING_TOKEN')
    refused(t, await call('POST', path, undefined, ada.refresh_token), 401, 'TOKEN_INVALID', 'Invalid token: Malformed token')
    refused(t, await call('POST', path, { refresh_token: ada.access_token }), 401, 'TOKEN_INVALID', 'Invalid token: Unexpected token type')
    refused(t, await call('POST', path, { refresh_token: ada.access_token }, ada.access_token), 401, 'TOKEN_INVALID')
    refused(t, await call('POST', path, { refresh_token: 'nonsense' }, ada.access_token), 401, 'TOKEN_INVALID')
    refused(t, await call('POST', path, undefined, 'a b'), 400, 'INVALID_AUTHORIZATION_HEADER')
    refused(t, await call('POST', path, undefined, undefined, { authorization: `Basic ${ada.access_token}` }), 401, 'MISSING_TOKEN')
  }
  t.strictSame(built.happened('user_logout'), [])
  t.equal((await call('GET', '/me', undefined, ada.access_token)).statusCode, 200)
  t.equal((await call('POST', '/refresh', { refresh_token: ada.refresh_token })).statusCode, 200)
})

t.test('a bearer token that the application signed itself is revoked by logging out', async (t) => {
  const built = await accounts(t)
  const { app, call } = built
  const { id } = await built.signUp()
  const [token, other, without] = ['one', 'two', undefined].map((jti) => app.bouncer.jwt?.sign({ sub: id, ...(jti !== undefined && { jti }) })) as [string, string, string]
  t.equal((await call('POST', '/logout', undefined, token)).statusCode, 204)
  refused(t, await call('GET', '/me', undefined, token), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/logout', undefined, without), 401, 'TOKEN_INVALID', 'Invalid token: Missing or invalid claim')
  t.equal((await call('GET', '/me', undefined, other)).statusCode, 200)
})

t.test('a hash that nobody reads is a wrong password in a login, and a fault of ours anywhere else', async (t) => {
  const store = memoryStore()
  const { serverOptions, lines, text } = logged()
  const built = await accounts(t, { store }, {}, serverOptions)
  const ada = await built.signUp()
  await store.users.update(ada.id, { passwordHash: 'c4n4ry$of$no$hasher' })
  refused(t, await login(built, ada.email, password), 401, 'INVALID_CREDENTIALS')
  t.strictSame(built.happened('invalid_hash'), [{ userId: ada.id }])
  const response = await built.call('POST', '/me/password', { current_password: password, new_password: another }, ada.access_token)
  refused(t, response, 500, 'INVALID_HASH', 'A stored password hash is not recognised.')
  t.ok(lines.some(({ level, err }) => level === 50 && (err as { type?: string })?.type === 'InvalidHashError'))
  t.notMatch(text(), 'c4n4ry')
})

const listened: AuthEventName[] = ['user_login', 'user_login_failed', 'user_logout', 'token_refreshed', 'refresh_token_reused', 'rate_limit_exceeded', 'invalid_hash']

t.test('a listener that throws stops nothing', async (t) => {
  const store = memoryStore()
  const { serverOptions, lines } = logged()
  const built = await accounts(t, { store }, {}, serverOptions)
  const { app, call } = built
  for (const name of listened) app.bouncer.events.on(name, () => { throw new Error(`listening to ${name}`) })
  const [ada, bob] = [await built.signUp(), await built.signUp()]
  await store.users.update(bob.id, { passwordHash: 'c4n4ry' })
  refused(t, await login(built, ada.email, another), 401, 'INVALID_CREDENTIALS')
  refused(t, await login(built, bob.email, password), 401, 'INVALID_CREDENTIALS')
  const first = (await login(built, ada.email, password)).json() as Tokens
  const second = (await call('POST', '/refresh', { refresh_token: first.refresh_token })).json() as Tokens
  t.equal((await call('POST', '/refresh', { refresh_token: second.refresh_token })).statusCode, 200)
  refused(t, await call('POST', '/refresh', { refresh_token: first.refresh_token }), 401, 'TOKEN_REVOKED')
  t.equal((await call('POST', '/logout', undefined, ada.access_token)).statusCode, 204)
  for (let guess = 1; guess <= 5; guess++) await login(built, 'nobody@example.com', another)
  limited(t, await login(built, 'nobody@example.com', another), 600)
  for (const name of listened) {
    t.ok(lines.some(({ level, err, msg }) => level === 50 && (err as { type?: string })?.type === 'EventError' && msg === `fastify-bouncer: a listener of ${name} failed`), name)
  }
})

t.test('events.propagate: a listener that throws makes the request fail', async (t) => {
  const store = memoryStore()
  const built = await accounts(t, { store, events: { propagate: true } })
  const { app, call } = built
  const ada = await built.signUp()
  const off = listened.map((name) => app.bouncer.events.on(name, () => { throw new Error('c4n4ry') }))
  for (const response of [await login(built, ada.email, another), await login(built, ada.email, password), await call('POST', '/refresh', { refresh_token: ada.refresh_token }), await call('POST', '/logout', undefined, ada.access_token)]) {
    refused(t, response, 500, 'EVENT_HANDLER_FAILED', 'An event handler failed.')
    t.notMatch(response.payload, 'c4n4ry')
  }
  for (const remove of off) remove()
  t.equal((await login(built, ada.email, password)).statusCode, 200)
})
