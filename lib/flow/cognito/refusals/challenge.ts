import { PasswordPolicyError } from '../../../errors/account.js'
import { InvalidChallengeError } from '../../../errors/authentication.js'
import { WEAK, USED_BEFORE } from './sentences.js'
import type { Refusals } from './table.js'

const challenge = (reason: string) => (): InvalidChallengeError => new InvalidChallengeError({ reason })
const policy = (sentence: string) => (): PasswordPolicyError => new PasswordPolicyError({ errors: [sentence] })

/** `RespondToAuthChallenge`, and `VerifySoftwareToken` in the course of a sign-in. */
export const challengeRefusals: Refusals = {
  NotAuthorizedException: challenge('not_authorized'),
  // An attribute that the pool does not take.
  InvalidParameterException: challenge('attributes'),
  CodeMismatchException: challenge('wrong_code'),
  EnableSoftwareTokenMFAException: challenge('wrong_code'),
  ExpiredCodeException: challenge('expired'),
  SoftwareTokenMFANotFoundException: challenge('no_factor'),
  MFAMethodNotFoundException: challenge('no_factor'),
  AliasExistsException: challenge('alias_taken'),
  UserNotFoundException: challenge('unknown'),
  UserNotConfirmedException: challenge('unverified'),
  PasswordResetRequiredException: challenge('password_reset_required'),
  UserLambdaValidationException: challenge('refused_by_trigger'),
  InvalidPasswordException: policy(WEAK),
  PasswordHistoryPolicyViolationException: policy(USED_BEFORE)
}

/** `AssociateSoftwareToken` in the course of a sign-in: nothing that whoever signs in could have done wrong. */
export const enrolmentRefusals: Refusals = {}
