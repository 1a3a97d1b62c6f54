import type { EphemeralStore } from '../contract.js'
import { storedKey } from '../key.js'
import { decrementScript, incrementScript, replaceScript, type Script } from './scripts.js'

/** What is used of an ioredis client, of a cluster too. */
export interface RedisClient {
  call (...args: [command: string, ...args: Array<string | number>]): Promise<unknown>
}

/** Redis takes whole milliseconds, and none below one. */
const lifetime = (ttl: number): number => Math.max(1, Math.ceil(ttl))

/** What expires, in Redis: each verb is one command or one script. */
export function redisEphemeral (client: () => RedisClient, prefix: string): EphemeralStore {
  const at = (key: string): string => prefix + storedKey(key)

  /** By digest; a Redis that was restarted has to be told the script again. */
  async function run ({ lua, sha }: Script, key: string, ...args: Array<string | number>): Promise<unknown> {
    try {
      return await client().call('EVALSHA', sha, 1, at(key), ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await client().call('EVAL', lua, 1, at(key), ...args)
    }
  }

  const text = (answer: unknown): string | undefined => typeof answer === 'string' ? answer : undefined

  return {
    async add (key, value, ttl) { return await client().call('SET', at(key), value, 'PX', lifetime(ttl), 'NX') === 'OK' },
    async set (key, value, ttl) { await client().call('SET', at(key), value, 'PX', lifetime(ttl)) },
    async get (key) { return text(await client().call('GET', at(key))) },
    async take (key) { return text(await client().call('GETDEL', at(key))) },
    async replace (key, expected, value) { return await run(replaceScript, key, expected, value) === 1 },
    async delete (key) { await client().call('DEL', at(key)) },
    async increment (key, { ttl, limit, limitTtl }) {
      const [count, left] = await run(incrementScript, key, lifetime(ttl), limit, lifetime(limitTtl)) as [number, number]
      return { count: Number(count), ttl: Number(left) }
    },
    async decrement (key, below) { await run(decrementScript, key, below) }
  }
}
