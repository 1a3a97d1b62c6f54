import type { LightMyRequestResponse } from 'fastify'
import { decodeJwt, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { memoryStore } from '../../../index.js'
import { clock, mailed, password, tokensOf } from '../../accounts.js'
import { refused, secret } from '../../build.js'
import { newKey } from '../../keys.js'
import { logged } from '../../log-lines.js'
import { baseUrl, oauthAccounts, redirectTo, verifierOf, type OAuthApp } from '../../oauth.js'
import { codeOf, encryptionKey } from '../../totp.js'
import { watched } from '../../watched-store.js'

const INVALID = 'The sign-in attempt is invalid or has expired.'
const FAILED = 'The sign-in provider did not answer correctly.'

/** Refused as an attempt that is invalid, and nobody signed in. */
function invalid (t: Test, app: OAuthApp, response: LightMyRequestResponse): void {
  refused(t, response, 400, 'OAUTH_STATE_INVALID', INVALID)
  nobody(t, app)
}

/** Refused as a provider that fails, in the same words whatever it said, and nobody signed in. */
function failed (t: Test, app: OAuthApp, response: LightMyRequestResponse): void {
  refused(t, response, 502, 'OAUTH_PROVIDER_ERROR', FAILED)
  t.strictSame(response.json().extra, { code: 'OAUTH_PROVIDER_ERROR' })
  nobody(t, app)
}

function nobody (t: Test, { happened }: OAuthApp): void {
  for (const name of ['user_login', 'user_created', 'oauth_account_linked'] as const) t.strictSame(happened(name), [], `no ${name}`)
}

/** An application at whose provider Ada has an account with a verified address. */
async function withAda (t: Test, ...given: Parameters<typeof oauthAccounts> extends [Test, ...infer Rest] ? Rest : never): Promise<OAuthApp> {
  const app = await oauthAccounts(t, ...given)
  app.provider.people.set('ada', { email: 'ada@example.com', email_verified: true })
  return app
}

t.test('attack: no state, or one that was made up', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = new URLSearchParams(await app.visit(begun, 'ada'))
  const state = String(query.get('state'))
  const asked = app.provider.asked.length
  const [id = '', sealed = ''] = state.split('.')
  const changed = `${id}.${sealed.slice(0, 40)}${sealed[40] === 'A' ? 'B' : 'A'}${sealed.slice(41)}`
  for (const forged of [undefined, '', 'x', '.', `${id}.`, sealed, changed, state.slice(0, -1), state.slice(0, 60), `${state}AAAA`, `x${state}`, `AAAAAAAA.${sealed}`, '\u0000', '{}', 'eyJhbGciOiJub25lIn0.e30.']) {
    const made = new URLSearchParams(query)
    if (forged === undefined) made.delete('state')
    else made.set('state', forged)
    invalid(t, app, await app.comeBack(`?${made}`, begun.cookie))
  }
  t.equal(app.provider.asked.length, asked, 'the provider was not asked')
  t.strictSame([...new Set(app.happened('oauth_failed').map(({ reason }) => reason))], ['OAUTH_STATE_INVALID: missing', 'OAUTH_STATE_INVALID: unknown'])
  t.equal((await app.comeBack(`?${query}`, begun.cookie)).statusCode, 200, 'the right one still works')
})

t.test('attack: neither code nor error, which uses nothing up', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = new URLSearchParams(await app.visit(begun, 'ada'))
  const without = new URLSearchParams(query)
  without.delete('code')
  invalid(t, app, await app.comeBack(`?${without}`, begun.cookie))
  t.equal((await app.comeBack(`?${query}`, begun.cookie)).statusCode, 200)
})

t.test('attack: a state that was used before', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  t.equal((await app.comeBack(query, begun.cookie)).statusCode, 200)
  const asked = app.provider.asked.length
  refused(t, await app.comeBack(query, begun.cookie), 400, 'OAUTH_STATE_INVALID', INVALID)
  t.equal(app.provider.asked.length, asked, 'the provider was not asked')
  t.equal(app.happened('user_login').length, 1)
})

t.test('attack: a state used up by an attempt that failed', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  app.provider.answerWith('/token', {}, 500)
  failed(t, app, await app.comeBack(query, begun.cookie))
  app.provider.answerAgain()
  invalid(t, app, await app.comeBack(query, begun.cookie))
})

