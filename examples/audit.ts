import { setTimeout as delay } from 'node:timers/promises'
import { securityContext } from 'fastify-bouncer'

/** Knows nothing of Fastify, is handed no user, and still lets only administrators read. */
export async function auditTrail (): Promise<object> {
  // Awaits, timers and callbacks do not lose the user.
  await delay(1)
  return await readTrail()
}

async function readTrail (): Promise<object> {
  const user = securityContext.requireRole('admin')
  return { hello: user.id, entries: ['eddie changed the newsletter'] }
}
