import t from 'tap'
import { AuthUnavailableError, PasswordPolicyError, RateLimitError, UserAlreadyExistsError, memoryStore, type PasswordRule, type Registration } from '../../../index.js'
import { accounts, password, until } from '../../accounts.js'
import { logged } from '../../log-lines.js'
import { rejection } from '../../rejection.js'
import { stores, watched } from '../../watched-store.js'

const email = 'ada@example.com'
const twenty = [...Array(20).keys()]

t.test('makes an active user without roles who has yet to verify the address', async (t) => {
  const store = memoryStore()
  const { app, events, happened } = await accounts(t, { store })
  const user = await app.bouncer.register({ email, password, username: 'Ada' })
  t.match(user, { email, username: 'ada', roles: [], is_active: true, is_verified: false })
  t.strictSame(Object.keys(user ?? {}), ['id', 'email', 'username', 'roles', 'is_active', 'is_verified'])
  t.strictSame(events.map(({ name }) => name), ['user_created', 'verification_requested'])
  t.strictSame(happened('user_created'), [{ user }])
  const stored = await store.users.findByEmail(email)
  t.match(stored?.passwordHash, /^\$argon2id\$/)
  t.notOk(JSON.stringify([user, events]).includes('argon2'), 'nobody is shown the hash')
  t.notOk(JSON.stringify(events).includes(happened('verification_requested')[0]?.token as string), 'nor the token, unless asked for it')
  await t.resolves(app.bouncer.login({ email, password }))
})

t.test('attack: mass assignment, by a call', async (t) => {
  const { app } = await accounts(t)
  const user = await app.bouncer.register({ email, password, id: 'chosen', roles: ['admin'], is_active: false, is_verified: true, passwordHash: 'x' } as Registration)
  t.match(user, { email, roles: [], is_active: true, is_verified: false })
  t.not(user?.id, 'chosen')
})

t.test('an address is one, in any spelling', async (t) => {
  const { app } = await accounts(t, { attempts: false })
  t.match(await app.bouncer.register({ email: '  Zoë@Example.COM ', password }), { email: 'zoë@example.com' })
  for (const spelling of ['zoë@example.com', 'ZOË@EXAMPLE.COM', 'zoe\u0308@example.com', '\tZoë@example.com\n']) {
    const error = await rejection<UserAlreadyExistsError>(app.bouncer.register({ email: spelling, password }))
    t.type(error, UserAlreadyExistsError)
    t.strictSame([error.identifierType, error.identifierValue, error.identifier], ['email', 'zoë@example.com', { type: 'email', value: 'zoë@example.com' }])
    t.notMatch(error.message, 'zoë', 'a message does not repeat it')
  }
})

t.test('a user name is one, in any spelling, and most users have none', async (t) => {
  const { app } = await accounts(t)
  await app.bouncer.register({ email, password, username: 'Kim' })
  for (const [index, username] of ['kim', 'KIM', '\u212Aim', 'Kim'].entries()) {
    const error = await rejection<UserAlreadyExistsError>(app.bouncer.register({ email: `kim${index}@example.com`, password, username }))
    t.type(error, UserAlreadyExistsError)
    t.strictSame([error.identifierType, error.identifierValue], ['username', 'kim'])
  }
  t.match(await app.bouncer.register({ email: 'a@example.com', password }), { username: null })
  t.match(await app.bouncer.register({ email: 'b@example.com', password, username: null }), { username: null })
})

for (const [name, store] of Object.entries(stores)) {
  t.test(`race: 20 registrations of one address, on ${name}`, async (t) => {
    const { app, happened } = await accounts(t, { attempts: false, store: store() })
    const spelling = (index: number): string => index % 2 ? email : ` ${email.toUpperCase()} `
    const answers = await Promise.allSettled(twenty.map(async (index) => await app.bouncer.register({ email: spelling(index), password, username: `ada${index}` })))
    t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
    t.equal(answers.filter((answer) => answer.status === 'rejected' && answer.reason instanceof UserAlreadyExistsError && answer.reason.identifierType === 'email').length, 19)
    t.equal((await app.bouncer.users.list()).items.length, 1)
    t.equal(happened('user_created').length, 1)
    t.equal(happened('verification_requested').length, 1)
  })

  t.test(`race: 20 registrations of one user name, on ${name}`, async (t) => {
    const { app } = await accounts(t, { attempts: false, store: store() })
    const answers = await Promise.allSettled(twenty.map(async (index) => await app.bouncer.register({ email: `ada${index}@example.com`, password, username: 'ada' })))
    t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
    t.equal(answers.filter((answer) => answer.status === 'rejected' && answer.reason instanceof UserAlreadyExistsError && answer.reason.identifierType === 'username').length, 19)
    t.equal((await app.bouncer.users.list()).items.length, 1)
  })
}

