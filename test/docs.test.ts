import t from 'tap'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { authRoutes, memoryStore, validateOptions, type AuthPluginOptions } from '../index.js'
import { readSettings } from '../lib/options.js'
import { registerStep } from '../lib/onboarding.js'
import { bearer, build, now, options } from './build.js'
import { encryptionKey } from './totp.js'

const root = fileURLToPath(new URL('../', import.meta.url))
const pages = ['README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]
const text = Object.fromEntries(pages.map((page) => [page, readFileSync(join(root, page), 'utf8')]))

interface Block { page: string, line: number, language: string, code: string }

/** The fenced blocks of a page, with the line each begins on. */
function blocksOf (page: string, source: string): Block[] {
  return [...source.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: source.slice(0, match.index).split('\n').length + 1,
    language: match[1] ?? '',
    code: match[2] ?? ''
  }))
}

const blocks = pages.flatMap((page) => blocksOf(page, text[page] ?? ''))

/** What examples may use without declaring it: an application, the plugin, and its three required options. */
const GLOBALS = `
declare const app: import('fastify').FastifyInstance
declare const authPlugin: typeof import('fastify-bouncer').default
declare const issuer: string
declare const audience: string
declare const jwt: import('fastify-bouncer').JwtOptions
`

const { options: compilerOptions } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config, ts.sys, root,
  { noUnusedLocals: false, noUnusedParameters: false, incremental: false }
)
const host = ts.createCompilerHost(compilerOptions)
const parsed = new Map<string, ts.SourceFile | undefined>()

/** Type-checks modules of given code; what is wrong, as `place: message`. */
function typeErrors (sources: ReadonlyMap<string, string>): string[] {
  const files = new Map([...sources, ['docs/globals.d.ts', GLOBALS]].map(([name, code]) => [join(root, name as string), code as string]))
  const program = ts.createProgram([...files.keys()], compilerOptions, {
    ...host,
    fileExists: (name) => files.has(name) || host.fileExists(name),
    readFile: (name) => files.get(name) ?? host.readFile(name),
    getSourceFile (name, how) {
      const code = files.get(name)
      if (code !== undefined) return ts.createSourceFile(name, code, how, true)
      if (!parsed.has(name)) parsed.set(name, host.getSourceFile(name, how))
      return parsed.get(name)
    }
  })
  return [...files.keys()].flatMap((name) => {
    const source = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  }).map(({ file, start = 0, messageText }) => {
    const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1
    return `${relative(root, file?.fileName ?? '')}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

/** A block as a module; line numbers stay those of the page. */
function moduleOf ({ page, line, code }: Block): [name: string, code: string] {
  return [`${page.replace(/\.md$/, '')}-line-${line}.ts`, `${'\n'.repeat(line - 1)}${code}\nexport {}\n`]
}

t.test('every TypeScript block compiles against the sources', async (t) => {
  const typescript = blocks.filter(({ language }) => language === 'ts')
  t.ok(typescript.length > 20, 'blocks are found')
  // A block that narrows the types narrows them for its whole program.
  const narrowing = typescript.filter(({ code }) => code.includes('declare module'))
  t.ok(narrowing.length > 0)
  t.strictSame(typeErrors(new Map(typescript.filter((block) => !narrowing.includes(block)).map(moduleOf))), [])
  for (const block of narrowing) t.strictSame(typeErrors(new Map([moduleOf(block)])), [])
})

t.test('a block that does not compile is reported with its line', async (t) => {
  const page = ['# Page', '', '```ts', 'app.get(\'/\', { onRequest: [', '  app.requireRoles(\'admin\')', '] }, async () => 1)', '```', ''].join('\n')
  const [block] = blocksOf('docs/page.md', page)
  t.match(typeErrors(new Map([moduleOf(block as Block)])), [/^docs\/page-line-4\.ts:5: Property 'requireRoles' does not exist/])
})

t.test('every JSON block is JSON', async (t) => {
  for (const { page, line, language, code } of blocks) {
    if (language === 'json') t.doesNotThrow(() => JSON.parse(code), `${page}:${line}`)
  }
})

/** A response as text, its headers in the order of their names: any other order says the same. */
function inOrder (response: string): string[] {
  const [head = '', body = ''] = response.split('\n\n')
  const [status = '', ...headers] = head.split('\n')
  return [status, ...headers.sort(), body.trim()]
}

t.test('the responses that the README shows are those that are sent', async (t) => {
  const app = await build(t)
  app.get('/admin', { onRequest: [app.requireRole('admin')] }, async () => t.fail('the handler must not run'))
  const sent = await Promise.all([{ roles: ['viewer'] }, { exp: now() - 1 }].map(async (claims) => {
    const { statusCode, statusMessage, headers, body } = await app.inject({ url: '/admin', headers: bearer(claims) })
    const shown = Object.entries(headers).filter(([name]) => !['content-length', 'date', 'connection'].includes(name))
    return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...shown.map(([name, value]) => `${name}: ${value}`), '', body].join('\n')
  }))
  t.strictSame(blocks.filter(({ language }) => language === 'http').map(({ code }) => inOrder(code)), sent.map(inOrder))
})

