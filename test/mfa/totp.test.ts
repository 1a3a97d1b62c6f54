import t from 'tap'
import fc from 'fast-check'
import { createHmac } from 'node:crypto'
import { Secret } from 'otpauth'
import { newRecoveryCodes, recoveryDigest } from '../../lib/mfa/recovery-codes.js'
import { newTotpSecret, stepOf, totpLink } from '../../lib/mfa/totp.js'
import { campaign } from '../fuzz/campaign.js'

/** RFC 6238, written out from its text. */
function codeAt (secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = (mac[19] as number) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

const rfcSecret = Buffer.from('12345678901234567890')
const inBase32 = new Secret({ buffer: rfcSecret.buffer.slice(rfcSecret.byteOffset, rfcSecret.byteOffset + 20) as ArrayBuffer }).base32

t.test('the vectors of RFC 6238, appendix B, in six digits', async (t) => {
  for (const [seconds, code] of [[59, '287082'], [1_111_111_109, '081804'], [1_111_111_111, '050471'], [1_234_567_890, '005924'], [2_000_000_000, '279037'], [20_000_000_000, '353130']] as const) {
    t.equal(codeAt(rfcSecret, Math.floor(seconds / 30)), code)
    t.equal(stepOf(code, inBase32, seconds * 1000), Math.floor(seconds / 30), code)
  }
})

t.test('a code is of its own step, one to either side of now', async (t) => {
  await campaign(t, 300, fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: -3, max: 3 }), (bytes, seconds, off) => {
    const secret = newTotpSecret(() => Buffer.from(bytes))
    const now = Math.floor(seconds / 30)
    if (now + off < 0) return true
    const found = stepOf(codeAt(Buffer.from(bytes), now + off), secret, seconds * 1000)
    // By chance a code can be that of a nearer step.
    return Math.abs(off) <= 1 ? found !== undefined && Math.abs(found - now) <= 1 : found === undefined || codeAt(Buffer.from(bytes), found) === codeAt(Buffer.from(bytes), now + off)
  }))
})

t.test('any text is a code or none, and nothing throws', async (t) => {
  await campaign(t, 500, fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.string({ unit: fc.constantFrom('0', '1', ' ', '\u0660', '-', '+', 'e', '.'), maxLength: 20 })), (text) => {
    const step = stepOf(text, inBase32, 59_000)
    return step === undefined || /^\s*(\d\s*){6}$/.test(text)
  }))
  for (const text of ['287082x', '2870820', '28708', '', ' ', '0x46146', '287082'.repeat(10_000)]) t.equal(stepOf(text, inBase32, 59_000), undefined, text.slice(0, 10))
  for (const text of ['287082', ' 287 082 ', '287\u00a0082']) t.equal(stepOf(text, inBase32, 59_000), 1)
})

t.test('secrets have 160 bits, in base32, and no two are alike', async (t) => {
  const secrets = Array.from({ length: 50 }, () => newTotpSecret())
  t.equal(new Set(secrets).size, 50)
  for (const secret of secrets) t.match(secret, /^[A-Z2-7]{32}$/)
})

t.test('a link keeps what names hold', async (t) => {
  const { otpauth_uri: uri, qr_code: picture } = totpLink(inBase32, 'A & B', 'a+b@example.com')
  t.equal(new URL(uri).searchParams.get('issuer'), 'A & B')
  t.equal(new URL(uri).searchParams.get('secret'), inBase32)
  t.match(decodeURIComponent(new URL(uri).pathname), /A & B:a\+b@example\.com$/)
  t.match(picture, /^<svg[^>]+>.*<\/svg>$/s)
})

t.test('recovery codes: ten, of 120 bits, typed in any way', async (t) => {
  const codes = newRecoveryCodes()
  t.equal(new Set(codes).size, 10)
  for (const code of codes) {
    t.match(code, /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){5}$/)
    for (const typed of [code.toUpperCase(), code.replaceAll('-', ''), ` ${code.replaceAll('-', ' ')} `, code.replaceAll('0', 'o').replaceAll('1', 'I')]) t.equal(recoveryDigest('ada', typed), recoveryDigest('ada', code), typed)
    t.not(recoveryDigest('eve', code), recoveryDigest('ada', code), 'bound to its user')
  }
  t.doesNotThrow(() => recoveryDigest('ada', 'x'.repeat(10_000_000)))
})
