import { AuthError } from './auth-error.js'

/** One rule that a request broke: where in the schema, and what it asks. Nothing of the client's. */
export interface InvalidField {
  path: string
  message: string
}

// Not in the table of this package's classes: these are the faults of a request
// that Fastify finds by itself, as classes so that they can be documented.

/** The request cannot be read, or breaks its schema: then `errors` has one entry per rule. */
export class RequestInvalidError extends AuthError<{ errors?: readonly InvalidField[] }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'REQUEST_INVALID'
  static override readonly detail: string = 'The request is invalid.'
  static override readonly publicFields: readonly string[] = ['errors']
  declare readonly errors?: readonly InvalidField[]
}

/** The body is larger than the server's `bodyLimit`. */
export class PayloadTooLargeError extends AuthError {
  static override readonly statusCode: number = 413
  static override readonly code: string = 'PAYLOAD_TOO_LARGE'
  static override readonly detail: string = 'Payload Too Large'
}

/** The body is of a media type that nobody here reads. */
export class UnsupportedMediaTypeError extends AuthError {
  static override readonly statusCode: number = 415
  static override readonly code: string = 'UNSUPPORTED_MEDIA_TYPE'
  static override readonly detail: string = 'Unsupported Media Type'
}
