import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { BadSignatureError, ConfigurationError, createSigner, SignatureExpiredError, type SignerOptions } from '../index.js'

const secret = 'a secret of at least thirty-two bytes'
const another = 'another secret of thirty-two bytes or more'
const purpose = 'unsubscribe'
/** In seconds, as timestamps are. */
const start = 1_700_000_000

/** A signer whose clock stands, until a test moves it. */
function signer (changes: Partial<SignerOptions> = {}) {
  let now = start * 1000
  const made = createSigner({ secret, purpose, clock: () => now, ...changes })
  return { ...made, pass: (seconds: number) => { now += seconds * 1000 } }
}

const bad = (reason: string) => ({ name: 'BadSignatureError', code: 'BAD_SIGNATURE', statusCode: 400, message: 'Invalid signature', reason })

t.test('what was signed comes back, with any separator, whatever it holds', async (t) => {
  for (const separator of [':', '.', '::', ' ', '~~~', '|', '\n', '😀', '=']) {
    const { sign, unsign, read } = signer({ separator })
    for (const value of ['user:42', '', separator, `a${separator}b`, `${separator}${separator}`, 'héllo wörld', '😀', '\0', 'MTcwMDAwMDAwMA', 'x'.repeat(65_536)]) {
      t.equal(unsign(sign(value)), value)
      t.equal(unsign(sign(value, { timestamp: false })), value)
      t.equal(unsign(sign(value, { timestamp: true })), value)
      t.strictSame(read(sign(value)), { value, signedAt: undefined })
      t.strictSame(read(sign(value, { timestamp: true }), { maxAge: 0 }), { value, signedAt: new Date(start * 1000) })
    }
    t.match(sign('v'), new RegExp(`^v${separator.replace(/[|.]/g, '\\$&')}[\\w-]{43}$`))
  }
})

// Computed by a program that knows nothing of this package.
t.test('the form is value, timestamp, signature; the keys are derived with HKDF', async (t) => {
  const { sign } = signer()
  t.equal(sign('user:42'), 'user:42:SJ4--vTZtmDV7uD8lnRQUsSybPWjOy5qWBWX-KKJ7fc')
  t.equal(sign('user:42', { timestamp: true }), 'user:42:MTcwMDAwMDAwMA:Ppw44fDsdcgl_Tjhz1i89j-OIMOxvakssT380EhymWA')
})

t.test('a value of one purpose is no value of another', async (t) => {
  for (const options of [{}, { timestamp: true }]) {
    const signed = signer().sign('user:42', options)
    t.throws(() => signer({ purpose: 'reset' }).unsign(signed), bad('mismatch'))
    t.throws(() => signer({ purpose: 'Unsubscribe' }).unsign(signed), bad('mismatch'))
    t.throws(() => signer({ secret: another }).unsign(signed), bad('mismatch'))
    t.throws(() => createSigner({ secret, unsalted: true }).unsign(signed), bad('mismatch'))
    t.throws(() => signer().unsign(createSigner({ secret, unsalted: true }).sign('user:42', options)), bad('mismatch'))
  }
  // With one separator ending in the other, the texts would be the same.
  t.throws(() => signer({ separator: ':' }).unsign(signer({ separator: '::' }).sign('a', { timestamp: true })), bad('mismatch'))
})

t.test('rotation: the first secret signs, all verify, and one that is gone does not', async (t) => {
  const old = signer({ secret })
  const both = signer({ secret: [another, secret] })
  const next = signer({ secret: [another] })
  for (const options of [{}, { timestamp: true }]) {
    t.equal(both.unsign(old.sign('v', options)), 'v')
    t.equal(next.unsign(both.sign('v', options)), 'v')
    t.throws(() => next.unsign(old.sign('v', options)), bad('mismatch'))
    t.throws(() => old.unsign(both.sign('v', options)), bad('mismatch'))
  }
  t.doesNotThrow(() => both.verifyUrl(old.signUrl('/a', { expiresIn: 1 })))
  t.throws(() => next.verifyUrl(old.signUrl('/a', { expiresIn: 1 })), bad('mismatch'))
})

