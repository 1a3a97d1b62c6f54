import type { Connection } from './family.js'
import type { Database } from './schema.js'

/** Runs `work` on one connection, in a transaction that `begin` opens. */
export function inTransaction<Result> ({ db, kysely: { sql } }: Connection, begin: string, work: (db: Database) => Promise<Result>): Promise<Result> {
  return db.connection().execute(async (single) => {
    await sql.raw(begin).execute(single)
    try {
      const result = await work(single)
      await sql`commit`.execute(single)
      return result
    } catch (error) {
      // Some faults have undone the transaction already, or the connection is gone: the fault itself is told.
      await sql`rollback`.execute(single).catch(() => {})
      throw error
    }
  })
}
