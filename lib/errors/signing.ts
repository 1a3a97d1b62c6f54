import { AuthError } from './auth-error.js'

/** Base class of signed-value problems. */
export abstract class SigningError<Options extends object = object> extends AuthError<Options> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'SIGNING_ERROR'
  static override readonly detail: string = 'Invalid signature'
}

/** The signature is right, but older than allowed. `age` and `maxAge` are in seconds. */
export class SignatureExpiredError extends SigningError<{ age?: number, maxAge?: number }> {
  static override readonly code: string = 'SIGNATURE_EXPIRED'
  static override readonly detail: string = 'Signature has expired'
  declare readonly age?: number
  declare readonly maxAge?: number
}

/** Tampered with, or signed with another secret or for another purpose. */
export class BadSignatureError extends SigningError<{ reason?: string }> {
  static override readonly code: string = 'BAD_SIGNATURE'
  declare readonly reason?: string
}
