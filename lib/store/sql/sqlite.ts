import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CompiledQuery, SqliteDatabase, SqliteStatement } from 'kysely'
import { ConfigurationError } from '../../errors/operation.js'
import { loadEngine } from '../engine.js'
import type { Connection, Family } from './family.js'
import type { Tables } from './schema.js'
import { inTransaction } from './transaction.js'

/** How often, and after how many milliseconds, a statement is tried again while somebody else writes: about three seconds. */
const RETRIES = 1000
const RETRY_DELAY = 2

const TAKEN = /UNIQUE constraint failed: (?:index 'bouncer_users_(email)'|bouncer_users\.(username))/

/** Takes the one right to write before anything is read, so that what is read still holds when it is written, also between processes. */
const immediately: Family['write'] = (connection, work) => inTransaction(connection, 'begin immediate', work)

export const sqlite: Family = {
  name: 'sqlite',
  timeType: 'text',
  flagType: 'integer',
  locksRows: false,
  flag: (value) => value ? 1 : 0,
  canHold: () => true,
  roleList: (roles) => roles.fn<string>('json_group_array', ['r.role']),
  write: immediately,
  // A transaction that writes is alone in any case.
  awaitTurn: async () => {},

  collision (error) {
    // The drivers know no more of the constraint than this sentence of SQLite itself.
    const taken = TAKEN.exec((error as Error).message)
    return (taken?.[1] ?? taken?.[2]) as 'email' | 'username' | undefined
  },

  async inspect ({ db, kysely: { sql } }) {
    const { rows: [row] } = await sql<{ foreign_keys: number }>`select foreign_keys from pragma_foreign_keys`.execute(db)
    if (Number(row?.foreign_keys) !== 1) throw new ConfigurationError({ option: 'store', message: 'The SQLite connection does not enforce foreign keys: run "pragma foreign_keys = on" when it is made.' })
    return undefined
  },

  migrating: immediately
}

/** Opens a file, or `:memory:`. Throws {@link ConfigurationError} when it cannot be opened. */
export async function connectSqlite (file: string): Promise<Connection> {
  const install = 'better-sqlite3 kysely'
  const kysely = await loadEngine(() => import('kysely'), install)
  const { default: Engine } = await loadEngine(() => import('better-sqlite3'), install)
  let database: InstanceType<typeof Engine> | undefined
  try {
    await keepPrivate(file)
    // SQLite's own waiting would stop the event loop, and with it whoever in this process is to finish writing.
    const opened = database = new Engine(file, { timeout: 0 })
    await whenFree(() => opened.pragma('journal_mode = WAL'))
    opened.pragma('synchronous = NORMAL')
    opened.pragma('foreign_keys = ON')
    const dialect = new kysely.SqliteDialect({
      database: preparing(opened),
      async onCreateConnection (connection) {
        const execute = connection.executeQuery.bind(connection) as typeof connection.executeQuery
        // A statement that finds the database busy has done nothing, and a transaction has the right to write before it reads.
        connection.executeQuery = <Row>(query: CompiledQuery) => whenFree(() => execute<Row>(query))
      }
    })
    const db = new kysely.Kysely<Tables>({ dialect })
    return { db, family: sqlite, kysely, end: () => db.destroy() }
  } catch (cause) {
    database?.close()
    if (isBusy(cause)) throw cause
    throw new ConfigurationError({ option: 'store', cause, message: `The SQLite database ${file} cannot be opened: ${(cause as Error).message}` })
  }
}

/** A new file is for its owner alone, as those that SQLite lays beside it then are: it holds password hashes. One that is there stays as it is. */
async function keepPrivate (file: string): Promise<void> {
  if (file === ':memory:' || file === '') return
  try {
    const handle = await open(file, 'a', 0o600)
    await handle.close()
  } catch (error) {
    // The engine meets the same fault, and says better what is missing.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

const isBusy = (error: unknown): boolean => String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY')

async function whenFree<Result> (work: () => Result): Promise<Awaited<Result>> {
  for (let retries = RETRIES; retries > 0; retries--) {
    try {
      return await work()
    } catch (error) {
      if (!isBusy(error)) throw error
    }
    await sleep(RETRY_DELAY)
  }
  return await work()
}

/** The database with its statements kept: preparing one costs more than running it. All are ours, so there are few. */
function preparing (database: SqliteDatabase): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  return {
    close: () => { database.close() },
    prepare (text) {
      const known = statements.get(text)
      if (known !== undefined) return known
      const statement = database.prepare(text)
      statements.set(text, statement)
      return statement
    }
  }
}
