import t from 'tap'
import { AuthUnavailableError, InvalidResetTokenError, PasswordPolicyError, RateLimitError, memoryStore } from '../../../index.js'
import { accounts, clock, mailed, password, tokensOf, until } from '../../accounts.js'
import { logged } from '../../log-lines.js'
import { rejection } from '../../rejection.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const another = 'another good password'
const ten = [...Array(10).keys()]

t.test('a token that was mailed sets a new password, once, and ends all sessions', async (t) => {
  const built = await accounts(t)
  const { app, events, happened } = built
  const { id, access_token: access, refresh_token: refresh } = await built.signUp({ email })
  const second = await tokensOf(app.bouncer.login({ email, password }))
  await app.bouncer.passwords.requestReset(' Ada@EXAMPLE.com ')
  const token = await mailed(built, 'password_reset_requested')
  t.match(happened('password_reset_requested'), [{ user: { id, email } }])
  t.notOk(JSON.stringify(events).includes(token))
  events.length = 0
  t.equal(await app.bouncer.passwords.reset(token, another), undefined)
  t.strictSame(events.map(({ name }) => name), ['user_logout', 'password_reset_completed'])
  t.match(happened('user_logout'), [{ userId: id, sessionIds: { length: 2 }, reason: 'password_changed' }])
  t.match(happened('password_reset_completed'), [{ user: { id, email } }])
  for (const one of [access, second.access_token]) await t.rejects(app.bouncer.authenticate(one), { code: 'TOKEN_REVOKED' })
  for (const one of [refresh, second.refresh_token]) await t.rejects(app.bouncer.refresh(one), { code: 'TOKEN_REVOKED' })
  await t.rejects(app.bouncer.login({ email, password }), { code: 'INVALID_CREDENTIALS' })
  await t.resolves(app.bouncer.login({ email, password: another }))
  const error = await rejection<InvalidResetTokenError>(app.bouncer.passwords.reset(token, 'a third good password'))
  t.type(error, InvalidResetTokenError)
  t.strictSame([error.code, error.statusCode, error.reason], ['RESET_PASSWORD_BAD_TOKEN', 400, 'unknown, used or expired'])
  await t.resolves(app.bouncer.login({ email, password: another }))
})

t.test('a user without a password gets one', async (t) => {
  const built = await accounts(t)
  await built.app.bouncer.users.create({ email })
  await t.rejects(built.app.bouncer.login({ email, password: '' }), { code: 'INVALID_CREDENTIALS' })
  await built.app.bouncer.passwords.requestReset(email)
  await built.app.bouncer.passwords.reset(await mailed(built, 'password_reset_requested'), another)
  await t.resolves(built.app.bouncer.login({ email, password: another }))
})

t.test('a token works until it expires, an hour by default', async (t) => {
  const pass = clock(t)
  for (const [options, lifetime] of [[{}, 3600], [{ passwordReset: { tokenTtl: 60 } }, 60]] as const) {
    const built = await accounts(t, options)
    const { app, happened } = built
    await app.bouncer.users.create({ email, password })
    await app.bouncer.passwords.requestReset(email)
    await app.bouncer.passwords.requestReset(email)
    const late = await mailed(built, 'password_reset_requested', 2)
    t.equal(Number(happened('password_reset_requested')[0]?.expiresAt), Date.now() + lifetime * 1000)
    pass(lifetime)
    await t.rejects(app.bouncer.passwords.reset(late, another), InvalidResetTokenError)
    await t.resolves(app.bouncer.login({ email, password }))
  }
})

t.test('a password that is not acceptable leaves the token, and everything else, as it is', async (t) => {
  const built = await accounts(t)
  const { app, events } = built
  const { id, access_token: access } = await built.signUp({ email, username: 'lovelace' })
  await app.bouncer.passwords.requestReset(email)
  const token = await mailed(built, 'password_reset_requested')
  events.length = 0
  for (const [bad, sentence] of [
    ['sh0rt+', 'Password must be at least 8 characters'],
    ['x'.repeat(129), 'Password must be at most 128 characters'],
    ['lovelace1', 'Password must not be too similar to your user name'],
    ['ada@example.com', 'Password must not be too similar to your e-mail address']
  ] as const) {
    const error = await rejection<PasswordPolicyError>(app.bouncer.passwords.reset(token, bad))
    t.type(error, PasswordPolicyError)
    t.strictSame([error.code, error.errors, error.userId], ['RESET_PASSWORD_INVALID_PASSWORD', [sentence], id])
  }
  t.strictSame(events, [])
  await t.resolves(app.bouncer.authenticate(access))
  await t.resolves(app.bouncer.passwords.reset(token, another))
})

