import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { deriveKey, digest, mac, timeOrderedId } from '../../lib/random.js'
import { createRefreshTokens, type RefreshToken } from '../../lib/token/refresh-token.js'
import { secret, token as accessToken } from '../build.js'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const LENGTH = 91
const key = deriveKey(secret, 'refresh tokens')
const otherKey = deriveKey('another secret of thirty-two bytes!!', 'refresh tokens')
const tokens = createRefreshTokens([key])
const sessionId = timeOrderedId(Date.now())

function read (token: string, from = tokens): RefreshToken {
  const found = from.read(token)
  if (found === undefined) throw new Error('a token that should be read was not')
  return found
}

const flipped = (token: string, bit: number): string => {
  const bytes = Buffer.from(token, 'base64url')
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes.toString('base64url')
}

t.test('a token names its session and its place in the family', async (t) => {
  const first = tokens.first(sessionId)
  t.match(first, /^[\w-]{91}$/)
  const token = read(first)
  t.strictSame([token.sessionId, token.generation, token.digest], [sessionId, 0, digest(first)])
  let current = token
  for (let generation = 1; generation <= 300; generation += 1) {
    const text = current.successor()
    current = read(text)
    t.strictSame([current.sessionId, current.generation, current.digest], [sessionId, generation, digest(text)])
  }
})

t.test('session ids of every kind of bits come back', async (t) => {
  for (const id of ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) t.equal(read(tokens.first(id)).sessionId, id)
  fc.assert(fc.property(fc.uuid(), (id) => {
    const token = read(tokens.first(id))
    return token.sessionId === id && read(token.successor()).sessionId === id
  }), { numRuns: 300 })
})

t.test('no two tokens are alike, not even of one session', async (t) => {
  const made = Array.from({ length: 200 }, () => tokens.first(sessionId))
  t.equal(new Set(made).size, 200)
  t.equal(new Set(made.map((token) => read(token).successor())).size, 200, 'nor are their successors')
  const family = [made[0] as string]
  for (let length = 0; length < 50; length += 1) family.push(read(family.at(-1) as string).successor())
  t.equal(new Set(family).size, 51)
})

t.test('the successor of a token is the same one each time, from every process with the keys', async (t) => {
  const here = createRefreshTokens([Buffer.from(key)])
  const there = createRefreshTokens([Buffer.from(key)], () => { throw new Error('chance has no part in it') })
  const first = here.first(sessionId)
  const successor = read(first, here).successor()
  t.equal(read(first, here).successor(), successor)
  t.equal(read(first, there).successor(), successor)
  t.strictSame(read(first, there).successors(), [successor])
  t.equal(read(read(successor, here).successor(), there).generation, 2)
})

t.test('the secret of the first token is 256 bits of chance', async (t) => {
  const asked: number[] = []
  createRefreshTokens([key], (size) => { asked.push(size); return Buffer.alloc(size) }).first(sessionId)
  t.strictSame(asked, [32])
})

t.test('attack: any bit flipped', async (t) => {
  for (const text of [tokens.first(sessionId), read(tokens.first(sessionId)).successor()]) {
    let accepted = 0
    for (let bit = 0; bit < 68 * 8; bit += 1) {
      if (tokens.read(flipped(text, bit)) !== undefined) accepted += 1
    }
    t.equal(accepted, 0)
    t.ok(tokens.read(text))
  }
})

t.test('attack: any character changed, at every place, to every other', async (t) => {
  const text = tokens.first(sessionId)
  const accepted: string[] = []
  for (let at = 0; at < LENGTH; at += 1) {
    for (const character of `${ALPHABET}+/=. \0é\ud800`) {
      const changed = text.slice(0, at) + character + text.slice(at + 1)
      if (changed !== text && tokens.read(changed) !== undefined) accepted.push(`${at}: ${character}`)
    }
  }
  t.strictSame(accepted, [])
})

t.test('attack: another spelling of the same bytes', async (t) => {
  const text = tokens.first(sessionId)
  const bytes = Buffer.from(text, 'base64url')
  const twins = [...ALPHABET].map((last) => text.slice(0, -1) + last).filter((twin) => twin !== text && Buffer.from(twin, 'base64url').equals(bytes))
  t.equal(twins.length, 3, 'the last character has two bits that mean nothing')
  // Room for other spellings of the same length: - and _ as + and /.
  let standard = text
  while (!/[-_]/.test(standard)) standard = tokens.first(sessionId)
  const spellings = [...twins, standard.replaceAll('-', '+').replaceAll('_', '/'), bytes.toString('base64'), `${text}=`, `${text}==`, ` ${text}`, `${text} `, `${text}\n`, `${text}\0`, `${text.slice(0, -1)}\n${text.slice(-1)}`, bytes.toString('hex'), encodeURIComponent(`${text}=`)]
  for (const spelling of spellings) t.equal(tokens.read(spelling), undefined, JSON.stringify(spelling))
})

t.test('attack: truncated, extended, turned round, put together from two', async (t) => {
  const text = tokens.first(sessionId)
  const other = tokens.first(timeOrderedId(Date.now()))
  for (let length = 0; length < LENGTH; length += 1) t.equal(tokens.read(text.slice(0, length)), undefined, `${length} characters`)
  for (const more of ['A', 'AA', 'AAA', 'AAAA', text]) t.equal(tokens.read(text + more), undefined)
  t.equal(tokens.read([...text].reverse().join('')), undefined)
  const accepted: number[] = []
  for (let at = 1; at < LENGTH; at += 1) {
    const mixed = text.slice(0, at) + other.slice(at)
    if (mixed !== text && mixed !== other && tokens.read(mixed) !== undefined) accepted.push(at)
  }
  t.strictSame(accepted, [])
})

