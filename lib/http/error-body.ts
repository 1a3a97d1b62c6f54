import { STATUS_CODES } from 'node:http'
import { Type, type TObject, type TProperties, type TSchema } from '@sinclair/typebox'
import fastJson from 'fast-json-stringify'
import { errorClasses } from '../errors.js'
import { snakeCase, type AuthError, type AuthErrorClass } from '../errors/auth-error.js'
import { ONBOARDING_SESSION_REASONS } from '../errors/onboarding.js'
import { RequestInvalidError } from '../errors/request.js'

/** `json` is the body of this package, `problem` the form of RFC 9457. */
export type BodyForm = 'json' | 'problem'

/** The media type of each form. */
export const MEDIA_TYPES = {
  json: 'application/json; charset=utf-8',
  problem: 'application/problem+json; charset=utf-8'
} as const

/** Schemas of the public fields, by their names in a body. */
const PUBLIC_FIELDS: Record<string, TSchema> = {
  retry_after: Type.Integer({ minimum: 0, description: 'Seconds to wait before trying again' }),
  max_age: Type.Integer({ minimum: 0, description: 'Greatest age of a sign-in, in seconds' }),
  acr_values: Type.Array(Type.String(), { description: 'Authentication contexts that are accepted' }),
  required_scopes: Type.Array(Type.String(), { description: 'Scopes that are required' }),
  errors: Type.Array(Type.String(), { description: 'One sentence per failed rule' }),
  step_name: Type.String({ description: 'The step that failed' }),
  reason: Type.Union(ONBOARDING_SESSION_REASONS.map((reason) => Type.Literal(reason)))
}

const INVALID_FIELDS = Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
  description: 'What the schema asks, and where in the schema; absent when the request cannot be read at all'
})

/** The schemas of the public fields of a class, by their names in a body. */
export function publicProperties (errorClass: AuthErrorClass): TProperties {
  return Object.fromEntries(errorClass.publicFields.map((field) => [snakeCase(field), Type.Optional(fieldSchema(errorClass, field))]))
}

function fieldSchema (errorClass: AuthErrorClass, field: string): TSchema {
  if (errorClass === RequestInvalidError) return INVALID_FIELDS
  return isOurs(errorClass, field) ? PUBLIC_FIELDS[snakeCase(field)] as TSchema : Type.Unknown()
}

// An application's class may give one of our names to a field of another kind.
function isOurs (errorClass: AuthErrorClass, field: string): boolean {
  return errorClasses.some((ours) => ours.publicFields.includes(field) &&
    (ours === errorClass || Object.prototype.isPrototypeOf.call(ours, errorClass)))
}

/** The schema of the bodies of a class, `extra.code` being `code`. `exposed` are properties that an application adds to `extra`. */
export function bodySchema (errorClass: AuthErrorClass, form: BodyForm, exposed: TProperties = {}, code: TSchema = Type.Literal(errorClass.code)): TObject {
  const fields = { ...publicProperties(errorClass), ...exposed }
  const status = Type.Literal(errorClass.statusCode)
  // What is ours stands first, and holds against a field of the same name.
  const ours: TProperties = form === 'json' ? { code } : { type: Type.String(), title: Type.String(), status, detail: Type.String(), code }
  const all = { ...ours, ...fields, ...ours }
  return form === 'json' ? Type.Object({ status_code: status, detail: Type.String(), extra: Type.Object(all) }) : Type.Object(all)
}

/** What goes into a body besides the class. */
export interface BodyContent {
  detail: string
  /** `code` and the public fields, in snake_case. */
  extra: { code: string, [field: string]: unknown }
}

/** The same content in one form or the other. */
export function bodyOf (statusCode: number, { detail, extra }: BodyContent, form: BodyForm): object {
  if (form === 'json') return { status_code: statusCode, detail, extra }
  // The code tells the problem types apart; none of them has a page of its own.
  const members = { type: 'about:blank', title: STATUS_CODES[statusCode] ?? 'Error', status: statusCode, detail }
  return { ...members, ...extra, ...members }
}

/** Writes bodies of errors: only what the schema of the class lists comes out. */
export type BodySerializer = (error: AuthError, content: BodyContent, form: BodyForm) => string

/** Serializers compiled from the schemas, class by class, on first use. `exposed` gives the properties added to a class. */
export function createBodySerializer (exposed: (errorClass: AuthErrorClass) => TProperties | undefined): BodySerializer {
  const compiled = { json: new Map<AuthErrorClass, (body: object) => string>(), problem: new Map<AuthErrorClass, (body: object) => string>() }
  return (error, content, form) => {
    const errorClass = error.constructor as unknown as AuthErrorClass
    let serialize = compiled[form].get(errorClass)
    if (serialize === undefined) {
      // An endpoint may give an error another code than its class has.
      serialize = fastJson(bodySchema(errorClass, form, exposed(errorClass), Type.String()))
      compiled[form].set(errorClass, serialize)
    }
    return serialize(bodyOf(error.statusCode, content, form))
  }
}
