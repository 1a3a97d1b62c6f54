import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import authPlugin, { authRoutes, authServerOptions, type IssuerOptions, type OAuthOptions } from 'fastify-bouncer'
import { accountPage } from './account-page.js'
import { keepAuditLog } from './audit-log.js'
import { intoFolder, writeMails } from './mail.js'
import { keepMailbox } from './mailbox.js'
import { onboarding } from './onboarding.js'
import { onboardingPage } from './onboarding-page.js'
import { routes } from './routes.js'
import { seed } from './seed.js'
import type { ServerSettings } from './settings.js'
import { signing } from './signing.js'

/** What the example API is made with. */
export interface AppSettings extends Pick<ServerSettings, 'secret' | 'store' | 'ephemeralStore' | 'dataDir' | 'logLevel'> {
  encryptionKey: string
  oauth: OAuthOptions
}

/** The example API: it signs people in itself, by their accounts at a provider too, and trusts the tokens of another. */
export async function createApp (settings: AppSettings, identityProvider: IssuerOptions): Promise<FastifyInstance> {
  const { secret, encryptionKey, oauth, store, ephemeralStore, dataDir, logLevel } = settings
  const app = Fastify({ ...authServerOptions, logger: { level: logLevel } })

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'fastify-bouncer example', version: '1.0.0', description: 'Sign in with POST /auth/login, press Authorize, and paste the access_token of the answer.' }
    }
  })

  // Awaited, and before the routes: so the plugin sees each of them.
  await app.register(authPlugin, {
    issuers: [
      // Its own tokens, for the sessions of its accounts.
      { issuer: 'https://api.example.com', audience: 'example-api', jwt: { secret } },
      identityProvider
    ],
    store,
    ephemeralStore,
    // Second factors; what authenticator applications show beside a code.
    encryptionKey,
    mfa: { name: 'fastify-bouncer example' },
    // Sign-in with an account that somebody has elsewhere.
    oauth,
    onboarding: onboarding(dataDir),
    // Beside bearer tokens, for machines: see GET /machines.
    basic: true,
    errorHandler: 'all'
  })
  const auditLog = join(dataDir, 'audit.jsonl')
  keepAuditLog(app.bouncer.events, auditLog)
  writeMails(app.bouncer.events, intoFolder(join(dataDir, 'mail')))

  await app.register(authRoutes, { prefix: '/auth' })
  await app.register(routes, { auditLog })
  await app.register(signing)
  await app.register(accountPage)
  await app.register(onboardingPage, { mailbox: keepMailbox(app.bouncer.events) })

  // After the plugin too. Its own routes ask for nobody.
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { persistAuthorization: true } })

  await seed(app.bouncer.users)
  return app
}
