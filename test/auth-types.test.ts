import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

// Narrowing AuthTypes holds for a whole program, so it cannot stand beside the
// other type tests: these programs are made of strings, each by itself.
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8'))
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['index.ts'] }, ts.sys, root)

/** The lines of `source` that do not compile. */
function wrongLines (source: string): number[] {
  const path = join(root, 'types', 'program.ts')
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === path || fileExists(name)
  host.getSourceFile = (name, language, ...rest) => name === path ? ts.createSourceFile(path, source, language) : getSourceFile(name, language, ...rest)
  const program = ts.createProgram([path], options, host)
  const file = program.getSourceFile(path)
  const diagnostics = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
  return [...new Set(diagnostics.map(({ start = 0 }) => (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1))]
}

const head = "import Fastify from 'fastify'; import authPlugin, { securityContext, type RouteAuth, type User } from 'fastify-bouncer'"
const narrow = "declare module 'fastify-bouncer' { interface AuthTypes { role: 'admin' | 'editor', group: 'staff', scope: 'read' | 'write', claims: { sub: string, tenant: string } } }"
const body = [
  'const app = Fastify(); await app.register(authPlugin, {})', // 3
  "app.requireRole('admin', 'editor')", // 4
  "app.requireRole('admni')", // 5
  "app.requireAllRoles('admin', 'nobody')", // 6
  "app.requireGroup('staff')", // 7
  "app.requireGroup('stuff')", // 8
  "app.requireScope('read')", // 9
  "app.requireAllScopes('read', 'delete')", // 10
  "securityContext.requireRole('editor')", // 11
  "securityContext.hasRole('editr')", // 12
  "const good: RouteAuth = { roles: ['admin'], scopes: ['read'] }", // 13
  "const bad: RouteAuth = { roles: ['admni'] }", // 14
  "app.get('/', { config: { auth: { roles: ['admni'] } } }, async () => 'in')", // 15
  "app.get('/', { config: { auth: { roles: ['admin'] } }, preHandler: app.requireScope('write') }, async (request) => request.user?.claims.tenant.length)", // 16
  'const claims = (user: User): string => user.claims.tenant', // 17
  "const role = (user: User): 'admin' | 'editor' | undefined => user.roles[0]", // 18
  "app.bouncer.guards.requireRole('admni')", // 19
  'export { good, bad, claims, role }' // 20
]

t.test('narrowed names make a misspelt one a compile error', async (t) => {
  t.strictSame(wrongLines([head, narrow, ...body].join('\n')), [5, 6, 8, 10, 12, 14, 15, 19])
})

t.test('without narrowing any name compiles, and claims are unknown', async (t) => {
  t.strictSame(wrongLines([head, '', ...body].join('\n')), [16, 17, 18])
})

t.test('narrowing one of them leaves the others as they are', async (t) => {
  const one = "declare module 'fastify-bouncer' { interface AuthTypes { role: 'admin' | 'editor' } }"
  t.strictSame(wrongLines([head, one, ...body].join('\n')), [5, 6, 12, 14, 15, 16, 17, 19])
})
