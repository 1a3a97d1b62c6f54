import t from 'tap'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

// What an application gets: the package is packed, installed in a directory of its own, and used from there.

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

/** Runs a program outside the test runner: tap puts its own loader into NODE_OPTIONS of every child, which changes what `require` does. */
async function run (cwd: string, program: string, ...args: string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(_?TAP|npm_config_local_prefix)/i.test(name)))
  const { stdout } = await promisify(execFile)('env', ['-u', 'NODE_OPTIONS', program, ...args], { cwd, env, encoding: 'utf8' })
    .catch((error: Error & { stdout: string, stderr: string }) => {
      throw new Error(`${program} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`)
    })
  return stdout.trim()
}

const node = (cwd: string, ...args: string[]): Promise<string> => run(cwd, process.execPath, ...args)

async function directory (): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'fastify-bouncer-')))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Builds and packs a copy, so that neither dist/ nor a parallel build is in the way: the tarball and what it holds. */
async function pack (): Promise<{ tarball: string, files: string[] }> {
  const copy = join(await directory(), 'copy')
  const left = new Set(['node_modules', 'dist', 'coverage', '.git', '.tap'])
  await cp(root, copy, { recursive: true, filter: path => !left.has(basename(path)) })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir')
  await run(copy, 'npm', 'run', 'build')
  const [packed] = JSON.parse(await run(copy, 'npm', 'pack', '--ignore-scripts', '--json')) as [{ filename: string, files: Array<{ path: string }> }]
  return { tarball: join(copy, packed.filename), files: packed.files.map(({ path }) => path).sort() }
}

/** Every source that is published, and with it what the compiler makes of it. */
async function expected (): Promise<string[]> {
  const names = await Promise.all(['lib', 'types'].map(async folder =>
    (await readdir(join(root, folder), { recursive: true })).map(name => join(folder, name).replaceAll(sep, '/'))))
  const sources = ['index.ts', ...names.flat()].filter(name => name.endsWith('.ts') && !name.endsWith('.test-d.ts'))
  const built = sources.flatMap(name => ['.js', '.js.map', '.d.ts', '.d.ts.map'].map(end => `dist/${name.replace(/\.ts$/, end)}`))
  return ['LICENSE', 'README.md', 'package.json', ...sources, ...built].sort()
}

/** An application with the tarball installed and, because a peer dependency is the application's own, without Fastify. */
async function install (tarball: string): Promise<string> {
  const app = await directory()
  await writeFile(join(app, 'package.json'), '{ "name": "application", "private": true }')
  await run(app, 'npm', 'install', '--omit=peer', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', tarball)
  return app
}

async function link (app: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(app, 'node_modules', name)), { recursive: true })
    await symlink(join(root, 'node_modules', name), join(app, 'node_modules', name), 'dir')
  }
}

const consumer = `
declare module 'fastify-bouncer' { interface AuthTypes { role: 'admin' | 'editor' } }
const app = fastify()
app.register(plugin, { issuer: 'https://auth.example.com', audience: 'api', jwt: { secret: 'a secret of at least thirty-two bytes' } })
app.get('/admin', { preHandler: [app.requireUser(), app.requireRole('admin')] }, async (request) => request.user?.id)
const error: AuthError = new errors.MissingTokenError()
const status: number = error.statusCode
// @ts-expect-error no such role
app.requireRole('admni')
// @ts-expect-error no such option
app.register(plugin, { issuer: 'https://auth.example.com', audience: 'api', jwt: { secret: 'x' }, noSuchOption: true })
export { status }
`

t.setTimeout(300_000)

const { tarball, files } = await pack()
const app = await install(tarball)

t.test('the tarball holds what runs, its types and their sources, and nothing else', async t => {
  t.strictSame(files, await expected())
})

t.test('every source map finds its source in the tarball', async t => {
  const maps = files.filter(name => name.endsWith('.map'))
  t.ok(maps.length > 0)
  for (const name of maps) {
    const { sources } = JSON.parse(await readFile(join(app, 'node_modules', 'fastify-bouncer', name), 'utf8')) as { sources: string[] }
    for (const source of sources) t.ok(files.includes(relative('.', join(dirname(name), source)).replaceAll(sep, '/')), `${name}: ${source}`)
  }
})

