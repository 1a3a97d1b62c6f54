import t, { type Test } from 'tap'
import { spawn, spawnSync } from 'node:child_process'
import { readFile, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { application, build, command, email, environment, outcome, password, source, start, type Outcome } from './cli/program.js'
import { sqliteFile } from './store/engines.js'

const root = fileURLToPath(new URL('../', import.meta.url))
t.setTimeout(300_000)

const built = await build(t)

t.test('the program runs a command line and ends with its exit code', async (t) => {
  const file = await sqliteFile(t)
  t.match(await start(source, ['migrate'], '', { DATABASE_URL: file }), { code: 0, stdout: /^Applied 001_users\n/, stderr: '' })
  t.match(await start(built, ['migrate'], '', { DATABASE_URL: file }), { code: 0, stdout: /^Nothing to do/, stderr: '' })
  t.match(await start(built, ['create-admin', '--email', email], `${password}\n`, { DATABASE_URL: file }), { code: 0, stdout: /^Created ada@example\.com/, stderr: '' })
  t.equal((await (await application(t, file)).call('POST', '/login', { email, password })).statusCode, 200)
  t.equal((await start(built, ['create-admin', '--email', email], password, { DATABASE_URL: file })).code, 1)
  t.equal((await start(built, [])).code, 2)
})

t.test('the compiled program knows its version, and runs by a link too, as npx starts it', async (t) => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const link = join(dirname(await sqliteFile(t)), 'fastify-bouncer')
  const [node, file] = built
  await symlink(file as string, link)
  t.strictSame(await start([node, link], ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

t.test('imported, it does nothing', async (t) => {
  const [node, ...args] = source
  const importing = ['--input-type=module', '-e', `await import(${JSON.stringify(new URL('../lib/cli.ts', import.meta.url).href)})`]
  for (const program of [[], ['no-such-file']]) {
    t.strictSame(await outcome(spawn(node, [...args.slice(0, -1), ...importing, ...program])), { code: 0, stdout: '', stderr: '' })
  }
})

t.test('package.json names the program, and the program how it is started', async (t) => {
  const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> }
  t.strictSame(bin, { 'fastify-bouncer': './dist/lib/cli.js' })
  t.match(await readFile(join(root, 'lib/cli.ts'), 'utf8'), /^#!\/usr\/bin\/env node\n/)
})

/** Why there is no pseudo-terminal; in CI that is a failure. */
function noTerminal (): string | false {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  if (/util-linux/.test(stdout ?? '')) return false
  if (process.env.CI === 'true') throw new Error('script of util-linux is missing')
  return 'script of util-linux is not here'
}

/** Runs the program in a pseudo-terminal, types each answer when its question is there, and then asks the terminal for its settings. */
async function type (answers: ReadonlyArray<[question: string, answer: string]>, argv: readonly string[]): Promise<Outcome> {
  const quoted = [...built, ...argv].map((word) => `'${word.replaceAll('\'', '\'\\\'\'')}'`).join(' ')
  const child = spawn('script', ['-qec', `${quoted}; code=$?; stty -a; exit $code`, '/dev/null'], { env: { ...environment(built), SHELL: '/bin/sh' } })
  const left = [...answers]
  let shown = ''
  child.stdout.on('data', (chunk) => {
    shown += String(chunk)
    if (left[0] === undefined || !shown.includes(left[0][0])) return
    child.stdin.write(left[0][1])
    left.shift()
  })
  return await outcome(child)
}

t.test('on a real terminal', { skip: noTerminal() }, async (t) => {
  const newDatabase = async (t: Test): Promise<string> => {
    const file = await sqliteFile(t)
    t.equal((await command(['migrate', '--database', file])).code, 0)
    return file
  }

  t.test('nothing is shown of a password that is typed, and then the terminal shows again what is typed', async (t) => {
    const file = await newDatabase(t)
    const { code, stdout } = await type([['Password: ', `${password}\r`], ['again: ', `${password}\r`]], ['create-admin', '--email', email, '--database', file])
    t.equal(code, 0, stdout)
    t.match(stdout, /^Password: \r?\nPassword, again: \r?\nCreated ada@example\.com with the role admin/)
    for (const word of password.split(' ')) t.notMatch(stdout, word)
    t.match(stdout, / echo /, 'of the settings')
    t.equal((await (await application(t, file)).call('POST', '/login', { email, password })).statusCode, 200)
  })

  t.test('Ctrl-C ends it, and the terminal shows again what is typed', async (t) => {
    const file = await newDatabase(t)
    const { code, stdout } = await type([['Password: ', `${password}\x03`]], ['create-admin', '--email', email, '--database', file])
    t.equal(code, 1, stdout)
    t.match(stdout, /^Password: \r?\nfastify-bouncer: No password was given: nothing was changed\.\r?\n/)
    for (const word of password.split(' ')) t.notMatch(stdout, word)
    t.match(stdout, / echo /, 'of the settings')
    t.strictSame((await (await application(t, file)).app.bouncer.users.list()).items, [])
  })
})
