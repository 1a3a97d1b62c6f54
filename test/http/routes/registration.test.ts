import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { memoryStore } from '../../../index.js'
import { sqliteStore } from '../../../lib/store/sql.js'
import { accounts, mailed, password, until, visible } from '../../accounts.js'
import { refused } from '../../build.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const another = 'another good password'
const CANARY = 'c4n4ry'

/** A body as it comes, readable or not. */
async function post (app: FastifyInstance, path: string, payload: string, type = 'application/json'): Promise<LightMyRequestResponse> {
  return await app.inject({ method: 'POST', url: `/auth${path}`, payload, headers: { 'content-type': type } })
}

/** Checks an answer that says nothing: no body, and the same headers in every case. */
function accepted (t: Test, response: LightMyRequestResponse, what = ''): void {
  t.strictSame([response.statusCode, response.payload, response.headers['cache-control']], [202, '', 'no-store'], what)
}

t.test('POST /register: 201 with the user, and without anything that is secret', async (t) => {
  const { app, call, happened } = await accounts(t)
  const response = await call('POST', '/register', { email: ' Ada@Example.com', password, username: 'Ada' })
  t.equal(response.statusCode, 201)
  t.equal(response.headers['cache-control'], 'no-store')
  const user = response.json()
  t.strictSame(user, { id: user.id, email, username: 'ada', roles: [], is_active: true, is_verified: false })
  t.notMatch(response.payload, /argon2|password/)
  t.notOk(response.payload.includes(happened('verification_requested')[0]?.token as string), 'the token goes by mail alone')
  t.strictSame(await app.bouncer.users.get(user.id), user)
  t.equal((await call('POST', '/register', { email: 'eve@example.com', password })).json().username, null)
})

t.test('a collision tells that there is one, and nothing of it', async (t) => {
  const { app, call } = await accounts(t)
  await app.bouncer.users.create({ email: `${CANARY}@example.com`, username: CANARY })
  for (const body of [{ email: `${CANARY.toUpperCase()}@example.com`, password }, { email, password, username: CANARY.toUpperCase() }]) {
    const response = await call('POST', '/register', body)
    refused(t, response, 400, 'USER_ALREADY_EXISTS', 'A user with the provided credentials already exists.')
    t.strictSame(response.json().extra, { code: 'USER_ALREADY_EXISTS' })
    t.notMatch(JSON.stringify([response.payload, response.headers]), new RegExp(CANARY, 'i'))
  }
  t.equal((await app.bouncer.users.list()).items.length, 1)
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`race: 20 registrations of one address in several spellings, on ${name}`, async (t) => {
    const { call } = await accounts(t, { attempts: false, store: store() })
    const answers = await Promise.all([...Array(20).keys()].map(async (index) => await call('POST', '/register', { email: index % 2 ? email : `${' '.repeat(index)}ADA@Example.com`, password })))
    t.strictSame(answers.map(({ statusCode }) => statusCode).toSorted(), [201, ...Array(19).fill(400)])
    for (const one of answers.filter(({ statusCode }) => statusCode === 400)) t.equal(one.json().extra.code, 'USER_ALREADY_EXISTS')
  })
}

t.test('a password that breaks rules: all of them, with the code of this route', async (t) => {
  const { app, call } = await accounts(t, { passwords: { uppercase: true, digit: true, symbol: true } })
  const response = await call('POST', '/register', { email, password: CANARY.slice(0, 3), username: 'ada' })
  refused(t, response, 400, 'REGISTER_INVALID_PASSWORD', 'Password does not meet policy requirements')
  t.strictSame(response.json().extra.errors, ['Password must be at least 8 characters', 'Password must contain at least one uppercase letter', 'Password must contain at least one symbol'])
  for (const long of [CANARY.repeat(30), CANARY.repeat(100)]) {
    const tooLong = await call('POST', '/register', { email, password: long })
    refused(t, tooLong, 400, 'REGISTER_INVALID_PASSWORD')
    t.strictSame(tooLong.json().extra.errors, ['Password must be at most 128 characters'])
    t.notMatch(tooLong.payload, CANARY)
  }
  t.equal(await app.bouncer.users.find({ email }), undefined)
})

