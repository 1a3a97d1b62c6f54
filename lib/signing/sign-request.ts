import { createHash } from 'node:crypto'
import { systemClock, type Clock } from '../clock.js'
import { randomToken, systemRandom, type RandomBytes } from '../random.js'
import { knownOptions } from './call-options.js'
import { contentDigest, messageMac, readMessageSignature, signatureBase, TARGET_COMPONENTS } from './message.js'
import { MIN_SECRET_BYTES, readSecrets } from './secrets.js'

/** A request to sign, and with what. */
export interface SignRequestOptions {
  /** Names the secret to the server: visible ASCII without quotes and backslashes, 128 characters at most. */
  keyId: string
  /** At least 32 bytes. */
  secret: string | Uint8Array
  /** Default `GET`. In upper case, but for those that `fetch()` puts in upper case itself: `patch` it sends as it is. */
  method?: string
  /** A path, or an address of which path and query are signed. */
  url: string
  /** The very bytes that will be sent; text as UTF-8. */
  body?: string | Uint8Array
  /** Other headers to sign, such as `content-type`. */
  headers?: Readonly<Record<string, string>>
  /** For tests. */
  clock?: Clock
  /** For tests. */
  random?: RandomBytes
}

/** What stands in a request line in upper case: fetch() makes it so for six methods alone (Fetch standard, section 2.2.1). */
const METHOD = /^[A-Z][A-Z-]*$/
const MENDED = /^(?:delete|get|head|options|post|put)$/i

/**
 * The headers of a request, with those of its signature among them:
 * `fetch(url, { method, body, headers: signRequest({ ... }) })`. HTTP Message
 * Signatures (RFC 9421) by HMAC-SHA-256 over method, path, query, Content-Digest
 * (RFC 9530) and the headers given, with the time and a nonce: each call makes
 * headers for one request.
 *
 * Throws {@link ConfigurationError} for a secret under 32 bytes, and
 * {@link TypeError} for what cannot be sent so.
 */
export function signRequest (options: SignRequestOptions): Record<string, string> {
  knownOptions(options, 'signRequest()', 'keyId', 'secret', 'method', 'url', 'body', 'headers', 'clock', 'random')
  const { keyId, method = 'GET', url, body = '', clock = systemClock, random = systemRandom } = options
  const [key] = readSecrets(options.secret, 'secret', MIN_SECRET_BYTES)
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('signRequest() takes a body as it will be sent: text or bytes')
  if (typeof keyId !== 'string') throw new TypeError('signRequest() needs a keyId')
  if (typeof method !== 'string' || !(METHOD.test(method) || MENDED.test(method))) throw new TypeError('signRequest() takes a method in upper case, as it will be sent, such as PATCH')
  const { pathname, search } = new URL(url, 'http://fastify-bouncer.invalid')
  const headers = Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  if (body.length > 0) headers['content-digest'] = contentDigest(createHash('sha256').update(body).digest())
  const components = [...TARGET_COMPONENTS, ...Object.keys(headers)]
  const list = components.map((name) => `"${name}"`).join(' ')
  const parameters = `(${list});created=${Math.floor(clock() / 1000)};nonce="${randomToken(random)}";keyid="${keyId}";alg="hmac-sha256"`
  const input = `sig1=${parameters}`
  try {
    const base = signatureBase({ method: method.toUpperCase(), target: pathname + search, headers }, components, parameters)
    const signature = `sig1=:${messageMac(key, base)}:`
    // No server would read a quote in a key id, for one.
    readMessageSignature(input, signature)
    return { ...headers, 'signature-input': input, signature }
  } catch (cause) {
    throw new TypeError('signRequest() takes a key id of 1 to 128 visible ASCII characters without quotes and backslashes, and headers in ASCII', { cause })
  }
}
