import { createSealer } from '../encryption.js'
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
}

/** Challenges under way. A client has a token for each; the store has a digest of it, and nothing it could read. */
export interface ChallengeSessions {
  issue (pending: PendingChallenge): Promise<string>
  read (token: string): Promise<PendingChallenge | undefined>
  /** Counts an answer before it is looked at; false when there have been too many. */
  count (token: string): Promise<boolean>
  /** Uses a challenge up; false when another request was faster. */
  claim (token: string): Promise<boolean>
}

/** 256 bits in base64url. */
const LENGTH = 43
/** Answers to one challenge, right or wrong. */
const MAX_ANSWERS = 5

/** Challenges in a store for what expires. `lifetime` is in seconds. */
export function createChallengeSessions (ephemeral: EphemeralStore, lifetime: number, random: RandomBytes = systemRandom): ChallengeSessions {
  const ttl = lifetime * 1000
  const keyOf = (token: string): string => `challenge:${digest(token)}`
  // By the token itself: whoever reads the store has no use for what is in it.
  const sealerOf = (token: string) => createSealer([deriveKey(token, 'challenge')], random)

  return {
    async issue (pending) {
      const token = randomToken(random)
      await ephemeral.set(keyOf(token), sealerOf(token).seal(JSON.stringify(pending), 'challenge'), ttl)
      return token
    },

    async read (token) {
      if (token.length !== LENGTH) return undefined
      const sealed = await ephemeral.get(keyOf(token))
      return sealed === undefined ? undefined : JSON.parse(sealerOf(token).open(sealed, 'challenge').text)
    },

    async count (token) {
      const { count } = await ephemeral.increment(`challenge_answers:${digest(token)}`, { ttl, limit: MAX_ANSWERS, limitTtl: ttl })
      return count <= MAX_ANSWERS
    },

    async claim (token) {
      return await ephemeral.take(keyOf(token)) !== undefined
    }
  }
}
