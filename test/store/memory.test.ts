import t from 'tap'
import { AuthUnavailableError, ConfigurationError } from '../../lib/errors/operation.js'
import { memoryStore } from '../../lib/store/memory.js'
import { storeConforms } from './conformance.js'
import { session } from './conformance-sessions.js'
import { user } from './conformance-users.js'
import { identity } from './conformance-identities.js'
import { testClock } from './engines.js'
import { peopleStore } from './people.js'

t.test('the contract', (t) => {
  storeConforms(t, {
    async open (_t, clock) {
      const store = memoryStore({ clock: clock.now })
      return { store, other: store }
    }
  })
  t.end()
})

t.test('the contract, with users of the application', (t) => {
  storeConforms(t, {
    ownsUsers: false,
    async open (t, clock) {
      const store = memoryStore({ clock: clock.now, users: peopleStore(t, ':memory:') })
      return { store, other: store }
    }
  })
  t.end()
})

t.test('it says what it is not', async (t) => {
  t.match(memoryStore().warning, /gone when the process ends.*no other process/)
  t.equal(memoryStore().name, 'memory')
})

t.test('bounds that are none', async (t) => {
  for (const value of [0, -1, 1.5, NaN, Infinity, '5' as unknown as number]) {
    for (const option of ['maxUsers', 'maxIdentities', 'maxSessions', 'maxEntries']) {
      t.throws(() => memoryStore({ [option]: value }), new ConfigurationError({ option, message: `memoryStore: ${option} must be a whole number above 0.` }))
    }
  }
})

t.test('a full store refuses, and drops nothing that lives', async (t) => {
  const clock = testClock()
  const { users, sessions, identities, ephemeral } = memoryStore({ maxUsers: 2, maxSessions: 2, maxIdentities: 2, maxEntries: 2, clock: clock.now })

  t.test('users', async (t) => {
    for (const id of ['ada', 'eve']) t.equal(await users.insert(user(id)), 'stored')
    await t.rejects(users.insert(user('tom')), AuthUnavailableError)
    t.ok(await users.findById('ada'))
    t.equal(await users.insert(user('ann', { email: 'ada@example.com' })), 'email', 'a collision is told first')
    await users.delete('eve')
    t.equal(await users.insert(user('tom')), 'stored')
  })

  t.test('linked accounts', async (t) => {
    for (const subject of ['a', 'b']) t.equal(await identities.insert(identity('ada', { subject })), true)
    await t.rejects(identities.insert(identity('ada', { subject: 'c' })), AuthUnavailableError)
    t.equal(await identities.insert(identity('ada', { subject: 'a' })), false, 'a collision is told first')
    await identities.delete({ userId: 'ada', provider: 'acme', subject: 'a' })
    t.equal(await identities.insert(identity('ada', { subject: 'c' })), true)
  })

  t.test('attack: flushing counters with other keys', async (t) => {
    const limit = { ttl: 1000, limit: 1, limitTtl: 5000 }
    await ephemeral.increment('victim', limit)
    await ephemeral.add('second', 'v', 1000)
    for (let index = 0; index < 100; index++) await t.rejects(ephemeral.increment(`flood ${index}`, limit), AuthUnavailableError)
    await t.rejects(ephemeral.add('third', 'v', 1000), AuthUnavailableError)
    await t.rejects(ephemeral.set('third', 'v', 1000), AuthUnavailableError)
    t.equal((await ephemeral.increment('victim', limit)).count, 2, 'the counter stands')
    await ephemeral.set('second', 'w', 1000)
    t.equal(await ephemeral.get('second'), 'w', 'what is there can be changed')
    clock.advance(1000)
    t.equal(await ephemeral.add('third', 'v', 1000), true, 'what has expired makes room')
    await t.rejects(ephemeral.add('fourth', 'v', 1000), AuthUnavailableError)
    await ephemeral.delete('third')
    t.equal(await ephemeral.add('fourth', 'v', 10), true)
    clock.advance(10)
    t.equal(await ephemeral.add('fifth', 'v', 10), true, 'also what came last and lives shortest')
  })

  t.test('sessions', async (t) => {
    const now = clock.now()
    const until = (id: string, idleUntil: number): ReturnType<typeof session> => session(id, { idleUntil: now + idleUntil, expiresAt: now + 10_000 })
    await sessions.insert(until('one', 100))
    await sessions.insert(until('two', 200))
    await t.rejects(sessions.insert(until('three', 100)), AuthUnavailableError)
    t.ok(await sessions.find('one'))
    clock.advance(100)
    await sessions.insert(until('three', 300))
    t.equal(await sessions.find('one'), undefined, 'what has lapsed makes room')
    await t.rejects(sessions.insert(until('four', 300)), AuthUnavailableError)
    await sessions.end('three', 'logout', clock.now())
    await sessions.insert(until('four', 300))
    t.equal(await sessions.find('three'), undefined, 'and what has ended')
    t.ok(await sessions.find('two'))
  })
})

t.test('attack: a key as long as a request takes no more room than a short one', async (t) => {
  const { ephemeral } = memoryStore()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 200; index++) await ephemeral.set(`${index} ${'x'.repeat(500_000)}`, 'v', 60_000)
  t.ok(process.memoryUsage().heapUsed - before < 50_000_000)
})
