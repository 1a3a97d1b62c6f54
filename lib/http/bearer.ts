import { InvalidAuthorizationError, MissingTokenError } from '../errors/authentication.js'

/** The parts of a request that credentials are read from. */
export interface CredentialSource {
  headers: { authorization?: unknown }
  raw: { rawHeaders: readonly string[] }
}

const NAME = 'authorization'
/** How nearly every client writes it; the same rules as below, in one step. */
const USUAL = 'Bearer '
/** `scheme SP credentials` (RFC 9110, section 11.4); no alternatives overlap, so matching is linear. */
const CREDENTIALS = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?: +(.*))?$/s
/** RFC 6750, section 2.1. */
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
/** A second method in a field that takes one: `, scheme SP credentials`. Parameters (`, name=value`) are not. */
const SECOND_METHOD = /,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +[^\s=,]/
/** Quoted values may hold commas. An open quote ends with the header, so that no part is read twice. */
const QUOTED = /"(?:[^"\\]|\\.)*"?/gs

/**
 * The bearer token of a request, from its Authorization header and nowhere else.
 *
 * Throws {@link MissingTokenError} for no credentials, an empty Bearer or
 * another scheme, and {@link InvalidAuthorizationError} for a header that is
 * malformed, repeated, or names two methods.
 */
export function bearerToken (request: CredentialSource): string {
  const header = request.headers.authorization
  if (header === undefined) throw new MissingTokenError()
  if (typeof header !== 'string' || isRepeated(request.raw.rawHeaders)) throw malformed('repeated')
  if (header === '') throw new MissingTokenError()
  if (header.startsWith(USUAL)) {
    const token = header.slice(USUAL.length)
    if (B64TOKEN.test(token)) return token
  }
  const match = CREDENTIALS.exec(header)
  if (match === null) throw malformed('malformed')
  const [, scheme = '', credentials = ''] = match
  if (SECOND_METHOD.test(header.replace(QUOTED, ''))) throw malformed('two methods')
  if (scheme.toLowerCase() !== 'bearer' || credentials === '') throw new MissingTokenError()
  if (!B64TOKEN.test(credentials)) throw malformed('malformed')
  return credentials
}

// Node drops all but the first of several Authorization headers, and so would
// let two readers of one request see two identities.
function isRepeated (rawHeaders: readonly string[]): boolean {
  let seen = false
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length !== NAME.length || name.toLowerCase() !== NAME) continue
    if (seen) return true
    seen = true
  }
  return false
}

function malformed (reason: string): InvalidAuthorizationError {
  return new InvalidAuthorizationError({ reason })
}
