import t, { type Test } from 'tap'
import { existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { noPostgres, postgresSchema, sqliteFile } from '../store/engines.js'
import { until } from '../accounts.js'
import { application, build, command, email, failed, input, misused, password, start, terminal } from './program.js'

t.setTimeout(300_000)

const built = await build(t)

/** A database with tables. */
async function migrated (t: Test, newDatabase: (t: Test) => Promise<string> = sqliteFile): Promise<string> {
  const database = await newDatabase(t)
  t.equal((await command(['migrate', '--database', database])).code, 0)
  return database
}

async function suite (t: Test, newDatabase: (t: Test) => Promise<string>): Promise<void> {
  t.test('the first administrator can sign in, and do what administrators do', async (t) => {
    const database = await migrated(t, newDatabase)
    const { code, stdout, stderr } = await command(['create-admin', '--email', 'Ada@Example.com', '--username', 'Ada', '--database', database], { stdin: input(`${password}\n`) })
    t.equal(code, 0)
    t.equal(stderr, '')
    t.match(stdout, /^Created ada@example\.com with the role admin: user [\da-f-]{36}\n$/)

    const { call, app } = await application(t, database)
    for (const name of [{ email }, { username: 'ada' }]) {
      const login = await call('POST', '/login', { ...name, password })
      t.equal(login.statusCode, 200)
      const list = await call('GET', '/users', undefined, login.json().access_token)
      t.equal(list.statusCode, 200)
      t.match(list.json().items, [{ email, username: 'ada', roles: ['admin'], is_active: true, is_verified: true }])
    }
    t.equal((await call('POST', '/login', { email, password: `${password}.` })).statusCode, 401)
    t.match(stdout, (await app.bouncer.users.find({ email }))?.id)
  })

  t.test('an address or a user name that is taken changes nothing', async (t) => {
    const database = await migrated(t, newDatabase)
    const create = async (...options: string[]) => await command(['create-admin', '--database', database, ...options], { stdin: input('another good password') })
    t.equal((await create('--email', email, '--username', 'ada')).code, 0)
    failed(t, await create('--email', 'ADA@example.com', '--role', 'owner'), `There is a user with the e-mail address ${email} already: nothing was changed.`)
    failed(t, await create('--email', 'other@example.com', '--username', 'ADA'), 'There is a user with the user name ada already: nothing was changed.')
    const { items } = await (await application(t, database)).app.bouncer.users.list()
    t.match(items, [{ email, username: 'ada', roles: ['admin'] }])
    t.equal(items.length, 1)
  })

  t.test('of several at once for one address, one makes it', async (t) => {
    const database = await migrated(t, newDatabase)
    const argv = ['create-admin', '--email', email, '--database', database]
    const outcomes = await Promise.all([1, 2, 3].map(async (nth) => await start(built, argv, `${password} ${nth}\n`)))
    t.strictSame(outcomes.map(({ code }) => code).sort(), [0, 1, 1])
    for (const outcome of outcomes) {
      if (outcome.code !== 0) failed(t, outcome, `There is a user with the e-mail address ${email} already: nothing was changed.`)
    }
    const { call, app } = await application(t, database)
    t.equal((await app.bouncer.users.list()).items.length, 1)
    const winner = outcomes.findIndex(({ code }) => code === 0) + 1
    t.equal((await call('POST', '/login', { email, password: `${password} ${winner}` })).statusCode, 200)
  })

  t.test('without tables it says what to run, and makes none', async (t) => {
    const database = await newDatabase(t)
    // Tables of an application with users of its own, so that there is a database.
    await command(['migrate', '--own-users', '--database', database])
    failed(t, await command(['create-admin', '--email', email, '--database', database], { stdin: input(password) }),
      'The tables are not up to date (001_users, 002_sessions, 004_second_factors, 005_identities): run "npx fastify-bouncer migrate".')
    t.equal((await command(['migrate', '--own-users', '--database', database])).stdout, 'Nothing to do: the tables are up to date.\n')
  })
}

t.test('on SQLite', async (t) => {
  await suite(t, sqliteFile)

  t.test('a file that is not there is not made', async (t) => {
    const file = await sqliteFile(t)
    failed(t, await command(['create-admin', '--email', email, '--database', file], { stdin: input(password) }), `There is no SQLite file ${file}: run "npx fastify-bouncer migrate".`)
    t.notOk(existsSync(file))
  })
})

t.test('on PostgreSQL', { skip: await noPostgres() }, async (t) => await suite(t, postgresSchema))

t.test('roles are those that are given, each once', async (t) => {
  const database = await migrated(t)
  const { stdout } = await command(['create-admin', '--email', email, '--role', 'owner', '--role', 'admin', '--role', 'owner', '--database', database], { stdin: input(password) })
  t.match(stdout, /^Created ada@example\.com with the roles admin, owner: user /)
  t.match(await (await application(t, database)).app.bouncer.users.find({ email }), { roles: ['admin', 'owner'] })
})

t.test('what is no address, no user name and no role is refused before a password is asked for', async (t) => {
  const usage = 'Usage: fastify-bouncer create-admin'
  const database = await migrated(t)
  for (const [sentence, ...options] of [
    ['--email is missing.'],
    ['email is no e-mail address.', '--email', 'ada'],
    ['username is no user name: 1 to 64 characters without blanks and without @.', '--email', email, '--username', 'ada lovelace'],
    ['roles is a list of role names: strings that are not empty, without control characters.', '--email', email, '--role', '']
  ] as const) {
    const stdin = terminal()
    const outcome = await command(['create-admin', '--database', database, ...options], { stdin })
    misused(t, outcome, sentence, usage)
    t.strictSame(stdin.modes, [], 'the terminal is left alone')
    t.notMatch(outcome.stderr, /Password:/)
  }
})

t.test('every rule that a password breaks is told, and nobody is made', async (t) => {
  const database = await migrated(t)
  const create = async (given: string) => await command(['create-admin', '--email', email, '--username', 'ada-lovelace', '--database', database], { stdin: input(`${given}\n`) })
  const refused = 'The password is not acceptable: nothing was changed.'
  failed(t, await create(''), refused, 'Password must be at least 8 characters')
  failed(t, await create('123456'), refused, 'Password must be at least 8 characters', 'Password must not be entirely numeric', 'Password must not be a commonly used password')
  failed(t, await create('ada-lovelace'), refused, 'Password must not be too similar to your user name')
  failed(t, await create('x'.repeat(129)), refused, 'Password must be at most 128 characters')
  t.strictSame((await (await application(t, database)).app.bouncer.users.list()).items, [])
})

t.test('the password is the first line of standard input', async (t) => {
  for (const [what, ...chunks] of [
    ['with a line feed', `${password}\n`],
    ['with none', password],
    ['with a carriage return', `${password}\r\n`],
    ['with a byte order mark', `\uFEFF${password}\n`],
    ['with more after it', `${password}\nand more\n`, 'and still more'],
    ['in pieces', password.slice(0, 5), password.slice(5), '\n'],
    ['in pieces of characters', Buffer.from('p\u00E4ssw\u00F6rter').subarray(0, 2), Buffer.from('p\u00E4ssw\u00F6rter').subarray(2)],
    ['with blanks around it', `  ${password}  \n`]
  ] as const) {
    const database = await migrated(t)
    const { code, stdout, stderr } = await command(['create-admin', '--email', email, '--database', database], { stdin: input(...chunks) })
    t.equal(code, 0, what)
    t.notMatch(stdout + stderr, password, 'which nothing repeats')
    const expected = { 'in pieces of characters': 'p\u00E4ssw\u00F6rter', 'with blanks around it': `  ${password}  ` }[what as string] ?? password
    t.equal((await (await application(t, database)).call('POST', '/login', { email, password: expected })).statusCode, 200, what)
  }
})

t.test('standard input without a password makes nobody', async (t) => {
  const database = await migrated(t)
  const create = async (...chunks: Array<string | Buffer>) => await command(['create-admin', '--email', email, '--database', database], { stdin: input(...chunks) })
  failed(t, await create(), 'No password was given: nothing was changed.')
  failed(t, await create(Buffer.from('p\u00E4ssw\u00F6rter\n', 'latin1')), 'The password is not valid UTF-8: nothing was changed.')
  failed(t, await create(...Array.from({ length: 3 }, () => 'x'.repeat(40_000))), 'The password is too long: nothing was changed.')
  t.strictSame((await (await application(t, database)).app.bouncer.users.list()).items, [])
})

t.test('endless standard input is not read to its end', async (t) => {
  const database = await migrated(t)
  let read = 0
  async function * endless (): AsyncGenerator<Buffer> {
    while (true) {
      yield Buffer.alloc(1000, 'x')
      read += 1000
    }
  }
  failed(t, await command(['create-admin', '--email', email, '--database', database], { stdin: Readable.from(endless(), { highWaterMark: 1 }) }), 'The password is too long: nothing was changed.')
  t.ok(read < 100_000)
})

t.test('a fault that nobody expected is told with its stack', async (t) => {
  const database = await migrated(t)
  const stdin = new Readable({ read () { this.destroy(new Error('the pipe is broken')) } })
  const { code, stderr } = await command(['create-admin', '--email', email, '--database', database], { stdin })
  t.equal(code, 1)
  t.match(stderr, /^fastify-bouncer: Something went wrong that should not: Error: the pipe is broken\n +at /)
})

t.test('on a terminal', async (t) => {
  const database = await migrated(t)
  const argv = ['create-admin', '--email', email, '--database', database]
  async function nobody (t: Test): Promise<void> {
    t.strictSame((await (await application(t, database)).app.bouncer.users.list()).items, [])
  }

  t.test('two passwords that differ make nobody', async (t) => {
    const stdin = terminal(`${password}\r`, `${password}.\r`)
    const outcome = await command(argv, { stdin })
    t.equal(outcome.code, 1)
    t.equal(outcome.stderr, 'Password: \nPassword, again: \nfastify-bouncer: The two passwords differ: nothing was changed.\n')
    t.strictSame(stdin.modes, [true, false], 'the terminal is as it was before')
    await nobody(t)
  })

  for (const [what, key] of [['Ctrl-C', '\x03'], ['Ctrl-D', '\x04']] as const) {
    t.test(`${what} ends it, at either question`, async (t) => {
      for (const [keys, asked] of [[[key], 'Password: \n'], [[`${password}\r`, key], 'Password: \nPassword, again: \n']] as const) {
        const stdin = terminal(...keys)
        const outcome = await command(argv, { stdin })
        t.equal(outcome.code, 1)
        t.equal(outcome.stderr, `${asked}fastify-bouncer: No password was given: nothing was changed.\n`)
        t.strictSame(stdin.modes, [true, false], 'the terminal is as it was before')
      }
      await nobody(t)
    })
  }

  t.test('a terminal that goes away ends it', async (t) => {
    const stdin = terminal()
    stdin.end()
    t.equal((await command(argv, { stdin })).code, 1)
    await nobody(t)
  })

  t.test('nothing is shown of a password that is asked for twice', async (t) => {
    const stdin = terminal()
    const creating = command(argv, { stdin })
    await until(() => stdin.modes.length > 0)
    t.strictSame(stdin.modes, [true], 'nothing is shown from before the first key')
    // Typed, mistyped and corrected; then pasted.
    for (const key of [...password.slice(0, -1), 'x', '\x7f', password.slice(-1), '\r']) stdin.write(key)
    stdin.write(`${password}\r`)
    const { code, stdout, stderr } = await creating
    t.equal(code, 0)
    t.equal(stderr, 'Password: \nPassword, again: \n')
    t.match(stdout, /^Created ada@example\.com/)
    t.equal((await (await application(t, database)).call('POST', '/login', { email, password })).statusCode, 200)
  })
})
