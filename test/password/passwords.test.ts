import { createHook } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { inspect, promisify } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { AuthUnavailableError, InvalidHashError, PasswordPolicyError } from '../../lib/errors.js'
import { createArgon2id } from '../../lib/password/argon2.js'
import { HASH_KINDS, type Hasher } from '../../lib/password/hasher.js'
import { createPasswords, type Passwords } from '../../lib/password/passwords.js'
import { createPbkdf2 } from '../../lib/password/pbkdf2.js'
import { createScrypt } from '../../lib/password/scrypt.js'
import { campaign } from '../fuzz/campaign.js'
import { cheap, cheapArgon2, cheapScrypt, defaultPolicy } from './build.js'
import { foreignHashes, long, typed } from './foreign-hashes.js'

const hashers: Hasher[] = [createArgon2id(cheapArgon2), createScrypt(cheapScrypt), createPbkdf2({ iterations: 2 })]
const right = { matches: true, outdated: false }
const old = { matches: true, outdated: true }
const wrong = { matches: false, outdated: false }

/** A hasher that keeps what it was asked to do. */
function watched (hasher = createArgon2id(cheapArgon2)): { hasher: Hasher, work: string[] } {
  const work: string[] = []
  const decoy = hasher.decoy()
  return {
    work,
    hasher: {
      ...hasher,
      hash: (password) => { work.push(`hash ${password}`); return hasher.hash(password) },
      decoy: () => ({ ...decoy, matches: (password) => { work.push(`decoy ${password}`); return decoy.matches(password) } })
    }
  }
}

for (const hasher of hashers) {
  t.test(`${hasher.kind}: whatever a password is, its hash verifies it and no other`, async (t) => {
    const passwords = cheap({ hasher })
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 100 }), fc.string({ unit: 'grapheme', maxLength: 10 }), fc.string({ unit: fc.constantFrom('\u0000', 'e\u0301', '\ufb01', ' ', '\n'), maxLength: 20 }))
    await campaign(t, 40, fc.asyncProperty(text, text, async (password, other) => {
      try {
        const stored = await passwords.hash(password)
        const found = await passwords.verify(password, stored)
        const foreign = await passwords.verify(other, stored)
        return found.matches && !found.outdated && foreign.matches === (other.normalize('NFKC') === password.normalize('NFKC'))
      } catch (error) {
        return error instanceof PasswordPolicyError && [...password.normalize('NFKC')].length > 128
      }
    }))
  })
}

t.test('hashes of others verify, and are outdated', async (t) => {
  const passwords = cheap()
  // What these hashes cost is tried with their hashers; here, every reader once.
  const few = foreignHashes.filter(({ by }) => !by.includes('defaults'))
  t.ok(few.length > 25)
  for (const { by, password, hash } of few) {
    t.match(await passwords.verify(password, hash), { matches: true }, by)
    t.strictSame(await passwords.verify(`${password}?`, hash), by.includes('72 bytes') ? old : wrong, by)
  }
  for (const { by, password, hash } of few.filter(({ kind }) => kind !== 'argon2id')) t.strictSame(await passwords.verify(password, hash), old, by)
  const strong = createPasswords()
  for (const { by, password, hash } of foreignHashes.filter(({ by }) => by.includes('defaults'))) {
    t.strictSame(await strong.verify(password, hash), by.startsWith('argon2-cffi') ? right : old, by)
  }
})

t.test('a password is the same from every keyboard', async (t) => {
  const passwords = cheap()
  const stored = await passwords.hash('Pa\u0301ssw\uff4frd')
  for (const form of ['P\u00e1ssword', 'Pa\u0301ssword', 'Pa\u0301ssw\uff4frd']) t.strictSame(await passwords.verify(form, stored), right)
  t.strictSame(await passwords.verify('Password', stored), wrong)
})

t.test('a hash of what was typed, not NFKC, verifies, and is outdated whatever its cost', async (t) => {
  const hasher = createArgon2id(cheapArgon2)
  const stored = await hasher.hash(typed)
  t.strictSame(await cheap().verify(typed, stored), old)
  t.strictSame(await cheap().verify(typed.normalize('NFKC'), stored), wrong, 'nobody else typed that')
})

