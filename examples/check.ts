import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Secret, TOTP } from 'otpauth'
import { failToStart, startServer, type ServerEnv } from './check-server.js'
import { openShell } from './check-shell.js'
import { throughAcme } from './check-sign-in.js'
import { freshStores } from './check-stores.js'
import { ada, eddie, people, type SeededPerson } from './seed.js'

// Run by `npm run examples:check`: does what the example server prints what it says it does?

/** The refusals that `GET /admin` can make: by its guard, by the keys it needs, by the sessions it looks at, and by passwords in place of tokens. */
const ADMIN_REFUSALS = [
  'ACCOUNT_UNAVAILABLE', 'AUTHENTICATION_FAILED', 'AUTH_UNAVAILABLE', 'INSUFFICIENT_ROLES', 'INVALID_AUTHORIZATION_HEADER',
  'INVALID_CREDENTIALS', 'MISSING_TOKEN', 'RATE_LIMITED', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED'
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
  if (status === '302') assert.match(head, /^location: http:\/\/127\.0\.0\.1:\d+\/auth\?.*code_challenge_method=S256/im)
  if (status === '302' || status === '204' || (status === '202' && code === undefined)) return assert.equal(body, '')
  const problem = text.includes('problem+json')
  assert.match(head, problem ? /content-type: application\/problem\+json/i : /content-type: application\/json/i)
  const json = JSON.parse(body)
  assert.equal(status === '202' ? json.challenge_name : problem ? json.code : json.extra?.code, code, answer)
  // Whoever the comment names is who the answer is about.
  const name = /^(Ada|Eddie|Vera|Grace|Nora)\b/.exec(text)?.[0]
  if (code === undefined && name !== undefined && json.access_token === undefined) assert.match(body, new RegExp(`"${name}[^"@]*@example\\.com"`, 'i'))
}

