import { Value, ValueErrorType } from '@sinclair/typebox/value'
import { ConfigurationError } from '../errors/operation.js'
import { ARGON2_LIMITS, createArgon2id, type Argon2Parameters } from './argon2.js'
import { HASH_KINDS, type Hasher, type HashKind } from './hasher.js'
import { passwordOptionsSchema } from './options-schema.js'
import { createPbkdf2, type Pbkdf2Parameters } from './pbkdf2.js'
import type { PasswordRule, PolicySettings } from './policy.js'
import { createScrypt, SCRYPT_LIMIT, type ScryptParameters } from './scrypt.js'

/** Rules for new passwords, and how they are hashed. Characters are Unicode code points. */
export interface PasswordOptions {
  /** Fewest characters, at least 6. Default 8. */
  minLength?: number
  /** Most characters, at four bytes each; a longer password is never hashed. At most 4096. Default 128. */
  maxLength?: number
  /** Whether common passwords are refused. Default true. */
  common?: boolean
  /** Whether passwords of digits alone are refused. Default true. */
  numeric?: boolean
  /** Refuses passwords this similar to the user's e-mail address or user name, from 0.1 to 1, or false. Default 0.7. */
  similarity?: number | false
  /** Whether an uppercase letter is required. Default false. */
  uppercase?: boolean
  /** Whether a lowercase letter is required. Default false. */
  lowercase?: boolean
  /** Whether a digit is required. Default false. */
  digit?: boolean
  /** Whether a punctuation mark or another symbol is required. Default false. */
  symbol?: boolean
  /** Rules of the application's own, asked one after the other. */
  rules?: readonly PasswordRule[]
  /** What new hashes are made with. Default `'argon2id'`. */
  hasher?: 'argon2id' | 'scrypt' | 'pbkdf2'
  /** Cost of Argon2id, no less than OWASP's minimum. Default `{ timeCost: 3, memoryCost: 65536, parallelism: 4 }`, memory in KiB. */
  argon2id?: Partial<Argon2Parameters>
  /** Cost of scrypt, no less than OWASP's minimum. Default `{ cost: 131072, blockSize: 8, parallelization: 1 }`. */
  scrypt?: Partial<ScryptParameters>
  /** Cost of PBKDF2-HMAC-SHA-256, no less than OWASP's minimum. Default `{ iterations: 600000 }`. */
  pbkdf2?: Partial<Pbkdf2Parameters>
  /** Which hashes of others verify, besides those of `hasher`. Default: all kinds. */
  accept?: readonly HashKind[]
  /** How many hashes are computed at once. Default: as many as leave a core for everything else, at least 1 and at most 3. */
  concurrency?: number
  /** How many more may wait before the answer is 503. Default 128. */
  queueLimit?: number
}

/** The options as the room uses them. */
export interface PasswordSettings {
  policy: PolicySettings
  hasher: Hasher
  accepted: ReadonlySet<HashKind>
  concurrency: number
  queueLimit: number
}

/** Each hash keeps a core busy, and one of libuv's four threads: one is left for files and names. */
const MOST_AT_ONCE = 3

/** Checks the options, on a machine with so many cores. Throws {@link ConfigurationError}. */
export function readPasswordOptions (given: PasswordOptions, cores: number): PasswordSettings {
  checkShape(given)
  // Without a prototype: what nobody wrote must not come from there.
  const options: PasswordOptions = Object.assign(Object.create(null), given)
  const { minLength = 8, maxLength = 128 } = options
  if (minLength > maxLength) throw refuse('minLength', `must not be above maxLength, which is ${maxLength}`)
  const hasher = hasherOf(options)
  return {
    policy: {
      minLength,
      maxLength,
      common: options.common ?? true,
      numeric: options.numeric ?? true,
      similarity: options.similarity ?? 0.7,
      uppercase: options.uppercase ?? false,
      lowercase: options.lowercase ?? false,
      digit: options.digit ?? false,
      symbol: options.symbol ?? false,
      rules: [...options.rules ?? []]
    },
    hasher,
    accepted: new Set([...options.accept ?? HASH_KINDS, hasher.kind]),
    concurrency: options.concurrency ?? Math.min(MOST_AT_ONCE, Math.max(1, cores - 1)),
    queueLimit: options.queueLimit ?? 128
  }
}

function checkShape (options: unknown): void {
  const first = Value.Errors(passwordOptionsSchema, options).First()
  if (first === undefined) return
  const option = first.path.slice(1).replaceAll('/', '.')
  if (first.type === ValueErrorType.ObjectAdditionalProperties) throw refuse(option, 'is not an option of fastify-bouncer; the README lists those there are')
  throw refuse(option, (first.schema as unknown as { remedy: string }).remedy)
}

function hasherOf (options: PasswordOptions): Hasher {
  const { hasher = 'argon2id' } = options
  const stray = (['argon2id', 'scrypt', 'pbkdf2'] as const).find((name) => name !== hasher && options[name] !== undefined)
  if (stray !== undefined) throw refuse(stray, `is for hasher: '${stray}', and the hasher is ${hasher}; leave it out`)
  switch (hasher) {
    case 'argon2id': return createArgon2id(argon2Parameters(options.argon2id))
    case 'scrypt': return createScrypt(scryptParameters(options.scrypt))
    case 'pbkdf2': return createPbkdf2({ iterations: options.pbkdf2?.iterations ?? 600_000 })
  }
}

// The minimums are those of OWASP's password storage cheat sheet: each pair is
// as strong as the others.

/** KiB by passes. */
const ARGON2_MINIMUMS = [[1, 47_104], [2, 19_456], [3, 12_288], [4, 9_216], [5, 7_168]] as const

function argon2Parameters ({ timeCost = 3, memoryCost = 65_536, parallelism = 4 }: Partial<Argon2Parameters> = {}): Argon2Parameters {
  const least = Math.min(...ARGON2_MINIMUMS.filter(([passes]) => passes <= timeCost).map(([, memory]) => memory))
  if (memoryCost < least) throw refuse('argon2id.memoryCost', `must be at least ${least} KiB with timeCost ${timeCost}`)
  if (memoryCost * timeCost > ARGON2_LIMITS.work) throw refuse('argon2id.memoryCost', `must be at most ${Math.floor(ARGON2_LIMITS.work / timeCost)} KiB with timeCost ${timeCost}`)
  return { timeCost, memoryCost, parallelism }
}

/** N by p. */
const SCRYPT_MINIMUMS = [[1, 2 ** 17], [2, 2 ** 16], [3, 2 ** 15], [5, 2 ** 14], [10, 2 ** 13]] as const

function scryptParameters ({ cost = 2 ** 17, blockSize = 8, parallelization = 1 }: Partial<ScryptParameters> = {}): ScryptParameters {
  const least = Math.min(...SCRYPT_MINIMUMS.filter(([times]) => times <= parallelization).map(([, n]) => n))
  if (!Number.isInteger(Math.log2(cost))) throw refuse('scrypt.cost', 'must be a power of two')
  if (cost < least) throw refuse('scrypt.cost', `must be at least ${least} with parallelization ${parallelization}`)
  if (cost * blockSize * parallelization > SCRYPT_LIMIT) throw refuse('scrypt.cost', `must be at most ${SCRYPT_LIMIT}, multiplied by blockSize and parallelization`)
  return { cost, blockSize, parallelization }
}

function refuse (option: string, problem: string): ConfigurationError {
  const name = option === '' ? 'passwords' : `passwords.${option}`
  return new ConfigurationError({ option: name, message: `${name} ${problem}.` })
}