t.test('race: one callback that comes twenty times at once signs in once', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  const answers = await Promise.all([...Array(20)].map(() => app.comeBack(query, begun.cookie)))
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, ...Array(19).fill(400)])
  t.equal(app.provider.asked.filter((path) => path === '/token').length, 1)
})

t.test('attack: the state of another browser', async (t) => {
  const app = await withAda(t)
  const [mine, theirs] = [await app.begin(), await app.begin()]
  const query = await app.visit(theirs, 'ada')
  const asked = app.provider.asked.length
  invalid(t, app, await app.call('GET', `/oauth/acme/callback${query}`))
  const [name = ''] = theirs.cookie.split('=')
  const [, value = ''] = mine.cookie.split('=')
  for (const cookie of ['', mine.cookie, `${name}=${value}`, `${name}=`, `${name}=x`, `${name.replace('__Host-', '')}=${theirs.cookie.split('=')[1]}`, `x${theirs.cookie}`, '=;;=', `__proto__=${value}`]) {
    invalid(t, app, await app.comeBack(query, cookie))
  }
  t.equal(app.provider.asked.length, asked, 'the provider was not asked')
  const { cookie } = theirs
  t.equal((await app.comeBack(query, `a=b; ${mine.cookie}; ${cookie}; c=d`)).statusCode, 200, 'whoever began it still can, whatever other cookies there are')
})

t.test('attack: log-in CSRF, with a callback of the attacker\'s in the victim\'s browser', async (t) => {
  const app = await withAda(t)
  app.provider.people.set('mallory', { email: 'mallory@example.com', email_verified: true })
  const attacker = await app.begin()
  const query = await app.visit(attacker, 'mallory')
  const victim = await app.begin()
  invalid(t, app, await app.comeBack(query, victim.cookie))
})

t.test('attack: a state that has expired', async (t) => {
  const pass = clock(t)
  const app = await withAda(t)
  const [early, late] = [await app.begin(), await app.begin()]
  const [first, second] = [await app.visit(early, 'ada'), await app.visit(late, 'ada')]
  pass(600)
  invalid(t, app, await app.comeBack(second, late.cookie))
  pass(-1)
  app.provider.answerWith('/token', await app.provider.tokens({ nonce: new URL(early.url).searchParams.get('nonce'), email: 'ada@example.com', email_verified: true }))
  t.equal((await app.comeBack(first, early.cookie)).statusCode, 200, 'a second before it has not')
})

t.test('attack: mix-up, the answer to one provider at the callback of another', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  const response = await app.call('GET', `/oauth/other/callback${query}`, undefined, undefined, { cookie: begun.cookie })
  invalid(t, app, response)
})

t.test('attack: mix-up, an answer that names another issuer, or none where the provider names itself', async (t) => {
  const app = await withAda(t)
  for (const iss of ['https://other.example', `${app.provider.url}/`, '', undefined]) {
    const begun = await app.begin()
    const query = new URLSearchParams(await app.visit(begun, 'ada'))
    if (iss === undefined) query.delete('iss')
    else query.set('iss', iss)
    invalid(t, app, await app.comeBack(`?${query}`, begun.cookie))
  }
  t.notOk(app.provider.asked.includes('/token'), 'no code went anywhere')
})

t.test('attack: a code that was used before, in an attempt of its own', async (t) => {
  const app = await withAda(t)
  const first = await app.begin()
  const stolen = new URLSearchParams(await app.visit(first, 'ada'))
  const before = await app.comeBack(`?${stolen}`, first.cookie)
  t.equal(before.statusCode, 200)
  const second = await app.begin()
  const query = new URLSearchParams(await app.visit(second, 'ada'))
  query.set('code', String(stolen.get('code')))
  refused(t, await app.comeBack(`?${query}`, second.cookie), 400, 'OAUTH_STATE_INVALID', INVALID)
  t.equal(app.happened('user_login').length, 1)
})

t.test('attack: code injection, a fresh code of the victim in an attempt of the attacker', async (t) => {
  const app = await withAda(t)
  const victim = new URLSearchParams(await app.visit(await app.begin(), 'ada'))
  const attacker = await app.begin()
  const query = new URLSearchParams(await app.visit(attacker, 'mallory'))
  query.set('code', String(victim.get('code')))
  invalid(t, app, await app.comeBack(`?${query}`, attacker.cookie))
})

