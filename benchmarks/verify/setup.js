import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, release, totalmem } from 'node:os'
import { relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { canPin } from './process.js'

const root = new URL('../..', import.meta.url)
const dist = new URL('../dist/', import.meta.url)
const peers = new URL('../peers/', import.meta.url)

/** Where the compiled package stands, as an address. */
export const build = dist.href

/**
 * Compiles the package into a folder of the benchmark's own, so that nobody's
 * dist/ is in the way, and from which imports resolve to its own dependencies.
 */
export function compile () {
  rmSync(dist, { recursive: true, force: true })
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', 'benchmarks/dist', '--declaration', 'false', '--declarationMap', 'false'], root)
}

/** Installs the peers when they are missing; tells whether better-auth can be measured. */
export function installPeers () {
  if (!existsSync(new URL('node_modules/fastify', peers))) {
    console.log('Installing what is measured against, in benchmarks/peers ...\n')
    run('npm', ['ci', '--no-audit', '--no-fund'], peers)
  }
  const sqlite = spawnSync(process.execPath, ['-e', 'new (require("better-sqlite3"))(":memory:")'], { cwd: peers })
  if (sqlite.status !== 0) console.log('better-sqlite3 could not be installed: better-auth is left out.\n')
  return sqlite.status === 0
}

function run (command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`)
}

/** Versions of what is installed here, and of the peers. */
export function versions (names, withPeers) {
  const own = names.map((name) => [name, JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, root))).version])
  const { dependencies, optionalDependencies } = withPeers ? JSON.parse(readFileSync(new URL('package.json', peers))) : {}
  return { ...dependencies, ...optionalDependencies, ...Object.fromEntries(own) }
}

/** Writes raw results with the machine they come from, into `out` or, by name and date, into `results/`. */
export function saveResults (name, results, out) {
  const date = new Date().toISOString()
  const folder = new URL('../results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const file = out !== undefined ? pathToFileURL(resolve(out)) : new URL(`${date.slice(0, 10)}-${name}.json`, folder)
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem(), system: `${process.platform} ${release()}`, pinned: canPin }
  writeFileSync(file, `${JSON.stringify({ date, ...machine, ...results }, null, 1)}\n`)
  console.log(`Raw results: ${relative(process.cwd(), fileURLToPath(file))}`)
}
