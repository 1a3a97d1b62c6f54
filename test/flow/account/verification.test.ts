import t from 'tap'
import { AuthUnavailableError, InvalidVerifyTokenError, RateLimitError, memoryStore } from '../../../index.js'
import { accounts, clock, mailed, password, until } from '../../accounts.js'
import { logged } from '../../log-lines.js'
import { rejection } from '../../rejection.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const ten = [...Array(10).keys()]

t.test('a token that was mailed verifies its address, once', async (t) => {
  const built = await accounts(t)
  const { app, happened } = built
  const { id } = await app.bouncer.users.create({ email, password })
  await app.bouncer.verification.request(' Ada@EXAMPLE.com')
  const token = await mailed(built, 'verification_requested')
  t.match(happened('verification_requested'), [{ user: { id, email, is_verified: false } }])
  t.match(await app.bouncer.users.get(id), { is_verified: false })
  t.match(await app.bouncer.verification.verify(token), { id, email, is_verified: true })
  t.match(await app.bouncer.users.get(id), { is_verified: true })
  t.match(happened('verification_completed'), [{ user: { id, is_verified: true } }])
  const error = await rejection<InvalidVerifyTokenError>(app.bouncer.verification.verify(token))
  t.type(error, InvalidVerifyTokenError)
  t.strictSame([error.code, error.statusCode, error.reason], ['VERIFY_USER_BAD_TOKEN', 400, 'unknown, used or expired'])
  t.equal(happened('verification_completed').length, 1)
})

t.test('whoever verifies is told until when the token works, and it does until then', async (t) => {
  const pass = clock(t)
  const built = await accounts(t, { verification: { tokenTtl: 600 } })
  const { app, happened } = built
  await app.bouncer.register({ email, password })
  await app.bouncer.register({ email: 'eve@example.com', password })
  t.equal(Number(happened('verification_requested')[0]?.expiresAt), Date.now() + 600_000)
  const [first, second] = [await mailed(built, 'verification_requested', 1), await mailed(built, 'verification_requested', 2)]
  pass(599)
  await t.resolves(app.bouncer.verification.verify(first))
  pass(1)
  await t.rejects(app.bouncer.verification.verify(second), InvalidVerifyTokenError)
})

t.test('the lifetime is a day by default', async (t) => {
  const { app, happened } = await accounts(t)
  clock(t)
  await app.bouncer.register({ email, password })
  t.equal(Number(happened('verification_requested')[0]?.expiresAt), Date.now() + 86_400_000)
})

t.test('nothing is issued for nobody, for who is deactivated, and for who has verified already', async (t) => {
  const store = watched(memoryStore())
  const { app, happened } = await accounts(t, { store })
  await app.bouncer.users.create({ email: 'verified@example.com', password, is_verified: true })
  await app.bouncer.users.create({ email: 'inactive@example.com', password, is_active: false })
  store.calls.length = 0
  for (const address of ['nobody@example.com', 'verified@example.com', 'inactive@example.com']) {
    t.equal(await app.bouncer.verification.request(address), undefined, address)
  }
  t.equal(await app.bouncer.verification.request('no address'), undefined)
  await app.close()
  t.notOk(store.calls.includes('ephemeral.set'))
  t.strictSame(happened('verification_requested'), [])
})

t.test('requests are limited alike for everybody', async (t) => {
  const { app, happened } = await accounts(t)
  await app.bouncer.users.create({ email, password })
  for (const address of [email, 'nobody@example.com', 'no address']) {
    for (let count = 0; count < 3; count++) await app.bouncer.verification.request(address)
    const error = await rejection<RateLimitError>(app.bouncer.verification.request(address))
    t.type(error, RateLimitError)
    t.strictSame([error.retryAfter, error.identifier], [900, address])
  }
  await app.close()
  t.equal(happened('verification_requested').length, 3)
})

t.test('attack: guessing tokens', async (t) => {
  const built = await accounts(t, { attempts: { verify: { address: { max: 3, window: 60, lockout: 60 } } } })
  const { app } = built
  const origin = { address: '192.0.2.1' }
  await app.bouncer.register({ email, password })
  const token = await mailed(built, 'verification_requested')
  for (const guess of ['', 'A'.repeat(43), `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`]) {
    await t.rejects(app.bouncer.verification.verify(guess, origin), InvalidVerifyTokenError)
  }
  await t.rejects(app.bouncer.verification.verify(token, origin), RateLimitError, 'even a right one')
  await t.resolves(app.bouncer.verification.verify(token, { address: '192.0.2.2' }), 'from elsewhere it works: it was not used up')
})

t.test('those who verify do not use up what their address may try', async (t) => {
  const built = await accounts(t, { attempts: { verify: { address: { max: 2, window: 60, lockout: 60 } } } })
  const origin = { address: '192.0.2.1' }
  for (let count = 1; count <= 4; count++) {
    await built.app.bouncer.register({ email: `user${count}@example.com`, password })
    await t.resolves(built.app.bouncer.verification.verify(await mailed(built, 'verification_requested', count), origin))
  }
})

t.test('attack: a token in place of another', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const { id, access_token: access, refresh_token: refresh } = await built.signUp({ email: 'eve@example.com' })
  await app.bouncer.users.update(id, { is_verified: false })
  await app.bouncer.passwords.requestReset('eve@example.com')
  const reset = await mailed(built, 'password_reset_requested')
  await app.bouncer.verification.request('eve@example.com')
  const verify = await mailed(built, 'verification_requested')
  for (const token of [reset, access, refresh]) await t.rejects(app.bouncer.verification.verify(token), InvalidVerifyTokenError)
  await t.rejects(app.bouncer.passwords.reset(verify, 'another good password'), { code: 'RESET_PASSWORD_BAD_TOKEN' })
  t.match(await app.bouncer.users.get(id), { is_verified: false })
  await t.resolves(app.bouncer.verification.verify(verify), 'and none of it used the right one up')
  await t.resolves(app.bouncer.passwords.reset(reset, 'another good password'))
})

