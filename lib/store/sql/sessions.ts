import { setImmediate as turn } from 'node:timers/promises'
import type { Insertable, Selectable } from 'kysely'
import type { SessionStore, StoredSession } from '../contract.js'
import { emptyPage, pageOf, startOf } from '../page.js'
import type { Connection } from './family.js'
import { prepared } from './prepared.js'
import { read, written, type SessionRow } from './schema.js'

/** Named one by one: a statement that was prepared must not change its result when a later version adds a column. */
const COLUMNS = [
  'id', 'user_id', 'refresh_digest', 'generation', 'created_at', 'rotated_at',
  'idle_until', 'expires_at', 'ended_at', 'end_reason', 'address', 'user_agent', 'amr'
] as const

/** Rows that one statement of pruning deletes: SQLite does nothing else meanwhile. */
const BATCH = 500

/** Sessions in a table of ours. Each verb but `prune` is one statement. */
export function sqlSessions (connect: () => Connection): SessionStore {
  const find = prepared<{ id: string }, SessionRow>(connect, ({ db }, place) =>
    db.selectFrom('bouncer_sessions').select(COLUMNS).where('id', '=', place('id')))

  const rotate = prepared<Pick<SessionRow, 'id' | 'generation' | 'refresh_digest' | 'rotated_at' | 'idle_until'>, unknown>(connect, ({ db }, place) =>
    db.updateTable('bouncer_sessions')
      .set((eb) => ({ generation: eb('generation', '+', 1), refresh_digest: place('refresh_digest'), rotated_at: place('rotated_at'), idle_until: place('idle_until') }))
      .where('id', '=', place('id')).where('generation', '=', place('generation')).where('ended_at', 'is', null))

  return {
    async insert (session) {
      await connect().db.insertInto('bouncer_sessions').values(toRow(session)).execute()
    },

    async find (id) {
      if (!connect().family.canHold(id)) return undefined
      const { rows: [row] } = await find({ id })
      return row && fromRow(row)
    },

    async rotate (id, generation, { refreshDigest, rotatedAt, idleUntil }) {
      if (!connect().family.canHold(id)) return false
      const { numAffectedRows } = await rotate({ id, generation, refresh_digest: refreshDigest, rotated_at: written(rotatedAt), idle_until: written(idleUntil) })
      return numAffectedRows === 1n
    },

    async end (id, reason, now, userId) {
      const { db, family } = connect()
      if (!family.canHold(id) || (userId !== undefined && !family.canHold(userId))) return false
      const { numUpdatedRows } = await db.updateTable('bouncer_sessions').set({ ended_at: written(now), end_reason: reason })
        .where('id', '=', id).where('ended_at', 'is', null)
        .$if(userId !== undefined, (query) => query.where('user_id', '=', userId as string)).executeTakeFirst()
      return numUpdatedRows === 1n
    },

    async endAll (userId, reason, now) {
      const { db, family } = connect()
      if (!family.canHold(userId)) return []
      const rows = await db.updateTable('bouncer_sessions').set({ ended_at: written(now), end_reason: reason })
        .where('user_id', '=', userId).where('ended_at', 'is', null).returning('id').execute()
      return rows.map(({ id }) => id)
    },

    async listLive (userId, now, page) {
      const { db, family } = connect()
      const start = startOf(page)
      if (start === 'nowhere' || !family.canHold(userId)) return emptyPage
      const rows = await db.selectFrom('bouncer_sessions').select(COLUMNS).where('user_id', '=', userId)
        .where('ended_at', 'is', null).where('idle_until', '>', written(now)).where('expires_at', '>', written(now))
        .$if(start !== 'start', (query) => query.where((eb) => {
          const { createdAt, id } = start as Exclude<typeof start, 'start'>
          return eb(eb.refTuple('created_at', 'id'), '<', eb.tuple(written(createdAt), id))
        }))
        .orderBy('created_at', 'desc').orderBy('id', 'desc').limit(page.limit + 1).execute()
      return pageOf(rows.map(fromRow), page)
    },

    async prune (time) {
      const before = written(time)
      let all = 0
      let deleted: number
      do {
        const { numDeletedRows } = await connect().db.deleteFrom('bouncer_sessions')
          .where('id', 'in', (query) => query.selectFrom('bouncer_sessions').select('id')
            .where((eb) => eb.or([eb('ended_at', '<', before), eb.and([eb('expires_at', '<', before), eb('idle_until', '<', before)])]))
            .limit(BATCH))
          .executeTakeFirst()
        deleted = Number(numDeletedRows)
        all += deleted
        // Requests come between: what SQLite does is done before it is awaited.
        await turn()
      } while (deleted === BATCH)
      return all
    }
  }
}

function toRow (session: StoredSession): Insertable<SessionRow> {
  return {
    id: session.id,
    user_id: session.userId,
    refresh_digest: session.refreshDigest,
    generation: session.generation,
    created_at: written(session.createdAt),
    rotated_at: written(session.rotatedAt),
    idle_until: written(session.idleUntil),
    expires_at: written(session.expiresAt),
    ended_at: session.endedAt === null ? null : written(session.endedAt),
    end_reason: session.endReason,
    address: session.address,
    user_agent: session.userAgent,
    amr: session.amr.join(' ')
  }
}

function fromRow (row: Selectable<SessionRow>): StoredSession {
  return {
    id: row.id,
    userId: row.user_id,
    refreshDigest: row.refresh_digest,
    generation: row.generation,
    createdAt: read(row.created_at),
    rotatedAt: read(row.rotated_at),
    idleUntil: read(row.idle_until),
    expiresAt: read(row.expires_at),
    endedAt: row.ended_at === null ? null : read(row.ended_at),
    endReason: row.end_reason,
    address: row.address,
    userAgent: row.user_agent,
    amr: row.amr.split(' ').filter((name) => name !== '')
  }
}
