import { ConfigurationError } from '../errors/operation.js'
import { settle } from '../promise.js'
import { KEY_ID } from './message.js'
import { MIN_SECRET_BYTES, readSecrets, type Secrets } from './secrets.js'

/** Secrets of one client. */
export type KeySecrets = Secrets<string | Uint8Array>

/** Secrets by key id, or a function that looks them up; null or undefined for an unknown key id. What it throws is answered 503, but for errors of this package, and so is silence for five seconds. */
export type RequestKeys = Readonly<Record<string, KeySecrets>> | ((keyId: string) => KeySecrets | null | undefined | Promise<KeySecrets | null | undefined>)

/** Finds the secrets of a key id; undefined for an unknown one. */
export type KeyFinder = (keyId: string) => Promise<readonly Buffer[] | undefined>

/** How long a lookup may take, in milliseconds. */
const TIMEOUT = 5000

/** Reads `keys`. Throws {@link ConfigurationError} for none, for key ids that no request can name, and for secrets under 32 bytes. */
export function readKeys (keys: unknown, timeout = TIMEOUT): KeyFinder {
  if (typeof keys === 'function') return findWith(keys as (keyId: string) => unknown, timeout)
  const entries = typeof keys === 'object' && keys !== null && !Array.isArray(keys) ? Object.entries(keys) : []
  if (entries.length === 0) throw refused('must be an object of secrets by key id, or a function (keyId) => secret')
  if (!entries.every(([keyId]) => KEY_ID.test(keyId))) throw refused('has a key id that no request can name: they are 1 to 128 visible ASCII characters without quotes and backslashes')
  const known = new Map(entries.map(([keyId, secrets]) => [keyId, readSecrets(secrets, `keys.${keyId}`, MIN_SECRET_BYTES)]))
  return async (keyId) => known.get(keyId)
}

function findWith (look: (keyId: string) => unknown, timeout: number): KeyFinder {
  return async (keyId) => {
    const secrets = await settle(() => look(keyId), 'keys()', 'keys', timeout)
    return secrets === undefined ? undefined : readSecrets(secrets, 'keys()', MIN_SECRET_BYTES)
  }
}

function refused (problem: string): ConfigurationError {
  return new ConfigurationError({ option: 'keys', message: `keys ${problem}.` })
}
