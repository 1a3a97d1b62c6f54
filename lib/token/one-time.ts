import { digest, randomToken, systemRandom, type RandomBytes } from '../random.js'
import type { EphemeralStore } from '../store/contract.js'

/** Tokens that are mailed, and work once. Stored as digests, each bound to a purpose. */
export interface OneTimeTokens {
  /** A token that stands for `value`, for `lifetime` seconds. */
  issue (purpose: string, value: Readonly<Record<string, string>>, lifetime: number): Promise<string>
  /** What a token stands for, without using it up. */
  read (purpose: string, token: string): Promise<Record<string, string> | undefined>
  /** Uses a token up; false when somebody else has, or it has expired. */
  use (purpose: string, token: string): Promise<boolean>
}

/** 256 bits in base64url. */
const LENGTH = 43

/** One-time tokens in a store for what expires, as digests. */
export function createOneTimeTokens (ephemeral: EphemeralStore, random: RandomBytes = systemRandom): OneTimeTokens {
  const keyOf = (purpose: string, token: string): string => `${purpose}:${digest(token)}`

  return {
    async issue (purpose, value, lifetime) {
      const token = randomToken(random)
      await ephemeral.set(keyOf(purpose, token), JSON.stringify(value), lifetime * 1000)
      return token
    },

    async read (purpose, token) {
      if (token.length !== LENGTH) return undefined
      const value = await ephemeral.get(keyOf(purpose, token))
      return value === undefined ? undefined : JSON.parse(value)
    },

    async use (purpose, token) {
      return token.length === LENGTH && await ephemeral.take(keyOf(purpose, token)) !== undefined
    }
  }
}
