import Fastify from 'fastify'
import authPlugin, { authRoutes } from '../../index.js'
import { redisStore } from '../../lib/store/redis.js'
import { postgresStore } from '../../lib/store/sql.js'
import { cheapHash } from '../accounts.js'
import { options } from '../build.js'

// One of several servers on the same stores. Its settings come as JSON in the
// environment; it sends its port, or why it did not start, and ends when told to.

interface Settings {
  postgres: string
  redis: string
  prefix: string
  gracePeriod: number
  /** Attempts per address; all of a test's come from one. */
  perAddress: number
}

const { postgres, redis, prefix, gracePeriod, perAddress } = JSON.parse(process.env['SETTINGS'] ?? '') as Settings
const limit = { max: perAddress, window: 300, lockout: 600 }

// Under a loader that compiles each file, on a machine that is busy, a start takes its time.
const app = Fastify({ pluginTimeout: 120_000, keepAliveTimeout: 3000 })
await app.register(authPlugin, {
  ...options,
  store: postgresStore(postgres),
  ephemeralStore: redisStore(redis, { prefix }),
  passwords: { ...cheapHash, common: false },
  sessions: { gracePeriod },
  attempts: { login: { address: limit }, refresh: { account: { max: 1000, window: 300, lockout: 600 } } }
})
await app.register(authRoutes, { prefix: '/auth' })
app.get('/guarded', { onRequest: [app.requireUser()] }, async (request) => ({ id: request.user?.id }))

process.once('SIGTERM', () => { app.close().then(() => { process.disconnect() }, (error: unknown) => { throw error }) })
await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.({ address: app.listeningOrigin })
