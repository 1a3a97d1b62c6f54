import t from 'tap'
import { AuthError } from '../../lib/errors/auth-error.js'
import { AuthUnavailableError, ConfigurationError } from '../../lib/errors/operation.js'
import { TokenInvalidError } from '../../lib/errors/authentication.js'
import { available } from '../../lib/store/available.js'
import type { EphemeralOnlyStore, Store, StoredUser, UserStore } from '../../lib/store/contract.js'
import { memoryStore } from '../../lib/store/memory.js'
import { session } from './conformance-sessions.js'
import { totp } from './conformance-factors.js'
import { identity } from './conformance-identities.js'
import { user } from './conformance-users.js'
import { thrown } from '../thrown.js'
import { storeConforms } from './conformance.js'

t.test('a store that works, works', (t) => {
  storeConforms(t, {
    async open (_t, clock) {
      const store = available(memoryStore({ clock: clock.now }))
      return { store, other: store }
    }
  })
  t.end()
})

/** A store in which every verb does this. */
function every (verb: () => unknown): Store {
  const { users, sessions, factors, identities, ephemeral } = memoryStore()
  const changed = <Part extends object>(part: Part): Part => Object.fromEntries(Object.keys(part).map((name) => [name, verb])) as Part
  return { name: 'mine', users: changed(users), sessions: changed(sessions), factors: changed(factors), identities: changed(identities), ephemeral: changed(ephemeral) }
}

/** Calls of every verb. */
const calls = ({ users, sessions, factors, identities, ephemeral }: Store): Record<string, () => Promise<unknown>> => ({
  'users.findById': () => users.findById('x'),
  'users.findByEmail': () => users.findByEmail('x'),
  'users.findByUsername': () => users.findByUsername('x'),
  'users.insert': () => users.insert(user('x')),
  'users.update': () => users.update('x', {}),
  'users.delete': () => users.delete('x'),
  'users.list': () => users.list({ limit: 1 }),
  'factors.find': () => factors.find('x'),
  'factors.insert': () => factors.insert(totp('x')),
  'factors.useStep': () => factors.useStep('x', 'x', 1),
  'factors.useRecoveryCode': () => factors.useRecoveryCode('x', 'x', 'x'),
  'factors.replaceRecoveryCodes': () => factors.replaceRecoveryCodes('x', 'x', []),
  'factors.replaceSecret': () => factors.replaceSecret('x', 'x', 'x', 'y'),
  'factors.delete': () => factors.delete('x'),
  'identities.find': () => identities.find('x', 'x'),
  'identities.list': () => identities.list('x'),
  'identities.insert': () => identities.insert(identity('x')),
  'identities.update': () => identities.update(identity('x')),
  'identities.delete': () => identities.delete({ userId: 'x', provider: 'x' }),
  'identities.deleteAll': () => identities.deleteAll('x'),
  'sessions.insert': () => sessions.insert(session('x')),
  'sessions.find': () => sessions.find('x'),
  'sessions.rotate': () => sessions.rotate('x', 0, session('x')),
  'sessions.end': () => sessions.end('x', 'logout', 0),
  'sessions.endAll': () => sessions.endAll('x', 'logout', 0),
  'sessions.listLive': () => sessions.listLive('x', 0, { limit: 1 }),
  'sessions.prune': () => sessions.prune(0),
  'ephemeral.add': () => ephemeral.add('x', 'x', 1),
  'ephemeral.set': () => ephemeral.set('x', 'x', 1),
  'ephemeral.get': () => ephemeral.get('x'),
  'ephemeral.take': () => ephemeral.take('x'),
  'ephemeral.replace': () => ephemeral.replace('x', 'x', 'x'),
  'ephemeral.delete': () => ephemeral.delete('x'),
  'ephemeral.increment': () => ephemeral.increment('x', { ttl: 1, limit: 1, limitTtl: 1 }),
  'ephemeral.decrement': () => ephemeral.decrement('x', 1)
})

t.test('whatever a store throws is AuthUnavailableError', async (t) => {
  for (const [name, make] of Object.entries(thrown)) {
    const fault = make()
    for (const [how, verb] of Object.entries({ 'a promise': () => Promise.reject(fault), 'at once': () => { throw fault } })) {
      for (const [called, call] of Object.entries(calls(available(every(verb))))) {
        const error = await call().then(() => undefined, (error: unknown) => error) as AuthUnavailableError
        const right = error instanceof AuthUnavailableError && error.dependency === called.split('.')[0] && error.message === `mine: ${called} failed` && (error.cause === fault || fault === undefined)
        if (!right) t.fail(`${called}, ${how}: ${name}`, { error })
      }
    }
    t.pass(name)
  }
})

