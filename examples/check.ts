import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

// Run by `npm run examples:check`: does what the example server prints what it says it does?

/** The refusals that `GET /admin` can make: by its guard, and by the keys it needs. */
const ADMIN_REFUSALS = ['AUTH_UNAVAILABLE', 'INSUFFICIENT_ROLES', 'INVALID_AUTHORIZATION_HEADER', 'MISSING_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_INVALID']
const START_UP = 20_000

const run = promisify(execFile)

interface Step { label: string, status: string, code: string | undefined, command: string }

/** Starts the server and waits until it has printed everything. */
async function start (port: string): Promise<{ server: ChildProcess, output: string }> {
  const server = spawn(process.execPath, [fileURLToPath(new URL('./server.js', import.meta.url))], {
    env: { ...process.env, HOST: '127.0.0.1', PORT: port },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => { server.kill('SIGKILL') }, START_UP)
    server.once('exit', (code, signal) => { reject(new Error(`The server ended with ${code ?? signal}`)) })
    server.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      // The last of its lines.
      if (!/\/whoami'\n/.test(output)) return
      clearTimeout(timer)
      resolve()
    })
  })
  return { server, output }
}

/** Stops the server as a terminal or a supervisor does. */
async function stop (server: ChildProcess, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  server.kill(signal)
  assert.deepEqual(await once(server, 'exit'), [0, null], `${signal} stops the server`)
}

function originIn (output: string): string {
  return /listens on (http\S+)/.exec(output)?.[1] ?? ''
}

function stepsIn (output: string): Step[] {
  return [...output.matchAll(/^# (.*): (\d{3})(?: ([A-Z_]+))?\n(curl .*)$/gm)]
    .map(([, label = '', status = '', code, command = '']) => ({ label, status, code, command }))
}

async function check ({ label, status, code, command }: Step): Promise<void> {
  const { stdout } = await run('sh', ['-c', command])
  const [head = '', body = ''] = stdout.split('\r\n\r\n')
  assert.equal(head.split(' ')[1], status, `status of: ${command}\n${stdout}`)
  const answer = JSON.parse(body)
  const problem = label.includes('problem+json')
  assert.match(head, problem ? /content-type: application\/problem\+json/i : /content-type: application\/json/i)
  assert.equal(problem ? answer.code : answer.extra?.code, code)
  if (status === '401') assert.match(head, /www-authenticate: Bearer realm="api"/i)
  // Whoever the label names is whom the server greets.
  const name = /^(Ada|Eddie|Vera)\b/.exec(label)?.[0].toLowerCase()
  if (code === undefined && name !== undefined) assert.ok(Object.values(answer).includes(name), `${name} in ${body}`)
}

async function checkDocument (origin: string): Promise<void> {
  const page = await fetch(`${origin}/docs`)
  assert.equal(page.status, 200)
  assert.match(await page.text(), /swagger-ui/)
  const document = await (await fetch(`${origin}/docs/json`)).json() as {
    paths: Record<string, { get?: { responses: Record<string, { content?: Record<string, { examples?: Record<string, unknown> }> }> } }>
  }
  const responses = Object.values(document.paths['/admin']?.get?.responses ?? {})
  for (const form of ['application/json', 'application/problem+json']) {
    const examples = responses.flatMap(({ content }) => Object.keys(content?.[form]?.examples ?? {}))
    assert.deepEqual(examples.sort(), ADMIN_REFUSALS, `GET /admin documents its refusals as ${form}, each with an example`)
  }
  assert.deepEqual(Object.keys(document.paths['/public']?.get?.responses ?? {}), ['200'], 'GET /public refuses nobody')
}

async function checkTakenPort (taken: string): Promise<void> {
  const { server, output } = await start(new URL(taken).port)
  assert.notEqual(originIn(output), taken)
  await stop(server, 'SIGINT')
}

const { server, output } = await start('0')
try {
  const steps = stepsIn(output)
  assert.equal(steps.length, output.split('\n').filter((line) => line.startsWith('curl ')).length, 'every curl line has a label')
  for (const wanted of ['MISSING_TOKEN', 'INSUFFICIENT_ROLES', 'TOKEN_EXPIRED']) {
    assert.ok(steps.some(({ code }) => code === wanted), `a line for ${wanted}`)
  }
  for (const step of steps) {
    await check(step)
    console.log(`ok  ${step.label}: ${step.status} ${step.code ?? ''}`)
  }
  const origin = originIn(output)
  await checkDocument(origin)
  console.log('ok  Swagger UI and the document')
  await checkTakenPort(origin)
  console.log('ok  a second server takes the next free port')
  await stop(server, 'SIGTERM')
  console.log('ok  both stop when asked to')
} finally {
  server.kill('SIGKILL')
}
