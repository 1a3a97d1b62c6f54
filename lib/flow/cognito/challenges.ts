import type { AuthenticationResultType } from '@aws-sdk/client-cognito-identity-provider'
import { ChallengeRequiredError, type ChallengeParameters, type CodeChallengeName } from '../../errors/challenge.js'
import { totpLink } from '../../mfa/totp.js'
import type { TotpSecret } from '../provider.js'
import type { Tokens } from '../session/sessions.js'
import type { Call } from './calls.js'
import type { CognitoSettings } from './options.js'
import type { RefreshTickets } from './refresh-token.js'
import { enrolmentRefusals } from './refusals/challenge.js'
import { unavailable } from './refusals/table.js'
import { CHALLENGES, packTicket, type CognitoChallenge, type Ticket } from './ticket.js'
import { tokensOf } from './tokens.js'

/** What Cognito answers a sign-in with, or an answer to a challenge. */
export interface Answered {
  ChallengeName?: string
  ChallengeParameters?: Record<string, string>
  Session?: string
  AuthenticationResult?: AuthenticationResultType
}

/** Makes of it tokens. Throws `ChallengeRequiredError` for the next challenge, `AuthUnavailableError` for one that is not known here. */
export type Outcome = (answered: Answered, names: Pick<Ticket, 'username' | 'label'>) => Promise<Tokens>

const FACTOR_NAMES: Readonly<Record<string, CodeChallengeName>> = { SOFTWARE_TOKEN_MFA: 'MFA_TOTP', SMS_MFA: 'SMS_MFA', EMAIL_OTP: 'EMAIL_OTP' }

/** The outcome of a sign-in, or of one step of it. */
export function createOutcome (call: Call, settings: CognitoSettings, tickets: RefreshTickets): Outcome {
  /** A secret for somebody who has no second factor yet and must have one; the session is a new one from here on. */
  async function enrol (session: string, label: string): Promise<{ session: string, parameters: ChallengeParameters }> {
    const answered = await call(enrolmentRefusals, (sdk) => new sdk.AssociateSoftwareTokenCommand({ Session: session }))
    return { session: answered.Session ?? session, parameters: secretOf(answered.SecretCode, settings.totpIssuer, label) }
  }

  return async (answered, { username, label }) => {
    const { ChallengeName: name, ChallengeParameters: details = {}, Session: session } = answered
    if (name === undefined) return tokensOf(answered.AuthenticationResult, { username }, tickets)
    // A challenge that is not known is not passed over, whatever else is in the answer.
    if (!Object.hasOwn(CHALLENGES, name) || session === undefined) throw unavailable(`Cognito asks for ${/^\w{1,64}$/.test(name) ? name : 'a challenge'}, which is not supported.`)
    const challenge = name as CognitoChallenge
    const account = details['USER_ID_FOR_SRP'] ?? username
    const { choices = [], parameters } = asked(challenge, details)
    const enrolment = challenge === 'MFA_SETUP' ? await enrol(session, label) : { session, parameters }
    throw new ChallengeRequiredError({
      challengeName: CHALLENGES[challenge],
      session: packTicket({ challenge, session: enrolment.session, username: account, label, choices }),
      account,
      parameters: enrolment.parameters
    })
  }
}

/** A new secret as it is shown. Throws `AuthUnavailableError` for what is none. */
export function secretOf (secret: string | undefined, issuer: string, label: string): TotpSecret {
  if (secret === undefined || !/^[A-Z2-7]{1,256}=*$/.test(secret)) throw unavailable('Cognito answered without a secret.')
  return { secret, ...totpLink(secret, issuer, label) }
}

function asked (challenge: CognitoChallenge, details: Record<string, string>): { choices?: readonly string[], parameters: ChallengeParameters } {
  switch (challenge) {
    case 'NEW_PASSWORD_REQUIRED': {
      const attributes = list(details['requiredAttributes']).map((name) => name.replace(/^userAttributes\./, ''))
      return { choices: attributes, parameters: attributes.length > 0 ? { required_attributes: attributes } : {} }
    }
    case 'SELECT_MFA_TYPE': {
      const types = factors(details['MFAS_CAN_CHOOSE'])
      return { choices: types, parameters: { mfa_types: types } }
    }
    case 'MFA_SETUP': {
      const { MFAS_CAN_SETUP: offered } = details
      if (offered !== undefined && !list(offered).includes('SOFTWARE_TOKEN_MFA')) throw unavailable('Cognito asks for a second factor other than an authenticator application.')
      return { parameters: {} }
    }
    default: {
      const { CODE_DELIVERY_DESTINATION: destination } = details
      return { parameters: destination === undefined ? {} : { destination } }
    }
  }
}

function factors (text: string | undefined): readonly CodeChallengeName[] {
  const types = list(text).flatMap((name) => Object.hasOwn(FACTOR_NAMES, name) ? [FACTOR_NAMES[name] as CodeChallengeName] : [])
  if (types.length === 0) throw unavailable('Cognito lets choose from no second factor that is supported.')
  return types
}

/** A list of names, which Cognito gives as JSON. */
function list (text = '[]'): string[] {
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value
  } catch {
    // Like every other text that is no list.
  }
  throw unavailable('Cognito answered with a list that cannot be read.')
}
