import type { Clock } from '../../clock.js'
import type { Sealer } from '../../encryption.js'
import { UserNotFoundError } from '../../errors/account.js'
import { LastWayInError } from '../../errors/last-way-in.js'
import { OAuthAccountAlreadyLinkedError } from '../../errors/oauth.js'
import { AuthUnavailableError, ConfigurationError } from '../../errors/operation.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { IdentityStore, StoredIdentity, StoredUser, UserStore } from '../../store/contract.js'
import { accountOf } from '../../user/account.js'
import type { Prove, TimedProof } from '../mfa/proof.js'
import type { ProviderTokens } from './client.js'

/** An account at a provider, as its user sees it. Times are ISO 8601. */
export interface LinkedAccount {
  readonly provider: string
  /** What the provider knows its user by. */
  readonly account_id: string
  readonly email: string | null
  readonly linked_at: string
  readonly last_used_at: string
}

/** What is known of an account at a provider. */
export interface Identity {
  readonly provider: string
  /** Who says so; default: the issuer of the provider that is configured under this name. */
  readonly issuer?: string
  /** What the issuer knows its user by: never changed, and never given to somebody else. */
  readonly subject: string
  readonly email?: string | undefined
  readonly tokens?: ProviderTokens | undefined
}

/** Which accounts are unlinked: all at a provider, or one. */
export interface UnlinkChoice {
  readonly provider: string
  readonly account_id?: string
}

/** The accounts at providers that users have linked. */
export interface LinkedAccounts {
  /** The user of an identity; undefined where nobody has it who is there. */
  ownerOf (identity: Identity): Promise<StoredUser | undefined>
  /** What an identity is stored under: issuer and subject. */
  nameOf (identity: Identity): readonly [issuer: string, subject: string]
  /** Links an identity to a user, or writes what has changed of it; nobody is told. Undefined where another user has it. */
  attach (user: StoredUser, identity: Identity): Promise<'linked' | 'renewed' | undefined>
  /** Tells listeners that an identity was linked. */
  announce (user: StoredUser, identity: Identity): Promise<void>
  /** Writes what a sign-in changed; false where the identity is the user's no more. */
  renew (userId: string, identity: Identity): Promise<boolean>
  /** Links an identity to a user, and tells so; not where `stillRight` throws once it is stored. Throws `OAuthAccountAlreadyLinkedError` where another user has it, `UserNotFoundError`, `TypeError`. */
  link (userId: string, identity: Identity, stillRight?: () => Promise<unknown>): Promise<LinkedAccount>
  /** Unlinks accounts of a user; nothing happens where there are none. With a proof, throws what proofs are refused with. Throws `LastWayInError`, `UserNotFoundError`. */
  unlink (userId: string, choice: UnlinkChoice, proof?: TimedProof, origin?: Origin): Promise<void>
  /** Those of a user, oldest first. */
  list (userId: string): Promise<readonly LinkedAccount[]>
  /** What the provider gave with the newest sign-in, where it is kept; undefined otherwise. Throws `ConfigurationError` where no key opens it. */
  tokens (userId: string, provider: string): Promise<ProviderTokens | undefined>
}

/** What linked accounts are made with. */
export interface LinkedAccountsOptions {
  users: UserStore
  identities: IdentityStore
  /** The issuers of the providers, by name; undefined for one that has many. */
  issuers: ReadonlyMap<string, string | undefined>
  /** Encrypts tokens; undefined without a key. */
  sealer: Sealer | undefined
  /** Whether tokens of providers are kept. */
  keepTokens: boolean
  prove: Prove
  events: AuthEventEmitter
  clock: Clock
  /** Told of tokens that no key opens any more. */
  report: (error: unknown) => void
}

/** An identity that goes from one user to the next while it is looked at is somebody's game. */
const ROUNDS = 3

