import fc from 'fast-check'
import t from 'tap'
import { digest } from '../../lib/random.js'
import { memoryStore } from '../../lib/store/memory.js'
import type { EphemeralStore } from '../../lib/store/contract.js'
import { createOneTimeTokens } from '../../lib/token/one-time.js'
import { token as accessToken } from '../build.js'

const value = { userId: 'user-1', email: 'ada@example.com' }

/** Tokens on a store in memory, whose time stands still until a test moves it. */
function oneTimeTokens () {
  const time = { now: Date.UTC(2030, 0, 1) }
  const { ephemeral } = memoryStore({ clock: () => time.now })
  return { time, ephemeral, tokens: createOneTimeTokens(ephemeral) }
}

/** Everything that the store was given, keys and values. */
function watched (ephemeral: EphemeralStore): { ephemeral: EphemeralStore, given: string[] } {
  const given: string[] = []
  const watching = new Proxy(ephemeral, {
    get: (target, verb: keyof EphemeralStore) => (...args: unknown[]) => {
      given.push(...args.map(String))
      return (target[verb] as (...args: unknown[]) => unknown)(...args)
    }
  })
  return { ephemeral: watching, given }
}

t.test('a token stands for a value until it is used, once', async (t) => {
  const { tokens } = oneTimeTokens()
  const token = await tokens.issue('verify', value, 60)
  t.match(token, /^[\w-]{43}$/)
  t.strictSame(await tokens.read('verify', token), value)
  t.strictSame(await tokens.read('verify', token), value, 'reading does not use it up')
  t.equal(await tokens.use('verify', token), true)
  t.equal(await tokens.read('verify', token), undefined)
  t.equal(await tokens.use('verify', token), false)
})

t.test('any value comes back as it was', async (t) => {
  const { tokens } = oneTimeTokens()
  await fc.assert(fc.asyncProperty(fc.dictionary(fc.string(), fc.string()), async (given) => {
    const token = await tokens.issue('verify', given, 60)
    t.strictSame(await tokens.read('verify', token), JSON.parse(JSON.stringify(given)))
  }), { numRuns: 50 })
})

t.test('tokens differ, and each has its own value', async (t) => {
  const { tokens } = oneTimeTokens()
  const issued = await Promise.all(Array.from({ length: 100 }, async (_, index) => await tokens.issue('verify', { userId: String(index) }, 60)))
  t.equal(new Set(issued).size, 100)
  for (const [index, token] of issued.entries()) t.strictSame(await tokens.read('verify', token), { userId: String(index) })
  await tokens.use('verify', issued[0] as string)
  t.ok(await tokens.read('verify', issued[1] as string), 'using one leaves the others')
})

t.test('a token is made of the randomness that was given: 256 bits', async (t) => {
  const asked: number[] = []
  const tokens = createOneTimeTokens(oneTimeTokens().ephemeral, (size) => { asked.push(size); return Buffer.alloc(size, 1) })
  t.equal(await tokens.issue('verify', value, 60), Buffer.alloc(32, 1).toString('base64url'))
  t.strictSame(asked, [32])
})

t.test('a token lives for its seconds and no longer', async (t) => {
  const { tokens, time } = oneTimeTokens()
  const token = await tokens.issue('reset', value, 60)
  time.now += 59_999
  t.strictSame(await tokens.read('reset', token), value)
  time.now += 1
  t.equal(await tokens.read('reset', token), undefined)
  t.equal(await tokens.use('reset', token), false)
})

t.test('race: of twenty who use a token at once one succeeds', async (t) => {
  const { tokens } = oneTimeTokens()
  const token = await tokens.issue('reset', value, 60)
  const used = await Promise.all(Array.from({ length: 20 }, async () => await tokens.use('reset', token)))
  t.equal(used.filter(Boolean).length, 1)
})

t.test('attack: a token of one purpose in place of another', async (t) => {
  const { tokens } = oneTimeTokens()
  const token = await tokens.issue('verify', value, 60)
  for (const purpose of ['reset', 'Verify', 'verify:', '', '__proto__']) {
    t.equal(await tokens.read(purpose, token), undefined, purpose)
    t.equal(await tokens.use(purpose, token), false, purpose)
  }
  t.strictSame(await tokens.read('verify', token), value, 'and it is none the worse for it')
})

t.test('attack: a token found in the store is none', async (t) => {
  const { ephemeral } = oneTimeTokens()
  const watch = watched(ephemeral)
  const tokens = createOneTimeTokens(watch.ephemeral)
  const token = await tokens.issue('reset', value, 60)
  await tokens.read('reset', token)
  await tokens.use('reset', token)
  const again = await tokens.issue('reset', value, 60)
  t.ok(watch.given.some((text) => text.includes(digest(token))), 'the digest was stored')
  t.notOk(watch.given.some((text) => text.includes(token) || text.includes(again)), 'and the token was not')
  for (const text of [...watch.given, digest(again), `reset:${digest(again)}`]) {
    t.equal(await tokens.read('reset', text), undefined, text)
    t.equal(await tokens.use('reset', text), false)
  }
  t.strictSame(await tokens.read('reset', again), value)
})

t.test('attack: another spelling, a part, more, something else', async (t) => {
  const { tokens } = oneTimeTokens()
  const token = await tokens.issue('reset', value, 60)
  const bytes = Buffer.from(token, 'base64url')
  const twins = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map((last) => token.slice(0, -1) + last).filter((twin) => twin !== token && Buffer.from(twin, 'base64url').equals(bytes))
  t.equal(twins.length, 3)
  for (const other of [...twins, `${token}=`, ` ${token}`, `${token}\n`, token.slice(1), token.slice(0, -1), token.toLowerCase(), token.toUpperCase(), bytes.toString('hex'), '', '\0'.repeat(43), '\ud800'.repeat(43), accessToken(), 'A'.repeat(1_000_000)]) {
    t.equal(await tokens.read('reset', other), undefined, JSON.stringify(other).slice(0, 60))
    t.equal(await tokens.use('reset', other), false)
  }
  await fc.assert(fc.asyncProperty(fc.oneof(fc.string(), fc.string({ minLength: 43, maxLength: 43 })), async (text) => await tokens.read('reset', text) === undefined && !await tokens.use('reset', text)), { numRuns: 300 })
  t.strictSame(await tokens.read('reset', token), value)
})

t.test('a token of another length is not looked for', async (t) => {
  const watch = watched(oneTimeTokens().ephemeral)
  const tokens = createOneTimeTokens(watch.ephemeral)
  for (const text of ['', 'short', 'A'.repeat(42), 'A'.repeat(44)]) {
    await tokens.read('reset', text)
    await tokens.use('reset', text)
  }
  t.strictSame(watch.given, [])
  await tokens.read('reset', 'A'.repeat(43))
  t.equal(watch.given.length, 1)
})

t.test('a store that fails is not taken for a token that is wrong', async (t) => {
  const down = new Error('the store is down')
  const broken = new Proxy({}, { get: () => async () => { throw down } }) as EphemeralStore
  const tokens = createOneTimeTokens(broken)
  await t.rejects(tokens.issue('reset', value, 60), down)
  await t.rejects(tokens.read('reset', 'A'.repeat(43)), down)
  await t.rejects(tokens.use('reset', 'A'.repeat(43)), down)
})
