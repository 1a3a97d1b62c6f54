import { TokenInvalidError } from '../errors/authentication.js'

/** The fields of a token's header that a key is looked up by. */
export interface TokenHeader {
  alg: string
  kid: string | undefined
}

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const MAX_KNOWN_HEADERS = 64
const MAX_KID_LENGTH = 512
// The last character of a segment carries four or two bits that decode to
// nothing. Unless they are zero, several spellings stand for the same bytes.
const LAST_OF_TWO = 'AQgw'
const LAST_OF_THREE = 'AEIMQUYcgkosw048'

/**
 * Takes the header off a token in the compact serialization (RFC 7515, section
 * 7.1). Nothing is verified yet, except that the token has one spelling only.
 * Headers read before may be kept in `known`: an issuer has a handful of them.
 *
 * Throws {@link TokenInvalidError}: `malformed`, or `token_type`.
 */
export function parseHeader (token: string, maxLength: number, known?: Map<string, TokenHeader>): TokenHeader {
  if (token.length > maxLength || !COMPACT.test(token)) throw malformed()
  const first = token.indexOf('.')
  const last = token.lastIndexOf('.')
  if (!isCanonical(token, 0, first) || !isCanonical(token, first + 1, last) || !isCanonical(token, last + 1, token.length)) throw malformed()
  const segment = token.slice(0, first)
  const seen = known?.get(segment)
  if (seen !== undefined) return seen
  const header = readHeader(parseObject(segment))
  if (known !== undefined) remember(known, segment, header)
  return header
}

// Made-up headers push out real ones, which are then read again: that costs
// time, not memory.
function remember (known: Map<string, TokenHeader>, segment: string, header: TokenHeader): void {
  if (known.size >= MAX_KNOWN_HEADERS) known.clear()
  known.set(segment, header)
}

/** The fields of a decoded header. Throws {@link TokenInvalidError}: `malformed`, or `token_type`. */
export function readHeader (header: Record<string, unknown>): TokenHeader {
  // RFC 7515, section 4.1.11: an extension that is critical and not understood
  // makes the token invalid. None is understood here, whatever `crit` holds.
  if (Object.hasOwn(header, 'crit')) throw malformed()
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') throw malformed()
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH)) throw malformed()
  if (typ !== undefined && !isAccessTokenType(typ)) throw new TokenInvalidError({ reason: 'token_type' })
  return { alg, kid }
}

/** The `iss` of a token that is not verified yet: to find out which issuer's keys to try, and for nothing else. */
export function peekIssuer (token: string): unknown {
  const claims = parseObject(token.slice(token.indexOf('.') + 1, token.lastIndexOf('.')))
  return Object.hasOwn(claims, 'iss') ? claims.iss : undefined
}

function parseObject (segment: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'))
  } catch {
    throw malformed()
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed()
  return value as Record<string, unknown>
}

function isCanonical (token: string, start: number, end: number): boolean {
  const rest = (end - start) % 4
  if (rest === 0) return true
  if (rest === 1) return false
  return (rest === 2 ? LAST_OF_TWO : LAST_OF_THREE).includes(token.charAt(end - 1))
}

// RFC 9068, section 4, and RFC 7519, section 5.1. A type of its own is how
// logout tokens, DPoP proofs and security events tell themselves apart.
function isAccessTokenType (typ: unknown): boolean {
  if (typeof typ !== 'string') return false
  const type = typ.toLowerCase()
  return type === 'jwt' || type === 'at+jwt' || type === 'application/at+jwt' || type === 'application/jwt'
}

function malformed (): TokenInvalidError {
  return new TokenInvalidError({ reason: 'malformed' })
}
