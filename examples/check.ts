import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { failToStart, startServer, type ServerEnv } from './check-server.js'
import { openShell } from './check-shell.js'
import { freshStores } from './check-stores.js'
import { ada, people, type SeededPerson } from './seed.js'

// Run by `npm run examples:check`: does what the example server prints what it says it does?

/** The refusals that `GET /admin` can make: by its guard, by the keys it needs, and by the sessions it looks at. */
const ADMIN_REFUSALS = [
  'ACCOUNT_UNAVAILABLE', 'AUTHENTICATION_FAILED', 'AUTH_UNAVAILABLE', 'INSUFFICIENT_ROLES',
  'INVALID_AUTHORIZATION_HEADER', 'MISSING_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED'
]
const LABEL = /^# (?<text>.*): (?<status>\d{3})(?: (?<code>[A-Z_]+))?$/

interface Step { line: string, label?: { text: string, status: string, code?: string } }

/** What is to be pasted, in order, with the comments that say what comes of it. */
function stepsIn (output: string): Step[] {
  const [, pasted = ''] = output.split(/^## Variables.*$/m)
  let label: Step['label']
  return pasted.split('\n').flatMap((line) => {
    if (line === '') return []
    if (!line.startsWith('#')) {
      const step = { line, label }
      label = undefined
      return [step]
    }
    // Where comments are not comments, as in zsh, quotes and signs in them would do harm.
    assert.match(line, /^##? [\w ,:+-]+$/)
    if (line.startsWith('##')) return []
    label = LABEL.exec(line)?.groups as Step['label']
    assert.ok(label, `status and code in: ${line}`)
    return []
  })
}

function checkAnswer (answer: string, { line, label }: Step): void {
  if (label === undefined) return
  const { text, status, code } = label
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  assert.equal(head.split(' ')[1], status, `status of: ${line}\n${answer}`)
  if (status === '401') assert.match(head, /www-authenticate: Bearer realm="api"/i)
  if (status === '429') assert.match(head, /retry-after: [1-9]\d*\r?$/im)
  if (status === '202' || status === '204') return assert.equal(body, '')
  const problem = text.includes('problem+json')
  assert.match(head, problem ? /content-type: application\/problem\+json/i : /content-type: application\/json/i)
  const json = JSON.parse(body)
  assert.equal(problem ? json.code : json.extra?.code, code, answer)
  // Whoever the comment names is who the answer is about.
  const name = /^(Ada|Eddie|Vera|Grace|Nora)\b/.exec(text)?.[0]
  if (code === undefined && name !== undefined && json.access_token === undefined) assert.match(body, new RegExp(`"${name}[^"@]*@example\\.com"`, 'i'))
}

async function checkLines (output: string, report: (line: string) => void): Promise<void> {
  const steps = stepsIn(output)
  for (const wanted of ['MISSING_TOKEN', 'INSUFFICIENT_ROLES', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'INVALID_CREDENTIALS', 'RATE_LIMITED', 'ACCOUNT_UNAVAILABLE']) {
    assert.ok(steps.some(({ label }) => label?.code === wanted), `a line for ${wanted}`)
  }
  const shell = openShell()
  try {
    for (const step of steps) {
      checkAnswer(await shell.run(step.line), step)
      if (step.label !== undefined) report(`ok  ${Object.values(step.label).filter(Boolean).join(' ')}`)
    }
  } finally {
    shell.close()
  }
}

async function checkDocument (origin: string): Promise<void> {
  const page = await fetch(`${origin}/docs`)
  assert.equal(page.status, 200)
  assert.match(await page.text(), /swagger-ui/)
  const document = await (await fetch(`${origin}/docs/json`)).json() as {
    paths: Record<string, Record<string, { security?: object[], responses: Record<string, { content?: Record<string, { examples?: Record<string, unknown> }> }> }>>
  }
  const responses = Object.values(document.paths['/admin']?.get?.responses ?? {})
  for (const form of ['application/json', 'application/problem+json']) {
    const examples = responses.flatMap(({ content }) => Object.keys(content?.[form]?.examples ?? {}))
    assert.deepEqual(examples.sort(), ADMIN_REFUSALS, `GET /admin documents its refusals as ${form}, each with an example`)
  }
  assert.deepEqual(Object.keys(document.paths['/public']?.get?.responses ?? {}), ['200'], 'GET /public refuses nobody')
  assert.deepEqual(Object.keys(document.paths['/auth/login']?.post?.responses ?? {}), ['200', '400', '401', '413', '415', '429', '503'], 'POST /auth/login documents what it refuses')
  for (const [path, security] of [['/auth/login', []], ['/auth/logout', [{ bearerAuth: [] }, {}]]] as const) {
    assert.deepEqual(document.paths[path]?.post?.security, security, `${path} says whether a token can be sent`)
  }
}

/** Whoever looks into the audit log finds what happened, and no password, hash or token. */
async function checkAuditLog (dataDir: string): Promise<void> {
  const log = await readFile(join(dataDir, 'audit.jsonl'), 'utf8')
  const happened = new Set(log.trimEnd().split('\n').map((line) => JSON.parse(line).event))
  for (const event of ['user_created', 'user_login', 'user_login_failed', 'token_refreshed', 'user_logout', 'rate_limit_exceeded', 'password_reset_completed', 'user_deleted']) {
    assert.ok(happened.has(event), `${event} in the audit log`)
  }
  for (const { password } of people) assert.ok(!log.includes(password))
  assert.doesNotMatch(log, /\$argon2|"token"|eyJ|first-day-at-work|second-thoughts/)
}

async function signIn (origin: string, { email, password }: SeededPerson): Promise<RequestInit> {
  const response = await fetch(`${origin}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password }) })
  assert.equal(response.status, 200)
  const tokens = await response.json() as { access_token: string }
  return { headers: { authorization: `Bearer ${tokens.access_token}` } }
}

/** Two servers that start at once on nothing seed once; a session outlives a restart; one that ends on one server ends on the other. */
async function checkTwoServers (env: ServerEnv): Promise<void> {
  const shared = { ...env, JWT_SECRET: 'a secret that two example servers share' }
  const [one, two] = await Promise.all([startServer(shared), startServer(shared)])
  try {
    const bearer = await signIn(one.origin, ada)
    const { items } = await (await fetch(`${two.origin}/auth/users`, bearer)).json() as { items: Array<{ email: string }> }
    assert.deepEqual(items.map((user) => user.email).sort(), people.map((person) => person.email).sort())
    await one.stop('SIGINT')

    const again = await startServer({ ...shared, PORT: new URL(two.origin).port })
    try {
      assert.notEqual(again.origin, two.origin, 'the next free port')
      assert.equal((await fetch(`${again.origin}/me`, bearer)).status, 200, 'a session outlives a restart')
      assert.equal((await fetch(`${two.origin}/auth/logout`, { ...bearer, method: 'POST' })).status, 204)
      assert.equal((await fetch(`${again.origin}/me`, bearer)).status, 401, 'and ends everywhere')
    } finally {
      await again.stop()
    }
    await two.stop()
  } finally {
    for (const server of [one, two]) server.kill()
  }
}

/** What keeps the server from starting is said in a sentence. */
async function checkFailures (DATA_DIR: string): Promise<void> {
  const failures: Array<[env: ServerEnv, said: RegExp]> = [
    [{ PORT: '70000' }, /PORT must be a number/],
    [{ HOST: '192.0.2.1' }, /EADDRNOTAVAIL/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of/],
    [{ JWT_SECRET: 'short' }, /JWT_SECRET must have at least 32 bytes/],
    [{ DATABASE_URL: 'mysql://127.0.0.1/app' }, /DATABASE_URL is not usable: .*postgres:\/\//],
    [{ DATABASE_URL: 'postgres://name:hidden@127.0.0.1:1/app' }, /database cannot be reached.*ECONNREFUSED/],
    [{ REDIS_URL: 'http://127.0.0.1' }, /REDIS_URL is not usable: .*redis:\/\//],
    [{ REDIS_URL: 'redis://:hidden@127.0.0.1:1' }, /Redis cannot be reached/],
    [{ DATA_DIR: '/dev/null/data' }, /ENOTDIR/]
  ]
  for (const [env, wanted] of failures) {
    const { code, said } = await failToStart({ DATA_DIR, ...env })
    assert.equal(code, 1, JSON.stringify(env))
    assert.match(said, wanted)
    assert.match(said, /^The example server cannot start: .*\n$/, 'one line')
    assert.ok(!said.includes('hidden'), 'no password')
  }
}

async function checkServer (where: string, env: ServerEnv): Promise<void> {
  console.log(`--- ${where}`)
  console.log('--- besides')
  const dataDir = await mkdtemp(join(tmpdir(), 'example-server-'))
  try {
    await checkTwoServers({ ...env, DATA_DIR: dataDir })
    console.log('ok  two servers at once, and a restart')
    const server = await startServer({ ...env, DATA_DIR: dataDir })
    try {
      await checkLines(server.output, console.log)
      await checkLines(server.output, () => {})
      console.log('ok  all of it a second time')
      await checkDocument(server.origin)
      console.log('ok  Swagger UI and the document')
      await checkAuditLog(dataDir)
      console.log('ok  the audit log')
      await server.stop()
    } finally {
      server.kill()
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

await checkServer('SQLite', {})
const stores = await freshStores(process.env)
if (stores === undefined) {
  console.log('--- PostgreSQL and Redis: skipped, they cannot be reached')
} else {
  try {
    await checkServer('PostgreSQL and Redis', { DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl })
    const { users, keys } = await stores.contents()
    assert.equal(users, people.length, 'users are in PostgreSQL, Nora is gone')
    assert.ok(keys > 0, 'what expires is in Redis')
  } finally {
    await stores.drop()
  }
}

console.log('--- besides')
const dataDir = await mkdtemp(join(tmpdir(), 'example-server-'))
await checkFailures(dataDir).finally(() => rm(dataDir, { recursive: true, force: true }))
console.log('ok  what keeps it from starting is said in a sentence')

const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL('./own-users.js', import.meta.url))])
process.stdout.write(stdout)
console.log('ok  users in a table of the application\'s own')
