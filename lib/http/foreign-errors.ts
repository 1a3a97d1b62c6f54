import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { PayloadTooLargeError, RequestInvalidError, UnsupportedMediaTypeError, type InvalidField } from '../errors/request.js'
import { bodyOf, MEDIA_TYPES, type BodyContent } from './error-body.js'
import { bodyForm } from './negotiate.js'
import { appendVary, report } from './refusal.js'

const CODES: Record<number, string> = {
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: PayloadTooLargeError.code,
  415: UnsupportedMediaTypeError.code,
  431: 'HEADERS_TOO_LARGE',
  500: 'INTERNAL_ERROR'
}

const DETAILS: Record<number, string> = { 500: 'Internal server error' }

/** Faults of the request that Fastify itself finds, by their codes. */
const INVALID_REQUEST = new Set([
  'FST_ERR_BAD_URL', 'FST_ERR_CTP_INVALID_JSON_BODY', 'FST_ERR_CTP_EMPTY_JSON_BODY', 'FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'FST_ERR_VALIDATION'
])

/** Keywords whose message holds nothing but the schema's own words. */
const KEYWORDS = new Set([
  'type', 'enum', 'const', 'format', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum',
  'multipleOf', 'required', 'minItems', 'maxItems', 'uniqueItems', 'contains', 'additionalItems', 'additionalProperties', 'unevaluatedProperties',
  'unevaluatedItems', 'minProperties', 'maxProperties', 'propertyNames', 'dependentRequired', 'dependencies', 'not', 'oneOf', 'anyOf', 'if', 'false schema'
])

interface ForeignError {
  statusCode?: unknown
  status?: unknown
  code?: unknown
  headers?: unknown
  validation?: unknown
  validationContext?: unknown
}

/** The status Fastify would give an error, which may be anything that was thrown: its own, else what the reply has already. */
export function statusOf (error: unknown, reply: FastifyReply): number {
  const { statusCode, status } = (error ?? {}) as ForeignError
  return [statusCode, status, reply.statusCode].map(Number).find((value) => Number.isInteger(value) && value >= 400 && value <= 599) ?? 500
}

/** The body of an error that is not ours: constant per status, except for the schema rules that a request broke. */
export function foreignContent (statusCode: number, error?: unknown): BodyContent {
  const { code, validation, validationContext } = (error ?? {}) as ForeignError
  if (statusCode === 400 && Array.isArray(validation) && validation.length > 0) {
    return invalid(validation.map((failure) => invalidField((failure ?? {}) as FastifySchemaValidationError, String(validationContext))))
  }
  if (statusCode === 400 && (error instanceof SyntaxError || INVALID_REQUEST.has(String(code)))) return INVALID
  const phrase = STATUS_CODES[statusCode] ?? 'Error'
  return {
    detail: DETAILS[statusCode] ?? phrase,
    extra: { code: CODES[statusCode] ?? phrase.toUpperCase().replace(/[^A-Z0-9]+/g, '_').replace(/^_|_$/g, '') }
  }
}

/** A request that cannot be read at all. */
export const INVALID: BodyContent = { detail: RequestInvalidError.detail, extra: { code: RequestInvalidError.code } }

function invalid (errors: InvalidField[]): BodyContent {
  return { detail: INVALID.detail, extra: { ...INVALID.extra, errors } }
}

// `schemaPath` is a place in the schema; `instancePath` would hold keys that
// the client made up, and messages of other validators hold its values.
function invalidField ({ keyword, schemaPath, message }: FastifySchemaValidationError, context: string): InvalidField {
  const where = ['body', 'querystring', 'params', 'headers'].includes(context) ? context : 'request'
  if (!KEYWORDS.has(keyword) || typeof schemaPath !== 'string') return { path: where, message: 'is invalid' }
  const place = schemaPath.replace(/^[^#]*#/, '').replace(/\/[^/]*$/, '')
  return { path: `${where}${place}`, message: message ?? 'is invalid' }
}

/** Sends an error that is not ours in this package's body, with the headers it carries itself. */
export function sendForeign (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const statusCode = statusOf(error, reply)
  const level = statusCode >= 500 ? 'error' : 'info'
  request.log[level]({ req: request, res: reply, err: error }, error instanceof Error ? error.message : 'A value that is no Error was thrown')
  const { headers } = (error ?? {}) as ForeignError
  if (statusCode < 500 && typeof headers === 'object' && headers !== null) reply.headers(headers as Record<string, string>)
  return send(statusCode, foreignContent(statusCode, error), request, reply)
}

/** Answers a fault of our own: 500 with a constant body. */
export function sendUnexpected (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  report(request, error, 'fastify-bouncer: unexpected fault')
  return send(500, foreignContent(500), request, reply)
}

/** Answers 404 in this package's body. */
export function sendNotFound (request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return send(404, foreignContent(404), request, reply)
}

function send (statusCode: number, content: BodyContent, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const form = bodyForm(request.headers.accept)
  appendVary(reply)
  return reply.code(statusCode).type(MEDIA_TYPES[form]).serializer((payload) => payload as string).send(JSON.stringify(bodyOf(statusCode, content, form)))
}
