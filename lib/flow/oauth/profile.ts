import { OAuthProviderError } from '../../errors/oauth.js'
import { own } from '../../token/claims.js'
import { normalizeEmail } from '../../user/account.js'
import type { ProfileMap } from './presets.js'

/** Whom a provider has signed in. */
export interface OAuthProfile {
  /** What the provider knows its user by: never changed, and never given to somebody else. */
  readonly subject: string | number
  readonly email?: string | null
  /** Whether the provider has made sure that the address is its user's. */
  readonly emailVerified?: boolean
}

/** Reads a profile out of what a provider says of its user. */
export type ProfileReader = (claims: Readonly<Record<string, unknown>>) => OAuthProfile | Promise<OAuthProfile>

/** The same, checked. */
export interface CheckedProfile {
  readonly subject: string
  /** Undefined for none, and for what is no address. */
  readonly email: string | undefined
  readonly emailVerified: boolean
}

/** OpenID Connect Core 1.0, section 2. */
const MAX_SUBJECT = 255

/** The reader for a map of claims. */
export function profileReader ({ subject = 'sub', email = 'email', emailVerified = 'email_verified' }: ProfileMap = {}): ProfileReader {
  return (claims) => ({
    subject: own(claims, subject) as string,
    email: own(claims, email) as string,
    emailVerified: isTrue(own(claims, emailVerified))
  })
}

/** A profile that can be kept. Throws {@link OAuthProviderError} where nobody is named. */
export function checkProfile (provider: string, { subject, email, emailVerified }: OAuthProfile): CheckedProfile {
  const name = Number.isSafeInteger(subject) ? String(subject) : subject
  if (typeof name !== 'string' || name === '' || name.length > MAX_SUBJECT || /[\p{Cc}\p{Cs}]/u.test(name)) {
    throw new OAuthProviderError({ provider, message: `${provider} does not say who has signed in` })
  }
  const address = typeof email === 'string' ? normalizeEmail(email) : undefined
  // Some letters have a small form that is another's: what was verified is the address as it was written.
  const isWritten = typeof email === 'string' && address === email.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return { subject: name, email: address, emailVerified: isWritten && emailVerified === true }
}

/** Some write booleans as text, or as numbers. */
function isTrue (value: unknown): boolean {
  return value === true || value === 1 || value === 'true' || value === '1'
}
