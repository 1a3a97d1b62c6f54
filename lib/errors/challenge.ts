/** What may have to be answered before a sign-in is complete. */
export type ChallengeName = 'MFA_TOTP' | 'RECOVERY_CODE' | 'MFA_SETUP' | 'NEW_PASSWORD_REQUIRED' | 'SELECT_MFA_TYPE' | 'SMS_MFA' | 'EMAIL_OTP'

/** Challenges that are answered with a code. */
export type CodeChallengeName = Exclude<ChallengeName, 'NEW_PASSWORD_REQUIRED' | 'SELECT_MFA_TYPE'>

/** What a client needs besides, to answer a challenge. */
export interface ChallengeParameters {
  /** Kinds of second factor the user has: to choose from, or to use in place of the one that is asked for. */
  readonly mfa_types?: readonly CodeChallengeName[]
  /** MFA_SETUP: the new secret of an authenticator application, in base32. */
  readonly secret?: string
  /** MFA_SETUP: the same as a link that such an application opens. */
  readonly otpauth_uri?: string
  /** MFA_SETUP: the link as a QR code, an SVG document. */
  readonly qr_code?: string
  /** SMS_MFA, EMAIL_OTP: where a code went, as far as it may be shown. */
  readonly destination?: string
  /** NEW_PASSWORD_REQUIRED: attributes that the provider wants besides. */
  readonly required_attributes?: readonly string[]
}

/** What {@link ChallengeRequiredError} is made with. */
export interface ChallengeRequiredOptions {
  challengeName: string
  /** What the provider goes on with; clients never see it. */
  session: string
  /** What attempts at answers are counted by, such as the id of the user. */
  account?: string
  /** What clients are told besides. */
  parameters?: ChallengeParameters
}

/**
 * Signal of an identity provider to the login service that a challenge must be
 * answered first. It is no refusal and never reaches HTTP.
 */
export class ChallengeRequiredError extends Error {
  readonly challengeName: string
  declare readonly session: string
  declare readonly account: string | undefined
  declare readonly parameters: ChallengeParameters

  constructor ({ challengeName, session, account, parameters = {} }: ChallengeRequiredOptions) {
    super('A challenge is required')
    this.name = 'ChallengeRequiredError'
    this.challengeName = challengeName
    // Credentials among them: kept out of logs and JSON.
    for (const [name, value] of Object.entries({ session, account, parameters })) {
      Object.defineProperty(this, name, { get: () => value, enumerable: false })
    }
  }
}
