import { Type } from '@sinclair/typebox'
import { ARGON2_LIMITS } from './argon2.js'
import { HASH_KINDS } from './hasher.js'
import { PBKDF2_LIMIT } from './pbkdf2.js'

const closed = { additionalProperties: false }
const flag = Type.Boolean({ remedy: 'must be true or false' })
const whole = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum, remedy: `must be a whole number from ${minimum} to ${maximum}` })
const oneOf = (values: readonly string[]) => Type.Union(values.map((value) => Type.Literal(value)), { remedy: `must be one of ${values.join(', ')}` })

/** The longest password there can be, in characters. */
const LONGEST = 4096
/** The shortest minimum: the least that comparable services let somebody set (Amazon Cognito). */
const SHORTEST = 6

/** The shape of the password options. Each part says in `remedy` what it must be. */
export const passwordOptionsSchema = Type.Object({
  minLength: Type.Optional(whole(SHORTEST, LONGEST)),
  maxLength: Type.Optional(whole(SHORTEST, LONGEST)),
  common: Type.Optional(flag),
  numeric: Type.Optional(flag),
  similarity: Type.Optional(Type.Union([Type.Literal(false), Type.Number({ minimum: 0.1, maximum: 1 })], { remedy: 'must be false, or a number from 0.1 to 1' })),
  uppercase: Type.Optional(flag),
  lowercase: Type.Optional(flag),
  digit: Type.Optional(flag),
  symbol: Type.Optional(flag),
  rules: Type.Optional(Type.Array(Type.Function([], Type.Unknown(), { remedy: 'must be a function (password, subject) that answers with a sentence, or undefined' }), { remedy: 'must be a list of functions (password, subject) that answer with a sentence, or undefined' })),
  hasher: Type.Optional(oneOf(['argon2id', 'scrypt', 'pbkdf2'])),
  argon2id: Type.Optional(Type.Object({
    timeCost: Type.Optional(whole(1, 64)),
    memoryCost: Type.Optional(whole(7168, ARGON2_LIMITS.memoryCost)),
    parallelism: Type.Optional(whole(1, ARGON2_LIMITS.parallelism))
  }, { ...closed, remedy: 'must be { timeCost, memoryCost, parallelism }, memoryCost in KiB' })),
  scrypt: Type.Optional(Type.Object({
    cost: Type.Optional(whole(2 ** 13, 2 ** 19)),
    blockSize: Type.Optional(whole(8, 32)),
    parallelization: Type.Optional(whole(1, 16))
  }, { ...closed, remedy: 'must be { cost, blockSize, parallelization }' })),
  pbkdf2: Type.Optional(Type.Object({ iterations: Type.Optional(whole(600_000, PBKDF2_LIMIT)) }, { ...closed, remedy: 'must be { iterations }' })),
  accept: Type.Optional(Type.Array(oneOf(HASH_KINDS), { remedy: `must be a list of ${HASH_KINDS.join(', ')}` })),
  concurrency: Type.Optional(whole(1, 64)),
  queueLimit: Type.Optional(whole(1, 10_000))
}, { ...closed, remedy: 'must be an object; the README lists its options' })
