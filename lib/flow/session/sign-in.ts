import type { AuthEventEmitter, Origin } from '../../events.js'
import type { StoredSession, StoredUser, UserStore } from '../../store/contract.js'
import { accountOf } from '../../user/account.js'
import type { CredentialCheck, Credentials } from './credentials.js'
import { isSignedOut, type Sessions, type Tokens } from './sessions.js'

export type { Credentials } from './credentials.js'

/** What a sign-in is made with. */
export interface SignInOptions {
  users: UserStore
  check: CredentialCheck
  sessions: Sessions
  events: AuthEventEmitter
}

/** Signs a user in: a session for credentials that are right. Throws `InvalidCredentialsError` and `RateLimitError`, as {@link CredentialCheck} does. */
export type SignIn = (credentials: Credentials, origin?: Origin) => Promise<Tokens>

/** A password that is set anew under a sign-in twice is somebody's game. */
const ROUNDS = 2

/** Sign-in over these stores. */
export function createSignIn ({ users, check, sessions, events }: SignInOptions): SignIn {
  // The password may have been changed, or the user deactivated, between the
  // look at the hash and the new session, which logging out everywhere missed.
  async function stillRight (user: StoredUser, hash: string | null, password: string): Promise<StoredUser | undefined> {
    const now = await users.findById(user.id)
    if (now === undefined || !now.isActive) return undefined
    return now.passwordHash === hash || (await check.verify(password, now)).matches ? now : undefined
  }

  /** A session of a user whose password holds once it is there; undefined where it does not any more. */
  async function begin (user: StoredUser, hash: string | null, password: string, origin: Origin): Promise<{ session: StoredSession, tokens: Tokens } | undefined> {
    let known = user
    for (let round = 0; round < ROUNDS; round++) {
      const begun = await sessions.start(known, origin)
      const now = await stillRight(known, round === 0 ? hash : known.passwordHash, password)
      if (now !== undefined && !isSignedOut(begun.session, now)) return begun
      await sessions.end(begun.session.id, 'ended')
      if (now === undefined) return undefined
      // The same password, set anew: the next session begins after that.
      known = now
    }
    return undefined
  }

  return async (credentials, origin = {}) => {
    const { user, hash, attempt, refuse } = await check.examine(credentials, origin)
    const begun = await begin(user, hash, credentials.password, origin)
    if (begun === undefined) return await refuse('changed_meanwhile')
    await attempt.succeeded()
    await events.emit('user_login', { user: accountOf(user), sessionId: begun.session.id, origin })
    return begun.tokens
  }
}
