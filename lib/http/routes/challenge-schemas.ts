import { Type, type Static } from '@sinclair/typebox'
import { password, TokensAnswer } from './schemas.js'

const closed = { additionalProperties: false }

const session = Type.String({ minLength: 1, maxLength: 4096, description: 'session of the challenge' })
const code = Type.String({ minLength: 1, maxLength: 64 })
const codeChallenge = Type.Union((['MFA_TOTP', 'RECOVERY_CODE', 'MFA_SETUP', 'SMS_MFA', 'EMAIL_OTP'] as const).map((name) => Type.Literal(name)))

/** An answer to a challenge. */
export const ChallengeBody = Type.Union([
  Type.Object({ session, challenge_name: codeChallenge, code }, closed),
  Type.Object({
    session,
    challenge_name: Type.Literal('NEW_PASSWORD_REQUIRED'),
    new_password: password,
    attributes: Type.Optional(Type.Object({}, { additionalProperties: Type.String({ maxLength: 2048 }), maxProperties: 50, description: 'Where the challenge had required_attributes' }))
  }, closed),
  Type.Object({ session, challenge_name: Type.Literal('SELECT_MFA_TYPE'), mfa_type: codeChallenge }, closed)
])

/** 202: more is asked for before there are tokens. */
export const ChallengeAnswer = Type.Object({
  challenge_name: Type.Union([codeChallenge, Type.Literal('NEW_PASSWORD_REQUIRED'), Type.Literal('SELECT_MFA_TYPE')]),
  session: Type.String({ description: 'Secret. A right answer uses it up; it waits for five answers, and five minutes unless the server says otherwise' }),
  mfa_types: Type.Optional(Type.Array(codeChallenge, { description: 'Challenges that may be answered in place of this one, or chosen from' })),
  secret: Type.Optional(Type.String({ description: 'MFA_SETUP: for an authenticator application, in base32' })),
  otpauth_uri: Type.Optional(Type.String({ description: 'MFA_SETUP: the same as a link' })),
  qr_code: Type.Optional(Type.String({ description: 'MFA_SETUP: the link as a QR code, an SVG document' })),
  destination: Type.Optional(Type.String({ description: 'SMS_MFA, EMAIL_OTP: where the code went, in part' })),
  required_attributes: Type.Optional(Type.Array(Type.String(), { description: 'NEW_PASSWORD_REQUIRED: attributes that are wanted besides' }))
}, { description: 'A challenge, to be answered at /login/challenge' })

/** Tokens, and where a second factor was set up on the way its recovery codes. */
export const SignedInAnswer = Type.Object({
  ...TokensAnswer.properties,
  recovery_codes: Type.Optional(Type.Array(Type.String(), { description: 'After MFA_SETUP: each works once, and they are shown once' }))
}, { description: 'Tokens' })

/** Nothing, or what shows that it is the user: a recent sign-in needs neither. */
export const ProofBody = Type.Optional(Type.Union([Type.Object({ current_password: Type.Optional(password), code: Type.Optional(code) }, closed), Type.Null()], { examples: [{}] }))
/** A code of the authenticator application. */
export const CodeBody = Type.Object({ code }, closed)

/** A secret for an authenticator application. */
export const TotpAnswer = Type.Object({
  secret: Type.String({ description: 'In base32, to type in' }),
  otpauth_uri: Type.String({ description: 'The same as a link' }),
  qr_code: Type.String({ description: 'The link as a QR code, an SVG document' })
}, { description: 'A secret that counts once a code of it was verified, within ten minutes' })

/** Recovery codes, shown once. */
export const RecoveryCodesAnswer = Type.Object({ recovery_codes: Type.Array(Type.String()) }, { description: 'Each works once, and they are shown once' })

/** What a user has besides the password. */
export const FactorStatusAnswer = Type.Object({ totp: Type.Boolean(), recovery_codes_left: Type.Integer({ minimum: 0 }) }, { description: 'Second factors' })

export type ChallengeInput = Static<typeof ChallengeBody>
export type ProofInput = Static<typeof ProofBody>