t.test('attack: a token for an address that the user has left', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const { id } = await app.bouncer.register({ email: 'mallory@example.com', password }) ?? {}
  const old = await mailed(built, 'verification_requested')
  await app.bouncer.profile.update(id as string, { email: 'victim@example.com', current_password: password })
  const error = await rejection<InvalidVerifyTokenError>(app.bouncer.verification.verify(old))
  t.equal(error.reason, 'address changed since')
  t.match(await app.bouncer.users.get(id as string), { email: 'victim@example.com', is_verified: false })
  await app.bouncer.profile.update(id as string, { email: 'mallory@example.com', current_password: password })
  await t.rejects(app.bouncer.verification.verify(old), InvalidVerifyTokenError, 'nor does it come alive again')
})

t.test('race: the address changes between the look at the token and the verification', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const { app, happened } = built
  const { id } = await app.bouncer.register({ email, password }) ?? {}
  const token = await mailed(built, 'verification_requested')
  const held = store.hold('users.update')
  const verified = app.bouncer.verification.verify(token)
  await held.reached
  await app.bouncer.users.update(id as string, { email: 'new@example.com' })
  held.release()
  await t.rejects(verified, InvalidVerifyTokenError)
  t.match(await app.bouncer.users.get(id as string), { email: 'new@example.com', is_verified: false })
  t.strictSame(happened('verification_completed'), [])
})

t.test('a token dies with its user: deactivated, or deleted', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const inactive = await app.bouncer.register({ email: 'inactive@example.com', password })
  const deleted = await app.bouncer.register({ email: 'deleted@example.com', password })
  await app.bouncer.users.update(inactive?.id as string, { is_active: false })
  await app.bouncer.users.delete(deleted?.id as string)
  for (const which of [1, 2]) {
    const error = await rejection<InvalidVerifyTokenError>(app.bouncer.verification.verify(await mailed(built, 'verification_requested', which)))
    t.strictSame([error.code, error.reason], ['VERIFY_USER_BAD_TOKEN', 'user deactivated or deleted'])
  }
  t.match(await app.bouncer.users.get(inactive?.id as string), { is_verified: false })
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`race: ten uses of one token, on ${name}`, async (t) => {
    const built = await accounts(t, { store: store() })
    const { app, happened } = built
    await app.bouncer.register({ email, password })
    const token = await mailed(built, 'verification_requested')
    const answers = await Promise.allSettled(ten.map(async () => await app.bouncer.verification.verify(token)))
    t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
    t.equal(answers.filter((answer) => answer.status === 'rejected' && answer.reason instanceof InvalidVerifyTokenError).length, 9)
    t.equal(happened('verification_completed').length, 1)
  })
}

t.test('the mail is sent after the answer, however long its listener takes', async (t) => {
  const { app, events, happened } = await accounts(t)
  await app.bouncer.users.create({ email, password })
  let release = (): void => {}
  const released = new Promise<void>((resolve) => { release = resolve })
  let sent = false
  app.bouncer.events.on('verification_requested', async () => {
    await released
    sent = true
  })
  const before = events.length
  await app.bouncer.verification.request(email)
  t.equal(events.length, before, 'not even its first step comes before the answer')
  const closed = app.close()
  release()
  await closed
  t.ok(sent, 'and the application closes when it is sent')
  t.equal(happened('verification_requested').length, 1)
})

t.test('a store that fails refuses, and what it failed in is not done', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const { app } = built
  const user = await app.bouncer.register({ email, password })
  const token = await mailed(built, 'verification_requested')
  for (const verb of ['ephemeral.increment', 'ephemeral.get', 'ephemeral.take'] as const) {
    store.failing.add(verb)
    await t.rejects(app.bouncer.verification.verify(token, { address: '192.0.2.1' }), AuthUnavailableError, verb)
    store.failing.clear()
    t.match(await app.bouncer.users.get(user?.id as string), { is_verified: false })
  }
  store.failing.add('ephemeral.increment')
  await t.rejects(app.bouncer.verification.request(email), AuthUnavailableError)
  store.failing.clear()
  await t.resolves(app.bouncer.verification.verify(token))
})

t.test('with requireVerified, who has not verified cannot sign in, and then can', async (t) => {
  const built = await accounts(t, { requireVerified: true })
  const { app, happened } = built
  await app.bouncer.register({ email, password })
  const error = await rejection(app.bouncer.login({ email, password }))
  t.match(error, { code: 'INVALID_CREDENTIALS', message: 'Invalid credentials' })
  t.match(happened('user_login_failed'), [{ reason: 'unverified' }])
  await app.bouncer.verification.verify(await mailed(built, 'verification_requested'))
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('attack: the time of the answer to a request to verify: nobody is looked up before it', async (t) => {
  const { lines, serverOptions } = logged('error')
  const store = watched(memoryStore())
  const built = await accounts(t, { store }, {}, serverOptions)
  await built.app.bouncer.users.create({ email })
  for (const address of [email, 'nobody@example.com']) {
    store.calls.length = 0
    await built.app.bouncer.verification.request(address)
    t.strictSame(store.calls, ['ephemeral.increment'], address)
    await until(() => store.calls.includes('users.findByEmail'))
  }
  await until(() => built.happened('verification_requested').length === 1)
  store.failing.add('users.findByEmail')
  await built.app.bouncer.verification.request(email)
  await until(() => lines.length === 1)
  t.match(lines, [{ msg: /after an answer failed/, err: { type: 'AuthUnavailableError' } }])
})
