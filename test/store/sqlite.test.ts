import t from 'tap'
import { execFile } from 'node:child_process'
import { chmod, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import Engine from 'better-sqlite3'
import { AuthUnavailableError, ConfigurationError } from '../../lib/errors/operation.js'
import { sqliteStore } from '../../lib/store/sql.js'
import { storeConforms } from './conformance.js'
import { session } from './conformance-sessions.js'
import { user } from './conformance-users.js'
import { sqliteFile } from './engines.js'
import { transpiled, withoutRunner } from './outside.js'
import { peopleStore } from './people.js'

t.test('the contract, in a file by two handles', (t) => {
  storeConforms(t, {
    async open (t, clock) {
      const file = await sqliteFile(t)
      const [store, other] = [sqliteStore(file, { clock: clock.now }), sqliteStore(file, { clock: clock.now })]
      t.teardown(() => Promise.all([store.close(), other.close()]))
      await Promise.all([store.open(), other.open()])
      return { store, other }
    }
  })
  t.end()
})

t.test('the contract, in memory', (t) => {
  storeConforms(t, {
    async open (t, clock) {
      const store = sqliteStore(':memory:', { clock: clock.now })
      t.teardown(() => store.close())
      await store.open()
      return { store, other: store }
    }
  })
  t.end()
})

t.test('the contract, with users of the application in the same file', (t) => {
  storeConforms(t, {
    ownsUsers: false,
    async open (t, clock) {
      const file = await sqliteFile(t)
      const store = sqliteStore(file, { clock: clock.now, users: peopleStore(t, file) })
      t.teardown(() => store.close())
      await store.open()
      return { store, other: store }
    }
  })
  t.end()
})

t.test('people can read the tables', async (t) => {
  const file = await sqliteFile(t)
  const store = sqliteStore(file)
  await store.open()
  await store.users.insert(user('ada', { roles: ['admin'] }))
  await store.sessions.insert(session('one'))
  await store.close()
  const db = new Engine(file, { readonly: true })
  t.teardown(() => db.close())
  t.match(db.prepare('select * from bouncer_users').get(), { email: 'ada@example.com', is_active: 1, created_at: '2030-01-01T00:00:00.000Z' })
  t.strictSame(db.prepare('select * from bouncer_user_roles').all(), [{ user_id: 'ada', role: 'admin' }])
  t.match(db.prepare('select * from bouncer_sessions').get(), { user_id: 'ada', idle_until: '2030-01-01T01:00:00.000Z', ended_at: null })
  t.equal(db.pragma('journal_mode', { simple: true }), 'wal')
  t.throws(() => new Engine(file).exec("insert into bouncer_user_roles values ('ada', x'00')"), 'types are checked')
})

t.test('what is asked for every request finds its index', async (t) => {
  const file = await sqliteFile(t)
  const store = sqliteStore(file)
  await store.open()
  await store.close()
  const db = new Engine(file)
  t.teardown(() => db.close())
  for (const [query, index] of Object.entries({
    'select * from bouncer_users where lower(email) = lower(?)': 'bouncer_users_email',
    'select * from bouncer_users where username = ?': 'bouncer_users_username',
    'select * from bouncer_users order by created_at, id': 'bouncer_users_created_at',
    'select * from bouncer_user_roles where role = ?': 'bouncer_user_roles_role',
    'select * from bouncer_sessions where user_id = ? order by created_at desc, id desc': 'bouncer_sessions_user',
    'delete from bouncer_sessions where ended_at < ? or (expires_at < ? and idle_until < ?)': 'bouncer_sessions_ended_at',
    'delete from bouncer_ephemeral where expires_at <= ?': 'bouncer_ephemeral_expires_at'
  })) {
    const plan = db.prepare<unknown[], { detail: string }>(`explain query plan ${query}`).all(...Array(query.split('?').length - 1).fill('x')).map(({ detail }) => detail).join('\n')
    t.match(plan, index)
    t.notMatch(plan, /TEMP B-TREE/)
  }
})

t.test('a file that cannot be opened', async (t) => {
  const file = await sqliteFile(t)
  await t.rejects(sqliteStore(`${file}/nowhere/auth.db`).open(), { name: 'ConfigurationError', message: /auth\.db cannot be opened: .*directory does not exist/ })
  await t.rejects(sqliteStore(dirname(file)).open(), { name: 'ConfigurationError', message: /cannot be opened: EISDIR/ })
  await writeFile(file, 'this is no database, but it is long enough to be looked at as if it were one')
  const store = sqliteStore(file)
  await t.rejects(store.open(), { name: 'ConfigurationError', message: /cannot be opened: file is not a database/ })
  await t.rejects(store.migrate(), ConfigurationError)
  await t.rejects(store.users.findById('ada'), { name: 'AuthUnavailableError', message: 'The sqlite store is not open.' })
  for (const name of ['', undefined, 7]) t.throws(() => sqliteStore(name as string), { message: 'sqliteStore takes the name of a file.' })
})

t.test('a new file is for its owner alone, and so are those beside it', async (t) => {
  const file = await sqliteFile(t)
  const store = sqliteStore(file)
  t.teardown(() => store.close())
  await store.open()
  await store.users.insert(user('ada'))
  for (const end of ['', '-wal', '-shm']) t.equal((await stat(file + end)).mode & 0o777, 0o600, end)
  await store.close()
  await chmod(file, 0o640)
  await store.open()
  t.equal((await stat(file)).mode & 0o777, 0o640, 'one that is there stays as it is')
})

t.test('somebody else who writes is waited for, without stopping the event loop', async (t) => {
  const file = await sqliteFile(t)
  const busy = new Engine(file)
  t.teardown(() => busy.close())
  const whileBusy = async (work: () => Promise<unknown>, name: string): Promise<void> => {
    busy.exec('begin exclusive')
    let done = false
    const working = work().then(() => { done = true })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2))
    t.equal(done, false, `${name} waits`)
    busy.exec('commit')
    await t.resolves(working, `${name} is done then`)
  }
  const store = sqliteStore(file)
  t.teardown(() => store.close())
  await whileBusy(() => store.open(), 'opening, and making the tables,')
  await whileBusy(() => store.users.insert(user('ada')), 'a transaction')
  await whileBusy(() => store.ephemeral.set('k', 'v', 1000), 'a statement')

  t.test('but not for ever', async (t) => {
    busy.exec('begin exclusive')
    await t.rejects(sqliteStore(file).open(), AuthUnavailableError)
    await t.rejects(store.users.insert(user('eve')), { code: 'SQLITE_BUSY' })
    busy.exec('commit')
    t.equal(await store.users.insert(user('eve')), 'stored', 'and it goes on by itself')
  })

  t.test('nor while somebody makes the file', async (t) => {
    const file = await sqliteFile(t)
    const maker = new Engine(file)
    t.teardown(() => maker.close())
    maker.exec('begin exclusive')
    await t.rejects(sqliteStore(file).open(), AuthUnavailableError)
  })
})

