import type { Clock } from '../../clock.js'
import { AuthError } from '../../errors/auth-error.js'
import { UserNotFoundError } from '../../errors/account.js'
import { AccountUnavailableError } from '../../errors/authentication.js'
import { OAuthStateError } from '../../errors/oauth.js'
import { RequestInvalidError } from '../../errors/request.js'
import type { AuthEventEmitter, Origin } from '../../events.js'
import type { SessionStore, StoredUser, UserStore } from '../../store/contract.js'
import { unavailability } from '../../user/account.js'
import type { Attempts } from '../attempts.js'
import type { SignInAnswer } from '../login.js'
import type { Prove, TimedProof } from '../mfa/proof.js'
import { isSignedOut } from '../session/sessions.js'
import { secretOf, type Binding, type LinkIntent, type OAuthAttempt, type OAuthAttempts } from './attempt.js'
import type { AttemptSecrets, CallbackParameters, ExternalIdentity, OAuthClient } from './client.js'
import type { LinkedAccount, LinkedAccounts } from './linked-accounts.js'
import type { OAuthSignIn } from './sign-in.js'

/** How somebody wants to come back. */
export interface AuthorizationRequest {
  /** Where the provider sends the browser: the callback of this server, registered at the provider. */
  readonly callbackUrl: string
  /** Where a client waits for the answer that keeps a verifier of its own: one of `oauth.redirects`, exactly. */
  readonly redirectTo?: string
  /** Of that verifier: SHA-256 in base64url (RFC 7636, section 4.2). */
  readonly codeChallenge?: string
}

/** Where a browser goes now. */
export interface Authorization {
  /** The page of the provider. */
  readonly url: string
  /** To be set in the browser, for ten minutes; undefined where a client keeps a verifier. */
  readonly cookie: { readonly name: string, readonly value: string } | undefined
}

/** Who asks for a link. */
export interface LinkRequest {
  readonly userId: string
  /** The session of the token that was shown. */
  readonly sessionId?: string | undefined
  readonly proof: TimedProof
}

/** Sign-in at providers, and what users have linked there. */
export interface OAuth extends Pick<LinkedAccounts, 'link' | 'unlink' | 'tokens'> {
  /** Begins a sign-in. Throws `RequestInvalidError` for a redirect that is not allowed, `OAuthProviderError`. */
  authorize (provider: string, request: AuthorizationRequest): Promise<Authorization>
  /** Begins a link for a user who is signed in. Throws as {@link OAuth.authorize}, and what proofs are refused with. */
  authorizeLink (provider: string, request: AuthorizationRequest, link: LinkRequest, origin?: Origin): Promise<Authorization>
  /** Where the client waits that keeps a verifier, the answer in its query; undefined for every other answer, which {@link OAuth.complete} takes or refuses. */
  relay (provider: string, parameters: CallbackParameters): string | undefined
  /**
   * Ends a sign-in, or a link, with what the provider answered. Throws
   * `OAuthStateError`, `OAuthProviderError`, `OAuthLinkRequiredError`,
   * `OAuthAccountAlreadyLinkedError`, `AccountUnavailableError`, `RateLimitError`.
   */
  complete (provider: string, parameters: CallbackParameters, binding: Binding, origin?: Origin): Promise<SignInAnswer | LinkedAccount>
  /** The linked accounts of a user, oldest first. */
  accounts (userId: string): Promise<readonly LinkedAccount[]>
}

/** What it is made of. */
export interface OAuthParts {
  clients: ReadonlyMap<string, OAuthClient>
  redirects: readonly string[]
  /** Those under way. */
  underWay: OAuthAttempts
  accounts: LinkedAccounts
  signIn: OAuthSignIn
  users: UserStore
  sessions: SessionStore
  /** Counts them. */
  attempts: Attempts
  prove: Prove
  events: AuthEventEmitter
  clock: Clock
  requireVerified: boolean
}

/** As RFC 6749, section 4.1.2.1, has them. */
const ERROR = /^[a-z_]{1,64}$/
/** S256 of a verifier. */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/

