import type { Clock } from '../../clock.js'
import { UserAlreadyExistsError } from '../../errors/account.js'
import { AccountUnavailableError } from '../../errors/authentication.js'
import { OAuthLinkRequiredError, OAuthStateError } from '../../errors/oauth.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { StoredUser, UserStore } from '../../store/contract.js'
import { accountOf, unavailability } from '../../user/account.js'
import type { UserMaker } from '../account/new-user.js'
import type { OrChallenge, SignInAnswer } from '../login.js'
import { bindingOf, type Completion } from '../session/completion.js'
import type { ExternalIdentity } from './client.js'
import type { LinkedAccounts } from './linked-accounts.js'

/** Signs in the user of an identity, who is made if there is none. */
export type OAuthSignIn = (identity: ExternalIdentity, origin: Origin) => Promise<SignInAnswer>

/** What it is made with. */
export interface OAuthSignInOptions {
  users: UserStore
  accounts: LinkedAccounts
  makeUser: UserMaker
  completion: Completion
  orChallenge: OrChallenge
  events: AuthEventEmitter
  clock: Clock
  /** Whether users are made. */
  signUp: boolean
  /** Whether an account of the same address is linked, where both sides have verified it. */
  linkByEmail: boolean
  requireVerified: boolean
  concealExistingUsers: boolean
  /** Told of what failed when something else had already. */
  report: (error: unknown) => void
}

/** Milliseconds for which a user counts as new, who may be about to get an identity. */
const NEW = 10_000
/** Looks at a new user, and milliseconds between them. */
const [LOOKS, PAUSE] = [10, 50]

/** Sign-in by identities of providers. A user is known by issuer and subject, never by an address alone. */
export function createOAuthSignIn (options: OAuthSignInOptions): OAuthSignIn {
  const { users, accounts, makeUser, completion, orChallenge, events, clock, signUp, linkByEmail, requireVerified, concealExistingUsers, report } = options

  /** The user of an identity that another request is making just now. */
  async function madeMeanwhile (identity: ExternalIdentity, user: StoredUser): Promise<StoredUser | undefined> {
    const looks = user.passwordHash === null && clock() - user.createdAt < NEW ? LOOKS : 0
    for (let look = 0; look < looks; look++) {
      const found = await accounts.ownerOf(identity)
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
    return undefined
  }

  /** Linking takes one, and a challenge for it comes too late. */
  async function hasSecondFactor (user: StoredUser): Promise<boolean> {
    return (await completion.next(user, []))?.name === 'MFA_TOTP'
  }

  /** The user of the same address, if both sides have verified it and the application wants that. Throws {@link OAuthLinkRequiredError}. */
  async function ofAddress (identity: ExternalIdentity, user: StoredUser): Promise<StoredUser> {
    const found = await madeMeanwhile(identity, user)
    if (found !== undefined) return found
    const { provider, emailVerified } = identity
    const isSafe = linkByEmail && emailVerified && user.isVerified && user.isActive && !await hasSecondFactor(user)
    const outcome = isSafe ? await accounts.attach(user, identity) : undefined
    if (outcome === 'linked') await accounts.announce(user, identity)
    if (outcome !== undefined) return user
    throw new OAuthLinkRequiredError({ provider, userId: user.id })
  }

  /** Not where another sign-in has found the user already, and linked an account of its own. */
  async function undo ({ id }: StoredUser): Promise<void> {
    if ((await accounts.list(id)).length === 0) await users.delete(id)
  }

  async function make (identity: ExternalIdentity, email: string): Promise<StoredUser | undefined> {
    let user: StoredUser
    try {
      user = await makeUser({ email, is_verified: true })
    } catch (error) {
      if (error instanceof UserAlreadyExistsError) return undefined
      throw error
    }
    let outcome: Awaited<ReturnType<LinkedAccounts['attach']>>
    try {
      outcome = await accounts.attach(user, identity)
    } finally {
      // Without the identity nobody could sign in to it, and its address would be taken.
      if (outcome === undefined) await undo(user).catch(report)
    }
    if (outcome === undefined) return await accounts.ownerOf(identity)
    await events.emit('user_created', { user: accountOf(user) })
    await accounts.announce(user, identity)
    return user
  }

  /** The user of an identity that nobody has. */
  async function newcomer (identity: ExternalIdentity): Promise<StoredUser> {
    const { email, emailVerified } = identity
    if (email === undefined) throw new AccountUnavailableError({ reason: 'no_address' })
    // Whoever has not shown that it is his must not learn whether somebody has it.
    if (concealExistingUsers && !emailVerified) throw new AccountUnavailableError({ reason: 'unverified' })
    const existing = await users.findByEmail(email)
    if (existing !== undefined) return await ofAddress(identity, existing)
    if (!signUp) throw new AccountUnavailableError({ reason: 'sign_up_closed' })
    // An account of somebody else's address would wait for its owner, with a stranger's way in.
    if (!emailVerified) throw new AccountUnavailableError({ reason: 'unverified' })
    const made = await make(identity, email)
    if (made !== undefined) return made
    const other = await users.findByEmail(email)
    if (other === undefined) throw new OAuthStateError({ reason: 'changed_meanwhile' })
    return await ofAddress(identity, other)
  }

  return async (identity, origin) => {
    const known = await accounts.ownerOf(identity)
    const user = known ?? await newcomer(identity)
    const reason = unavailability(user, requireVerified)
    if (reason !== undefined) throw new AccountUnavailableError({ userId: user.id, reason })
    if (known !== undefined) await accounts.renew(user.id, identity)
    // It may be unlinked, or the user deactivated, before the session is there.
    const stillRight = async (): Promise<StoredUser | undefined> => {
      const now = await accounts.ownerOf(identity)
      return now?.id === user.id && unavailability(now, requireVerified) === undefined ? now : undefined
    }
    return await orChallenge(async () => {
      const tokens = await completion.complete(user, { userId: user.id, binding: bindingOf(user.passwordHash), amr: ['fed'], account: undefined, origin, identity: accounts.nameOf(identity) }, stillRight)
      if (tokens === undefined) throw new OAuthStateError({ reason: 'changed_meanwhile' })
      return tokens
    })
  }
}
