import type { ChallengeName, CodeChallengeName } from '../../errors/challenge.js'
import { InvalidChallengeError } from '../../errors/authentication.js'

/** Challenges of Cognito's that are known here, and what they are called outside. */
export const CHALLENGES = {
  SOFTWARE_TOKEN_MFA: 'MFA_TOTP',
  SMS_MFA: 'SMS_MFA',
  EMAIL_OTP: 'EMAIL_OTP',
  NEW_PASSWORD_REQUIRED: 'NEW_PASSWORD_REQUIRED',
  MFA_SETUP: 'MFA_SETUP',
  SELECT_MFA_TYPE: 'SELECT_MFA_TYPE'
} as const satisfies Record<string, ChallengeName>

/** Name of a challenge, as Cognito has it. */
export type CognitoChallenge = keyof typeof CHALLENGES

/** Kinds of second factor, as they are called outside, and Cognito's names of them. */
export const FACTORS: Readonly<Partial<Record<CodeChallengeName, CognitoChallenge>>> = {
  MFA_TOTP: 'SOFTWARE_TOKEN_MFA',
  SMS_MFA: 'SMS_MFA',
  EMAIL_OTP: 'EMAIL_OTP'
}

/** What goes on with a sign-in that was answered with a challenge. */
export interface Ticket {
  readonly challenge: CognitoChallenge
  /** Cognito's own. */
  readonly session: string
  /** The name that answers must give. */
  readonly username: string
  /** The name somebody signed in with: what an authenticator application shows. */
  readonly label: string
  /** Of SELECT_MFA_TYPE: what there is to choose from. Of NEW_PASSWORD_REQUIRED: attributes to be given. */
  readonly choices: readonly string[]
}

const MAX_LENGTH = 16_384

/** A ticket as the one string that a challenge goes on with. */
export function packTicket ({ challenge, session, username, label, choices }: Ticket): string {
  return Buffer.from(JSON.stringify([challenge, session, username, label, choices])).toString('base64url')
}

/** The ticket in such a string. Throws `InvalidChallengeError` for any other. */
export function unpackTicket (packed: string): Ticket {
  const [challenge, session, username, label, choices] = parts(packed)
  const known = typeof challenge === 'string' && Object.hasOwn(CHALLENGES, challenge)
  const texts = [session, username, label].every((text) => typeof text === 'string' && text !== '')
  if (!known || !texts || !Array.isArray(choices) || !choices.every((choice) => typeof choice === 'string')) throw new InvalidChallengeError({ reason: 'foreign' })
  return { challenge: challenge as CognitoChallenge, session: session as string, username: username as string, label: label as string, choices }
}

function parts (packed: unknown): unknown[] {
  if (typeof packed !== 'string' || packed.length > MAX_LENGTH) return []
  try {
    const value: unknown = JSON.parse(Buffer.from(packed, 'base64url').toString('utf8'))
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
