import { ConfigurationError } from '../errors/operation.js'
import { settle } from '../promise.js'
import type { EphemeralOnlyStore, EphemeralStore, FactorStore, IdentityStore, SessionStore, Store, UserStore } from './contract.js'

/** Every verb of a part; the compiler misses none. */
const VERBS: { [Part in keyof Parts]: Record<keyof Parts[Part], true> } = {
  users: { findById: true, findByEmail: true, findByUsername: true, insert: true, update: true, delete: true, list: true },
  sessions: { insert: true, find: true, rotate: true, end: true, endAll: true, listLive: true, prune: true },
  factors: { find: true, insert: true, useStep: true, useRecoveryCode: true, replaceRecoveryCodes: true, replaceSecret: true, delete: true },
  identities: { find: true, list: true, insert: true, update: true, delete: true, deleteAll: true },
  ephemeral: { add: true, set: true, get: true, take: true, replace: true, delete: true, increment: true, decrement: true }
}

type Parts = { users: UserStore, sessions: SessionStore, factors: FactorStore, identities: IdentityStore, ephemeral: EphemeralStore }
type Verb = (...args: unknown[]) => unknown

/** How {@link available} waits. */
export interface AvailableOptions {
  /** How long a verb may take, in milliseconds. Default 5000. */
  timeout?: number
}

/**
 * The same store, with every fault of it an `AuthUnavailableError`: whatever it
 * throws that is none of this package's errors, and silence. Throws
 * {@link ConfigurationError} when a verb is missing.
 */
export function available<Given extends Store | EphemeralOnlyStore> (store: Given, { timeout = 5000 }: AvailableOptions = {}): Given {
  const guarded: Record<string, unknown> = { name: store.name, warning: store.warning }
  for (const part of Object.keys(VERBS) as Array<keyof Parts>) {
    if (part === 'ephemeral' || 'users' in store) guarded[part] = guard(store, part, timeout)
  }
  for (const step of ['open', 'close'] as const) {
    if (store[step] !== undefined) guarded[step] = () => settle(() => store[step]?.(), `${store.name}: ${step}`, 'store')
  }
  return guarded as unknown as Given
}

function guard (store: Store | EphemeralOnlyStore, part: keyof Parts, timeout: number): Record<string, Verb> {
  const verbs = (store as Partial<Parts>)[part] as unknown as Record<string, Verb> | undefined
  const guarded: Record<string, Verb> = {}
  for (const verb of Object.keys(VERBS[part])) {
    const name = `${store.name}: ${part}.${verb}`
    if (typeof verbs?.[verb] !== 'function') throw new ConfigurationError({ option: 'store', message: `${name} is not a function: it is part of what a store must do.` })
    // Called on its own object, and looked up anew: the store may be an instance of a class, and may be watched by a test.
    guarded[verb] = (...args) => settle(() => (verbs[verb] as Verb)(...args), name, part, timeout)
  }
  return guarded
}
