import t, { type Test } from 'tap'
import type { SqlStoreOptions } from '../../lib/store/sql.js'
import { postgresStore, sqliteStore } from '../../lib/store/sql.js'
import { memoryStore } from '../../lib/store/memory.js'
import { noPostgres, onPostgres, postgresSchema, sqliteFile } from '../store/engines.js'
import { build, command, failed, start, type Outcome } from './program.js'

t.setTimeout(300_000)

const built = await build(t)
const ALL = 'Applied 001_users\nApplied 002_sessions\nApplied 003_ephemeral\nApplied 004_second_factors\nApplied 005_identities\n'
const NOTHING = 'Nothing to do: the tables are up to date.\n'

async function suite (t: Test, newDatabase: (t: Test) => Promise<string>): Promise<void> {
  const migrate = async (database: string, ...more: string[]): Promise<Outcome> => await command(['migrate', '--database', database, ...more])

  /** Opening fails unless the tables are there. */
  async function opens (t: Test, database: string, options: SqlStoreOptions = {}): Promise<void> {
    const store = (database.startsWith('postgres') ? postgresStore : sqliteStore)(database, { ...options, migrate: false })
    await t.resolves(store.open())
    await store.close()
  }

  t.test('prints what it applied, and afterwards that there is nothing to do', async (t) => {
    const database = await newDatabase(t)
    t.strictSame(await migrate(database), { code: 0, stdout: ALL, stderr: '' })
    await opens(t, database)
    t.strictSame(await migrate(database), { code: 0, stdout: NOTHING, stderr: '' })
  })

  t.test('makes no users for an application with users of its own', async (t) => {
    const database = await newDatabase(t)
    const { code, stdout } = await migrate(database, '--own-users')
    t.equal(code, 0)
    t.match(stdout, /^Applied 002_sessions/)
    t.notMatch(stdout, /001_users/)
    await opens(t, database, { users: memoryStore().users })
    t.equal((await migrate(database, '--own-users')).stdout, NOTHING)
    failed(t, await migrate(database), 'The tables were made by a later version of fastify-bouncer, or with users of its own where the application now has its own, or the other way round.')
  })

  t.test('two at once apply each migration once', async (t) => {
    const database = await newDatabase(t)
    const outcomes = await Promise.all([1, 2].map(async () => await start(built, ['migrate', '--database', database])))
    t.strictSame(outcomes.map(({ code, stderr }) => ({ code, stderr })), [{ code: 0, stderr: '' }, { code: 0, stderr: '' }])
    t.strictSame(outcomes.map(({ stdout }) => stdout).sort(), [ALL, NOTHING])
  })
}

t.test('on SQLite', async (t) => await suite(t, sqliteFile))

t.test('on PostgreSQL', { skip: await noPostgres() }, async (t) => {
  await suite(t, postgresSchema)

  t.test('a database that is not there is told in the words of the server', async (t) => {
    const url = new URL(await postgresSchema(t))
    url.pathname = '/nowhere'
    failed(t, await command(['migrate', '--database', url.href]), 'The postgresql database cannot be reached or set up.', 'database "nowhere" does not exist')
  })

  t.test('a password that would be part of those words is not told', async (t) => {
    const url = new URL(await postgresSchema(t))
    // Of a password with an @ and a slash, which are not encoded, a part counts as the name of the database.
    url.password ||= 'x'
    url.pathname = '/hunter2@nowhere'
    failed(t, await command(['migrate', '--database', url.href]), 'The postgresql database cannot be reached or set up.', '3D000')
  })

  t.test('a schema that is not there is told', async (t) => {
    const url = new URL(await postgresSchema(t))
    url.searchParams.set('options', '-c search_path=nowhere')
    failed(t, await command(['migrate', '--database', url.href]), 'No schema of the search path exists in the PostgreSQL database.')
    t.strictSame(await onPostgres('select 1 from information_schema.tables where table_schema = $1', ['nowhere']), [])
  })
})

t.test('a server that is not there is told', async (t) => {
  const { code, stderr } = await command(['migrate', '--database', 'postgres://ada:hunter2@127.0.0.1:1/auth'])
  t.equal(code, 1)
  t.equal(stderr, 'fastify-bouncer: The postgresql database cannot be reached or set up.\nconnect ECONNREFUSED 127.0.0.1:1\n')
})
