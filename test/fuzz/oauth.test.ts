import fc from 'fast-check'
import { test, type Test } from 'tap'
import { authServerOptions, memoryStore } from '../../index.js'
import { checkProfile } from '../../lib/flow/oauth/profile.js'
import { refusalOf } from '../../lib/flow/oauth/refusals.js'
import { AuthError } from '../../lib/errors.js'
import { logged } from '../log-lines.js'
import { oauthAccounts, verifierOf, type OAuthApp } from '../oauth.js'
import { thrown } from '../thrown.js'
import { campaign } from './campaign.js'

const CANARY = 'c4n4ry'
const text = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'binary', maxLength: 30 }), fc.constantFrom('', 'x'.repeat(5000), '\u0000', '%00', '\r\nset-cookie: x=y', '__proto__')).map((value) => `${CANARY}${value.toWellFormed()}`)

async function withAda (t: Test): Promise<OAuthApp & { lines: Array<{ level: number }> }> {
  const { lines, serverOptions } = logged('error')
  const app = await oauthAccounts(t, {}, { store: memoryStore(), attempts: false, errorHandler: 'all' }, { ...authServerOptions, ...serverOptions })
  app.provider.people.set('ada', { email: 'ada@example.com', email_verified: true })
  return { ...app, lines }
}

test('any answer at the callback of an attempt: refused as one that is none, and nothing of it comes back', async (t) => {
  const app = await withAda(t)
  const { verifier, query } = verifierOf()
  const [bound, waiting] = [await app.begin(), await app.begin(query)]
  const states = [bound, waiting].map(({ url }) => String(new URL(url).searchParams.get('state')))
  const parts = fc.record({
    code: fc.option(text),
    state: fc.option(fc.oneof(text, fc.tuple(fc.constantFrom(...states), fc.nat(600), fc.constantFrom('A', '.', '', '=')).map(([state, at, put]) => `${state.slice(0, at)}${put}${state.slice(at + 1)}`))),
    iss: fc.option(text),
    error: fc.option(text),
    extra: fc.option(text)
  })
  const cookie = fc.oneof(fc.constant(bound.cookie), text.map((value) => value.replace(/[^\x20-\x7e]/g, '')), fc.constant(''))
  await campaign(t, 1500, fc.asyncProperty(parts, cookie, fc.constantFrom('GET', 'form', 'JSON'), async (given, cookie, how) => {
    const sent = Object.fromEntries(Object.entries(given).flatMap(([name, value]) => value === null || states.includes(value) ? [] : [[name, value]])) as Record<string, string>
    const form = new URLSearchParams(sent)
    const response = how === 'GET'
      ? await app.comeBack(`?${form}`, cookie)
      : how === 'JSON'
        ? await app.call('POST', '/oauth/acme/callback', { ...sent, code_verifier: verifier }, undefined, { cookie })
        : await app.app.inject({ method: 'POST', url: '/auth/oauth/acme/callback', payload: String(form), headers: { 'content-type': 'application/x-www-form-urlencoded', cookie } })
    const said = JSON.stringify([response.payload, response.headers])
    if (response.statusCode === 303) {
      if (!String(response.headers.location).startsWith('?')) throw new Error(`leads elsewhere: ${said}`)
      return
    }
    if (response.statusCode !== 400 || !/OAUTH_STATE_INVALID|REQUEST_INVALID/.test(response.payload)) throw new Error(`not refused: ${response.statusCode} ${said}`)
    if (said.includes(CANARY)) throw new Error(`something of the request came back: ${said}`)
  }))
  t.strictSame([app.happened('user_login'), app.lines], [[], []])
  t.strictSame(app.provider.asked.filter((path) => path === '/token'), [], 'the provider was asked for nothing')
})

test('any JSON from a provider: nobody is signed in, and the process lives', async (t) => {
  const app = await withAda(t)
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), text, fc.constantFrom({}, [], null, true, 0, 'Bearer', 'a.b.c'))
  const tokens = fc.oneof(value, fc.dictionary(fc.constantFrom('access_token', 'token_type', 'id_token', 'expires_in', 'refresh_token', 'scope', 'error', '__proto__'), value, { maxKeys: 7 }))
  await campaign(t, 400, fc.asyncProperty(fc.constantFrom('/token', '/me'), tokens, async (path, body) => {
    const begun = await app.begin()
    const query = await app.visit(begun, 'ada')
    app.provider.answerWith(path, body)
    try {
      const response = await app.comeBack(query, begun.cookie)
      if (response.statusCode !== 502 && !(response.statusCode === 400 && path === '/token')) throw new Error(`${path}: ${response.statusCode} ${response.payload}`)
      if (response.payload.includes(CANARY)) throw new Error(`something of the provider's came out: ${response.payload}`)
    } finally {
      app.provider.answerAgain()
    }
  }))
  t.strictSame(app.happened('user_login'), [])
  t.equal((await app.signIn('ada')).statusCode, 200)
})

test('any profile: a subject that can be kept, or a refusal', async (t) => {
  await campaign(t, 5000, fc.property(fc.record({ subject: fc.anything(), email: fc.anything(), emailVerified: fc.anything() }, { requiredKeys: [] }), (profile) => {
    try {
      const { subject, email, emailVerified } = checkProfile('acme', profile as never)
      if (typeof subject !== 'string' || subject === '' || subject.length > 255) throw new Error('a subject that is none')
      if (emailVerified && email === undefined) throw new Error('no address is verified')
    } catch (error) {
      if ((error as AuthError).code !== 'OAUTH_PROVIDER_ERROR') throw error
    }
  }))
})

test('any fault is a class of ours, and its sentence is bounded', async (t) => {
  const faults = [...Object.values(thrown).map((make) => make()), { message: CANARY.repeat(100) }, { error: 'invalid_grant' }, { code: 'OAUTH_INVALID_RESPONSE', cause: { message: '"iss"' } }, { code: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED', cause: null }, Object.assign(new Error('x\r\ny'), { cause: new Error('z\u0000') })]
  for (const fault of faults) {
    const error = refusalOf('acme', fault)
    t.ok(error instanceof AuthError)
    t.ok(error.message.length <= 210)
    t.notMatch(error.message, /\p{Cc}/u)
  }
})