t.test('attack: an ID token of another attempt, another issuer, or another application', async (t) => {
  const cases: Array<[name: string, claims: Record<string, unknown>, refusal: typeof invalid]> = [
    ['nonce of another attempt', { nonce: 'of-another-attempt' }, invalid],
    ['no nonce', { nonce: undefined }, failed],
    ['another issuer', { iss: 'https://other.example' }, invalid],
    ['another audience', { aud: 'another-application' }, failed],
    ['several audiences, for another party', { aud: ['an-application', 'another'], azp: 'another' }, failed],
    ['expired', { exp: 1 }, failed],
    ['no subject', { sub: undefined }, failed],
    ['an empty subject', { sub: '' }, failed],
    ['a subject with a control character', { sub: 'ada\u0000' }, failed],
    ['a subject that is too long', { sub: 'a'.repeat(256) }, failed]
  ]
  for (const [name, claims, refusal] of cases) {
    await t.test(name, async (t) => {
      const app = await withAda(t)
      const begun = await app.begin()
      const query = await app.visit(begun, 'ada')
      app.provider.answerWith('/token', await app.provider.tokens({ nonce: new URL(begun.url).searchParams.get('nonce'), email: 'ada@example.com', email_verified: true, ...claims }))
      refusal(t, app, await app.comeBack(query, begun.cookie))
    })
  }
})

