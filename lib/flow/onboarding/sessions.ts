import type { Clock } from '../../clock.js'
import { createSealer } from '../../encryption.js'
import { ConfigurationError } from '../../errors/operation.js'
import { deriveKey, digest, mac, randomToken, systemRandom, timeOrderedId, type RandomBytes } from '../../random.js'
import type { EphemeralStore } from '../../store/contract.js'
import type { JsonObject } from './step.js'

/** The user that a session made. */
export interface SessionUser {
  /** What the session's right to the user stands on: with another password hash it has none. */
  readonly binding: string
  /** What was shown in this session (RFC 8176). */
  readonly amr: readonly string[]
  /** When something was shown last, in milliseconds since 1970. */
  readonly shownAt: number
}

/** A flow under way, as it is stored. */
export interface SessionRecord {
  readonly id: string
  readonly email: string
  /** The flow as it stood at the start. */
  readonly steps: readonly string[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** Of the user to be made: known before, so that after a crash the session knows its own. */
  readonly userId: string
  readonly completed: readonly string[]
  readonly skipped: readonly string[]
  /** By step. */
  readonly data: { readonly [step: string]: JsonObject }
  readonly emailVerified: boolean
  readonly user?: SessionUser
  /** Who works on the session, and until when that counts. */
  readonly claim?: { readonly until: number }
  /** The flow is complete. */
  readonly completedAt?: number
  /** Over before it was complete. */
  readonly ended?: boolean
}

/** A session that was read. */
export interface OpenSession {
  readonly token: string
  readonly record: SessionRecord
  /** As it is stored: what a change is compared with. */
  readonly sealed: string
}

/** Onboarding sessions. A client has a token for each; the store has a digest of it, and nothing it could read. */
export interface OnboardingSessions {
  /** A new session, which is the newest of its address. */
  start (email: string, steps: readonly string[]): Promise<OpenSession>
  /** Undefined for one that there is not, or that somebody changed where it is stored. */
  read (token: string): Promise<OpenSession | undefined>
  /** Whether it is the newest of its address. */
  isNewest (record: SessionRecord): Promise<boolean>
  /** Stores changes; undefined where the session is not as it was read. */
  change (session: OpenSession, changes: Partial<SessionRecord>): Promise<OpenSession | undefined>
  /** Counts one more of something in the session; false when there were more than `max`. */
  count (record: SessionRecord, what: string, max: number): Promise<boolean>
}

/** What sessions are made with. */
export interface OnboardingSessionsOptions {
  ephemeral: EphemeralStore
  /** Seconds, from the start in any case. */
  readonly lifetime: number
  clock: Clock
  random?: RandomBytes
}

/** 256 bits in base64url. */
const LENGTH = 43
/** For how long a session that is over can still say so, in milliseconds. */
const KEPT = 86_400_000

/** Onboarding sessions in a store for what expires. */
export function createOnboardingSessions ({ ephemeral, lifetime, clock, random = systemRandom }: OnboardingSessionsOptions): OnboardingSessions {
  const kept = lifetime * 1000 + KEPT
  // By the token itself: whoever reads the store has no use for what is in it.
  const sealerOf = (token: string) => createSealer([deriveKey(token, 'onboarding')], random)
  const seal = (token: string, record: SessionRecord): string => sealerOf(token).seal(JSON.stringify(record), 'onboarding')

  return {
    async start (email, steps) {
      const token = randomToken(random)
      const now = clock()
      const record: SessionRecord = {
        id: randomToken(random),
        email,
        steps,
        expiresAt: now + lifetime * 1000,
        userId: timeOrderedId(now, random),
        completed: [],
        skipped: [],
        data: {},
        emailVerified: false
      }
      const sealed = seal(token, record)
      await ephemeral.set(keyOf(token), sealed, kept)
      // One write decides between starts at once. After the session: what it names is there.
      await ephemeral.set(newestKey(email), record.id, kept)
      return { token, record, sealed }
    },

    async read (token) {
      if (typeof token !== 'string' || token.length !== LENGTH) return undefined
      const sealed = await ephemeral.get(keyOf(token))
      const record = sealed === undefined ? undefined : opened(() => sealerOf(token).open(sealed, 'onboarding').text)
      return sealed === undefined || record === undefined ? undefined : { token, record, sealed }
    },

    isNewest: async ({ id, email }) => await ephemeral.get(newestKey(email)) === id,

    async change ({ token, record, sealed }, changes) {
      const changed = { ...record, ...changes }
      const resealed = seal(token, changed)
      return await ephemeral.replace(keyOf(token), sealed, resealed) ? { token, record: changed, sealed: resealed } : undefined
    },

    async count ({ id }, what, max) {
      const { count } = await ephemeral.increment(`onboarding_count:${digest(`${id}:${what}`)}`, { ttl: kept, limit: max, limitTtl: kept })
      return count <= max
    }
  }
}

/** HMAC of a text of a step, by a key that only the token gives. */
export function stepDigest (token: string, step: string, text: string): string {
  return mac(deriveKey(token, 'onboarding step'), step, text).toString('base64url')
}

function keyOf (token: string): string {
  return `onboarding:${digest(token)}`
}

function newestKey (email: string): string {
  return `onboarding_newest:${digest(email)}`
}

/** What was changed where it is stored is no session of ours. */
function opened (open: () => string): SessionRecord | undefined {
  try {
    return JSON.parse(open())
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined
    throw error
  }
}
