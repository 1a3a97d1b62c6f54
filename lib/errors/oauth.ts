import { AuthError, type AuthErrorOptions } from './auth-error.js'

/** A provider identity that already belongs to another local user. The message, for operators, names all three. */
export class OAuthAccountAlreadyLinkedError extends AuthError<{ provider: string, accountId: string, existingUserId: unknown }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'OAUTH_ACCOUNT_ALREADY_LINKED'
  static override readonly detail: string = 'This provider account is already linked to another user. One provider identity can only be linked to a single local account.'
  declare readonly provider: string
  declare readonly accountId: string
  declare readonly existingUserId: unknown

  constructor (options: AuthErrorOptions & { provider: string, accountId: string, existingUserId: unknown }) {
    const { provider, accountId, existingUserId, message } = options
    super({ ...options, message: message ?? `The ${provider} account ${accountId} is already linked to user ${String(existingUserId)}.` })
  }
}

/** State, PKCE, nonce, issuer or code do not belong to this browser's attempt. */
export class OAuthStateError extends AuthError<{ reason?: string }> {
  static override readonly statusCode: number = 400
  static override readonly code: string = 'OAUTH_STATE_INVALID'
  static override readonly detail: string = 'The sign-in attempt is invalid or has expired.'
  declare readonly reason?: string
}

/** An account with this address exists, and linking it silently would be unsafe. */
export class OAuthLinkRequiredError extends AuthError<{ provider?: string, userId?: unknown }> {
  static override readonly statusCode: number = 409
  static override readonly code: string = 'OAUTH_LINK_REQUIRED'
  static override readonly detail: string = 'An account with this e-mail address exists. Sign in to it first, then link this provider.'
  declare readonly provider?: string
  declare readonly userId?: unknown
}

/** The provider refused or failed. */
export class OAuthProviderError extends AuthError<{ provider?: string }> {
  static override readonly statusCode: number = 502
  static override readonly code: string = 'OAUTH_PROVIDER_ERROR'
  static override readonly detail: string = 'The sign-in provider did not answer correctly.'
  declare readonly provider?: string
}