t.test('attack: an ID token that somebody else has signed, or nobody', async (t) => {
  const stranger = newKey('rsa')
  const signers: Record<string, (claims: Record<string, string>) => Promise<string>> = {
    'another key': async (claims) => await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).setIssuedAt().setExpirationTime('5m').sign(stranger.privateKey),
    'the client secret': async (claims) => await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().setExpirationTime('5m').sign(Buffer.from('the secret of an application')),
    nobody: async (claims) => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ ...claims, iat: 1, exp: 9_999_999_999 })).toString('base64url')}.`,
    'nobody, in no form': async () => 'a.b.c'
  }
  for (const [name, sign] of Object.entries(signers)) {
    await t.test(name, async (t) => {
      const app = await withAda(t)
      const begun = await app.begin()
      const query = await app.visit(begun, 'ada')
      const nonce = String(new URL(begun.url).searchParams.get('nonce'))
      const idToken = await sign({ iss: app.provider.url, aud: 'an-application', sub: 'ada', nonce, email: 'ada@example.com' })
      app.provider.answerWith('/token', { access_token: 'x', token_type: 'Bearer', id_token: idToken })
      failed(t, app, await app.comeBack(query, begun.cookie))
    })
  }
})

t.test('a provider that is down, or answers nonsense', async (t) => {
  const { lines, serverOptions, text } = logged()
  const html = '<!doctype html><script>c4n4ry</script>'
  const nonsense: Record<string, (app: OAuthApp, path: string) => Promise<void> | void> = {
    'a cut wire': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.destroy() }) },
    'an error page': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.writeHead(500, { 'content-type': 'text/html' }).end(html) }) },
    'a page': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.writeHead(200, { 'content-type': 'text/html' }).end(html) }) },
    'a page that says it is JSON': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.writeHead(200, { 'content-type': 'application/json' }).end(html) }) },
    'nothing, with status 200': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.writeHead(200, { 'content-type': 'application/json' }).end() }) },
    'no content': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.writeHead(204).end() }) },
    null: ({ provider }, path) => { provider.answerWith(path, null) },
    'a list': ({ provider }, path) => { provider.answerWith(path, ['c4n4ry']) },
    'an empty object': ({ provider }, path) => { provider.answerWith(path, {}) },
    'an error': ({ provider }, path) => { provider.answerWith(path, { error: 'invalid_client', error_description: 'c4n4ry\r\nset-cookie: x=y' }, 401) },
    'an error of no known kind': ({ provider }, path) => { provider.answerWith(path, { error: { c4n4ry: 1 } }, 400) },
    'a redirect': ({ provider }, path) => { provider.answerInstead(path, (response) => { response.writeHead(302, { location: 'http://169.254.169.254/' }).end() }) },
    'more than anybody reads': ({ provider }, path) => {
      provider.answerInstead(path, (response) => { response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ access_token: 'c4n4ry'.repeat(300_000) })) })
    }
  }
  for (const [name, prepare] of Object.entries(nonsense)) {
    await t.test(`${name} in place of its description`, async (t) => {
      const app = await withAda(t, {}, {}, serverOptions)
      await prepare(app, '/.well-known/openid-configuration')
      const response = await app.call('GET', '/oauth/acme/authorize')
      failed(t, app, response)
      t.notMatch(JSON.stringify(response.headers), /c4n4ry|set-cookie/, 'and no attempt began')
      app.provider.answerAgain()
      t.equal((await app.begin()).response.statusCode, 302, 'it is asked again once it answers')
    })
    for (const path of ['/token', '/jwks', '/me']) {
      await t.test(`${name} from ${path}`, async (t) => {
        const app = await withAda(t, {}, {}, serverOptions)
        const begun = await app.begin()
        const query = await app.visit(begun, 'ada')
        await prepare(app, path)
        failed(t, app, await app.comeBack(query, begun.cookie))
      })
    }
  }

  await t.test('nothing listens at its address', async (t) => {
    const app = await withAda(t)
    const begun = await app.begin()
    const query = await app.visit(begun, 'ada')
    await app.provider.stop()
    failed(t, app, await app.comeBack(query, begun.cookie))
  })

  await t.test('it never answers', async (t) => {
    const app = await withAda(t)
    const begun = await app.begin()
    const query = await app.visit(begun, 'ada')
    app.provider.answerInstead('/token', undefined)
    failed(t, app, await app.comeBack(query, begun.cookie))
  })

  await t.test('operators read why, and no secret', async (t) => {
    t.notMatch(JSON.stringify(lines), /c4n4ry\\r|set-cookie: x=y/, 'what it says besides the code may repeat what was sent')
    t.match(lines.find(({ msg }) => /invalid_client/.test(String(msg))), { err: { code: 'OAUTH_PROVIDER_ERROR', provider: 'acme' } })
    const said = lines.filter(({ err }) => err !== undefined)
    t.ok(said.length > 40)
    t.notMatch(JSON.stringify(said), /the secret of an application|eyJ|[?&](code|state)=|c4n4ryc4n4ry/)
    t.notMatch(text(), /the secret of an application/)
  })
})

t.test('attack: the UserInfo of somebody else', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  app.provider.answerWith('/me', { sub: 'root', email: 'root@example.com', email_verified: true })
  failed(t, app, await app.comeBack(query, begun.cookie))
})

t.test('attack: a description that sends codes and secrets elsewhere, unencrypted', async (t) => {
  const app = await withAda(t)
  const description = await (await fetch(`${app.provider.url}/.well-known/openid-configuration`)).json() as Record<string, unknown>
  for (const changes of [{ issuer: 'https://other.example' }, { token_endpoint: 'http://other.example/token' }, { jwks_uri: 'http://other.example/jwks' }, { token_endpoint: 'file:///etc/passwd' }, { token_endpoint: 'c4n4ry' }, { authorization_endpoint: undefined }]) {
    const app = await withAda(t)
    app.provider.answerWith('/.well-known/openid-configuration', { ...description, issuer: app.provider.url, authorization_endpoint: `${app.provider.url}/auth`, token_endpoint: `${app.provider.url}/token`, jwks_uri: `${app.provider.url}/jwks`, userinfo_endpoint: undefined, ...changes })
    const first = await app.call('GET', '/oauth/acme/authorize')
    if (first.statusCode === 502) {
      failed(t, app, first)
      continue
    }
    const begun = await app.begin()
    const query = await app.visit(begun, 'ada')
    if ('jwks_uri' in changes) app.provider.answerWith('/token', await app.provider.tokens({ nonce: new URL(begun.url).searchParams.get('nonce') }))
    failed(t, app, await app.comeBack(query, begun.cookie))
  }
})

t.test('somebody who refuses at the provider is not signed in', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const query = await app.visit(begun, 'nobody')
  t.match(query, /error=access_denied/)
  failed(t, app, await app.comeBack(query, begun.cookie))
  invalid(t, app, await app.comeBack(query, begun.cookie))
})

const SPELLINGS = [
  'https://evil.example', 'https://evil.example/', '//evil.example', '///evil.example', '\\\\evil.example', '/\\evil.example', 'https:evil.example', 'https:/evil.example', 'https:\\\\evil.example',
  '/', '', '.', 'signed-in', 'app.example.com/signed-in', 'http://app.example.com/signed-in', 'HTTPS://APP.EXAMPLE.COM/signed-in', 'https://app.example.com', 'https://app.example.com/', 'https://app.example.com/signed-in/',
  'https://app.example.com/Signed-In', 'https://app.example.com//signed-in', 'https://app.example.com/./signed-in', 'https://app.example.com/x/../signed-in', 'https://app.example.com/%73igned-in', 'https://app.example.com:443/signed-in', 'https://app.example.com./signed-in',
  'https://app.example.com/signed-in?next=https://evil.example', 'https://app.example.com/signed-in#', 'https://app.example.com/signed-in#x', 'https://app.example.com/signed-in%00', 'https://app.example.com/signed-in ', ' https://app.example.com/signed-in', 'https://app.example.com/signed-in\t',
  'https://app.example.com@evil.example/signed-in', 'https://evil.example@app.example.com/signed-in', 'https://app.example.com:x@evil.example', 'https://app.example.com.evil.example/signed-in', 'https://evil.example/https://app.example.com/signed-in', 'https://evil.example?https://app.example.com/signed-in', 'https://evil.example#https://app.example.com/signed-in', 'https://app.example.com\\@evil.example', 'https://app.example.com%2f@evil.example', 'https://app.example.com%00.evil.example',
  'https://аpp.example.com/signed-in', 'https://app。example。com/signed-in', 'https://app.example.com/signed-in\r\nset-cookie: x=y', 'https://app.example.com/signed-in\u0000', '%68ttps://app.example.com/signed-in', 'https%3A%2F%2Fapp.example.com%2Fsigned-in',
  'javascript:alert(1)//app.example.com/signed-in', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'blob:https://app.example.com/x', 'about:blank', 'com.example.app:/other', 'com.example.app://cb', '*', 'https://*.example.com/signed-in', 'null', 'undefined', '[object Object]'
]

t.test('attack: open redirects in every spelling', async (t) => {
  const app = await withAda(t, { redirects: [redirectTo, 'com.example.app:/cb', 'https://app.example.com/with?query=1'] })
  const user = await app.signUp()
  const { body } = verifierOf()
  const { code_challenge: challenge } = body as { code_challenge: string }
  for (const spelling of SPELLINGS) {
    const asked = new URLSearchParams({ redirect_to: spelling, code_challenge: challenge })
    const response = await app.call('GET', `/oauth/acme/authorize?${asked}`)
    refused(t, response, 400, 'REQUEST_INVALID', 'The request is invalid.')
    t.equal(response.headers.location, undefined, spelling)
    if (spelling !== '') t.notOk(response.payload.includes(JSON.stringify(spelling).slice(1, -1)) && spelling.length > 4, 'and is not repeated')
    refused(t, await app.call('POST', '/oauth/acme/link', { ...body, redirect_to: spelling }, user.access_token), 400, 'REQUEST_INVALID')
  }
  for (const pair of [`redirect_to=${redirectTo}&redirect_to=https://evil.example`, `redirect_to[]=${redirectTo}`, `redirect_to=${redirectTo}`, `code_challenge=${challenge}`, `redirect_to=${redirectTo}&code_challenge=${challenge}&code_challenge_method=plain`, `redirect_to=${redirectTo}&code_challenge=${challenge}=`, `redirect_to=${redirectTo}&code_challenge=short`, `redirect_to=${redirectTo}&code_challenge=${'+'.repeat(43)}`, `redirect_uri=${redirectTo}`, 'next=https://evil.example']) {
    const response = await app.call('GET', `/oauth/acme/authorize?${pair}`)
    refused(t, response, 400, 'REQUEST_INVALID')
    t.equal(response.headers.location, undefined, pair)
  }
  for (const allowed of [redirectTo, 'com.example.app:/cb', 'https://app.example.com/with?query=1']) {
    const begun = await app.begin(`?${new URLSearchParams({ redirect_to: allowed, code_challenge: challenge })}`)
    const back = await app.comeBack(await app.visit(begun, 'ada'))
    t.equal(back.statusCode, 302)
    t.ok(String(back.headers.location).startsWith(`${allowed}${allowed.includes('?') ? '&' : '?'}code=`), allowed)
  }
})

