import t from 'tap'
import pg from 'pg'
import { AuthUnavailableError } from '../../lib/errors/operation.js'
import { available } from '../../lib/store/available.js'
import { postgresStore } from '../../lib/store/sql.js'
import { session } from './conformance-sessions.js'
import { user } from './conformance-users.js'
import { noPostgres, onPostgres, postgresSchema, until } from './engines.js'
import { openedPostgres } from './opened-postgres.js'
import { proxy } from './proxy.js'

const skip = await noPostgres()

/** Ends the connections of a name as an administrator of the database would; answers with how many there were. */
async function terminate (name: string, condition = 'true'): Promise<number> {
  return (await onPostgres(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and ${condition}`, [name])).length
}

t.test('a connection that is terminated while nobody uses it', { skip }, async (t) => {
  const { store, name } = await openedPostgres(t, { poolSize: 2 })
  const safe = available(store)
  await Promise.all([safe.users.findById('x'), safe.users.findById('y')])
  t.ok(await terminate(name) >= 1)
  await until(async () => await safe.users.insert(user('ada')).catch((error: unknown) => {
    t.ok(error instanceof AuthUnavailableError, 'meanwhile it is unavailable')
    return 'unavailable'
  }) === 'stored')
  t.strictSame(await safe.users.findById('ada'), user('ada'), 'it recovers by itself')
})

t.test('a connection that is terminated in the middle of a transaction', { skip }, async (t) => {
  const { store, url, name } = await openedPostgres(t)
  const safe = available(store)
  await safe.users.insert(user('ada', { roles: ['a'] }))
  const other = new pg.Client(url.replace(name, 'other'))
  await other.connect()
  t.teardown(() => other.end())
  await other.query("begin; select * from bouncer_users where id = 'ada' for update")
  const changing = safe.users.update('ada', { roles: ['b'], isVerified: true }).then(() => t.fail('it was changed'), (error: unknown) => error)
  await until(async () => await terminate(name, "wait_event_type = 'Lock'") === 1)
  const error = await changing
  t.ok(error instanceof AuthUnavailableError)
  t.equal((error as AuthUnavailableError).dependency, 'users')
  await other.query('rollback')
  t.strictSame(await safe.users.findById('ada'), user('ada', { roles: ['a'] }), 'nothing was changed')
  t.match(await safe.users.update('ada', { roles: ['b'] }), { roles: ['b'] })
})

t.test('a wire that is cut in the middle of a transaction', { skip }, async (t) => {
  let wire: Awaited<ReturnType<typeof proxy>> | undefined
  const { store, url, name } = await openedPostgres(t, {}, async (url) => (wire = await proxy(t, url)).url)
  const safe = available(store)
  await safe.users.insert(user('ada', { roles: ['a'] }))
  const other = new pg.Client(url.replace(name, 'other'))
  await other.connect()
  t.teardown(() => other.end())
  await other.query("begin; select * from bouncer_users where id = 'ada' for update")
  const changing = safe.users.update('ada', { roles: ['b'], isVerified: true }).then(() => t.fail('it was changed'), (error: unknown) => error)
  await until(async () => (await onPostgres("select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'", [name])).length === 1)
  wire?.cut()
  t.match(await changing, { name: 'AuthUnavailableError', dependency: 'users' })
  await other.query('rollback')
  t.strictSame(await safe.users.findById('ada'), user('ada', { roles: ['a'] }), 'nothing was changed, and it recovers by itself')
})

t.test('a lock that is held for too long', { skip }, async (t) => {
  const { store, url } = await openedPostgres(t, { statementTimeout: 1 })
  await store.users.insert(user('ada'))
  await store.sessions.insert(session('one'))
  const other = new pg.Client(url)
  await other.connect()
  t.teardown(() => other.end())
  await other.query('begin; lock table bouncer_sessions')
  await t.rejects(store.sessions.end('one', 'logout', 0), { code: '57014' })
  await other.query('rollback')
  t.equal(await store.sessions.end('one', 'logout', 0), true)
})

t.test('a database that hangs', { skip }, async (t) => {
  let wire: Awaited<ReturnType<typeof proxy>> | undefined
  const { store } = await openedPostgres(t, { poolSize: 2, connectTimeout: 3, statementTimeout: 1 }, async (url) => (wire = await proxy(t, url)).url)
  const safe = available(store)
  await safe.users.insert(user('ada'))
  wire?.freeze()
  // Twice as many as there are connections: those that have to wait for one are told as well.
  for (const answer of await Promise.allSettled([1, 2, 3, 4].map(() => safe.users.findById('ada')))) {
    t.match(answer, { status: 'rejected', reason: { name: 'AuthUnavailableError', dependency: 'users' } })
  }
  await t.rejects(safe.users.update('ada', { isVerified: true }), AuthUnavailableError, 'a transaction too')
  wire?.thaw()
  t.strictSame(await safe.users.findById('ada'), user('ada'), 'it recovers by itself')
  wire?.freeze()
  await t.rejects(safe.users.findById('ada'), AuthUnavailableError)
  wire?.cut()
  wire?.thaw()
  t.strictSame(await safe.users.findById('ada'), user('ada'), 'also when the connections are gone')
  wire?.strand()
  await t.rejects(safe.users.findById('ada'), AuthUnavailableError)
  // The pool has one connection by now, or both: each that is lost costs one answer.
  await safe.users.findById('ada').catch(() => {})
  t.strictSame(await safe.users.findById('ada'), user('ada'), 'and when one is never heard of again')
})

t.test('a new connection that hangs', { skip }, async (t) => {
  const wire = await proxy(t, await postgresSchema(t))
  wire.freeze()
  await t.rejects(postgresStore(wire.url, { connectTimeout: 1 }).open(), AuthUnavailableError)
})

t.test('behind a pooler nothing stays on a connection', { skip }, async (t) => {
  for (const pooler of [true, false]) {
    let wire: Awaited<ReturnType<typeof proxy>> | undefined
    const { store } = await openedPostgres(t, { pooler }, async (url) => (wire = await proxy(t, url)).url)
    await store.users.insert(user('ada'))
    await store.users.findById('ada')
    const left = pooler ? 'notMatch' : 'match'
    t[left](wire?.sent(), /statement_timeout/)
    t[left](wire?.sent(), /bouncer_\d{1,3}\0/)
  }
})
