import t from 'tap'
import Engine from 'better-sqlite3'
import { MysqlDialect, PostgresDialect, SqliteAdapter, SqliteDialect, type Dialect } from 'kysely'
import pg from 'pg'
import { AuthUnavailableError, ConfigurationError } from '../../lib/errors/operation.js'
import { memoryStore } from '../../lib/store/memory.js'
import { postgresStore, sqliteStore, sqlStore, type SqlStore, type SqlStoreOptions } from '../../lib/store/sql.js'
import { postgresql } from '../../lib/store/sql/postgresql.js'
import { connectSqlite } from '../../lib/store/sql/sqlite.js'
import { createSqlStore } from '../../lib/store/sql/store.js'
import { storeConforms } from './conformance.js'
import { session } from './conformance-sessions.js'
import { user } from './conformance-users.js'
import { noPostgres, onPostgres, postgresSchema, sqliteFile, testClock, until } from './engines.js'

const skip = await noPostgres()
const all = ['001_users', '002_sessions', '003_ephemeral', '004_second_factors', '005_identities']
const patient = { connectTimeout: 30, statementTimeout: 30 }
type Make = (options?: SqlStoreOptions) => SqlStore

const engines: Record<string, { skip: string | false, make: (t: import('tap').Test) => Promise<{ make: Make, run: (sql: string) => Promise<unknown> }> }> = {
  sqlite: {
    skip: false,
    async make (t) {
      const file = await sqliteFile(t)
      return {
        make: (options) => sqliteStore(file, options),
        async run (sql) {
          const db = new Engine(file)
          db.exec(sql)
          db.close()
        }
      }
    }
  },
  postgresql: {
    skip,
    async make (t) {
      const url = await postgresSchema(t)
      return { make: (options) => postgresStore(url, { ...patient, ...options }), run: (sql) => onPostgres(sql, [], url) }
    }
  }
}

for (const [name, engine] of Object.entries(engines)) {
  t.test(`migrations of ${name}`, { skip: engine.skip }, async (t) => {
    t.test('are told once', async (t) => {
      const { make } = await engine.make(t)
      const store = make()
      t.strictSame(await store.migrate(), all)
      t.strictSame(await store.migrate(), [])
      await store.open()
      t.strictSame(await store.migrate(), [], 'also while it is open')
      t.equal(await store.users.insert(user('ada')), 'stored')
      await store.close()
    })

    t.test('are not made where the application may not', async (t) => {
      const { make, run } = await engine.make(t)
      const store = make({ migrate: false })
      const refused = { name: 'ConfigurationError', option: 'store', message: /^The tables are not up to date \(001_users, 002_sessions, 003_ephemeral, 004_second_factors, 005_identities\): run "npx fastify-bouncer migrate"\.$/ }
      await t.rejects(store.open(), refused)
      await t.rejects(store.users.findById('ada'), AuthUnavailableError, 'it is not open then')
      await make().migrate()
      await run("delete from bouncer_migrations where name = '004_second_factors'")
      await t.rejects(store.open(), { message: /\(004_second_factors\)/ })
      await run("insert into bouncer_migrations values ('004_second_factors', '2030-01-01T00:00:00.000Z')")
      await store.open()
      t.equal(await store.users.insert(user('ada')), 'stored')
      await store.close()
    })

    t.test('of a later version', async (t) => {
      const { make, run } = await engine.make(t)
      await make().migrate()
      await run("insert into bouncer_migrations values ('999_later', '2030-01-01T00:00:00.000Z')")
      await t.rejects(make().open(), { name: 'ConfigurationError', message: /later version/ })
      await t.rejects(make().migrate(), ConfigurationError)
    })

    t.test('with users of the application in place of ours', async (t) => {
      const { make, run } = await engine.make(t)
      const users = memoryStore().users
      const store = make({ users })
      t.strictSame(await store.migrate(), ['002_sessions_of_foreign_users', '003_ephemeral', '004_second_factors_of_foreign_users', '005_identities_of_foreign_users'])
      await store.open()
      t.equal(store.users, users)
      await store.close()
      await t.rejects(run('select * from bouncer_users'), 'there is no table of ours')
      await t.rejects(make().open(), { name: 'ConfigurationError', message: /users of its own/ })
    })

    t.test('that fail leave nothing behind', async (t) => {
      const { make, run } = await engine.make(t)
      await run('create table bouncer_sessions (mine int)')
      const store = make()
      await t.rejects(store.open(), { name: 'AuthUnavailableError', cause: { message: /already exists/ } })
      await t.rejects(run('select * from bouncer_users'), 'not the tables before either')
      await run('drop table bouncer_sessions')
      await store.open()
      t.equal(await store.users.insert(user('ada')), 'stored', 'and it can be opened again')
      await store.close()
    })
  })

  t.test(`opening and closing ${name}`, { skip: engine.skip }, async (t) => {
    const { make } = await engine.make(t)
    const store = make()
    const closed = { name: 'AuthUnavailableError', message: /store is not open/ }
    await t.rejects(store.ephemeral.get('k'), closed)
    await t.rejects(store.users.insert(user('ada')), closed)
    await Promise.all([store.open(), store.open()])
    await store.open()
    await store.users.insert(user('ada'))
    await store.close()
    await store.close()
    await t.rejects(store.sessions.find('one'), closed)
    await store.open()
    t.strictSame(await store.users.findById('ada'), user('ada'), 'it can be opened again')
    await store.close()
  })
}

