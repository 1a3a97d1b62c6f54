import type { Clock } from '../clock.js'
import { BadSignatureError, SignatureExpiredError } from '../errors/signing.js'
import { anyKey, mac } from '../random.js'
import { givenOptions } from './call-options.js'
import { isSeconds, SECONDS } from './whole-seconds.js'

/** How a URL is signed. */
export interface SignUrlOptions {
  /** Seconds from now, 1 or more, for which the URL works. There is no URL without an end. */
  expiresIn: number
  /** The one method it works with. Default `GET`, which stands for `HEAD` as well. */
  method?: string
}

/** Signs URLs: path and query as they stand, the method and the end. Not the host, no headers, no body. */
export interface UrlSigner {
  /**
   * The URL with `expires` and `signature` at the end of its query: a path such
   * as `/download/42?file=a`, or an address with http or https. Throws
   * {@link TypeError} for anything else, for a URL that has one of the two already,
   * and for a path that is another once it is sent, as one with `..` in it is.
   */
  signUrl (url: string, options: SignUrlOptions): string
  /**
   * When a URL ends, as it stands in the request line: a path and a query.
   * Throws {@link BadSignatureError} for one that was not signed so, and
   * {@link SignatureExpiredError} for one that has ended.
   */
  verifyUrl (target: string, options?: { method?: string }): { expiresAt: Date }
}

/** More than Node reads of a request line. */
const MAX_LENGTH = 16_384
const TAIL = /^&signature=([A-Za-z0-9_-]{43})$/
const TAIL_LENGTH = '&signature='.length + 43
const EXPIRES = new RegExp(`[?&]expires=(${SECONDS})$`)
/** What a URL loses, or turns into a slash, when it is sent: parts of dots, also escaped; backslashes; white space around it and control characters. */
const MOVING = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)|\\/i
const LOST = /^\s|\s$|\p{Cc}/u
/** For paths, which are no URL without a host. */
const NOWHERE = 'http://fastify-bouncer.invalid'

/** Signs URLs with the first key, and verifies with all. */
export function urlSigner (keys: readonly Buffer[], clock: Clock): UrlSigner {
  const seconds = (): number => Math.floor(clock() / 1000)

  function signUrl (url: string, options: SignUrlOptions): string {
    givenOptions(options, 'signUrl()', 'expiresIn', 'method')
    const { expiresIn, method = 'GET' } = options
    const expires = seconds() + expiresIn
    if (!isSeconds(expiresIn) || expiresIn === 0 || !isSeconds(expires)) throw new TypeError('expiresIn must be a whole number of seconds, 1 or more')
    const { origin, path, query, fragment } = parse(url)
    const target = `${path}${query === '' ? '?' : `${query}&`}expires=${expires}`
    if (target.length + TAIL_LENGTH > MAX_LENGTH) throw new TypeError(`signUrl() takes URLs of which no more than ${MAX_LENGTH} characters are sent`)
    const signature = mac(keys[0] as Buffer, methodOf(method), target).toString('base64url')
    return `${origin}${target}&signature=${signature}${fragment}`
  }

  // The very text that was signed, and the signature last. So there is nothing to
  // make equal before comparing: no order, no escapes, no second value of a name.
  function verifyUrl (target: string, options: { method?: string } = {}): { expiresAt: Date } {
    givenOptions(options, 'verifyUrl()', 'method')
    const method = methodOf(options.method === undefined ? 'GET' : options.method)
    if (typeof target !== 'string' || target.length > MAX_LENGTH) throw new BadSignatureError({ reason: 'malformed' })
    const signed = target.slice(0, -TAIL_LENGTH)
    const [, signature] = TAIL.exec(target.slice(-TAIL_LENGTH)) ?? []
    const [, expires] = EXPIRES.exec(signed) ?? []
    if (signature === undefined || expires === undefined) throw new BadSignatureError({ reason: 'malformed' })
    if (!anyKey(keys, signature, (key) => mac(key, method, signed).toString('base64url'))) throw new BadSignatureError({ reason: 'mismatch' })
    if (seconds() > Number(expires)) throw new SignatureExpiredError()
    return { expiresAt: new Date(Number(expires) * 1000) }
  }

  return Object.freeze({ signUrl, verifyUrl })
}

function methodOf (method: unknown): string {
  if (typeof method !== 'string' || !/^[A-Za-z-]+$/.test(method)) throw new TypeError('method must be a method of HTTP')
  const upper = method.toUpperCase()
  return upper === 'HEAD' ? 'GET' : upper
}

// As browsers and fetch() would send it, so that it comes back as it was signed.
function parse (url: unknown): { origin: string, path: string, query: string, fragment: string } {
  const isPath = typeof url === 'string' && url.startsWith('/')
  const isAddress = typeof url === 'string' && /^https?:\/\/[^/?#\\]/i.test(url)
  const parsed = (isPath || isAddress) && URL.canParse(url, NOWHERE) ? new URL(url, NOWHERE) : undefined
  // With two slashes, or what a browser reads as such, it would lead to another host.
  if (parsed === undefined || (isPath && parsed.origin !== NOWHERE) || parsed.pathname.startsWith('//') || parsed.username !== '' || parsed.password !== '') {
    throw new TypeError('signUrl() takes a path such as /download/42, or an address with http or https')
  }
  // What a path is made of may come from anybody: `/download/${name}` is signed for downloads.
  if (LOST.test(url as string) || MOVING.test(pathOf(url as string))) {
    throw new TypeError('signUrl() takes no path with . or .. or \\ in it, and no control characters: encode its parts with encodeURIComponent(), and refuse those that are . or ..')
  }
  for (const name of ['expires', 'signature']) {
    if (parsed.searchParams.has(name)) throw new TypeError(`signUrl() takes no URL with a parameter ${name}: that is its own`)
  }
  return { origin: isPath ? '' : parsed.origin, path: parsed.pathname, query: parsed.search, fragment: parsed.hash }
}

/** The path of a path or of an address, as it was written. */
function pathOf (url: string): string {
  return url.replace(/^https?:\/\/[^/?#\\]*/i, '').replace(/[?#].*$/s, '')
}
