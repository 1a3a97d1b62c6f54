import t from 'tap'
import { createScrypt, readScrypt, SCRYPT_LIMIT } from '../../lib/password/scrypt.js'
import { cheapScrypt } from './build.js'
import { foreignHashes } from './foreign-hashes.js'

const unpadded = (size: number) => Buffer.alloc(size, 1).toString('base64').replaceAll('=', '')
const phc = ({ ln = '4', r = '8', p = '1', s = unpadded(16), d = unpadded(32) } = {}) => `$scrypt$ln=${ln},r=${r},p=${p}$${s}$${d}`
const django = ({ n = '16', s = 'seasalt', r = '8', p = '5', d = Buffer.alloc(64, 1).toString('base64') } = {}) => `scrypt$${n}$${s}$${r}$${p}$${d}`

t.test('a hash of its own reads as passlib\'s, salted anew each time', async (t) => {
  const hasher = createScrypt(cheapScrypt)
  const [first, second] = [await hasher.hash('correct horse'), await hasher.hash('correct horse')]
  t.match(first, /^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  t.not(first, second)
  t.equal(await readScrypt(first)?.matches('correct horse'), true)
  t.equal(await readScrypt(first)?.matches('correct horsf'), false)
})

t.test('the vectors of RFC 7914', async (t) => {
  const hash = (ln: number, r: number, p: number, salt: string, hex: string) => phc({ ln: String(ln), r: String(r), p: String(p), s: Buffer.from(salt).toString('base64').replaceAll('=', ''), d: Buffer.from(hex, 'hex').toString('base64').replaceAll('=', '') })
  t.equal(await readScrypt(hash(14, 8, 1, 'SodiumChloride', '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887'))?.matches('pleaseletmein'), true)
})

t.test('parameters are bounded before use', async (t) => {
  t.equal(SCRYPT_LIMIT, 2 ** 22)
  t.ok(readScrypt(phc({ ln: '19' })), 'at the limit')
  t.ok(readScrypt(django({ n: String(2 ** 14) })), 'this one is read')
  for (const [name, hash] of Object.entries({
    'memory over the limit': phc({ ln: '20' }),
    'memory without end': phc({ ln: '63' }),
    'blocks over the limit': phc({ ln: '10', r: '4097' }),
    'blocks without end': phc({ r: '99999999' }),
    'repetitions over the limit': phc({ ln: '19', p: '2' }),
    'repetitions without end': phc({ p: '99999999' }),
    'more memory than blocks of that size allow': phc({ ln: '16', r: '1' }),
    'no memory': phc({ ln: '0' }),
    'no blocks': phc({ r: '0' }),
    'no repetitions': phc({ p: '0' }),
    'a salt of 7 bytes': phc({ s: unpadded(7) }),
    'an output of 15 bytes': phc({ d: unpadded(15) }),
    'an output of 65 bytes': phc({ d: unpadded(65).slice(0, 86) + 'A' }),
    'bits to spare that are set': phc({ s: unpadded(16).slice(0, -1) + 'R' }),
    'a line behind it': `${phc()}\n`,
    'Django, a cost that is no power of two': django({ n: '17' }),
    'Django, no cost': django({ n: '1' }),
    'Django, memory without end': django({ n: '67108864' }),
    'Django, no salt': django({ s: '' }),
    'Django, a salt without end': django({ s: 'x'.repeat(65) }),
    'Django, an output of 15 bytes': django({ d: Buffer.alloc(15).toString('base64') }),
    'Django, an output without padding': django({ d: unpadded(64) }),
    nothing: ''
  })) t.equal(readScrypt(hash), undefined, name)
  t.equal(await readScrypt(phc({ ln: '15', r: '1' }))?.matches('x'), false, 'the most memory for blocks of that size')
  t.equal(await readScrypt(phc({ ln: '1', r: '1', p: '64' }))?.matches('x'), false, 'the least memory')
})

t.test('what is current', async (t) => {
  const hasher = createScrypt({ cost: 16, blockSize: 8, parallelization: 2 })
  t.equal(hasher.isCurrent(await hasher.hash('x')), true, 'its own')
  t.equal(hasher.isCurrent(phc({ ln: '5', r: '9', p: '3' })), true, 'a stronger one')
  for (const [name, hash] of Object.entries({
    'less memory': phc({ ln: '3', p: '2' }),
    'smaller blocks': phc({ r: '7', p: '2' }),
    'fewer repetitions': phc({ p: '1' }),
    'a short salt': phc({ p: '2', s: unpadded(15) }),
    'a short output': phc({ p: '2', d: unpadded(31) }),
    'the spelling of Django': django(),
    'another kind': 'x'
  })) t.equal(hasher.isCurrent(hash), false, name)
})

t.test('a decoy is of the same cost and of no password', async (t) => {
  const decoy = createScrypt(cheapScrypt).decoy()
  t.equal(decoy.kind, 'scrypt')
  for (const password of ['', 'correct horse']) t.equal(await decoy.matches(password), false)
})

t.test('a fault of the library is thrown', async (t) => {
  await t.rejects(createScrypt({ ...cheapScrypt, cost: 3 }).hash('x'), { code: 'ERR_CRYPTO_INVALID_SCRYPT_PARAMS' })
})

t.test('hashes of others', async (t) => {
  const hashes = foreignHashes.filter(({ kind }) => kind === 'scrypt')
  t.equal(hashes.length, 4)
  for (const { by, kind, password, hash } of hashes) {
    t.equal(readScrypt(hash)?.kind, kind, by)
    t.equal(await readScrypt(hash)?.matches(password), true, by)
    t.equal(await readScrypt(hash)?.matches(`${password} `), false, by)
  }
})
