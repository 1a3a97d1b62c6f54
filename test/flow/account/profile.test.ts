import t from 'tap'
import { AuthUnavailableError, InvalidHashError, InvalidPasswordError, PasswordPolicyError, RateLimitError, UserAlreadyExistsError, UserNotFoundError, memoryStore, type UserStore } from '../../../index.js'
import { accounts, clock, mailed, password, tokensOf } from '../../accounts.js'
import { rejection } from '../../rejection.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const another = 'another good password'
const ten = [...Array(10).keys()]

t.test('a user name is changed, and taken away, without the password', async (t) => {
  const { app, signUp, happened, events } = await accounts(t)
  const { id, access_token: access } = await signUp({ email })
  events.length = 0
  t.match(await app.bouncer.profile.update(id, { username: 'Lovelace' }), { id, email, username: 'lovelace', is_verified: true })
  t.match(await app.bouncer.profile.update(id, { username: null }), { username: null })
  t.match(await app.bouncer.profile.update(id, { email: ' ADA@example.com', username: 'ada' }), { email, username: 'ada', is_verified: true }, 'another spelling is no other address')
  t.strictSame(happened('user_updated').map(({ fields }) => fields), [['username'], ['username'], ['username']])
  t.match(await app.bouncer.profile.update(id, { email: 'Ada@Example.com' }), { email })
  t.equal(events.length, 3, 'and where nothing changes, nothing is told')
  await t.resolves(app.bouncer.authenticate(access), 'sessions go on')
})

