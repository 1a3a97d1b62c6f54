import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { createSigner } from 'fastify-bouncer'

/** What the shop signs its requests with. Both sides know it; here it is another one each time the server starts. */
export const shopSecret = randomBytes(32).toString('hex')

/** A link that works for a minute, and a request of another server that works once. */
export async function signing (app: FastifyInstance): Promise<void> {
  const signer = createSigner({ secret: randomBytes(32).toString('hex'), purpose: 'monthly report' })

  app.get('/monthly-report/link', {
    schema: { summary: 'A link for somebody who has no account' },
    onRequest: [app.requireUser()]
  }, async () => ({ url: signer.signUrl('/monthly-report?month=july', { expiresIn: 60 }) }))

  app.get<{ Querystring: { month: string } }>('/monthly-report', {
    schema: { summary: 'A signed URL: whoever has the link' },
    onRequest: [app.requireSignedUrl({ signer })],
    config: { auth: false }
  }, async (request) => ({ month: request.query.month }))

  app.post('/hooks/shop', {
    schema: { summary: 'A signed request: the shop, and each request once' },
    preHandler: [app.requireSignedRequest({ keys: { shop: shopSecret } })],
    config: { auth: false }
  }, async (request) => ({ from: request.signedBy, order: request.body }))
}
