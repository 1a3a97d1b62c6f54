import fc from 'fast-check'
import t from 'tap'
import { fromAb64, fromBase64, fromUnpadded, hasLength, toAb64, toUnpadded } from '../../lib/password/encoding.js'
import { campaign } from '../fuzz/campaign.js'

const bytes = fc.uint8Array({ maxLength: 70 }).map((array) => Buffer.from(array))
const forms: Array<[name: string, write: (bytes: Buffer) => string, read: (text: string) => Buffer | undefined]> = [
  ['base64', (buffer) => buffer.toString('base64'), fromBase64],
  ['base64 without padding', toUnpadded, fromUnpadded],
  ['base64 of passlib', toAb64, fromAb64]
]

for (const [name, write, read] of forms) {
  t.test(`${name}: what is written is read`, async (t) => {
    await campaign(t, 300, fc.property(bytes, (buffer) => read(write(buffer))?.equals(buffer) === true))
  })

  t.test(`${name}: there is one spelling`, async (t) => {
    await campaign(t, 2000, fc.property(fc.string({ unit: fc.constantFrom(...'AZaz09+/=.-_ \n'), maxLength: 12 }), (text) => {
      const found = read(text)
      return found === undefined || write(found) === text
    }))
  })
}

t.test('examples', async (t) => {
  t.same(fromBase64('+/8='), Buffer.from([0xfb, 0xff]))
  t.equal(fromBase64('+/8'), undefined, 'padding is missing')
  t.equal(fromBase64('-_8='), undefined, 'another alphabet')
  t.equal(fromBase64('+/9='), undefined, 'bits to spare that are set')
  t.same(fromUnpadded('+/8'), Buffer.from([0xfb, 0xff]))
  t.equal(fromUnpadded('+/8='), undefined, 'padding')
  t.same(fromAb64('./8'), Buffer.from([0xfb, 0xff]))
  t.equal(fromAb64('+/8'), undefined, 'a plus')
})

t.test('lengths', async (t) => {
  t.equal(hasLength(undefined, 0, 9), false)
  for (const [size, within] of [[1, false], [2, true], [3, true], [4, false]] as const) t.equal(hasLength(Buffer.alloc(size), 2, 3), within)
})
