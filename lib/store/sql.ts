import type { Dialect } from 'kysely'
import { systemClock, type Clock } from '../clock.js'
import { ConfigurationError } from '../errors/operation.js'
import type { UserStore } from './contract.js'
import { loadEngine } from './engine.js'
import { withoutMigrationLock } from './sql/dialect.js'
import type { Connection } from './sql/family.js'
import { connectPostgresql, postgresql } from './sql/postgresql.js'
import type { Tables } from './sql/schema.js'
import { connectSqlite, sqlite } from './sql/sqlite.js'
import { createSqlStore, type SqlStore } from './sql/store.js'

export type * from './contract.js'
export type { SqlStore } from './sql/store.js'

/** Options of every SQL store. */
export interface SqlStoreOptions {
  /** An application's own users, in place of a table of ours: sessions then have no foreign key. */
  users?: UserStore
  /** Whether opening brings the tables up to date. False checks that they are, and `npx fastify-bouncer migrate` does it. Default true. */
  migrate?: boolean
  /** The time; for tests. */
  clock?: Clock
}

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions extends SqlStoreOptions {
  /** Most connections. Default 10. */
  poolSize?: number
  /** How long a connection may take to make, or to come free, in seconds. Default 3. */
  connectTimeout?: number
  /** How long a statement may take, in seconds. Default 3. */
  statementTimeout?: number
  /** Whether PgBouncer, or another pooler, stands between and hands each transaction another connection. Default false. */
  pooler?: boolean
}

/** Options of {@link sqlStore}. */
export interface DialectStoreOptions extends SqlStoreOptions {
  /**
   * A dialect of Kysely. What it connects with stays the application's to
   * close. For SQLite it must not be shared with another Kysely: a connection
   * has one transaction at a time.
   */
  dialect: Dialect
  /** Whose SQL it speaks, where the dialect is none of Kysely's own. */
  family?: 'postgresql' | 'sqlite'
}

/** A store in a SQLite file, or in `:memory:`, through better-sqlite3. Throws {@link ConfigurationError} without a file. */
export function sqliteStore (file: string, options: SqlStoreOptions = {}): SqlStore {
  if (typeof file !== 'string' || file === '') throw new ConfigurationError({ option: 'store', message: 'sqliteStore takes the name of a file.' })
  const warning = file === ':memory:' ? 'The SQLite database is in memory: it is gone when the process ends.' : undefined
  return createSqlStore({ ...common(options), name: 'sqlite', warning, connect: () => connectSqlite(file) })
}

/** A store in PostgreSQL, through a pool of pg. Throws {@link ConfigurationError} for an address or limits that are none. */
export function postgresStore (url: string, { poolSize = 10, connectTimeout = 3, statementTimeout = 3, pooler = false, ...options }: PostgresStoreOptions = {}): SqlStore {
  // The address may hold a password: no message repeats it.
  if (typeof url !== 'string' || !/^postgres(ql)?:\/\//.test(url)) throw new ConfigurationError({ option: 'store', message: 'postgresStore takes an address that starts with postgres:// or postgresql://.' })
  if (!Number.isInteger(poolSize) || poolSize < 1) throw new ConfigurationError({ option: 'poolSize', message: 'postgresStore: poolSize must be a whole number above 0.' })
  if (!(connectTimeout > 0)) throw new ConfigurationError({ option: 'connectTimeout', message: 'postgresStore: connectTimeout must be above 0.' })
  if (!(statementTimeout > 0)) throw new ConfigurationError({ option: 'statementTimeout', message: 'postgresStore: statementTimeout must be above 0.' })
  const pool = { url, connectTimeout: connectTimeout * 1000, pooler }
  return createSqlStore({
    ...common(options),
    name: 'postgresql',
    connect: () => connectPostgresql({ ...pool, size: poolSize, statementTimeout: statementTimeout * 1000 }),
    connectToMigrate: () => connectPostgresql({ ...pool, size: 1, statementTimeout: 0 })
  })
}

/** A store in a database that an application connects to with a Kysely dialect of its own, of PostgreSQL or SQLite. Opening throws {@link ConfigurationError} for any other. */
export function sqlStore ({ dialect, family, ...options }: DialectStoreOptions): SqlStore {
  return createSqlStore({ ...common(options), name: family ?? 'sql', connect: () => connectDialect(dialect, family) })
}

function common ({ users, migrate = true, clock = systemClock }: SqlStoreOptions) {
  return { users, migrate, clock }
}

async function connectDialect (dialect: Dialect, family: 'postgresql' | 'sqlite' | undefined): Promise<Connection> {
  const kysely = await loadEngine(() => import('kysely'), 'kysely')
  const adapter = dialect.createAdapter()
  const found = [
    (family === 'postgresql' || (family === undefined && adapter instanceof kysely.PostgresAdapter)) && postgresql,
    (family === 'sqlite' || (family === undefined && adapter instanceof kysely.SqliteAdapter)) && sqlite
  ].find((candidate) => candidate !== false)
  if (found === undefined) throw new ConfigurationError({ option: 'family', message: 'sqlStore: say family: "postgresql" or "sqlite".' })
  // Not destroyed: that would close what the application gave the dialect.
  return { db: new kysely.Kysely<Tables>({ dialect: withoutMigrationLock(dialect) }), family: found, kysely, end: async () => {} }
}
