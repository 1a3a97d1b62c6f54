import { PasswordPolicyError } from '../../errors/account.js'
import { InvalidChallengeError } from '../../errors/authentication.js'
import type { ChallengeAnswer } from '../provider.js'
import { WEAK } from './refusals/sentences.js'
import { isNewPassword, isSentCode, isTotpCode } from './shapes.js'
import { CHALLENGES, FACTORS, type CognitoChallenge, type Ticket } from './ticket.js'

/** Under which name Cognito takes a code. */
const CODES: Readonly<Partial<Record<CognitoChallenge, string>>> = {
  SOFTWARE_TOKEN_MFA: 'SOFTWARE_TOKEN_MFA_CODE',
  SMS_MFA: 'SMS_MFA_CODE',
  EMAIL_OTP: 'EMAIL_OTP_CODE'
}

/** An answer, as Cognito is given it; `code` is that of a new authenticator application, which is looked at in a call of its own. */
export interface Response {
  readonly responses: Record<string, string>
  readonly code?: string
}

/**
 * The answer to the challenge of this ticket. Throws `InvalidChallengeError` for
 * one to another challenge, or that cannot be right, and `PasswordPolicyError`
 * for what no pool takes as a password.
 */
export function responseTo (ticket: Ticket, answer: ChallengeAnswer): Response {
  if (answer.challenge_name !== CHALLENGES[ticket.challenge]) throw new InvalidChallengeError({ reason: 'other_challenge' })
  if (answer.challenge_name === 'NEW_PASSWORD_REQUIRED') return newPassword(ticket, answer)
  if (answer.challenge_name === 'SELECT_MFA_TYPE') return choice(ticket, answer.mfa_type)
  const { code } = answer
  const name = CODES[ticket.challenge]
  if (!(name === undefined || name === CODES.SOFTWARE_TOKEN_MFA ? isTotpCode : isSentCode)(code)) throw new InvalidChallengeError({ reason: 'wrong_code' })
  return name === undefined ? { responses: {}, code } : { responses: { [name]: code } }
}

/** Attributes are exactly those that were asked for, since others could give rights. */
function newPassword ({ choices }: Ticket, { new_password: password, attributes = {} }: Extract<ChallengeAnswer, { new_password: string }>): Response {
  if (!isNewPassword(password)) throw new PasswordPolicyError({ errors: [WEAK] })
  const given = Object.entries(attributes)
  if (given.length !== choices.length || !given.every(([name, value]) => choices.includes(name) && typeof value === 'string' && value !== '')) {
    throw new InvalidChallengeError({ reason: 'attributes' })
  }
  return { responses: { NEW_PASSWORD: password, ...Object.fromEntries(given.map(([name, value]) => [`userAttributes.${name}`, value])) } }
}

function choice ({ choices }: Ticket, type: keyof typeof FACTORS): Response {
  const factor = choices.includes(type) ? FACTORS[type] : undefined
  if (factor === undefined) throw new InvalidChallengeError({ reason: 'no_such_choice' })
  return { responses: { ANSWER: factor } }
}
