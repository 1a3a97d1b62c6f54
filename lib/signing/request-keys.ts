import { AuthError } from '../errors/auth-error.js'
import { AuthUnavailableError, ConfigurationError } from '../errors/operation.js'
import { MIN_SECRET_BYTES, readSecrets, type Secrets } from './secrets.js'

/** Secrets of one client. */
export type KeySecrets = Secrets<string | Uint8Array>

/** Secrets by key id, or a function that looks them up; null or undefined for an unknown key id. What it throws is answered 503, but for errors of this package. */
export type RequestKeys = Readonly<Record<string, KeySecrets>> | ((keyId: string) => KeySecrets | null | undefined | Promise<KeySecrets | null | undefined>)

/** Finds the secrets of a key id; undefined for an unknown one. */
export type KeyFinder = (keyId: string) => Promise<readonly Buffer[] | undefined>

/** Reads `keys`. Throws {@link ConfigurationError} for none, and for secrets under 32 bytes. */
export function readKeys (keys: unknown): KeyFinder {
  if (typeof keys === 'function') return findWith(keys as (keyId: string) => unknown)
  const entries = typeof keys === 'object' && keys !== null ? Object.entries(keys) : []
  if (entries.length === 0) throw new ConfigurationError({ option: 'keys', message: 'keys must be an object of secrets by key id, or a function (keyId) => secret.' })
  const known = new Map(entries.map(([keyId, secrets]) => [keyId, readSecrets(secrets, `keys.${keyId}`, MIN_SECRET_BYTES)]))
  return async (keyId) => known.get(keyId)
}

function findWith (look: (keyId: string) => unknown): KeyFinder {
  return async (keyId) => {
    let secrets: unknown
    try {
      secrets = await look(keyId)
    } catch (cause) {
      if (cause instanceof AuthError) throw cause
      throw new AuthUnavailableError({ dependency: 'keys', cause })
    }
    return secrets === undefined || secrets === null ? undefined : readSecrets(secrets, 'keys()', MIN_SECRET_BYTES)
  }
}
