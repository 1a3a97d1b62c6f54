import fc from 'fast-check'
import t from 'tap'
import { hasAll, hasAny, names } from '../lib/access.js'

const lists = fc.array(fc.constantFrom('a', 'b', 'c', 'A', ''), { maxLength: 5 })

t.test('hasAny and hasAll answer as sets do', async (t) => {
  fc.assert(fc.property(lists, lists, (held, wanted) => {
    const shared = wanted.filter((name) => new Set(held).has(name))
    t.equal(hasAny(held, wanted), shared.length > 0)
    t.equal(hasAll(held, wanted), wanted.length > 0 && shared.length === wanted.length)
  }), { numRuns: 300 })
})

t.test('nothing wanted is nothing allowed', async (t) => {
  for (const held of [[], ['a']]) {
    t.notOk(hasAny(held, []))
    t.notOk(hasAll(held, []))
  }
})

t.test('names keeps strings that are not empty, each once, in their order', async (t) => {
  t.strictSame(names(['b', 'a', 'b', '', 1, null, undefined, ['c'], { d: 1 }]), ['b', 'a'])
})

t.test('what is no list has no names', async (t) => {
  for (const value of [undefined, null, 'admin', 1, true, {}, { 0: 'admin', length: 1 }, new Set(['admin']), () => ['admin']]) t.strictSame(names(value), [])
})

t.test('names cannot be added to', async (t) => {
  t.throws(() => (names(['a']) as string[]).push('admin'), TypeError)
  t.throws(() => (names(undefined) as string[]).push('admin'), TypeError)
})
