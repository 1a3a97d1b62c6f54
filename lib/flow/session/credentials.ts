import { AuthUnavailableError, InvalidHashError } from '../../errors/operation.js'
import { InvalidCredentialsError, type UserIdentifier } from '../../errors/authentication.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { Passwords } from '../../password/passwords.js'
import type { StoredUser, UserStore } from '../../store/contract.js'
import { normalizeEmail, normalizeUsername } from '../../user/account.js'
import { loginAccount, type Attempt, type Attempts } from '../attempts.js'

/** Who signs in, by one of the two names. */
export type Credentials = { email: string, username?: undefined, password: string } | { username: string, email?: undefined, password: string }

/** What credentials are looked at with. */
export interface CredentialCheckOptions {
  users: UserStore
  passwords: Passwords
  attempts: Attempts
  events: AuthEventEmitter
  /** Whether the address must have been verified first. */
  requireVerified: boolean
}

/** A user whose credentials were right. */
export interface Examined {
  user: StoredUser
  /** The hash that the user should have now. */
  hash: string | null
  /** What the attempt was counted by. */
  account: string
  attempt: Attempt
  /** Refuses all the same, as a wrong password is. */
  refuse (reason: string): Promise<never>
}

/** An attempt that was counted. */
export interface Begun {
  identifier: UserIdentifier
  /** What it was counted by. */
  account: string
  attempt: Attempt
}

/** Looks at user names and passwords. */
export interface CredentialCheck {
  /**
   * The user of these credentials. Unknown, wrong, inactive and unverified are
   * one answer, after the same work: {@link InvalidCredentialsError}, whose
   * reason is private. Also throws `RateLimitError`, for unknown accounts alike.
   */
  examine (credentials: Credentials, origin: Origin, begun?: Begun): Promise<Examined>
  /** Counts an attempt with these credentials, before they are looked at. Throws `RateLimitError`. */
  begin (credentials: Credentials, origin: Origin): Promise<Begun>
  /** Whether the password is that of this user, where there is one. */
  verify (password: string, user: StoredUser | undefined): Promise<{ matches: boolean, outdated: boolean, reason: string }>
}

/** The check of credentials over these stores. */
export function createCredentialCheck (options: CredentialCheckOptions): CredentialCheck {
  const { users, passwords, attempts, events } = options

  async function find ({ type, value }: UserIdentifier): Promise<StoredUser | undefined> {
    const name = type === 'email' ? normalizeEmail(value) : normalizeUsername(value)
    if (name === undefined) return undefined
    return await (type === 'email' ? users.findByEmail(name) : users.findByUsername(name))
  }

  async function verify (password: string, user: StoredUser | undefined): Promise<{ matches: boolean, outdated: boolean, reason: string }> {
    try {
      return { ...await passwords.verify(password, user?.passwordHash), reason: user === undefined ? 'unknown' : 'wrong_password' }
    } catch (error) {
      if (!(error instanceof InvalidHashError) || user === undefined) throw error
      await events.emit('invalid_hash', { userId: user.id })
      return { matches: false, outdated: false, reason: 'invalid_hash' }
    }
  }

  /** Stores a better hash, once however many sign-ins want it; answers with the hash that the user should have now. */
  async function upgrade (user: StoredUser, password: string): Promise<string | null> {
    const { passwordHash } = user
    const better = await passwords.hash(password).catch(unlessBusy)
    if (better === undefined) return passwordHash
    const stored = await users.update(user.id, { passwordHash: better }, { passwordHash })
    return typeof stored === 'string' ? passwordHash : stored.passwordHash
  }

  async function begin (credentials: Credentials, origin: Origin): Promise<Begun> {
    const identifier = identifierOf(credentials)
    const account = accountName(identifier)
    return { identifier, account, attempt: await attempts.begin('login', account, origin) }
  }

  return {
    verify,
    begin,

    async examine (credentials, origin, begun) {
      const { identifier, account, attempt } = begun ?? await begin(credentials, origin)
      const user = await find(identifier)
      const { matches, outdated, reason } = await verify(credentials.password, user)

      const refuse = async (why: string): Promise<never> => {
        await events.emit('user_login_failed', { identifier: identifier.value, reason: why, ...(user !== undefined && { userId: user.id }), origin })
        throw new InvalidCredentialsError({ identifier, reason: why })
      }
      if (!matches || user === undefined) return await refuse(reason)
      if (!user.isActive) return await refuse('inactive')
      if (options.requireVerified && !user.isVerified) return await refuse('unverified')
      return { user, hash: outdated ? await upgrade(user, credentials.password) : user.passwordHash, account, attempt, refuse }
    }
  }
}

/** A better hash can wait for the next sign-in; whoever knows the password need not. */
function unlessBusy (error: unknown): undefined {
  if (!(error instanceof AuthUnavailableError)) throw error
}

function identifierOf ({ email, username, password }: Credentials): UserIdentifier {
  if ((typeof email === 'string') === (typeof username === 'string') || typeof password !== 'string') {
    throw new TypeError('login() takes { email, password } or { username, password }')
  }
  return email === undefined ? { type: 'username', value: username } : { type: 'email', value: email }
}

/** What attempts are counted by: the same for every spelling of a name. */
function accountName ({ type, value }: UserIdentifier): string {
  return loginAccount(type, (type === 'email' ? normalizeEmail(value) : normalizeUsername(value)) ?? value)
}
