import fc from 'fast-check'
import t, { type Test } from 'tap'
import { RateLimitError } from '../../lib/errors/account.js'
import { createEvents, type AuthEvents } from '../../lib/events.js'
import { createAttempts, DEFAULT_LIMITS, type Attempt, type AttemptLimit, type AttemptLimits, type AttemptOperation, type Attempts } from '../../lib/flow/attempts.js'
import type { EphemeralStore } from '../../lib/store/contract.js'
import { memoryStore } from '../../lib/store/memory.js'

const five: AttemptLimit = { max: 5, window: 300, lockout: 600 }
const fifty: AttemptLimit = { max: 50, window: 300, lockout: 600 }
const DAY = 86_400_000
const home = { address: '198.51.100.1' }
const elsewhere = { address: '203.0.113.66' }

interface Counted {
  attempts: Attempts
  /** A second process on the same store. */
  other: Attempts
  ephemeral: EphemeralStore
  time: { now: number }
  limited: Array<AuthEvents['rate_limit_exceeded']>
  reported: unknown[]
}

/** Counting on a store in memory, whose time stands still until a test moves it. Limits that are not given are off. */
function counted (login: { account?: AttemptLimit | false, address?: AttemptLimit | false } = {}, limits: Partial<AttemptLimits> = {}): Counted {
  const time = { now: Date.UTC(2030, 0, 1) }
  const { ephemeral } = memoryStore({ clock: () => time.now })
  const events = createEvents({ propagate: true, report: () => {} })
  const limited: Counted['limited'] = []
  const reported: unknown[] = []
  events.on('rate_limit_exceeded', (event) => { limited.push(event) })
  const off = { account: false, address: false } as const
  const operations = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((operation) => [operation, off])) as AttemptLimits
  const options = { ephemeral, events, report: (error: unknown) => { reported.push(error) }, limits: { ...operations, login: { ...off, ...login }, ...limits } }
  return { attempts: createAttempts(options), other: createAttempts(options), ephemeral, time, limited, reported }
}

/** What becomes of an attempt: it is let through, or refused for so many seconds. */
async function outcome (begun: Promise<Attempt>): Promise<'through' | number> {
  try {
    await begun
    return 'through'
  } catch (error) {
    if (error instanceof RateLimitError) return error.retryAfter
    throw error
  }
}

async function through (t: Test, begun: Promise<Attempt>, what: string): Promise<void> {
  t.equal(await outcome(begun), 'through', what)
}

/** Makes attempts one after the other; how many of them were let through. */
async function passing (count: number, begin: (index: number) => Promise<Attempt>): Promise<number> {
  let passed = 0
  for (let index = 0; index < count; index += 1) {
    if (await outcome(begin(index)) === 'through') passed += 1
  }
  return passed
}

const addressOf = (index: number): { address: string } => ({ address: `192.0.2.${index}` })

t.test('of a hundred attempts at once exactly as many get through as are allowed', async (t) => {
  const byAccount = counted({ account: five })
  const outcomes = await Promise.all(Array.from({ length: 100 }, async (_, index) => await outcome(byAccount.attempts.begin('login', 'ada', addressOf(index)))))
  t.equal(outcomes.filter((one) => one === 'through').length, 5, 'for one account, from a hundred addresses')
  t.equal(byAccount.limited.length, 95)

  const byAddress = counted({ address: fifty })
  const others = await Promise.all(Array.from({ length: 100 }, async (_, index) => await outcome(byAddress.attempts.begin('login', `user-${index}`, home))))
  t.equal(others.filter((one) => one === 'through').length, 50, 'from one address, for a hundred accounts')
})

t.test('two processes on one store count together', async (t) => {
  const { attempts, other } = counted({ account: five })
  const outcomes = await Promise.all(Array.from({ length: 100 }, async (_, index) => await outcome((index % 2 === 0 ? attempts : other).begin('login', 'ada', home))))
  t.equal(outcomes.filter((one) => one === 'through').length, 5)
})

