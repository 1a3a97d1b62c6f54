import { STATUS_CODES } from 'node:http'
import { Type, type TObject, type TProperties } from '@sinclair/typebox'
import type { AuthError, AuthErrorClass } from '../errors/auth-error.js'
import { bodyOf, bodySchema, publicProperties, type BodyForm } from './error-body.js'

/** Part of an OpenAPI document. */
export type Json = { [key: string]: unknown }

/** One kind of refusal that an operation can answer with. */
export interface Refusal {
  errorClass: AuthErrorClass
  /** What an application adds to `extra` for this class. */
  exposed: TProperties | undefined
}

/** Constructor arguments for the examples of classes that are nothing without them. */
const EXAMPLES: Record<string, object> = {
  TokenInvalidError: { reason: 'signature' },
  InsufficientScopeError: { requiredScopes: ['reports:read'] },
  RateLimitError: { retryAfter: 30 },
  StepUpRequiredError: { maxAge: 300 },
  InvalidPasswordError: { errors: ['Password must be at least 8 characters'] },
  PasswordPolicyError: { errors: ['Password must be at least 8 characters'] },
  OnboardingStepError: { stepName: 'profile', errors: ['Enter a display name'] },
  OAuthAccountAlreadyLinkedError: { provider: '', accountId: '', existingUserId: '' },
  EventError: { eventName: '', handlerName: '', original: undefined }
}

const HEADER_DESCRIPTIONS: Record<string, string> = {
  'cache-control': 'Refusals are never stored',
  'www-authenticate': 'How to authenticate (RFC 9110, section 11.6.1)',
  'retry-after': 'Seconds to wait before trying again'
}

/** An error of a class, as good as any other. */
export function exampleOf (errorClass: AuthErrorClass): AuthError {
  const Class = errorClass as unknown as new (options: object) => AuthError
  return new Class(EXAMPLES[errorClass.name] ?? {})
}

/** Marks a schema made by {@link errorResponses}, for the document to say exactly what it stands for. */
export const classesKey = 'x-fastify-bouncer-errors'

/**
 * `schema.response` for the errors of a handler, one entry per status:
 * `schema: { response: errorResponses(UserNotFoundError) }`.
 *
 * It serialises our errors, and lets other errors of the same status through
 * in Fastify's own form; a stricter schema would turn those into a 500.
 */
export function errorResponses (...classes: AuthErrorClass[]): Record<number, TObject> {
  const optional = Type.Optional(Type.String())
  return Object.fromEntries(Object.entries(byStatus(classes, (errorClass) => errorClass.statusCode)).map(([status, group]) => {
    const extras = group.flatMap((errorClass) => Object.entries(publicProperties(errorClass)))
    return [status, Type.Object({
      status_code: Type.Optional(Type.Integer()),
      detail: optional,
      extra: Type.Optional(Type.Object({ code: Type.String(), ...Object.fromEntries(extras) as TProperties })),
      statusCode: Type.Optional(Type.Integer()),
      code: optional,
      error: optional,
      message: optional
    }, {
      description: describe(Number(status), group.map((errorClass) => errorClass.code)),
      [classesKey]: group.map((errorClass) => errorClass.name)
    })]
  }))
}

/** The OpenAPI responses, by status, of an operation that can refuse so. `schemaRef` names the schema of a body. */
export function responsesOf (refusals: readonly Refusal[], schemaRef: (refusal: Refusal, form: BodyForm) => Json): Record<string, Json> {
  return Object.fromEntries(Object.entries(byStatus(refusals, ({ errorClass }) => errorClass.statusCode)).map(([status, group]) => [status, {
    description: describe(Number(status), group.map(({ errorClass }) => errorClass.code)),
    headers: headersOf(group),
    content: {
      'application/json': mediaOf(group, 'json', schemaRef),
      'application/problem+json': mediaOf(group, 'problem', schemaRef)
    }
  }]))
}

/** The schema of a class's bodies, as OpenAPI writes it. */
export function documentSchema ({ errorClass, exposed }: Refusal, form: BodyForm): Json {
  return withEnum(JSON.parse(JSON.stringify(bodySchema(errorClass, form, exposed)))) as Json
}

function mediaOf (group: readonly Refusal[], form: BodyForm, schemaRef: (refusal: Refusal, form: BodyForm) => Json): Json {
  const schemas = group.map((refusal) => schemaRef(refusal, form))
  return {
    schema: schemas.length === 1 ? schemas[0] : { oneOf: schemas },
    examples: Object.fromEntries(group.map(({ errorClass }) => {
      const error = exampleOf(errorClass)
      return [error.code, { summary: error.detail, value: bodyOf(error.statusCode, error, form) }]
    }))
  }
}

function headersOf (group: readonly Refusal[]): Json {
  const examples = group.map(({ errorClass }) => exampleOf(errorClass).headers)
  const names = [...new Set(examples.flatMap((headers) => Object.keys(headers)))].sort()
  return {
    ...Object.fromEntries(names.map((name) => [headerCase(name), {
      description: HEADER_DESCRIPTIONS[name] ?? '',
      schema: { type: name === 'retry-after' ? 'integer' : 'string' },
      required: examples.every((headers) => name in headers)
    }])),
    Vary: { description: 'The body depends on Accept', schema: { type: 'string' }, required: true }
  }
}

function describe (status: number, codes: readonly string[]): string {
  return `${STATUS_CODES[status]}: ${codes.join(', ')}`
}

function byStatus<Item> (items: readonly Item[], statusOf: (item: Item) => number): Record<string, Item[]> {
  const groups: Record<string, Item[]> = {}
  for (const item of new Set(items)) (groups[statusOf(item)] ??= []).push(item)
  return groups
}

function headerCase (name: string): string {
  return name === 'www-authenticate' ? 'WWW-Authenticate' : name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

// OpenAPI 3.0 has no `const`; an enumeration of one says the same in 3.1 too.
function withEnum (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withEnum)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => key === 'const' ? ['enum', [member]] : [key, withEnum(member)]))
}

/** Name of a class's schema among the components of a document. */
export function schemaName ({ errorClass }: Refusal, form: BodyForm): string {
  return form === 'json' ? errorClass.name : `${errorClass.name.replace(/Error$/, '')}Problem`
}