/** Sign-in and linking over these providers. */
export function createOAuth (parts: OAuthParts): OAuth {
  const { clients, redirects, underWay, accounts, signIn, users, sessions, attempts, prove, events, clock, requireVerified } = parts

  function clientOf (provider: string): OAuthClient {
    const client = clients.get(provider)
    if (client === undefined) throw new TypeError(`No provider is called ${provider}`)
    return client
  }

  async function begin (provider: string, { callbackUrl, redirectTo, codeChallenge }: AuthorizationRequest, link?: LinkIntent): Promise<Authorization> {
    const client = clientOf(provider)
    if (typeof callbackUrl !== 'string' || !URL.canParse(callbackUrl)) throw new TypeError('callbackUrl is no absolute URL')
    const { search, hash } = new URL(callbackUrl)
    // The provider is told the address without them, when the code is exchanged.
    if (search !== '' || hash !== '') throw new TypeError('callbackUrl has no query and no fragment')
    const { attempt, state, cookie } = underWay.begin(provider, callbackUrl, checkRedirect(redirects, redirectTo, codeChallenge), link)
    return { url: await client.authorizationUrl(secretsOf(attempt, state)), cookie }
  }

  /** The user who asked for a link, if he is signed in still. */
  async function linking ({ userId, sessionId, since }: LinkIntent): Promise<StoredUser> {
    const user = await users.findById(userId)
    const reason = unavailability(user, requireVerified)
    if (user === undefined || reason !== undefined) throw new AccountUnavailableError({ userId, reason })
    const session = sessionId === undefined ? undefined : await sessions.find(sessionId)
    const over = session === undefined || session.endedAt !== null || Math.min(session.expiresAt, session.idleUntil) <= clock()
    if ((sessionId !== undefined && over) || isSignedOut(session ?? { createdAt: since }, user)) throw new OAuthStateError({ reason: 'signed_out' })
    return user
  }

  async function end (identity: ExternalIdentity, link: LinkIntent | undefined, origin: Origin): Promise<SignInAnswer | LinkedAccount> {
    if (link === undefined) return await signIn(identity, origin)
    const { id } = await linking(link)
    // Once more when it is stored: signing out in between has not seen it.
    return await accounts.link(id, identity, async () => await linking(link))
  }

  /** Ends an attempt of whoever began it. Only such are counted: what strangers make up asks no provider, and must lock nobody out. */
  async function finish (provider: string, parameters: CallbackParameters, binding: Binding, origin: Origin): Promise<SignInAnswer | LinkedAccount> {
    const client = clientOf(provider)
    const { code, error, state = '' } = parameters
    const attempt = underWay.read(provider, state, binding)
    if (code === undefined && error === undefined) throw new OAuthStateError({ reason: 'missing' })
    const counted = await attempts.begin('oauth', undefined, origin)
    await underWay.finish(attempt)
    const answer = await end(await client.exchange(parameters, secretsOf(attempt, state)), attempt.link, origin)
    await counted.succeeded()
    return answer
  }

  return {
    authorize: async (provider, request) => await begin(provider, request),

    async authorizeLink (provider, request, { userId, sessionId, proof }, origin = {}) {
      clientOf(provider)
      const user = await users.findById(userId)
      if (user === undefined) throw new UserNotFoundError({ userId })
      await prove(user, proof, origin)
      return await begin(provider, request, { userId, sessionId, since: clock() })
    },

    relay (provider, parameters) {
      clientOf(provider)
      const redirectTo = underWay.waitsAt(provider, parameters.state)
      if (redirectTo === undefined) return undefined
      const target = new URL(redirectTo)
      for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, name === 'error' && !ERROR.test(value) ? 'server_error' : value)
      return target.href
    },

    async complete (provider, parameters, binding, origin = {}) {
      try {
        return await finish(provider, parameters, binding, origin)
      } catch (error) {
        if (error instanceof AuthError) await events.emit('oauth_failed', { provider, reason: reasonOf(error), origin })
        throw error
      }
    },

    accounts: accounts.list,
    link: accounts.link,
    unlink: accounts.unlink,
    tokens: accounts.tokens
  }
}

function secretsOf (attempt: OAuthAttempt, state: string): AttemptSecrets {
  return { callbackUrl: attempt.callbackUrl, state, nonce: secretOf(attempt, 'nonce'), verifier: secretOf(attempt, 'verifier') }
}

/** Both or neither: an answer that waits at an address must be of use to nobody but the client who asked. Throws {@link RequestInvalidError}. */
function checkRedirect (redirects: readonly string[], redirectTo: string | undefined, codeChallenge: string | undefined): { codeChallenge: string, redirectTo: string } | undefined {
  if (redirectTo === undefined && codeChallenge === undefined) return undefined
  if (redirectTo === undefined || !redirects.includes(redirectTo)) throw invalid('redirect_to', 'must be one of the addresses that oauth.redirects allows, exactly')
  if (codeChallenge === undefined || !CHALLENGE.test(codeChallenge)) throw invalid('code_challenge', 'must be the SHA-256 of a verifier, in base64url')
  return { codeChallenge, redirectTo }
}

function invalid (path: string, message: string): RequestInvalidError {
  return new RequestInvalidError({ errors: [{ path, message }] })
}

function reasonOf (error: AuthError): string {
  const { reason } = error as { reason?: unknown }
  return typeof reason === 'string' ? `${error.code}: ${reason}` : error.code
}
