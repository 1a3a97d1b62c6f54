import type { PostgresPool } from 'kysely'
import type { Pool, PoolClient } from 'pg'
import { ConfigurationError } from '../../errors/operation.js'
import { loadEngine } from '../engine.js'
import { withoutMigrationLock } from './dialect.js'
import type { Connection, Family } from './family.js'
import type { Tables } from './schema.js'
import { inTransaction } from './transaction.js'

const CONSTRAINTS = new Map<unknown, 'email' | 'username'>([['bouncer_users_email', 'email'], ['bouncer_users_username', 'username']])

/** Each statement has to see what was committed while it waited for a lock, whatever the database's own default is. */
const BEGIN = 'begin isolation level read committed'
const ALONE = 'set session characteristics as transaction isolation level read committed'

export const postgresql: Family = {
  name: 'postgresql',
  timeType: 'timestamptz',
  flagType: 'boolean',
  locksRows: true,
  flag: (value) => value,
  canHold: (text) => !text.includes('\0'),
  roleList: (roles) => roles.cast<string>(roles.fn('json_agg', ['r.role']), 'text'),

  write: (connection, work) => inTransaction(connection, BEGIN, work),

  // Rows alone are not enough: two transactions that lock each other's row would end in a deadlock.
  async awaitTurn ({ kysely: { sql } }, db, role) {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`bouncer_user_roles:${role}`}, 0))`.execute(db)
  },

  collision (error) {
    // Of pg, and of postgres.js.
    const { code, constraint, constraint_name: name } = Object(error) as Record<string, unknown>
    return code === '23505' ? CONSTRAINTS.get(constraint ?? name) : undefined
  },

  async inspect ({ db, kysely: { sql } }) {
    const { rows: [row] } = await sql<{ schema: string | null }>`select current_schema() as schema`.execute(db)
    if (typeof row?.schema !== 'string') throw new ConfigurationError({ option: 'store', message: 'No schema of the search path exists in the PostgreSQL database.' })
    return row.schema
  },

  migrating: (connection, work) => inTransaction(connection, BEGIN, async (db) => {
    await connection.kysely.sql`select pg_advisory_xact_lock(hashtextextended('bouncer_migrations', 0))`.execute(db)
    return await work(db)
  })
}

/** How a pool is made. Times are in milliseconds. */
export interface PoolOptions {
  url: string
  size: number
  connectTimeout: number
  /** 0 waits for ever, as migrations do. */
  statementTimeout: number
  /** Whether a pooler stands between that hands each transaction another connection: nothing is left behind on one. */
  pooler: boolean
}

/** A pool of connections; the first is made when it is needed. */
export async function connectPostgresql ({ url, size, connectTimeout, statementTimeout, pooler }: PoolOptions): Promise<Connection> {
  const install = 'pg kysely'
  const kysely = await loadEngine(() => import('kysely'), install)
  const { Pool } = await loadEngine(() => import('pg'), install)
  const pool = new Pool({
    connectionString: url,
    max: size,
    connectionTimeoutMillis: connectTimeout,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // The server gives up first, and frees its locks. Where it does not answer at all, the client does.
    ...statementTimeout > 0 && { query_timeout: statementTimeout + 1000, ...!pooler && { statement_timeout: statementTimeout } },
    application_name: 'fastify-bouncer'
  })
  // A connection that dies while nobody uses it is dropped from the pool, and one that dies between two statements of a
  // transaction fails the next one: nothing is left to do, but without listeners either would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => { client.on('error', () => {}) })
  const dialect = new kysely.PostgresDialect({ pool: discarding(pool, pooler ? undefined : ownConnections()) })
  const db = new kysely.Kysely<Tables>({ dialect: withoutMigrationLock(dialect) })
  return { db, family: postgresql, kysely, end: () => db.destroy() }
}

/** What can be left behind on connections that are ours alone. */
interface OwnConnections {
  /** Readies a connection for statements outside transactions. */
  prepare (client: PoolClient): Promise<void>
  /** A name for each statement with values, so that PostgreSQL plans it once for each connection. All are ours, so there are few. */
  nameOf (text: string, values: readonly unknown[]): string | undefined
}

function ownConnections (): OwnConnections {
  const ready = new WeakSet<PoolClient>()
  const names = new Map<string, string>()
  return {
    async prepare (client) {
      if (ready.has(client)) return
      await client.query(ALONE)
      ready.add(client)
    },

    nameOf (text, values) {
      if (values.length === 0) return undefined
      if (!names.has(text)) names.set(text, `bouncer_${names.size}`)
      return names.get(text)
    }
  }
}

/** The pool, but that a connection on which something else went wrong than a statement does not go back into it: it may never answer again. */
function discarding (pool: Pool, own: OwnConnections | undefined): PostgresPool {
  return {
    end: () => pool.end(),
    async connect () {
      const client: PoolClient = await pool.connect()
      let broken: Error | undefined
      const query = async (text: string, values: unknown[]): Promise<unknown> => {
        if (broken !== undefined) throw broken
        try {
          await own?.prepare(client)
          return await client.query({ name: own?.nameOf(text, values), text, values })
        } catch (error) {
          // What the server says comes with its severity.
          if (!('severity' in (error as Error))) broken = error as Error
          throw error
        }
      }
      return { query, release: () => client.release(broken) } as Awaited<ReturnType<PostgresPool['connect']>>
    }
  }
}