t.test('errors of this package pass', async (t) => {
  const ours = new TokenInvalidError({ reason: 'malformed' })
  for (const verb of [() => Promise.reject(ours), () => { throw ours }]) {
    for (const call of Object.values(calls(available(every(verb))))) t.equal(await call().catch((error: unknown) => error), ours)
  }
})

t.test('a verb that does not answer', async (t) => {
  for (const [name, verb] of Object.entries({ never: () => new Promise(() => {}), 'a thenable': () => ({ then () {} }) })) {
    for (const [called, call] of Object.entries(calls(available(every(verb), { timeout: 5 })))) {
      const error = await call().catch((error: unknown) => error) as AuthUnavailableError
      const right = error instanceof AuthUnavailableError && error.message === `mine: ${called} did not answer within 5 ms` && error.dependency === called.split('.')[0]
      if (!right) t.fail(called, { error })
    }
    t.pass(name)
  }

  t.test('and does so too late', async (t) => {
    let late: ((error: Error) => void) | undefined
    const { users } = available(every(() => new Promise((_resolve, reject) => { late = reject })), { timeout: 5 })
    await t.rejects(users.findById('x'), AuthUnavailableError)
    late?.(new Error('too late'))
    await new Promise((resolve) => setImmediate(resolve))
    t.pass('nobody has to catch it any more')
  })
})

t.test('the time is given up with the answer: nothing keeps the process', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const { users } = available(memoryStore(), { timeout: 100_000 })
  await users.findById('x')
  await available(every(() => Promise.reject(new Error('no'))), { timeout: 100_000 }).users.findById('x').catch(() => {})
  t.equal(timers(), before)
})

t.test('a store of an application\'s own', async (t) => {
  const stored = user('ada')
  class People {
    people = new Map([['ada', stored]])
    closed = false
    findById (id: string): StoredUser | null { return this.people.get(id) ?? null }
    findByEmail = async (): Promise<null> => null
    findByUsername (): PromiseLike<StoredUser> { return { then: (resolve) => Promise.resolve(stored).then(resolve) } }
    insert (): void {}
    update (): void {}
    delete (): void {}
    list (): void {}
  }

  t.test('is called as its own object, and may answer as it likes', async (t) => {
    const { users } = available({ ...memoryStore(), users: new People() as unknown as UserStore })
    t.equal(await users.findById('ada'), stored, 'at once')
    t.equal(await users.findById('eve'), undefined, 'null is nobody')
    t.equal(await users.findByEmail('eve'), undefined)
    t.equal(await users.findByUsername('ada'), stored, 'another kind of promise')
  })

  t.test('keeps its own object also as a whole', async (t) => {
    class Whole {
      name = 'whole'
      warning = 'careful'
      state = 'new'
      ephemeral = memoryStore().ephemeral
      async open (): Promise<void> { this.state = 'open' }
      async close (): Promise<void> { throw new Error(`closed while ${this.state}`) }
    }
    const whole = new Whole()
    const store = available<EphemeralOnlyStore>(whole)
    t.equal(store.name, 'whole')
    t.equal(store.warning, 'careful')
    await store.open?.()
    t.equal(whole.state, 'open')
    await t.rejects(store.close?.() as Promise<void>, { name: 'AuthUnavailableError', dependency: 'store', cause: { message: 'closed while open' } })
    t.notOk('users' in store || 'sessions' in store)
    t.notOk('open' in available(memoryStore()))
  })

  t.test('without a verb is refused when it is given', async (t) => {
    for (const part of ['users', 'sessions', 'ephemeral'] as const) {
      for (const verb of Object.keys(memoryStore()[part])) {
        for (const value of [undefined, null, 'text']) {
          const store = { ...memoryStore(), [part]: { ...memoryStore()[part], [verb]: value } }
          t.throws(() => available(store), new ConfigurationError({ option: 'store', message: `memory: ${part}.${verb} is not a function: it is part of what a store must do.` }))
        }
      }
      t.throws(() => available({ ...memoryStore(), [part]: undefined }), ConfigurationError)
    }
  })
})

t.test('what it throws is under one base class', async (t) => {
  t.ok(new AuthUnavailableError() instanceof AuthError)
})