t.test('attack: passwords tried with a bad token tell nothing of the rules', async (t) => {
  const { app } = await accounts(t)
  for (const value of ['short', another]) {
    t.match(await rejection(app.bouncer.passwords.reset('A'.repeat(43), value)), { code: 'RESET_PASSWORD_BAD_TOKEN', reason: 'unknown, used or expired' })
  }
})

t.test('a token dies with whatever it stood for', async (t) => {
  const built = await accounts(t, { attempts: false })
  const { app, happened } = built
  const ends: Record<string, [reason: string, end: (id: string) => Promise<unknown>]> = {
    'password changed by the user': ['password or address changed since', (id) => app.bouncer.profile.changePassword(id, { current_password: password, new_password: another })],
    'password set by an administrator': ['password or address changed since', (id) => app.bouncer.users.setPassword(id, another)],
    'address changed by the user': ['password or address changed since', (id) => app.bouncer.profile.update(id, { email: `moved-${id}@example.com`, current_password: password })],
    'address changed by an administrator': ['password or address changed since', (id) => app.bouncer.users.update(id, { email: `set-${id}@example.com` })],
    deactivated: ['user deactivated or deleted', (id) => app.bouncer.users.update(id, { is_active: false })],
    deleted: ['user deactivated or deleted', (id) => app.bouncer.users.delete(id)],
    'reset by another token': ['password or address changed since', async () => {
      const { length } = happened('password_reset_requested')
      await app.bouncer.passwords.requestReset(happened('password_reset_requested').at(-1)?.user.email as string)
      await app.bouncer.passwords.reset(await mailed(built, 'password_reset_requested', length + 1), another)
    }]
  }
  for (const [name, [reason, end]] of Object.entries(ends)) {
    const user = await built.signUp()
    const { length } = happened('password_reset_requested')
    await app.bouncer.passwords.requestReset(user.email)
    const token = await mailed(built, 'password_reset_requested', length + 1)
    await end(user.id)
    const error = await rejection<InvalidResetTokenError>(app.bouncer.passwords.reset(token, 'a third good password'))
    t.type(error, InvalidResetTokenError, name)
    t.equal(error.reason, reason)
    await t.rejects(app.bouncer.login({ email: user.email, password: 'a third good password' }), { code: 'INVALID_CREDENTIALS' })
  }
})

t.test('an address that comes back does not bring an old token to life, once the password is another', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const { id } = await built.signUp({ email })
  await app.bouncer.passwords.requestReset(email)
  const token = await mailed(built, 'password_reset_requested')
  await app.bouncer.users.setPassword(id, another)
  await app.bouncer.users.setPassword(id, password)
  await t.rejects(app.bouncer.passwords.reset(token, 'a third good password'), InvalidResetTokenError, 'not even for the same password: its salt is another')
})

t.test('nothing is issued for nobody, and for who is deactivated', async (t) => {
  const store = watched(memoryStore())
  const { app, happened } = await accounts(t, { store })
  await app.bouncer.users.create({ email: 'inactive@example.com', password, is_active: false })
  store.calls.length = 0
  for (const address of ['nobody@example.com', 'inactive@example.com', 'no address']) t.equal(await app.bouncer.passwords.requestReset(address), undefined, address)
  await app.close()
  t.notOk(store.calls.includes('ephemeral.set'))
  t.strictSame(happened('password_reset_requested'), [])
})

