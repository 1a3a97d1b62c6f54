import { KeyObject, type webcrypto } from 'node:crypto'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JSONWebKeySet } from 'jose'
import type { Clock } from '../clock.js'
import { TokenInvalidError } from '../errors/authentication.js'
import { AuthUnavailableError } from '../errors/operation.js'
import { readLimited } from './read-limited.js'
import type { TokenHeader } from './compact.js'
import { verificationKey, type KeySource, type VerificationKey } from './key-source.js'
import { keyAlgorithms } from './local-keys.js'

/** How a remote key set is fetched and kept. Times are in seconds. */
export interface RemoteKeysOptions {
  url: string
  algorithms: readonly string[]
  /** For one fetch, body included. */
  timeout: number
  /** Age at which the set is fetched anew: the longest that a removed key goes on verifying. */
  maxAge: number
  /** Least time between two fetches for unknown key ids. */
  cooldown: number
  /** How long after `maxAge` the last set serves while the endpoint is down. */
  staleFor: number
  /** Largest document read, in bytes. */
  maxBytes: number
  fetch: typeof globalThis.fetch
  clock: Clock
}

/** Least time between two fetches while the endpoint fails, unless the cool-down is shorter. */
const FAILURE_COOLDOWN = 5

interface KeySet {
  select: ReturnType<typeof createLocalJWKSet>
  fetchedAt: number
  /** By algorithm and key id; only what the set really holds, so it is as bounded as the set. */
  keys: Map<string, readonly VerificationKey[]>
}

/**
 * Keys of an identity provider, by URL (RFC 7517). jose fetches and selects;
 * what is added here is when: one fetch at a time, a cool-down for unknown key
 * ids and for a failing endpoint, and a bounded stale period.
 */
export function remoteKeys (options: RemoteKeysOptions): KeySource {
  const { clock } = options
  const maxAge = options.maxAge * 1000
  const remote = createRemoteJWKSet(new URL(options.url), {
    timeoutDuration: Math.ceil(options.timeout * 1000),
    [customFetch]: async (url, init) => await readLimited(await options.fetch(url, init), options.maxBytes)
  })
  let set: KeySet | undefined
  let attemptedAt = -Infinity
  let failure: unknown
  let pending: Promise<KeySet> | undefined

  async function load (): Promise<KeySet> {
    attemptedAt = clock()
    try {
      await remote.reload()
      const select = createLocalJWKSet(remote.jwks() as JSONWebKeySet)
      failure = undefined
      set = { select, fetchedAt: clock(), keys: new Map() }
      return set
    } catch (cause) {
      failure = cause
      // From the end of the attempt on: one that hung until its timeout would
      // otherwise be over with its cool-down.
      attemptedAt = clock()
      throw unavailable()
    }
  }

  function cooldownLeft (): number {
    const wait = failure === undefined ? options.cooldown : Math.min(options.cooldown, FAILURE_COOLDOWN)
    return attemptedAt + wait * 1000 - clock()
  }

  function unavailable (): AuthUnavailableError {
    return new AuthUnavailableError({ dependency: options.url, retryAfter: Math.max(1, cooldownLeft() / 1000), cause: failure })
  }

  // Single flight: whoever comes while a fetch is under way waits for that one.
  async function fetchOnce (): Promise<KeySet> {
    pending ??= load().finally(() => { pending = undefined })
    return await pending
  }

  async function currentSet (): Promise<KeySet> {
    if (set !== undefined && clock() < set.fetchedAt + maxAge) return set
    // Known to be down: nobody waits for the next attempt while the last set serves.
    if (failure !== undefined && set !== undefined && isServing(set)) {
      if (cooldownLeft() <= 0) fetchOnce().catch(() => failure)
      return set
    }
    const last = set
    if (pending !== undefined || failure === undefined || cooldownLeft() <= 0) {
      try {
        return await fetchOnce()
      } catch {
        // Unavailable; the last set may serve a while longer.
      }
    }
    if (last !== undefined && isServing(last)) return last
    throw unavailable()
  }

  function isServing ({ fetchedAt }: KeySet): boolean {
    return clock() < fetchedAt + maxAge + options.staleFor * 1000
  }

  async function search (header: TokenHeader): Promise<readonly VerificationKey[]> {
    let from = await currentSet()
    let keys = await keysIn(from, header)
    // A key id nobody knows: rotated a moment ago, or made up.
    if (keys.length === 0 && (pending !== undefined || cooldownLeft() <= 0)) {
      from = await fetchOnce()
      keys = await keysIn(from, header)
    }
    if (keys.length > 0) return keys
    throw failure === undefined ? new TokenInvalidError({ reason: 'unknown_key' }) : unavailable()
  }

  return {
    algorithms: new Set(options.algorithms),
    find (header) {
      if (set !== undefined && clock() < set.fetchedAt + maxAge) {
        const keys = set.keys.get(keyId(header))
        if (keys !== undefined) return keys
      }
      return search(header)
    }
  }
}

// Algorithm names come from the allow-list and hold no space, so no two pairs meet.
function keyId ({ alg, kid }: TokenHeader): string {
  return kid === undefined ? alg : `${alg} ${kid}`
}

async function keysIn (set: KeySet, header: TokenHeader): Promise<readonly VerificationKey[]> {
  const known = set.keys.get(keyId(header))
  if (known !== undefined) return known
  const keys = (await selectKeys(set, header)).flatMap((key) => {
    const object = KeyObject.from(key as webcrypto.CryptoKey)
    if (keyAlgorithms(object)?.includes(header.alg) !== true) return []
    return [verificationKey(object.export({ format: 'pem', type: 'spki' }).toString(), [header.alg])]
  })
  if (keys.length > 0) set.keys.set(keyId(header), keys)
  return keys
}

async function selectKeys (set: KeySet, { alg, kid }: TokenHeader): Promise<readonly unknown[]> {
  try {
    return [await set.select({ alg, ...(kid !== undefined && { kid }) })]
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      const keys = []
      for await (const key of error) keys.push(key)
      return keys
    }
    // A broken member of the set verifies nothing; the others go on doing so.
    return []
  }
}
