import { AuthError } from '../../errors/auth-error.js'
import { ChallengeRequiredError, type ChallengeName, type ChallengeParameters, type CodeChallengeName } from '../../errors/challenge.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import { digest } from '../../random.js'
import type { Account, StoredSession, StoredUser } from '../../store/contract.js'
import { accountOf } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import type { SecondFactor } from '../mfa/second-factor.js'
import { isSignedOut, type Sessions, type Tokens } from './sessions.js'

/** A sign-in under way, as it waits for the answer to a challenge. */
export interface Progress {
  readonly userId: string
  /** What it stands on: see {@link bindingOf}. */
  readonly binding: string
  /** What has been shown so far (RFC 8176): `pwd`, `otp`, and `mfa` once two factors were. */
  readonly amr: readonly string[]
  /** What its attempts were counted by; undefined where none were. */
  readonly account: string | undefined
  readonly origin: Origin
  /** The account at a provider that was signed in with, by issuer and subject: without it the sign-in is over. */
  readonly identity?: readonly [issuer: string, subject: string]
  /** When it was shown, in milliseconds since 1970, where that was long before the end; otherwise the session says when it began. */
  readonly shownAt?: number
  /** MFA_SETUP: the new secret, encrypted. */
  readonly sealed?: string
}

/** Whether a user must have a second factor. */
export type MfaPolicy = boolean | ((user: Account) => boolean | Promise<boolean>)

/** What a sign-in is completed with. */
export interface CompletionOptions {
  sessions: Sessions
  secondFactor: SecondFactor
  attempts: Attempts
  events: AuthEventEmitter
  mfaRequired: MfaPolicy
}

/** Finds the user as he is now, if what was shown is right still. */
export type StillRight = (known: StoredUser) => Promise<StoredUser | undefined>

/** What a user is asked for. */
export interface Asked {
  readonly name: 'MFA_TOTP' | 'NEW_PASSWORD_REQUIRED' | 'MFA_SETUP'
  /** What may be answered in its place. */
  readonly types: readonly CodeChallengeName[]
}

/** The end of every sign-in, whatever it began with: the next challenge, or a session. */
export interface Completion {
  /** What this user is asked for next, who has shown this much; undefined when nothing is left. */
  next (user: StoredUser, amr: readonly string[]): Promise<Asked | undefined>
  /**
   * Tokens, when nothing is left to ask for; undefined where something has
   * changed meanwhile. Throws {@link ChallengeRequiredError} for what comes next.
   */
  complete (user: StoredUser, progress: Progress, stillRight: StillRight): Promise<Tokens | undefined>
}

/** What is set anew under a sign-in twice is somebody's game. */
const ROUNDS = 2

/** The completion of sign-ins over these sessions. */
export function createCompletion ({ sessions, secondFactor, attempts, events, mfaRequired }: CompletionOptions): Completion {
  async function isRequired (user: StoredUser): Promise<boolean> {
    if (typeof mfaRequired === 'boolean') return mfaRequired
    try {
      // Not only `true`: what somebody meant to be true must not let in.
      return Boolean(await mfaRequired(accountOf(user)))
    } catch (cause) {
      if (cause instanceof AuthError) throw cause
      throw new AuthUnavailableError({ dependency: 'mfa.required', cause })
    }
  }

  async function next (user: StoredUser, amr: readonly string[]): Promise<Asked | undefined> {
    const totp = await secondFactor.find(user.id)
    if (totp !== undefined && !amr.includes('mfa')) return { name: 'MFA_TOTP', types: totp.recoveryCodes.length > 0 ? ['MFA_TOTP', 'RECOVERY_CODE'] : ['MFA_TOTP'] }
    // After the second factor: whoever has only the password must not set another.
    if (user.mustChangePassword) return { name: 'NEW_PASSWORD_REQUIRED', types: [] }
    return totp === undefined && await isRequired(user) ? { name: 'MFA_SETUP', types: [] } : undefined
  }

  function challengeOf ({ name, types }: Asked, user: StoredUser, progress: Progress): ChallengeRequiredError {
    if (name !== 'MFA_SETUP') return required(name, progress, types.length > 0 ? { mfa_types: types } : {})
    const { shown, sealed } = secondFactor.prepare(user)
    return required(name, { ...progress, sealed }, shown)
  }

  /** A session of a user for whom all holds once it is there; undefined where it does not any more. */
  async function begin (user: StoredUser, progress: Progress, stillRight: StillRight): Promise<{ session: StoredSession, tokens: Tokens } | undefined> {
    let known = user
    for (let round = 0; round < ROUNDS; round++) {
      const begun = await sessions.start(known, progress.origin, progress.amr, progress.shownAt)
      const now = await stillRight(known)
      if (now !== undefined && !isSignedOut(begun.session, now) && await next(now, progress.amr) === undefined) return begun
      await sessions.end(begun.session.id, 'ended')
      if (now === undefined) return undefined
      // The same password, set anew: the next session begins after that.
      known = now
    }
    return undefined
  }

  return {
    next,

    async complete (user, progress, stillRight) {
      const asked = await next(user, progress.amr)
      if (asked !== undefined) throw challengeOf(asked, user, progress)
      const begun = await begin(user, progress, stillRight)
      if (begun === undefined) return undefined
      await attempts.resume('login', progress.account, progress.origin).succeeded()
      await events.emit('user_login', { user: accountOf(user), sessionId: begun.session.id, origin: progress.origin })
      return begun.tokens
    }
  }
}

/** What a sign-in stands on: with another password hash it is over. */
export function bindingOf (passwordHash: string | null): string {
  return digest(passwordHash ?? '')
}

/** The challenge of this name. `parameters` are for the client. */
export function required (challengeName: ChallengeName, progress: Progress, parameters: ChallengeParameters = {}): ChallengeRequiredError {
  return new ChallengeRequiredError({ challengeName, session: JSON.stringify(progress), account: progress.userId, parameters })
}
