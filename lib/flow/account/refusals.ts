import { InvalidPasswordError, PasswordPolicyError, UserAlreadyExistsError, UserNotFoundError } from '../../errors/account.js'
import { LastAdministratorError } from '../../errors/last-administrator.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { UserRefusal } from '../../store/contract.js'

/** The code that an endpoint gives `InvalidPasswordError` and `PasswordPolicyError`. */
export type PasswordCode = 'UPDATE_USER_INVALID_PASSWORD' | 'REGISTER_INVALID_PASSWORD' | 'RESET_PASSWORD_INVALID_PASSWORD'

/** Runs a check of a new password, whose refusals get the code of the endpoint. */
export async function withPasswordCode (code: PasswordCode, check: Promise<void>): Promise<void> {
  try {
    await check
  } catch (error) {
    if (!(error instanceof PasswordPolicyError)) throw error
    const { errors = [], userId } = error
    throw new PasswordPolicyError({ errors, userId, code })
  }
}

/** What a store's refusal of a user is told with. `names` are those that were to be stored. */
export function refusalOf (refusal: UserRefusal, userId: string | undefined, names: { email?: string, username?: string | null }): Error {
  switch (refusal) {
    case 'missing': return new UserNotFoundError({ userId })
    case 'last': return new LastAdministratorError({ userId })
    case 'email': return taken('email', names.email)
    case 'username': return taken('username', names.username)
    // A condition that was not made, or, in a store of the application's own, anything.
    default: return new AuthUnavailableError({ dependency: 'users', message: 'The store answered with what it was not asked for' })
  }
}

function taken (type: 'email' | 'username', value: string | null | undefined): UserAlreadyExistsError {
  return new UserAlreadyExistsError(typeof value === 'string' ? { identifier: { type, value } } : {})
}

/** The current password was asked for, and was another one. */
export function wrongPassword (userId: string, code?: PasswordCode): InvalidPasswordError {
  return new InvalidPasswordError({ userId, message: 'The current password is another one', ...(code !== undefined && { code }) })
}

/** The current password is asked for, and none was given. */
export function missingPassword (userId: string): InvalidPasswordError {
  return new InvalidPasswordError({ userId, errors: ['The current password is needed to change the e-mail address'] })
}
