import { AuthUnavailableError } from '../../errors/operation.js'

/** Refuses what would be one too many. A live entry is never dropped for a new one: whoever floods a store could wash counters and revocations out of it. */
export function full (what: string): AuthUnavailableError {
  return new AuthUnavailableError({ dependency: 'store', message: `memory: no room for more ${what}` })
}

/** Where a store ends. */
export interface Capacity<Item> {
  /** Makes room for one more, dropping what is over. Throws `AuthUnavailableError` when all of it lives. */
  makeRoom (now: number): void
  /** To be told of each item that came, or whose end changed. */
  note (item: Item): void
}

/** A bounded map; `endOf` says when an item is over. */
export function capacity<Item> (items: Map<string, Item>, max: number, what: string, endOf: (item: Item) => number, drop: (key: string) => void): Capacity<Item> {
  /** No item is over before: a full store is not searched again for each call. */
  let earliest = Infinity

  return {
    note (item) { earliest = Math.min(earliest, endOf(item)) },

    makeRoom (now) {
      if (items.size < max) return
      if (earliest <= now) {
        earliest = Infinity
        for (const [key, item] of items) {
          if (endOf(item) <= now) drop(key)
          else earliest = Math.min(earliest, endOf(item))
        }
      }
      if (items.size >= max) throw full(what)
    }
  }
}
