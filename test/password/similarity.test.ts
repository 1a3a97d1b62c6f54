import fc from 'fast-check'
import t from 'tap'
import { isSimilar, similarity } from '../../lib/password/similarity.js'
import { campaign } from '../fuzz/campaign.js'

t.test('the values of Python\'s quick_ratio', async (t) => {
  for (const [a, b, value] of [
    ['johndoe', 'johndoe', 1],
    ['eodnhoj', 'johndoe', 1],
    ['johndoe', 'johndoe@example.com', 0.5385],
    ['johnd', 'johndoe', 0.8333],
    ['x7!kp2$qz', 'j@x.com', 0.125],
    ['', '', 1],
    ['a', '', 0],
    ['', 'a', 0],
    ['aab', 'abb', 0.6667],
    ['\u{1f511}\u{1f512}', '\u{1f511}', 0.6667]
  ] as const) t.equal(Number(similarity(a, b).toFixed(4)), value, `${a} and ${b}`)
})

t.test('it is a share, and the same in both directions', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '\u{1f511}'), maxLength: 12 })
  await campaign(t, 500, fc.property(text, text, (a, b) => {
    const value = similarity(a, b)
    return value >= 0 && value <= 1 && value === similarity(b, a) && similarity(a, a) === 1
  }))
})

t.test('what is similar to an attribute', async (t) => {
  t.equal(isSimilar('johndoe1', 'johndoe@example.com', 0.7), true, 'the part before the @')
  t.equal(isSimilar('johndoe1', 'JohnDoe', 0.7), true, 'without case')
  t.equal(isSimilar('JOHNDOE1', 'johndoe', 0.7), true, 'without case')
  t.equal(isSimilar('johndoe@example.com', 'johndoe@example.com', 0.7), true, 'all of it')
  t.equal(isSimilar('example.com', 'johndoe@example.com', 0.74), false, 'the part behind the @ counts with the rest')
  t.equal(isSimilar('johndoe1', '\uff4aohndoe', 0.7), true, 'in another width')
  t.equal(isSimilar('x7!kp2$qz', 'j@x.com', 0.7), false)
  t.equal(isSimilar('johnd', 'johndoe', 0.8334), false, 'just under')
  t.equal(isSimilar('johndoe', 'johndoe', 1), true, 'no less than')
  for (const nothing of ['', '@', null, undefined]) t.equal(isSimilar('johndoe1', nothing, 0.7), false)
  t.equal(isSimilar('', '@example.com', 0.7), false, 'an empty part is like nothing')
  t.equal(isSimilar('a'.repeat(1024), `${'a'.repeat(1024)}${'b'.repeat(1024)}`, 0.7), true, 'the beginning of a long attribute is compared')
  t.equal(isSimilar('johndoe', `johndoe${'x'.repeat(1_000_000)}@example.com`, 0.7), false)
})
