import { createArgon2id } from '../../lib/password/argon2.js'
import { HASH_KINDS } from '../../lib/password/hasher.js'
import type { PasswordSettings } from '../../lib/password/options.js'
import { assemble, type Passwords } from '../../lib/password/passwords.js'
import type { PolicySettings } from '../../lib/password/policy.js'

/** Parameters far under the minimum, so that tests do not wait. */
export const cheapArgon2 = { timeCost: 2, memoryCost: 64, parallelism: 1 }
export const cheapScrypt = { cost: 16, blockSize: 8, parallelization: 1 }

/** The rules as they are by default. */
export const defaultPolicy: PolicySettings = {
  minLength: 8,
  maxLength: 128,
  common: true,
  numeric: true,
  similarity: 0.7,
  uppercase: false,
  lowercase: false,
  digit: false,
  symbol: false,
  rules: []
}

/** A room with cheap hashes. `overrides` are merged into its settings. */
export function cheap (overrides: Partial<PasswordSettings> = {}): Passwords {
  return assemble({ policy: defaultPolicy, hasher: createArgon2id(cheapArgon2), accepted: new Set(HASH_KINDS), concurrency: 2, queueLimit: 128, ...overrides })
}