t.test('attack: mass assignment', async (t) => {
  const { app, call } = await accounts(t, { attempts: false })
  const privileges: object[] = [
    { roles: ['admin'] }, { role: 'admin' }, { is_active: false }, { is_verified: true }, { id: 'chosen' }, { is_admin: true }, { isActive: true }, { isVerified: true },
    { passwordHash: CANARY }, { password_hash: CANARY }, { createdAt: 0 }, { groups: ['staff'] }, { scopes: ['all'] }, { current_password: password }, { [CANARY]: CANARY }
  ]
  for (const privilege of privileges) {
    const response = await call('POST', '/register', { email, password, ...privilege })
    refused(t, response, 400, 'REQUEST_INVALID')
    t.notMatch(response.payload, CANARY)
    t.equal(await app.bouncer.users.find({ email }), undefined, JSON.stringify(privilege))
  }
})

t.test('attack: prototype pollution', async (t) => {
  const { app } = await accounts(t, { attempts: false }, {}, { onProtoPoisoning: 'ignore', onConstructorPoisoning: 'ignore' })
  const rest = `"email":"${email}","password":"${password}"`
  const bodies = [
    `{${rest},"__proto__":{"roles":["admin"]}}`, `{"__proto__":{${rest}}}`, `{${rest},"constructor":{"prototype":{"roles":["admin"]}}}`, `{${rest},"prototype":{"roles":["admin"]}}`,
    `{${rest},"toString":"x"}`, `{${rest},"hasOwnProperty":1}`, `{${rest},"\\u005f_proto__":{"roles":["admin"]}}`, `{${rest},"username":{"__proto__":{"roles":["admin"]}}}`
  ]
  for (const path of ['/register', '/verify/request', '/password/forgot']) {
    for (const body of bodies) refused(t, await post(app, path, body), 400, 'REQUEST_INVALID')
  }
  t.equal(({} as { roles?: unknown }).roles, undefined)
  t.strictSame((await app.bouncer.users.list()).items, [])
})

t.test('bodies that cannot be read, and what cannot be meant', async (t) => {
  const { app, events } = await accounts(t, { attempts: false })
  const paths = ['/register', '/verify', '/verify/request', '/password/forgot', '/password/reset']
  const broken = ['', '{', '[]', 'null', 'true', '5', `"${CANARY}"`, '{}', `{"email":"${CANARY}"}`, `{"email":5,"password":"${CANARY}","token":[]}`, '{"email":null,"password":null,"token":null}', '{"token":""}', `{"token":"${CANARY.repeat(200)}"}`, `{"email":"${CANARY.repeat(100)}@example.com"}`, '\u0000', '{"email":"a@example.com","email":']
  for (const path of paths) {
    for (const body of broken) {
      const response = await post(app, path, body)
      refused(t, response, 400, 'REQUEST_INVALID', 'The request is invalid.')
      t.notMatch(response.payload, CANARY, `${path} ${body}`)
    }
    refused(t, await post(app, path, `email=${email}&password=${password}`, 'application/x-www-form-urlencoded'), 415, 'UNSUPPORTED_MEDIA_TYPE')
    refused(t, await post(app, path, JSON.stringify({ email, password }), 'text/plain'), 415, 'UNSUPPORTED_MEDIA_TYPE')
    refused(t, await post(app, path, JSON.stringify({ email: 'x'.repeat(2_000_000) })), 413, 'PAYLOAD_TOO_LARGE')
  }
  t.strictSame(events, [])
})

t.test('registrations are limited alike, whether the address is taken or not', async (t) => {
  const { app, call } = await accounts(t)
  await app.bouncer.users.create({ email })
  const seen: object[] = []
  for (const address of [email, 'free@example.com']) {
    for (let count = 0; count < 5; count++) await call('POST', '/register', { email: address, password: 'short' })
    const response = await call('POST', '/register', { email: address, password })
    refused(t, response, 429, 'RATE_LIMITED', 'Too many attempts. Try again later.')
    t.equal(response.headers['retry-after'], '3600')
    t.strictSame(response.json().extra, { code: 'RATE_LIMITED', retry_after: 3600 })
    seen.push(visible(response))
  }
  t.strictSame(seen[0], seen[1])
})

