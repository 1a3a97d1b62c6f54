import { scrypt, type BinaryLike, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import { equal, systemRandom, type RandomBytes } from '../random.js'
import { fromBase64, fromUnpadded, hasLength, toUnpadded } from './encoding.js'
import { HASH_BYTES, SALT_BYTES, type Hasher, type ReadHash } from './hasher.js'

/** Cost of an scrypt hash (RFC 7914), under the names `node:crypto` gives its parameters. */
export interface ScryptParameters {
  /** N, a power of two. */
  cost: number
  /** r: one hash takes 128 * cost * blockSize bytes. */
  blockSize: number
  /** p. */
  parallelization: number
}

/** The most a hash may cost, stored or new: N * r * p, which is 512 MiB where p is 1. */
export const SCRYPT_LIMIT = 2 ** 22

interface ScryptHash extends ScryptParameters {
  salt: Buffer
  digest: Buffer
  /** As this package and passlib write it, not as Django does. */
  plain: boolean
}

const PHC = /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,7}),p=([1-9]\d{0,7})\$([A-Za-z0-9+/]{1,86})\$([A-Za-z0-9+/]{1,86})$/
const DJANGO = /^scrypt\$([1-9]\d{0,7})\$([^$]{1,64})\$([1-9]\d{0,7})\$([1-9]\d{0,7})\$([A-Za-z0-9+/=]{1,88})$/

function parse (stored: string): ScryptHash | undefined {
  const phc = PHC.exec(stored)
  const django = DJANGO.exec(stored)
  if (phc !== null) {
    const [, ln, r, p, salt = '', digest = ''] = phc
    return bounded({ cost: 2 ** Number(ln), blockSize: Number(r), parallelization: Number(p), salt: fromUnpadded(salt), digest: fromUnpadded(digest), plain: true })
  }
  if (django !== null) {
    const [, n, salt = '', r, p, digest = ''] = django
    return bounded({ cost: Number(n), blockSize: Number(r), parallelization: Number(p), salt: Buffer.from(salt), digest: fromBase64(digest), plain: false })
  }
  return undefined
}

function bounded (hash: Omit<ScryptHash, 'salt' | 'digest'> & { salt: Buffer | undefined, digest: Buffer | undefined }): ScryptHash | undefined {
  const { cost, blockSize, parallelization, salt, digest } = hash
  if (!hasLength(salt, hash.plain ? 8 : 1, 256) || !hasLength(digest, 16, 64)) return undefined
  if (cost < 2 || !Number.isInteger(Math.log2(cost)) || cost * blockSize * parallelization > SCRYPT_LIMIT) return undefined
  // RFC 7914, section 2: N is less than 2 to the power of 128 * r / 8.
  return Math.log2(cost) < 16 * blockSize ? { ...hash, salt, digest } : undefined
}

const compute = promisify<BinaryLike, BinaryLike, number, ScryptOptions, Buffer>(scrypt)

function derive (password: string, { cost, blockSize, parallelization, salt, digest }: ScryptHash): Promise<Buffer> {
  // What OpenSSL counts: the vector, the blocks, and two blocks of scratch.
  const maxmem = 128 * blockSize * (cost + parallelization + 2)
  return compute(password, salt, digest.length, { cost, blockSize, parallelization, maxmem })
}

function reading (hash: ScryptHash): ReadHash {
  return { kind: 'scrypt', matches: async (password) => equal(await derive(password, hash), hash.digest) }
}

/** scrypt as passlib writes it (`$scrypt$ln=…`), and as Django does (`scrypt$N$salt$r$p$hash`). */
export function readScrypt (stored: string): ReadHash | undefined {
  const hash = parse(stored)
  return hash && reading(hash)
}

/** scrypt with 16 bytes of salt and 32 of output, written as passlib does. */
export function createScrypt (parameters: ScryptParameters, random: RandomBytes = systemRandom): Hasher {
  const blank = (digest: Buffer): ScryptHash => ({ ...parameters, salt: random(SALT_BYTES), digest, plain: true })
  const { cost, blockSize, parallelization } = parameters
  const written = (salt: Buffer, digest: Buffer): string => `$scrypt$ln=${Math.log2(cost)},r=${blockSize},p=${parallelization}$${toUnpadded(salt)}$${toUnpadded(digest)}`

  return {
    kind: 'scrypt',
    async hash (password) {
      const hash = blank(Buffer.alloc(HASH_BYTES))
      const digest = await derive(password, hash)
      return written(hash.salt, digest)
    },
    decoy () {
      const text = written(random(SALT_BYTES), random(HASH_BYTES))
      return { ...readScrypt(text) as ReadHash, text }
    },
    isCurrent (stored) {
      const hash = parse(stored)
      return hash !== undefined && hash.plain && hash.cost >= cost && hash.blockSize >= blockSize && hash.parallelization >= parallelization &&
        hash.salt.length >= SALT_BYTES && hash.digest.length >= HASH_BYTES
    }
  }
}
