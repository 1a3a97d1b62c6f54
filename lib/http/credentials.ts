import { InvalidAuthorizationError, MissingTokenError } from '../errors/authentication.js'

/** The parts of a request that credentials are read from. */
export interface CredentialSource {
  headers: { authorization?: unknown }
  raw: { rawHeaders: readonly string[] }
}

/** Credentials as they came: a scheme in lower case, and what follows it. */
export interface Presented {
  readonly scheme: string
  readonly value: string
}

const NAME = 'authorization'
/** `scheme SP credentials` (RFC 9110, section 11.4); no alternatives overlap, so matching is linear. */
const CREDENTIALS = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?: +(.*))?$/s
/** A second method in a field that takes one: `, scheme SP credentials`. Parameters (`, name=value`) are not. */
const SECOND_METHOD = /,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +[^\s=,]/
/** Quoted values may hold commas. An open quote ends with the header, so that no part is read twice. */
const QUOTED = /"(?:[^"\\]|\\.)*"?/gs

/** The Authorization header of a request, which has one. Throws {@link MissingTokenError} for none, {@link InvalidAuthorizationError} for several. */
export function authorizationHeader (request: CredentialSource): string {
  const header = request.headers.authorization
  if (header === undefined) throw new MissingTokenError()
  if (typeof header !== 'string' || isRepeated(request.raw.rawHeaders)) throw malformed('repeated')
  if (header === '') throw new MissingTokenError()
  return header
}

/** The parts of a header. Throws {@link InvalidAuthorizationError} where it is malformed, or names two methods. */
export function presented (header: string): Presented {
  const match = CREDENTIALS.exec(header)
  if (match === null) throw malformed('malformed')
  const [, scheme = '', value = ''] = match
  if (SECOND_METHOD.test(header.replace(QUOTED, ''))) throw malformed('two methods')
  return { scheme: scheme.toLowerCase(), value }
}

/** What a header is refused with that cannot be read. */
export function malformed (reason: string): InvalidAuthorizationError {
  return new InvalidAuthorizationError({ reason })
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