t.test('outdated: another hasher, or weaker than configured', async (t) => {
  const weak = await hashers[0]?.hash('correct horse') as string
  t.strictSame(await cheap().verify('correct horse', weak), right)
  for (const change of [{ timeCost: 3 }, { memoryCost: 257 }, { parallelism: 3 }]) {
    const passwords = cheap({ hasher: createArgon2id({ ...cheapArgon2, ...change }) })
    t.strictSame(await passwords.verify('correct horse', weak), old, inspect(change))
    t.strictSame(await passwords.verify('correct horsf', weak), wrong, 'only said of a right password')
  }
  for (const hasher of hashers.slice(1)) t.strictSame(await cheap({ hasher }).verify('correct horse', weak), old, hasher.kind)
})

t.test('User enumeration: without a hash the same work is done, and the answer is no', async (t) => {
  const { hasher, work } = watched()
  const passwords = cheap({ hasher })
  for (const stored of [undefined, null, '', '!', '!Xg0pGJ5uLMYJnJLaUK6WLsLcWXKB2TlIPhOCcA1w']) {
    t.strictSame(await passwords.verify('correct horse', stored), wrong, String(stored))
    t.strictSame(work.splice(0), ['decoy correct horse'], 'one hash')
    t.strictSame(await passwords.verify(typed, stored), wrong)
    t.strictSame(work.splice(0), [`decoy ${typed.normalize('NFKC')}`, `decoy ${typed}`], 'two, as with a hash: one for each form')
  }
})

t.test('User enumeration: a right password in other letters is as much work as a wrong one', async (t) => {
  const passwords = cheap({ hasher: createPbkdf2({ iterations: 2 }) })
  const stored = await passwords.hash('correct horse')
  let hashes = 0
  const hook = createHook({ init: (_id, type) => { if (type === 'PBKDF2REQUEST') hashes++ } }).enable()
  t.teardown(() => { hook.disable() })
  for (const [password, expected] of [['\uff43orrect horse', right], ['\uff43orrect horsf', wrong], ['\ufb01x', wrong]] as const) {
    hashes = 0
    t.strictSame(await passwords.verify(password, stored), expected, password)
    t.equal(hashes, 2, 'one for each form, also after a match')
  }
})

t.test('User enumeration: a decoy that matches by chance is nobody', async (t) => {
  const hasher: Hasher = { ...createArgon2id(cheapArgon2), decoy: () => ({ kind: 'argon2id', text: '$argon2id', matches: async () => true }), isCurrent: () => true }
  t.strictSame(await cheap({ hasher }).verify('correct horse', undefined), wrong)
  await t.rejects(cheap({ hasher }).verify('correct horse', 'x'), InvalidHashError)
})

t.test('Long password: nothing is cut, the same work is done, and the answer is no', async (t) => {
  const { hasher, work } = watched()
  const passwords = cheap({ hasher, policy: { ...defaultPolicy, maxLength: 10 } })
  for (const password of ['x'.repeat(11), '\ufdfa', 'x'.repeat(50_000_000), '\ud83d', undefined as unknown as string, 1 as unknown as string, null as unknown as string]) {
    t.strictSame(await passwords.verify(password, undefined), wrong)
    t.strictSame(work.splice(0), ['decoy '], 'one hash, of an empty password')
    for (const stored of [await hasher.hash('x'.repeat(10)), await hasher.hash('')]) t.strictSame(await passwords.verify(password, stored), wrong, 'not even the empty one')
    work.splice(0)
    const error = await passwords.hash(password).catch((error: unknown) => error)
    t.ok(error instanceof PasswordPolicyError, 'and it is not hashed')
    t.strictSame(work, [])
  }
  t.strictSame(await cheap().verify(long, foreignHashes.find(({ by }) => by.includes('72 bytes'))?.hash), old, 'bcrypt cut it when it was made')
})

