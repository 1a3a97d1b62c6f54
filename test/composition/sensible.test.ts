import sensible from '@fastify/sensible'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import authPlugin from '../../index.js'
import { bearer, options, refused, server } from '../build.js'

async function routes (app: FastifyInstance): Promise<void> {
  await app.register(sensible)
  const asked = { config: { auth: { roles: ['admin'] } } }
  app.get('/unauthorized', asked, async () => { throw app.httpErrors.unauthorized('sign in elsewhere') })
  app.get('/forbidden', asked, async () => { throw app.httpErrors.forbidden() })
  app.get('/sent', asked, (_request, reply) => { reply.forbidden('not here') })
  app.get('/headers', asked, async () => { throw app.httpErrors.createError(401, 'basic', { headers: { 'www-authenticate': 'Basic realm="theirs"' } }) })
  app.get('/teapot', asked, async () => { throw app.httpErrors.imateapot() })
  app.get('/assert', asked, async () => { app.assert(false, 403, 'asserted') })
  app.get('/fault', asked, async () => { throw app.httpErrors.internalServerError('of theirs') })
}

for (const errorHandler of ['auth', false] as const) {
  t.test(`errors of @fastify/sensible on guarded routes stay theirs, errorHandler ${errorHandler}`, async (t) => {
    const plain = server(t)
    await routes(plain)
    const app = server(t)
    await app.register(authPlugin, { ...options, errorHandler })
    await routes(app)
    const headers = bearer({ role: 'admin' })
    for (const url of ['/unauthorized', '/forbidden', '/sent', '/headers', '/teapot', '/assert', '/fault']) {
      const { date: _, ...expected } = (await plain.inject({ url, headers })).headers
      const found = await app.inject({ url, headers })
      const { date, ...headersFound } = found.headers
      t.equal(found.body, (await plain.inject({ url, headers })).body)
      t.strictSame(headersFound, expected, url)
      t.equal((await app.inject(url)).statusCode, 401)
      if (errorHandler === 'auth') refused(t, await app.inject({ url, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
    }
  })
}
