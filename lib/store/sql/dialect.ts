import type { Dialect, DialectAdapter } from 'kysely'

/**
 * The dialect, but that the migrator takes no lock: ours is held already, and
 * goes with its transaction. The migrator's own belongs to a connection, and is
 * lost for others behind a pooler, or when a migration fails.
 */
export function withoutMigrationLock (dialect: Dialect): Dialect {
  const nothing = { value: async () => {} }
  return {
    createAdapter: () => Object.create(dialect.createAdapter(), { acquireMigrationLock: nothing, releaseMigrationLock: nothing }) as DialectAdapter,
    createDriver: () => dialect.createDriver(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler()
  }
}
