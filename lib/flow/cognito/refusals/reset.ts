import { InvalidResetTokenError, PasswordPolicyError } from '../../../errors/account.js'
import type { PasswordCode } from '../../account/refusals.js'
import { WEAK, USED_BEFORE } from './sentences.js'
import type { Refusals } from './table.js'

const code: PasswordCode = 'RESET_PASSWORD_INVALID_PASSWORD'
const ticket = (reason: string) => (): InvalidResetTokenError => new InvalidResetTokenError({ reason })

/** `ConfirmForgotPassword`. */
export const resetRefusals: Refusals = {
  CodeMismatchException: ticket('wrong_code'),
  ExpiredCodeException: ticket('expired'),
  NotAuthorizedException: ticket('not_authorized'),
  UserNotFoundException: ticket('unknown'),
  UserNotConfirmedException: ticket('unverified'),
  UserLambdaValidationException: ticket('refused_by_trigger'),
  InvalidPasswordException: () => new PasswordPolicyError({ code, errors: [WEAK] }),
  PasswordHistoryPolicyViolationException: () => new PasswordPolicyError({ code, errors: [USED_BEFORE] })
}

/**
 * `ForgotPassword`: what Cognito only says where there is, or is not, such a
 * user. It is swallowed, since whoever asks must not learn which.
 */
export const requestRefusals: Refusals = {
  UserNotFoundException: ticket('unknown'),
  UserNotConfirmedException: ticket('unverified'),
  NotAuthorizedException: ticket('deactivated'),
  // "Cannot reset password for the user as there is no registered/verified email or phone_number".
  InvalidParameterException: ticket('no_address'),
  CodeDeliveryFailureException: ticket('not_delivered'),
  LimitExceededException: ticket('limit'),
  TooManyFailedAttemptsException: ticket('limit'),
  UserLambdaValidationException: ticket('refused_by_trigger')
}
