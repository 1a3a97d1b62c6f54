import t from 'tap'
import type { Test } from 'tap'
import pg from 'pg'
import { AuthUnavailableError, ConfigurationError } from '../../lib/errors/operation.js'
import { postgresStore, type PostgresStoreOptions } from '../../lib/store/sql.js'
import { storeConforms, type OpenStore } from './conformance.js'
import { session } from './conformance-sessions.js'
import { user } from './conformance-users.js'
import { noPostgres, onPostgres, postgresSchema, testClock, type TestClock } from './engines.js'
import { openedPostgres } from './opened-postgres.js'
import { peopleStore } from './people.js'

const skip = await noPostgres()

/** A machine may be slow. */
const patient = { connectTimeout: 30, statementTimeout: 30 }

t.test('options that cannot be meant', async (t) => {
  for (const url of ['', 'mysql://root:hunter2@localhost/x', 'hunter2', undefined]) {
    t.throws(() => postgresStore(url as string), new ConfigurationError({ option: 'store', message: 'postgresStore takes an address that starts with postgres:// or postgresql://.' }))
  }
  for (const [option, values] of Object.entries({ poolSize: [0, -1, 1.5, NaN], connectTimeout: [0, -1, NaN], statementTimeout: [0, -1, NaN] })) {
    for (const value of values) t.throws(() => postgresStore('postgres://localhost/x', { [option]: value }), { name: 'ConfigurationError', option })
  }
})

t.test('a server that is not there', async (t) => {
  const store = postgresStore('postgresql://root:hunter2@127.0.0.1:1/test')
  const error = await store.open().catch((error: unknown) => error) as AuthUnavailableError
  t.ok(error instanceof AuthUnavailableError)
  t.equal(error.dependency, 'postgresql')
  t.match(error.cause, { code: 'ECONNREFUSED' })
  t.notMatch(JSON.stringify([error.message, error.stack, error.context()]), /hunter2/)
  await t.rejects(store.migrate(), AuthUnavailableError)
  await t.rejects(store.sessions.find('x'), { name: 'AuthUnavailableError', message: 'The postgresql store is not open.' })
  await store.close()
})

/** One pair of stores for a whole suite, since making tables takes longer than a test; each test finds them empty. */
async function shared (t: Test, options: PostgresStoreOptions, clock: { current: TestClock }): Promise<OpenStore> {
  const url = await postgresSchema(t)
  const [store, other] = [postgresStore(url, { ...patient, ...options, clock: () => clock.current.now() }), postgresStore(url, { ...patient, ...options, clock: () => clock.current.now() })]
  t.teardown(() => Promise.all([store.close(), other.close()]))
  await Promise.all([store.open(), other.open()])
  const tables = options.users === undefined ? 'bouncer_users, bouncer_user_roles, bouncer_sessions, bouncer_ephemeral' : 'bouncer_sessions, bouncer_totp, bouncer_identities, bouncer_ephemeral'
  return async (_t, now) => {
    clock.current = now
    await onPostgres(`truncate ${tables} cascade`, [], url)
    return { store, other }
  }
}

t.test('the contract, by two pools', { skip }, async (t) => {
  storeConforms(t, { open: await shared(t, {}, { current: testClock() }) })
})

t.test('the contract, with users of the application, and a pooler', { skip }, async (t) => {
  const people = peopleStore(t, ':memory:')
  const open = await shared(t, { users: people, pooler: true, poolSize: 3 }, { current: testClock() })
  storeConforms(t, {
    ownsUsers: false,
    async open (t, clock) {
      for (const { id } of (await people.list({ limit: 1000 })).items) await people.delete(id)
      return await open(t, clock)
    }
  })
})

for (const isolation of ['repeatable read', 'serializable']) {
  t.test(`a database whose default is ${isolation}: of 20 refreshes at once one rotates, and none fails`, { skip }, async (t) => {
    const url = new URL(await postgresSchema(t))
    url.searchParams.set('options', `${url.searchParams.get('options')} -c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`)
    const store = postgresStore(url.href, patient)
    t.teardown(() => store.close())
    await store.open()
    await store.users.insert(user('ada'))
    await store.sessions.insert(session('s', { userId: 'ada' }))
    const rotated = await Promise.all(Array.from({ length: 20 }, (_, index) => store.sessions.rotate('s', 0, { refreshDigest: `d${index}`, rotatedAt: 1, idleUntil: 2 })))
    t.equal(rotated.filter(Boolean).length, 1)
  })
}

t.test('people can read the tables', { skip }, async (t) => {
  const { store, url } = await openedPostgres(t)
  await store.users.insert(user('ada', { roles: ['admin'] }))
  await store.sessions.insert(session('one'))
  const types = await onPostgres<{ table_name: string, column_name: string, data_type: string }>(
    'select table_name, column_name, data_type from information_schema.columns where table_schema = current_schema()', [], url)
  const typeOf = (table: string, column: string): string | undefined => types.find((row) => row.table_name === table && row.column_name === column)?.data_type
  t.equal(typeOf('bouncer_users', 'is_active'), 'boolean')
  t.equal(typeOf('bouncer_users', 'created_at'), 'timestamp with time zone')
  t.equal(typeOf('bouncer_sessions', 'expires_at'), 'timestamp with time zone')
  t.equal(typeOf('bouncer_ephemeral', 'expires_at'), 'timestamp with time zone')
  t.match(await onPostgres('select u.email, r.role, s.id from bouncer_users u join bouncer_user_roles r on r.user_id = u.id join bouncer_sessions s on s.user_id = u.id where u.is_active', [], url),
    [{ email: 'ada@example.com', role: 'admin', id: 'one' }])
})

t.test('times are read whatever the application made of them', { skip }, async (t) => {
  const { store } = await openedPostgres(t)
  const { builtins, getTypeParser, setTypeParser } = pg.types
  const before = getTypeParser(builtins.TIMESTAMPTZ)
  t.teardown(() => setTypeParser(builtins.TIMESTAMPTZ, before))
  setTypeParser(builtins.TIMESTAMPTZ, (text) => text)
  await store.users.insert(user('ada'))
  t.strictSame(await store.users.findById('ada'), user('ada'))
})

t.test('a database without the schema', { skip }, async (t) => {
  const url = new URL(await postgresSchema(t))
  url.searchParams.set('options', '-c search_path=no_such_schema')
  await t.rejects(postgresStore(url.href).open(), new ConfigurationError({ option: 'store', message: 'No schema of the search path exists in the PostgreSQL database.' }))
})

t.test('four servers that start at once migrate once', { skip }, async (t) => {
  const url = await postgresSchema(t)
  const stores = [1, 2, 3, 4].map(() => postgresStore(url, patient))
  const applied = await Promise.all(stores.map((store) => store.migrate()))
  t.strictSame(applied.flat().sort(), ['001_users', '002_sessions', '003_ephemeral', '004_second_factors', '005_identities'])
  await Promise.all(stores.map(async (store) => {
    await store.open()
    await store.close()
  }))
})
