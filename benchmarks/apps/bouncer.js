import Fastify from 'fastify'
import { audience, body, issuer } from './claims.js'
import { listenFastify } from './listen.js'

/** This package. `plugin` are further options of its own; `build` is where its compiled form stands. */
export async function start ({ build, key, algorithm, cache = false, plugin = {}, stage = 'onRequest' }) {
  const { default: authPlugin } = await import(new URL('index.js', build).href)
  const app = Fastify()
  await app.register(authPlugin, { issuer, audience, jwt: { ...source(key, algorithm), cache }, ...plugin })
  app.get('/me', { [stage]: [app.requireUser()] }, async () => body)
  app.get('/admin', { [stage]: [app.requireRole('admin')] }, async () => body)
  return await listenFastify(app)
}

function source (key, algorithm) {
  if (key.jwksUrl !== undefined) return { jwksUrl: key.jwksUrl, algorithms: [algorithm] }
  return { secret: algorithm === 'HS256' ? key.secret : { public: key.public } }
}
