import { AuthorizationError } from './authorization.js'

/**
 * The change would leave no active administrator. To clients it is what its base
 * class is, status and code; the table of classes has no row of its own for it.
 */
export class LastAdministratorError extends AuthorizationError<{ userId?: unknown }> {
  static override readonly detail: string = 'The last administrator cannot be removed.'
  declare readonly userId?: unknown
}
