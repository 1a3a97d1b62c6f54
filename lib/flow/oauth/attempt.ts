import type { Clock } from '../../clock.js'
import { createSealer } from '../../encryption.js'
import { ConfigurationError } from '../../errors/operation.js'
import { OAuthStateError } from '../../errors/oauth.js'
import { deriveKey, digest, equal, randomToken, systemRandom, type RandomBytes } from '../../random.js'
import type { EphemeralStore } from '../../store/contract.js'

/** A sign-in at a provider that is under way. */
export interface OAuthAttempt {
  /** What its secrets are derived from. */
  readonly seed: string
  readonly callbackUrl: string
  /** Milliseconds since 1970. */
  readonly until: number
  /** Set where a client keeps a verifier; otherwise a cookie binds it to a browser. */
  readonly client?: WaitingClient
  /** Set where an account is linked, and none is signed in to. */
  readonly link?: LinkIntent
}

/** A client that keeps a verifier, and waits for the answer (RFC 7636, section 4.2). */
export interface WaitingClient {
  readonly codeChallenge: string
  readonly redirectTo: string
}

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
  begin (provider: string, callbackUrl: string, client: WaitingClient | undefined, link?: LinkIntent): BegunAttempt
  /** Where the client waits that keeps a verifier; undefined for every other state, good or bad. Nothing is used up. */
  waitsAt (provider: string, state: string | undefined): string | undefined
  /** The attempt of whoever began it, not used up. Throws {@link OAuthStateError} for a state that is missing, made up, another provider's, expired, or somebody else's. */
  read (provider: string, state: string | undefined, binding: Binding): OAuthAttempt
  /** Uses it up. Throws {@link OAuthStateError} when another request was faster. */
  finish (attempt: OAuthAttempt): Promise<void>
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
/** By how much the clocks of several servers may differ, in milliseconds. */
const CLOCK_SKEW = 60_000

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
      const attempt: OAuthAttempt = { seed: randomToken(random), callbackUrl, until: clock() + ATTEMPT_LIFETIME * 1000, ...(client !== undefined && { client }), ...(link !== undefined && { link }) }
      const cookie = client === undefined ? { name: cookieOf(attempt), value: secretOf(attempt, 'cookie') } : undefined
      return { attempt, state: sealer.seal(JSON.stringify(attempt), placeOf(provider)), cookie }
    },

    waitsAt (provider, state = '') {
      const { client, until = 0 } = open(provider, state) ?? {}
      return clock() < until ? client?.redirectTo : undefined
    },

    read (provider, state = '', binding) {
      if (state === '') throw new OAuthStateError({ reason: 'missing' })
      const attempt = open(provider, state)
      if (attempt === undefined) throw new OAuthStateError({ reason: 'unknown' })
      if (clock() >= attempt.until) throw new OAuthStateError({ reason: 'expired' })
      if (!isBound(attempt, binding)) throw new OAuthStateError({ reason: 'binding' })
      return attempt
    },

    async finish (attempt) {
      // In one step, since the same callback may come twice at once. The mark outlives the attempt, also where another server's clock is behind.
      if (!await ephemeral.add(`oauth_attempt:${digest(attempt.seed)}`, '1', attempt.until - clock() + CLOCK_SKEW)) throw new OAuthStateError({ reason: 'used' })
    }
  }
}

/** One of the secrets of an attempt: `nonce` and `verifier` for the provider, `cookie` for the browser. Derived, since some providers take only a short state. */
export function secretOf ({ seed }: Pick<OAuthAttempt, 'seed'>, purpose: 'nonce' | 'verifier' | 'cookie'): string {
  return deriveKey(seed, `oauth ${purpose}`).toString('base64url')
}

/** Whether it was begun by whoever shows this. */
function isBound (attempt: OAuthAttempt, binding: Binding): boolean {
  const [shown, expected] = 'codeVerifier' in binding
    ? [digest(binding.codeVerifier), attempt.client?.codeChallenge]
    : [binding.cookie(cookieOf(attempt)), attempt.client === undefined ? secretOf(attempt, 'cookie') : undefined]
  return shown !== undefined && expected !== undefined && equal(Buffer.from(shown), Buffer.from(expected))
}

/** One of its own for each attempt: two in two windows do not disturb each other. With the prefix no other host can set it (RFC 6265bis, section 4.1.3.2). */
function cookieOf ({ seed, callbackUrl }: Pick<OAuthAttempt, 'seed' | 'callbackUrl'>): string {
  return `${callbackUrl.startsWith('https:') ? '__Host-' : ''}bouncer-oauth-${digest(seed).slice(0, 10)}`
}

function placeOf (provider: string): string {
  return `oauth attempt:${provider}`
}
