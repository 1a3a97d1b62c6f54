import type { Clock } from '../clock.js'
import type { User } from '../context.js'
import { TokenInvalidError } from '../errors/authentication.js'
import type { AuthEventEmitter, Origin } from '../events.js'
import type { Passwords } from '../password/passwords.js'
import type { Account, EphemeralStore, SessionStore, UserStore } from '../store/contract.js'
import { accountOf } from '../user/account.js'
import { createOneTimeTokens } from '../token/one-time.js'
import { createRefreshTokens } from '../token/refresh-token.js'
import { createAttempts, type AttemptLimits } from './attempts.js'
import type { Identify } from './session/identify.js'
import type { LaterTasks } from './later.js'
import { createUserMaker } from './account/new-user.js'
import { createPasswordReset, type PasswordReset } from './account/password-reset.js'
import { createProfile, type Profile } from './account/profile.js'
import { createRegister, type Register } from './account/registration.js'
import type { Revocation } from './session/revocation.js'
import { createSessions, type AccessTokenSigner, type SessionLifetimes, type Sessions, type Tokens } from './session/sessions.js'
import { createCredentialCheck, type Credentials } from './session/credentials.js'
import { createSignIn, type SignIn } from './session/sign-in.js'
import { createUsers, type Users } from './account/users.js'
import { createVerification, type Verification } from './account/verification.js'

/** The account system as calls; its routes are these and nothing more. */
export interface Accounts {
  /** Signs a user in by e-mail address or user name. Throws `InvalidCredentialsError`, `RateLimitError`. */
  readonly login: SignIn
  /** The user of an access token. Throws one of the 401 classes. */
  authenticate (accessToken: string): Promise<User>
  /** New tokens for a refresh token. Throws `TokenError` classes, `AuthenticationError` (session lapsed), `AccountUnavailableError`, `RateLimitError`. */
  refresh (refreshToken: string, origin?: Origin): Promise<Tokens>
  /** Ends the session of an access token or a refresh token. Throws `TokenError` classes. */
  logout (token: string): Promise<void>
  /** Ends all sessions of a user. */
  logoutAll (userId: string): Promise<void>
  /** Makes a user without roles. Throws `UserAlreadyExistsError`, `PasswordPolicyError`, `RateLimitError`. */
  readonly register: Register
  readonly users: Users
  readonly profile: Profile
  readonly sessions: Pick<Sessions, 'list' | 'end' | 'ownerOf' | 'sessionOf'>
  readonly passwords: {
    /** The user of these credentials, without a session. Throws as {@link Accounts.login} does. */
    verify (credentials: Credentials, origin?: Origin): Promise<Account>
    requestReset: PasswordReset['request']
    reset: PasswordReset['reset']
    change: Profile['changePassword']
  }
  readonly verification: Pick<Verification, 'request' | 'verify'>
}

/** What the account system is built of. */
export interface AccountsOptions {
  users: UserStore
  sessions: SessionStore
  ephemeral: EphemeralStore
  passwords: Passwords
  /** The first makes refresh tokens, all read them. */
  refreshKeys: readonly [Buffer, ...Buffer[]]
  sign: AccessTokenSigner
  identify: Identify
  /** The issuer whose tokens have sessions here. */
  issuer: string
  revocation: Pick<Revocation, 'revoke'>
  lifetimes: SessionLifetimes & {
    /** Of tokens that are mailed, in seconds. */
    verification: number
    passwordReset: number
  }
  limits: AttemptLimits
  events: AuthEventEmitter
  later: LaterTasks
  /** Told of what failed when an operation had succeeded. */
  report: (error: unknown) => void
  clock: Clock
  adminRole: string
  requireVerified: boolean
  concealExistingUsers: boolean
}

/** Builds the account system: the rooms, wired together. */
export function createAccounts (options: AccountsOptions): Accounts {
  const { users, ephemeral, identify, issuer, revocation, lifetimes } = options
  const attempts = createAttempts(options)
  const tokens = createOneTimeTokens(ephemeral)
  const sessions = createSessions({ ...options, refreshTokens: createRefreshTokens(options.refreshKeys), attempts })
  const verification = createVerification({ ...options, tokens, attempts, lifetime: lifetimes.verification })
  const check = createCredentialCheck({ ...options, attempts })
  const makeUser = createUserMaker(options)
  const profile = createProfile({ ...options, sessions, verification, attempts })
  const reset = createPasswordReset({ ...options, sessions, tokens, attempts, lifetime: lifetimes.passwordReset })

  return {
    login: createSignIn({ ...options, check, sessions }),
    authenticate: async (token) => await identify(token),
    refresh: sessions.refresh,

    async logout (token) {
      if (!isJwt(token)) return await sessions.end(sessions.sessionOf(token), 'logout')
      const { claims } = await identify(token)
      const { iss, sid } = claims as Record<string, unknown>
      // A session of the same name here would be somebody else's.
      if (iss !== issuer) throw new TokenInvalidError({ reason: 'issuer', message: 'A token of another issuer has no session here' })
      if (typeof sid === 'string') await sessions.end(sid, 'logout')
      else await revocation.revoke(claims as Record<string, unknown>)
    },

    async logoutAll (userId) {
      await sessions.endAll(userId, 'logout_all')
    },

    register: createRegister({ ...options, users, makeUser, verification, attempts }),
    users: createUsers({ ...options, sessions, makeUser }),
    profile,
    sessions: { list: sessions.list, end: sessions.end, ownerOf: sessions.ownerOf, sessionOf: sessions.sessionOf },
    passwords: {
      async verify (credentials, origin = {}) {
        const { user, attempt } = await check.examine(credentials, origin)
        await attempt.succeeded()
        return accountOf(user)
      },
      requestReset: reset.request,
      reset: reset.reset,
      change: profile.changePassword
    },
    verification: { request: verification.request, verify: verification.verify }
  }
}

function isJwt (token: string): boolean {
  return token.includes('.')
}
