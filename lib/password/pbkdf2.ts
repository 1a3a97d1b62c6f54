import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { equal, systemRandom, type RandomBytes } from '../random.js'
import { fromAb64, fromBase64, hasLength, toAb64 } from './encoding.js'
import { HASH_BYTES, SALT_BYTES, type Hasher, type ReadHash } from './hasher.js'

/** Cost of a PBKDF2 hash (RFC 8018). */
export interface Pbkdf2Parameters {
  iterations: number
}

/** The most iterations of a hash, stored or new. */
export const PBKDF2_LIMIT = 5_000_000

/** Digests, with the length of their output in bytes. */
const DIGESTS = { sha1: 20, sha256: 32, sha512: 64 } as const
type Digest = keyof typeof DIGESTS

const PASSLIB = /^\$pbkdf2(?:-(sha256|sha512))?\$([1-9]\d{0,9})\$([A-Za-z0-9./]{1,86})\$([A-Za-z0-9./]{1,86})$/
const DJANGO = /^pbkdf2_(sha1|sha256)\$([1-9]\d{0,9})\$([^$]{1,128})\$([A-Za-z0-9+/=]{1,88})$/
const HEX = /^(?:[0-9a-f]{2})+$/

interface Pbkdf2Hash {
  digest: Digest
  iterations: number
  /** What the salt can be: its writers share a prefix, and do not say how they wrote it. */
  salts: Buffer[]
  key: Buffer
  /** As this package and passlib write it. */
  plain: boolean
}

function parse (stored: string): Pbkdf2Hash | undefined {
  const passlib = PASSLIB.exec(stored)
  const django = DJANGO.exec(stored)
  if (passlib !== null) {
    const [, digest = 'sha1', iterations, salt = '', key = ''] = passlib
    return bounded(digest as Digest, Number(iterations), [fromAb64(salt)], fromAb64(key), true)
  }
  if (django !== null) {
    const [, digest, iterations, salt = '', key = ''] = django
    // In hexadecimal, 32 bytes have 64 characters, where base64 has 44.
    return key.length === 64
      ? bounded(digest as Digest, Number(iterations), [fromHex(salt)], fromHex(key), false)
      : bounded(digest as Digest, Number(iterations), [Buffer.from(salt), fromBase64(salt)], fromBase64(key), false)
  }
  return undefined
}

function bounded (digest: Digest, iterations: number, readings: Array<Buffer | undefined>, key: Buffer | undefined, plain: boolean): Pbkdf2Hash | undefined {
  const salts = readings.filter((salt) => hasLength(salt, 1, 256))
  if (salts.length === 0 || !hasLength(key, DIGESTS[digest], DIGESTS[digest]) || iterations > PBKDF2_LIMIT) return undefined
  return { digest, iterations, salts, key, plain }
}

function fromHex (text: string): Buffer | undefined {
  return HEX.test(text) ? Buffer.from(text, 'hex') : undefined
}

const derive = promisify(pbkdf2)

function reading ({ digest, iterations, salts, key }: Pbkdf2Hash): ReadHash {
  return {
    kind: 'pbkdf2',
    async matches (password) {
      let found = false
      // All of them, also after a match: which one it was takes no other time.
      for (const salt of salts) found = equal(await derive(password, salt, iterations, key.length, digest), key) || found
      return found
    }
  }
}

/**
 * PBKDF2 as passlib writes it (`$pbkdf2-sha256$…`), and under the prefix that
 * Django (salt as text), tortoise-auth (base64) and auth-middleware (hexadecimal) share.
 */
export function readPbkdf2 (stored: string): ReadHash | undefined {
  const hash = parse(stored)
  return hash && reading(hash)
}

/** PBKDF2-HMAC-SHA-256 with 16 bytes of salt, written as passlib does. */
export function createPbkdf2 ({ iterations }: Pbkdf2Parameters, random: RandomBytes = systemRandom): Hasher {
  const written = (salt: Buffer, key: Buffer): string => `$pbkdf2-sha256$${iterations}$${toAb64(salt)}$${toAb64(key)}`

  return {
    kind: 'pbkdf2',
    async hash (password) {
      const salt = random(SALT_BYTES)
      return written(salt, await derive(password, salt, iterations, HASH_BYTES, 'sha256'))
    },
    decoy () {
      const text = written(random(SALT_BYTES), random(HASH_BYTES))
      return { ...readPbkdf2(text) as ReadHash, text }
    },
    isCurrent (stored) {
      const hash = parse(stored)
      return hash !== undefined && hash.plain && hash.digest === 'sha256' && hash.iterations >= iterations && hash.salts.every((salt) => salt.length >= SALT_BYTES)
    }
  }
}
