import { STATUS_CODES } from 'node:http'
import { Type, type TProperties, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { FastifySchema } from 'fastify'
import {
  AuthError, EventError, InsufficientScopeError, InvalidPasswordError, OAuthAccountAlreadyLinkedError, OnboardingStepError, RateLimitError,
  StepUpRequiredError, TokenInvalidError, type AuthErrorClass
} from '../errors.js'
import { RequestInvalidError } from '../errors/request.js'
import { readDocumentedErrors, type CodedClass, type DocumentedError } from './documented-error.js'
import { bodyOf, bodySchema, type BodyForm } from './error-body.js'

/** Part of an OpenAPI document. */
export type Json = { [key: string]: unknown }

/** One kind of refusal that an operation can answer with. */
export interface Refusal extends CodedClass {
  /** What an application adds to `extra` for this class. */
  readonly exposed: TProperties | undefined
}

/** Constructor arguments for the examples of classes that are nothing without them. */
const EXAMPLES = new Map<unknown, object>([
  [TokenInvalidError, { reason: 'signature' }],
  [InsufficientScopeError, { requiredScopes: ['reports:read'] }],
  [RateLimitError, { retryAfter: 30 }],
  [StepUpRequiredError, { maxAge: 300 }],
  [InvalidPasswordError, { errors: ['Password must be at least 8 characters'] }],
  [OnboardingStepError, { stepName: 'profile', errors: ['Enter a display name'] }],
  [OAuthAccountAlreadyLinkedError, { provider: '', accountId: '', existingUserId: '' }],
  [EventError, { eventName: '', handlerName: '', original: undefined }],
  [RequestInvalidError, { errors: [{ path: 'body', message: 'must have required property \'password\'' }] }]
])

const HEADER_DESCRIPTIONS: Record<string, string> = {
  'cache-control': 'Refusals are never stored',
  'www-authenticate': 'How to authenticate (RFC 9110, section 11.6.1)',
  'retry-after': 'Seconds to wait before trying again'
}

/** An error that stands for its class. */
export function exampleOf (errorClass: AuthErrorClass): AuthError {
  const Class = errorClass as unknown as new (options: object) => AuthError
  try {
    return new Class(exampleArguments(errorClass))
  } catch {
    // A class of the application's, whose constructor wants what nobody here knows.
    const { prototype, statusCode, code } = errorClass
    return Object.assign(Object.create(prototype) as AuthError, { statusCode, code })
  }
}

/** What the class, or the nearest one above it, is given. */
function exampleArguments (errorClass: AuthErrorClass): object {
  for (let ancestor: unknown = errorClass; ancestor !== AuthError; ancestor = Object.getPrototypeOf(ancestor)) {
    const known = EXAMPLES.get(ancestor)
    if (known !== undefined) return known
  }
  return {}
}

/** Marks a schema made by {@link errorResponses}, for the document to say exactly what it stands for. */
const errorsKey = Symbol('fastify-bouncer.errors')

/** What a route's schema lists with {@link errorResponses}. */
export function errorsOf (schema: FastifySchema | undefined): CodedClass[] {
  const responses = Object.values((schema?.response ?? {}) as Record<string, { [errorsKey]?: CodedClass[] }>)
  return responses.flatMap((response) => response?.[errorsKey] ?? [])
}

/**
 * `schema.response` for the errors of a handler, one entry per status:
 * `schema: { response: errorResponses(UserNotFoundError) }`. A class that the
 * endpoint gives a code of its own is written `{ errorClass, code }`. Throws
 * {@link ConfigurationError} for anything else.
 *
 * The document says exactly what the classes are. At run time our errors come
 * out as documented, and whatever else has the same status as it would have
 * without: a stricter schema would turn it into a 500.
 */
export function errorResponses (...errors: DocumentedError[]): Record<number, TSchema> {
  const read = readDocumentedErrors(errors, 'errorResponses()')
  return Object.fromEntries(Object.entries(byStatus(read)).map(([status, group]) => [status, Type.Union([
    having('status_code', 'detail', 'extra'),
    having('statusCode', 'code', 'error', 'message'),
    having('statusCode', 'error', 'message'),
    Type.Unknown()
  ], {
    description: describe(Number(status), group),
    [errorsKey]: group
  })]))
}

// The properties are named because those of an error that was thrown are not
// enumerable; they have no types because a value of another type is no fault.
function having (...names: string[]): TSchema {
  return Type.Object(Object.fromEntries(names.map((name) => [name, Type.Unknown()])), { additionalProperties: true })
}

/** The OpenAPI responses, by status, of an operation that can refuse so. `schemaRef` names the schema of a body. */
export function responsesOf (refusals: readonly Refusal[], schemaRef: (refusal: Refusal, form: BodyForm) => Json): Record<string, Json> {
  return Object.fromEntries(Object.entries(byStatus(distinct(refusals))).map(([status, group]) => [status, {
    description: describe(Number(status), group),
    headers: headersOf(group),
    content: {
      'application/json': mediaOf(group, 'json', schemaRef),
      'application/problem+json': mediaOf(group, 'problem', schemaRef)
    }
  }]))
}

// Each code once, but where classes that share it at an endpoint show different
// things to clients.
function distinct (refusals: readonly Refusal[]): Refusal[] {
  return refusals.filter(({ errorClass: { statusCode }, code, exposed }, index) =>
    index === refusals.findIndex((other) => other.errorClass.statusCode === statusCode && other.code === code && other.exposed === exposed))
}

/** The schema of the bodies of a refusal, as OpenAPI writes it. */
export function documentSchema ({ errorClass, code, exposed }: Refusal, form: BodyForm): Json {
  return asOpenApi(JSON.parse(JSON.stringify(bodySchema(errorClass, form, exposed, Type.Literal(code))))) as Json
}

function mediaOf (group: readonly Refusal[], form: BodyForm, schemaRef: (refusal: Refusal, form: BodyForm) => Json): Json {
  const schemas = group.map((refusal) => schemaRef(refusal, form))
  return {
    // Not oneOf: linters look for what tells alternatives apart at the top only.
    schema: schemas.length === 1 ? schemas[0] : { anyOf: schemas },
    examples: Object.fromEntries(group.map(({ errorClass, code, exposed }) => {
      const { detail, extra, statusCode } = exampleOf(errorClass)
      return [code, { value: bodyOf(statusCode, { detail, extra: { ...examplesOf(exposed), ...extra, code } }, form) }]
    }))
  }
}

function examplesOf (exposed: TProperties = {}): Json {
  return Object.fromEntries(Object.entries(exposed).flatMap(([name, schema]) => {
    if (Array.isArray(schema.examples)) return [[name, schema.examples[0]]]
    try {
      return [[name, Value.Create(schema)]]
    } catch {
      // A pattern, say. The application gives an example where there is to be one.
      return []
    }
  }))
}

function headersOf (group: readonly Refusal[]): Json {
  const examples = group.map(({ errorClass }) => exampleOf(errorClass).headers)
  const names = [...new Set(examples.flatMap((headers) => Object.keys(headers)))].sort()
  return {
    ...Object.fromEntries(names.map((name) => [headerCase(name), {
      ...(HEADER_DESCRIPTIONS[name] !== undefined && { description: HEADER_DESCRIPTIONS[name] }),
      schema: { type: name === 'retry-after' ? 'integer' : 'string' },
      required: examples.every((headers) => name in headers)
    }])),
    Vary: { description: 'The body depends on Accept', schema: { type: 'string' }, required: true }
  }
}

function describe (status: number, group: readonly CodedClass[]): string {
  return `${STATUS_CODES[status] ?? 'Error'}: ${[...new Set(group.map(({ code }) => code))].join(', ')}`
}

function byStatus<Item extends CodedClass> (items: readonly Item[]): Record<string, Item[]> {
  const groups: Record<string, Item[]> = {}
  for (const item of items) (groups[item.errorClass.statusCode] ??= []).push(item)
  return groups
}

function headerCase (name: string): string {
  return name === 'www-authenticate' ? 'WWW-Authenticate' : name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

// OpenAPI 3.0 has no `const` and no `null`; enumerations say the same, in 3.1
// too. It has no `examples` either: those stand beside the schema.
function asOpenApi (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asOpenApi)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).flatMap(([key, member]) => {
    if (key === 'const' && typeof member !== 'object') return [['enum', [member]]]
    if (key === 'type' && member === 'null') return [['enum', [null]]]
    if (key === 'examples' && Array.isArray(member)) return []
    return [[key, asOpenApi(member)]]
  }))
}

/** Name of a refusal's schema among the components of a document: that of its class, or of the code an endpoint gives it. */
export function schemaName ({ errorClass, code }: Refusal, form: BodyForm): string {
  if (code !== errorClass.code) return `${pascalCase(code)}${form === 'json' ? '' : 'Problem'}`
  // An application's class may have no name, or one that OpenAPI does not take.
  const plain = /^\w+$/.test(errorClass.name) ? errorClass.name : code
  return form === 'json' ? plain : `${plain.replace(/Error$/, '')}Problem`
}

function pascalCase (code: string): string {
  return code.toLowerCase().replace(/(^|_+)([a-z0-9]|$)/g, (_match, _underscores, letter: string) => letter.toUpperCase())
}