t.test('a transaction that fails leaves nothing behind', async (t) => {
  const file = await sqliteFile(t)
  const store = sqliteStore(file)
  t.teardown(() => store.close())
  await store.open()
  const other = new Engine(file)
  t.teardown(() => other.close())
  other.exec("create trigger full before insert on bouncer_user_roles begin select raise(rollback, 'no'); end")
  await t.rejects(store.users.insert(user('ada', { roles: ['admin'] })), { message: 'no' }, 'the fault itself is told, though SQLite has undone the transaction')
  t.equal(await store.users.findById('ada'), undefined)
  t.equal(await store.users.insert(user('ada')), 'stored')
})

t.test('two processes', async (t) => {
  const lib = await transpiled(t)
  const run = async (script: string): Promise<string> =>
    (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: lib, env: withoutRunner() })).stdout.trim()

  t.test('that start at once migrate once', async (t) => {
    const file = await sqliteFile(t)
    const script = `import { sqliteStore } from './lib/store/sql.js'
      const store = sqliteStore(${JSON.stringify(file)})
      await store.open(); await store.close(); console.log('open')`
    t.strictSame(await Promise.all([run(script), run(script), run(script)]), ['open', 'open', 'open'])
  })

  t.test('race: each removes the administrator of the other', async (t) => {
    const file = await sqliteFile(t)
    const store = sqliteStore(file)
    t.teardown(() => store.close())
    await store.open()
    const rounds = [...Array(20).keys()]
    for (const round of rounds) for (const id of ['a', 'b']) await store.users.insert(user(`${id}${round}`, { roles: [`admin ${round}`] }))
    const script = (id: string): string => `import { sqliteStore } from './lib/store/sql.js'
      const store = sqliteStore(${JSON.stringify(file)})
      await store.open()
      const answers = []
      for (let round = 0; round < 20; round++) answers.push(await store.users.delete('${id}' + round, { keepRole: 'admin ' + round }))
      await store.close(); console.log(JSON.stringify(answers))`
    const [first, second] = (await Promise.all([run(script('a')), run(script('b'))])).map((answers) => JSON.parse(answers) as string[]) as [string[], string[]]
    for (const round of rounds) t.strictSame([first[round], second[round]].sort(), ['deleted', 'last'])
  })

  t.test('race: 500 rotations in each, of one session', async (t) => {
    const file = await sqliteFile(t)
    const store = sqliteStore(file)
    t.teardown(() => store.close())
    await store.open()
    await store.users.insert(user('ada'))
    await store.sessions.insert(session('one'))
    const script = `import { sqliteStore } from './lib/store/sql.js'
      const store = sqliteStore(${JSON.stringify(file)})
      await store.open()
      let won = 0
      for (let generation = 0; generation < 500; generation++) won += await store.sessions.rotate('one', generation, { refreshDigest: 'x', rotatedAt: 1, idleUntil: 1 })
      await store.close(); console.log(won)`
    const won = (await Promise.all([run(script), run(script)])).map(Number) as [number, number]
    const { generation } = await store.sessions.find('one') ?? {}
    t.equal(won[0] + won[1], generation)
    t.equal(generation, 500)
  })
})