t.test('attack: an answer of the provider that is not one, passed on to a client', async (t) => {
  const app = await withAda(t)
  const { query } = verifierOf()
  const back = new URLSearchParams(await app.visit(await app.begin(query), 'nobody'))
  t.equal(new URL(String((await app.comeBack(`?${back}`)).headers.location)).searchParams.get('error'), 'access_denied')
  back.set('error', '"><script>c4n4ry')
  back.set('error_description', 'c4n4ry')
  back.set('x', 'c4n4ry')
  const passed = new URL(String((await app.comeBack(`?${back}`)).headers.location)).searchParams
  t.strictSame([passed.get('error'), passed.has('error_description'), passed.has('x')], ['server_error', false, false])
})

t.test('attack: an answer that waits for a client, with another verifier or none', async (t) => {
  const app = await withAda(t)
  const { verifier, query, body } = verifierOf()
  const begun = await app.begin(query)
  t.equal(begun.cookie, '', 'no cookie is set for it')
  const answer = Object.fromEntries(new URLSearchParams(await app.visit(begun, 'ada')))
  for (const other of [verifierOf().verifier, verifier.toLowerCase(), `${verifier}x`, (body as { code_challenge: string }).code_challenge]) {
    invalid(t, app, await app.call('POST', '/oauth/acme/callback', { ...answer, code_verifier: other }))
  }
  for (const none of [{}, { code_verifier: '' }, { code_verifier: 'short' }, { code_verifier: null }, { code_verifier: [verifier] }]) {
    refused(t, await app.call('POST', '/oauth/acme/callback', { ...answer, ...none }), 400, 'REQUEST_INVALID')
  }
  const cookieOnly = await app.begin()
  const bound = Object.fromEntries(new URLSearchParams(await app.visit(cookieOnly, 'ada')))
  invalid(t, app, await app.call('POST', '/oauth/acme/callback', { ...bound, code_verifier: verifier }, undefined, { cookie: cookieOnly.cookie }))
  t.equal((await app.call('POST', '/oauth/acme/callback', { ...answer, code_verifier: verifier })).statusCode, 200)
  refused(t, await app.call('POST', '/oauth/acme/callback', { ...answer, code_verifier: verifier }), 400, 'OAUTH_STATE_INVALID')
})

