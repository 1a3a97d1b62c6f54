import { Ajv, type Options } from 'ajv'
import { isRole, normalizeEmail, normalizeUsername } from './account.js'

const STRICT: Options = {
  strict: true,
  // `anyOf: [{ required: ['email'] }, ...]` requires what its parent declares.
  strictRequired: false,
  // What a body may not hold is refused; Fastify's own validator takes it away.
  removeAdditional: false,
  coerceTypes: false,
  useDefaults: false,
  // The first failure is enough: with all of them, a body of a megabyte of
  // unknown keys would be answered with several.
  allErrors: false,
  // No expressions, which could take more than linear time. A format of any
  // other name is refused when the route is declared.
  formats: {
    email: (value: string) => normalizeEmail(value) !== undefined,
    username: (value: string) => normalizeUsername(value) !== undefined,
    role: isRole
  }
}

/** A validator that takes nothing away, converts nothing and refuses schemas that are at fault; `changes` are to its options. */
export function strictAjv (changes: Options = {}): Ajv {
  return new Ajv({ ...STRICT, ...changes })
}
