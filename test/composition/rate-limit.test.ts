import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { type AuthPluginOptions } from '../../index.js'
import { bearer, options, refused, server } from '../build.js'

async function limited (t: Test, plugin: AuthPluginOptions | undefined, first: 'limit' | 'bouncer'): Promise<FastifyInstance> {
  const app = server(t)
  const limit = async () => { await app.register(rateLimit, { max: 2, ban: 1, timeWindow: '1 hour' }) }
  if (first === 'limit') await limit()
  if (plugin !== undefined) await app.register(authPlugin, { ...options, ...plugin })
  if (first === 'bouncer') await limit()
  app.get('/', { config: plugin === undefined ? {} : { auth: { roles: ['admin'] } } }, async () => 'in')
  return app
}

for (const first of ['limit', 'bouncer'] as const) {
  for (const errorHandler of ['auth', false] as const) {
    t.test(`429 and the 403 of a ban stay those of @fastify/rate-limit: ${first} first, errorHandler ${errorHandler}`, async (t) => {
      const plain = await limited(t, undefined, first)
      const app = await limited(t, { errorHandler }, first)
      const request = { url: '/', headers: bearer({ role: 'admin' }) }
      const statuses = []
      for (let call = 0; call < 5; call++) {
        const expected = await plain.inject(request)
        const found = await app.inject(request)
        statuses.push(found.statusCode)
        t.equal(found.statusCode, expected.statusCode)
        t.equal(found.body, expected.body)
        t.strictSame(Object.keys(found.headers), Object.keys(expected.headers))
      }
      t.strictSame(statuses, [200, 200, 429, 403, 403])
    })
  }
}

t.test('with errorHandler all, 429 and 403 have our body, and keep their headers', async (t) => {
  const app = await limited(t, { errorHandler: 'all' }, 'limit')
  const request = { url: '/', headers: bearer({ role: 'admin' }) }
  for (let call = 0; call < 2; call++) t.equal((await app.inject(request)).statusCode, 200)
  const tooMany = await app.inject(request)
  t.equal(tooMany.statusCode, 429)
  t.strictSame(tooMany.json(), { status_code: 429, detail: 'Too Many Requests', extra: { code: 'TOO_MANY_REQUESTS' } })
  t.match(tooMany.headers, { 'retry-after': /^\d+$/, 'x-ratelimit-limit': '2' })
  const banned = await app.inject(request)
  t.equal(banned.statusCode, 403)
  t.strictSame(banned.json(), { status_code: 403, detail: 'Forbidden', extra: { code: 'FORBIDDEN' } })
})

t.test('in a root hook @fastify/rate-limit counts refusals too', async (t) => {
  const app = server(t)
  await app.register(rateLimit, { global: false })
  app.addHook('onRequest', app.rateLimit({ max: 2, timeWindow: '1 hour' }))
  await app.register(authPlugin, options)
  app.get('/', { config: { auth: true } }, async () => 'in')
  for (let call = 0; call < 2; call++) {
    const response = await app.inject('/')
    refused(t, response, 401, 'MISSING_TOKEN')
    t.equal(response.headers['x-ratelimit-remaining'], String(1 - call))
  }
  t.equal((await app.inject('/')).statusCode, 429)
})
