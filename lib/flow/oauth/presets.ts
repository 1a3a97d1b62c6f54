/** What is known of a provider before an application says anything. */
export interface OAuthPreset {
  /** Its identifier; with `endpoints` nothing is discovered. */
  readonly issuer: string
  readonly scopes: readonly string[]
  /** Further parameters of the authorization request. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly endpoints?: OAuthEndpoints
  readonly profile?: ProfileMap
}

/** Where a provider is reached that is not discovered. */
export interface OAuthEndpoints {
  readonly authorization: string
  readonly token: string
  /** Who somebody is, as JSON. */
  readonly userinfo: string
  /** The addresses of somebody, a list of `{ email, primary, verified }`, where `userinfo` has none. */
  readonly emails?: string
}

/** Which claims of a provider say what. */
export interface ProfileMap {
  /** What never changes and is never given to somebody else. Default `sub`. */
  readonly subject?: string
  /** Default `email`. */
  readonly email?: string
  /** True, `'true'` or 1 where the provider has verified the address. Default `email_verified`. */
  readonly emailVerified?: string
}

const OPENID = ['openid', 'email', 'profile'] as const

/** Providers that need no more than a client. */
export const OAUTH_PRESETS = {
  google: { issuer: 'https://accounts.google.com', scopes: OPENID },
  // Anybody can run a tenant and write any address into it: only this claim says that the domain's owner did (https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization).
  microsoft: { issuer: 'https://login.microsoftonline.com/common/v2.0', scopes: OPENID, profile: { emailVerified: 'xms_edov' } },
  // Whoever asks for an address is answered by a form only.
  apple: { issuer: 'https://appleid.apple.com', scopes: ['openid', 'email', 'name'], parameters: { response_mode: 'form_post' } },
  gitlab: { issuer: 'https://gitlab.com', scopes: OPENID },
  github: {
    issuer: 'https://github.com/login/oauth',
    scopes: ['read:user', 'user:email'],
    endpoints: {
      authorization: 'https://github.com/login/oauth/authorize',
      token: 'https://github.com/login/oauth/access_token',
      userinfo: 'https://api.github.com/user',
      emails: 'https://api.github.com/user/emails'
    },
    profile: { subject: 'id' }
  }
} as const satisfies Record<string, OAuthPreset>

/** A provider that needs no more than a client. */
export type OAuthPresetName = keyof typeof OAUTH_PRESETS
