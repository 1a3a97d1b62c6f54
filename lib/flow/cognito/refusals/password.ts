import { InvalidPasswordError, PasswordPolicyError } from '../../../errors/account.js'
import type { PasswordCode } from '../../account/refusals.js'
import { WEAK, USED_BEFORE } from './sentences.js'
import type { Refusals } from './table.js'
import { accessTokenRefusals, notAuthorized } from './token.js'

const code: PasswordCode = 'UPDATE_USER_INVALID_PASSWORD'

/** `ChangePassword`. */
export const passwordRefusals: Refusals = {
  ...accessTokenRefusals,
  // Of the token, or "Incorrect username or password.".
  NotAuthorizedException: (said) => /token|disabled/i.test(said) ? notAuthorized(said) : new InvalidPasswordError({ code, message: 'The current password is another one' }),
  InvalidPasswordException: () => new PasswordPolicyError({ code, errors: [WEAK] }),
  PasswordHistoryPolicyViolationException: () => new PasswordPolicyError({ code, errors: [USED_BEFORE] })
}
