import { setImmediate as turn } from 'node:timers/promises'
import type { Selectable } from 'kysely'
import type { Clock } from '../../clock.js'
import type { EphemeralStore } from '../contract.js'
import { storedKey } from '../key.js'
import type { Connection } from './family.js'
import { prepared, type Place } from './prepared.js'
import { read, written, type EphemeralRow } from './schema.js'

/** Rows that one statement of a sweep deletes: SQLite does nothing else meanwhile. */
const BATCH = 500

/** What expires, in a table of ours. Each verb is one statement; a row that has expired counts as absent before it is swept, too. */
export function sqlEphemeral (connect: () => Connection, clock: Clock): EphemeralStore {
  const find = prepared<{ key: string, now: string }, Pick<EphemeralRow, 'value'>>(connect, ({ db }, place) =>
    db.selectFrom('bouncer_ephemeral').select('value').where('key', '=', place('key')).where('expires_at', '>', place('now')))
  const count = prepared(connect, counting)
  const remove = prepared<{ key: string }, unknown>(connect, ({ db }, place) => db.deleteFrom('bouncer_ephemeral').where('key', '=', place('key')))
  const giveBack = prepared<{ key: string, below: number, now: string }, unknown>(connect, ({ db }, place) =>
    db.updateTable('bouncer_ephemeral').set((eb) => ({ count: eb('count', '-', 1) }))
      .where('key', '=', place('key')).where('count', '>', 0).where('count', '<', place('below')).where('expires_at', '>', place('now')))

  return {
    async add (key, value, ttl) {
      const now = clock()
      const fresh = { value, count: 0, expires_at: written(now + ttl) }
      const added = await connect().db.insertInto('bouncer_ephemeral').values({ key: storedKey(key), ...fresh })
        .onConflict((conflict) => conflict.column('key').doUpdateSet(fresh).where('bouncer_ephemeral.expires_at', '<=', written(now)))
        .returning('key').executeTakeFirst()
      return added !== undefined
    },

    async set (key, value, ttl) {
      const fresh = { value, count: 0, expires_at: written(clock() + ttl) }
      await connect().db.insertInto('bouncer_ephemeral').values({ key: storedKey(key), ...fresh })
        .onConflict((conflict) => conflict.column('key').doUpdateSet(fresh)).execute()
    },

    async get (key) {
      const { rows: [row] } = await find({ key: storedKey(key), now: written(clock()) })
      return row?.value ?? undefined
    },

    async take (key) {
      const row = await connect().db.deleteFrom('bouncer_ephemeral')
        .where('key', '=', storedKey(key)).where('expires_at', '>', written(clock())).returning('value').executeTakeFirst()
      return row?.value ?? undefined
    },

    async replace (key, expected, value) {
      const { numUpdatedRows } = await connect().db.updateTable('bouncer_ephemeral').set({ value })
        .where('key', '=', storedKey(key)).where('value', '=', expected).where('expires_at', '>', written(clock())).executeTakeFirst()
      return numUpdatedRows === 1n
    },

    async delete (key) {
      await remove({ key: storedKey(key) })
    },

    async increment (key, { ttl, limit, limitTtl }) {
      const now = clock()
      const { rows } = await count({
        key: storedKey(key),
        now: written(now),
        firstUntil: written(now + (limit === 1 ? limitTtl : ttl)),
        lockedUntil: written(now + limitTtl),
        limit,
        before: limit - 1,
        most: limit + 1
      })
      const [row] = rows as [CountRow]
      return { count: row.count, ttl: read(row.expires_at) - now }
    },

    async decrement (key, below) {
      await giveBack({ key: storedKey(key), below, now: written(clock()) })
    }
  }
}

type CountRow = Pick<Selectable<EphemeralRow>, 'count' | 'expires_at'>
type CountValues = Record<'key' | 'now' | 'firstUntil' | 'lockedUntil', string> & Record<'limit' | 'before' | 'most', number>

function counting ({ db }: Connection, place: Place<CountValues>) {
  return db.insertInto('bouncer_ephemeral').values({ key: place('key'), count: 1, expires_at: place('firstUntil') })
    .onConflict((conflict) => conflict.column('key').doUpdateSet((eb) => ({
      value: null,
      count: eb.case()
        .when('bouncer_ephemeral.expires_at', '<=', place('now')).then(1)
        .when('bouncer_ephemeral.count', '<', place('limit')).then(eb('bouncer_ephemeral.count', '+', 1))
        .else(place('most')).end(),
      expires_at: eb.case()
        .when('bouncer_ephemeral.expires_at', '<=', place('now')).then(place('firstUntil'))
        .when('bouncer_ephemeral.count', '=', place('before')).then(place('lockedUntil'))
        .else(eb.ref('bouncer_ephemeral.expires_at')).end()
    })))
    .returning(['count', 'expires_at'])
}

/** Deletes what has expired. */
export async function sweep ({ db }: Connection, now: number): Promise<void> {
  let deleted: bigint
  do {
    const { numDeletedRows } = await db.deleteFrom('bouncer_ephemeral').where('expires_at', '<=', written(now))
      .where('key', 'in', (eb) => eb.selectFrom('bouncer_ephemeral').select('key').where('expires_at', '<=', written(now)).limit(BATCH))
      .executeTakeFirst()
    deleted = numDeletedRows
    // Requests come between: what SQLite does is done before it is awaited.
    await turn()
  } while (deleted > 0n)
}
