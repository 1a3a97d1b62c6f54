import fc from 'fast-check'
import t from 'tap'
import { createSealer } from '../lib/encryption.js'
import { ConfigurationError } from '../lib/errors.js'
import { campaign } from './fuzz/campaign.js'

const key = (byte: number): Buffer => Buffer.alloc(32, byte)
const refused = { name: 'ConfigurationError', option: 'encryptionKey' }

t.test('what is sealed is opened, in its place, by any of the keys', async (t) => {
  const old = createSealer([key(1)])
  const both = createSealer([key(2), key(1)])
  await campaign(t, 200, fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.string({ maxLength: 20 }), (text, place) => {
    const [first, second] = [old.seal(text, place), both.seal(text, place)]
    const well = Buffer.from(text, 'utf8').toString('utf8')
    return old.open(first, place).text === well && !old.open(first, place).outdated &&
      both.open(first, place).text === well && both.open(first, place).outdated && !both.open(second, place).outdated
  }))
  t.throws(() => old.open(both.seal('x', 'a'), 'a'), refused, 'by a key that is not known')
})

t.test('no two are alike, and none shows its text', async (t) => {
  const sealer = createSealer([key(1)])
  const sealed = Array.from({ length: 50 }, () => sealer.seal('a secret', 'place'))
  t.equal(new Set(sealed).size, 50)
  for (const one of sealed) t.notMatch(Buffer.from(one.slice(9), 'base64url').toString('latin1'), 'secret')
})

t.test('attack: what was changed, cut, or put into another place', async (t) => {
  const sealer = createSealer([key(1)])
  const sealed = sealer.seal('a secret', 'totp:ada')
  t.throws(() => sealer.open(sealed, 'totp:eve'), refused)
  for (let place = 0; place < sealed.length; place++) {
    const changed = `${sealed.slice(0, place)}${sealed[place] === 'A' ? 'B' : 'A'}${sealed.slice(place + 1)}`
    // The dot is of no consequence, and so are bits of the last character that carry nothing.
    if (place === 8 || Buffer.from(changed.slice(9), 'base64url').equals(Buffer.from(sealed.slice(9), 'base64url'))) continue
    t.throws(() => sealer.open(changed, 'totp:ada'), refused, String(place))
  }
  for (const other of ['', 'x', sealed.slice(0, 8), sealed.slice(0, 40), `${sealed}AAAA`]) t.throws(() => sealer.open(other, 'totp:ada'), refused)
  await campaign(t, 500, fc.property(fc.string({ maxLength: 80 }), (text) => {
    try {
      sealer.open(text, 'totp:ada')
      return false
    } catch (error) {
      return error instanceof ConfigurationError && (text.length < 4 || !error.message.includes(text))
    }
  }))
})
