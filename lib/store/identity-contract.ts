/** An account at a sign-in provider that belongs to a user. `issuer` and `subject` together say whose it is (OpenID Connect Core 1.0, section 2). */
export interface StoredIdentity {
  readonly userId: string
  /** Name of the provider in the options. */
  readonly provider: string
  readonly issuer: string
  readonly subject: string
  /** The address that the provider gave last, for people who look at their accounts; nothing goes by it. */
  readonly email: string | null
  /** Tokens of the provider, encrypted; null unless they are kept. */
  readonly tokens: string | null
  readonly createdAt: number
  /** Of the last sign-in with it. */
  readonly usedAt: number
}

/** Which of the identities of a user. */
export interface IdentityChoice {
  readonly userId: string
  readonly provider: string
  /** One account at the provider; undefined for all. */
  readonly subject?: string
}

/** Linked accounts. Of a user who is deleted none is left. */
export interface IdentityStore {
  find (issuer: string, subject: string): Promise<StoredIdentity | undefined>
  /** Those of a user, oldest first. */
  list (userId: string): Promise<readonly StoredIdentity[]>
  /** Stores an identity; false where somebody has it. */
  insert (identity: StoredIdentity): Promise<boolean>
  /** Writes what a sign-in changed; false where the identity is not, or no longer, of this user. */
  update (identity: Pick<StoredIdentity, 'userId' | 'issuer' | 'subject' | 'email' | 'tokens' | 'usedAt'>): Promise<boolean>
  /** Deletes identities of a user. With `keepOneOf`, only if another one stays that is of one of these providers. */
  delete (choice: IdentityChoice, keepOneOf?: readonly string[]): Promise<'deleted' | 'missing' | 'last'>
  /** Deletes all identities of a user. */
  deleteAll (userId: string): Promise<void>
}
