import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { jwt } from 'hono/jwt'
import { audience, body, issuer } from '../apps/claims.js'
import { listenHttp } from '../apps/listen.js'
import { complete, cryptoKey } from './keys.js'

/** hono with its JWT middleware, on Node. */
export async function start ({ key, algorithm }) {
  const app = new Hono()
  app.use('/me', jwt({ secret: await cryptoKey(key, algorithm), alg: algorithm, verification: { iss: issuer, aud: audience } }))
  app.get('/me', (context) => complete(context.get('jwtPayload')) ? context.json(body) : context.json({ error: 'claims' }, 401))
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
  await new Promise((resolve) => { server.once('listening', resolve) })
  return await listenHttp(server)
}
