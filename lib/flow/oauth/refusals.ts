import { AuthError } from '../../errors/auth-error.js'
import { OAuthProviderError, OAuthStateError } from '../../errors/oauth.js'

/** What `openid-client` says of a fault, wherever in it. */
interface LibraryFault {
  name?: unknown
  message?: unknown
  code?: unknown
  /** RFC 6749, sections 4.1.2.1 and 5.2. */
  error?: unknown
  cause?: unknown
}

/** Characters of a sentence. */
const MAX_TEXT = 200
/** As RFC 6749, section 5.2, has them. Descriptions beside them are not kept: some repeat what was sent, secrets among it. */
const ERROR = /^[a-z_]{1,64}$/
/** The code was used before, is another client's, or of another attempt; GitHub says it in its own way. */
const WRONG_CODE = new Set(['invalid_grant', 'bad_verification_code'])

/**
 * The class for a fault of the library, or of the provider. The fault itself is
 * not kept: it holds answers of the provider, and with them tokens.
 */
export function refusalOf (provider: string, fault: unknown): AuthError {
  if (fault instanceof AuthError) return fault
  const { code } = asFault(fault)
  const message = `${provider}: ${sentenceOf(fault)}`
  if (WRONG_CODE.has(errorOf(fault))) return new OAuthStateError({ reason: 'code', message })
  const claim = claimOf(fault)
  if (claim === 'nonce' || claim === 'iss') return new OAuthStateError({ reason: claim === 'nonce' ? 'nonce' : 'issuer', message })
  // RFC 9207: an answer of another issuer, or of one that does not say so.
  if (code === 'OAUTH_INVALID_RESPONSE' && /"iss"/.test(messageOf(asFault(fault).cause))) return new OAuthStateError({ reason: 'issuer', message })
  return new OAuthProviderError({ provider, message })
}

function asFault (value: unknown): LibraryFault {
  return typeof value === 'object' && value !== null ? value : {}
}

/** Which claim of an ID token was another one than expected. */
function claimOf (fault: unknown): unknown {
  const { code, cause } = asFault(fault)
  return code === 'OAUTH_JWT_CLAIM_COMPARISON_FAILED' ? (asFault(asFault(cause).cause) as { claim?: unknown }).claim : undefined
}

/** What operators read: the names of faults, down to the first. */
function sentenceOf (fault: unknown): string {
  const { cause } = asFault(fault)
  const own = [messageOf(fault), errorOf(fault)].filter((part) => part !== '').join(', ')
  const inner = cause instanceof Error ? `: ${messageOf(cause)}` : ''
  return (own + inner).slice(0, MAX_TEXT) || 'an unknown fault'
}

/** The code of an error that the provider answered, with whatever status. */
function errorOf (fault: unknown): string {
  const { error, cause } = asFault(fault)
  const { body } = asFault(asFault(cause).cause) as { body?: unknown }
  const code = error ?? asFault(body).error
  return typeof code === 'string' && ERROR.test(code) ? code : ''
}

function messageOf (fault: unknown): string {
  return textOf(asFault(fault).message)
}

function textOf (value: unknown): string {
  return typeof value === 'string' ? value.replace(/\p{Cc}/gu, ' ').slice(0, MAX_TEXT) : ''
}
