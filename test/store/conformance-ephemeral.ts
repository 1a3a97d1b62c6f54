import type { Test } from 'tap'
import type { EphemeralOnlyStore, EphemeralStore } from '../../lib/store/contract.js'
import { testClock, type TestClock } from './engines.js'
import { odd } from './odd-strings.js'

type OpenEphemeral = (t: Test, clock: TestClock) => Promise<{ store: EphemeralOnlyStore, other: EphemeralOnlyStore }>

const hour = 3_600_000
const many = (count: number): number[] => [...Array(count).keys()]

/** What holds whatever time it is. */
export function ephemeralConforms (t: Test, open: OpenEphemeral): void {
  const opened = async (t: Test): Promise<[EphemeralStore, EphemeralStore]> => {
    const { store, other } = await open(t, testClock())
    return [store.ephemeral, other.ephemeral]
  }
  const limit = { ttl: hour, limit: 3, limitTtl: 2 * hour }

  t.test('values', async (t) => {
    const [one, two] = await opened(t)
    t.equal(await one.get('k'), undefined)
    t.equal(await one.add('k', 'a', hour), true)
    t.equal(await two.add('k', 'b', hour), false, 'added once')
    t.equal(await two.get('k'), 'a')
    await two.set('k', 'c', hour)
    t.equal(await one.get('k'), 'c', 'set is not add')
    t.equal(await one.replace('k', 'a', 'd'), false, 'not in place of another value')
    t.equal(await one.replace('other', 'a', 'd'), false, 'nor of none')
    t.equal(await one.get('other'), undefined)
    t.equal(await two.replace('k', 'c', 'd'), true)
    t.equal(await one.take('k'), 'd')
    t.equal(await two.take('k'), undefined, 'taken once')
    t.equal(await one.get('k'), undefined)
    t.equal(await one.replace('k', 'd', 'e'), false)
    t.equal(await one.add('k', 'f', hour), true, 'what was taken can be added again')
    await two.delete('k')
    t.equal(await one.get('k'), undefined)
    await two.delete('k')
    await one.set('empty', '', hour)
    t.equal(await one.get('empty'), '', 'an empty value is a value')
    t.equal(await one.take('empty'), '')
  })

  t.test('race: of 20 takes one gets it', async (t) => {
    const both = await opened(t)
    await both[0].set('k', 'v', hour)
    const answers = await Promise.all(many(20).map((index) => (both[index % 2] as EphemeralStore).take('k')))
    t.strictSame(answers.filter((answer) => answer !== undefined), ['v'])
  })

  t.test('race: of 20 adds one is first', async (t) => {
    const both = await opened(t)
    const answers = await Promise.all(many(20).map((index) => (both[index % 2] as EphemeralStore).add('k', `v${index}`, hour)))
    t.equal(answers.filter(Boolean).length, 1)
    t.equal(await both[0].get('k'), `v${answers.indexOf(true)}`)
  })

  t.test('race: of 20 replacements of one value one is made', async (t) => {
    const both = await opened(t)
    await both[0].set('k', 'v', hour)
    const answers = await Promise.all(many(20).map((index) => (both[index % 2] as EphemeralStore).replace('k', 'v', `v${index}`)))
    t.equal(answers.filter(Boolean).length, 1)
    t.equal(await both[0].get('k'), `v${answers.indexOf(true)}`)
  })

  t.test('counts go up to one above the limit', async (t) => {
    const [one, two] = await opened(t)
    const counts = []
    for (const index of many(6)) counts.push((await (index % 2 ? one : two).increment('k', limit)).count)
    t.strictSame(counts, [1, 2, 3, 4, 4, 4])
    t.equal((await one.increment('other', limit)).count, 1, 'each key for itself')
    await one.delete('k')
    t.equal((await one.increment('k', limit)).count, 1, 'from the start after a delete')
  })

  t.test('a limit of one', async (t) => {
    const [one] = await opened(t)
    const counts = []
    for (const index of many(3)) counts.push((await one.increment('k', { ttl: hour, limit: 1, limitTtl: 2 * hour + index })).count)
    t.strictSame(counts, [1, 2, 2])
  })

  t.test('race: 50 counts are 50', async (t) => {
    const both = await opened(t)
    const counts = await Promise.all(many(50).map((index) => (both[index % 2] as EphemeralStore).increment('k', { ttl: hour, limit: 100, limitTtl: hour })))
    t.strictSame(counts.map(({ count }) => count).sort((a, b) => a - b), many(50).map((index) => index + 1))
    const locked = await Promise.all(many(50).map((index) => (both[index % 2] as EphemeralStore).increment('locked', limit)))
    t.strictSame(locked.map(({ count }) => count).sort((a, b) => a - b), [1, 2, 3, ...many(47).map(() => 4)], 'and one reaches the limit')
  })

  t.test('a count goes down between nothing and a bound', async (t) => {
    const [one, two] = await opened(t)
    await one.decrement('k', 10)
    t.equal((await one.increment('k', limit)).count, 1, 'nothing is not counted down')
    await two.decrement('k', 3)
    await two.decrement('k', 3)
    t.equal((await one.increment('k', limit)).count, 1, 'not below nothing')
    await one.increment('k', limit)
    await two.decrement('k', 2)
    t.equal((await one.increment('k', limit)).count, 3, 'not from the bound')
    await two.decrement('k', 3)
    t.equal((await one.increment('k', limit)).count, 4, 'not out of a lock-out')
    const both = [one, two]
    for (const index of many(9)) await one.increment('busy', { ...limit, limit: 100, ttl: hour + index })
    await Promise.all(many(9).map((index) => (both[index % 2] as EphemeralStore).decrement('busy', 100)))
    t.equal((await one.increment('busy', { ...limit, limit: 100 })).count, 1, 'race: 9 down from 9 is 0')
  })

  t.test('no string means anything', async (t) => {
    const [one, two] = await opened(t)
    const keys = [...odd, '', '\0', 'a\0b', 'k'.repeat(200), 'k'.repeat(201), 'k'.repeat(100_000)]
    for (const [index, key] of keys.entries()) await one.set(key, `value ${index}`, hour)
    for (const [index, key] of keys.entries()) t.equal(await two.get(key), `value ${index}`, JSON.stringify(key.slice(0, 40)))
    for (const value of odd) {
      await one.set('k', value, hour)
      t.equal(await two.replace('k', value, value + value), true)
      t.equal(await two.take('k'), value + value, JSON.stringify(value))
    }
    await one.set('long', 'v'.repeat(100_000), hour)
    t.equal(await two.get('long'), 'v'.repeat(100_000))
    for (const key of keys) await one.delete(key)
    for (const key of keys) t.equal((await one.increment(key, limit)).count, 1)
    for (const key of keys) t.equal((await two.increment(key, limit)).count, 2)
  })
}

