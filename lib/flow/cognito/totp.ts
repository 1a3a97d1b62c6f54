import { MfaSetupError, StepUpRequiredError } from '../../errors/authentication.js'
import type { Caller, IdentityProvider } from '../provider.js'
import type { Call } from './calls.js'
import { secretOf } from './challenges.js'
import type { CognitoSettings } from './options.js'
import { totpRefusals } from './refusals/totp.js'
import { isTotpCode } from './shapes.js'

/** Seconds since the sign-in after which a factor is not added or taken away any more: the token may have been stolen. */
const RECENT = 600
const DEVICE = 'Authenticator application'

/** The second factor of an authenticator application, over these calls. */
export function createTotp (call: Call, { totpIssuer, clock }: CognitoSettings): Pick<IdentityProvider, 'setUpTotp' | 'confirmTotp' | 'disableTotp'> {
  function requireRecent ({ user }: Caller): void {
    const authTime = user.claims['auth_time']
    // A refresh leaves `auth_time` as it was (OpenID Connect Core, section 12.2).
    if (typeof authTime !== 'number' || !(clock() / 1000 - authTime <= RECENT)) throw new StepUpRequiredError({ maxAge: RECENT })
  }

  async function prefer (token: string, enabled: boolean): Promise<void> {
    await call(totpRefusals, (sdk) => new sdk.SetUserMFAPreferenceCommand({ AccessToken: token, SoftwareTokenMfaSettings: { Enabled: enabled, PreferredMfa: enabled } }))
  }

  return {
    async setUpTotp (caller) {
      requireRecent(caller)
      const { SecretCode: secret } = await call(totpRefusals, (sdk) => new sdk.AssociateSoftwareTokenCommand({ AccessToken: caller.token }))
      return secretOf(secret, totpIssuer, labelOf(caller))
    },

    async confirmTotp ({ token }, code) {
      if (!isTotpCode(code)) throw new MfaSetupError({ reason: 'wrong_code' })
      const { Status: status } = await call(totpRefusals, (sdk) => new sdk.VerifySoftwareTokenCommand({ AccessToken: token, UserCode: code, FriendlyDeviceName: DEVICE }))
      if (status !== 'SUCCESS') throw new MfaSetupError({ reason: 'not_verified' })
      await prefer(token, true)
      // Cognito has none.
      return { recovery_codes: [] }
    },

    async disableTotp (caller) {
      requireRecent(caller)
      await prefer(caller.token, false)
    }
  }
}

/** What an authenticator application shows of the user. */
function labelOf ({ user }: Caller): string {
  const { username } = user.claims
  return user.email ?? (typeof username === 'string' ? username : user.id)
}
