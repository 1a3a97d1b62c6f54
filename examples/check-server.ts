import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** What the server is started with, in place of this process's own DATABASE_URL, REDIS_URL, JWT_SECRET and ENCRYPTION_KEY. */
export type ServerEnv = Readonly<Record<string, string>>

/** A server that has started. */
export interface RunningServer {
  readonly origin: string
  /** All that it printed. */
  readonly output: string
  /** Stops it as a terminal or a supervisor does; it must end well. */
  stop (signal?: 'SIGINT' | 'SIGTERM'): Promise<void>
  kill (): void
}

const START_UP = 30_000
const program = fileURLToPath(new URL('./server.js', import.meta.url))

function environment (env: ServerEnv): NodeJS.ProcessEnv {
  const { DATABASE_URL: _database, REDIS_URL: _redis, JWT_SECRET: _secret, ENCRYPTION_KEY: _key, ...inherited } = process.env
  return { ...inherited, HOST: '127.0.0.1', PORT: '0', PROVIDER_PORT: '0', ...env }
}

/** Starts the server and waits until it has printed everything. */
export async function startServer (env: ServerEnv): Promise<RunningServer> {
  const server = spawn(process.execPath, [program], { env: environment(env), stdio: ['ignore', 'pipe', 'inherit'] })
  const output = await printed(server)
  return {
    origin: /listens on (http\S+)/.exec(output)?.[1] ?? '',
    output,
    async stop (signal = 'SIGTERM') {
      server.kill(signal)
      assert.deepEqual(await once(server, 'exit'), [0, null], `${signal} stops the server`)
    },
    kill () { server.kill('SIGKILL') }
  }
}

async function printed (server: ChildProcess): Promise<string> {
  let output = ''
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => { server.kill('SIGKILL') }, START_UP)
    server.once('exit', (code, signal) => { reject(new Error(`The server ended with ${code ?? signal}`)) })
    server.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      // The last of its lines.
      if (!/\$NORA_ID" -X DELETE .*\n/.test(output)) return
      clearTimeout(timer)
      resolve(output)
    })
  })
}

/** Starts a server that cannot start: its exit code, and what it said. */
export async function failToStart (env: ServerEnv): Promise<{ code: unknown, said: string }> {
  const { code, stderr, stdout } = await promisify(execFile)(process.execPath, [program], { env: environment(env), timeout: START_UP })
    .then((printed) => ({ ...printed, code: 0 }), (error: { code: unknown, stdout: string, stderr: string }) => error)
  return { code, said: stdout + stderr }
}