t.test('much that is over is deleted in pieces, and others come between', async (t) => {
  const clock = testClock()
  const file = await sqliteFile(t)
  const store = createSqlStore({ name: 'sqlite', connect: () => connectSqlite(file), users: undefined, migrate: true, clock: clock.now, sweepInterval: 3_600_000 })
  t.teardown(() => store.close())
  await store.open()
  await store.users.insert(user('ada'))
  for (let index = 0; index < 1100; index++) await store.sessions.insert(session(`s${index}`, { userId: 'ada' }))
  let between = 0
  const immediate = (): void => { between++; again = setImmediate(immediate) }
  let again = setImmediate(immediate)
  t.equal(await store.sessions.prune(clock.now() + 100 * 86_400_000), 1100)
  clearImmediate(again)
  t.ok(between >= 3, 'a turn of the event loop after each piece')
})

t.test('what has expired is deleted now and then', async (t) => {
  const clock = testClock()
  const file = await sqliteFile(t)
  const store = createSqlStore({ name: 'sqlite', connect: () => connectSqlite(file), users: undefined, migrate: true, clock: clock.now, sweepInterval: 5 })
  await store.open()
  for (let index = 0; index < 600; index++) await store.ephemeral.set(`k${index}`, 'v', 1000)
  await store.ephemeral.set('lasting', 'v', 2000)
  const db = new Engine(file)
  t.teardown(() => db.close())
  const rows = (): number => db.prepare<[], { count: number }>('select count(*) as count from bouncer_ephemeral').get()?.count as number
  t.equal(rows(), 601)
  clock.advance(1000)
  await until(() => rows() === 1)
  t.equal(await store.ephemeral.get('lasting'), 'v')

  await t.test('a sweep that fails ends nothing, and the next one goes on', async (t) => {
    clock.advance(1000)
    db.exec('alter table bouncer_ephemeral rename to away')
    await t.rejects(store.ephemeral.get('lasting'), /no such table/, 'a verb tells of the fault')
    await new Promise((resolve) => setTimeout(resolve, 20))
    db.exec('alter table away rename to bouncer_ephemeral')
    await until(() => rows() === 0)
    t.pass('the process lives')
  })
  await store.close()
})

t.test('a dialect of the application', async (t) => {
  const sqliteDialect = (database: Engine.Database): Dialect => new SqliteDialect({ database })

  t.test('of SQLite, the contract', (t) => {
    storeConforms(t, {
      async open (t, clock) {
        const database = new Engine(':memory:')
        t.teardown(() => database.close())
        const store = sqlStore({ dialect: sqliteDialect(database), clock: clock.now })
        await store.open()
        return { store, other: store }
      }
    })
    t.end()
  })

  t.test('of PostgreSQL, with types of its own', { skip }, async (t) => {
    const pool = new pg.Pool({ connectionString: await postgresSchema(t), max: 2 })
    t.teardown(() => pool.end())
    const store = sqlStore({ dialect: new PostgresDialect({ pool }) })
    await store.open()
    await store.users.insert(user('ada', { roles: ['admin'] }))
    t.equal(await store.users.insert(user('eve', { email: 'ada@example.com' })), 'email')
    t.equal(await store.users.delete('ada', { keepRole: 'admin' }), 'last')
    await store.sessions.insert(session('one'))
    t.strictSame(await store.sessions.find('one'), session('one'))
    await store.close()
    t.strictSame((await pool.query('select id from bouncer_users')).rows, [{ id: 'ada' }], 'what the application gave is not closed')
  })

  t.test('that does not enforce foreign keys', async (t) => {
    const database = new Engine(':memory:')
    t.teardown(() => database.close())
    database.pragma('foreign_keys = off')
    await t.rejects(sqlStore({ dialect: sqliteDialect(database) }).open(), { name: 'ConfigurationError', message: /pragma foreign_keys = on/ })
  })

  t.test('of which nobody knows whose SQL it speaks', async (t) => {
    const unknown = { name: 'ConfigurationError', option: 'family', message: 'sqlStore: say family: "postgresql" or "sqlite".' }
    await t.rejects(sqlStore({ dialect: new MysqlDialect({ pool: async () => { throw new Error('not reached') } }) }).open(), unknown)
    const database = new Engine(':memory:')
    t.teardown(() => database.close())
    const known = sqliteDialect(database)
    // As of another copy of Kysely.
    const { acquireMigrationLock, releaseMigrationLock } = new SqliteAdapter()
    const adapter = { supportsCreateIfNotExists: true, supportsTransactionalDdl: false, supportsReturning: true, acquireMigrationLock, releaseMigrationLock }
    const foreign: Dialect = {
      createAdapter: () => adapter,
      createDriver: () => known.createDriver(),
      createIntrospector: (db) => known.createIntrospector(db),
      createQueryCompiler: () => known.createQueryCompiler()
    }
    await t.rejects(sqlStore({ dialect: foreign }).open(), unknown)
    await t.rejects(sqlStore({ dialect: foreign, family: 'mysql' as 'sqlite' }).open(), unknown)
    const store = sqlStore({ dialect: foreign, family: 'sqlite' })
    t.equal(store.name, 'sqlite')
    await store.open()
    t.equal(await store.users.insert(user('ada')), 'stored')
  })
})

t.test('a collision is known by the constraint, with any driver', async (t) => {
  t.equal(postgresql.collision({ code: '23505', constraint: 'bouncer_users_email' }), 'email')
  t.equal(postgresql.collision({ code: '23505', constraint_name: 'bouncer_users_username' }), 'username')
  for (const error of [{ code: '23505', constraint: 'bouncer_users_pkey' }, { code: '23503', constraint: 'bouncer_users_email' }, new Error('bouncer_users_email'), null]) t.equal(postgresql.collision(error), undefined)
})

t.test('a store in memory says so', async (t) => {
  t.match(sqliteStore(':memory:').warning, /gone when the process ends/)
  t.equal(sqliteStore('auth.db').warning, undefined)
})
