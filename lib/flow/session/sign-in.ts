import type { Origin } from '../../events.js'
import type { StoredUser, UserStore } from '../../store/contract.js'
import { bindingOf, type Completion, type Progress } from './completion.js'
import type { CredentialCheck, Credentials } from './credentials.js'
import type { Tokens } from './sessions.js'

export type { Credentials } from './credentials.js'

/** What a sign-in is made with. */
export interface SignInOptions {
  users: UserStore
  check: CredentialCheck
  completion: Completion
}

/**
 * Signs a user in: a session for credentials that are right. Throws
 * `InvalidCredentialsError` and `RateLimitError`, as {@link CredentialCheck} does,
 * and `ChallengeRequiredError` where the password alone is not enough.
 */
export type SignIn = (credentials: Credentials, origin?: Origin) => Promise<Tokens>

/** Sign-in over these stores. */
export function createSignIn ({ users, check, completion }: SignInOptions): SignIn {
  return async (credentials, origin = {}) => {
    const { user, hash, account, refuse } = await check.examine(credentials, origin)
    const progress: Progress = { userId: user.id, binding: bindingOf(hash), amr: ['pwd'], account, origin }

    // The password may have been changed, or the user deactivated, between the
    // look at the hash and the new session, which logging out everywhere missed.
    const stillRight = async (known: StoredUser): Promise<StoredUser | undefined> => {
      const now = await users.findById(user.id)
      if (now === undefined || !now.isActive) return undefined
      const expected = known === user ? hash : known.passwordHash
      return now.passwordHash === expected || (await check.verify(credentials.password, now)).matches ? now : undefined
    }
    return await completion.complete(user, progress, stillRight) ?? await refuse('changed_meanwhile')
  }
}