t.test('every operation is limited as it is configured, on its own', async (t) => {
  for (const [name, { account, address }] of Object.entries(DEFAULT_LIMITS)) {
    const operation = name as AttemptOperation
    const { attempts } = counted({}, DEFAULT_LIMITS)
    if (account !== false) {
      t.equal(await passing(account.max + 5, async (index) => await attempts.begin(operation, 'ada', addressOf(index))), account.max, `${operation}: per account`)
      for (const other of Object.keys(DEFAULT_LIMITS)) {
        if (other !== operation) await through(t, attempts.begin(other as AttemptOperation, 'ada', {}), `${other} is not limited by ${operation}`)
      }
    }
    if (address === false) throw new Error(`${operation} has no limit per address`)
    t.equal(await passing(address.max + 5, async (index) => await attempts.begin(operation, `user-${index}`, elsewhere)), address.max, `${operation}: per address`)
    for (const other of Object.keys(DEFAULT_LIMITS)) {
      if (other !== operation) await through(t, attempts.begin(other as AttemptOperation, undefined, elsewhere), `${other} from that address is not limited by ${operation}`)
    }
  }
})

t.test('a lock-out lasts its time, from the attempt that reached the limit, and ends by itself', async (t) => {
  const { attempts, time } = counted({ account: five })
  const begin = async (): Promise<'through' | number> => await outcome(attempts.begin('login', 'ada', home))
  for (let index = 0; index < 4; index += 1) await begin()
  time.now += 299_000
  t.equal(await begin(), 'through', 'the fifth, just within the window')
  t.equal(await begin(), 600)
  time.now += 300_000
  t.equal(await begin(), 300, 'the window is over, the lock-out is not')
  time.now += 299_999
  t.equal(await begin(), 1)
  time.now += 1
  t.equal(await passing(10, async () => await attempts.begin('login', 'ada', home)), 5, 'then all begins anew')
})

t.test('attempts that are refused do not prolong a lock-out', async (t) => {
  for (const limits of [{ account: five }, { address: five }]) {
    const { attempts, time } = counted(limits)
    await passing(5, async () => await attempts.begin('login', 'ada', home))
    for (let second = 0; second < 600; second += 1) {
      if (await outcome(attempts.begin('login', 'ada', home)) !== 600 - second) t.fail(`after ${second} seconds`)
      time.now += 1000
    }
    await through(t, attempts.begin('login', 'ada', home), 'after the time of the lock-out')
  }
})

t.test('attempts below the limit are forgotten a window after the first', async (t) => {
  const { attempts, time } = counted({ account: five })
  for (let round = 0; round < 10; round += 1) {
    t.equal(await passing(4, async () => await attempts.begin('login', 'ada', home)), 4, `round ${round}`)
    time.now += 300_000
  }
})

t.test('a success forgets the attempts for the account', async (t) => {
  const { attempts } = counted({ account: five })
  for (let round = 0; round < 10; round += 1) {
    t.equal(await passing(4, async () => await attempts.begin('login', 'ada', home)), 4)
    // The fifth reaches the limit: a lock-out that its own success ends.
    await (await attempts.begin('login', 'ada', home)).succeeded()
  }
  t.equal(await passing(10, async () => await attempts.begin('login', 'ada', home)), 5)
})

t.test('a success forgets nothing for other accounts', async (t) => {
  const { attempts } = counted({ account: five })
  await passing(5, async () => await attempts.begin('login', 'ada', home))
  await (await attempts.begin('login', 'bob', home)).succeeded()
  t.equal(await outcome(attempts.begin('login', 'ada', home)), 600)
})

t.test('a success gives the address its own attempt back, and no other', async (t) => {
  const { attempts } = counted({ address: five })
  t.equal(await passing(4, async (index) => await attempts.begin('login', `user-${index}`, home)), 4, 'four that fail')
  for (let index = 0; index < 100; index += 1) await (await attempts.begin('login', 'ada', home)).succeeded()
  t.equal(await passing(5, async (index) => await attempts.begin('login', `user-${index}`, home)), 1, 'leave room for one more')
})

t.test('attack: an account of the attacker\'s own, to wash the count of his address', async (t) => {
  const { attempts } = counted({ account: five, address: fifty })
  let guesses = 0
  for (let round = 0; round < 100; round += 1) {
    guesses += await passing(4, async (index) => await attempts.begin('login', `victim-${round}-${index}`, elsewhere))
    try {
      await (await attempts.begin('login', 'eve', elsewhere)).succeeded()
    } catch (error) {
      t.type(error, RateLimitError)
    }
  }
  t.equal(guesses, 50)
})

