import { PasswordPolicyError } from '../errors/account.js'
import { InvalidChallengeError } from '../errors/authentication.js'
import { ChallengeRequiredError, type ChallengeName } from '../errors/challenge.js'
import type { AuthEventEmitter, Origin } from '../events.js'
import type { Chance, ChallengeSessions, OpenChallenge, PendingChallenge } from '../mfa/challenge-sessions.js'
import type { Attempts } from './attempts.js'
import type { Challenge, ChallengeAnswer, IdentityProvider } from './provider.js'
import type { Credentials } from './session/credentials.js'
import type { Tokens } from './session/sessions.js'

/** What a step of a sign-in leads to: tokens, or a challenge (`'challenge_name' in answer`). */
export type SignInAnswer = Tokens | Challenge

/** An answer to the challenge of this session. */
export type ChallengeResponse = ChallengeAnswer & { readonly session: string }

/** Sign-in by any provider, step by step. */
export interface Login {
  /** Throws `InvalidCredentialsError`, `RateLimitError`. */
  signIn (credentials: Credentials, origin?: Origin): Promise<SignInAnswer>
  /** Throws {@link InvalidChallengeError} for an answer that is wrong, late, or to another challenge; `PasswordPolicyError`, `RateLimitError`. */
  respond (response: ChallengeResponse, origin?: Origin): Promise<SignInAnswer>
}

/** What sign-in is made with. */
export interface LoginOptions {
  provider: Pick<IdentityProvider, 'signIn' | 'respond'>
  challenges: ChallengeSessions
  orChallenge: OrChallenge
  attempts: Attempts
  events: AuthEventEmitter
}

/** Runs the rest of a sign-in; a challenge that it ends in becomes an answer. */
export type OrChallenge = (work: () => Promise<Tokens>, chance?: Chance) => Promise<SignInAnswer>

/** Turns challenges into answers that clients can go on with. */
export function createOrChallenge (challenges: ChallengeSessions): OrChallenge {
  async function challengeOf ({ challengeName, session, account, parameters }: ChallengeRequiredError, chance?: Chance): Promise<Challenge> {
    const { mfa_types: alternatives } = parameters
    const pending: PendingChallenge = {
      challengeName,
      session,
      ...(account !== undefined && { account }),
      ...(alternatives !== undefined && { alternatives }),
      ...(chance !== undefined && { chance })
    }
    return { challenge_name: challengeName as ChallengeName, session: await challenges.issue(pending), ...parameters }
  }

  return async (work, chance) => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ChallengeRequiredError)) throw error
      return await challengeOf(error, chance)
    }
  }
}

/** Sign-in over a provider, whose challenges become answers. */
export function createLogin ({ provider, challenges, orChallenge, attempts, events }: LoginOptions): Login {
  /** A right answer uses a challenge up, once. Wrong ones count; a right one forgets them, and a choice is none. */
  async function answer (token: string, pending: OpenChallenge, given: ChallengeAnswer, origin: Origin): Promise<Tokens> {
    const attempt = await attempts.begin(given.challenge_name === 'NEW_PASSWORD_REQUIRED' ? 'password_change' : 'challenge', pending.account, origin)
    if (!await challenges.count(pending)) {
      await challenges.claim(token)
      throw new InvalidChallengeError({ reason: 'too_many_answers' })
    }
    let claimed = false
    const claim = async (): Promise<void> => {
      if (claimed) return
      if (!await challenges.claim(token)) throw new InvalidChallengeError({ reason: 'used' })
      claimed = true
      if (given.challenge_name !== 'SELECT_MFA_TYPE') await attempt.succeeded()
    }
    try {
      const tokens = await provider.respond(pending.session, given, { origin, claim })
      await claim()
      return tokens
    } catch (error) {
      if (error instanceof ChallengeRequiredError) await claim()
      // A password that is too easy is no guess.
      if (error instanceof PasswordPolicyError) await attempt.succeeded()
      throw error
    }
  }

  return {
    signIn: async (credentials, origin = {}) => await orChallenge(() => provider.signIn(credentials, origin)),

    async respond ({ session: token, ...given }, origin = {}) {
      const pending = await challenges.read(token)
      if (pending === undefined) throw new InvalidChallengeError({ reason: 'unknown' })
      const { challengeName, account, alternatives = [], chance } = pending
      try {
        if (!fits(given, challengeName, alternatives)) throw new InvalidChallengeError({ reason: 'other_challenge' })
        return await orChallenge(() => answer(token, pending, given, origin), given.challenge_name === 'SELECT_MFA_TYPE' ? chance : undefined)
      } catch (error) {
        if (error instanceof InvalidChallengeError) await events.emit('challenge_failed', { challengeName, account, reason: error.reason ?? 'wrong', origin })
        throw error
      }
    }
  }
}

/** Whether an answer is one to this challenge, or to another that may be answered in its place. */
export function fits (given: ChallengeAnswer, challengeName: string, alternatives: readonly string[]): boolean {
  if (given.challenge_name === 'SELECT_MFA_TYPE') return alternatives.includes(given.mfa_type)
  return given.challenge_name === challengeName || alternatives.includes(given.challenge_name)
}
