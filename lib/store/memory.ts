import { systemClock, type Clock } from '../clock.js'
import { ConfigurationError } from '../errors/operation.js'
import type { Store, UserStore } from './contract.js'
import { memoryEphemeral } from './memory/ephemeral.js'
import { memoryFactors } from './memory/factors.js'
import { memoryIdentities } from './memory/identities.js'
import { memorySessions } from './memory/sessions.js'
import { memoryUsers } from './memory/users.js'

/** Options of {@link memoryStore}. What is full refuses with `AuthUnavailableError`; nothing that lives is dropped for it. */
export interface MemoryStoreOptions {
  /** An application's own users in place of the ones in memory. */
  users?: UserStore
  /** Most users. Default 10,000. */
  maxUsers?: number
  /** Most linked accounts. Default 10,000. */
  maxIdentities?: number
  /** Most sessions. Default 100,000. */
  maxSessions?: number
  /** Most one-time tokens, revocations and counters together. Default 100,000. */
  maxEntries?: number
  /** The time; for tests. */
  clock?: Clock
}

/** A store for tests and first steps: bounded, gone with the process. Throws {@link ConfigurationError} for bounds that are none. */
export function memoryStore ({ users, maxUsers = 10_000, maxIdentities = 10_000, maxSessions = 100_000, maxEntries = 100_000, clock = systemClock }: MemoryStoreOptions = {}): Store {
  for (const [option, value] of Object.entries({ maxUsers, maxIdentities, maxSessions, maxEntries })) {
    if (!Number.isInteger(value) || value < 1) throw new ConfigurationError({ option, message: `memoryStore: ${option} must be a whole number above 0.` })
  }
  const sessions = memorySessions({ max: maxSessions, clock, isUser: (id) => users !== undefined || own.has(id) })
  const factors = memoryFactors({ isUser: (id) => users !== undefined || own.has(id) })
  const identities = memoryIdentities({ max: maxIdentities, isUser: (id) => users !== undefined || own.has(id) })
  const own = memoryUsers({
    max: maxUsers,
    onDelete (id) {
      sessions.deleteOf(id)
      factors.deleteOf(id)
      identities.deleteOf(id)
    }
  })
  return {
    name: 'memory',
    warning: 'Users, sessions and counters are in memory: they are gone when the process ends, and no other process sees them.',
    users: users ?? own.users,
    sessions: sessions.sessions,
    factors: factors.factors,
    identities: identities.identities,
    ephemeral: memoryEphemeral({ max: maxEntries, clock })
  }
}