/** Linked accounts over these stores. */
export function createLinkedAccounts ({ users, identities, issuers, sealer, keepTokens, prove, events, clock, report }: LinkedAccountsOptions): LinkedAccounts {
  function issuerOf ({ provider, issuer }: Identity): string {
    const found = issuer ?? issuers.get(provider)
    if (found === undefined) throw new TypeError(issuers.has(provider) ? `${provider} has several issuers: give that of the identity` : `No provider is called ${provider}: give the issuer of the identity`)
    // One spelling: with a slash at its end or without it, discovery takes both (OpenID Connect Discovery 1.0, section 4.3).
    return URL.canParse(found) ? new URL(found).href : found
  }

  function stored (userId: string, identity: Identity): StoredIdentity {
    const { provider, subject, email, tokens } = identity
    const issuer = issuerOf(identity)
    const kept = sealer === undefined || !keepTokens || tokens === undefined ? null : sealer.seal(JSON.stringify(tokens), placeOf({ userId, issuer, subject }))
    return { userId, provider, issuer, subject, email: email ?? null, tokens: kept, createdAt: clock(), usedAt: clock() }
  }

  function open (identity: StoredIdentity, tokens: string): ProviderTokens {
    if (sealer === undefined) throw new ConfigurationError({ option: 'encryptionKey', message: 'encryptionKey is missing: tokens of providers were kept with one, and cannot be read without.' })
    return JSON.parse(sealer.open(tokens, placeOf(identity)).text)
  }

  /** The refresh token that is kept of an identity; undefined also where no key opens it any more, which must not keep its user out. */
  async function keptRefreshToken (userId: string, identity: Identity): Promise<string | undefined> {
    const before = await identities.find(issuerOf(identity), identity.subject)
    if (before === undefined || before.userId !== userId || before.tokens === null) return undefined
    try {
      return open(before, before.tokens).refresh_token
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      report(error)
      return undefined
    }
  }

  /** Some providers give a refresh token once, with the first consent: it stays where there is no new one. */
  async function withRefreshToken (userId: string, identity: Identity): Promise<Identity> {
    const { tokens } = identity
    if (!keepTokens || tokens === undefined || tokens.refresh_token !== undefined) return identity
    const refreshToken = await keptRefreshToken(userId, identity)
    return refreshToken === undefined ? identity : { ...identity, tokens: { ...tokens, refresh_token: refreshToken } }
  }

  async function get (userId: string): Promise<StoredUser> {
    const user = await users.findById(userId)
    if (user === undefined) throw new UserNotFoundError({ userId })
    return user
  }

  const renew: LinkedAccounts['renew'] = async (userId, identity) => await identities.update(stored(userId, await withRefreshToken(userId, identity)))

  /** Of a user who is gone, with a table of the application's own, an identity may be left: it is nobody's. */
  async function ownerOf (identity: Identity): Promise<StoredUser | undefined> {
    const found = await identities.find(issuerOf(identity), identity.subject)
    const user = found && await users.findById(found.userId)
    if (found !== undefined && user === undefined) await identities.deleteAll(found.userId)
    return user
  }

  async function attach (user: StoredUser, identity: Identity): Promise<'linked' | 'renewed' | undefined> {
    for (let round = 0; round < ROUNDS; round++) {
      if (await identities.insert(stored(user.id, identity))) return 'linked'
      if (await renew(user.id, identity)) return 'renewed'
      if (await ownerOf(identity) !== undefined) return undefined
    }
    throw new AuthUnavailableError({ dependency: 'identities', message: 'The store neither takes an identity nor shows whose it is' })
  }

  async function announce (user: StoredUser, { provider, subject }: Identity): Promise<void> {
    await events.emit('oauth_account_linked', { user: accountOf(user), provider, accountId: subject })
  }

  return {
    ownerOf,
    nameOf: (identity) => [issuerOf(identity), identity.subject],
    attach,
    announce,
    renew,

    async link (userId, identity, stillRight = async () => {}) {
      checkIdentity(identity)
      const user = await get(userId)
      const outcome = await attach(user, identity)
      if (outcome === 'linked') {
        const { provider, subject } = identity
        await stillRight().catch(async (error: unknown) => {
          await identities.delete({ userId, provider, subject })
          throw error
        })
        await announce(user, identity)
      }
      const found = await identities.find(issuerOf(identity), identity.subject)
      if (found?.userId === userId) return shown(found)
      throw new OAuthAccountAlreadyLinkedError({ provider: identity.provider, accountId: identity.subject, existingUserId: found?.userId })
    },

    async unlink (userId, { provider, account_id: subject }, proof, origin = {}) {
      const user = await get(userId)
      if (proof !== undefined) await prove(user, proof, origin)
      // A password can be changed, and not taken away.
      const keepOneOf = user.passwordHash === null ? [...issuers.keys()] : undefined
      const outcome = await identities.delete({ userId, provider, ...(subject !== undefined && { subject }) }, keepOneOf)
      if (outcome === 'last') throw new LastWayInError({ userId, provider })
      if (outcome === 'deleted') await events.emit('oauth_account_unlinked', { user: accountOf(user), provider, accountId: subject ?? null })
    },

    list: async (userId) => (await identities.list(userId)).map(shown),

    async tokens (userId, provider) {
      const kept = (await identities.list(userId)).filter((one) => one.provider === provider && one.tokens !== null)
      const newest = kept.sort((a, b) => b.usedAt - a.usedAt)[0]
      if (newest === undefined) return undefined
      return open(newest, newest.tokens as string)
    }
  }
}

/** Throws `TypeError` for what no provider says of anybody. */
function checkIdentity ({ provider, subject }: Identity): void {
  if (typeof provider !== 'string' || provider === '' || typeof subject !== 'string' || subject === '') throw new TypeError('An identity has a provider and a subject, neither of them empty')
}

function shown ({ provider, subject, email, createdAt, usedAt }: StoredIdentity): LinkedAccount {
  return { provider, account_id: subject, email, linked_at: new Date(createdAt).toISOString(), last_used_at: new Date(usedAt).toISOString() }
}

function placeOf ({ userId, issuer, subject }: Pick<StoredIdentity, 'userId' | 'issuer' | 'subject'>): string {
  return JSON.stringify(['oauth tokens', userId, issuer, subject])
}
