import { AuthUnavailableError, ConfigurationError } from '../errors/operation.js'
import type { EphemeralOnlyStore } from './contract.js'
import { loadEngine } from './engine.js'
import { redisEphemeral, type RedisClient } from './redis/ephemeral.js'

export type { EphemeralOnlyStore } from './contract.js'
export type { RedisClient } from './redis/ephemeral.js'

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** What every key starts with. Default `bouncer:`. */
  prefix?: string
  /** How long a command, or a connection, may take, in seconds; for a client that is made from an address. Default 2. */
  timeout?: number
}

/**
 * A store in Redis 6.2 or later for what expires, through ioredis: from an
 * address, or with a client that the application has (`app.redis`), which is
 * used as it is and never closed. Throws {@link ConfigurationError} for what is
 * neither, and when opened without ioredis installed.
 */
export function redisStore (urlOrClient: string | RedisClient, { prefix = 'bouncer:', timeout = 2 }: RedisStoreOptions = {}): EphemeralOnlyStore {
  if (typeof urlOrClient !== 'string') {
    if (typeof urlOrClient?.call !== 'function') throw new ConfigurationError({ option: 'ephemeralStore', message: 'redisStore takes an address such as redis://127.0.0.1:6379, or a client of ioredis.' })
    return { name: 'redis', ephemeral: redisEphemeral(() => urlOrClient, prefix) }
  }
  // The address may hold a password: no message repeats it.
  if (!/^rediss?:\/\//.test(urlOrClient)) throw new ConfigurationError({ option: 'ephemeralStore', message: 'redisStore: an address starts with redis:// or rediss://.' })
  if (!(timeout > 0)) throw new ConfigurationError({ option: 'timeout', message: 'redisStore: timeout must be above 0.' })

  let opened: Promise<OwnClient> | undefined
  let client: OwnClient | undefined
  return {
    name: 'redis',
    ephemeral: redisEphemeral(() => {
      if (client === undefined) throw new AuthUnavailableError({ dependency: 'redis', message: 'The Redis store is not open.' })
      return client
    }, prefix),

    async open () {
      opened ??= connect(urlOrClient, timeout * 1000)
      try {
        client = await opened
      } catch (error) {
        opened = undefined
        throw error
      }
    },

    async close () {
      client?.disconnect()
      client = opened = undefined
    }
  }
}

interface OwnClient extends RedisClient {
  disconnect (): void
}

async function connect (url: string, timeout: number): Promise<OwnClient> {
  const { Redis } = await loadEngine(() => import('ioredis'), 'ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeout,
    commandTimeout: timeout,
    disconnectTimeout: timeout,
    // While Redis is away a command fails at once. One that was under way is not sent again: it may have been carried out.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempts) => Math.min(attempts * 100, timeout)
  })
  // Without a listener ioredis prints each one. The command that meets the fault reports it, but for
  // what went wrong on the way to a connection: that is then only called closed.
  let fault: unknown
  client.on('error', (error) => { fault = error })
  try {
    await client.connect()
  } catch (cause) {
    client.disconnect()
    throw new AuthUnavailableError({ dependency: 'redis', message: 'Redis cannot be reached.', cause: fault ?? cause })
  }
  return {
    disconnect: () => client.disconnect(),
    async call (...args) {
      try {
        return await client.call(...args)
      } catch (error) {
        // A connection over which nothing comes any more is given up, and another one made.
        if (error instanceof Error && error.message === 'Command timed out') client.disconnect(true)
        throw error
      }
    }
  }
}
