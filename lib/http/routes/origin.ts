import type { FastifyRequest } from 'fastify'
import type { Origin } from '../../events.js'

/** Where a request came from; `trustProxy` of the application decides which address that is. */
export function originOf ({ ip, headers }: FastifyRequest): Origin {
  const userAgent = headers['user-agent']
  return { address: ip, ...(userAgent !== undefined && { userAgent }) }
}
