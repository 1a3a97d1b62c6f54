import Fastify, { type FastifyInstance } from 'fastify'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import authPlugin, { authServerOptions, type AuthPluginOptions } from 'fastify-bouncer'
import { routes } from './routes.js'

/** The example API. `issuer` is whom it trusts, as for any application behind an identity provider. */
export async function createApp (issuer: Pick<AuthPluginOptions, 'issuer' | 'audience' | 'jwt'>, logLevel: string): Promise<FastifyInstance> {
  const app = Fastify({ ...authServerOptions, logger: { level: logLevel } })

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'fastify-bouncer example', version: '1.0.0', description: 'Press Authorize and paste one of the tokens that `npm start` printed.' }
    }
  })

  // Awaited, and before the routes: so the plugin sees each of them.
  await app.register(authPlugin, { ...issuer, errorHandler: 'all' })
  await app.register(routes)

  // After the plugin too. Its own routes ask for nobody.
  await app.register(swaggerUi, { routePrefix: '/docs' })
  return app
}
