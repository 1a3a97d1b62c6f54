import t from 'tap'
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { sqliteFile } from '../store/engines.js'
import { command, failed, misused } from './program.js'

const REFUSED = 'The database is no SQLite file, such as auth.db or sqlite:/var/lib/auth.db, and no address that starts with postgres:// or postgresql://.'

t.test('a SQLite file is named with a prefix or without, absolute or from here', async (t) => {
  for (const named of [
    (file: string) => file,
    (file: string) => `sqlite:${file}`,
    (file: string) => relative('.', file),
    (file: string) => `sqlite:${relative('.', file)}`
  ]) {
    const file = await sqliteFile(t)
    t.equal((await command(['migrate', '--database', named(file)])).code, 0, named(file))
    t.ok(existsSync(file))
  }
})

t.test('a prefix allows any name', async (t) => {
  const file = join(dirname(await sqliteFile(t)), 'a=b@c.db')
  misused(t, await command(['migrate', '--database', file]), REFUSED)
  t.notOk(existsSync(file))
  t.equal((await command(['migrate', `--database=sqlite:${file}`])).code, 0)
  t.ok(existsSync(file))
})

t.test('the environment says which database, unless an option does', async (t) => {
  const [one, other] = [await sqliteFile(t), await sqliteFile(t)]
  t.equal((await command(['migrate'], { env: { DATABASE_URL: `sqlite:${one}` } })).code, 0)
  t.ok(existsSync(one))
  t.equal((await command(['migrate', '--database', other], { env: { DATABASE_URL: 'mysql://127.0.0.1' } })).code, 0)
  t.ok(existsSync(other))
})

t.test('anything else is refused', async (t) => {
  const nothing = 'Say which database: with --database, or in the environment as DATABASE_URL.'
  misused(t, await command(['migrate']), nothing)
  misused(t, await command(['migrate'], { env: { DATABASE_URL: '' } }), nothing)
  misused(t, await command(['migrate', '--database='], { env: { DATABASE_URL: 'auth.db' } }), nothing)
  for (const database of ['mysql://127.0.0.1/auth', 'postgres:/127.0.0.1/auth', 'Postgres://127.0.0.1/auth', '//127.0.0.1/auth', 'file:auth.db', 'sqlite:', 'sqlite://auth.db', 'sqlite:///auth.db', 'dbname=auth']) {
    misused(t, await command(['migrate', '--database', database]), REFUSED)
  }
  for (const database of [':memory:', 'sqlite::memory:']) {
    misused(t, await command(['migrate', '--database', database]), 'A database in memory is gone when the command ends.')
  }
})

t.test('a database that cannot be opened is told without a stack', async (t) => {
  const file = join(await sqliteFile(t), 'auth.db')
  failed(t, await command(['migrate', '--database', file]), `The SQLite database ${file} cannot be opened: Cannot open database because the directory does not exist`)
})
