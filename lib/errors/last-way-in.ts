import { AuthorizationError } from './authorization.js'

/**
 * The change would leave a user no way to sign in. To clients it is what its
 * base class is, status and code; the table of classes has no row of its own
 * for it.
 */
export class LastWayInError extends AuthorizationError<{ userId?: unknown, provider?: string }> {
  static override readonly detail: string = 'The last way to sign in cannot be removed.'
  declare readonly userId?: unknown
  declare readonly provider?: string
}
