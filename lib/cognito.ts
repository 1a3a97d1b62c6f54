import { createLookUp } from './flow/cognito/account.js'
import { createCalls } from './flow/cognito/calls.js'
import { createOutcome } from './flow/cognito/challenges.js'
import { readOptions, type CognitoOptions } from './flow/cognito/options.js'
import { createPasswords } from './flow/cognito/passwords.js'
import { refreshTickets } from './flow/cognito/refresh-token.js'
import { createSessions } from './flow/cognito/sessions.js'
import { createSignIn } from './flow/cognito/sign-in.js'
import { createTotp } from './flow/cognito/totp.js'
import type { IdentityProvider, ProviderTrust } from './flow/provider.js'

export type { CognitoOptions } from './flow/cognito/options.js'

/** A user pool of Amazon Cognito, where users sign in. */
export interface CognitoProvider extends IdentityProvider {
  readonly name: 'cognito'
  readonly trust: ProviderTrust
  readonly resetBy: 'code'
}

/**
 * An identity provider over a user pool of Amazon Cognito, through
 * `@aws-sdk/client-cognito-identity-provider`, which is loaded when
 * the application starts. Users sign in with `USER_PASSWORD_AUTH`; no AWS credentials are needed.
 * Throws `ConfigurationError` for options that cannot be meant; `open` throws
 * it where the SDK is not installed, and otherwise what {@link IdentityProvider}
 * says, with `AuthUnavailableError` for whatever Cognito answers that has no
 * meaning here.
 */
export function cognitoProvider (options: CognitoOptions): CognitoProvider {
  const settings = readOptions(options)
  const { issuer, clientId, clientSecret, refreshTokenRotation } = settings
  const { call, open } = createCalls(settings)
  const tickets = refreshTickets(clientSecret !== undefined && !refreshTokenRotation)
  return {
    name: 'cognito',
    trust: { issuer, audience: clientId, jwksUrl: `${issuer}/.well-known/jwks.json`, claims: 'cognito' },
    resetBy: 'code',
    open,
    ...createSignIn(call, settings, createOutcome(call, settings, tickets)),
    ...createSessions(call, settings, tickets),
    lookUp: createLookUp(call),
    ...createPasswords(call, settings),
    ...createTotp(call, settings)
  }
}
