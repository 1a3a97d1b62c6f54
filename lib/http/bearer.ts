import { MissingTokenError } from '../errors/authentication.js'
import { authorizationHeader, malformed, presented, type CredentialSource } from './credentials.js'

export type { CredentialSource } from './credentials.js'

/** How nearly every client writes it; the same rules as below, in one step. */
const USUAL = 'Bearer '
/** RFC 6750, section 2.1. */
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/**
 * The bearer token of a request, from its Authorization header and nowhere else.
 *
 * Throws {@link MissingTokenError} for no credentials, an empty Bearer or
 * another scheme, and `InvalidAuthorizationError` for a header that is
 * malformed, repeated, or names two methods.
 */
export function bearerToken (request: CredentialSource): string {
  const header = authorizationHeader(request)
  if (header.startsWith(USUAL)) {
    const token = header.slice(USUAL.length)
    if (B64TOKEN.test(token)) return token
  }
  const { scheme, value } = presented(header)
  if (scheme !== 'bearer' || value === '') throw new MissingTokenError()
  if (!B64TOKEN.test(value)) throw malformed('malformed')
  return value
}
