import type { FastifySchema, FastifySchemaCompiler } from 'fastify'
import { strictAjv } from '../../user/strict-ajv.js'

/**
 * The validator of this package's own routes: nothing is taken away from a
 * body, nothing in it is converted, and what its schema does not list is
 * refused, if the schema says `additionalProperties: false`. Schemas that ajv
 * finds at fault are refused when the route is declared.
 */
export function strictValidator (): FastifySchemaCompiler<FastifySchema> {
  const bodies = strictAjv()
  // Query strings and parameters are text: numbers are read out of them, and what is left out has its default. A repeated parameter is no scalar.
  const texts = strictAjv({ coerceTypes: true, useDefaults: true })
  return ({ schema, httpPart }) => {
    const ajv = httpPart === 'querystring' || httpPart === 'params' ? texts : bodies
    return ajv.compile(schema as object) as never
  }
}
