import { createHmac } from 'node:crypto'
import { systemClock, type Clock } from './clock.js'
import { ConfigurationError } from './errors/operation.js'
import { BadSignatureError, SignatureExpiredError } from './errors/signing.js'
import { anyKey, deriveKey, digest } from './random.js'
import { givenOptions } from './signing/call-options.js'
import { MIN_SECRET_BYTES, readSecrets, type Secrets } from './signing/secrets.js'
import { urlSigner, type UrlSigner } from './signing/urls.js'
import { isSeconds, SECONDS } from './signing/whole-seconds.js'

interface AnySignerOptions {
  /** At least 32 bytes each. Of several, for rotation, the first signs and all verify. */
  secret: Secrets
  /** Stands before the timestamp and the signature: characters that are no letter, digit, `-` or `_`. Default `:`. */
  separator?: string
  /** How far ahead, in seconds, the clock of whoever signed may be. Default 0. */
  clockTolerance?: number
  /** For tests. */
  clock?: Clock
}

/** What {@link createSigner} takes. */
export interface SignerOptions extends AnySignerOptions {
  /** What the values are for, such as `unsubscribe`: a value that was signed for one purpose does not verify for another. */
  purpose: string
  unsalted?: undefined
}

/** What {@link createSigner} takes for values in the form of tortoise-auth, which are bound to no purpose. Never with `jwt.secret`: it could sign tokens. */
export interface UnsaltedSignerOptions extends AnySignerOptions {
  unsalted: true
  purpose?: undefined
}

/** How {@link ValueSigner.unsign} checks the time. */
export interface UnsignOptions {
  /** Seconds that may have passed since the value was signed, which then must have a timestamp. Exactly as many still pass. */
  maxAge?: number
  /** Ask for a timestamp, of any age. */
  timestamp?: true
}

/** A value that was signed, and when; `signedAt` is undefined where it has no timestamp. */
export interface SignedValue {
  value: string
  signedAt: Date | undefined
}

/** Signs values. Each is there to read for anybody: a signature hides nothing. */
export interface ValueSigner {
  /** `value:signature`, or `value:timestamp:signature`. Throws {@link TypeError} for what is no text, or over 65,536 characters. */
  sign (value: string, options?: { timestamp?: boolean }): string
  /** The value. Throws {@link BadSignatureError} for whatever was not signed so, {@link SignatureExpiredError} for what is older than `maxAge`, and {@link TypeError} for options that are none. */
  unsign (signed: string, options?: UnsignOptions): string
  /** As {@link ValueSigner.unsign}, with the time at which it was signed. */
  read (signed: string, options?: UnsignOptions): SignedValue
}

/** Signs values and URLs for one purpose. */
export interface Signer extends ValueSigner, UrlSigner {}

const MAX_LENGTH = 65_536
/** An HMAC-SHA-256 in base64url. */
const SIGNATURE_LENGTH = 43
const TIMESTAMP = new RegExp(`^${SECONDS}$`)

/**
 * A signer of values, and of URLs, by HMAC-SHA-256 with a key derived for its
 * purpose (RFC 2104, RFC 5869). Values with and without a timestamp, and URLs,
 * have keys of their own: none can be taken for another.
 *
 * With `unsalted: true` it reads and writes values of the Python library
 * tortoise-auth, of any secret that is not empty. There nothing but the caller
 * tells a timestamp from the end of a value.
 *
 * Throws {@link ConfigurationError} for options that cannot be meant.
 */
export function createSigner (options: SignerOptions): Signer
export function createSigner (options: UnsaltedSignerOptions): ValueSigner
export function createSigner (options: SignerOptions | UnsaltedSignerOptions): Signer | ValueSigner {
  const { purpose, unsalted, separator = ':', clockTolerance = 0, clock = systemClock } = options
  check(options, separator, clockTolerance)
  // The original never looked at its secret, and what it signed must verify.
  const secrets = readSecrets(options.secret, 'secret', unsalted === true ? 1 : MIN_SECRET_BYTES)
  const keysFor = (kind: string): readonly Buffer[] =>
    unsalted === true ? secrets : secrets.map((secret) => deriveKey(secret, `signing ${digest(JSON.stringify([kind, separator, purpose]))}`))
  const values = valueSigner({ plain: keysFor('value'), timed: keysFor('timed value'), separator, clockTolerance, clock, told: unsalted !== true })
  return Object.freeze(unsalted === true ? values : { ...values, ...urlSigner(keysFor('URL'), clock) })
}

const OPTIONS = ['secret', 'purpose', 'unsalted', 'separator', 'clockTolerance', 'clock']

