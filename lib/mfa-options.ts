import { Type } from '@sinclair/typebox'
import { createSealer, type Sealer } from './encryption.js'
import { ConfigurationError } from './errors/operation.js'
import type { MfaPolicy } from './flow/session/completion.js'

/** Second factors. Times are in seconds. */
export interface MfaOptions {
  /** Who must have one: everybody, nobody, or whom a function picks. Who has none sets it up while signing in. Default false. */
  required?: MfaPolicy
  /** What authenticator applications show beside a code. Default: the host of `issuer`, or all of it. */
  name?: string
  /** How long a challenge of a sign-in waits for its answer. Default 300. */
  challengeTtl?: number
  /** For how long after a sign-in a second factor can be set up, or taken away, without another proof. Default 600. */
  recentSignIn?: number
}

/** The same as the account system uses them. */
export interface MfaSettings {
  sealer: Sealer | undefined
  mfaRequired: MfaPolicy
  issuerName: string
  challenge: number
  recentSignIn: number
}

const closed = { additionalProperties: false }
const seconds = Type.Number({ exclusiveMinimum: 0, maximum: 86_400, remedy: 'must be a number of seconds above 0, up to a day' })
const key = Type.String({ minLength: 1 })

/** The shape of {@link MfaOptions}, and of the key beside them. */
export const mfaOptionsSchema = {
  encryptionKey: Type.Union([key, Type.Array(key, { minItems: 1 })], { remedy: 'must be 32 random bytes in base64, or a list of such keys: the first encrypts' }),
  mfa: Type.Object({
    required: Type.Optional(Type.Union([Type.Boolean(), Type.Function([], Type.Unknown())], { remedy: 'must be true, false, or a function that picks users' })),
    name: Type.Optional(Type.String({ pattern: '^[^:\\x00-\\x1f]*[^:\\s\\x00-\\x1f][^:\\x00-\\x1f]*$', maxLength: 100, remedy: 'must be a name without a colon' })),
    challengeTtl: Type.Optional(seconds),
    recentSignIn: Type.Optional(seconds)
  }, { ...closed, remedy: 'must be { required, name, challengeTtl, recentSignIn }' })
}

/** Reads the options of second factors; `issuer` is whose tokens users get. Throws {@link ConfigurationError}. */
export function readMfaSettings (encryptionKey: string | readonly string[] | undefined, { required = false, name, challengeTtl = 300, recentSignIn: given }: MfaOptions, issuer: string): MfaSettings {
  if (required !== false && encryptionKey === undefined) throw new ConfigurationError({ option: 'mfa.required', message: 'mfa.required needs encryptionKey: 32 random bytes in base64 that stay the same.' })
  const stray = encryptionKey === undefined && (name !== undefined ? 'name' : given !== undefined && 'recentSignIn')
  if (stray) throw new ConfigurationError({ option: `mfa.${stray}`, message: `mfa.${stray} is for second factors, which need encryptionKey: 32 random bytes in base64 that stay the same.` })
  return {
    sealer: encryptionKey === undefined ? undefined : createSealer(readKeys(encryptionKey)),
    mfaRequired: required,
    issuerName: name ?? nameOf(issuer),
    challenge: challengeTtl,
    recentSignIn: given ?? 600
  }
}

const KEY_BYTES = 32
/** Base64 or base64url, padded or not. */
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/

/** The keys of `encryptionKey`. Throws {@link ConfigurationError} for what are none; no message repeats one. */
export function readKeys (encryptionKey: string | readonly string[]): readonly [Buffer, ...Buffer[]] {
  const keys = (typeof encryptionKey === 'string' ? [encryptionKey] : encryptionKey).map((text) => {
    const bytes = BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
    if (bytes.length !== KEY_BYTES || new Set(bytes).size === 1) throw new ConfigurationError({ option: 'encryptionKey', message: 'encryptionKey must be 32 random bytes in base64, such as node -p "crypto.randomBytes(32).toString(\'base64\')" makes.' })
    return bytes
  })
  return keys as [Buffer, ...Buffer[]]
}

/** An address is long for the list of an authenticator application, and no name may have a colon. */
function nameOf (issuer: string): string {
  const host = URL.canParse(issuer) ? new URL(issuer).host : ''
  return (host === '' ? issuer : host).replaceAll(':', ' ')
}
