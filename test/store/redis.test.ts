import t from 'tap'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { AuthUnavailableError, ConfigurationError } from '../../lib/errors/operation.js'
import { available } from '../../lib/store/available.js'
import type { EphemeralOnlyStore } from '../../lib/store/contract.js'
import { redisStore, type RedisClient, type RedisStoreOptions } from '../../lib/store/redis.js'
import { ephemeralConforms } from './conformance-ephemeral.js'
import { noRedis, onRedis, redisPrefix, redisUrl, until } from './engines.js'
import { proxy } from './proxy.js'

const skip = await noRedis()
const hour = 3_600_000
/** A machine may be slow: limits are long unless a test is about them. */
const patient = 30

async function opened (t: import('tap').Test, url = redisUrl, options: RedisStoreOptions = {}): Promise<EphemeralOnlyStore> {
  const store = redisStore(url, { timeout: patient, ...options })
  t.teardown(() => store.close?.())
  await store.open?.()
  return store
}

t.test('options that cannot be meant', async (t) => {
  for (const url of ['', 'localhost', 'http://user:hunter2@localhost']) {
    t.throws(() => redisStore(url), new ConfigurationError({ option: 'ephemeralStore', message: 'redisStore: an address starts with redis:// or rediss://.' }))
  }
  for (const client of [undefined, null, {}, 7]) t.throws(() => redisStore(client as RedisClient), { name: 'ConfigurationError', message: /a client of ioredis/ })
  for (const timeout of [0, -1, NaN]) t.throws(() => redisStore(redisUrl, { timeout }), { name: 'ConfigurationError', option: 'timeout' })
})

t.test('a server that is not there', async (t) => {
  const store = redisStore('redis://:hunter2@127.0.0.1:1')
  const closed = { name: 'AuthUnavailableError', message: 'The Redis store is not open.' }
  await t.rejects(store.ephemeral.get('k'), closed)
  const error = await store.open?.().catch((error: unknown) => error) as AuthUnavailableError
  t.ok(error instanceof AuthUnavailableError)
  t.equal(error.dependency, 'redis')
  t.notMatch(JSON.stringify([error.message, error.stack, error.context()]), /hunter2/)
  await t.rejects(store.ephemeral.get('k'), closed)
  await store.close?.()
})