/** The anchors of a page, as the usual renderers make them of headings. */
function anchorsOf (source: string): string[] {
  return [...source.replace(/^```.*?^```$/gms, '').matchAll(/^#+ (.*)$/gm)]
    .map(([, heading = '']) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-'))
}

t.test('every relative link leads somewhere', async (t) => {
  for (const page of pages) {
    const source = (text[page] ?? '').replace(/^```.*?^```$/gms, '')
    for (const [, link = ''] of source.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      t.ok(existsSync(join(root, target)), `${page}: ${link}`)
      if (anchor !== undefined) t.ok(anchorsOf(readFileSync(join(root, target), 'utf8')).includes(anchor), `${page}: ${link}`)
    }
  }
})

t.test('every file that a page names exists', async (t) => {
  for (const page of pages) {
    for (const [, path = ''] of (text[page] ?? '').matchAll(/`((?:lib|test|examples|benchmarks)\/[\w./-]+)`/g)) {
      t.ok(existsSync(join(root, path)), `${page}: ${path}`)
    }
  }
})

t.test('every page can be reached from the README', async (t) => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const [, link = ''] of (text[page] ?? '').matchAll(/\]\(([^)#\s]+\.md)/g)) {
      const target = join(dirname(page), link)
      if (target in text) reached.add(target)
    }
  }
  t.strictSame([...reached].sort(), [...pages].sort())
})

/** Options and their documentation, as the types have them. */
function documentedOptions (): Map<string, string> {
  const files = ['lib/options.ts', 'lib/issuer-options.ts'].map((name) => join(root, name))
  const program = ts.createProgram(files, compilerOptions)
  const checker = program.getTypeChecker()
  const found = new Map<string, string>()
  for (const node of files.flatMap((file) => [...program.getSourceFile(file)?.statements ?? []])) {
    if (!ts.isInterfaceDeclaration(node)) continue
    const prefix = { AuthPluginOptions: '', JwtOptions: 'jwt.' }[node.name.text]
    if (prefix === undefined) continue
    for (const member of checker.getTypeAtLocation(node).getProperties()) {
      found.set(prefix + member.name, ts.displayPartsToString(member.getDocumentationComment(checker)))
    }
  }
  return found
}

/** Options and their defaults, as the tables of the README have them. */
const listed = new Map([...(text['README.md'] ?? '').matchAll(/^\| `([a-z][\w.]*)` \| (.*?) \| /gmi)].map(([, name = '', value = '']) => [name, value]))

t.test('the README lists exactly the options there are', async (t) => {
  const documented = documentedOptions()
  t.strictSame([...listed.keys()].sort(), [...documented.keys()].sort())
  for (const name of listed.keys()) {
    const wrong = name.startsWith('jwt.') ? { ...options, jwt: { [name.slice(4)]: Symbol(name) } } : { ...options, [name]: Symbol(name) }
    t.throws(() => validateOptions(wrong as AuthPluginOptions), { option: name, message: /must / }, `${name} is known and checked`)
  }
  t.throws(() => validateOptions({ ...options, surprise: 1 } as AuthPluginOptions), { message: /is not an option/ }, 'others are not')
})

t.test('the README gives the defaults there are', async (t) => {
  const settings = readSettings(options)
  for (const name of ['enabled', 'protect', 'hook', 'errorHandler', 'userProperty', 'decorate', 'securityContext', 'logLevel'] as const) {
    const value = settings[name]
    t.equal(listed.get(name), typeof value === 'string' ? `\`'${value}'\`` : `\`${String(value)}\``, name)
  }
  for (const [name, comment] of documentedOptions()) {
    const value = /Default (?:`?\[')?([\d,]+)/.exec(comment)?.[1]
    if (value !== undefined) t.match(listed.get(name), new RegExp(`^${value} `), name)
  }
})

t.test('the README gives the defaults of accounts', async (t) => {
  const { accounts } = readSettings({ ...options, store: memoryStore() })
  const { lifetimes, adminRole, requireVerified, concealExistingUsers, maxStaleness } = accounts as NonNullable<typeof accounts>
  t.strictSame(Object.fromEntries(['sessions', 'verification', 'passwordReset', 'adminRole', 'requireVerified', 'concealExistingUsers', 'revocation'].map((name) => [name, listed.get(name)])), {
    sessions: `\`{ maxLifetime: ${lifetimes.absolute}, gracePeriod: ${lifetimes.grace} }\``,
    verification: `\`{ tokenTtl: ${lifetimes.verification} }\``,
    passwordReset: `\`{ tokenTtl: ${lifetimes.passwordReset} }\``,
    adminRole: `\`'${adminRole}'\``,
    requireVerified: `\`${String(requireVerified)}\``,
    concealExistingUsers: `\`${String(concealExistingUsers)}\``,
    revocation: `\`${String(maxStaleness === 0)}\``
  })
})

t.test('the README lists exactly the routes of accounts there are', async (t) => {
  const app = await build(t, { store: memoryStore(), encryptionKey, oauth: { providers: { google: { clientId: 'an-application' } } }, onboarding: { steps: [registerStep()] } })
  const routes: string[] = []
  app.addHook('onRoute', ({ method, path }) => { if (method !== 'HEAD') routes.push(`${String(method)} ${path}`) })
  await app.register(authRoutes)
  const [, section = ''] = /^## Accounts$(.*?)^## /ms.exec(text['README.md'] ?? '') ?? []
  const rows = section.split('\n').filter((line) => line.startsWith('| `')).join('\n')
  t.strictSame([...rows.matchAll(/`([A-Z]+ \/[\w/:-]*)`/g)].map(([, route]) => route).sort(), routes.sort())
})
