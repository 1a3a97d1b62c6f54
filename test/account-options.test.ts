import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import authPlugin, { AuthUnavailableError, ConfigurationError, memoryStore, validateOptions, type AuthPluginOptions, type Store } from '../index.js'
import { accounts, cheapHash, password } from './accounts.js'
import { audience, build, issuer, options, secret, server } from './build.js'
import { newKey, pairOf } from './keys.js'

const withStore = { ...options, store: memoryStore() }

/** Checks that register() and validateOptions() both refuse, with one error that names the option and the remedy. */
async function refuses (t: Test, given: object, option: string, remedy: RegExp): Promise<void> {
  const thrown: unknown[] = []
  try { validateOptions(given as AuthPluginOptions) } catch (error) { thrown.push(error) }
  await server(t).register(authPlugin, given as AuthPluginOptions).then(() => {}, (error: unknown) => { thrown.push(error) })
  t.equal(thrown.length, 2, `${option} is refused by validateOptions and by register`)
  for (const error of thrown) {
    t.ok(error instanceof ConfigurationError)
    t.match(error, { option, message: remedy })
    t.ok((error as ConfigurationError).message.startsWith(option), `the message starts with ${option}`)
    t.notMatch(inspect(error, { depth: 9 }), /a secret of at least thirty-two bytes|c4n4ry/, 'no secret is shown')
  }
}

/** Each option, with values that cannot be meant, and what the message says must be there instead. */
const wrong: Array<[name: string, values: unknown[], remedy: RegExp]> = [
  ['store', [null, 'auth.db', 1, []], /must be a store, such as sqliteStore\('auth\.db'\) of fastify-bouncer\/sql/],
  ['store.users', [{}, { users: 1, sessions: {}, ephemeral: {} }], /is missing: a store has users, sessions, ephemeral/],
  ['store.ephemeral', [{ users: {}, sessions: {} }, { users: {}, sessions: {}, ephemeral: null }], /is missing: a store has/],
  ['ephemeralStore.ephemeral', [{}, { ephemeral: null }], /is missing: a store has ephemeral/],
  ['ephemeralStore', [null, 'redis://127.0.0.1', []], /must be a store for what expires, such as redisStore\(url\) of fastify-bouncer\/redis/],
  ['passwords.minLength', [0, 'x'].map((minLength) => ({ minLength })), /must be a whole number/],
  ['sessions.maxLifetime', [0, -1, NaN, Infinity, '60', 3651 * 86_400].map((maxLifetime) => ({ maxLifetime })), /must be a number of seconds above 0/],
  ['sessions.gracePeriod', [-1, 301, NaN, '10', true].map((gracePeriod) => ({ gracePeriod })), /must be a number of seconds from 0 to 300/],
  ['sessions.secret', ['', [], [''], 1, ['c4n4ry of at least thirty-two bytes', 1], Buffer.alloc(32)].map((value) => ({ secret: value })), /must be a string of at least 32 bytes, or a list of them/],
  ['sessions.secret', ['c4n4ry', 'x'.repeat(31), [secret, 'c4n4ry']].map((value) => ({ secret: value })), /is shorter than 32 bytes/],
  ['sessions', [null, 60, []], /must be \{ maxLifetime, gracePeriod, secret \}, times in seconds/],
  ['sessions.ttl', [{ ttl: 1 }], /is not an option of fastify-bouncer/],
  ['revocation', [1, 'on', null, {}, { maxStaleness: -1 }, { maxStaleness: 86_401 }, { maxStaleness: '5' }, { maxStaleness: 5, more: 1 }], /must be true, false, or \{ maxStaleness \} in seconds, up to a day/],
  ['attempts', [true, null, 5, { logins: false }, { login: true }, { login: { account: true } }, { login: { account: { max: 5 } } }, { login: { account: { max: 0, window: 1, lockout: 1 } } }, { login: { account: { max: 1.5, window: 1, lockout: 1 } } }, { login: { address: { max: 5, window: 0, lockout: 1 } } }, { login: { ip: false } }], /must be false, or limits for any of login, challenge, refresh, register, password_change, .*: \{ account, address \}, each \{ max, window, lockout \} in seconds, or false/],
  ['events.propagate', [{ propagate: 'yes' }, { propagate: 1 }], /must be true or false/],
  ['events', [true, null], /must be \{ propagate \}/],
  ['events.on', [{ on: 1 }], /is not an option of fastify-bouncer/],
  ['adminRole', ['', 1, ['admin']], /must be the name of a role/],
  ['requireVerified', ['yes', 1, null], /must be true or false/],
  ['concealExistingUsers', ['yes', 1, null], /must be true or false/],
  ['verification', [3600, null, 'x'], /must be \{ tokenTtl \}, in seconds/],
  ['verification.tokenTtl', [{ tokenTtl: 0 }, { tokenTtl: '1' }], /must be a number of seconds above 0/],
  ['passwordReset', [3600, null], /must be \{ tokenTtl \}, in seconds/],
  ['passwordReset.tokenTtl', [{ tokenTtl: -1 }, { tokenTtl: Infinity }], /must be a number of seconds above 0/]
]

