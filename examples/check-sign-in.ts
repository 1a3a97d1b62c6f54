import assert from 'node:assert/strict'

// What a browser does at the sign-in provider, without one: it follows redirects, keeps cookies, and sends a form.

/** The answer at the end of the way, of the callback. */
export interface Ending {
  status: number
  body: { access_token?: string, account_id?: string, extra?: { code: string } }
}

/** A browser that has been nowhere yet: cookies by name, since all of it is on one machine. */
function browser () {
  const cookies = new Map<string, string>()
  return async (url: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    return response
  }
}

/** Somebody signs in with their account at Acme; or, with a token, links it. */
export async function throughAcme (origin: string, accountId: string, token?: string): Promise<Ending> {
  const visit = browser()
  let response = token === undefined
    ? await visit(`${origin}/auth/oauth/acme/authorize`)
    : await visit(`${origin}/auth/oauth/acme/link`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  let url = token === undefined ? response.headers.get('location') : (await response.json() as { authorization_url: string }).authorization_url
  while (url !== null) {
    const address: string = url
    response = await visit(address)
    if (response.status === 200 && !address.startsWith(origin)) {
      assert.match(await response.text(), new RegExp(`value="${accountId}"`))
      response = await visit(address, { method: 'POST', body: new URLSearchParams({ person: accountId }) })
    }
    const location = response.headers.get('location')
    url = location === null ? null : new URL(location, address).href
  }
  return { status: response.status, body: await response.json() as Ending['body'] }
}