t.test('attack: a link that the attacker began, visited by the victim', async (t) => {
  const app = await withAda(t)
  const attacker = await app.signUp()
  const begun = await app.beginLink(attacker.access_token)
  const query = await app.visit(begun, 'ada')
  const own = await app.begin()
  for (const cookie of ['', own.cookie]) refused(t, await app.comeBack(query, cookie), 400, 'OAUTH_STATE_INVALID', INVALID)
  t.strictSame(app.happened('oauth_account_linked'), [])
})

t.test('attack: a link that ends after its user was signed out, deactivated or deleted', async (t) => {
  const cases: Record<string, [what: (app: OAuthApp, user: { id: string, access_token: string }) => Promise<unknown>, status: number, code: string]> = {
    'signed out': [async ({ call }, { access_token: token }) => await call('POST', '/logout', undefined, token), 400, 'OAUTH_STATE_INVALID'],
    'signed out everywhere': [async ({ app }, { id }) => await app.bouncer.logoutAll(id), 400, 'OAUTH_STATE_INVALID'],
    'another password': [async ({ app }, { id }) => await app.bouncer.users.setPassword(id, 'another good password'), 400, 'OAUTH_STATE_INVALID'],
    deactivated: [async ({ app }, { id }) => await app.bouncer.users.update(id, { is_active: false }), 401, 'ACCOUNT_UNAVAILABLE'],
    deleted: [async ({ app }, { id }) => await app.bouncer.users.delete(id), 401, 'ACCOUNT_UNAVAILABLE']
  }
  for (const [name, [change, status, code]] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const app = await withAda(t)
      const user = await app.signUp()
      const begun = await app.beginLink(user.access_token)
      const query = await app.visit(begun, 'ada')
      await change(app, user)
      refused(t, await app.comeBack(query, begun.cookie), status, code)
      t.strictSame(app.happened('oauth_account_linked'), [])
    })
  }
})

t.test('attack: a link in a session that has lapsed meanwhile', async (t) => {
  const pass = clock(t)
  for (const [name, overrides] of Object.entries({ 'in any case': { sessions: { maxLifetime: 300 } }, 'without a refresh': { jwt: { secret, refreshTokenTtl: 300 } } })) {
    const app = await withAda(t, {}, overrides)
    const user = await app.signUp()
    const begun = await app.beginLink(user.access_token)
    const query = await app.visit(begun, 'ada')
    pass(300)
    refused(t, await app.comeBack(query, begun.cookie), 400, 'OAUTH_STATE_INVALID')
    t.strictSame(app.happened('oauth_account_linked'), [], name)
  }
})

