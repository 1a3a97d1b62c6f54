import { isSecure } from '../../secure-url.js'
import { readBytes } from '../../token/read-limited.js'

/** A request as `openid-client` makes it. */
export type Fetch = (url: string, options: object) => Promise<Response>

/** More than any token or profile has. */
const MAX_BYTES = 1_048_576

/**
 * Requests to a provider: only by https, or to this machine; a redirect is an
 * answer like any other, and followed by nobody; what is too long is not read.
 * Throws for all of these.
 */
export function limitedFetch (fetch: Fetch = globalThis.fetch): Fetch {
  return async (address, options) => {
    const url = new URL(address)
    if (!isSecure(url)) throw new Error('The provider names an address that is not https')
    const response = await fetch(url.href, { ...options, redirect: 'manual' })
    const { status, headers } = response
    return new Response(NO_BODY.has(status) ? null : await readBytes(response, MAX_BYTES), { status, headers })
  }
}

const NO_BODY = new Set([101, 204, 205, 304])