t.test('what cannot be meant is refused, with the name of the option and the remedy', async (t) => {
  for (const [name, values, remedy] of wrong) {
    const [option = ''] = name.split('.')
    for (const value of values) await refuses(t, { ...withStore, [option]: value }, name, remedy)
  }
})

t.test('all but events need a store', async (t) => {
  const given: AuthPluginOptions = {
    ephemeralStore: memoryStore(),
    passwords: {},
    sessions: {},
    revocation: false,
    attempts: false,
    adminRole: 'root',
    requireVerified: false,
    concealExistingUsers: true,
    verification: {},
    passwordReset: {}
  }
  for (const [name, value] of Object.entries(given)) {
    await refuses(t, { ...options, [name]: value }, name, /needs a store, such as store: sqliteStore\('auth\.db'\) of fastify-bouncer\/sql/)
    validateOptions({ ...options, [name]: undefined })
  }
  validateOptions({ ...options, events: { propagate: true } })
})

t.test('a store needs a key that signs', async (t) => {
  const remedy = /needs a key that signs the tokens of its sessions: give jwt\.secret a string, or \{ public, private \}/
  const key = newKey('P-256')
  await refuses(t, { ...withStore, jwt: { jwksUrl: 'https://auth.example.com/keys' } }, 'store', remedy)
  await refuses(t, { ...withStore, jwt: { secret: { public: key.pem.public } } }, 'store', remedy)
  await refuses(t, { ...withStore, jwt: { secret: [{ public: key.pem.public }, pairOf(newKey('P-256'))] } }, 'store', remedy)
  await refuses(t, { store: memoryStore(), issuers: [{ issuer, audience, jwt: { jwksUrl: 'https://auth.example.com/keys' } }] }, 'store', remedy)
  for (const jwt of [{ secret }, { secret: [secret, secret] }, { secret: pairOf(key) }]) validateOptions({ ...withStore, jwt })
  validateOptions({ store: memoryStore(), issuers: [{ issuer, audience, jwt: { jwksUrl: 'https://auth.example.com/keys' } }, { issuer: 'https://here.example.com', audience, jwt: { secret } }] })
})

t.test('a store that lacks a verb is refused before anybody calls it', async (t) => {
  const parts: Array<keyof Store> = ['users', 'sessions', 'ephemeral']
  for (const part of parts) {
    const whole = memoryStore()
    for (const verb of Object.keys(whole[part] as object)) {
      const lacking = { ...whole, [part]: { ...whole[part] as object, [verb]: undefined } }
      await t.rejects(async () => { await server(t).register(authPlugin, { ...options, store: lacking }) }, { name: 'ConfigurationError', option: 'store', message: `memory: ${part}.${verb} is not a function: it is part of what a store must do.` })
    }
  }
})