t.test('race: a link whose user is signed out while it is stored', async (t) => {
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store })
  for (const [change, status, code] of [
    [async (id: string) => { await app.app.bouncer.users.setPassword(id, 'another good password') }, 400, 'OAUTH_STATE_INVALID'],
    [async (id: string) => { await app.app.bouncer.users.update(id, { is_active: false }) }, 401, 'ACCOUNT_UNAVAILABLE']
  ] as const) {
    const user = await app.signUp()
    const begun = await app.beginLink(user.access_token)
    const query = await app.visit(begun, 'ada')
    const held = store.hold('identities.insert')
    const answer = app.comeBack(query, begun.cookie)
    await held.reached
    await change(user.id)
    held.release()
    refused(t, await answer, status, code)
    t.strictSame([await store.identities.list(user.id), app.happened('oauth_account_linked')], [[], []])
  }
})

t.test('attack: pre-hijacking, an account that waits for its owner with a stranger\'s way in', async (t) => {
  const victim = 'victim@example.com'
  async function reset (app: OAuthApp): Promise<void> {
    await app.call('POST', '/password/forgot', { email: victim })
    t.equal((await app.call('POST', '/password/reset', { token: await mailed(app, 'password_reset_requested'), password: 'of the victim alone' })).statusCode, 204)
  }

  await t.test('made by the stranger', async (t) => {
    const app = await withAda(t)
    await app.call('POST', '/register', { email: victim, password })
    const { access_token: access } = await tokensOf(app.app.bouncer.login({ email: victim, password }))
    app.provider.people.set('mallory', { email: 'mallory@example.com', email_verified: true })
    t.equal((await app.link(access, 'mallory')).statusCode, 200)
    await reset(app)
    t.match(app.happened('oauth_account_unlinked'), [{ provider: 'acme', accountId: 'mallory' }])
    const { id } = await app.app.bouncer.users.find({ email: victim }) as { id: string }
    t.not(decodeJwt((await app.signIn('mallory')).json().access_token).sub, id)
    t.strictSame(await app.app.bouncer.oauth.accounts(id), [])
  })

  await t.test('and given the victim\'s address later', async (t) => {
    const app = await withAda(t)
    const mallory = await app.signUp()
    await app.link(mallory.access_token, 'ada')
    t.equal((await app.call('PATCH', '/me', { email: victim, current_password: password }, mallory.access_token)).statusCode, 200)
    await reset(app)
    t.strictSame(await app.app.bouncer.oauth.accounts(mallory.id), [])
  })

  await t.test('but whose address is verified keeps what is linked', async (t) => {
    const app = await withAda(t)
    const user = await app.signUp({ email: victim })
    await app.link(user.access_token, 'ada')
    await reset(app)
    t.equal((await app.app.bouncer.oauth.accounts(user.id)).length, 1)
  })
})

t.test('attack: a challenge of a sign-in whose account was unlinked meanwhile', async (t) => {
  const app = await withAda(t, {}, { encryptionKey, mfa: { required: true } })
  const { id } = await app.app.bouncer.users.create({ email: 'owner@example.com', password, is_verified: true })
  await app.app.bouncer.oauth.link(id, { provider: 'acme', subject: 'ada' })
  const response = await app.signIn('ada')
  const { session, secret: factor } = response.json()
  await app.app.bouncer.oauth.unlink(id, { provider: 'acme' })
  refused(t, await app.call('POST', '/login/challenge', { session, challenge_name: 'MFA_SETUP', code: codeOf(factor) }), 400, 'INVALID_CHALLENGE')
  t.match(await app.app.bouncer.mfa.status(id), { totp: false })

  await app.app.bouncer.oauth.link(id, { provider: 'acme', subject: 'ada' })
  const again = (await app.signIn('ada')).json()
  t.equal((await app.call('POST', '/login/challenge', { session: again.session, challenge_name: 'MFA_SETUP', code: codeOf(again.secret) })).statusCode, 200)
})