t.test('attack: another generation or session under an old tag', async (t) => {
  const old = read(tokens.first(sessionId)).successor()
  const bytes = Buffer.from(old, 'base64url')
  for (const generation of [0, 2, 0xffffffff]) {
    const forged = Buffer.from(bytes)
    forged.writeUInt32BE(generation, 16)
    t.equal(tokens.read(forged.toString('base64url')), undefined, `generation ${generation}`)
  }
  Buffer.from(timeOrderedId(0).replaceAll('-', ''), 'hex').copy(bytes)
  t.equal(tokens.read(bytes.toString('base64url')), undefined)
})

t.test('attack: made without the key', async (t) => {
  const forged = createRefreshTokens([otherKey]).first(sessionId)
  t.equal(tokens.read(forged), undefined)
  // With what is public: the format, and the purpose of the key.
  for (const guess of ['', 'fastify-bouncer', 'refresh tokens', 'secret']) t.equal(tokens.read(createRefreshTokens([deriveKey(guess, 'refresh tokens')]).first(sessionId)), undefined)
  t.equal(tokens.read(createRefreshTokens([deriveKey(secret, 'another purpose')]).first(sessionId)), undefined)
  t.equal(tokens.read(Buffer.alloc(68).toString('base64url')), undefined)
  // A tag over the body for the other purpose of the same key.
  const body = Buffer.from(tokens.first(sessionId), 'base64url').subarray(0, 52)
  const tag = mac(key, 'refresh token successor', body.toString('base64url')).subarray(0, 16)
  t.equal(tokens.read(Buffer.concat([body, tag]).toString('base64url')), undefined)
})

t.test('attack: the successor is not to be found in its token, nor the token in its successor', async (t) => {
  const text = tokens.first(sessionId)
  const successor = read(text).successor()
  const [before, after] = [Buffer.from(text, 'base64url'), Buffer.from(successor, 'base64url')]
  t.notOk(before.includes(after.subarray(20, 36)))
  t.notOk(after.includes(before.subarray(20, 36)))
  t.not(read(text, createRefreshTokens([key, otherKey])).successors()[1], successor, 'it takes the key')
})

t.test('other tokens, other things, and nothing at all', async (t) => {
  const jwt = accessToken()
  const things = [jwt, ...jwt.split('.'), jwt.padEnd(LENGTH, 'A').slice(0, LENGTH), 'x.y.z', '..', '', ' ', '.', 'undefined', 'null', '[object Object]', '__proto__', sessionId, `Bearer ${tokens.first(sessionId)}`,
    '\0'.repeat(LENGTH), '='.repeat(LENGTH), '-'.repeat(LENGTH), 'é'.repeat(LENGTH), '\ud800'.repeat(LENGTH), '😀'.repeat(45) + 'A', 'A'.repeat(LENGTH), 'A'.repeat(10_000_000)]
  for (const thing of things) t.equal(tokens.read(thing), undefined, JSON.stringify(thing).slice(0, 60))
})

t.test('any text is undefined, and nothing throws', async () => {
  const exact = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: LENGTH, maxLength: LENGTH })
  const units = fc.array(fc.nat(0xffff), { minLength: LENGTH, maxLength: LENGTH }).map((codes) => String.fromCharCode(...codes))
  const bytes = fc.uint8Array({ minLength: 68, maxLength: 68 }).map((array) => Buffer.from(array).toString('base64url'))
  fc.assert(fc.property(fc.oneof(exact, units, bytes, fc.string({ maxLength: 200 })), (text) => tokens.read(text) === undefined), { numRuns: 3000 })
})

t.test('rotation: the first key makes tokens, all keys read them', async (t) => {
  const before = createRefreshTokens([otherKey])
  const both = createRefreshTokens([key, otherKey])
  const after = createRefreshTokens([key])
  const old = before.first(sessionId)
  t.equal(read(old, both).sessionId, sessionId)
  t.equal(after.read(old), undefined, 'a key that left the list reads nothing')
  t.equal(before.read(both.first(sessionId)), undefined)
  t.ok(after.read(both.first(sessionId)))
  t.ok(after.read(read(old, both).successor()), 'a refresh moves a session to the new key')
})

t.test('rotation: a refresh that the old key has answered is recognised', async (t) => {
  const before = createRefreshTokens([otherKey])
  const both = createRefreshTokens([key, otherKey])
  const old = before.first(sessionId)
  const answered = read(old, before).successor()
  const { successor, successors } = read(old, both)
  t.strictSame(successors(), [successor(), answered])
  t.not(successor(), answered)
  t.equal(read(answered, both).generation, 1)
  const reversed = createRefreshTokens([otherKey, key])
  t.strictSame([...read(old, reversed).successors()].sort(), [...successors()].sort(), 'in whatever order the keys are')
})

t.test('what was read prints neither the token nor any successor', async (t) => {
  const text = tokens.first(sessionId)
  const token = read(text)
  const secrets = [text, token.successor(), text.slice(28, 69), token.successor().slice(28, 69)]
  for (const printed of [JSON.stringify(token), inspect(token, { depth: null, showHidden: true }), String(token), JSON.stringify({ ...token })]) {
    for (const one of secrets) t.notOk(printed.includes(one), printed)
  }
  t.match(JSON.stringify(token), sessionId, 'it was printed')
})