/** What time does, where it can be told. */
export function lifetimesConform (t: Test, open: OpenEphemeral): void {
  const opened = async (t: Test): Promise<[EphemeralStore, TestClock]> => {
    const clock = testClock()
    return [(await open(t, clock)).store.ephemeral, clock]
  }

  t.test('an expired key is no key, for every verb', async (t) => {
    const [store, clock] = await opened(t)
    const keys = ['get', 'take', 'replace', 'add', 'set', 'increment', 'decrement']
    for (const key of keys) await store.set(key, 'old', 100)
    clock.advance(99)
    for (const key of keys) t.equal(await store.get(key), 'old')
    clock.advance(1)
    t.equal(await store.get('get'), undefined)
    t.equal(await store.take('take'), undefined)
    t.equal(await store.replace('replace', 'old', 'new'), false)
    t.equal(await store.get('replace'), undefined)
    t.equal(await store.add('add', 'new', 100), true)
    t.equal(await store.get('add'), 'new')
    await store.set('set', 'new', 100)
    t.equal(await store.get('set'), 'new')
    t.strictSame(await store.increment('increment', { ttl: 50, limit: 3, limitTtl: 500 }), { count: 1, ttl: 50 })
    await store.decrement('decrement', 10)
    t.equal(await store.get('decrement'), undefined)
  })

  t.test('a replaced value keeps the time it had left, a set one does not', async (t) => {
    const [store, clock] = await opened(t)
    await store.set('replaced', 'a', 100)
    await store.set('set', 'a', 100)
    clock.advance(60)
    t.equal(await store.replace('replaced', 'a', 'b'), true)
    await store.set('set', 'b', 100)
    clock.advance(39)
    t.equal(await store.get('replaced'), 'b')
    clock.advance(1)
    t.equal(await store.get('replaced'), undefined)
    t.equal(await store.get('set'), 'b')
  })

  t.test('a count is remembered from the first, and from the limit', async (t) => {
    const [store, clock] = await opened(t)
    const count = { ttl: 1000, limit: 3, limitTtl: 5000 }
    t.strictSame(await store.increment('k', count), { count: 1, ttl: 1000 })
    clock.advance(400)
    t.strictSame(await store.increment('k', count), { count: 2, ttl: 600 }, 'the second does not prolong it')
    clock.advance(599)
    t.strictSame(await store.increment('k', count), { count: 3, ttl: 5000 }, 'the limit starts the lock-out')
    clock.advance(1000)
    t.strictSame(await store.increment('k', count), { count: 4, ttl: 4000 })
    clock.advance(1000)
    t.strictSame(await store.increment('k', count), { count: 4, ttl: 3000 }, 'later counts do not prolong it')
    await store.decrement('k', 3)
    clock.advance(2999)
    t.strictSame(await store.increment('k', count), { count: 4, ttl: 1 })
    clock.advance(1)
    t.strictSame(await store.increment('k', count), { count: 1, ttl: 1000 }, 'then it is over')
  })

  t.test('a count that goes down keeps its time', async (t) => {
    const [store, clock] = await opened(t)
    const count = { ttl: 1000, limit: 3, limitTtl: 5000 }
    await store.increment('k', count)
    clock.advance(400)
    await store.decrement('k', 3)
    t.strictSame(await store.increment('k', count), { count: 1, ttl: 600 })
    clock.advance(600)
    t.strictSame(await store.increment('k', count), { count: 1, ttl: 1000 })
  })

  t.test('a limit of one locks with the first', async (t) => {
    const [store, clock] = await opened(t)
    const count = { ttl: 1000, limit: 1, limitTtl: 5000 }
    t.strictSame(await store.increment('k', count), { count: 1, ttl: 5000 })
    clock.advance(1000)
    t.strictSame(await store.increment('k', count), { count: 2, ttl: 4000 })
    clock.advance(4000)
    t.strictSame(await store.increment('k', count), { count: 1, ttl: 5000 })
  })

  t.test('race: of 20 adds after a key expired one is first', async (t) => {
    const clock = testClock()
    const { store, other } = await open(t, clock)
    await store.ephemeral.set('k', 'old', 10)
    clock.advance(10)
    const answers = await Promise.all(many(20).map((index) => (index % 2 ? store : other).ephemeral.add('k', `v${index}`, hour)))
    t.equal(answers.filter(Boolean).length, 1)
  })

  t.test('a time that is none is refused', async (t) => {
    const [store] = await opened(t)
    for (const ttl of [NaN, Infinity]) {
      await t.rejects(store.add('k', 'v', ttl))
      await t.rejects(store.set('k', 'v', ttl))
      await t.rejects(store.increment('k', { ttl, limit: 3, limitTtl: ttl }))
    }
    t.equal(await store.get('k'), undefined)
    t.equal(await store.add('k', 'v', 0), true)
    t.equal(await store.get('k'), undefined, 'no time to live is none')
  })
}