t.test('attack: a stolen access token does not link an account, nor unlink one', async (t) => {
  const pass = clock(t)
  const app = await withAda(t)
  const user = await app.signUp()
  await app.link(user.access_token, 'ada')
  pass(601)
  for (const [method, path] of [['POST', '/oauth/acme/link'], ['DELETE', '/oauth/acme']] as const) {
    const response = await app.call(method, path, {}, user.access_token)
    refused(t, response, 401, 'STEP_UP_REQUIRED')
    t.match(response.headers['www-authenticate'], /insufficient_user_authentication/)
    refused(t, await app.call(method, path, { current_password: 'guess' }, user.access_token), 400, 'INVALID_PASSWORD')
    refused(t, await app.call(method, path, {}), 401, 'MISSING_TOKEN')
  }
  t.equal((await app.call('POST', '/oauth/acme/link', { current_password: password }, user.access_token)).statusCode, 200)
  t.equal((await app.call('DELETE', '/oauth/acme', { current_password: password }, user.access_token)).statusCode, 204)
})

t.test('attack: tokens of other kinds in place of a state', async (t) => {
  const app = await withAda(t)
  const user = await app.signUp()
  for (const state of [user.access_token, user.refresh_token]) {
    refused(t, await app.comeBack(`?${new URLSearchParams({ code: 'x', state })}`), 400, 'OAUTH_STATE_INVALID')
  }
  const { url } = await app.begin()
  const state = String(new URL(url).searchParams.get('state'))
  refused(t, await app.call('POST', '/refresh', { refresh_token: state }), 401, 'TOKEN_INVALID')
  refused(t, await app.call('POST', '/login/challenge', { session: state, challenge_name: 'MFA_TOTP', code: '123456' }), 400, 'INVALID_CHALLENGE')
})

t.test('attack: a flood of attempts that are begun stores nothing', async (t) => {
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store })
  store.calls.length = 0
  for (let index = 0; index < 200; index++) t.equal((await app.begin()).response.statusCode, 302)
  t.strictSame(store.calls, [])
  t.equal(app.provider.asked.length, 1, 'and asks the provider once')
})

t.test('attack: a flood of callbacks is refused', async (t) => {
  const app = await withAda(t)
  for (let index = 0; index < 60; index++) refused(t, await app.comeBack('?code=x&state=y'), 400, 'OAUTH_STATE_INVALID')
  t.equal((await app.signIn('ada')).statusCode, 200, 'what a page of a stranger\'s sends in somebody\'s name locks nobody out')
  const attempt = async (): Promise<LightMyRequestResponse> => {
    const { url, cookie } = await app.begin()
    return await app.comeBack(`?${new URLSearchParams({ code: 'x', iss: app.provider.url, state: String(new URL(url).searchParams.get('state')) })}`, cookie)
  }
  for (let index = 0; index < 50; index++) refused(t, await attempt(), 400, 'OAUTH_STATE_INVALID')
  const asked = app.provider.asked.length
  const response = await attempt()
  refused(t, response, 429, 'RATE_LIMITED')
  t.ok(response.headers['retry-after'])
  t.equal(app.provider.asked.length, asked, 'the provider is spared')
})

t.test('attack: another Host', async (t) => {
  const app = await withAda(t)
  const response = await app.call('GET', '/oauth/acme/authorize', undefined, undefined, { host: 'evil.example' })
  t.equal(new URL(String(response.headers.location)).searchParams.get('redirect_uri'), `${baseUrl}/auth/oauth/acme/callback`, 'is not looked at where baseUrl is set')
  const open = await withAda(t, { baseUrl: undefined })
  for (const host of ['a b', 'api.example.com/evil?x=', 'u:p@evil.example', 'evil.example#', 'evil.example\\', 'evil.example:x', 'äpi.example', '[::1']) {
    refused(t, await open.call('GET', '/oauth/acme/authorize', undefined, undefined, { host }), 400, 'REQUEST_INVALID')
  }
  t.equal((await open.call('GET', '/oauth/acme/authorize', undefined, undefined, { host: '[::1]:3000' })).statusCode, 302)
  await open.provider.register('http://api.local:3000/auth/oauth/acme/callback')
  const begun = await open.call('GET', '/oauth/acme/authorize', undefined, undefined, { host: 'api.local:3000' })
  t.equal(new URL(String(begun.headers.location)).searchParams.get('redirect_uri'), 'http://api.local:3000/auth/oauth/acme/callback')
  const [cookie = ''] = [begun.headers['set-cookie'] ?? []].flat()
  t.match(cookie, /^bouncer-oauth-[\w-]{10}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/, 'without https, a cookie that http can have')
  const back = await open.comeBack((await open.provider.visit(String(begun.headers.location), 'ada')).search, cookie.replace(/;.*/, ''))
  t.equal(back.statusCode, 200)
})