t.test('a server that hangs up', async (t) => {
  const server = createServer((socket) => { socket.once('data', () => socket.end()) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  await t.rejects(async () => await redisStore(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`).open?.(), { name: 'AuthUnavailableError', dependency: 'redis', cause: Error })
})

t.test('the contract, by address and by a client of the application', { skip }, async (t) => {
  const prefix = redisPrefix()
  const redis = onRedis(t)
  const [store, other] = [await opened(t, redisUrl, { prefix }), redisStore(redis, { prefix })]
  ephemeralConforms(t, async () => {
    const keys = await redis.keys(`${prefix}*`)
    if (keys.length > 0) await redis.del(keys)
    return { store, other }
  })
  t.teardown(async () => { await redis.del(await redis.keys(`${prefix}*`)) })
})

t.test('lifetimes', { skip }, async (t) => {
  const prefix = redisPrefix()
  const redis = onRedis(t)
  const { ephemeral } = await opened(t, redisUrl, { prefix })
  /** That a key has about this time left, on a machine that may be slow. */
  const lasts = async (key: string, ttl: number): Promise<void> => {
    const left = await redis.pttl(prefix + key)
    t.ok(left > ttl - hour / 2 && left <= ttl, `${key}: ${left} of ${ttl}`)
  }
  const limit = { ttl: hour, limit: 3, limitTtl: 3 * hour }

  t.test('each key has one', async (t) => {
    await ephemeral.add('add', 'v', hour)
    await lasts('add', hour)
    await ephemeral.set('set', 'v', hour)
    await ephemeral.set('set', 'w', 3 * hour)
    await lasts('set', 3 * hour)
    t.equal(await ephemeral.replace('add', 'v', 'w'), true)
    await lasts('add', hour)
  })

  t.test('of a count', async (t) => {
    const ttls = []
    for (const [count, ttl] of [[1, hour], [2, hour], [3, 3 * hour], [4, 3 * hour], [4, 3 * hour]] as const) {
      const answer = await ephemeral.increment('count', limit)
      t.equal(answer.count, count)
      t.ok(answer.ttl <= ttl && answer.ttl > ttl - hour / 2)
      ttls.push(answer.ttl)
      await lasts('count', ttl)
    }
    t.ok((ttls[4] as number) <= (ttls[2] as number), 'later counts do not prolong it')
    await ephemeral.increment('down', limit)
    await ephemeral.decrement('down', 3)
    await lasts('down', hour)
    const locked = await ephemeral.increment('one', { ...limit, limit: 1 })
    t.ok(locked.ttl > 2 * hour, 'a limit of one locks with the first')
  })

  t.test('end', async (t) => {
    await ephemeral.set('short', 'v', 30)
    await ephemeral.increment('counted', { ttl: 30, limit: 3, limitTtl: hour })
    await until(async () => await ephemeral.get('short') === undefined && await redis.exists(`${prefix}counted`) === 0)
    t.equal(await ephemeral.replace('short', 'v', 'w'), false)
    t.equal(await ephemeral.take('short'), undefined)
    t.equal(await ephemeral.add('short', 'w', 0.4), true, 'below a millisecond is one')
    t.equal((await ephemeral.increment('counted', limit)).count, 1)
    await until(async () => await ephemeral.get('short') === undefined)
    t.pass()
  })

  t.test('that are none', async (t) => {
    for (const ttl of [NaN, Infinity]) {
      await t.rejects(ephemeral.add('never', 'v', ttl))
      await t.rejects(ephemeral.set('never', 'v', ttl))
      await t.rejects(ephemeral.increment('never', { ttl, limit: 3, limitTtl: ttl }))
    }
    t.equal(await redis.exists(`${prefix}never`), 0)
  })

  t.test('attack: a count without lifetime would lock somebody out for good', async (t) => {
    await redis.set(`${prefix}stuck`, 99)
    t.equal((await ephemeral.increment('stuck', limit)).count, 1)
    await lasts('stuck', hour)
  })
  t.teardown(async () => { await redis.del(await redis.keys(`${prefix}*`)) })
})

t.test('scripts that Redis has forgotten are told again', { skip }, async (t) => {
  const prefix = redisPrefix()
  const redis = onRedis(t)
  const { ephemeral } = await opened(t, redisUrl, { prefix })
  for (const count of [1, 2]) {
    await redis.script('FLUSH')
    t.equal((await ephemeral.increment('k', { ttl: hour, limit: 5, limitTtl: hour })).count, count)
  }
  await redis.del(`${prefix}k`)
  await redis.set(`${prefix}text`, 'no number', 'PX', hour)
  await t.rejects(ephemeral.increment('text', { ttl: hour, limit: 5, limitTtl: hour }), 'another fault of a script is told')
  await redis.del(`${prefix}text`)
})

t.test('a client of the application', { skip }, async (t) => {
  const prefix = redisPrefix()
  const redis = new Redis(redisUrl, { keyPrefix: prefix })
  t.teardown(() => redis.disconnect())
  const store = redisStore(redis)
  await store.open?.()
  await store.ephemeral.set('k', 'v', hour)
  t.equal((await store.ephemeral.increment('n', { ttl: hour, limit: 5, limitTtl: hour })).count, 1)
  await store.close?.()
  t.equal(redis.status, 'ready', 'it is not closed')
  t.equal(await redis.get('bouncer:k'), 'v', 'and its own prefix stands before ours')
  t.equal(await redis.get('bouncer:n'), '1')
  t.notOk('bouncer' in redis || Object.keys(redis).some((name) => /increment|replace/.test(name)), 'nothing was added to it')
  await redis.del('bouncer:k', 'bouncer:n')
})

t.test('opening and closing', { skip }, async (t) => {
  const prefix = redisPrefix()
  const store = redisStore(redisUrl, { prefix, timeout: patient })
  await Promise.all([store.open?.(), store.open?.()])
  await store.ephemeral.set('k', 'v', hour)
  await store.close?.()
  await store.close?.()
  await t.rejects(store.ephemeral.get('k'), AuthUnavailableError)
  await store.open?.()
  t.equal(await store.ephemeral.take('k'), 'v', 'it can be opened again')
  await store.close?.()
})

t.test('a connection that is killed', { skip }, async (t) => {
  const prefix = redisPrefix()
  const redis = onRedis(t)
  const name = `test-${randomUUID()}`
  const safe = available(await opened(t, `${redisUrl}?connectionName=${name}`, { prefix }))
  await safe.ephemeral.set('k', 'v', hour)
  const list = String(await redis.client('LIST'))
  const id = /^id=(\d+)/.exec(list.split('\n').find((line) => line.includes(`name=${name} `)) as string)?.[1] as string
  t.equal(await redis.client('KILL', 'ID', id), 1)
  await until(async () => await safe.ephemeral.get('k').catch((error: unknown) => {
    t.ok(error instanceof AuthUnavailableError && error.dependency === 'ephemeral', 'meanwhile it is unavailable')
  }) === 'v')
  t.equal(await safe.ephemeral.take('k'), 'v', 'it recovers by itself')
})

t.test('a server that hangs, and one that is gone', { skip }, async (t) => {
  const prefix = redisPrefix()
  const wire = await proxy(t, redisUrl)
  const safe = available(await opened(t, wire.url, { prefix, timeout: 1 }))
  const works = (): Promise<boolean> => safe.ephemeral.set('k', 'v', hour).then(() => true, () => false)
  await until(works)
  wire.freeze()
  await t.rejects(safe.ephemeral.get('k'), { name: 'AuthUnavailableError', dependency: 'ephemeral' })
  wire.thaw()
  await until(works)
  t.equal(await safe.ephemeral.get('k'), 'v', 'it recovers by itself')
  wire.strand()
  await t.rejects(safe.ephemeral.get('k'), AuthUnavailableError)
  await until(works)
  t.equal(await safe.ephemeral.get('k'), 'v', 'a connection that is never heard of again is replaced')
  wire.freeze()
  wire.cut()
  await t.rejects(safe.ephemeral.get('k'), AuthUnavailableError)
  wire.thaw()
  await until(works)
  t.equal(await safe.ephemeral.take('k'), 'v')
})

t.test('race: a count that was under way when the connection broke is not made twice', { skip }, async (t) => {
  const prefix = redisPrefix()
  const redis = onRedis(t)
  const wire = await proxy(t, redisUrl)
  const { ephemeral } = await opened(t, wire.url, { prefix })
  await ephemeral.increment('k', { ttl: hour, limit: 50, limitTtl: hour })
  wire.freeze('answers')
  const counting = ephemeral.increment('k', { ttl: hour, limit: 50, limitTtl: hour })
  counting.catch(() => {})
  await until(async () => await redis.get(`${prefix}k`) === '2')
  wire.thaw()
  wire.cut()
  await t.rejects(counting)
  await until(() => ephemeral.get('k').then(() => true, () => false))
  t.equal(await redis.get(`${prefix}k`), '2')
  await redis.del(`${prefix}k`)
})

t.test('credentials that Redis does not take are told, and not repeated', { skip }, async (t) => {
  const url = new URL(redisUrl)
  url.username = 'nobody'
  url.password = 'hunter2'
  const error = await redisStore(url.href).open?.().catch((error: unknown) => error) as AuthUnavailableError
  t.match(error, { name: 'AuthUnavailableError', dependency: 'redis', cause: { message: /WRONGPASS/ } })
  t.notMatch(JSON.stringify([error.message, String(error.cause), error.context()]), /hunter2/)
})