function check (options: SignerOptions | UnsaltedSignerOptions, separator: unknown, clockTolerance: unknown): void {
  const refuse = (option: string, problem: string): ConfigurationError => new ConfigurationError({ option, message: `${option} ${problem}.` })
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw refuse(name, `is not an option of createSigner; there are ${OPTIONS.join(', ')}`)
  }
  const { purpose, unsalted } = options as { purpose?: unknown, unsalted?: unknown }
  if (unsalted !== undefined && unsalted !== true) throw refuse('unsalted', 'must be true, or be left out')
  if (unsalted === true && purpose !== undefined) throw refuse('purpose', 'and unsalted exclude each other: values in the form of tortoise-auth are bound to no purpose')
  if (unsalted === undefined && (typeof purpose !== 'string' || purpose === '')) throw refuse('purpose', 'must say what the values are for, such as \'unsubscribe\'')
  if (typeof separator !== 'string' || !/^[^A-Za-z0-9_-]{1,16}$/u.test(separator) || !separator.isWellFormed()) {
    throw refuse('separator', 'must be 1 to 16 characters that are no letters, no digits, no - and no _')
  }
  if (!isSeconds(clockTolerance)) throw refuse('clockTolerance', 'must be a whole number of seconds, 0 or more')
}

interface ValueKeys {
  plain: readonly Buffer[]
  timed: readonly Buffer[]
  separator: string
  clockTolerance: number
  clock: Clock
  /** Whether the keys tell values with a timestamp from those without. */
  told: boolean
}

function valueSigner ({ plain, timed, separator, clockTolerance, clock, told }: ValueKeys): ValueSigner {
  const seconds = (): number => Math.floor(clock() / 1000)

  function sign (value: string, options: { timestamp?: boolean } = {}): string {
    givenOptions(options, 'sign()', 'timestamp')
    if (typeof value !== 'string' || !value.isWellFormed()) throw new TypeError('sign() takes well-formed text')
    if (value.length > MAX_LENGTH) throw new TypeError(`sign() takes ${MAX_LENGTH} characters at most`)
    const { timestamp = false } = options
    if (typeof timestamp !== 'boolean') throw new TypeError('timestamp must be true or false')
    const text = timestamp ? `${value}${separator}${encodeTime(seconds())}` : value
    const [key] = timestamp ? timed : plain
    return `${text}${separator}${hmac(key as Buffer, text)}`
  }

  function read (signed: string, options: UnsignOptions = {}): SignedValue {
    givenOptions(options, 'unsign()', 'maxAge', 'timestamp')
    const { maxAge, timestamp } = options
    if (maxAge !== undefined && !isSeconds(maxAge)) throw new TypeError('maxAge must be a whole number of seconds, 0 or more')
    if (timestamp !== undefined && timestamp !== true) throw new TypeError('timestamp must be true, or be left out')
    const asksTime = maxAge !== undefined || timestamp === true
    const { text, signature } = split(signed, separator)
    if ((told || !asksTime) && signedBy(plain, text, signature)) {
      if (asksTime) throw new BadSignatureError({ reason: 'no_timestamp' })
      return { value: text, signedAt: undefined }
    }
    if (signedBy(timed, text, signature)) return checkTime(splitTime(text, separator), maxAge)
    throw new BadSignatureError({ reason: 'mismatch' })
  }

  function checkTime ({ value, signedAt }: { value: string, signedAt: number }, maxAge: number | undefined): SignedValue {
    const age = seconds() - signedAt
    if (maxAge !== undefined && age < -clockTolerance) throw new BadSignatureError({ reason: 'future' })
    if (maxAge !== undefined && age > maxAge) throw new SignatureExpiredError({ age, maxAge })
    return { value, signedAt: new Date(signedAt * 1000) }
  }

  return Object.freeze({ sign, read, unsign: (signed: string, options?: UnsignOptions) => read(signed, options).value })
}

function split (signed: unknown, separator: string): { text: string, signature: string } {
  if (typeof signed !== 'string' || signed.length > MAX_LENGTH * 2 || !signed.isWellFormed()) throw new BadSignatureError({ reason: 'malformed' })
  const end = signed.length - SIGNATURE_LENGTH
  if (!signed.slice(0, Math.max(end, 0)).endsWith(separator)) throw new BadSignatureError({ reason: 'no_separator' })
  return { text: signed.slice(0, end - separator.length), signature: signed.slice(end) }
}

function splitTime (text: string, separator: string): { value: string, signedAt: number } {
  const at = text.lastIndexOf(separator)
  if (at === -1) throw new BadSignatureError({ reason: 'no_timestamp' })
  const spelled = text.slice(at + separator.length)
  const decimal = Buffer.from(spelled, 'base64url').toString('latin1')
  const signedAt = Number(decimal)
  if (!TIMESTAMP.test(decimal) || encodeTime(signedAt) !== spelled) throw new BadSignatureError({ reason: 'timestamp' })
  return { value: text.slice(0, at), signedAt }
}

function encodeTime (seconds: number): string {
  return Buffer.from(String(seconds)).toString('base64url')
}

function hmac (key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

function signedBy (keys: readonly Buffer[], text: string, signature: string): boolean {
  return anyKey(keys, signature, (key) => hmac(key, text))
}
