import { AuthError, type AuthErrorClass } from '../errors/auth-error.js'
import { ConfigurationError } from '../errors/operation.js'
import { own } from '../token/claims.js'

/** An error class, and the code that an endpoint gives it in place of its own. */
export interface CodedClass {
  readonly errorClass: AuthErrorClass
  /** In capitals, such as `REGISTER_INVALID_PASSWORD`. */
  readonly code: string
}

/** What an endpoint can answer, for its document: a class, or a class with a code of the endpoint's own. */
export type DocumentedError = AuthErrorClass | CodedClass

const CODE = /^[A-Z][A-Z0-9_]*$/

/** The class under the code it has anywhere but where an endpoint gives it another. */
export function withOwnCode (errorClass: AuthErrorClass): CodedClass {
  return { errorClass, code: errorClass.code }
}

/** Checks a list of {@link DocumentedError}. Throws {@link ConfigurationError}, which names `option`, for anything else. */
export function readDocumentedErrors (errors: unknown, option: string): readonly CodedClass[] {
  const read = Array.isArray(errors) ? Array.from(errors, readDocumentedError) : [undefined]
  if (read.every((error) => error !== undefined)) return read
  throw new ConfigurationError({
    option,
    message: `${option} must be a list of error classes of this package, or of { errorClass, code } with a code in capitals such as ORDER_NOT_FOUND.`
  })
}

function readDocumentedError (value: unknown): CodedClass | undefined {
  if (isErrorClass(value)) return withOwnCode(value)
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return undefined
  const errorClass = own(value, 'errorClass')
  const code = own(value, 'code')
  return isErrorClass(errorClass) && typeof code === 'string' && CODE.test(code) ? { errorClass, code } : undefined
}

function isErrorClass (value: unknown): value is AuthErrorClass {
  return typeof value === 'function' && (value === AuthError || value.prototype instanceof AuthError)
}
