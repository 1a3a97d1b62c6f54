import { ConfigurationError } from '../errors/operation.js'

/** What something is signed with: one secret, or several for rotation, of which the first signs and all verify. Strings are taken as UTF-8. */
export type Secrets<Secret = string> = Secret | readonly Secret[]

/** A secret under 256 bits is the weakest part of HMAC-SHA-256 (RFC 7518, section 3.2). */
export const MIN_SECRET_BYTES = 32

/**
 * Reads secrets as bytes, the one that signs first. Throws
 * {@link ConfigurationError}, which names `option` and shows none of them, for
 * what is no secret, for none, and for one of fewer than `minBytes` bytes.
 */
export function readSecrets (secrets: unknown, option: string, minBytes: number): readonly [Buffer, ...Buffer[]] {
  const given: unknown[] = Array.isArray(secrets) ? secrets : [secrets]
  const read = given.map((secret) => readSecret(secret, option, minBytes))
  if (read.length === 0) throw new ConfigurationError({ option, message: `${option} is an empty list. Give at least one secret.` })
  return read as [Buffer, ...Buffer[]]
}

function readSecret (secret: unknown, option: string, minBytes: number): Buffer {
  // Of text that is not well formed, several would become the same bytes.
  const isText = typeof secret === 'string' && secret.isWellFormed()
  if (!isText && !(secret instanceof Uint8Array)) throw new ConfigurationError({ option, message: `${option} must be a secret, or a list of secrets.` })
  const bytes = Buffer.from(secret)
  if (bytes.length < minBytes) {
    throw new ConfigurationError({ option, message: `${option} is shorter than ${minBytes} ${minBytes === 1 ? 'byte' : 'bytes'}. Make one with: node -p "crypto.randomBytes(32).toString('base64')"` })
  }
  return bytes
}
