// Sign-in at a provider, for a page that keeps a verifier (RFC 7636): what comes back is of use to this window alone.

/** Of this window, until it is closed or comes back. */
const KEPT = 'under way at a provider'

/** One of the server's `oauth.redirects`: this page. */
const { origin, pathname, search } = window.location
const redirectTo = origin + pathname

/**
 * What the server is asked with: where this page waits, and the digest of a
 * verifier that stays here. `kept` is what the page wants to have again when it
 * comes back.
 */
export async function prepare (kept) {
  if (crypto.subtle === undefined) throw new Error('This needs https, or a browser on the machine of the server.')
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)))
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  sessionStorage.setItem(KEPT, JSON.stringify({ ...kept, verifier }))
  return { redirect_to: redirectTo, code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: 'S256' }
}

/** What the provider answered, as the server wants it, and what was kept; undefined where this page was opened in another way. */
export function cameBack () {
  const query = Object.fromEntries(new URLSearchParams(search))
  if (query.state === undefined) return undefined
  // Neither the history nor a bookmark has the code.
  window.history.replaceState(null, '', redirectTo)
  const { verifier, ...kept } = JSON.parse(sessionStorage.getItem(KEPT) ?? '{}')
  sessionStorage.removeItem(KEPT)
  // Somebody else's link leads to somebody else's account.
  if (verifier === undefined) throw new Error('That answer of a provider is for a sign-in that did not begin in this window.')
  if (query.error === 'access_denied') return { kept, denied: true }
  const { code, state, iss, error } = query
  return { kept, answer: { code, state, iss, error, code_verifier: verifier } }
}

function base64url (bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
