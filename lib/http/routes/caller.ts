import type { FastifyRequest } from 'fastify'
import type { User } from '../../context.js'
import { TokenInvalidError } from '../../errors/authentication.js'
import { bearerToken } from '../bearer.js'

/** The access token of a request whose caller is known. */
export const tokenOf: (request: FastifyRequest) => string = bearerToken

/** The user of these accounts who asks. Rejects with the 401 classes. */
export type CallerOf = (request: FastifyRequest) => Promise<User>

/**
 * Users are known by issuer and subject together (RFC 7519, section 4.1.2): one
 * of another issuer, whose tokens the application accepts as well, may have the
 * id of a user here, and must not have the account.
 */
export function callers (issuer: string): CallerOf {
  return async (request) => {
    const user = await request.authenticate()
    const { iss } = user.claims as Record<string, unknown>
    if (iss !== issuer) throw new TokenInvalidError({ reason: 'issuer', message: 'A user of another issuer has no account here' })
    return user
  }
}
