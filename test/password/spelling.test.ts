import fc from 'fast-check'
import t from 'tap'
import { spell } from '../../lib/password/spelling.js'
import { campaign } from '../fuzz/campaign.js'

t.test('forms', async (t) => {
  t.strictSame(spell('correct horse', 128), { normal: 'correct horse', typed: 'correct horse', length: 13 })
  t.strictSame(spell('', 128), { normal: '', typed: '', length: 0 })
  t.strictSame(spell('e\u0301', 128), { normal: '\u00e9', typed: 'e\u0301', length: 1 }, 'the shorter form counts for the least')
  t.strictSame(spell('\ufdfa', 128), { normal: '\ufdfa'.normalize('NFKC'), typed: '\ufdfa', length: 1 }, 'one character is one, even if it stands for 18')
  t.strictSame(spell('\u{1f511}', 128), { normal: '\u{1f511}', typed: '\u{1f511}', length: 1 }, 'a surrogate pair is one')
})

t.test('bounds', async (t) => {
  t.match(spell('x'.repeat(10), 10), { length: 10 })
  t.equal(spell('x'.repeat(11), 10), 'long')
  t.match(spell('\u{1f511}'.repeat(10), 10), { length: 10 })
  t.equal(spell('\u{1f511}'.repeat(11), 10), 'long')
  t.equal(spell('\ufdfa', 10), 'long', 'the longer form counts for the most')
  t.equal(spell('e\u0301'.repeat(6), 10), 'long', 'the longer form counts for the most')
  t.equal(spell('x'.repeat(50_000_000), 10), 'long')
})

t.test('what is no text', async (t) => {
  for (const value of [undefined, null, 1, {}, ['x'], Buffer.from('x'), '\ud83d', 'a\ud83d', '\udd11a', '\udd11\ud83d']) t.equal(spell(value, 10), 'malformed')
})

t.test('every form that comes out is bounded, in bytes too', async (t) => {
  const text = fc.string({ unit: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.constantFrom('\ufdfa', '\ud83d', 'e\u0301', '\u{1f511}')), maxLength: 40 })
  await campaign(t, 2000, fc.property(text, (password) => {
    const spelling = spell(password, 16)
    if (typeof spelling === 'string') return true
    return [spelling.normal, spelling.typed].every((form) => [...form].length <= 16 && Buffer.byteLength(form) <= 64 && Buffer.from(form).toString() === form) && spelling.normal === password.normalize('NFKC')
  }))
})
