import t from 'tap'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'

/** Which storey a file of the package stands on, and in which room; undefined when the house has no such place. */
function place (path: string): { storey: number, room: string } | undefined {
  if (path === 'index.ts') return { storey: 5, room: 'index' }
  if (path.startsWith('types/')) return { storey: 2.5, room: 'types' }
  if (/^lib\/(plugin|options|options-schema|issuer-options|account-options|mfa-options|onboarding-options|provider-options|oauth-options|provider-system|account-system|cognito|onboarding|testing|cli)\.ts$/.test(path)) return { storey: 4, room: 'top' }
  if (/^lib\/(errors|events|context|access|signing|random|clock|promise|encryption|secure-url)\.ts$/.test(path)) return { storey: 0, room: 'ground' }
  if (path.startsWith('lib/cli/')) return { storey: 4, room: 'top' }
  if (/^lib\/(errors|store|signing)\//.test(path)) return { storey: 0, room: 'ground' }
  const room = /^lib\/(password|token|user|mfa|flow|http)\//.exec(path)?.[1]
  return room ? { storey: room === 'http' ? 3 : room === 'flow' ? 2 : 1, room } : undefined
}

/** What a source imports, types included: paths inside the package as they stand in `files`, anything else by its name. */
function imports (path: string, source: string): string[] {
  return ts.preProcessFile(source, true, true).importedFiles.map(({ fileName }) =>
    fileName.startsWith('.') ? posix.join(posix.dirname(path), fileName).replace(/\.js$/, '.ts') : fileName)
}

/** Everything in `files` (path to source) that breaks the rule of the storeys. */
function problems (files: Record<string, string>): string[] {
  const found: string[] = []
  const graph = new Map(Object.entries(files).map(([path, source]) => [path, imports(path, source)]))
  for (const [path, targets] of graph) {
    const from = place(path)
    if (!from) found.push(`${path}: on no storey`)
    if (/^lib\/(.*\/)?(utils?|helpers?|common|base|impl|index)(\.ts$|\/)/.test(path)) found.push(`${path}: a name that says nothing`)
    for (const target of targets) {
      const to = place(target)
      if (/^(fastify|fastify-plugin|@fastify\/.*)(\/|$)/.test(target)) {
        if (!/^(index\.ts$|types\/|lib\/http\/|lib\/(plugin|account-system|provider-system|testing)\.ts$)/.test(path)) found.push(`${path}: imports ${target}`)
      } else if (/^fastify-bouncer(\/|$)/.test(target) || (/^(\.|index|lib|types)/.test(target) && !(target in files))) {
        found.push(`${path}: imports ${target}, which is no file of the package`)
      } else if (path.startsWith('lib/') && from && to && to.room !== from.room && to.storey >= from.storey) {
        found.push(`${path}: imports ${target}, which is not below it`)
      }
    }
  }
  return [...found, ...cycles(graph)]
}

/** Every import cycle, once, from the file that the walk met first. */
function cycles (graph: Map<string, string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: string[]): void => {
    if (trail.includes(path)) found.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' > ')}`)
    if (trail.includes(path) || done.has(path)) return
    for (const target of graph.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) walk(path, [])
  return found
}

const root = new URL('../', import.meta.url)
const house = Object.fromEntries(['index.ts', ...['lib', 'types'].flatMap(folder =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).map(name => posix.join(folder, name.replaceAll('\\', '/'))))]
  .filter(path => path.endsWith('.ts') && !path.endsWith('.test-d.ts'))
  .map(path => [path, readFileSync(new URL(path, root), 'utf8')]))

t.test('the house keeps its storeys', async t => {
  t.ok('lib/errors.ts' in house, 'the sources are found')
  t.strictSame(problems(house), [])
})

t.test('every file loads on its own, so that coverage counts the ones no other test imports', async t => {
  for (const path of Object.keys(house)) await t.resolves(import(new URL(path, root).href), path)
})

t.test('a house in order has no problems', async t => {
  t.strictSame(problems({
    'index.ts': "import plugin from './lib/plugin.js'\nimport './types/fastify.js'\nexport default plugin",
    'types/fastify.ts': "import type { Guard } from '../lib/access.js'\ndeclare module 'fastify' { interface FastifyInstance { g: Guard } }",
    'lib/plugin.ts': "import fp from 'fastify-plugin'\nimport { options } from './options.js'\nimport '../types/fastify.js'",
    'lib/options.ts': "import { Type } from '@sinclair/typebox'\nimport './store/memory.js'",
    'lib/http/routes/token.ts': "import type { FastifyRequest } from 'fastify'\nimport '../body.js'\nimport '../../flow/sign-in.js'",
    'lib/http/body.ts': "import { readFile } from 'node:fs'",
    'lib/flow/sign-in.ts': "export { verify } from '../token/verify.js'",
    'lib/token/verify.ts': "import './claims.js'\nimport { type AuthError } from '../errors.js'",
    'lib/token/claims.ts': '',
    'lib/store/memory.ts': "import '../clock.js'",
    'lib/access.ts': "import './errors.js'",
    'lib/errors.ts': "export * from './errors/table.js'",
    'lib/errors/table.ts': '',
    'lib/clock.ts': ''
  }), [])
})

t.test('each break of the rule is reported', async t => {
  const cases: Array<[name: string, files: Record<string, string>, problem: RegExp]> = [
    ['upwards', { 'lib/token/a.ts': "import '../flow/b.js'", 'lib/flow/b.ts': '' }, /token\/a\.ts: imports lib\/flow\/b\.ts, which is not below/],
    ['upwards, a type only', { 'lib/errors.ts': "import type { O } from './options.js'", 'lib/options.ts': '' }, /not below/],
    ['upwards, inline type import', { 'lib/clock.ts': "export type T = import('./http/b.js').T", 'lib/http/b.ts': '' }, /not below/],
    ['upwards, re-export', { 'lib/access.ts': "export * from './user/b.js'", 'lib/user/b.ts': '' }, /not below/],
    ['upwards, dynamic', { 'lib/store/a.ts': "await import('../mfa/b.js')", 'lib/mfa/b.ts': '' }, /not below/],
    ['sideways', { 'lib/password/a.ts': "import '../user/b.js'", 'lib/user/b.ts': '' }, /not below/],
    ['the barrel from below', { 'lib/http/a.ts': "import '../../index.js'", 'index.ts': '' }, /not below/],
    ['our Fastify types from a room', { 'lib/flow/a.ts': "import '../../types/b.js'", 'types/b.ts': '' }, /not below/],
    ['Fastify from a room', { 'lib/token/a.ts': "import type { FastifyRequest } from 'fastify'" }, /imports fastify$/],
    ['Fastify from the options', { 'lib/options.ts': "import fp from 'fastify-plugin'" }, /imports fastify-plugin$/],
    ['a Fastify package from a flow', { 'lib/flow/a.ts': "import jwt from '@fastify/jwt'" }, /imports @fastify\/jwt$/],
    ['the package by its own name', { 'lib/http/a.ts': "import 'fastify-bouncer/errors'" }, /no file of the package/],
    ['a file that is not there', { 'lib/http/a.ts': "import './b.js'" }, /no file of the package/],
    ['a cycle', { 'lib/mfa/a.ts': "import './b.js'", 'lib/mfa/b.ts': "import './a.js'" }, /cycle: lib\/mfa\/a\.ts > lib\/mfa\/b\.ts > lib\/mfa\/a\.ts/],
    ['a cycle of types', { 'lib/clock.ts': "import type { R } from './random.js'", 'lib/random.ts': "import type { C } from './clock.js'" }, /cycle/],
    ['a room nobody planned', { 'lib/misc/a.ts': '' }, /on no storey/],
    ['a ground file nobody planned', { 'lib/things.ts': '' }, /on no storey/],
    ...['utils', 'helpers', 'common', 'base', 'impl', 'index'].map((name): [string, Record<string, string>, RegExp] =>
      [`named ${name}`, { [`lib/http/${name}.ts`]: '' }, /a name that says nothing/])
  ]
  for (const [name, files, problem] of cases) {
    const found = problems(files)
    t.equal(found.length, 1, `${name}: one problem`)
    t.match(found[0], problem, name)
  }
})