t.test('a password is checked against all rules, with the address and the name, before anything is stored', async (t) => {
  const asked: unknown[] = []
  const rule: PasswordRule = (...given) => {
    asked.push(given)
    return 'Password must not be mine'
  }
  const { app, events } = await accounts(t, { passwords: { uppercase: true, digit: true, rules: [rule] } })
  const error = await rejection<PasswordPolicyError>(app.bouncer.register({ email: 'Ada@Example.com', username: 'Lovelace', password: 'lovela' }))
  t.type(error, PasswordPolicyError)
  t.strictSame(error.errors, [
    'Password must be at least 8 characters',
    'Password must contain at least one uppercase letter',
    'Password must contain at least one digit',
    'Password must not be too similar to your user name',
    'Password must not be mine'
  ])
  t.strictSame([error.code, error.statusCode, error.userId], ['REGISTER_INVALID_PASSWORD', 400, undefined])
  t.strictSame(asked, [['lovela', { email: 'ada@example.com', username: 'lovelace' }]])
  t.strictSame(events, [])
  t.equal(await app.bouncer.users.find({ email }), undefined)
})

t.test('what is no address, and no user name, is a TypeError', async (t) => {
  const { app, events } = await accounts(t, { attempts: false })
  for (const value of ['', 'ada', 'a@b@c']) await t.rejects(app.bouncer.register({ email: value, password }), { name: 'TypeError', message: /email/ })
  for (const value of ['', 'a b', 'ada@example.com']) await t.rejects(app.bouncer.register({ email, password, username: value }), { name: 'TypeError', message: /username/ })
  t.strictSame(events, [])
})

t.test('an address can be tried so often, whether it is taken or not, and in whatever spelling', async (t) => {
  const { app, happened } = await accounts(t)
  await app.bouncer.users.create({ email: 'taken@example.com', password })
  for (const address of ['taken@example.com', 'free@example.com']) {
    for (let count = 0; count < 5; count++) await t.rejects(app.bouncer.register({ email: address, password: 'short' }), PasswordPolicyError)
    const error = await rejection<RateLimitError>(app.bouncer.register({ email: ` ${address.toUpperCase()}`, password }))
    t.type(error, RateLimitError)
    t.strictSame([error.identifier, error.retryAfter], [address, 3600])
  }
  t.equal(happened('rate_limit_exceeded').length, 2)
  t.match(happened('rate_limit_exceeded')[0], { operation: 'register', identifier: 'taken@example.com', retryAfter: 3600 })
  t.equal(await app.bouncer.users.find({ email: 'free@example.com' }), undefined)
})

t.test('attack: many addresses from one place', async (t) => {
  const { app } = await accounts(t, { attempts: { register: { address: { max: 3, window: 60, lockout: 60 } } } })
  const from = async (address: string, index: number): Promise<unknown> => await app.bouncer.register({ email: `user${index}@example.com`, password }, { address })
  for (let index = 0; index < 3; index++) await t.resolves(from(`2001:db8::${index}`, index), 'of IPv6, 64 bits are one place')
  await t.rejects(from('2001:db8::ffff', 4), RateLimitError)
  await t.resolves(from('2001:db8:0:1::1', 5))
  await t.resolves(from('192.0.2.1', 6))
})

t.test('the work is the same for a free address and for one that is taken, until the user is stored', async (t) => {
  for (const concealExistingUsers of [false, true]) {
    for (const address of [email, 'free@example.com']) {
      const store = watched(memoryStore())
      const { app } = await accounts(t, { store, concealExistingUsers, requireVerified: concealExistingUsers })
      await app.bouncer.users.create({ email, password })
      store.calls.length = 0
      await app.bouncer.register({ email: address, password }).catch(() => {})
      t.strictSame(store.calls.slice(0, 2), ['ephemeral.increment', 'users.insert'], 'nobody looks before the password was hashed')
    }
  }
})

t.test('a store that fails refuses, and nothing was announced', async (t) => {
  for (const concealExistingUsers of [false, true]) {
    const store = watched(memoryStore())
    const { app, events } = await accounts(t, { store, concealExistingUsers, requireVerified: concealExistingUsers })
    store.failing.add('users.insert')
    await t.rejects(app.bouncer.register({ email, password }), AuthUnavailableError)
    store.failing.clear()
    t.strictSame(events, [])
    await t.resolves(app.bouncer.register({ email, password }), 'until it works again')
  }
})