t.test('requests are limited alike for everybody, per account and per address', async (t) => {
  const { app, happened } = await accounts(t)
  await app.bouncer.users.create({ email, password })
  for (const address of [email, 'nobody@example.com', 'no address']) {
    for (let count = 0; count < 3; count++) await app.bouncer.passwords.requestReset(address)
    const error = await rejection<RateLimitError>(app.bouncer.passwords.requestReset(address))
    t.type(error, RateLimitError)
    t.strictSame([error.retryAfter, error.identifier], [900, address])
  }
  t.match(happened('rate_limit_exceeded').map(({ operation }) => operation), Array(3).fill('password_reset_request'))
  const origin = { address: '192.0.2.1' }
  for (let count = 0; count < 50; count++) await app.bouncer.passwords.requestReset(`user${count}@example.com`, origin)
  await t.rejects(app.bouncer.passwords.requestReset('user51@example.com', origin), { code: 'RATE_LIMITED', identifier: '192.0.2.1' })
  await app.close()
  t.equal(happened('password_reset_requested').length, 3)
})

t.test('attack: guessing tokens', async (t) => {
  const built = await accounts(t, { attempts: { password_reset: { address: { max: 3, window: 60, lockout: 60 } } } })
  const { app } = built
  const origin = { address: '192.0.2.1' }
  await built.signUp({ email })
  await app.bouncer.passwords.requestReset(email)
  const token = await mailed(built, 'password_reset_requested')
  for (const guess of ['', 'A'.repeat(43), `${token}A`]) await t.rejects(app.bouncer.passwords.reset(guess, another, origin), InvalidResetTokenError)
  await t.rejects(app.bouncer.passwords.reset(token, another, origin), RateLimitError, 'even a right one')
  await t.resolves(app.bouncer.passwords.reset(token, another, { address: '192.0.2.2' }), 'from elsewhere it works: it was not used up')
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`race: ten uses of one token, on ${name}`, async (t) => {
    const built = await accounts(t, { store: store() })
    const { app, happened } = built
    await built.signUp({ email })
    await app.bouncer.passwords.requestReset(email)
    const token = await mailed(built, 'password_reset_requested')
    const answers = await Promise.allSettled(ten.map(async (index) => await app.bouncer.passwords.reset(token, `another password ${index}`)))
    const winners = ten.filter((index) => answers[index]?.status === 'fulfilled')
    t.equal(winners.length, 1)
    t.equal(answers.filter((answer) => answer.status === 'rejected' && answer.reason instanceof InvalidResetTokenError).length, 9)
    await t.resolves(app.bouncer.login({ email, password: `another password ${winners[0]}` }))
    t.equal(happened('password_reset_completed').length, 1)
  })

  t.test(`race: two tokens of one user, on ${name}`, async (t) => {
    const built = await accounts(t, { store: store() })
    const { app, happened } = built
    await built.signUp({ email })
    await app.bouncer.passwords.requestReset(email)
    await app.bouncer.passwords.requestReset(email)
    const tokens = [await mailed(built, 'password_reset_requested', 1), await mailed(built, 'password_reset_requested', 2)]
    const answers = await Promise.allSettled(tokens.map(async (token, index) => await app.bouncer.passwords.reset(token, `another password ${index}`)))
    const winner = answers.findIndex(({ status }) => status === 'fulfilled')
    t.strictSame(answers.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    t.match(answers.find(({ status }) => status === 'rejected'), { reason: { code: 'RESET_PASSWORD_BAD_TOKEN' } })
    await t.resolves(app.bouncer.login({ email, password: `another password ${winner}` }))
    t.equal(happened('password_reset_completed').length, 1)
  })

  t.test(`race: a reset and a change of the password, on ${name}`, async (t) => {
    const watching = watched(store())
    const built = await accounts(t, { store: watching })
    const { app } = built
    const { id } = await built.signUp({ email })
    await app.bouncer.passwords.requestReset(email)
    const token = await mailed(built, 'password_reset_requested')
    const held = watching.hold('users.update')
    const reset = app.bouncer.passwords.reset(token, another)
    await held.reached
    await app.bouncer.profile.changePassword(id, { current_password: password, new_password: 'a third good password' })
    held.release()
    t.match(await rejection(reset), { code: 'RESET_PASSWORD_BAD_TOKEN', reason: 'password or address changed meanwhile' })
    await t.resolves(app.bouncer.login({ email, password: 'a third good password' }))
  })
}

t.test('race: the token is used by somebody else while the new password is hashed', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const { app } = built
  await built.signUp({ email })
  await app.bouncer.passwords.requestReset(email)
  const token = await mailed(built, 'password_reset_requested')
  const held = store.hold('ephemeral.take')
  const slow = app.bouncer.passwords.reset(token, 'a third good password')
  await held.reached
  await app.bouncer.passwords.reset(token, another)
  held.release()
  t.match(await rejection(slow), { code: 'RESET_PASSWORD_BAD_TOKEN', reason: 'used meanwhile' })
  await t.resolves(app.bouncer.login({ email, password: another }))
})