t.test('attack: mass assignment, by a call', async (t) => {
  const { app, signUp, happened } = await accounts(t)
  const { id } = await signUp({ email })
  const before = await app.bouncer.users.get(id)
  t.strictSame(await app.bouncer.profile.update(id, { username: 'ada', id: 'other', roles: ['admin'], is_active: false, is_verified: false, password: another, passwordHash: 'x' } as never), { ...before, username: 'ada' })
  t.match(happened('user_updated'), [{ fields: ['username'] }])
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('another address asks for the current password, has to be verified, and gets the mail', async (t) => {
  const built = await accounts(t)
  const { app, happened, events } = built
  const { id, access_token: access } = await built.signUp({ email })
  for (const given of [{}, { current_password: 'wrong password' }, { current_password: '' }]) {
    const error = await rejection<InvalidPasswordError>(app.bouncer.profile.update(id, { email: 'new@example.com', username: 'new', ...given }))
    t.type(error, InvalidPasswordError)
    t.notOk(error instanceof PasswordPolicyError)
    t.strictSame([error.code, error.userId, error.errors], ['INVALID_PASSWORD', id, given.current_password === undefined ? ['The current password is needed to change the e-mail address'] : undefined])
  }
  t.match(await app.bouncer.users.get(id), { email, username: null, is_verified: true })
  t.match(happened('user_updated'), [])
  events.length = 0
  t.match(await app.bouncer.profile.update(id, { email: 'New@example.com', current_password: password }), { email: 'new@example.com', is_verified: false })
  t.strictSame(events.map(({ name }) => name), ['user_updated', 'verification_requested'])
  t.match(happened('verification_requested'), [{ user: { id, email: 'new@example.com' } }])
  t.match(happened('user_updated'), [{ fields: ['email'], previousEmail: email }], 'a listener can warn the old address')
  t.match(await app.bouncer.verification.verify(await mailed(built, 'verification_requested')), { email: 'new@example.com', is_verified: true })
  await t.resolves(app.bouncer.authenticate(access))
  await t.rejects(app.bouncer.login({ email, password }), { code: 'INVALID_CREDENTIALS' })
  await t.resolves(app.bouncer.login({ email: 'new@example.com', password }))
})

t.test('an address or a name that is taken', async (t) => {
  const { app, signUp } = await accounts(t)
  await signUp({ email: 'eve@example.com', username: 'eve' })
  const { id } = await signUp({ email })
  const address = await rejection<UserAlreadyExistsError>(app.bouncer.profile.update(id, { email: 'EVE@example.com', current_password: password }))
  t.type(address, UserAlreadyExistsError)
  t.strictSame([address.identifierType, address.identifierValue], ['email', 'eve@example.com'])
  const name = await rejection<UserAlreadyExistsError>(app.bouncer.profile.update(id, { username: 'EVE' }))
  t.strictSame([name.identifierType, name.identifierValue], ['username', 'eve'])
  t.match(await app.bouncer.users.get(id), { email, username: null, is_verified: true })
  t.match(await rejection(app.bouncer.profile.update(id, { email: 'eve@example.com', current_password: 'wrong password' })), { code: 'INVALID_PASSWORD' }, 'without the password nobody learns that it is')
})

t.test('what is no address, and no user name, is a TypeError', async (t) => {
  const { app, signUp } = await accounts(t)
  const { id } = await signUp()
  await t.rejects(app.bouncer.profile.update(id, { email: 'ada', current_password: password }), { name: 'TypeError', message: /email/ })
  await t.rejects(app.bouncer.profile.update(id, { username: 'a b' }), { name: 'TypeError', message: /username/ })
})

t.test('a password is changed by whoever knows the current one, and all sessions end', async (t) => {
  const { app, signUp, events, happened } = await accounts(t)
  const { id, access_token: access, refresh_token: refresh } = await signUp({ email })
  const second = await tokensOf(app.bouncer.login({ email, password }))
  events.length = 0
  t.equal(await app.bouncer.profile.changePassword(id, { current_password: password, new_password: another }), undefined)
  t.strictSame(events.map(({ name }) => name), ['user_logout', 'password_changed'])
  t.match(happened('user_logout'), [{ userId: id, sessionIds: { length: 2 }, reason: 'password_changed' }])
  for (const one of [access, second.access_token]) await t.rejects(app.bouncer.authenticate(one), { code: 'TOKEN_REVOKED' })
  await t.rejects(app.bouncer.refresh(refresh), { code: 'TOKEN_REVOKED' })
  await t.rejects(app.bouncer.login({ email, password }), { code: 'INVALID_CREDENTIALS' })
  await t.resolves(app.bouncer.login({ email, password: another }))
  t.equal(app.bouncer.passwords.change, app.bouncer.profile.changePassword, 'it has two names')
})

t.test('a password that is not the current one, and a new one that is not acceptable', async (t) => {
  const { app, signUp, happened } = await accounts(t, { attempts: false })
  const { id, access_token: access } = await signUp({ email, username: 'lovelace' })
  for (const wrong of ['wrong password', '', 'x'.repeat(1000), password.toUpperCase()]) {
    const error = await rejection<InvalidPasswordError>(app.bouncer.profile.changePassword(id, { current_password: wrong, new_password: 'short' }))
    t.type(error, InvalidPasswordError)
    t.notOk(error instanceof PasswordPolicyError, 'the new one is not looked at')
    t.strictSame([error.code, error.userId, error.errors], ['UPDATE_USER_INVALID_PASSWORD', id, undefined])
    t.notMatch(JSON.stringify([error.message, error]), wrong === '' ? '""' : wrong)
  }
  const error = await rejection<PasswordPolicyError>(app.bouncer.profile.changePassword(id, { current_password: password, new_password: 'lovela1' }))
  t.type(error, PasswordPolicyError)
  t.strictSame([error.code, error.userId, error.errors], ['UPDATE_USER_INVALID_PASSWORD', id, ['Password must be at least 8 characters', 'Password must not be too similar to your user name']])
  t.strictSame(happened('password_changed'), [])
  await t.resolves(app.bouncer.authenticate(access))
})

t.test('attack: guessing the current password with a stolen access token', async (t) => {
  const pass = clock(t)
  const { app, signUp, happened } = await accounts(t, { jwt: { secret: 'a secret of at least thirty-two bytes', accessTokenTtl: 3600 } })
  const { id } = await signUp({ email })
  const { id: other } = await signUp()
  const change = async (current: string): Promise<void> => await app.bouncer.profile.changePassword(id, { current_password: current, new_password: another })
  const move = async (current: string): Promise<unknown> => await app.bouncer.profile.update(id, { email: 'thief@example.com', current_password: current })
  // By either way: they are counted together.
  for (const guess of [change, move, change, move, change]) await t.rejects(guess('wrong password'), InvalidPasswordError)
  for (const guess of [change, move]) {
    const error = await rejection<RateLimitError>(guess(password))
    t.type(error, RateLimitError, 'the right one does not help')
    t.strictSame([error.retryAfter, error.identifier], [600, id])
  }
  t.match(happened('rate_limit_exceeded'), [{ operation: 'password_change', identifier: id }, { operation: 'password_change' }])
  await t.resolves(app.bouncer.profile.update(id, { username: 'ada' }), 'what asks for no password is not limited')
  await t.resolves(app.bouncer.profile.changePassword(other, { current_password: password, new_password: another }), 'nor is anybody else')
  pass(600)
  await t.resolves(change(password))
})

t.test('guesses are limited per address too, and what is right does not count', async (t) => {
  const { app, signUp } = await accounts(t, { attempts: { password_change: { account: { max: 2, window: 60, lockout: 60 }, address: { max: 3, window: 60, lockout: 60 } } } })
  const origin = { address: '192.0.2.1' }
  const { id } = await signUp()
  for (let count = 0; count < 5; count++) {
    await t.resolves(app.bouncer.profile.changePassword(id, { current_password: count % 2 ? another : password, new_password: count % 2 ? password : another }, origin))
  }
  for (let count = 0; count < 3; count++) {
    const { id: one } = await signUp()
    await t.rejects(app.bouncer.profile.changePassword(one, { current_password: 'wrong password', new_password: another }, origin), InvalidPasswordError)
  }
  const { id: last } = await signUp()
  await t.rejects(app.bouncer.profile.changePassword(last, { current_password: password, new_password: another }, origin), { code: 'RATE_LIMITED', identifier: '192.0.2.1' })
})

t.test('a user without a password has none to confirm with', async (t) => {
  const { app } = await accounts(t)
  const { id } = await app.bouncer.users.create({ email })
  for (const guess of ['', 'null', 'undefined', password]) {
    await t.rejects(app.bouncer.profile.changePassword(id, { current_password: guess, new_password: another }), { code: 'UPDATE_USER_INVALID_PASSWORD' })
  }
  await t.rejects(app.bouncer.profile.update(id, { email: 'new@example.com', current_password: '' }), { code: 'INVALID_PASSWORD' })
  t.match(await app.bouncer.users.get(id), { email })
})

t.test('a stored hash of no known kind is no wrong password', async (t) => {
  const store = memoryStore()
  const { app, signUp } = await accounts(t, { store })
  const { id } = await signUp({ email })
  await store.users.update(id, { passwordHash: 'md5$5f4dcc3b5aa765d61d8327deb882cf99' })
  await t.rejects(app.bouncer.profile.changePassword(id, { current_password: password, new_password: another }), InvalidHashError)
  await t.rejects(app.bouncer.profile.update(id, { email: 'new@example.com', current_password: password }), InvalidHashError)
})

t.test('of nobody', async (t) => {
  const { app } = await accounts(t)
  await t.rejects(app.bouncer.profile.update('nobody', { username: 'x' }), { name: 'UserNotFoundError', userId: 'nobody' })
  await t.rejects(app.bouncer.profile.changePassword('nobody', { current_password: password, new_password: another }), UserNotFoundError)
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`race: ten changes of one password, on ${name}`, async (t) => {
    const { app, signUp, happened } = await accounts(t, { attempts: false, store: store() })
    const { id } = await signUp({ email })
    const answers = await Promise.allSettled(ten.map(async (index) => await app.bouncer.profile.changePassword(id, { current_password: password, new_password: `another password ${index}` })))
    const winners = ten.filter((index) => answers[index]?.status === 'fulfilled')
    t.equal(winners.length, 1)
    t.equal(answers.filter((answer) => answer.status === 'rejected' && answer.reason.code === 'UPDATE_USER_INVALID_PASSWORD' && answer.reason.errors === undefined).length, 9)
    await t.resolves(app.bouncer.login({ email, password: `another password ${winners[0]}` }))
    t.equal(happened('password_changed').length, 1)
  })
}

t.test('race: the password is changed between its confirmation and the new address', async (t) => {
  const store = watched(memoryStore())
  const { app, signUp, happened } = await accounts(t, { store })
  const { id } = await signUp({ email })
  const held = store.hold('users.update')
  const moved = app.bouncer.profile.update(id, { email: 'thief@example.com', current_password: password })
  await held.reached
  await app.bouncer.users.setPassword(id, another)
  held.release()
  t.match(await rejection(moved), { code: 'INVALID_PASSWORD', userId: id })
  t.match(await app.bouncer.users.get(id), { email })
  t.strictSame(happened('verification_requested'), [])
})

t.test('race: the user is deleted between the look and the change', async (t) => {
  for (const change of ['update', 'changePassword'] as const) {
    const store = watched(memoryStore())
    const { app, signUp } = await accounts(t, { store })
    const { id } = await signUp({ email })
    const held = store.hold('users.update')
    const changed = change === 'update' ? app.bouncer.profile.update(id, { username: 'ada' }) : app.bouncer.profile.changePassword(id, { current_password: password, new_password: another })
    await held.reached
    await app.bouncer.users.delete(id)
    held.release()
    t.match(await rejection(changed), { name: 'UserNotFoundError', userId: id })
  }
})

t.test('a store of the application that refuses for a condition nobody made is out of order', async (t) => {
  const { users } = memoryStore()
  const own: UserStore = { ...users, update: async () => 'changed' }
  const { app, happened } = await accounts(t, { store: memoryStore({ users: own }) })
  const { id } = await app.bouncer.users.create({ email })
  const error = await rejection<AuthUnavailableError>(app.bouncer.profile.update(id, { username: 'ada' }))
  t.type(error, AuthUnavailableError)
  t.equal(error.dependency, 'users')
  t.strictSame(happened('user_updated'), [])
})

t.test('a store that fails refuses, and nothing was announced', async (t) => {
  const store = watched(memoryStore())
  const { app, signUp, events } = await accounts(t, { store })
  const { id } = await signUp({ email })
  events.length = 0
  for (const verb of ['users.findById', 'ephemeral.increment', 'users.update'] as const) {
    store.failing.add(verb)
    await t.rejects(app.bouncer.profile.changePassword(id, { current_password: password, new_password: another }), AuthUnavailableError, verb)
    await t.rejects(app.bouncer.profile.update(id, { email: 'new@example.com', current_password: password }), AuthUnavailableError, verb)
    store.failing.clear()
  }
  t.strictSame(events, [])
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('attack: mails to strangers, by changing one\'s own address', async (t) => {
  const { app, signUp, happened } = await accounts(t)
  const { id } = await signUp({ email })
  const move = async (to: string): Promise<unknown> => await app.bouncer.profile.update(id, { email: to, current_password: password })
  for (let round = 0; round < 3; round++) {
    await move('victim@example.com')
    await move(`mine${round}@example.com`)
  }
  await t.rejects(move('victim@example.com'), RateLimitError)
  t.equal(happened('verification_requested').filter(({ user }) => user.email === 'victim@example.com').length, 3)
})

t.test('attack: looking for addresses that are taken, by changing one\'s own', async (t) => {
  const { app, signUp } = await accounts(t)
  for (const index of ten) await app.bouncer.users.create({ email: `taken${index}@example.com` })
  const { id } = await signUp({ email })
  const outcomes = []
  for (const index of ten) outcomes.push((await rejection(app.bouncer.profile.update(id, { email: `taken${index}@example.com`, current_password: password }))).name)
  t.strictSame(outcomes, [...Array(5).fill('UserAlreadyExistsError'), ...Array(5).fill('RateLimitError')])
})

t.test('race: a change that names the address of before does not undo a new one', async (t) => {
  const store = watched(memoryStore())
  const { app, signUp } = await accounts(t, { store })
  const { id } = await signUp({ email })
  const held = store.hold('users.update')
  const late = app.bouncer.profile.update(id, { email, username: 'ada' })
  await held.reached
  await app.bouncer.profile.update(id, { email: 'new@example.com', current_password: password })
  held.release()
  await late
  t.match(await app.bouncer.users.get(id), { email: 'new@example.com', username: 'ada', is_verified: false })
})