t.test('attack: successes that are told twice, to win attempts', async (t) => {
  const { attempts } = counted({ address: five })
  await passing(2, async (index) => await attempts.begin('login', `user-${index}`, home))
  const mine = await attempts.begin('login', 'ada', home)
  await mine.succeeded()
  t.equal(await passing(10, async (index) => await attempts.begin('login', `user-${index}`, home)), 3)
  await mine.succeeded()
  t.type(await outcome(attempts.begin('login', 'ada', home)), 'number', 'an address that is locked out stays so')
})

t.test('a lock-out of an address is not ended by what was under way when it began', async (t) => {
  const { attempts } = counted({ address: five })
  const underWay = await Promise.all(Array.from({ length: 5 }, async (_, index) => await attempts.begin('login', `user-${index}`, home)))
  t.equal(await outcome(attempts.begin('login', 'ada', home)), 600)
  for (const one of underWay) await one.succeeded()
  t.equal(await outcome(attempts.begin('login', 'ada', home)), 600)
})

t.test('accounts are counted by their names, whatever these are, and no two are taken for one', async (t) => {
  const names = ['ada', 'Ada', 'nobody at all', '', ' ', '0', 'undefined', '__proto__', 'constructor', 'ada:198.51.100.1', 'a\0b', 'x'.repeat(100_000), 'é', 'e\u0301', '😀', '*', '%']
  const { attempts } = counted({ account: five })
  for (const name of names) t.equal(await passing(7, async () => await attempts.begin('login', name, {})), 5, JSON.stringify(name).slice(0, 40))
  await fc.assert(fc.asyncProperty(fc.string(), fc.string(), async (one, other) => {
    fc.pre(one !== other)
    const fresh = counted({ account: five }).attempts
    await passing(5, async () => await fresh.begin('login', one, {}))
    return await outcome(fresh.begin('login', one, {})) === 600 && await outcome(fresh.begin('login', other, {})) === 'through'
  }), { numRuns: 100 })
})

t.test('attack: an IPv6 attacker who takes another address of his /64 for each attempt', async (t) => {
  const { attempts, limited } = counted({ address: fifty })
  const own = (index: number): { address: string } => ({ address: `2001:db8:1:2:${index.toString(16)}:${(index * 7919 % 65536).toString(16)}:dead:beef` })
  t.equal(await passing(200, async (index) => await attempts.begin('login', `victim-${index}`, own(index))), 50)
  t.ok(limited.every(({ identifier }) => identifier === '2001:db8:1:2::/64'))
  await through(t, attempts.begin('login', 'ada', { address: '2001:db8:1:3::1' }), 'his neighbour is not refused for it')
})

t.test('attack: one address, written as IPv4 and as IPv4 in IPv6', async (t) => {
  const { attempts } = counted({ address: five })
  const spellings = ['203.0.113.66', '::ffff:203.0.113.66', '::ffff:cb00:7142', '::FFFF:203.0.113.66%eth0']
  t.equal(await passing(20, async (index) => await attempts.begin('login', `victim-${index}`, { address: spellings[index % 4] as string })), 5)
})

t.test('without an address that is one, the account is counted alone', async (t) => {
  for (const origin of [{}, { address: undefined }, { address: '' }, { address: 'unknown' }, { address: 'x'.repeat(100_000) }]) {
    const { attempts } = counted({ account: five, address: { ...five, max: 1 } })
    t.equal(await passing(10, async () => await attempts.begin('login', 'ada', origin)), 5)
    await (await attempts.begin('login', 'bob', origin)).succeeded()
    await through(t, attempts.begin('login', undefined, origin), 'with neither, nothing is counted')
  }
})

t.test('without an account the address is counted alone', async (t) => {
  const { attempts } = counted({ account: { ...five, max: 1 }, address: five })
  await (await attempts.begin('login', undefined, home)).succeeded()
  t.equal(await passing(10, async () => await attempts.begin('login', undefined, home)), 5)
})

