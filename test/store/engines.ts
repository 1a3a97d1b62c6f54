import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Test } from 'tap'
import type { Clock } from '../../lib/clock.js'

// Databases for tests. Where none runs the tests say that they were skipped, but in CI, where that is a failure.

const postgresUrl = process.env['DATABASE_URL'] ?? 'postgres://root@127.0.0.1:5432/test'
export const redisUrl = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'

async function whyNot (name: string, reach: () => Promise<unknown>): Promise<string | false> {
  try {
    await reach()
    return false
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    return `${name} does not run here`
  }
}

/** Runs one statement on a connection of its own. */
export async function onPostgres<Row extends object> (text: string, values: unknown[] = [], url = postgresUrl): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}

/** A client of Redis, closed when the test ends. */
export function onRedis (t: Test): Redis {
  const redis = new Redis(redisUrl)
  t.teardown(() => redis.disconnect())
  return redis
}

/** For the `skip` of a test: false where PostgreSQL runs. */
export const noPostgres = (): Promise<string | false> => whyNot('PostgreSQL', () => onPostgres('select 1'))

/** For the `skip` of a test: false where Redis runs. */
export const noRedis = (): Promise<string | false> => whyNot('Redis', async () => {
  const redis = new Redis(redisUrl, { lazyConnect: true, retryStrategy: null })
  redis.on('error', () => {})
  await redis.connect()
  redis.disconnect()
})

/** Address of an empty schema of PostgreSQL, which is dropped when the test ends. */
export async function postgresSchema (t: Test): Promise<string> {
  const name = `bouncer_${randomUUID().replaceAll('-', '')}`
  await onPostgres(`create schema ${name}`)
  t.teardown(() => onPostgres(`drop schema ${name} cascade`))
  const url = new URL(postgresUrl)
  url.searchParams.set('options', `-c search_path=${name}`)
  return url.href
}

/** Name of a file that is not there yet; its directory goes when the test ends. */
export async function sqliteFile (t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fastify-bouncer-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'auth.db')
}

/** A prefix that no other test has. */
export const redisPrefix = (): string => `test:${randomUUID()}:`

/** A clock that goes when it is told to. */
export interface TestClock {
  now: Clock
  advance (milliseconds: number): void
}

export function testClock (start = Date.UTC(2030, 0, 1)): TestClock {
  let time = start
  return { now: () => time, advance: (milliseconds) => { time += milliseconds } }
}

/** Waits until something holds. */
export async function until (holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}
