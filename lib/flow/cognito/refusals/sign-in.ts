import { InvalidCredentialsError } from '../../../errors/authentication.js'
import type { AuthError } from '../../../errors/auth-error.js'
import type { Refusals } from './table.js'

/** One answer for everybody; only operators see the reason. */
const credentials = (reason: string) => (): InvalidCredentialsError => new InvalidCredentialsError({ reason })

/** `InitiateAuth` with user name and password. */
export const signInRefusals: Refusals = {
  NotAuthorizedException: notAuthorized,
  // What Cognito says of the password is only said of new ones; cognito-local says it of a wrong one.
  InvalidPasswordException: credentials('wrong_password'),
  UserNotFoundException: credentials('unknown'),
  UserNotConfirmedException: credentials('unverified'),
  PasswordResetRequiredException: credentials('password_reset_required'),
  UserLambdaValidationException: credentials('refused_by_trigger')
}

function notAuthorized (said: string): AuthError {
  if (/disabled/i.test(said)) return credentials('deactivated')()
  return credentials(/exceeded/i.test(said) ? 'locked' : 'wrong_password')()
}
