import { MfaSetupError } from '../../../errors/authentication.js'
import type { Refusals } from './table.js'
import { accessTokenRefusals } from './token.js'

const setup = (reason: string) => (): MfaSetupError => new MfaSetupError({ reason })

/** `AssociateSoftwareToken`, `VerifySoftwareToken` and `SetUserMFAPreference` with an access token. */
export const totpRefusals: Refusals = {
  ...accessTokenRefusals,
  EnableSoftwareTokenMFAException: setup('wrong_code'),
  CodeMismatchException: setup('wrong_code'),
  SoftwareTokenMFANotFoundException: setup('no_factor'),
  ConcurrentModificationException: setup('concurrent'),
  // "User has not verified software token mfa", and the like: what is sent besides was looked at before.
  InvalidParameterException: setup('not_set_up')
}