t.test('a hash that is none', async (t) => {
  const { hasher, work } = watched()
  const passwords = cheap({ hasher, accepted: new Set(['argon2id', 'pbkdf2']) })
  const secretHash = '1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0'
  const bcrypt = foreignHashes.find(({ kind }) => kind === 'bcrypt')?.hash as string
  const argon2d = foreignHashes.find(({ kind }) => kind === 'argon2d')?.hash as string
  const expensive = ['$argon2id$v=19$m=4294967295,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$7lfT0/j6yAYZtF/bUb0iiy5QFrrWCMXTLPC83sLuOD8', 'pbkdf2_sha256$1000000000000$seasalt$7lfT0/j6yAYZtF/bUb0iiy5QFrrWCMXTLPC83sLuOD8=', `$2b$31$${bcrypt.slice(7)}`, '$scrypt$ln=31,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$7lfT0/j6yAYZtF/bUb0iiy5QFrrWCMXTLPC83sLuOD8']
  for (const stored of [secretHash, 'correct horse', ' ', '*', 'md5$salt$hash', '$', '$argon2id$', '$2b$', bcrypt, argon2d, ...expensive, `${await hasher.hash('x')}${'A'.repeat(600)}`]) {
    const error = await passwords.verify('correct horse', stored).catch((error: unknown) => error) as InvalidHashError
    t.ok(error instanceof InvalidHashError, stored.slice(0, 30))
    t.equal(error.hash, stored, 'it is there for who asks')
    t.strictSame(work.splice(0).filter((one) => one.startsWith('decoy')), ['decoy correct horse'], 'after the same work')
    if (stored.length < 10) continue
    for (const shown of [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), String(error), error.stack]) t.notOk(shown?.includes(stored), 'it is not shown')
  }
})

t.test('Hash of another kind: only those that are accepted verify', async (t) => {
  for (const kind of HASH_KINDS) {
    const example = foreignHashes.find((one) => one.kind === kind && !one.by.includes('defaults'))
    const { password = '', hash } = example ?? {}
    t.match(await cheap({ accepted: new Set([kind]) }).verify(password, hash), { matches: true }, kind)
    const others = new Set(HASH_KINDS.filter((other) => other !== kind))
    await t.rejects(cheap({ accepted: others }).verify(password, hash), InvalidHashError, kind)
  }
})

t.test('Malformed hashes: an error of ours, or no match, and never a crash', async (t) => {
  const passwords = cheap({ concurrency: 3 })
  const known = foreignHashes.filter(({ by }) => !by.includes('defaults')).map(({ hash }) => hash)
  const characters = fc.constantFrom(...'$=,.+/!0123456789abAB', '\u0000', '\n', '\u00e9', '\ud83d')
  const changed = fc.tuple(fc.constantFrom(...known), fc.nat(), fc.nat({ max: 3 }), fc.string({ unit: characters, maxLength: 3 }))
    .map(([hash, at, cut, put]) => { const i = at % (hash.length + 1); return hash.slice(0, i) + put + hash.slice(i + cut) })
    .filter((hash) => !known.includes(hash) && affordable(hash))
  const shaped = fc.tuple(fc.constantFrom('$argon2id', '$argon2i', 'argon2$argon2id', '$scrypt', 'scrypt', 'pbkdf2_sha256', 'pbkdf2_sha1', '$pbkdf2-sha256', '$2b', 'bcrypt$$2b', 'bcrypt_sha256$$2b'), fc.array(fc.string({ unit: characters, maxLength: 12 }), { maxLength: 6 }))
    .map(([prefix, parts]) => [prefix, ...parts].join('$')).filter(affordable)
  const any = fc.string({ unit: 'binary', maxLength: 600 }).filter((hash) => hash !== '' && !hash.startsWith('!'))
  await campaign(t, 1000, fc.asyncProperty(fc.oneof(changed, shaped, any), async (stored) => {
    try {
      return !(await passwords.verify('not the password of any of them', stored)).matches
    } catch (error) {
      return error instanceof InvalidHashError
    }
  }))
})

