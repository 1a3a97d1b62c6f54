import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import type { Challenge, RecoveryCodes, Tokens, TotpSecret } from '../../index.js'
import type { RunningServer, ServerEnv } from '../../examples/check-server.js'

/** What the server answers. */
export interface Answer {
  status: number
  body: Partial<Tokens & TotpSecret & RecoveryCodes & Challenge> & { id?: string, extra?: { code: string } }
}

export interface BuiltServer {
  origin: string
  send (method: string, path: string, body?: object, token?: string): Promise<Answer>
  /** Stops it, and starts another in the same folder. */
  restart (env: ServerEnv): Promise<{ origin: string }>
}

/** The example server as `npm run build:examples` built it, in a process of its own, with a folder of its own; it ends with the test. */
export async function builtServer (t: Test): Promise<BuiltServer> {
  const { startServer } = await import(pathToFileURL('dist/examples/check-server.js').href) as { startServer: (env: ServerEnv) => Promise<RunningServer> }
  const folder = await mkdtemp(join(tmpdir(), 'example-server-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  let running = await startServer({ DATA_DIR: folder })
  t.teardown(() => running.stop())
  const { origin } = running

  return {
    origin,
    async send (method, path, body, token) {
      const headers = { ...body && { 'content-type': 'application/json' }, ...token !== undefined && { authorization: `Bearer ${token}` } }
      const response = await fetch(origin + path, { method, headers, ...body && { body: JSON.stringify(body) } })
      const text = await response.text()
      return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
    },
    async restart (env) {
      await running.stop()
      running = await startServer({ DATA_DIR: folder, ...env })
      return running
    }
  }
}

/** Status and code of a refusal. */
export function refusalOf ({ status, body }: Answer): [status: number, code: string | undefined] {
  return [status, body.extra?.code]
}