async function checkLines (output: string, report: (line: string) => void): Promise<void> {
  const steps = stepsIn(output)
  for (const wanted of ['MISSING_TOKEN', 'INSUFFICIENT_ROLES', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'INVALID_CREDENTIALS', 'RATE_LIMITED', 'ACCOUNT_UNAVAILABLE', 'STEP_UP_REQUIRED', 'OAUTH_STATE_INVALID', 'NEW_PASSWORD_REQUIRED', 'MFA_SETUP_FAILED', 'BAD_SIGNATURE']) {
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
  assert.deepEqual(Object.keys(document.paths['/auth/login']?.post?.responses ?? {}), ['200', '202', '400', '401', '413', '415', '429', '503'], 'POST /auth/login documents what it refuses, and that it may ask for more')
  assert.deepEqual(document.paths['/auth/login']?.post?.security, [], 'nobody has a token before a sign-in')
  const [first, ...others] = document.paths['/auth/logout']?.post?.security ?? []
  assert.deepEqual([first, others.at(-1)], [{ bearerAuth: [] }, {}], 'whoever signs out has a token, or a refresh token in the body')
  assert.deepEqual(document.paths['/machines']?.get?.security, [{ bearerAuth: [] }, { basicAuth: [] }], 'GET /machines takes a token or a password')
  assert.deepEqual(document.paths['/monthly-report']?.get?.security, [{ signedUrl: [] }], 'GET /monthly-report takes a signed URL')
  assert.deepEqual(document.paths['/hooks/shop']?.post?.security, [{ signedRequest: [] }], 'POST /hooks/shop takes a signed request')
}

/** Whoever looks into the audit log finds what happened, and no password, hash or token. */
async function checkAuditLog (dataDir: string): Promise<void> {
  const log = await readFile(join(dataDir, 'audit.jsonl'), 'utf8')
  const happened = new Set(log.trimEnd().split('\n').map((line) => JSON.parse(line).event))
  for (const event of ['user_created', 'user_login', 'user_login_failed', 'token_refreshed', 'user_logout', 'rate_limit_exceeded', 'password_reset_completed', 'user_deleted', 'mfa_enabled', 'challenge_failed', 'mfa_disabled', 'oauth_account_linked', 'oauth_account_unlinked', 'oauth_failed']) {
    assert.ok(happened.has(event), `${event} in the audit log`)
  }
  for (const { password } of people) assert.ok(!log.includes(password))
  assert.doesNotMatch(log, /\$argon2|"token"|eyJ|first-day-at-work|second-thoughts|third-time/)
}

async function signIn (origin: string, { email, password }: SeededPerson): Promise<RequestInit> {
  const response = await fetch(`${origin}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password }) })
  assert.equal(response.status, 200)
  const tokens = await response.json() as { access_token: string }
  return { headers: { authorization: `Bearer ${tokens.access_token}` } }
}

interface Answer { status: number, body: { id?: string, access_token?: string, challenge_name?: string, session?: string, secret?: string, recovery_codes?: string[], extra?: { code: string } } }

async function send (origin: string, method: 'GET' | 'POST' | 'DELETE', path: string, json?: object, token?: string): Promise<Answer> {
  const headers = { ...json !== undefined && { 'content-type': 'application/json' }, ...token !== undefined && { authorization: `Bearer ${token}` } }
  const response = await fetch(origin + path, { method, headers, ...json !== undefined && { body: JSON.stringify(json) } })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

/** What an authenticator application shows, so many seconds from now: a server takes codes of the step before and after as well. */
function codeOf (secret: string, after: number): string {
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + after * 1000 })
}

/** A second factor from its set-up to its end: what the page does, without the page. */
async function checkSecondFactor (origin: string): Promise<void> {
  const { email, password } = eddie
  const login = async (): Promise<Answer> => await send(origin, 'POST', '/auth/login', { email, password })
  const { body: { access_token: first } } = await login()
  const { body: { secret = '' } } = await send(origin, 'POST', '/auth/mfa/totp', {}, first)
  const verified = await send(origin, 'POST', '/auth/mfa/totp/verify', { code: codeOf(secret, 0) }, first)
  assert.equal(verified.body.recovery_codes?.length, 10, 'recovery codes')
  assert.equal((await send(origin, 'GET', '/payouts', undefined, first)).body.extra?.code, 'STEP_UP_REQUIRED', 'that sign-in took no second factor')

  async function answer (challenge: Answer, kind: string, code: string): Promise<Answer> {
    assert.equal(challenge.status, 202, 'a challenge in place of tokens')
    assert.equal(challenge.body.challenge_name, 'MFA_TOTP')
    return await send(origin, 'POST', '/auth/login/challenge', { session: challenge.body.session, challenge_name: kind, code })
  }
  const code = codeOf(secret, 30)
  const challenge = await login()
  const signedIn = await answer(challenge, 'MFA_TOTP', code)
  assert.equal(signedIn.status, 200, 'tokens for a code')
  assert.equal((await send(origin, 'GET', '/payouts', undefined, signedIn.body.access_token)).status, 200, 'two factors')
  for (const replay of [challenge, await login()]) {
    const refused = await answer(replay, 'MFA_TOTP', code)
    assert.deepEqual([refused.status, refused.body.extra?.code], [400, 'INVALID_CHALLENGE'], 'a code works once')
  }
  const recovered = await answer(await login(), 'RECOVERY_CODE', verified.body.recovery_codes?.[0] ?? '')
  assert.equal(recovered.status, 200, 'tokens for a recovery code')
  const basic = { headers: { authorization: `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}` } }
  assert.equal((await fetch(`${origin}/machines`, basic)).status, 401, 'a password alone does not pass any more')
  assert.equal((await send(origin, 'DELETE', '/auth/mfa/totp', {}, recovered.body.access_token)).status, 204)
  assert.equal((await login()).status, 200, 'as before')

  const page = await fetch(`${origin}/account`)
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'/)
  assert.match(await page.text(), /recovery codes/)
}

/** Ada has an account of the same address, and links the one at Acme first; Iris has none and gets one; nobody vouches for the address of Tom. */
async function checkSignInProvider (origin: string): Promise<void> {
  const login = await send(origin, 'POST', '/auth/login', { email: ada.email, password: ada.password })
  const codeOfAda = async (): Promise<unknown> => (await throughAcme(origin, 'acme-1')).body.extra?.code
  assert.equal(await codeOfAda(), 'OAUTH_LINK_REQUIRED')
  assert.equal((await throughAcme(origin, 'acme-1', login.body.access_token)).body.account_id, 'acme-1', 'linked')
  assert.equal(await codeOfAda(), undefined, 'and she signs in with it')
  assert.equal((await send(origin, 'DELETE', '/auth/oauth/acme', undefined, login.body.access_token)).status, 204)
  assert.equal(await codeOfAda(), 'OAUTH_LINK_REQUIRED', 'not any more')

  const { body: { access_token: iris } } = await throughAcme(origin, 'acme-2')
  const me = await send(origin, 'GET', '/auth/me', undefined, iris)
  assert.deepEqual([me.status, (await throughAcme(origin, 'acme-2', login.body.access_token)).body.extra?.code], [200, 'OAUTH_ACCOUNT_ALREADY_LINKED'])
  assert.equal((await send(origin, 'DELETE', '/auth/oauth/acme', undefined, iris)).body.extra?.code, 'AUTHORIZATION_DENIED', 'her last way in')
  assert.equal((await send(origin, 'DELETE', `/auth/users/${me.body.id}`, undefined, login.body.access_token)).status, 204)
  assert.equal((await throughAcme(origin, 'acme-3')).body.extra?.code, 'ACCOUNT_UNAVAILABLE')
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
    [{ PROVIDER_PORT: '70000' }, /PROVIDER_PORT must be a number/],
    [{ HOST: '192.0.2.1' }, /EADDRNOTAVAIL/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of/],
    [{ JWT_SECRET: 'short' }, /JWT_SECRET must have at least 32 bytes/],
    [{ ENCRYPTION_KEY: 'hidden' }, /ENCRYPTION_KEY must be 32 random bytes/],
    [{ ENCRYPTION_KEY: Buffer.alloc(32).toString('base64') }, /encryptionKey must be 32 random bytes/],
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
      await checkSecondFactor(server.origin)
      console.log('ok  a second factor, from its set-up to its end')
      await checkSignInProvider(server.origin)
      console.log('ok  sign-in at a provider, linking and unlinking')
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