t.test('without Fastify installed', async t => {
  await t.rejects(node(app, '--input-type=module', '-e', "await import('fastify')"), /ERR_MODULE_NOT_FOUND/, 'Fastify is not there')

  t.test('the errors load', async t => {
    const out = await node(app, '--input-type=module', '-e',
      "const { AuthError } = await import('fastify-bouncer/errors'); console.log(AuthError.prototype instanceof Error)")
    t.equal(out, 'true')
  })

  t.test('the errors load from CommonJS too', async t => {
    t.equal(await node(app, '-p', "typeof require('fastify-bouncer/errors').AuthError"), 'function')
  })

  t.test('Cognito loads without the AWS SDK, which is asked for with the first call', async t => {
    const out = await node(app, '--input-type=module', '-e',
      "const { cognitoProvider } = await import('fastify-bouncer/cognito'); await cognitoProvider({ region: 'eu-west-1', userPoolId: 'eu-west-1_x', clientId: 'x' }).signIn({ email: 'a@example.com', password: 'x' }, {}).catch(({ name, message }) => console.log(name, message))")
    t.equal(out, 'ConfigurationError cognitoProvider needs a package that is not installed: npm install @aws-sdk/client-cognito-identity-provider')
  })
})

t.test('the command runs by npx, without Fastify', async t => {
  const npx = (...args: string[]): Promise<string> => run(app, 'npx', 'fastify-bouncer', ...args)
  t.equal(await npx('--version'), (JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }).version)
  await t.rejects(npx('migrate', '--database', 'auth.db'), /\nfastify-bouncer: This store needs a package that is not installed: npm install better-sqlite3 kysely\n$/, 'what is not installed is told')
  await t.rejects(npx('migrate', '--database', 'postgres://127.0.0.1/auth'), /\nfastify-bouncer: This store needs a package that is not installed: npm install pg kysely\n$/, 'what is not installed is told')
  await link(app, 'better-sqlite3', 'kysely')
  t.match(await npx('migrate', '--database', 'auth.db'), /^Applied /)
})

t.test('with Fastify', async t => {
  await link(app, 'fastify', '@types/node')

  t.test('import gives the plugin as default, and the public names', async t => {
    const out = await node(app, '--input-type=module', '-e',
      "import plugin, { AuthError } from 'fastify-bouncer'; import * as errors from 'fastify-bouncer/errors'; console.log(typeof plugin, AuthError === errors.AuthError)")
    t.equal(out, 'function true')
  })

  t.test('require gives the plugin itself, with the public names on it', async t => {
    const out = await node(app, '-p',
      "const plugin = require('fastify-bouncer'); [typeof plugin, typeof plugin.AuthError, plugin.default === plugin].join(' ')")
    t.equal(out, 'function function true')
  })

  t.test('both give the same plugin and the same classes', async t => {
    const out = await node(app, '--input-type=module', '-e',
      "import { createRequire } from 'node:module'; import plugin, { AuthError } from 'fastify-bouncer'; const required = createRequire(process.cwd() + '/')('fastify-bouncer'); console.log(plugin === required, AuthError === required.AuthError)")
    t.equal(out, 'true true')
  })

  t.test('Fastify takes the plugin from either', async t => {
    const options = "{ issuer: 'https://auth.example.com', audience: 'api', jwt: { secret: 'a secret of at least thirty-two bytes' } }"
    t.equal(await node(app, '-e', `require('fastify')().register(require('fastify-bouncer'), ${options}).ready().then(() => console.log('ready'))`), 'ready')
    t.equal(await node(app, '--input-type=module', '-e',
      `import fastify from 'fastify'; import plugin from 'fastify-bouncer'; await fastify().register(plugin, ${options}).ready(); console.log('ready')`), 'ready')
  })

  t.test('TypeScript knows both', async t => {
    await writeFile(join(app, 'esm.mts'),
      `import fastify from 'fastify'\nimport plugin, { AuthError } from 'fastify-bouncer'\nimport * as errors from 'fastify-bouncer/errors'\n${consumer}`)
    await writeFile(join(app, 'cjs.cts'),
      `import fastify = require('fastify')\nimport plugin = require('fastify-bouncer')\nimport errors = require('fastify-bouncer/errors')\ntype AuthError = errors.AuthError\nexport const same: typeof errors.AuthError = plugin.AuthError\n${consumer.replace('fastify()', 'fastify.fastify()')}`)
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck']
    await t.resolves(node(app, tsc, ...flags, 'esm.mts'), 'an ES module')
    await t.resolves(node(app, tsc, ...flags, 'cjs.cts'), 'a CommonJS module')
  })
})
