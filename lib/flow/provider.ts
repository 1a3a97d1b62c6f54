import type { User } from '../context.js'
import type { ChallengeName, ChallengeParameters, CodeChallengeName } from '../errors/challenge.js'
import type { Origin } from '../events.js'
import type { Account } from '../store/contract.js'
import type { Credentials } from './session/credentials.js'
import type { Tokens } from './session/sessions.js'
import type { ClaimMap, ClaimProvider } from '../token/claim-presets.js'

/** A challenge, in place of tokens. `session` is a secret of whoever signs in: it works once, and not for long. */
export interface Challenge extends ChallengeParameters {
  readonly challenge_name: ChallengeName
  readonly session: string
}

/** The answer to a challenge. */
export type ChallengeAnswer =
  | { readonly challenge_name: CodeChallengeName, readonly code: string }
  | { readonly challenge_name: 'NEW_PASSWORD_REQUIRED', readonly new_password: string, readonly attributes?: Readonly<Record<string, string>> }
  | { readonly challenge_name: 'SELECT_MFA_TYPE', readonly mfa_type: CodeChallengeName }

/** How an answer to a challenge is given. */
export interface ChallengeContext {
  readonly origin: Origin
  /**
   * Uses the challenge up: called once the answer is found to be right, before
   * anything is made of it. Throws `InvalidChallengeError` when another request was faster.
   */
  claim (): Promise<void>
}

/** Who asks, by a token that was verified. */
export interface Caller {
  readonly user: User
  readonly token: string
}

/** What somebody who is signed in shows besides, where an access token alone is not enough: it may have been stolen. */
export interface Proof {
  readonly current_password?: string
  /** Of the authenticator application, or a recovery code. */
  readonly code?: string
}

/** A secret for an authenticator application. */
export interface TotpSecret {
  /** In base32, to type in. */
  readonly secret: string
  /** The same as a link (`otpauth://totp/…`). */
  readonly otpauth_uri: string
  /** The link as a QR code, an SVG document. */
  readonly qr_code: string
}

/** Codes for whoever has lost the authenticator application: each works once, and they are shown once. */
export interface RecoveryCodes {
  readonly recovery_codes: readonly string[]
}

/** Whose password is to be reset. */
export type Identifier = { readonly email: string, readonly username?: undefined } | { readonly username: string, readonly email?: undefined }

/** What was mailed to whoever forgot a password: a token, or a code that is typed in together with the name. */
export type ResetTicket = { readonly token: string } | (Identifier & { readonly code: string })

/** Whose tokens a provider's users bring, and with which keys they are verified. */
export interface ProviderTrust {
  readonly issuer: string
  readonly audience: string
  readonly jwksUrl: string
  /** Where claims are. */
  readonly claims: ClaimProvider | ClaimMap
}

/**
 * Where users sign in: the tables of the account system, or a service that has
 * users of its own. Routes and `app.bouncer` do not know which. Every verb
 * throws this package's errors; what is none of them is an unexpected fault,
 * and never a pass.
 */
export interface IdentityProvider {
  /** Name for logs, such as `local` or `cognito`. */
  readonly name: string
  /** Undefined where tokens are signed here. */
  readonly trust?: ProviderTrust
  /** Gets ready when the application starts. Throws `ConfigurationError` for what an operator must do first. */
  open? (): Promise<void>
  /** Whether a password is reset by a token, or by a code that is typed in. */
  readonly resetBy: 'token' | 'code'

  /** Tokens for credentials. Throws `ChallengeRequiredError` where something must be answered first, `InvalidCredentialsError`, `RateLimitError`. */
  signIn (credentials: Credentials, origin: Origin): Promise<Tokens>
  /** Tokens for the right answer to a challenge; `session` is what came with `ChallengeRequiredError`. Throws that for the next one, `InvalidChallengeError`, `PasswordPolicyError`. */
  respond (session: string, answer: ChallengeAnswer, context: ChallengeContext): Promise<Tokens>
  /** New tokens for a refresh token. Throws `TokenError` classes. */
  refresh (refreshToken: string, origin: Origin): Promise<Tokens>
  /** Ends the session of who asks. */
  signOut (caller: Caller): Promise<void>
  /** Ends all sessions of who asks. */
  signOutEverywhere (caller: Caller): Promise<void>
  /** Ends the session of a refresh token, or all sessions of its user. */
  revoke (refreshToken: string, everywhere: boolean): Promise<void>
  /** The account of who asks. */
  lookUp (caller: Caller): Promise<Account>
  /** Throws `InvalidPasswordError` (not the current one), `PasswordPolicyError`. */
  changePassword (caller: Caller, passwords: { current_password: string, new_password: string }, origin: Origin): Promise<void>
  /** Has a token or a code sent to whoever it is; answers alike for everybody. */
  requestReset (identifier: Identifier, origin: Origin): Promise<void>
  /** Sets a new password. Throws `InvalidResetTokenError`, `PasswordPolicyError`. */
  reset (ticket: ResetTicket, password: string, origin: Origin): Promise<void>
  /** A secret for an authenticator application, which counts once {@link IdentityProvider.confirmTotp} was called. Throws `MfaSetupError`. */
  setUpTotp (caller: Caller, proof: Proof, origin: Origin): Promise<TotpSecret>
  /** Makes the second factor count. Throws `MfaSetupError` for a wrong code. */
  confirmTotp (caller: Caller, code: string, origin: Origin): Promise<RecoveryCodes>
  /** Takes the second factor away. Throws `MfaSetupError`. */
  disableTotp (caller: Caller, proof: Proof, origin: Origin): Promise<void>
}
