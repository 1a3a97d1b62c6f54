import t from 'tap'
import { createRequire } from 'node:module'
import { command, misused } from './program.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

t.test('--version prints the version of the package', async (t) => {
  t.strictSame(await command(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

t.test('--help names every command, and every command has a help of its own', async (t) => {
  for (const flag of ['--help', '-h']) {
    const { code, stdout, stderr } = await command([flag])
    t.equal(code, 0)
    t.equal(stderr, '')
    const names = [...stdout.matchAll(/^ {2}([a-z][a-z-]+) /gm)].map(([, name = '']) => name)
    t.strictSame(names, ['migrate', 'create-admin'])
    for (const name of names) {
      const help = await command([name, flag])
      t.equal(help.code, 0)
      t.match(help.stdout, new RegExp(`^Usage: fastify-bouncer ${name} `))
      t.match(help.stdout, /--database .*--help/s)
      t.equal(help.stderr, '')
    }
  }
})

t.test('no line of a help is too long for a terminal', async (t) => {
  for (const argv of [['--help'], ['migrate', '--help'], ['create-admin', '--help']]) {
    const { stdout } = await command(argv)
    t.strictSame(stdout.split('\n').filter((line) => line.length > 80), [], argv.join(' '))
  }
})

t.test('wrong usage is told, with how it is meant to be', async (t) => {
  misused(t, await command([]), 'Say what to do.', 'Usage: fastify-bouncer <command>')
  misused(t, await command(['']), 'There is no such command.', 'Usage: fastify-bouncer <command>')
  misused(t, await command(['migrat']), 'There is no such command.', 'Usage: fastify-bouncer <command>')
  misused(t, await command(['constructor']), 'There is no such command.', 'Usage: fastify-bouncer <command>')
  misused(t, await command(['--database', 'auth.db', 'migrate']), 'The command comes first, its options after it.', 'Usage: fastify-bouncer <command>')
  misused(t, await command(['migrate', 'now']), 'There is an argument too many.', 'Usage: fastify-bouncer migrate')
  misused(t, await command(['migrate', '--force']), 'Unknown option \'--force\'.', 'Usage: fastify-bouncer migrate')
  misused(t, await command(['migrate', '--own-users=yes']), 'Option \'--own-users\' does not take an argument.', 'Usage: fastify-bouncer migrate')
  misused(t, await command(['create-admin', '--email']), 'Option \'--email <value>\' argument missing.', 'Usage: fastify-bouncer create-admin')
  misused(t, await command(['create-admin', '--email', '--role']), 'Option \'--email\' argument is ambiguous.', 'Usage: fastify-bouncer create-admin')
})

t.test('a secret on the command line is not repeated', async (t) => {
  for (const argv of [
    ['postgres://ada:hunter2@127.0.0.1/auth'],
    ['--hunter2'],
    ['migrate', 'postgres://ada:hunter2@127.0.0.1/auth'],
    ['migrate', '--database', 'mysql://ada:hunter2@127.0.0.1/auth'],
    ['migrate', '--database', 'postgres:ada:hunter2@127.0.0.1/auth'],
    ['migrate', '--database', 'host=127.0.0.1 password=hunter2'],
    ['migrate', '--database', 'ada:hunter2@127.0.0.1/auth'],
    ['create-admin', '--password=hunter2'],
    ['create-admin', '--email', 'ada@example.com', 'hunter2'],
    ['create-admin', '--email', 'ada@example.com:hunter2 ', '--database', 'auth.db']
  ]) {
    const { code, stdout, stderr } = await command(argv)
    t.equal(code, 2, argv.join(' '))
    t.notMatch(stdout + stderr, /hunter2/)
  }
})
