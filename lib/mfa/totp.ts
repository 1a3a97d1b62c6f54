import { Secret, TOTP } from 'otpauth'
import encodeQR from 'qr'
import { systemRandom, type RandomBytes } from '../random.js'

/** RFC 4226, section 4: 160 bits are recommended. */
const SECRET_BYTES = 20
/** What every authenticator application knows (RFC 6238, section 5.2). */
const RULES = { algorithm: 'SHA1', digits: 6, period: 30 } as const
/** Steps to either side: clocks differ, and people type slowly (RFC 6238, section 6). */
const WINDOW = 1
const CODE = /^\d{6}$/
/** Characters, each of up to twelve in a link. */
const MAX_NAME = 48

/** A new secret, in base32. */
export function newTotpSecret (random: RandomBytes = systemRandom): string {
  const bytes = random(SECRET_BYTES)
  return new Secret({ buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer }).base32
}

/** The link that an authenticator application opens, and the same as a picture to scan: an SVG document. */
export function totpLink (secret: string, issuer: string, label: string): { otpauth_uri: string, qr_code: string } {
  const uri = new TOTP({ ...RULES, issuer: shown(issuer), label: shown(label), secret }).toString()
  return { otpauth_uri: uri, qr_code: encodeQR(uri, 'svg', { border: 4 }) }
}

/** The time step a code belongs to, at `now` in milliseconds; undefined for a code that is wrong, or too old. */
export function stepOf (code: string, secret: string, now: number): number | undefined {
  const token = typed(code)
  if (!CODE.test(token)) return undefined
  const delta = TOTP.validate({ ...RULES, token, secret: Secret.fromBase32(secret), timestamp: now, window: WINDOW })
  return delta === null ? undefined : TOTP.counter({ period: RULES.period, timestamp: now }) + delta
}

/** Applications show codes in two halves. */
function typed (code: string): string {
  return code.length > 16 ? '' : code.replace(/\s/g, '')
}

/** Of a long name its beginning: a QR code holds little, and a telephone shows less. */
function shown (name: string): string {
  return [...name].slice(0, MAX_NAME).join('')
}
