import type { Clock } from '../clock.js'
import type { User } from '../context.js'
import { TokenInvalidError } from '../errors/authentication.js'
import { ConfigurationError } from '../errors/operation.js'
import type { AuthEventEmitter, Origin } from '../events.js'
import type { Passwords } from '../password/passwords.js'
import type { EphemeralStore, FactorStore, IdentityStore, SessionStore, UserStore } from '../store/contract.js'
import { createOneTimeTokens } from '../token/one-time.js'
import { createRefreshTokens } from '../token/refresh-token.js'
import type { Sealer } from '../encryption.js'
import { createChallengeSessions } from '../mfa/challenge-sessions.js'
import { createAttempts, type AttemptLimits } from './attempts.js'
import type { Identify } from './session/identify.js'
import type { LaterTasks } from './later.js'
import { createUserMaker } from './account/new-user.js'
import { createPasswordReset, type PasswordReset } from './account/password-reset.js'
import { createProfile, type Profile } from './account/profile.js'
import { createRegister, type Register } from './account/registration.js'
import type { Revocation } from './session/revocation.js'
import { createSessions, type AccessTokenSigner, type SessionLifetimes, type Sessions, type Tokens } from './session/sessions.js'
import { createPasswordCheck, type PasswordCheck } from './session/password-check.js'
import { createCredentialCheck } from './session/credentials.js'
import { createLocalProvider } from './local-provider.js'
import { createLogin, createOrChallenge, type Login } from './login.js'
import type { IdentityProvider } from './provider.js'
import { createMfa, type Mfa } from './mfa/enrolment.js'
import { createProof } from './mfa/proof.js'
import { createOnboarding, type Onboarding, type OnboardingSettings } from './onboarding/engine.js'
import { createSecondFactor } from './mfa/second-factor.js'
import { createOAuthFlow, type OAuthFlowSettings } from './oauth/flow.js'
import type { OAuth } from './oauth/oauth.js'
import { createChallengeAnswers } from './session/challenge-answers.js'
import { createCompletion, type MfaPolicy } from './session/completion.js'
import { createSignIn } from './session/sign-in.js'
import { createUsers, type Users } from './account/users.js'
import { createVerification, type Verification } from './account/verification.js'

/** The account system as calls; its routes are these and nothing more. */
export interface Accounts {
  /** Signs a user in by e-mail address or user name: tokens, or a challenge. Throws `InvalidCredentialsError`, `RateLimitError`. */
  readonly login: Login['signIn']
  /** The steps of a sign-in after the password. */
  readonly challenges: Pick<Login, 'respond'>
  readonly mfa: Mfa
  readonly oauth: OAuth
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
    readonly verify: PasswordCheck
    requestReset: PasswordReset['request']
    reset: PasswordReset['reset']
    change: Profile['changePassword']
  }
  readonly verification: Pick<Verification, 'request' | 'verify'>
  /** Flows of steps. Throws `ConfigurationError` without the option `onboarding`. */
  readonly onboarding: Onboarding
}

/** A provider, whose challenges are answers. */
export type SignInService = Login & Omit<IdentityProvider, keyof Login>

/** What the account system is built of. */
export interface AccountsOptions {
  users: UserStore
  sessions: SessionStore
  factors: FactorStore
  identities: IdentityStore
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
    challenge: number
    recentSignIn: number
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
  /** Encrypts secrets of second factors; undefined without a key. */
  sealer: Sealer | undefined
  mfaRequired: MfaPolicy
  /** What authenticator applications show beside a code. */
  issuerName: string
  /** Undefined without providers: accounts can still be linked by calls. */
  oauth: OAuthFlowSettings | undefined
  /** Undefined where there is no flow. */
  onboarding: OnboardingSettings | undefined
}

/** Builds the account system: the rooms, wired together. */
export function createAccounts (options: AccountsOptions): { accounts: Accounts, service: SignInService } {
  const { users, ephemeral, identify, issuer, revocation, lifetimes } = options
  const attempts = createAttempts(options)
  const tokens = createOneTimeTokens(ephemeral)
  const sessions = createSessions({ ...options, refreshTokens: createRefreshTokens(options.refreshKeys), attempts })
  const verification = createVerification({ ...options, tokens, attempts, lifetime: lifetimes.verification })
  const check = createCredentialCheck({ ...options, attempts })
  const secondFactor = createSecondFactor(options)
  const completion = createCompletion({ ...options, sessions, secondFactor, attempts })
  const prove = createProof({ ...options, secondFactor, attempts, recentSignIn: lifetimes.recentSignIn })
  const makeUser = createUserMaker(options)
  const profile = createProfile({ ...options, sessions, verification, attempts })
  const reset = createPasswordReset({ ...options, sessions, tokens, attempts, lifetime: lifetimes.passwordReset })
  const manager = createUsers({ ...options, sessions, makeUser })
  const mfa = createMfa({ ...options, secondFactor, prove, attempts })
  const provider = createLocalProvider({
    signIn: createSignIn({ users, check, completion }),
    respond: createChallengeAnswers({ ...options, sessions, secondFactor, completion }),
    users: manager,
    sessions,
    profile,
    reset,
    mfa,
    revocation
  })
  const challenges = createChallengeSessions(ephemeral, lifetimes.challenge, options.clock)
  const orChallenge = createOrChallenge(challenges)
  const login = createLogin({ ...options, provider, attempts, challenges, orChallenge })

  const oauth = createOAuthFlow({ ...options, settings: options.oauth, prove, makeUser, completion, orChallenge, attempts })

  const accounts: Accounts = {
    login: login.signIn,
    challenges: { respond: login.respond },
    mfa,
    oauth,
    authenticate: async (token) => await identify(token),
    refresh: sessions.refresh,

    async logout (token) {
      if (!isJwt(token)) return await sessions.end(sessions.sessionOf(token), 'logout')
      const user = await identify(token)
      const { iss } = user.claims as Record<string, unknown>
      // A session of the same name here would be somebody else's.
      if (iss !== issuer) throw new TokenInvalidError({ reason: 'issuer', message: 'A token of another issuer has no session here' })
      await provider.signOut({ user, token })
    },

    async logoutAll (userId) {
      await sessions.endAll(userId, 'logout_all')
    },

    register: createRegister({ ...options, users, makeUser, verification, attempts }),
    users: manager,
    profile,
    sessions: { list: sessions.list, end: sessions.end, ownerOf: sessions.ownerOf, sessionOf: sessions.sessionOf },
    passwords: {
      verify: createPasswordCheck({ ...options, check, completion }),
      requestReset: reset.request,
      reset: reset.reset,
      change: profile.changePassword
    },
    verification: { request: verification.request, verify: verification.verify },
    onboarding: options.onboarding === undefined
      ? missingOnboarding()
      : createOnboarding({ ...options, ...options.onboarding, sessions, makeUser, secondFactor, verification, attempts, completion, orChallenge })
  }
  return { accounts, service: { ...provider, ...login } }
}

/** Onboarding where there is no flow: each call says so. */
function missingOnboarding (): Onboarding {
  const refuse = async (): Promise<never> => { throw new ConfigurationError({ option: 'onboarding', message: 'onboarding is missing; flows need steps, such as onboarding: { steps: [registerStep()] } of fastify-bouncer/onboarding.' }) }
  return { start: refuse, advance: refuse, skip: refuse, resume: refuse }
}

function isJwt (token: string): boolean {
  return token.includes('.')
}
