import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { Tokens } from '../../index.js'
import { postgresStore } from '../../lib/store/sql.js'
import { createPasswords } from '../../lib/password/passwords.js'
import { createUserMaker } from '../../lib/flow/account/new-user.js'
import { systemClock } from '../../lib/clock.js'
import { cheapHash, password } from '../accounts.js'
import { onRedis, postgresSchema, redisPrefix, redisUrl } from '../store/engines.js'
import { wire, type Wire } from './wire.js'

export interface Answer {
  status: number
  headers: Headers
  /** Parsed; undefined where there is none. */
  body: { extra?: { code?: string, retry_after?: number }, id?: string } & Partial<Tokens>
}

/** One server process. */
export interface Server {
  child: ChildProcess
  call (method: string, path: string, body?: object, token?: string): Promise<Answer>
}

export interface Pair {
  servers: readonly [Server, Server]
  postgres: Wire
  redis: Wire
  /** Starts one more server like the others. */
  start (): Promise<Server>
  /** Makes a user. */
  user (email: string, roles?: string[]): Promise<string>
  /** Signs somebody in on a server. */
  login (server: Server, email: string): Promise<Tokens>
}

/** Two server processes on one schema of PostgreSQL and one prefix of Redis, both by way of wires that can be cut. */
export async function pair (t: Test, { gracePeriod = 10, perAddress = 1000 } = {}): Promise<Pair> {
  const schema = await postgresSchema(t)
  const prefix = redisPrefix()
  const redis = onRedis(t)
  t.teardown(async () => {
    const keys = await redis.keys(`${prefix}*`)
    if (keys.length > 0) await redis.del(keys)
  })
  const [postgres, redisWire] = await Promise.all([wire(t, schema), wire(t, redisUrl)])
  const settings = JSON.stringify({ postgres: postgres.url, redis: redisWire.url, prefix, gracePeriod, perAddress })
  const start = async (): Promise<Server> => await startServer(t, settings)
  // At once, on a schema without tables: their migrations must not collide.
  const servers = await Promise.all([start(), start()]) as [Server, Server]

  const store = postgresStore(schema, { poolSize: 1 })
  await store.open()
  t.teardown(() => store.close())
  const make = createUserMaker({ users: store.users, passwords: createPasswords(cheapHash), clock: systemClock })
  return {
    servers,
    postgres,
    redis: redisWire,
    start,
    user: async (email, roles = []) => (await make({ email, password, roles, is_verified: true })).id,
    async login (server, email) {
      const { status, body } = await server.call('POST', '/auth/login', { email, password })
      if (status !== 200) throw new Error(`${email} could not sign in: ${status}`)
      return body as Tokens
    }
  }
}

async function startServer (t: Test, settings: string): Promise<Server> {
  const script = fileURLToPath(new URL('./server.ts', import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, script], {
    env: { ...process.env, SETTINGS: settings },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const ended = once(child, 'exit').then(([code, signal]) => { throw new Error(`A server ended: ${String(code ?? signal)}`) })
  const [{ address }] = await Promise.race([once(child, 'message'), ended]) as [{ address: string }]
  ended.catch(() => {})
  return {
    child,
    async call (method, path, body, token) {
      const response = await fetch(`${address}${path}`, {
        method,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` })
        },
        ...(body !== undefined && { body: JSON.stringify(body) })
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
    }
  }
}