t.test('maxAge: exactly as old still passes, one second more does not', async (t) => {
  const { sign, unsign, pass } = signer()
  const signed = sign('v', { timestamp: true })
  pass(3600)
  t.equal(unsign(signed, { maxAge: 3600 }), 'v')
  t.throws(() => unsign(signed, { maxAge: 3599 }), { name: 'SignatureExpiredError', code: 'SIGNATURE_EXPIRED', statusCode: 400, age: 3600, maxAge: 3599, message: 'Signature has expired' })
  pass(1)
  t.throws(() => unsign(signed, { maxAge: 3600 }), SignatureExpiredError)
  t.equal(unsign(signed), 'v', 'without maxAge any age will do')
  t.equal(unsign(signed, { timestamp: true }), 'v')
})

t.test('a signature from the future is refused, beyond what clocks may differ by', async (t) => {
  const ahead = signer()
  ahead.pass(6)
  const signed = ahead.sign('v', { timestamp: true })
  t.throws(() => signer().unsign(signed, { maxAge: 3600 }), bad('future'))
  t.throws(() => signer({ clockTolerance: 5 }).unsign(signed, { maxAge: 3600 }), bad('future'))
  t.equal(signer({ clockTolerance: 6 }).unsign(signed, { maxAge: 0 }), 'v')
  t.equal(signer().unsign(signed), 'v')
})

t.test('maxAge asks for a timestamp, and the end of a value is none', async (t) => {
  const { sign, unsign } = signer()
  const looksTimed = sign('v:MTcwMDAwMDAwMA')
  t.equal(unsign(looksTimed), 'v:MTcwMDAwMDAwMA')
  for (const options of [{ maxAge: 3600 }, { timestamp: true as const }]) {
    t.throws(() => unsign(sign('v'), options), bad('no_timestamp'))
    t.throws(() => unsign(looksTimed, options), bad('no_timestamp'))
  }
})

t.test('neither a tampered value, nor timestamp, nor signature passes', async (t) => {
  const { sign, unsign } = signer()
  for (const options of [{}, { timestamp: true }]) {
    const signed = sign('user:42', options)
    for (let index = 0; index < signed.length; index++) {
      for (const other of ['', 'A', '_', 'AA', 'Ł', '\u0000', ':']) {
        const tampered = signed.slice(0, index) + other + signed.slice(index + 1)
        if (tampered !== signed) t.throws(() => unsign(tampered), BadSignatureError)
      }
    }
    for (const tampered of [`${signed} `, ` ${signed}`, `${signed}\n`, `${signed}=`, `${signed}A`, signed.toUpperCase(), signed.slice(0, -43), signed.slice(1), `${signed}:${signed}`]) {
      t.throws(() => unsign(tampered), BadSignatureError, tampered)
    }
  }
})

t.test('a signature has one spelling', async (t) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const { sign, unsign } = signer()
  const signed = sign('v')
  const last = alphabet.indexOf(signed.slice(-1))
  const twin = signed.slice(0, -1) + alphabet[last ^ 1]
  t.strictSame(Buffer.from(twin.slice(2), 'base64url'), Buffer.from(signed.slice(2), 'base64url'), 'the same bytes')
  t.throws(() => unsign(twin), bad('mismatch'))
  // A character that ends in the same byte as one of the signature, as latin1 would read it.
  const letter = signed.charCodeAt(10)
  t.throws(() => unsign(signed.slice(0, 10) + String.fromCharCode(letter + 0x100) + signed.slice(11)), bad('mismatch'))
})

t.test('whatever is given to unsign(), the answer is a BadSignatureError', async (t) => {
  const { unsign } = signer()
  const plain = createSigner({ secret, unsalted: true })
  const malformed = [undefined, null, 1, {}, [], Symbol('s'), () => '', Buffer.from('a'), '\ud800'.repeat(50), `\udc00:${'A'.repeat(43)}`, 'x'.repeat(131_073)]
  for (const value of malformed) t.throws(() => unsign(value as string), bad('malformed'))
  for (const value of ['', ':', 'a', 'a:b', 'A'.repeat(43), 'A'.repeat(44), `:${'A'.repeat(42)}`, `v:${'A'.repeat(44)}`]) t.throws(() => unsign(value), bad('no_separator'))
  for (const value of [`:${'A'.repeat(43)}`, `v:${'é'.repeat(43)}`, `v:${' '.repeat(43)}`]) t.throws(() => unsign(value), bad('mismatch'))
  fc.assert(fc.property(fc.oneof(fc.anything(), fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ unit: fc.constantFrom(':', 'A', '='), maxLength: 120 })), fc.option(fc.nat(), { nil: undefined }), (value, maxAge) => {
    for (const one of [unsign, plain.unsign]) {
      t.throws(() => one(value as string, maxAge === undefined ? {} : { maxAge }), BadSignatureError)
    }
  }), { numRuns: 1000 })
})