t.test('concealed: taken or free, the answer is nothing', async (t) => {
  const { app, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true })
  const { id } = await app.bouncer.users.create({ email, password })
  t.equal(await app.bouncer.register({ email: 'Ada@example.com', password }, { address: '192.0.2.1', userAgent: 'curl' }), undefined)
  t.equal(await app.bouncer.register({ email: 'free@example.com', password }), undefined)
  await until(() => happened('verification_requested').length > 0)
  await until(() => happened('user_registered_again').length > 0)
  t.match(happened('user_registered_again'), [{ user: { id, email }, origin: { address: '192.0.2.1', userAgent: 'curl' } }])
  t.match(await app.bouncer.users.get(id), { username: null }, 'and the user who is there stays as she is')
  t.match(await app.bouncer.users.find({ email: 'free@example.com' }), { is_verified: false })
  await app.close()
  t.equal(happened('user_registered_again').length, 1)
  t.equal(happened('verification_requested').length, 1, 'only the new one is to be verified')
  t.strictSame(happened('user_created').map(({ user }) => user.email), [email, 'free@example.com'])
})

t.test('concealed: the password is told about in either case', async (t) => {
  const { app, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true })
  await app.bouncer.users.create({ email, password })
  for (const address of [email, 'free@example.com']) {
    const error = await rejection<PasswordPolicyError>(app.bouncer.register({ email: address, password: '1234' }))
    t.strictSame([error.code, error.errors], ['REGISTER_INVALID_PASSWORD', ['Password must be at least 8 characters', 'Password must not be entirely numeric', 'Password must not be a commonly used password']])
  }
  await app.close()
  t.equal(happened('user_registered_again').length, 0)
})

t.test('concealed: nothing that is told afterwards delays the answer', async (t) => {
  const { app, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true })
  await app.bouncer.users.create({ email, password })
  const steps: string[] = []
  let release = (): void => {}
  const released = new Promise<void>((resolve) => { release = resolve })
  for (const name of ['user_registered_again', 'user_created', 'verification_requested'] as const) {
    app.bouncer.events.on(name, async () => {
      await released
      steps.push(name)
    })
  }
  for (const [address, name] of [[email, 'user_registered_again'], ['free@example.com', 'user_created']] as const) {
    const before = happened(name).length
    await app.bouncer.register({ email: address, password })
    t.equal(happened(name).length, before, 'not even its first step comes before the answer')
    steps.push('answered')
  }
  await until(() => happened('user_registered_again').length > 0 && happened('user_created').length > 1)
  t.strictSame(steps, ['answered', 'answered'])
  const closed = app.close().then(() => { steps.push('closed') })
  release()
  await closed
  t.strictSame(steps.toSorted(), ['answered', 'answered', 'closed', 'user_created', 'user_registered_again', 'verification_requested'])
  t.equal(steps.at(-1), 'closed', 'and the application closes when all is done')
})

t.test('concealed: what fails afterwards is logged, and changes nothing', async (t) => {
  const { lines, serverOptions } = logged('error')
  const store = watched(memoryStore())
  const { app, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true, store }, {}, serverOptions)
  await app.bouncer.users.create({ email, password })
  store.failing.add('users.findByEmail').add('ephemeral.set')
  t.equal(await app.bouncer.register({ email, password }), undefined)
  t.equal(await app.bouncer.register({ email: 'free@example.com', password }), undefined)
  await until(() => lines.length === 2)
  t.match(lines, [{ msg: /after an answer failed/, err: { type: 'AuthUnavailableError' } }, { msg: /after an answer failed/ }])
  t.notOk(JSON.stringify(lines).includes(password))
  t.equal(happened('user_registered_again').length, 0)
  t.match(await app.bouncer.users.list(), { items: [{ email }, { email: 'free@example.com' }] })
})

t.test('concealed: the owner of an address who is deleted meanwhile is told nothing', async (t) => {
  const store = watched(memoryStore())
  const { app, happened } = await accounts(t, { concealExistingUsers: true, requireVerified: true, store })
  const { id } = await app.bouncer.users.create({ email, password })
  const held = store.hold('users.findByEmail')
  await app.bouncer.register({ email, password })
  await held.reached
  await app.bouncer.users.delete(id)
  held.release()
  await app.close()
  t.equal(happened('user_registered_again').length, 0)
})

t.test('concealed: nobody registers with a user name, which would be taken afterwards, or free', async (t) => {
  const { app, events } = await accounts(t, { concealExistingUsers: true, requireVerified: true })
  await t.rejects(app.bouncer.register({ email, password, username: 'ada' }), { name: 'TypeError', message: /choose one later/ })
  t.strictSame(events, [])
  t.equal(await app.bouncer.register({ email, password, username: null }), undefined)
})
