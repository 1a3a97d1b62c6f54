import Fastify from 'fastify'
import fastifyJwt from '@fastify/jwt'
import { audience, body, issuer, requiredClaims } from './claims.js'
import { listenFastify } from './listen.js'

/** Bare `@fastify/jwt` with the same checks, in the hook that its README shows. */
export async function start ({ key, algorithm, cache = false }) {
  const app = Fastify()
  await app.register(fastifyJwt, {
    secret: algorithm === 'HS256' ? key.secret : { public: key.public, private: key.private },
    verify: { algorithms: [algorithm], allowedIss: issuer, allowedAud: audience, requiredClaims, cache }
  })
  async function authenticate (request, reply) {
    try {
      await request.jwtVerify()
    } catch (err) {
      reply.send(err)
    }
  }
  app.get('/me', { onRequest: [authenticate] }, async () => body)
  return await listenFastify(app)
}
