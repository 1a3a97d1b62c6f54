import Fastify from 'fastify'
import { body } from './claims.js'
import { listenFastify } from './listen.js'

/** Fastify without authentication: the noise gauge, and the floor. */
export async function start () {
  const app = Fastify()
  app.get('/me', async () => body)
  return await listenFastify(app)
}
