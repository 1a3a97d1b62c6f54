import type { Clock } from '../clock.js'
import { createSealer, type Sealer } from '../encryption.js'
import { ConfigurationError } from '../errors/operation.js'
import { deriveKey, digest, randomToken, systemRandom, type RandomBytes } from '../random.js'
import type { EphemeralStore } from '../store/contract.js'

/** A challenge that waits for its answer. */
export interface PendingChallenge {
  readonly challengeName: string
  /** What its provider goes on with. */
  readonly session: string
  /** What attempts are counted by; undefined where the provider does not say. */
  readonly account?: string
  /** Other challenges that may be answered in its place. */
  readonly alternatives?: readonly string[]
  /** Of one that is only asked in another way than before: until when, and with which answers counted. */
  readonly chance?: Chance
}

/** How long a challenge waits, and what its answers are counted by. */
export interface Chance {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** A challenge as it is read again. */
export type OpenChallenge = PendingChallenge & { readonly chance: Chance }

/** Challenges under way. A client has a token for each; the store has a digest of it, and nothing it could read. */
export interface ChallengeSessions {
  issue (pending: PendingChallenge): Promise<string>
  /** Undefined for one that there is not, or that somebody changed where it is stored. */
  read (token: string): Promise<OpenChallenge | undefined>
  /** Counts an answer before it is looked at; false when there have been too many. */
  count (challenge: OpenChallenge): Promise<boolean>
  /** Uses a challenge up; false when another request was faster. */
  claim (token: string): Promise<boolean>
}

/** 256 bits in base64url. */
const LENGTH = 43
/** Answers to one challenge, right or wrong. */
const MAX_ANSWERS = 5

/** Challenges in a store for what expires. `lifetime` is in seconds. */
export function createChallengeSessions (ephemeral: EphemeralStore, lifetime: number, clock: Clock, random: RandomBytes = systemRandom): ChallengeSessions {
  const ttl = lifetime * 1000
  const keyOf = (token: string): string => `challenge:${digest(token)}`
  // By the token itself: whoever reads the store has no use for what is in it.
  const sealerOf = (token: string) => createSealer([deriveKey(token, 'challenge')], random)

  return {
    async issue (pending) {
      const token = randomToken(random)
      const { chance = { id: randomToken(random), until: clock() + ttl } } = pending
      await ephemeral.set(keyOf(token), sealerOf(token).seal(JSON.stringify({ ...pending, chance }), 'challenge'), Math.max(1, chance.until - clock()))
      return token
    },

    async read (token) {
      if (token.length !== LENGTH) return undefined
      const sealed = await ephemeral.get(keyOf(token))
      return sealed === undefined ? undefined : opened(sealerOf(token), sealed)
    },

    async count ({ chance: { id } }) {
      const { count } = await ephemeral.increment(`challenge_answers:${digest(id)}`, { ttl, limit: MAX_ANSWERS, limitTtl: ttl })
      return count <= MAX_ANSWERS
    },

    async claim (token) {
      return await ephemeral.take(keyOf(token)) !== undefined
    }
  }
}

/** What was changed where it is stored is no challenge of ours. */
function opened (sealer: Sealer, sealed: string): OpenChallenge | undefined {
  try {
    return JSON.parse(sealer.open(sealed, 'challenge').text)
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined
    throw error
  }
}