t.test('concealed: a free address and one that is taken are one answer, byte for byte', async (t) => {
  for (const [name, store] of Object.entries(stores)) {
    const { app, call, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true, store: store() })
    await app.bouncer.users.create({ email, username: 'ada' })
    const taken = await call('POST', '/register', { email: 'ADA@example.com', password })
    const free = await call('POST', '/register', { email: 'eve@example.com', password })
    accepted(t, free, name)
    t.strictSame(visible(taken), visible(free))
    const names = [await call('POST', '/register', { email, password, username: 'new' }), await call('POST', '/register', { email: 'tom@example.com', password, username: 'new' })]
    for (const response of names) refused(t, response, 400, 'REQUEST_INVALID')
    for (const address of [email, 'eve@example.com', 'tom@example.com']) refused(t, await call('POST', '/login', { email: address, password }), 401, 'INVALID_CREDENTIALS')
    const [takenWeak, freeWeak] = [await call('POST', '/register', { email, password: 'sh0rt+' }), await call('POST', '/register', { email: 'tom@example.com', password: 'sh0rt+' })]
    refused(t, freeWeak, 400, 'REGISTER_INVALID_PASSWORD')
    t.strictSame(visible(takenWeak), visible(freeWeak), 'and so is a password that is not acceptable')
    await until(() => happened('user_registered_again').length === 1 && happened('verification_requested').length === 1)
    t.match(happened('user_registered_again'), [{ user: { email }, origin: { address: '127.0.0.1', userAgent: 'lightMyRequest' } }])
  }
})

t.test('concealed: what is done afterwards does not delay the answer', async (t) => {
  const { app, call, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true })
  await app.bouncer.users.create({ email })
  let release = (): void => {}
  const released = new Promise<void>((resolve) => { release = resolve })
  let told = 0
  for (const name of ['user_registered_again', 'user_created'] as const) {
    app.bouncer.events.on(name, async () => {
      await released
      told++
    })
  }
  accepted(t, await call('POST', '/register', { email, password }))
  accepted(t, await call('POST', '/register', { email: 'eve@example.com', password }))
  await until(() => happened('user_registered_again').length === 1 && happened('user_created').length === 2)
  t.equal(told, 0, 'both were answered before')
  release()
  await until(() => told === 2)
})

t.test('POST /verify: 200 with the user, once', async (t) => {
  const built = await accounts(t)
  const { call } = built
  const user = (await call('POST', '/register', { email, password })).json()
  const token = await mailed(built, 'verification_requested')
  const response = await call('POST', '/verify', { token })
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { ...user, is_verified: true })
  const again = await call('POST', '/verify', { token })
  refused(t, again, 400, 'VERIFY_USER_BAD_TOKEN', 'The email verification token is invalid.')
  t.strictSame(again.json().extra, { code: 'VERIFY_USER_BAD_TOKEN' })
})

t.test('whatever is wrong with a token, and whoever it was for, it is one answer', async (t) => {
  const built = await accounts(t)
  const { app, call } = built
  const { id } = (await call('POST', '/register', { email, password })).json()
  const verify = await mailed(built, 'verification_requested')
  await call('POST', '/password/forgot', { email })
  const reset = await mailed(built, 'password_reset_requested')
  await app.bouncer.users.update(id, { is_active: false })
  const unknown = 'A'.repeat(43)
  for (const [path, tokens, code] of [['/verify', [unknown, CANARY, verify, reset], 'VERIFY_USER_BAD_TOKEN'], ['/password/reset', [unknown, CANARY, reset, verify], 'RESET_PASSWORD_BAD_TOKEN']] as const) {
    const answers = await Promise.all(tokens.map(async (token) => await call('POST', path, { token, ...(path === '/password/reset' && { password: another }) })))
    for (const answer of answers) {
      refused(t, answer, 400, code)
      t.strictSame(visible(answer), visible(answers[0] as LightMyRequestResponse))
    }
  }
})

t.test('POST /verify/request and /password/forgot answer everybody alike', async (t) => {
  for (const [path, name] of [['/verify/request', 'verification_requested'], ['/password/forgot', 'password_reset_requested']] as const) {
    const built = await accounts(t)
    const { app, call, happened } = built
    await app.bouncer.users.create({ email, password })
    await app.bouncer.users.create({ email: 'verified@example.com', password, is_verified: true })
    await app.bouncer.users.create({ email: 'inactive@example.com', password, is_active: false })
    const addresses = [email, 'ADA@example.com', 'verified@example.com', 'inactive@example.com', 'nobody@example.com']
    const answers: LightMyRequestResponse[] = []
    for (const address of addresses) answers.push(await call('POST', path, { email: address }))
    for (const [index, answer] of answers.entries()) {
      accepted(t, answer, `${path} ${addresses[index]}`)
      t.strictSame(visible(answer), visible(answers[0] as LightMyRequestResponse))
    }
    const verified = path === '/password/forgot' ? ['verified@example.com'] : []
    await until(() => happened(name).length === 2 + verified.length)
    t.strictSame(happened(name).map(({ user }) => user.email), [email, email, ...verified])
  }
})

