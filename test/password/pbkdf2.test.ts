import { pbkdf2Sync } from 'node:crypto'
import t from 'tap'
import { createPbkdf2, PBKDF2_LIMIT, readPbkdf2 } from '../../lib/password/pbkdf2.js'
import { foreignHashes } from './foreign-hashes.js'

const ab64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '').replaceAll('+', '.')
const passlib = ({ name = 'pbkdf2-sha256', rounds = '100', s = ab64(Buffer.alloc(16, 0xfb)), d = ab64(Buffer.alloc(32, 0xfb)) } = {}) => `$${name}$${rounds}$${s}$${d}`
const django = ({ name = 'pbkdf2_sha256', rounds = '100', s = 'seasalt', d = Buffer.alloc(32, 1).toString('base64') } = {}) => `${name}$${rounds}$${s}$${d}`
const hex = { s: '30313233343536373839616263646566', d: 'ab'.repeat(32) }

t.test('a hash of its own reads as passlib\'s, salted anew each time', async (t) => {
  const hasher = createPbkdf2({ iterations: 10 })
  const [first, second] = [await hasher.hash('correct horse'), await hasher.hash('correct horse')]
  t.match(first, /^\$pbkdf2-sha256\$10\$[A-Za-z0-9./]{22}\$[A-Za-z0-9./]{43}$/)
  t.not(first, second)
  t.equal(await readPbkdf2(first)?.matches('correct horse'), true)
  t.equal(await readPbkdf2(first)?.matches('correct horsf'), false)
})

t.test('one prefix, three ways to write a salt', async (t) => {
  const key = (salt: string | Buffer) => pbkdf2Sync('secret', salt, 100, 32, 'sha256')
  const text = 'abcdefghijkl'
  t.equal(await readPbkdf2(django({ s: text, d: key(text).toString('base64') }))?.matches('secret'), true, 'text, as Django')
  t.equal(await readPbkdf2(django({ s: text, d: key(Buffer.from(text, 'base64')).toString('base64') }))?.matches('secret'), true, 'base64, as tortoise-auth')
  t.equal(await readPbkdf2(django({ s: hex.s, d: key(Buffer.from(hex.s, 'hex')).toString('hex') }))?.matches('secret'), true, 'hexadecimal, as auth-middleware')
  t.equal(await readPbkdf2(django({ s: hex.s, d: key(hex.s).toString('base64') }))?.matches('secret'), true, 'text that could be hexadecimal')
  t.equal(await readPbkdf2(django({ s: hex.s, d: key(hex.s).toString('hex') }))?.matches('secret'), false, 'nobody writes a hexadecimal hash of a salt as text')
})

t.test('parameters are bounded before use', async (t) => {
  t.ok(readPbkdf2(passlib({ rounds: String(PBKDF2_LIMIT) })), 'at the limit')
  t.ok(readPbkdf2(django()), 'this one is read')
  t.ok(readPbkdf2(django(hex)), 'and in hexadecimal')
  for (const [name, hash] of Object.entries({
    'iterations just over the limit': passlib({ rounds: String(PBKDF2_LIMIT + 1) }),
    'iterations without end': passlib({ rounds: '9999999999' }),
    'no iterations': passlib({ rounds: '0' }),
    'an output of 31 bytes': passlib({ d: ab64(Buffer.alloc(31)) }),
    'an output of another digest': passlib({ name: 'pbkdf2-sha512' }),
    'another digest': passlib({ name: 'pbkdf2-md5' }),
    'no salt': passlib({ s: '' }),
    'a plus': passlib({ s: '+'.repeat(16) }),
    'bits to spare that are set': passlib({ s: `${'A'.repeat(21)}B` }),
    'a line behind it': `${passlib()}\n`,
    'Django, 10^12 iterations': django({ rounds: '1000000000000' }),
    'Django, iterations just over the limit': django({ rounds: String(PBKDF2_LIMIT + 1) }),
    'Django, no salt': django({ s: '' }),
    'Django, a salt without end': django({ s: 'x'.repeat(129) }),
    'Django, an output of 31 bytes': django({ d: Buffer.alloc(31).toString('base64') }),
    'Django, an output without padding': django({ d: Buffer.alloc(32).toString('base64').slice(0, -1) }),
    'Django, another digest': django({ name: 'pbkdf2_md5' }),
    'Django, the output of SHA-1 under SHA-256': django({ d: Buffer.alloc(20).toString('base64') }),
    'hexadecimal, iterations without end': django({ ...hex, rounds: '4294967295' }),
    'hexadecimal, a salt that is none': django({ ...hex, s: 'xyz' }),
    'hexadecimal, half a byte of salt': django({ ...hex, s: '012' }),
    'hexadecimal, an output that is none': django({ ...hex, d: 'Z'.repeat(64) }),
    'hexadecimal, in capitals': django({ ...hex, d: 'AB'.repeat(32) }),
    'hexadecimal, under SHA-1': django({ ...hex, name: 'pbkdf2_sha1' }),
    nothing: ''
  })) t.equal(readPbkdf2(hash), undefined, name)
})

t.test('what is current', async (t) => {
  const hasher = createPbkdf2({ iterations: 10 })
  t.equal(hasher.isCurrent(await hasher.hash('x')), true, 'its own')
  t.equal(hasher.isCurrent(passlib({ rounds: '11' })), true, 'a stronger one')
  for (const [name, hash] of Object.entries({
    'fewer iterations': passlib({ rounds: '9' }),
    'a short salt': passlib({ s: ab64(Buffer.alloc(15)) }),
    'SHA-1': passlib({ name: 'pbkdf2', d: ab64(Buffer.alloc(20)) }),
    'SHA-512': passlib({ name: 'pbkdf2-sha512', d: ab64(Buffer.alloc(64)) }),
    'the spelling of Django': django(),
    hexadecimal: django(hex),
    'another kind': 'x'
  })) t.equal(hasher.isCurrent(hash), false, name)
})

t.test('a decoy is of the same cost and of no password', async (t) => {
  const decoy = createPbkdf2({ iterations: 10 }).decoy()
  t.equal(decoy.kind, 'pbkdf2')
  for (const password of ['', 'correct horse']) t.equal(await decoy.matches(password), false)
})

t.test('hashes of others', async (t) => {
  const hashes = foreignHashes.filter(({ kind }) => kind === 'pbkdf2')
  t.equal(hashes.length, 12)
  for (const { by, kind, password, hash } of hashes) {
    t.equal(readPbkdf2(hash)?.kind, kind, by)
    t.equal(await readPbkdf2(hash)?.matches(password), true, by)
    t.equal(await readPbkdf2(hash)?.matches(`${password} `), false, by)
  }
})
