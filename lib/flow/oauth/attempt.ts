import type { Clock } from '../../clock.js'
import { createSealer } from '../../encryption.js'
import { ConfigurationError } from '../../errors/operation.js'
import { OAuthStateError } from '../../errors/oauth.js'
import { digest, equal, randomToken, systemRandom, type RandomBytes } from '../../random.js'
import type { EphemeralStore } from '../../store/contract.js'

/** A sign-in at a provider that is under way. */
export interface OAuthAttempt {
  readonly id: string
  readonly callbackUrl: string
  readonly nonce: string
  readonly verifier: string
  /** Milliseconds since 1970. */
  readonly until: number
  /** What binds it to whoever began it. */
  readonly bound: Bound
  /** Set where an account is linked, and none is signed in to. */
  readonly link?: LinkIntent
}

/** A cookie, of which this is the digest; or a verifier that a client keeps, which waits elsewhere for the answer (RFC 7636, section 4.2). */
export type Bound = { readonly cookie: string } | { readonly challenge: string, readonly redirectTo: string }

/** Whose account is linked. */
export interface LinkIntent {
  readonly userId: string
  /** The session that asked; undefined for a token without one. */
  readonly sessionId: string | undefined
  readonly since: number
}

/** What is shown of whoever began an attempt. */
export type Binding =
  /** Reads a cookie of the browser. */
  | { cookie (name: string): string | undefined }
  | { readonly codeVerifier: string }

/** An attempt that was begun. */
export interface BegunAttempt {
  readonly attempt: OAuthAttempt
  /** For the authorization request. */
  readonly state: string
  /** For the browser, where nothing else binds it. */
  readonly cookie: { readonly name: string, readonly value: string } | undefined
}

/** Attempts under way. Nothing is stored of them but that they are over: whoever begins many fills nothing. */
export interface OAuthAttempts {
  begin (provider: string, callbackUrl: string, client: { codeChallenge: string, redirectTo: string } | undefined, link?: LinkIntent): BegunAttempt
  /** Where the client waits that keeps a verifier; undefined for every other state, good or bad. Nothing is used up. */
  waitsAt (provider: string, state: string | undefined): string | undefined
  /** The attempt of whoever began it, used up. Throws {@link OAuthStateError} for a state that is missing, made up, another provider's, expired, used, or somebody else's. */
  finish (provider: string, state: string | undefined, binding: Binding): Promise<OAuthAttempt>
}

/** What attempts are made with. */
export interface OAuthAttemptsOptions {
  ephemeral: EphemeralStore
  /** The first seals, all open. */
  stateKeys: readonly [Buffer, ...Buffer[]]
  clock: Clock
  random?: RandomBytes
}

/** How long an attempt lives, in seconds. */
export const ATTEMPT_LIFETIME = 600

/** Attempts that travel in their own state, encrypted. */
export function createOAuthAttempts ({ ephemeral, stateKeys, clock, random = systemRandom }: OAuthAttemptsOptions): OAuthAttempts {
  const sealer = createSealer(stateKeys, random)

  /** The attempt that was sealed; undefined for what was made up, or is another provider's. */
  function open (provider: string, state: string): OAuthAttempt | undefined {
    try {
      return JSON.parse(sealer.open(state, placeOf(provider)).text)
    } catch (error) {
      if (error instanceof ConfigurationError) return undefined
      throw error
    }
  }

  return {
    begin (provider, callbackUrl, client, link) {
      const [id, value] = [randomToken(random), randomToken(random)]
      const attempt: OAuthAttempt = {
        id,
        callbackUrl,
        nonce: randomToken(random),
        verifier: randomToken(random),
        until: clock() + ATTEMPT_LIFETIME * 1000,
        bound: client === undefined ? { cookie: digest(value) } : { challenge: client.codeChallenge, redirectTo: client.redirectTo },
        ...(link !== undefined && { link })
      }
      return { attempt, state: sealer.seal(JSON.stringify(attempt), placeOf(provider)), cookie: client === undefined ? { name: cookieOf(attempt), value } : undefined }
    },

    waitsAt (provider, state = '') {
      const { bound, until = 0 } = open(provider, state) ?? {}
      return bound !== undefined && 'redirectTo' in bound && clock() < until ? bound.redirectTo : undefined
    },

    async finish (provider, state = '', binding) {
      if (state === '') throw new OAuthStateError({ reason: 'missing' })
      const attempt = open(provider, state)
      if (attempt === undefined) throw new OAuthStateError({ reason: 'unknown' })
      if (clock() >= attempt.until) throw new OAuthStateError({ reason: 'expired' })
      if (!isBound(attempt, binding)) throw new OAuthStateError({ reason: 'binding' })
      // In one step, since the same callback may come twice at once.
      if (!await ephemeral.add(`oauth_attempt:${digest(attempt.id)}`, '1', attempt.until - clock() + 1000)) throw new OAuthStateError({ reason: 'used' })
      return attempt
    }
  }
}

/** Whether it was begun by whoever shows this. */
function isBound (attempt: OAuthAttempt, binding: Binding): boolean {
  const { bound } = attempt
  const [shown, expected] = 'codeVerifier' in binding
    ? [binding.codeVerifier, 'challenge' in bound ? bound.challenge : undefined]
    : [binding.cookie(cookieOf(attempt)), 'cookie' in bound ? bound.cookie : undefined]
  return shown !== undefined && expected !== undefined && equal(Buffer.from(digest(shown)), Buffer.from(expected))
}

/** One of its own for each attempt: two in two windows do not disturb each other. With the prefix no other host can set it (RFC 6265bis, section 4.1.3.2). */
function cookieOf ({ id, callbackUrl }: Pick<OAuthAttempt, 'id' | 'callbackUrl'>): string {
  return `${callbackUrl.startsWith('https:') ? '__Host-' : ''}bouncer-oauth-${digest(id).slice(0, 10)}`
}

function placeOf (provider: string): string {
  return `oauth attempt:${provider}`
}