t.test('limits that are false are none, and nothing is stored for them', async (t) => {
  const { attempts, ephemeral } = counted()
  const silent = createAttempts({
    ephemeral: new Proxy(ephemeral, { get: (_, verb) => t.fail(`${String(verb)} was called`) }),
    events: createEvents({ propagate: true, report: () => {} }),
    report: () => t.fail('nothing is reported'),
    limits: { ...DEFAULT_LIMITS, login: { account: false, address: false } }
  })
  for (const one of [attempts, silent]) {
    for (let index = 0; index < 100; index += 1) await (await one.begin('login', 'ada', home)).succeeded()
  }
})

t.test('who is refused for the address is not counted for the account', async (t) => {
  const { attempts } = counted({ account: five, address: five })
  await passing(5, async (index) => await attempts.begin('login', `user-${index}`, elsewhere))
  await passing(100, async () => await attempts.begin('login', 'ada', elsewhere))
  t.equal(await passing(10, async (index) => await attempts.begin('login', 'ada', addressOf(index))), 5)
})

t.test('who is refused for the account is counted for the address', async (t) => {
  const { attempts, limited } = counted({ account: five, address: { ...fifty, max: 10 } })
  t.equal(await passing(20, async () => await attempts.begin('login', 'ada', elsewhere)), 5)
  t.strictSame([...new Set(limited.map(({ identifier }) => identifier))], ['ada', elsewhere.address])
  t.type(await outcome(attempts.begin('login', 'bob', elsewhere)), 'number')
})

t.test('a refusal is a RateLimitError and an event, with the same content', async (t) => {
  const { attempts, limited, time } = counted({ account: five })
  const origin = { ...home, userAgent: 'test' }
  await passing(5, async () => await attempts.begin('login', 'ada', origin))
  time.now += 1500
  const error = await attempts.begin('login', 'ada', origin).catch((error: unknown) => error) as RateLimitError
  t.type(error, RateLimitError)
  t.strictSame([error.statusCode, error.identifier, error.retryAfter], [429, 'ada', 599], 'seconds are rounded up')
  t.strictSame(error.toJSON(), { status_code: 429, detail: 'Too many attempts. Try again later.', extra: { code: 'RATE_LIMITED', retry_after: 599 } })
  t.equal(error.headers['retry-after'], '599')
  t.strictSame(limited, [{ operation: 'login', identifier: 'ada', retryAfter: 599, origin }])
})

