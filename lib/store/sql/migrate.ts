import type { Migrator } from 'kysely'
import { ConfigurationError } from '../../errors/operation.js'
import type { Connection } from './family.js'
import { migrations } from './migrations.js'
import type { Database } from './schema.js'

/** Brings the tables up to date; answers with the names of the migrations that were applied. Safe where several processes do it at once. */
export async function migrateTables (connection: Connection, hasUsers: boolean): Promise<string[]> {
  const schema = await connection.family.inspect(connection)
  return await connection.family.migrating(connection, async (db) => {
    const { error, results = [] } = await migrator(connection, db, hasUsers, schema).migrateToLatest()
    if (error === undefined) return results.map(({ migrationName }) => migrationName)
    if (!(error instanceof Error && error.message.startsWith('corrupted migrations'))) throw error
    throw new ConfigurationError({
      option: 'store',
      cause: error,
      message: 'The tables were made by a later version of fastify-bouncer, or with users of its own where the application now has its own, or the other way round.'
    })
  })
}

/** Throws {@link ConfigurationError} unless the tables are up to date. */
export async function checkTables (connection: Connection, hasUsers: boolean): Promise<void> {
  const schema = await connection.family.inspect(connection)
  const known = await migrator(connection, connection.db, hasUsers, schema).getMigrations()
  const missing = known.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name)
  if (missing.length === 0) return
  throw new ConfigurationError({ option: 'store', message: `The tables are not up to date (${missing.join(', ')}): run "npx fastify-bouncer migrate".` })
}

function migrator ({ family, kysely }: Connection, db: Database, hasUsers: boolean, schema: string | undefined): Migrator {
  return new kysely.Migrator({
    db,
    provider: { getMigrations: async () => migrations({ family, kysely }, hasUsers) },
    migrationTableName: 'bouncer_migrations',
    migrationLockTableName: 'bouncer_migrations_lock',
    // Without it, a table of that name in any other schema counts as ours.
    migrationTableSchema: schema,
    // It runs in one of ours.
    disableTransactions: true
  })
}
