import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'

/** PostgreSQL and Redis for one run, with nothing in them, and nothing left of it afterwards. */
export interface FreshStores {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** How many users and how many keys there are by now. */
  contents (): Promise<{ users: number, keys: number }>
  drop (): Promise<void>
}

/** Those of DATABASE_URL and REDIS_URL, else the usual ones; undefined where they cannot be reached, but in CI, where that throws. */
export async function freshStores (env: NodeJS.ProcessEnv): Promise<FreshStores | undefined> {
  const name = `check_${randomUUID().replaceAll('-', '')}`
  const databaseUrl = new URL(env.DATABASE_URL || 'postgres://root@127.0.0.1:5432/test')
  const redisUrl = new URL(env.REDIS_URL || 'redis://127.0.0.1:6379')
  const redis = new Redis(redisUrl.href, { lazyConnect: true, retryStrategy: null })
  redis.on('error', () => {})
  try {
    await redis.connect()
    await query(databaseUrl, `create schema ${name}`)
  } catch (error) {
    redis.disconnect()
    if (env.CI === 'true') throw error
    return undefined
  }
  databaseUrl.searchParams.set('options', `-c search_path=${name}`)
  redisUrl.searchParams.set('keyPrefix', `${name}:`)

  return {
    databaseUrl: databaseUrl.href,
    redisUrl: redisUrl.href,
    async contents () {
      const [row] = await query(databaseUrl, 'select count(*) as users from bouncer_users')
      return { users: Number(row?.users), keys: (await keysOf(redis, name)).length }
    },
    async drop () {
      await query(databaseUrl, `drop schema ${name} cascade`)
      const keys = await keysOf(redis, name)
      if (keys.length > 0) await redis.del(keys)
      redis.disconnect()
    }
  }
}

async function keysOf (redis: Redis, name: string): Promise<string[]> {
  return (await redis.scanStream({ match: `${name}:*` }).toArray()).flat() as string[]
}

async function query (url: URL, text: string): Promise<Array<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 5000 })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
