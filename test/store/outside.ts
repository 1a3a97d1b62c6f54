import { mkdtemp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** What the stores stand on. */
const GROUND = /^(store\/|errors\/|random\.ts|clock\.ts|promise\.ts)/

/** The environment without the runner, whose loader changes what a child can import. */
export function withoutRunner (): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, ...env } = process.env
  return env
}

/** A directory with the stores as JavaScript and no packages but those named; for processes of their own. */
export async function transpiled (t: Test, packages: readonly string[] = ['better-sqlite3', 'kysely', 'pg', 'ioredis']): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fastify-bouncer-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  for (const name of await readdir(join(root, 'lib'), { recursive: true })) {
    if (!GROUND.test(name) || !name.endsWith('.ts')) continue
    const target = join(directory, 'lib', name.replace(/\.ts$/, '.js'))
    await mkdir(dirname(target), { recursive: true })
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
    await writeFile(target, ts.transpileModule(await readFile(join(root, 'lib', name), 'utf8'), { compilerOptions }).outputText)
  }
  await install(directory, packages)
  return directory
}

/** Gives it these packages, and no others. */
export async function install (directory: string, packages: readonly string[]): Promise<void> {
  await rm(join(directory, 'node_modules'), { recursive: true, force: true })
  await mkdir(join(directory, 'node_modules'))
  for (const name of packages) await symlink(join(root, 'node_modules', name), join(directory, 'node_modules', name), 'dir')
}