t.test('POST /verify/request and /password/forgot are limited alike for everybody', async (t) => {
  for (const path of ['/verify/request', '/password/forgot']) {
    const { app, call } = await accounts(t)
    await app.bouncer.users.create({ email, password })
    await app.bouncer.users.create({ email: 'inactive@example.com', password, is_active: false })
    const answers: LightMyRequestResponse[] = []
    for (const address of [email, 'inactive@example.com', 'nobody@example.com']) {
      for (let count = 0; count < 3; count++) accepted(t, await call('POST', path, { email: address }))
      answers.push(await call('POST', path, { email: ` ${address.toUpperCase()}` }))
    }
    for (const answer of answers) {
      refused(t, answer, 429, 'RATE_LIMITED')
      t.equal(answer.headers['retry-after'], '900')
      t.strictSame(visible(answer), visible(answers[0] as LightMyRequestResponse), path)
    }
  }
})

t.test('a listener that takes its time does not delay the answer to who asks for a mail', async (t) => {
  for (const [path, name] of [['/verify/request', 'verification_requested'], ['/password/forgot', 'password_reset_requested']] as const) {
    const { app, call, happened } = await accounts(t)
    await app.bouncer.users.create({ email, password })
    let release = (): void => {}
    const released = new Promise<void>((resolve) => { release = resolve })
    let sent = false
    app.bouncer.events.on(name, async () => {
      await released
      sent = true
    })
    accepted(t, await call('POST', path, { email }))
    await until(() => happened(name).length === 1)
    t.notOk(sent, path)
    release()
    await until(() => sent)
  }
})

t.test('a listener that fails changes no answer to who asks for a mail, propagated or not', async (t) => {
  for (const propagate of [false, true]) {
    const { app, call, happened } = await accounts(t, { events: { propagate } })
    await app.bouncer.users.create({ email, password })
    app.bouncer.events.on('password_reset_requested', () => { throw new Error(CANARY) })
    accepted(t, await call('POST', '/password/forgot', { email }))
    await until(() => happened('password_reset_requested').length === 1)
  }
})

t.test('POST /password/reset: 204, once, and every session is over', async (t) => {
  const built = await accounts(t)
  const { call } = built
  const { access_token: access, refresh_token: refresh } = await built.signUp({ email })
  await call('POST', '/password/forgot', { email })
  const token = await mailed(built, 'password_reset_requested')
  const weak = await call('POST', '/password/reset', { token, password: 'sh0rt+' })
  refused(t, weak, 400, 'RESET_PASSWORD_INVALID_PASSWORD', 'Password does not meet policy requirements')
  t.strictSame(weak.json().extra.errors, ['Password must be at least 8 characters'])
  t.equal((await call('GET', '/me', undefined, access)).statusCode, 200, 'that left everything as it was')
  const response = await call('POST', '/password/reset', { token, password: another })
  t.strictSame([response.statusCode, response.payload, response.headers['cache-control']], [204, '', 'no-store'])
  refused(t, await call('GET', '/me', undefined, access), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/refresh', { refresh_token: refresh }), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/login', { email, password }), 401, 'INVALID_CREDENTIALS')
  t.equal((await call('POST', '/login', { email, password: another })).statusCode, 200)
  refused(t, await call('POST', '/password/reset', { token, password }), 400, 'RESET_PASSWORD_BAD_TOKEN', 'The password reset token is invalid.')
})

t.test('a store that fails is 503 on each route, and nothing of it comes out', async (t) => {
  const store = watched(memoryStore())
  const { app, call, events } = await accounts(t, { store })
  await app.bouncer.users.create({ email, password })
  events.length = 0
  for (const verb of ['ephemeral.increment', 'ephemeral.get', 'users.findByEmail', 'users.insert'] as const) store.failing.add(verb)
  for (const [path, body] of [['/register', { email, password }], ['/verify', { token: 'A'.repeat(43) }], ['/verify/request', { email }], ['/password/forgot', { email }], ['/password/reset', { token: 'A'.repeat(43), password }]] as const) {
    const response = await call('POST', path, body)
    refused(t, response, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
    t.equal(response.headers['retry-after'], '5')
    t.notMatch(response.payload, CANARY)
  }
  t.strictSame(events, [])
})

t.test('groups of routes that are left out are not there', async (t) => {
  const { call } = await accounts(t, { store: sqliteStore(':memory:') }, { registration: false, verification: false, recovery: false })
  for (const path of ['/register', '/verify', '/verify/request', '/password/forgot', '/password/reset']) t.equal((await call('POST', path, {})).statusCode, 404, path)
  t.equal((await call('POST', '/login', { email, password })).statusCode, 401)
})
