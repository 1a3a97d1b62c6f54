import type { Clock } from '../../clock.js'
import type { SessionEnd, SessionStore, StoredSession } from '../contract.js'
import { emptyPage, pageOf, startOf } from '../page.js'
import { byAge, isAfter } from './age.js'
import { capacity } from './capacity.js'

export interface MemorySessionOptions {
  max: number
  clock: Clock
  /** A session belongs to a user that is there, as a foreign key would have it. */
  isUser: (id: string) => boolean
}

const endOf = ({ endedAt, idleUntil, expiresAt }: StoredSession): number => endedAt ?? Math.min(idleUntil, expiresAt)

/** Sessions in memory, and a way to drop those of a user. Nothing in a verb waits, so each is atomic. */
export function memorySessions ({ max, clock, isUser }: MemorySessionOptions): { sessions: SessionStore, deleteOf: (userId: string) => void } {
  const byId = new Map<string, StoredSession>()
  const byUser = new Map<string, Set<string>>()
  const room = capacity(byId, max, 'sessions', endOf, drop)

  function drop (id: string): void {
    const userId = byId.get(id)?.userId as string
    const ids = byUser.get(userId) as Set<string>
    byId.delete(id)
    ids.delete(id)
    if (ids.size === 0) byUser.delete(userId)
  }

  function keep (session: StoredSession): void {
    byId.set(session.id, Object.freeze({ ...session }))
    room.note(session)
  }

  function finish (session: StoredSession | undefined, endReason: SessionEnd, endedAt: number): boolean {
    if (session === undefined || session.endedAt !== null) return false
    keep({ ...session, endedAt, endReason })
    return true
  }

  const idsOf = (userId: string): string[] => [...byUser.get(userId) ?? []]

  const sessions: SessionStore = {
    async insert (session) {
      if (!isUser(session.userId)) throw new Error('a session of nobody')
      if (byId.has(session.id)) throw new Error('two sessions with one id')
      room.makeRoom(clock())
      keep(session)
      byUser.set(session.userId, (byUser.get(session.userId) ?? new Set()).add(session.id))
    },
    async find (id) { return byId.get(id) },
    async rotate (id, generation, { refreshDigest, rotatedAt, idleUntil }) {
      const session = byId.get(id)
      if (session === undefined || session.generation !== generation || session.endedAt !== null) return false
      keep({ ...session, generation: generation + 1, refreshDigest, rotatedAt, idleUntil })
      return true
    },
    async end (id, reason, now, userId) {
      const session = byId.get(id)
      return (userId === undefined || session?.userId === userId) && finish(session, reason, now)
    },
    async endAll (userId, reason, now) {
      return idsOf(userId).filter((id) => finish(byId.get(id), reason, now))
    },
    async listLive (userId, now, page) {
      const start = startOf(page)
      if (start === 'nowhere') return emptyPage
      const live = idsOf(userId).map((id) => byId.get(id) as StoredSession)
        .filter((session) => session.endedAt === null && endOf(session) > now && (start === 'start' || isAfter(start, session)))
        .sort((a, b) => byAge(b, a))
      return pageOf(live.slice(0, page.limit + 1), page)
    },
    async prune (time) {
      const over = [...byId.values()].filter(({ endedAt, idleUntil, expiresAt }) =>
        (endedAt !== null && endedAt < time) || Math.max(idleUntil, expiresAt) < time)
      for (const { id } of over) drop(id)
      return over.length
    }
  }
  return { sessions, deleteOf: (userId) => { for (const id of idsOf(userId)) drop(id) } }
}
