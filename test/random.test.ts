import { createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { deriveKey, digest, equal, mac, randomToken, systemRandom, timeOrderedId } from '../lib/random.js'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const LATEST = 2 ** 48 - 1
const times = fc.integer({ min: 0, max: LATEST })
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size }).map((array) => Buffer.from(array))
const key = Buffer.alloc(32, 7)

t.test('a random token is 256 bits in base64url, another one each time', async (t) => {
  const tokens = new Set(Array.from({ length: 1000 }, () => randomToken()))
  t.equal(tokens.size, 1000)
  for (const token of tokens) t.match(token, /^[\w-]{43}$/)
  const asked: number[] = []
  t.equal(randomToken((size) => { asked.push(size); return Buffer.alloc(size, 255) }), Buffer.alloc(32, 255).toString('base64url'))
  t.strictSame(asked, [32])
})

t.test('the system\'s randomness has the size asked for', async (t) => {
  for (const size of [0, 1, 16, 32]) t.equal(systemRandom(size).length, size)
  t.not(systemRandom(32).toString('hex'), systemRandom(32).toString('hex'))
})

t.test('a time-ordered id is a UUID version 7 of the variant of RFC 9562, whatever time and randomness are', async (t) => {
  t.match(timeOrderedId(Date.now()), UUID_V7)
  fc.assert(fc.property(times, bytes(16), (now, random) => UUID_V7.test(timeOrderedId(now, () => Buffer.from(random)))), { numRuns: 1000 })
})

t.test('the example of RFC 9562, appendix A.6', async (t) => {
  const random = Buffer.from('000000000000 0cc3 18c4dc0c0c07398f'.replaceAll(' ', ''), 'hex')
  t.equal(timeOrderedId(0x017F22E279B0, () => random), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
})

t.test('a time-ordered id keeps its time and all of its random bits', async (t) => {
  fc.assert(fc.property(times, bytes(16), (now, random) => {
    const id = Buffer.from(timeOrderedId(now, () => Buffer.from(random)).replaceAll('-', ''), 'hex')
    t.equal(id.readUIntBE(0, 6), now)
    t.equal((id[6] as number) & 0x0f, (random[6] as number) & 0x0f)
    t.equal((id[8] as number) & 0x3f, (random[8] as number) & 0x3f)
    t.strictSame([id[7], ...id.subarray(9)], [random[7], ...random.subarray(9)])
  }), { numRuns: 50 })
})

t.test('time-ordered ids sort by time, as text', async () => {
  fc.assert(fc.property(times, times, bytes(16), bytes(16), (one, other, random, more) => {
    const [a, b] = [timeOrderedId(one, () => Buffer.from(random)), timeOrderedId(other, () => Buffer.from(more))]
    return one === other || (one < other) === (a < b)
  }), { numRuns: 1000 })
})

t.test('time-ordered ids of one moment differ', async (t) => {
  t.equal(new Set(Array.from({ length: 1000 }, () => timeOrderedId(0))).size, 1000)
})

t.test('a time that does not fit is refused rather than wrapped around', async (t) => {
  for (const now of [LATEST + 1, -1, Infinity]) t.throws(() => timeOrderedId(now), { code: 'ERR_OUT_OF_RANGE' })
})

t.test('a digest is SHA-256 in base64url', async (t) => {
  // FIPS 180-2, appendix B.1.
  t.equal(digest('abc'), Buffer.from('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'hex').toString('base64url'))
  t.not(digest('abc'), digest('abd'))
})

t.test('a mac is HMAC-SHA-256 of the parts and their lengths in bytes', async (t) => {
  t.strictSame(mac(key, 'ab', 'ü'), createHmac('sha256', key).update('2:ab2:ü').digest())
  t.strictSame(mac(key), createHmac('sha256', key).digest())
})

t.test('the parts of a mac cannot run into each other', async (t) => {
  const same = (one: string[], other: string[]): boolean => equal(mac(key, ...one), mac(key, ...other))
  for (const [one, other] of [[['a', 'bc'], ['ab', 'c']], [['a', ''], ['a']], [['a1:b'], ['a', 'b']], [['1:a'], ['a']], [['', ''], ['']], [['a', 'b'], ['b', 'a']]] as Array<[string[], string[]]>) {
    t.notOk(same(one, other), `${JSON.stringify(one)} and ${JSON.stringify(other)}`)
  }
  // Cut at any places: of one text all lists of parts have different macs. Digits and colons, to look like lengths.
  const text = fc.string({ unit: fc.constantFrom('1', '2', ':', 'a', 'é'), maxLength: 12 })
  const cuts = fc.array(fc.nat(12), { maxLength: 4 })
  const parts = (whole: string, at: number[]): string[] => [0, ...at.sort((a, b) => a - b)].map((start, index) => whole.slice(start, at[index]))
  fc.assert(fc.property(text, cuts, cuts, (whole, some, others) => {
    const [one, other] = [parts(whole, some), parts(whole, others)]
    return same(one, other) === (JSON.stringify(one) === JSON.stringify(other))
  }), { numRuns: 2000 })
})

t.test('a mac depends on each bit of its key', async (t) => {
  const made = mac(key, 'part').toString('hex')
  for (let bit = 0; bit < 256; bit += 1) {
    const other = Buffer.from(key)
    other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
    t.not(mac(other, 'part').toString('hex'), made)
  }
})

t.test('keys of one secret for different purposes, and of different secrets, have nothing in common', async (t) => {
  const secret = 'a secret of at least thirty-two bytes'
  t.strictSame(deriveKey(secret, 'refresh tokens'), Buffer.from(hkdfSync('sha256', secret, 'fastify-bouncer', 'refresh tokens', 32)))
  t.strictSame(deriveKey(secret, 'one'), deriveKey(secret, 'one'), 'the same on every start')
  fc.assert(fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), fc.string(), fc.string(), (a, b, purpose, other) => {
    const same = a === b && purpose === other
    return deriveKey(a, purpose).length === 32 && equal(deriveKey(a, purpose), deriveKey(b, other)) === same
  }), { numRuns: 300 })
  t.notOk(deriveKey(secret, 'one').equals(Buffer.from(secret)))
})

t.test('equal answers as a comparison of bytes does, also for different lengths', async (t) => {
  t.ok(equal(Buffer.alloc(0), Buffer.alloc(0)))
  t.notOk(equal(Buffer.from('a'), Buffer.alloc(0)))
  t.notOk(equal(Buffer.from('abc'), Buffer.from('ab')))
  t.notOk(equal(Buffer.from('ab'), Buffer.from('ab\0')))
  const some = fc.uint8Array({ maxLength: 4, max: 2 }).map((array) => Buffer.from(array))
  fc.assert(fc.property(some, some, (a, b) => equal(a, b) === (Buffer.compare(a, b) === 0)), { numRuns: 1000 })
})