t.test('the mail is sent after the answer, however long its listener takes', async (t) => {
  const { app, events } = await accounts(t)
  await app.bouncer.users.create({ email, password })
  let release = (): void => {}
  const released = new Promise<void>((resolve) => { release = resolve })
  let sent = false
  app.bouncer.events.on('password_reset_requested', async () => {
    await released
    sent = true
  })
  const before = events.length
  await app.bouncer.passwords.requestReset(email)
  t.equal(events.length, before, 'not even its first step comes before the answer')
  const closed = app.close()
  release()
  await closed
  t.ok(sent, 'and the application closes when it is sent')
})

t.test('a store that fails refuses, and the token is as it was', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const { app } = built
  await built.signUp({ email })
  store.failing.add('ephemeral.increment')
  await t.rejects(app.bouncer.passwords.requestReset(email), AuthUnavailableError)
  store.failing.clear()
  await app.bouncer.passwords.requestReset(email)
  const token = await mailed(built, 'password_reset_requested')
  for (const verb of ['ephemeral.increment', 'ephemeral.get', 'users.findById', 'ephemeral.take'] as const) {
    store.failing.add(verb)
    await t.rejects(app.bouncer.passwords.reset(token, another, { address: '192.0.2.1' }), AuthUnavailableError, verb)
    store.failing.clear()
  }
  await t.resolves(app.bouncer.login({ email, password }))
  await t.resolves(app.bouncer.passwords.reset(token, another))
})

t.test('whoever resets a password gets in from there, whatever others tried', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const { email } = await built.signUp({ email: 'ada@example.com', username: 'ada' })
  for (let guess = 0; guess < 6; guess++) {
    await tokensOf(app.bouncer.login({ email, password: 'a guess' }, { address: '203.0.113.9' })).catch(() => {})
    await tokensOf(app.bouncer.login({ username: 'ada', password: 'a guess' }, { address: '203.0.113.9' })).catch(() => {})
  }
  const there = { address: '198.51.100.7' }
  await t.rejects(app.bouncer.login({ email, password }, there), { code: 'RATE_LIMITED' })
  await app.bouncer.passwords.requestReset(email, there)
  await app.bouncer.passwords.reset(await mailed(built, 'password_reset_requested'), 'another good password', there)
  await t.resolves(app.bouncer.login({ email, password: 'another good password' }, there))
  await t.resolves(app.bouncer.login({ username: 'ada', password: 'another good password' }, there))
  await t.rejects(app.bouncer.login({ email, password: 'another good password' }, { address: '203.0.113.9' }), { code: 'RATE_LIMITED' })
})

t.test('attack: the time of the answer to a forgotten password: nobody is looked up before it', async (t) => {
  const { lines, serverOptions } = logged('error')
  const store = watched(memoryStore())
  const built = await accounts(t, { store }, {}, serverOptions)
  await built.app.bouncer.users.create({ email })
  for (const address of [email, 'nobody@example.com']) {
    store.calls.length = 0
    await built.app.bouncer.passwords.requestReset(address)
    t.strictSame(store.calls, ['ephemeral.increment'], address)
    await until(() => store.calls.includes('users.findByEmail'))
  }
  await until(() => built.happened('password_reset_requested').length === 1)
  store.failing.add('users.findByEmail')
  await built.app.bouncer.passwords.requestReset(email)
  await until(() => lines.length === 1)
  t.match(lines, [{ msg: /after an answer failed/, err: { type: 'AuthUnavailableError' } }])
})
