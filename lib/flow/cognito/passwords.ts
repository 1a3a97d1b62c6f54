import { InvalidPasswordError, InvalidResetTokenError, PasswordPolicyError } from '../../errors/account.js'
import type { IdentityProvider } from '../provider.js'
import type { Call } from './calls.js'
import type { CognitoSettings } from './options.js'
import { passwordRefusals } from './refusals/password.js'
import { requestRefusals, resetRefusals } from './refusals/reset.js'
import { WEAK } from './refusals/sentences.js'
import { secretHash } from './secret-hash.js'
import { isNewPassword, isPassword, isSentCode, isUsername } from './shapes.js'

/** Passwords, over these calls. */
export function createPasswords (call: Call, { clientId, clientSecret }: CognitoSettings): Pick<IdentityProvider, 'changePassword' | 'requestReset' | 'reset'> {
  const who = (username: string): { ClientId: string, Username: string, SecretHash?: string } => ({
    ClientId: clientId,
    Username: username,
    ...(clientSecret !== undefined && { SecretHash: secretHash(clientSecret, username, clientId) })
  })

  return {
    async changePassword ({ token }, { current_password: current, new_password: password }) {
      const code = 'UPDATE_USER_INVALID_PASSWORD'
      if (!isPassword(current)) throw new InvalidPasswordError({ code, message: 'The current password is another one' })
      if (!isNewPassword(password)) throw new PasswordPolicyError({ code, errors: [WEAK] })
      await call(passwordRefusals, (sdk) => new sdk.ChangePasswordCommand({ AccessToken: token, PreviousPassword: current, ProposedPassword: password }))
    },

    async requestReset ({ email, username = email }) {
      if (!isUsername(username)) return
      try {
        await call(requestRefusals, (sdk) => new sdk.ForgotPasswordCommand(who(username)))
      } catch (error) {
        // Whether there is such a user, and whether a code can be sent, is told to nobody.
        if (!(error instanceof InvalidResetTokenError)) throw error
      }
    },

    async reset (ticket, password) {
      // Cognito sends codes, and no tokens.
      if ('token' in ticket) throw new InvalidResetTokenError({ reason: 'token' })
      const username = ticket.email ?? ticket.username
      const { code } = ticket
      if (!isUsername(username) || !isSentCode(code)) throw new InvalidResetTokenError({ reason: 'impossible' })
      if (!isNewPassword(password)) throw new PasswordPolicyError({ code: 'RESET_PASSWORD_INVALID_PASSWORD', errors: [WEAK] })
      await call(resetRefusals, (sdk) => new sdk.ConfirmForgotPasswordCommand({ ...who(username), ConfirmationCode: code, Password: password }))
    }
  }
}
