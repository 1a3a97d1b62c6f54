import { mkdtempSync, rmSync } from 'node:fs'
import { randomBytes, randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { hash, verify } from '@node-rs/argon2'
import Fastify from 'fastify'
import { audience, body, issuer } from '../apps/claims.js'
import { listenFastify } from '../apps/listen.js'

const DELAY_RESOLUTION = 10

/**
 * This package with its account system on a store: `sqlite` in a file, `memory`,
 * or `postgresql` in a schema of its own. All routes, and a guarded one.
 */
export async function start ({ build, store: kind = 'sqlite', argon2, plugin = {} }) {
  const { default: authPlugin, authRoutes, memoryStore } = await import(new URL('index.js', build).href)
  const { sqliteStore, postgresStore } = await import(new URL('lib/store/sql.js', build).href)
  const place = await placeFor(kind)
  const store = kind === 'memory' ? memoryStore() : kind === 'sqlite' ? sqliteStore(place.name) : postgresStore(place.name)

  const app = Fastify()
  await app.register(authPlugin, {
    issuer,
    audience,
    jwt: { secret: randomBytes(48).toString('base64') },
    store,
    ...plugin,
    passwords: { ...(argon2 !== undefined && { argon2id: argon2 }), ...plugin.passwords },
    attempts: limits(plugin.attempts)
  })
  await app.register(authRoutes, { prefix: '/auth' })
  app.get('/me', { onRequest: [app.requireUser()] }, async () => body)
  const listening = await listenFastify(app)

  const parameters = { timeCost: 3, memoryCost: 65_536, parallelism: 4, ...argon2 }
  const delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION })
  return {
    port: listening.port,
    ...accountVerbs(app, store, parameters),

    async watchDelay () {
      delays.reset()
      delays.enable()
    },

    /** By how much timers came late since, in milliseconds. */
    async delay () {
      delays.disable()
      const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - DELAY_RESOLUTION)
      return { max: late(delays.max), p99: late(delays.percentile(99)), mean: late(delays.mean) }
    },

    async close () {
      await listening.close()
      await place.remove()
    }
  }
}

function accountVerbs (app, store, parameters) {
  return {
    /** Stores users with a password; of each that is given as null, none. */
    async people ({ emails, password, isActive = true, isVerified = true }) {
      const passwordHash = password === null ? null : await hash(password, parameters)
      const now = Date.now()
      for (const email of emails) {
        const stored = await store.users.insert({ id: randomUUID(), email, username: null, passwordHash, roles: [], isActive, isVerified, mustChangePassword: false, signedOutAt: null, createdAt: now, updatedAt: now })
        if (stored !== 'stored') throw new Error(`${email}: ${stored}`)
      }
    },

    /** Nanoseconds of verifying a password with the library alone, at the same parameters. */
    async hashAlone ({ password }) {
      alone ??= await hash(password, parameters)
      const since = process.hrtime.bigint()
      if (!await verify(alone, password)) throw new Error('the hash alone does not verify')
      return Number(process.hrtime.bigint() - since)
    },

    /** Tokens of new sessions of a user. */
    async signIn ({ email, password, count }) {
      const tokens = []
      for (let index = 0; index < count; index++) tokens.push(await app.bouncer.login({ email, password }))
      return tokens
    }
  }
}

let alone

// Everything comes from one address here. Accounts keep their limits.
const often = { max: 1_000_000_000, window: 3600, lockout: 1 }
const OPERATIONS = ['login', 'refresh', 'register', 'password_change', 'password_reset_request', 'password_reset', 'verify_request', 'verify']

function limits (given = {}) {
  return Object.fromEntries(OPERATIONS.map((operation) => [operation, given[operation] === false ? false : { address: often, ...given[operation] }]))
}

async function placeFor (kind) {
  if (kind === 'memory') return { remove: async () => {} }
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'bouncer-benchmark-'))
    return { name: join(folder, 'auth.db'), remove: async () => { rmSync(folder, { recursive: true, force: true }) } }
  }
  const { default: { Client } } = await import('pg')
  const url = new URL(process.env.DATABASE_URL ?? 'postgres://root@127.0.0.1:5432/test')
  const schema = `bouncer_benchmark_${process.pid}`
  const execute = async (statement) => {
    const client = new Client({ connectionString: url.href })
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  const own = new URL(url)
  own.searchParams.set('options', `-c search_path=${schema}`)
  await execute(`create schema ${schema}`)
  return { name: own.href, remove: async () => { await execute(`drop schema ${schema} cascade`) } }
}
