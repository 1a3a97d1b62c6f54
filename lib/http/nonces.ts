import { settle } from '../promise.js'
import { digest } from '../random.js'

/**
 * Remembers a key for `ttl` milliseconds; true for the first to bring it, false
 * for all others, however many come at once. With ioredis:
 * `async (key, ttl) => await redis.set(key, '1', 'PX', ttl, 'NX') === 'OK'`.
 */
export type Remember = (key: string, ttl: number) => Promise<boolean>

/** Whether a nonce of a key id is new. What fails is an `AuthUnavailableError`: what cannot be remembered could be replayed. */
export type NonceCheck = (keyId: string, nonce: string, ttl: number) => Promise<boolean>

/** How long a function of an application's may take, in milliseconds. */
const TIMEOUT = 5000

/** Checks nonces with an application's own function, or in a store. */
export function nonceCheck (first: Remember, timeout = TIMEOUT): NonceCheck {
  return async (keyId, nonce, ttl) => {
    const key = `signed-request:${digest(JSON.stringify([keyId, nonce]))}`
    // Exactly: an answer of another kind is a fault of the function's, not a new nonce.
    return await settle(() => first(key, ttl), 'remember()', 'nonces', timeout) === true
  }
}
