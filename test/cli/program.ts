import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import ts from 'typescript'
import type { CommandIo } from '../../lib/cli/command.js'
import { run } from '../../lib/cli/run.js'
import { postgresStore, sqliteStore } from '../../lib/store/sql.js'
import { accounts } from '../accounts.js'

export const email = 'ada@example.com'
export const password = 'correct horse battery staple'

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** What a command does in this process; without any environment, and with standard input at its end, unless they are given. */
export async function command (argv: readonly string[], { stdin = Readable.from([]), env = {} }: Partial<CommandIo> = {}): Promise<Outcome> {
  const written = { stdout: '', stderr: '' }
  const collect = (name: 'stdout' | 'stderr'): Writable => new Writable({
    write (chunk, _encoding, done) {
      written[name] += String(chunk)
      done()
    }
  })
  const code = await run(argv, { stdin, env, stdout: collect('stdout'), stderr: collect('stderr') })
  return { code, ...written }
}

/** Standard input that is no terminal, and holds this. */
export function input (...chunks: Array<string | Buffer>): Readable {
  return Readable.from(chunks.map((chunk) => Buffer.from(chunk)))
}

/** A terminal on which somebody types; `modes` has what it was switched to. */
export interface Terminal extends PassThrough {
  isTTY: true
  modes: boolean[]
  setRawMode (raw: boolean): void
}

export function terminal (...keys: string[]): Terminal {
  const modes: boolean[] = []
  const stream = Object.assign(new PassThrough(), { isTTY: true as const, modes, setRawMode: (raw: boolean) => { modes.push(raw) } })
  for (const key of keys) stream.write(key)
  return stream
}

/** The words that start the program. */
export type Program = readonly [string, ...string[]]

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The program as it stands in `lib/`, with what compiles it on the way, and counts what is covered. */
export const source: Program = [process.execPath, ...process.execArgv, join(root, 'lib/cli.ts')]

/** The program as users have it: compiled. It starts in a fraction of the time. */
export async function build (t: Test): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-bouncer-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'))
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
  for (const name of await readdir(join(root, 'lib'), { recursive: true })) {
    if (!name.endsWith('.ts')) continue
    const file = join(folder, 'dist/lib', name.replace(/ts$/, 'js'))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, ts.transpileModule(await readFile(join(root, 'lib', name), 'utf8'), { compilerOptions }).outputText)
  }
  return [process.execPath, join(folder, 'dist/lib/cli.js')]
}

/** Starts the program in a process of its own. */
export async function start (program: Program, argv: readonly string[], stdin = '', env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const [node, ...args] = program
  const child = spawn(node, [...args, ...argv], { env: { ...environment(program), DATABASE_URL: '', ...env } })
  child.stdin.end(stdin)
  return await outcome(child)
}

/** What is compiled needs no loader of the test runner. */
export function environment (program: Program): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: loader, ...rest } = process.env
  return program === source ? process.env : rest
}

export async function outcome (child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, stdout, stderr }
}

/** An application on a database, without the right to change its tables. */
export async function application (t: Test, database: string) {
  const open = database.startsWith('postgres') ? postgresStore : sqliteStore
  return await accounts(t, { store: open(database, { migrate: false }) })
}

/** Whether a command failed with these sentences, and said nothing else. */
export function failed (t: Test, { code, stdout, stderr }: Outcome, ...sentences: string[]): void {
  t.equal(code, 1, 'exit code 1')
  t.equal(stdout, '', 'nothing was done')
  t.equal(stderr, `fastify-bouncer: ${sentences.join('\n')}\n`)
}

/** Whether a command line was refused with a sentence and how it is meant to be. */
export function misused (t: Test, { code, stdout, stderr }: Outcome, sentence: string, usage = 'Usage: fastify-bouncer'): void {
  t.equal(code, 2, 'exit code 2')
  t.equal(stdout, '')
  t.ok(stderr.startsWith(`fastify-bouncer: ${sentence}\n\n${usage}`), stderr)
}