/** Whether a hash that a change has made asks for no more than a test can spend. */
function affordable (hash: string): boolean {
  return !/\$\d{6,}|[mtnr]=\d{4,}|[tp]=\d{2,}|ln=1[1-9]|\$(0[6-9]|1\d)\$/.test(hash)
}

t.test('Flood of sign-ins: more than fit into the queue are sent away, whatever they ask', async (t) => {
  let running = 0
  let most = 0
  const ends: Array<() => void> = []
  const work = async () => {
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => { ends.push(resolve) })
    running--
  }
  const hasher: Hasher = { ...createArgon2id(cheapArgon2), hash: async () => { await work(); return 'hash' }, decoy: () => ({ kind: 'argon2id', text: '$argon2id', matches: async () => { await work(); return false } }) }
  const passwords = cheap({ hasher, concurrency: 2, queueLimit: 3 })
  const asked = [passwords.verify('a', undefined), passwords.hash('b'), passwords.verify('c', null), passwords.hash('d'), passwords.verify('e', '!')]
  for (const late of [passwords.verify('f', undefined), passwords.hash('g'), passwords.verify('h', '$2b$')]) {
    const error = await late.catch((error: unknown) => error)
    t.ok(error instanceof AuthUnavailableError)
    t.match(error, { statusCode: 503, dependency: 'password hashing', headers: { 'retry-after': '5' } })
  }
  while (ends.length > 0) {
    for (const end of ends.splice(0)) end()
    await new Promise((resolve) => { setImmediate(resolve) })
  }
  t.strictSame(await Promise.all(asked), [wrong, 'hash', wrong, 'hash', wrong])
  t.equal(most, 2)
})

t.test('a library that fails is no wrong password', async (t) => {
  const fault = new Error('out of memory')
  const fail = async (): Promise<never> => { throw fault }
  const hasher: Hasher = { ...createArgon2id(cheapArgon2), hash: fail, decoy: () => ({ kind: 'argon2id', text: '$argon2id', matches: fail }) }
  const passwords = cheap({ hasher, concurrency: 1 })
  for (const run of [() => passwords.hash('x'), () => passwords.verify('x', undefined), () => passwords.verify('x', 'no hash')]) {
    const error = await run().catch((error: unknown) => error)
    t.ok(error instanceof AuthUnavailableError)
    t.match(error, { statusCode: 503, dependency: 'password hashing', cause: fault })
  }
})

t.test('no secret in an error', async (t) => {
  const password = 'correct horse battery staple'
  const passwords: Passwords = cheap({ policy: { ...defaultPolicy, maxLength: 12, rules: [() => { throw new Error('down') }] }, queueLimit: 1, concurrency: 1 })
  const errors = await Promise.all([
    passwords.check(password), passwords.check(password.slice(0, 12)), passwords.hash(password), passwords.verify(password, password), passwords.verify(password, password), passwords.verify(password, password)
  ].map((result) => result.then(() => undefined, (error: unknown) => error)))
  t.equal(errors.filter((error) => error instanceof Error).length, 6)
  for (const error of errors) {
    for (const shown of [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), String(error), (error as Error).stack]) t.notMatch(shown, password.slice(0, 12))
  }
})

t.test('the libraries are loaded when the first hash is wanted, not before', async (t) => {
  const source = `
    const { createRequire } = await import('node:module')
    const { createPasswords } = await import(${JSON.stringify(new URL('../../lib/password/passwords.ts', import.meta.url).href)})
    const loaded = () => ['argon2', 'bcrypt'].filter((name) => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('@node-rs/' + name + '/')))
    const passwords = createPasswords({ argon2id: { timeCost: 2, memoryCost: 19456, parallelism: 1 } })
    await passwords.check('correct horse', { email: 'john@example.com' })
    const before = loaded()
    await passwords.verify('x', undefined)
    console.log(JSON.stringify([before, loaded()]))`
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', source])
  t.strictSame(JSON.parse(stdout), [[], ['argon2']])
})