t.test('any text comes back as it was, in either form, or is refused by sign()', async (t) => {
  const { sign, unsign } = signer()
  const plain = createSigner({ secret, unsalted: true, clock: () => start * 1000 })
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.boolean(), (value, timestamp) => {
    const options = timestamp ? { maxAge: 10_000_000_000 } : {}
    if (!timestamp) return plain.unsign(plain.sign(value)) === value && unsign(sign(value)) === value
    return plain.unsign(plain.sign(value, { timestamp }), options) === value && unsign(sign(value, { timestamp })) === value
  }), { numRuns: 2000 })
  fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), fc.nat(200), fc.string({ maxLength: 3 }), (value, at, insert) => {
    const signed = sign(value)
    const cut = at % signed.length
    const changed = signed.slice(0, cut) + insert + signed.slice(cut + 1)
    if (changed !== signed) t.throws(() => unsign(changed), BadSignatureError)
  }), { numRuns: 500 })
})

t.test('a mistake in a call is a TypeError, and never a value without a limit', async (t) => {
  const { sign, unsign, read } = signer()
  const signed = sign('v', { timestamp: true })
  for (const maxAge of [NaN, -1, Infinity, -Infinity, 1.5, '3600', null, 1e12, {}]) t.throws(() => unsign(signed, { maxAge } as never), TypeError, String(maxAge))
  for (const options of [3600, '3600', null, [3600], { max_age: 3600 }, { maxAge: 1, timestamp: false }, { timestamp: 'yes' }]) {
    t.throws(() => unsign(signed, options as never), TypeError, JSON.stringify(options))
    t.throws(() => read(signed, options as never), TypeError)
  }
  for (const value of [undefined, null, 1, {}, Buffer.from('a'), '\ud800', 'a\udfff', 'x'.repeat(65_537)]) t.throws(() => sign(value as string), TypeError)
  for (const options of [true, null, { timestamp: 1 }, { timestamps: true }]) t.throws(() => sign('v', options as never), TypeError, JSON.stringify(options))
})

t.test('attack: a limit that is undefined, such as one that a configuration lacks', async (t) => {
  const { sign, unsign, read, signUrl, verifyUrl } = signer()
  const signed = sign('v', { timestamp: true })
  for (const options of [{ maxAge: undefined }, { timestamp: undefined }, { maxAge: undefined, timestamp: true }]) {
    t.throws(() => unsign(signed, options as never), { name: 'TypeError', message: /^unsign\(\): (maxAge|timestamp) is undefined/ })
    t.throws(() => read(signed, options as never), TypeError)
  }
  t.throws(() => sign('v', { timestamp: undefined }), TypeError)
  t.throws(() => signUrl('/a', { expiresIn: 60, method: undefined }), TypeError)
  t.throws(() => signUrl('/a', { expiresIn: undefined } as never), TypeError)
  t.throws(() => verifyUrl(signUrl('/a', { expiresIn: 60 }), { method: undefined }), TypeError)
})

t.test('options that cannot be meant', async (t) => {
  const cases: Array<[options: object, option: string]> = [
    [{}, 'purpose'], [{ secret }, 'purpose'], [{ secret, purpose: '' }, 'purpose'], [{ secret, purpose: 1 }, 'purpose'], [{ secret, purpose, unsalted: true }, 'purpose'],
    [{ secret, unsalted: 'yes' }, 'unsalted'], [{ secret, purpose, unsalted: false }, 'unsalted'],
    [{ purpose }, 'secret'], [{ secret: '', purpose }, 'secret'], [{ secret: 'x'.repeat(31), purpose }, 'secret'], [{ secret: [], purpose }, 'secret'], [{ secret: [secret, ''], purpose }, 'secret'],
    [{ secret: [[secret]], purpose }, 'secret'], [{ secret: 1, purpose }, 'secret'], [{ secret: '\ud800'.repeat(40), purpose }, 'secret'],
    [{ secret: '', unsalted: true }, 'secret'], [{ secret: [], unsalted: true }, 'secret'],
    ...['', 'a', '-', '_', '0', ':x', 1, null, ':'.repeat(17), '\ud800'].map((separator): [object, string] => [{ secret, purpose, separator }, 'separator']),
    ...[-1, NaN, 0.5, '1'].map((clockTolerance): [object, string] => [{ secret, purpose, clockTolerance }, 'clockTolerance']),
    [{ secret, purpose, maxAge: 3600 }, 'maxAge'], [{ secret, purpose, salt: 's' }, 'salt']
  ]
  for (const [options, option] of cases) t.throws(() => createSigner(options as SignerOptions), { name: 'ConfigurationError', option }, inspect(options))
  t.doesNotThrow(() => createSigner({ secret: 'x'.repeat(32), purpose }))
  t.throws(() => createSigner({ secret: 'short secret', purpose }), ConfigurationError)
})

