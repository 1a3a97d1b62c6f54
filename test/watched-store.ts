import { memoryStore, type EphemeralStore, type FactorStore, type IdentityStore, type SessionStore, type Store, type UserStore } from '../index.js'
import { sqliteStore } from '../lib/store/sql.js'

/** A verb of a store. */
export type Verb = `users.${keyof UserStore}` | `sessions.${keyof SessionStore}` | `factors.${keyof FactorStore}` | `identities.${keyof IdentityStore}` | `ephemeral.${keyof EphemeralStore}`

/** A call that stands still until it is released. */
export interface Held {
  /** Resolves when the call has got there. */
  reached: Promise<void>
  release (): void
}

/** A store whose calls can be counted, held and made to fail. */
export interface WatchedStore extends Store {
  /** Every call so far, in order. */
  calls: Verb[]
  /** Verbs that fail until they are taken out again. */
  failing: Set<Verb>
  /** What they throw. */
  fault: () => unknown
  /** Holds the next call of a verb: before anything is done, or when all is done but the answer. */
  hold (verb: Verb, when?: 'before' | 'after'): Held
}

/** The stores that races are tried on. */
export const stores: Record<string, () => Store> = {
  memory: () => memoryStore(),
  sqlite: () => sqliteStore(':memory:')
}

export function watched (store: Store): WatchedStore {
  const calls: Verb[] = []
  const failing = new Set<Verb>()
  const gates = new Map<string, () => Promise<void>>()

  async function pass (verb: Verb, when: 'before' | 'after'): Promise<void> {
    const gate = gates.get(`${when} ${verb}`)
    gates.delete(`${when} ${verb}`)
    await gate?.()
  }

  function watch<Part extends object> (part: Part, name: string): Part {
    return Object.fromEntries(Object.entries(part).map(([key, run]: [string, (...args: unknown[]) => Promise<unknown>]) => {
      const verb = `${name}.${key}` as Verb
      return [key, async (...args: unknown[]) => {
        calls.push(verb)
        await pass(verb, 'before')
        if (failing.has(verb)) throw watching.fault()
        const answer = await run.apply(part, args)
        await pass(verb, 'after')
        return answer
      }]
    })) as Part
  }

  const watching: WatchedStore = {
    ...store,
    users: watch(store.users, 'users'),
    sessions: watch(store.sessions, 'sessions'),
    factors: watch(store.factors, 'factors'),
    identities: watch(store.identities, 'identities'),
    ephemeral: watch(store.ephemeral, 'ephemeral'),
    calls,
    failing,
    fault: () => new Error('c4n4ry'),
    hold (verb, when = 'before') {
      let arrive = (): void => {}
      let release = (): void => {}
      const reached = new Promise<void>((resolve) => { arrive = resolve })
      const released = new Promise<void>((resolve) => { release = resolve })
      gates.set(`${when} ${verb}`, async () => {
        arrive()
        await released
      })
      return { reached, release }
    }
  }
  return watching
}
