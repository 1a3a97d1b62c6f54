import t from 'tap'
import fc from 'fast-check'
import { pageOf, startOf, type Position } from '../../lib/store/page.js'

const position = fc.record({ createdAt: fc.integer({ min: 0, max: 253402300799999 }), id: fc.string({ unit: 'grapheme' }).filter((id) => !id.includes('\0')) }, { noNullPrototype: true })

t.test('the cursor of a page is where it ends', async (t) => {
  fc.assert(fc.property(fc.array(position, { minLength: 2, maxLength: 5 }), (found: Position[]) => {
    const limit = found.length - 1
    const page = pageOf(found, { limit })
    t.strictSame(page.items, found.slice(0, limit))
    t.strictSame(startOf({ limit, after: page.next }), found[limit - 1])
    t.equal(pageOf(found, { limit: found.length }).next, undefined, 'the last page has none')
  }), { numRuns: 50 })
  t.equal(startOf({ limit: 1 }), 'start')
})

t.test('attack: a cursor that was made up', async (t) => {
  const whatever = fc.oneof(fc.string(), fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc.tuple(fc.anything(), fc.anything()).map((pair) => Buffer.from(JSON.stringify(pair, (_key, value: unknown) => typeof value === 'bigint' ? 0 : value)).toString('base64url')))
  fc.assert(fc.property(whatever, (after) => {
    const start = startOf({ limit: 1, after })
    if (start === 'nowhere') return
    t.ok(start !== 'start' && Number.isInteger(start.createdAt) && typeof start.id === 'string' && !start.id.includes('\0'))
    t.doesNotThrow(() => new Date((start as Position).createdAt).toISOString())
  }), { numRuns: 2000 })
  t.equal(startOf({ limit: 1, after: Buffer.from(JSON.stringify([1, 'x'.repeat(5000)])).toString('base64url') }), 'nowhere', 'a long one is not even read')
})