t.test('the secret is in no message, and not to be seen on a signer', async (t) => {
  const hidden = 'hidden but short'
  t.throws(() => createSigner({ secret: hidden, purpose }), { message: /^secret is shorter than 32 bytes\. (?!.*hidden)/ })
  const made = createSigner({ secret, purpose })
  t.notMatch(inspect(made, { depth: null, showHidden: true }), secret)
  t.notMatch(JSON.stringify(made), secret)
  t.ok(Object.isFrozen(made))
})

t.test('values of tortoise-auth verify, and are made, in the unsalted form', async (t) => {
  const original = 'test-secret-key-for-signing'
  const clock = () => start * 1000
  const { sign, unsign, read } = createSigner({ secret: original, unsalted: true, clock })
  const values: Array<[value: string, signed: string]> = [
    ['hello', 'hello:mCkMoyIgC0CCrHtGved0LvihAkI9rKNz2DrWGb2JG14'],
    ['', ':8AoZTRsIIR1bdVsxVO2u2wB85Wf0w6ZAWTqbAbu2I7I'],
    ['héllo wörld', 'héllo wörld:Iw21WGR5F0ac6WDc7282DMjWG_xguNXfVMutoMkBgjs']
  ]
  for (const [value, signed] of values) {
    t.equal(sign(value), signed)
    t.equal(unsign(signed), value)
  }
  const dotted = createSigner({ secret: original, unsalted: true, separator: '.' })
  t.equal(dotted.sign('value'), 'value.YosU0C5Qr0JcIOaWhVBpv7D4xXma67lqLnQ4Zk7cu8U')
  t.equal(dotted.unsign('value.YosU0C5Qr0JcIOaWhVBpv7D4xXma67lqLnQ4Zk7cu8U'), 'value')
  const timed = 'user:42:MTcwMDAwMDAwMA:7TFa-9NODOH70z_YlixMZAAD7-7pStuo8Y45NI6Tsq4'
  t.equal(sign('user:42', { timestamp: true }), timed)
  t.equal(unsign(timed, { maxAge: 0 }), 'user:42')
  t.strictSame(read(timed, { timestamp: true }), { value: 'user:42', signedAt: new Date(start * 1000) })
  t.equal(unsign(timed), 'user:42:MTcwMDAwMDAwMA', 'as its Signer reads it: nothing else tells that it is a timestamp')
  t.throws(() => createSigner({ secret: [another, 'x'], unsalted: true }).unsign(timed), bad('mismatch'))
  t.equal(createSigner({ secret: [another, original], unsalted: true }).unsign(timed, { timestamp: true }), 'user:42')
  t.notOk('signUrl' in createSigner({ secret, unsalted: true }), 'values alone')
})

t.test('unsalted: what is signed and has no timestamp, or none that can be read', async (t) => {
  const { unsign } = createSigner({ secret, unsalted: true, clock: () => start * 1000 })
  const signed = (text: string) => `${text}:${createHmac('sha256', secret).update(text).digest('base64url')}`
  const encoded = (text: string) => Buffer.from(text).toString('base64url')
  t.throws(() => unsign(signed('hello'), { maxAge: 1 }), bad('no_timestamp'))
  for (const time of ['', encoded(''), encoded('+1700000000'), encoded('01700000000'), encoded('1.7e9'), encoded(' 1700000000'), encoded('1700000000\n'), encoded('-1'), encoded('9'.repeat(13)), 'MTcwMDAwMDAwMB', 'MTcwMDAwMDAwMA==', '1700000000', 'é']) {
    t.throws(() => unsign(signed(`hello:${time}`), { maxAge: 1 }), bad('timestamp'), time)
  }
  t.equal(unsign(signed(`hello:${encoded('0')}`), { maxAge: start }), 'hello')
})
