import type { Clock } from '../../clock.js'
import type { EphemeralStore } from '../contract.js'
import { storedKey } from '../key.js'
import { capacity } from './capacity.js'

interface Entry {
  value: string | undefined
  count: number
  expiresAt: number
}

/** What expires, in memory. Nothing in a verb waits, so each is atomic. */
export function memoryEphemeral ({ max, clock }: { max: number, clock: Clock }): EphemeralStore {
  const entries = new Map<string, Entry>()
  const room = capacity(entries, max, 'entries', (entry) => entry.expiresAt, (key) => entries.delete(key))

  function live (key: string): Entry | undefined {
    const entry = entries.get(key)
    if (entry === undefined || entry.expiresAt > clock()) return entry
    entries.delete(key)
    return undefined
  }

  function store (key: string, entry: Entry): void {
    if (!Number.isFinite(entry.expiresAt)) throw new RangeError('an entry needs a time to live')
    if (!entries.has(key)) room.makeRoom(clock())
    entries.set(key, entry)
    room.note(entry)
  }

  return {
    async add (key, value, ttl) {
      if (live(storedKey(key)) !== undefined) return false
      store(storedKey(key), { value, count: 0, expiresAt: clock() + ttl })
      return true
    },
    async set (key, value, ttl) { store(storedKey(key), { value, count: 0, expiresAt: clock() + ttl }) },
    async get (key) { return live(storedKey(key))?.value },
    async take (key) {
      const entry = live(storedKey(key))
      entries.delete(storedKey(key))
      return entry?.value
    },
    async replace (key, expected, value) {
      const entry = live(storedKey(key))
      if (entry === undefined || entry.value !== expected) return false
      entry.value = value
      return true
    },
    async delete (key) { entries.delete(storedKey(key)) },
    async increment (key, { ttl, limit, limitTtl }) {
      const now = clock()
      const before = live(storedKey(key))
      const count = Math.min((before?.count ?? 0) + 1, limit + 1)
      const expiresAt = count === limit ? now + limitTtl : before?.expiresAt ?? now + ttl
      store(storedKey(key), { value: undefined, count, expiresAt })
      return { count, ttl: expiresAt - now }
    },
    async decrement (key, below) {
      const entry = live(storedKey(key))
      if (entry !== undefined && entry.count > 0 && entry.count < below) entry.count -= 1
    }
  }
}
