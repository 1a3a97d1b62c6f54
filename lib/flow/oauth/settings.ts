import type { OAuthEndpoints } from './presets.js'
import type { ProfileReader } from './profile.js'

/** A provider as it was configured. */
export interface OAuthProviderSettings {
  readonly name: string
  readonly issuer: string
  /** Whether its ID tokens name others, such as one of each tenant. */
  readonly manyIssuers: boolean
  readonly clientId: string
  /** Undefined for a public client. */
  readonly clientSecret: string | (() => string | Promise<string>) | undefined
  /** How the secret is sent; undefined for what the provider says that it takes. */
  readonly clientAuth: ClientAuthMethod | undefined
  readonly scopes: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  /** Undefined where they are discovered. */
  readonly endpoints: OAuthEndpoints | undefined
  readonly profile: ProfileReader
  /** Whether every address counts as verified. */
  readonly trustEmail: boolean
}

/** How a client shows its secret (RFC 6749, section 2.3.1). */
export type ClientAuthMethod = 'client_secret_post' | 'client_secret_basic'
