import t from 'tap'
import { BCRYPT_LIMIT, readBcrypt } from '../../lib/password/bcrypt.js'
import { foreignHashes, long } from './foreign-hashes.js'

const hash = ({ version = '2b', cost = '04', s = `${'a'.repeat(21)}e`, d = `${'a'.repeat(30)}i` } = {}) => `$${version}$${cost}$${s}${d}`

t.test('hashes of others', async (t) => {
  const hashes = foreignHashes.filter(({ kind }) => kind === 'bcrypt')
  t.equal(hashes.length, 7)
  for (const { by, kind, password, hash } of hashes) {
    t.equal(readBcrypt(hash)?.kind, kind, by)
    t.equal(await readBcrypt(hash)?.matches(password), true, by)
    t.equal(await readBcrypt(hash)?.matches(` ${password}`), false, by)
  }
})

t.test('72 bytes are what an old hash knows of a password', async (t) => {
  const of = (by: string) => readBcrypt(foreignHashes.find((one) => one.by === by)?.hash ?? '')
  const cut = of('bcrypt before 5.0, which cut at 72 bytes')
  t.equal(await cut?.matches(`${long.slice(0, 72)}, and another end`), true, 'the rest was never part of it')
  t.equal(await cut?.matches(long.slice(0, 71)), false, 'byte 72 was')
  const whole = of('Django, bcrypt_sha256')
  t.equal(await whole?.matches(long), true)
  t.equal(await whole?.matches(`${long.slice(0, 72)}, and another end`), false, 'Django\'s own hash knows all of it')
})

t.test('cost and form are bounded before use', async (t) => {
  t.ok(readBcrypt(hash()), 'this one is read')
  t.ok(readBcrypt(hash({ cost: String(BCRYPT_LIMIT) })), 'at the limit')
  for (const [name, stored] of Object.entries({
    'a cost just over the limit': hash({ cost: String(BCRYPT_LIMIT + 1) }),
    'a cost of days': hash({ cost: '31' }),
    'a cost there is not': hash({ cost: '03' }),
    'one digit': hash({ cost: '4' }),
    'a sign': hash({ cost: '+4' }),
    'another version': hash({ version: '2c' }),
    'the first version': hash({ version: '2' }),
    'too short': hash().slice(0, -1),
    'too long': `${hash()}.`,
    'a line behind it': `${hash()}\n`,
    'bits to spare that are set, in the salt': hash({ s: `${'a'.repeat(21)}f` }),
    'bits to spare that are set, in the output': hash({ d: `${'a'.repeat(30)}j` }),
    'another alphabet': hash({ s: `${'+'.repeat(21)}e` }),
    'a wrong prefix': `bcrypt_sha512$${hash()}`,
    'one dollar too few': `bcrypt${hash()}`,
    nothing: ''
  })) t.equal(readBcrypt(stored), undefined, name)
})

t.test('whatever is read, the library reads too', async (t) => {
  for (const version of ['2a', '2b', '2x', '2y']) {
    for (const end of '.Oeu') {
      const read = readBcrypt(hash({ version, s: `${'z'.repeat(21)}${end}` }))
      t.equal(await read?.matches('x'), false, `${version} ${end}`)
    }
  }
})