t.test('retryAfter is in whole seconds, and never 0', async () => {
  await fc.assert(fc.asyncProperty(fc.double({ min: 0.001, max: 5, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), async (lockout, part) => {
    const { attempts, time } = counted({ account: { max: 1, window: 1, lockout } })
    await attempts.begin('login', 'ada', home)
    time.now += Math.floor(lockout * 1000 * part)
    const retryAfter = await outcome(attempts.begin('login', 'ada', home))
    // Either the lock-out is over, or there is a time to wait that suffices.
    if (retryAfter === 'through') return part * lockout * 1000 + 1 >= lockout * 1000
    time.now += retryAfter * 1000
    return Number.isInteger(retryAfter) && retryAfter >= 1 && await outcome(attempts.begin('login', 'ada', home)) === 'through'
  }), { numRuns: 300 })
})

t.test('a listener that fails lets nobody through', async (t) => {
  for (const propagate of [true, false]) {
    const { ephemeral } = counted()
    const events = createEvents({ propagate, report: () => {} })
    events.on('rate_limit_exceeded', () => { throw new Error('boom') })
    const attempts = createAttempts({ ephemeral, events, report: () => {}, limits: { ...DEFAULT_LIMITS, login: { account: { ...five, max: 1 }, address: false } } })
    await attempts.begin('login', 'ada', home)
    await t.rejects(attempts.begin('login', 'ada', home), { name: propagate ? 'EventError' : 'RateLimitError' })
  }
})

t.test('attack: locking the owner of an account out by guessing from elsewhere', async (t) => {
  const { attempts, time } = counted({ account: five, address: fifty })
  await (await attempts.begin('login', 'ada', home)).succeeded()
  for (let day = 0; day < 20; day += 1) {
    t.equal(await passing(60, async () => await attempts.begin('login', 'ada', elsewhere)), 5, 'the attacker gets his few guesses')
    t.type(await outcome(attempts.begin('login', 'ada', addressOf(day))), 'number', 'and so does everybody where the owner has never been')
    t.equal(await passing(4, async () => await attempts.begin('login', 'ada', home)), 4, 'the owner may err at home')
    await (await attempts.begin('login', 'ada', home)).succeeded()
    t.type(await outcome(attempts.begin('login', 'ada', addressOf(100 + day))), 'number', 'which gives the attacker nothing')
    time.now += DAY
  }
})

t.test('attack: guessing from an address that the owner has used', async (t) => {
  const { attempts } = counted({ account: five })
  await (await attempts.begin('login', 'ada', home)).succeeded()
  t.equal(await passing(100, async () => await attempts.begin('login', 'ada', home)), 5)
  t.equal(await passing(100, async () => await attempts.begin('login', 'ada', elsewhere)), 5, 'a count of its own')
})

t.test('an address is familiar to the accounts that signed in from it, for signing in, for thirty days', async (t) => {
  const { attempts, time } = counted({ account: five }, { password_change: { account: five, address: false } })
  const lock = async (account: string): Promise<number> => await passing(6, async () => await attempts.begin('login', account, elsewhere))
  await (await attempts.begin('login', 'ada', { address: '2001:db8::1' })).succeeded()
  await lock('ada')
  await through(t, attempts.begin('login', 'ada', { address: '2001:db8::2' }), 'the same /64')
  t.type(await outcome(attempts.begin('login', 'ada', { address: '2001:db8:0:1::1' })), 'number', 'another one')
  await lock('bob')
  t.type(await outcome(attempts.begin('login', 'bob', { address: '2001:db8::1' })), 'number', 'another account')

  await (await attempts.begin('password_change', 'ada', home)).succeeded()
  t.type(await outcome(attempts.begin('login', 'ada', home)), 'number', 'a success of another kind')
  await passing(5, async () => await attempts.begin('password_change', 'ada', elsewhere))
  t.type(await outcome(attempts.begin('password_change', 'ada', { address: '2001:db8::1' })), 'number', 'another operation')

  time.now += 30 * DAY - 1
  await lock('ada')
  await through(t, attempts.begin('login', 'ada', { address: '2001:db8::1' }), 'on the last day')
  time.now += 1
  await lock('ada')
  t.type(await outcome(attempts.begin('login', 'ada', { address: '2001:db8::1' })), 'number', 'and after it')
})

t.test('an attempt that did not succeed makes no address familiar', async (t) => {
  const { attempts } = counted({ account: five })
  await attempts.begin('login', 'ada', elsewhere)
  t.equal(await passing(10, async (index) => await attempts.begin('login', 'ada', index % 2 === 0 ? elsewhere : home)), 4)
})

t.test('a store that cannot answer lets nobody through', async (t) => {
  const down = new Error('the store is down')
  const working = counted({ account: five, address: five }).ephemeral
  const limits = { ...DEFAULT_LIMITS, login: { account: five, address: five } }
  const events = createEvents({ propagate: true, report: () => {} })
  for (const broken of ['increment', 'get'] as const) {
    const attempts = createAttempts({ ephemeral: { ...working, [broken]: async () => { throw down } }, events, limits, report: () => {} })
    await t.rejects(attempts.begin('login', 'ada', home), down, broken)
  }
  for (const broken of ['delete', 'decrement', 'set'] as const) {
    const reported: unknown[] = []
    const attempts = createAttempts({ ephemeral: { ...working, [broken]: async () => { throw down } }, events, limits, report: (error) => { reported.push(error) } })
    await t.resolves((await attempts.begin('login', 'ada', home)).succeeded(), 'what was done is done')
    t.strictSame(reported, [down], broken)
  }
})

t.test('an address that is trusted has a count of its own for both names of a user', async (t) => {
  const { attempts, reported } = counted({ account: five })
  await attempts.trust({ email: 'ada@example.com', username: 'ada' }, home)
  await attempts.trust({ email: 'ada@example.com', username: null }, {})
  for (const name of ['email:ada@example.com', 'username:ada']) {
    t.equal(await passing(10, async () => await attempts.begin('login', name, elsewhere)), 5)
    t.equal(await passing(10, async () => await attempts.begin('login', name, home)), 5, 'whatever others tried')
  }
  t.strictSame(reported, [])
})
