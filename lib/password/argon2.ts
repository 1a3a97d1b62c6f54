import type { Options } from '@node-rs/argon2'
import { equal, systemRandom, type RandomBytes } from '../random.js'
import { fromUnpadded, hasLength, toUnpadded } from './encoding.js'
import { HASH_BYTES, SALT_BYTES, type Hasher, type ReadHash } from './hasher.js'

/** Cost of an Argon2 hash (RFC 9106). */
export interface Argon2Parameters {
  /** Passes over the memory. */
  timeCost: number
  /** Memory in KiB. */
  memoryCost: number
  /** Lanes. The library computes them one after the other, on one core. */
  parallelism: number
}

/** The most a hash may cost, stored or new: 1 GiB, and 4 GiB over all passes. */
export const ARGON2_LIMITS = { memoryCost: 2 ** 20, work: 2 ** 22, parallelism: 64 }

type Kind = 'argon2id' | 'argon2i' | 'argon2d'
const ALGORITHMS = { argon2d: 0, argon2i: 1, argon2id: 2 } as const satisfies Record<Kind, Options['algorithm']>
/** Hashes from before version 1.3 do not name theirs. */
const VERSIONS: Readonly<Record<string, 0 | 1>> = { 16: 0, 19: 1 }

interface Argon2Hash extends Argon2Parameters {
  kind: Kind
  version: 0 | 1
  salt: Buffer
  digest: Buffer
  /** As this package writes it, not as Django does. */
  plain: boolean
}

const FORM = /^(argon2)?\$(argon2(?:id|i|d))\$(?:v=(16|19)\$)?m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,2})\$([A-Za-z0-9+/]{1,86})\$([A-Za-z0-9+/]{1,86})$/

function parse (stored: string): Argon2Hash | undefined {
  const [match, prefix, kind, version = '16', memory, time, lanes, saltText = '', digestText = ''] = FORM.exec(stored) ?? []
  if (match === undefined) return undefined
  const [memoryCost, timeCost, parallelism] = [Number(memory), Number(time), Number(lanes)]
  const [salt, digest] = [fromUnpadded(saltText), fromUnpadded(digestText)]
  if (!hasLength(salt, 8, 64) || !hasLength(digest, 16, 64)) return undefined
  if (memoryCost < 8 * parallelism || memoryCost > ARGON2_LIMITS.memoryCost) return undefined
  if (memoryCost * timeCost > ARGON2_LIMITS.work || parallelism > ARGON2_LIMITS.parallelism) return undefined
  return { kind: kind as Kind, version: VERSIONS[version] as 0 | 1, memoryCost, timeCost, parallelism, salt, digest, plain: prefix === undefined }
}

async function derive (password: string, { kind, version, memoryCost, timeCost, parallelism, salt, digest }: Argon2Hash): Promise<Buffer> {
  const { hashRaw } = await import('@node-rs/argon2')
  return hashRaw(password, { algorithm: ALGORITHMS[kind], version, memoryCost, timeCost, parallelism, salt, outputLen: digest.length })
}

function reading (hash: Argon2Hash): ReadHash {
  return { kind: hash.kind, matches: async (password) => equal(await derive(password, hash), hash.digest) }
}

/** PHC strings of Argon2, and Django's spelling of them. */
export function readArgon2 (stored: string): ReadHash | undefined {
  const hash = parse(stored)
  return hash && reading(hash)
}

/** Argon2id with 16 bytes of salt and 32 of output, written as a PHC string. */
export function createArgon2id (parameters: Argon2Parameters, random: RandomBytes = systemRandom): Hasher {
  const blank = (digest: Buffer): Argon2Hash => ({ ...parameters, kind: 'argon2id', version: 1, salt: random(SALT_BYTES), digest, plain: true })
  const { memoryCost, timeCost, parallelism } = parameters
  const written = (salt: Buffer, digest: Buffer): string => `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${toUnpadded(salt)}$${toUnpadded(digest)}`

  return {
    kind: 'argon2id',
    async hash (password) {
      const hash = blank(Buffer.alloc(HASH_BYTES))
      const digest = await derive(password, hash)
      return written(hash.salt, digest)
    },
    decoy () {
      const text = written(random(SALT_BYTES), random(HASH_BYTES))
      return { ...readArgon2(text) as ReadHash, text }
    },
    isCurrent (stored) {
      const hash = parse(stored)
      return hash !== undefined && hash.plain && hash.kind === 'argon2id' && hash.version === 1 &&
        hash.memoryCost >= memoryCost && hash.timeCost >= timeCost && hash.parallelism >= parallelism &&
        hash.salt.length >= SALT_BYTES && hash.digest.length >= HASH_BYTES
    }
  }
}
