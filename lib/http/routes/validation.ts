import { Ajv, type Options } from 'ajv'
import type { FastifySchema, FastifySchemaCompiler } from 'fastify'
import { isRole, normalizeEmail, normalizeUsername } from '../../user/account.js'

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

/** Query strings and parameters are text: numbers are read out of them, and what is left out has its default. A repeated parameter is no scalar. */
const TEXTUAL: Options = { ...STRICT, coerceTypes: true, useDefaults: true }

/**
 * The validator of this package's own routes: nothing is taken away from a
 * body, nothing in it is converted, and what its schema does not list is
 * refused, if the schema says `additionalProperties: false`. Schemas that ajv
 * finds at fault are refused when the route is declared.
 */
export function strictValidator (): FastifySchemaCompiler<FastifySchema> {
  const bodies = new Ajv(STRICT)
  const texts = new Ajv(TEXTUAL)
  return ({ schema, httpPart }) => {
    const ajv = httpPart === 'querystring' || httpPart === 'params' ? texts : bodies
    return ajv.compile(schema as object) as never
  }
}
