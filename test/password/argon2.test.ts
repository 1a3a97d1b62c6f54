import t from 'tap'
import { ARGON2_LIMITS, createArgon2id, readArgon2 } from '../../lib/password/argon2.js'
import { cheapArgon2 } from './build.js'
import { foreignHashes } from './foreign-hashes.js'

const salt = 'c29tZXNhbHRzb21lc2FsdA'
const digest = '7lfT0/j6yAYZtF/bUb0iiy5QFrrWCMXTLPC83sLuOD8'
const phc = ({ type = 'argon2id', v = 'v=19$', m = '256', t = '2', p = '1', s = salt, d = digest } = {}) => `$${type}$${v}m=${m},t=${t},p=${p}$${s}$${d}`
const unpadded = (size: number) => Buffer.alloc(size, 1).toString('base64').replaceAll('=', '')

t.test('a hash of its own is a PHC string, salted anew each time', async (t) => {
  const hasher = createArgon2id(cheapArgon2)
  const [first, second] = [await hasher.hash('correct horse'), await hasher.hash('correct horse')]
  t.match(first, /^\$argon2id\$v=19\$m=64,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  t.not(first, second)
  for (const hash of [first, second]) {
    const read = readArgon2(hash)
    t.equal(read?.kind, 'argon2id')
    t.equal(await read?.matches('correct horse'), true)
    t.equal(await read?.matches('correct horsf'), false)
    t.equal(await read?.matches(''), false)
  }
})

t.test('parameters are bounded before use', async (t) => {
  const { memoryCost, work, parallelism } = ARGON2_LIMITS
  t.ok(readArgon2(phc()), 'this one is read')
  t.ok(readArgon2(phc({ m: String(memoryCost), t: String(work / memoryCost), p: String(parallelism) })), 'at the limits')
  for (const [name, hash] of Object.entries({
    'memory of 4 TiB': phc({ m: '4294967295' }),
    'memory just over the limit': phc({ m: String(memoryCost + 1), t: '1' }),
    'passes without end': phc({ t: '4294967295' }),
    'work just over the limit': phc({ m: String(memoryCost), t: String(work / memoryCost + 1) }),
    'lanes just over the limit': phc({ m: '1024', p: String(parallelism + 1) }),
    'memory under eight blocks a lane': phc({ m: '15', p: '2' }),
    'no memory': phc({ m: '0' }),
    'no passes': phc({ t: '0' }),
    'no lanes': phc({ p: '0' }),
    'a number with a zero before it': phc({ m: '0256' }),
    'a number in hexadecimal': phc({ m: '0x100' }),
    'a negative number': phc({ m: '-256' }),
    'a number with an exponent': phc({ t: '1e3' }),
    'a salt of 7 bytes': phc({ s: unpadded(7) }),
    'a salt of 65 bytes': phc({ s: unpadded(65) }),
    'an output of 15 bytes': phc({ d: unpadded(15) }),
    'an output of 65 bytes': phc({ d: unpadded(65) }),
    'no output': phc({ d: '' }),
    'bits to spare that are set': phc({ s: salt.slice(0, -1) + 'B' }),
    padding: phc({ s: salt + '==' }),
    'a version there never was': phc({ v: 'v=18$' }),
    'another type': phc({ type: 'argon2x' }),
    'Django with another name': `argon3${phc()}`,
    'something behind it': `${phc()}$`,
    'a line behind it': `${phc()}\n`,
    'a key id': phc({ p: '1,keyid=abc' }),
    'another order': `$argon2id$v=19$t=2,m=256,p=1$${salt}$${digest}`,
    nothing: ''
  })) t.equal(readArgon2(hash), undefined, name)
  for (const size of [8, 64]) t.ok(readArgon2(phc({ s: unpadded(size) })), `a salt of ${size} bytes`)
  for (const size of [16, 64]) t.ok(readArgon2(phc({ d: unpadded(size) })), `an output of ${size} bytes`)
})

t.test('what is current', async (t) => {
  const hasher = createArgon2id({ timeCost: 2, memoryCost: 256, parallelism: 2 })
  t.equal(hasher.isCurrent(await hasher.hash('x')), true, 'its own')
  t.equal(hasher.isCurrent(phc({ m: '512', t: '3', p: '4' })), true, 'a stronger one')
  for (const [name, hash] of Object.entries({
    'less memory': phc({ m: '255', p: '2' }),
    'fewer passes': phc({ t: '1', p: '2' }),
    'fewer passes over more memory': phc({ m: '1024', t: '1', p: '2' }),
    'fewer lanes': phc({ p: '1' }),
    'a short salt': phc({ p: '2', s: unpadded(15) }),
    'a short output': phc({ p: '2', d: unpadded(31) }),
    'an old version': phc({ p: '2', v: 'v=16$' }),
    'no version': phc({ p: '2', v: '' }),
    argon2i: phc({ p: '2', type: 'argon2i' }),
    argon2d: phc({ p: '2', type: 'argon2d' }),
    'the spelling of Django': `argon2${phc({ p: '2' })}`,
    'another kind': 'x'
  })) t.equal(hasher.isCurrent(hash), false, name)
})

t.test('a decoy is of the same cost and of no password', async (t) => {
  const decoy = createArgon2id(cheapArgon2).decoy()
  t.equal(decoy.kind, 'argon2id')
  for (const password of ['', 'correct horse']) t.equal(await decoy.matches(password), false)
})

t.test('hashes of others', async (t) => {
  const hashes = foreignHashes.filter(({ kind }) => kind.startsWith('argon2'))
  t.equal(hashes.length, 13)
  for (const { by, kind, password, hash } of hashes) {
    t.equal(readArgon2(hash)?.kind, kind, by)
    t.equal(await readArgon2(hash)?.matches(password), true, by)
    t.equal(await readArgon2(hash)?.matches(`${password} `), false, by)
  }
})