t.test('concealing who exists needs verified addresses: a sign-in would tell', async (t) => {
  const options = { issuer, audience, jwt: { secret }, store: memoryStore(), concealExistingUsers: true }
  for (const requireVerified of [undefined, false]) t.throws(() => validateOptions({ ...options, requireVerified }), { name: 'ConfigurationError', option: 'concealExistingUsers', message: /^concealExistingUsers needs requireVerified: true/ })
  t.doesNotThrow(() => validateOptions({ ...options, requireVerified: true }))
})

t.test('what passwords cannot mean together is refused before a store is opened', async (t) => {
  t.throws(() => validateOptions({ issuer, audience, jwt: { secret }, store: memoryStore(), passwords: { minLength: 20, maxLength: 10 } }), { name: 'ConfigurationError', message: /must not be above maxLength/ })
})

t.test('what is left undefined has its default', async (t) => {
  const built = await accounts(t, {
    sessions: { maxLifetime: undefined, gracePeriod: undefined, secret: undefined },
    events: { propagate: undefined },
    attempts: { login: { account: undefined, address: undefined }, refresh: undefined, register: {} },
    verification: { tokenTtl: undefined },
    passwordReset: { tokenTtl: undefined },
    adminRole: undefined,
    requireVerified: undefined,
    concealExistingUsers: undefined,
    revocation: undefined
  } as AuthPluginOptions)
  const { email } = await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  const answers = []
  for (let guess = 1; guess <= 6; guess++) answers.push((await built.call('POST', '/login', { email, password: 'another horse' })).statusCode)
  t.strictSame(answers, [401, 401, 401, 401, 401, 429])
})

t.test('a limit of one kind leaves the other as it is', async (t) => {
  const built = await accounts(t, { attempts: { login: { account: { max: 1, window: 60, lockout: 60 } } } })
  const attempt = async (email: string) => (await built.call('POST', '/login', { email, password })).statusCode
  t.strictSame([await attempt('a@example.com'), await attempt('a@example.com')], [401, 429])
  // 50 by address, two of which are gone.
  const others = await Promise.all(Array.from({ length: 49 }, async (_, index) => await attempt(`${index}@example.com`)))
  t.equal(others.filter((status) => status === 429).length, 1)
})

t.test('without a store, app.bouncer says what is missing, as soon as somebody asks', async (t) => {
  const app = await build(t)
  const missing = { name: 'ConfigurationError', option: 'store', message: 'store is missing; accounts need one, such as store: sqliteStore(\'auth.db\') of fastify-bouncer/sql.' }
  const { bouncer } = app
  await t.rejects(bouncer.login({ email: 'a@example.com', password }), missing)
  await t.rejects(bouncer.refresh('x'), missing)
  await t.rejects(bouncer.logout('x'), missing)
  await t.rejects(bouncer.logoutAll('x'), missing)
  await t.rejects(bouncer.register({ email: 'a@example.com', password }), missing)
  for (const group of ['users', 'profile', 'sessions', 'passwords', 'verification'] as const) t.throws(() => bouncer[group], missing, group)
  t.match(inspect(bouncer), /guards/, 'looking at it is no call')
  t.match(await bouncer.authenticate(bouncer.jwt?.sign({ sub: 'a program' }) ?? ''), { id: 'a program' }, 'tokens can be verified all the same')
  t.ok(bouncer.events.on('user_login', () => {}))
})

t.test('a database that is down when the server starts', async (t) => {
  const store: Store = { ...memoryStore(), async open () { throw new AuthUnavailableError({ dependency: 'memory' }) } }
  await t.rejects(async () => { await server(t).register(authPlugin, { ...options, passwords: cheapHash, store }) }, { code: 'AUTH_UNAVAILABLE' })
})
