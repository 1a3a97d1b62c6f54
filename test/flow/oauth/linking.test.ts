import type { LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { memoryStore, OAuthAccountAlreadyLinkedError } from '../../../index.js'
import { password, tokensOf } from '../../accounts.js'
import { refused, token } from '../../build.js'
import { logged } from '../../log-lines.js'
import { baseUrl, oauthAccounts, verifierOf, type OAuthApp } from '../../oauth.js'
import { rejection } from '../../rejection.js'
import { encryptionKey, enrol, signInWith } from '../../totp.js'
import { watched } from '../../watched-store.js'

const ALREADY = 'This provider account is already linked to another user. One provider identity can only be linked to a single local account.'

async function withPeople (t: Test, ...given: Parameters<typeof oauthAccounts> extends [Test, ...infer Rest] ? Rest : never): Promise<OAuthApp> {
  const app = await oauthAccounts(t, ...given)
  for (const name of ['ada', 'eve']) app.provider.people.set(name, { email: `${name}@provider.example`, email_verified: true })
  return app
}

async function linked ({ call }: OAuthApp, access: string): Promise<string[]> {
  return (await call('GET', '/oauth/accounts', undefined, access)).json().items.map(({ provider, account_id: id }: Record<string, string>) => `${provider} ${id}`)
}

/** Refused in the generic sentence, and nothing of the other user anywhere. */
function taken (t: Test, response: LightMyRequestResponse, other: { id: string, email: string }): void {
  refused(t, response, 400, 'OAUTH_ACCOUNT_ALREADY_LINKED', ALREADY)
  t.strictSame(response.json(), { status_code: 400, detail: ALREADY, extra: { code: 'OAUTH_ACCOUNT_ALREADY_LINKED' } })
  const said = JSON.stringify([response.payload, response.headers])
  t.notOk(said.includes(other.id) || said.includes(other.email))
}

t.test('an account is linked, shown, used, and unlinked', async (t) => {
  const app = await withPeople(t)
  const user = await app.signUp()
  t.strictSame(await linked(app, user.access_token), [])
  t.equal((await app.call('POST', '/oauth/acme/link', undefined, user.access_token)).statusCode, 200, 'a body is not needed')
  const begun = await app.beginLink(user.access_token)
  t.strictSame([begun.response.statusCode, Object.keys(begun.response.json())], [200, ['authorization_url']])
  const response = await app.comeBack(await app.visit(begun, 'ada'), begun.cookie)
  t.equal(response.statusCode, 200)
  const { linked_at: at, last_used_at: used, ...account } = response.json()
  t.strictSame(account, { provider: 'acme', account_id: 'ada', email: 'ada@provider.example' })
  t.strictSame([Date.parse(at) > 0, Date.parse(used) > 0], [true, true])
  t.strictSame(app.happened('oauth_account_linked').map(({ user: { id }, provider, accountId }) => [id, provider, accountId]), [[user.id, 'acme', 'ada']])
  t.strictSame(await linked(app, user.access_token), ['acme ada'])

  const signedIn = await app.signIn('ada')
  t.equal((await app.call('GET', '/me', undefined, signedIn.json().access_token)).json().id, user.id)
  t.equal((await app.link(user.access_token, 'ada')).statusCode, 200, 'again, which changes nothing')
  t.equal(app.happened('oauth_account_linked').length, 1)

  t.equal((await app.call('DELETE', '/oauth/acme', {}, user.access_token)).statusCode, 204)
  t.match(app.happened('oauth_account_unlinked'), [{ user: { id: user.id }, provider: 'acme', accountId: null }])
  t.strictSame(await linked(app, user.access_token), [])
  t.equal((await app.call('DELETE', '/oauth/acme', undefined, user.access_token)).statusCode, 204, 'of what is not there, nothing is said')
  t.equal(app.happened('oauth_account_unlinked').length, 1)
  const stranger = await app.signIn('ada')
  t.not((await app.call('GET', '/me', undefined, stranger.json().access_token)).json().id, user.id, 'whoever signs in with it now is somebody else')
})

t.test('a client that keeps a verifier links as well', async (t) => {
  const app = await withPeople(t)
  const user = await app.signUp()
  const { verifier, body } = verifierOf()
  const begun = await app.beginLink(user.access_token, body)
  t.equal(begun.cookie, '')
  const back = new URL(String((await app.comeBack(await app.visit(begun, 'ada'))).headers.location))
  const response = await app.call('POST', '/oauth/acme/callback', { ...Object.fromEntries(back.searchParams), code_verifier: verifier })
  t.match(response.json(), { provider: 'acme', account_id: 'ada' })
  t.strictSame(await linked(app, user.access_token), ['acme ada'])
})

t.test('attack: one identity for two users', async (t) => {
  const { lines, serverOptions } = logged()
  const app = await withPeople(t, {}, {}, serverOptions)
  const [owner, other] = [await app.signUp(), await app.signUp()]
  t.equal((await app.link(owner.access_token, 'ada')).statusCode, 200)
  taken(t, await app.link(other.access_token, 'ada'), owner)
  t.strictSame(await linked(app, other.access_token), [])
  t.strictSame(await linked(app, owner.access_token), ['acme ada'])
  const { err } = lines.find(({ msg }) => String(msg).includes('already linked')) as { err?: object }
  t.match(err, { message: `The acme account ada is already linked to user ${owner.id}.`, provider: 'acme', accountId: 'ada', existingUserId: owner.id }, 'the operator reads whose it is')
  t.match(app.happened('oauth_failed'), [{ provider: 'acme', reason: 'OAUTH_ACCOUNT_ALREADY_LINKED' }])
})

t.test('race: two users link one identity at once', async (t) => {
  const app = await withPeople(t)
  const users = [await app.signUp(), await app.signUp()]
  const begun = await Promise.all(users.map(({ access_token: access }) => app.beginLink(access)))
  const queries = await Promise.all(begun.map((one) => app.visit(one, 'ada')))
  const answers = await Promise.all(queries.map((query, index) => app.comeBack(query, begun[index]?.cookie)))
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, 400])
  t.equal(app.happened('oauth_account_linked').length, 1)
})

t.test('race: an identity that is unlinked elsewhere while it is linked', async (t) => {
  const store = watched(memoryStore())
  const app = await withPeople(t, {}, { store })
  const [owner, other] = [await app.signUp(), await app.signUp()]
  await app.link(owner.access_token, 'ada')
  const begun = await app.beginLink(other.access_token)
  const query = await app.visit(begun, 'ada')
  const held = store.hold('identities.update')
  const answer = app.comeBack(query, begun.cookie)
  await held.reached
  await app.app.bouncer.oauth.unlink(owner.id, { provider: 'acme' })
  held.release()
  t.equal((await answer).statusCode, 200)
  t.strictSame(await linked(app, other.access_token), ['acme ada'])
})

t.test('the last way in stays', async (t) => {
  const app = await withPeople(t)
  const { access_token: access } = (await app.signIn('ada')).json()
  const { id } = (await app.call('GET', '/me', undefined, access)).json()
  const response = await app.call('DELETE', '/oauth/acme', {}, access)
  refused(t, response, 403, 'AUTHORIZATION_DENIED', 'The last way to sign in cannot be removed.')
  t.strictSame(await linked(app, access), ['acme ada'])
  t.match(await rejection(app.app.bouncer.oauth.unlink(id, { provider: 'acme' })), { name: 'LastWayInError', userId: id, provider: 'acme' })

  t.equal((await app.link(access, 'eve')).statusCode, 200, 'a second account there')
  refused(t, await app.call('DELETE', '/oauth/acme', {}, access), 403, 'AUTHORIZATION_DENIED')
  t.equal((await app.call('DELETE', '/oauth/acme?account_id=ada', {}, access)).statusCode, 204)
  t.strictSame(await linked(app, access), ['acme eve'])
  refused(t, await app.call('DELETE', '/oauth/acme?account_id=eve', {}, access), 403, 'AUTHORIZATION_DENIED')

  await app.app.bouncer.oauth.link(id, { provider: 'gone', issuer: 'https://gone.example', subject: 'ada' })
  refused(t, await app.call('DELETE', '/oauth/acme', {}, access), 403, 'AUTHORIZATION_DENIED', 'The last way to sign in cannot be removed.')
  t.equal((await app.call('DELETE', '/oauth/gone', {}, access)).statusCode, 204, 'what is configured no more can go')

  await app.app.bouncer.users.setPassword(id, password)
  const again = await tokensOf(app.app.bouncer.login({ email: 'ada@provider.example', password }))
  t.equal((await app.call('DELETE', '/oauth/acme', {}, again.access_token)).statusCode, 204, 'with a password it can go')
})

t.test('race: the last two of a user are unlinked at once', async (t) => {
  const app = await withPeople(t)
  const { access_token: access } = (await app.signIn('ada')).json()
  await app.link(access, 'eve')
  const answers = await Promise.all(['ada', 'eve'].map((name) => app.call('DELETE', `/oauth/acme?account_id=${name}`, {}, access)))
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [204, 403])
  t.equal((await linked(app, access)).length, 1)
})

t.test('a user with a second factor links and unlinks with a session that showed it, or a code', async (t) => {
  const app = await withPeople(t, {}, { encryptionKey })
  const user = await app.signUp()
  const { secret, recovery_codes: codes } = await enrol(app.app, user.id)
  refused(t, await app.call('POST', '/oauth/acme/link', { current_password: password }, user.access_token), 401, 'STEP_UP_REQUIRED')
  t.equal((await app.call('POST', '/oauth/acme/link', { code: codes[0] }, user.access_token)).statusCode, 200)
  const { access_token: access } = await signInWith(app.app, { email: user.email, password }, secret)
  t.equal((await app.link(access, 'ada')).statusCode, 200)
  refused(t, await app.call('DELETE', '/oauth/acme', { code: '000000' }, user.access_token), 400, 'MFA_SETUP_FAILED')
  t.equal((await app.call('DELETE', '/oauth/acme', {}, access)).statusCode, 204)
})

t.test('attack: a user of another issuer with the id of a user here', async (t) => {
  const app = await withPeople(t)
  const user = await app.signUp()
  const foreign = token({ sub: user.id, iss: 'https://other.example' })
  for (const [method, path] of [['POST', '/oauth/acme/link'], ['GET', '/oauth/accounts'], ['DELETE', '/oauth/acme']] as const) {
    refused(t, await app.call(method, path, method === 'GET' ? undefined : {}, foreign), 401, 'TOKEN_INVALID')
  }
})

t.test('a token without a session links too, unless its user was signed out meanwhile', async (t) => {
  const app = await withPeople(t)
  const user = await app.signUp()
  const own = token({ sub: user.id, token_type: 'access', auth_time: Math.floor(Date.now() / 1000) })
  t.equal((await app.link(own, 'ada')).statusCode, 200)
  const begun = await app.beginLink(own)
  const query = await app.visit(begun, 'eve')
  await app.app.bouncer.users.setPassword(user.id, 'another good password')
  refused(t, await app.comeBack(query, begun.cookie), 400, 'OAUTH_STATE_INVALID')
})

t.test('as calls', async (t) => {
  const app = await withPeople(t)
  const { oauth, users } = app.app.bouncer
  const [ada, eve] = [await app.signUp(), await app.signUp()]
  t.match(await oauth.link(ada.id, { provider: 'acme', subject: 'imported' }), { provider: 'acme', account_id: 'imported', email: null })
  const error = await rejection<OAuthAccountAlreadyLinkedError>(oauth.link(eve.id, { provider: 'acme', subject: 'imported' }))
  t.ok(error instanceof OAuthAccountAlreadyLinkedError)
  t.match(error, { provider: 'acme', accountId: 'imported', existingUserId: ada.id })
  await t.rejects(oauth.link('nobody', { provider: 'acme', subject: 'x' }), { name: 'UserNotFoundError' })
  await t.rejects(oauth.unlink('nobody', { provider: 'acme' }), { name: 'UserNotFoundError' })
  await t.rejects(oauth.link(ada.id, { provider: 'nobody', subject: 'x' }), { name: 'TypeError', message: /No provider is called nobody/ })
  for (const identity of [{ provider: '', subject: 'x' }, { provider: 'acme', subject: '' }, { provider: 'acme' }, { subject: 'x' }]) {
    await t.rejects(oauth.link(ada.id, identity as { provider: string, subject: string }), { name: 'TypeError' })
  }
  for (const callbackUrl of [undefined, '/callback', 'callback', 5]) await t.rejects(oauth.authorize('acme', { callbackUrl } as unknown as { callbackUrl: string }), { name: 'TypeError', message: /is no absolute URL/ })
  for (const end of ['?x=1', '#x']) await t.rejects(oauth.authorize('acme', { callbackUrl: `${baseUrl}/x${end}` }), { name: 'TypeError', message: /no query and no fragment/ })
  t.throws(() => oauth.relay('nobody', { state: 'x' }), TypeError)
  t.match((await oauth.link(eve.id, { provider: 'acme', issuer: `${app.provider.url}/`, subject: 'eve' })).account_id, 'eve')
  const signedIn = await app.signIn('eve')
  t.equal((await app.call('GET', '/me', undefined, signedIn.json().access_token)).json().id, eve.id, 'with a slash at the end of the issuer, or without')
  await t.rejects(oauth.authorize('nobody', { callbackUrl: `${baseUrl}/x` }), TypeError)
  await t.rejects(oauth.authorizeLink('nobody', { callbackUrl: `${baseUrl}/x` }, { userId: ada.id, proof: {} }), TypeError)
  await t.rejects(oauth.authorizeLink('acme', { callbackUrl: `${baseUrl}/x` }, { userId: 'nobody', proof: {} }), { name: 'UserNotFoundError' })
  await t.rejects(oauth.complete('nobody', {}, { codeVerifier: 'x' }), TypeError)
  t.equal((await oauth.accounts(ada.id)).length, 1)
  await oauth.unlink(ada.id, { provider: 'acme', account_id: 'other' })
  t.equal((await oauth.accounts(ada.id)).length, 1)
  await users.delete(ada.id)
  t.strictSame(await oauth.accounts(ada.id), [], 'of a user who is deleted none is left')
})

t.test('a provider with many issuers: which one it is must be said', async (t) => {
  const app = await withPeople(t, { providers: { microsoft: { clientId: 'x' } } })
  const { oauth } = app.app.bouncer
  const { id } = await app.signUp()
  await t.rejects(oauth.link(id, { provider: 'microsoft', subject: 'x' }), { name: 'TypeError', message: /has several issuers/ })
  t.match(await oauth.link(id, { provider: 'microsoft', issuer: 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', subject: 'x' }), { account_id: 'x' })
})

t.test('without providers accounts can still be linked, by calls', async (t) => {
  const { accounts } = await import('../../accounts.js')
  const { app, call, signUp } = await accounts(t)
  const user = await signUp()
  t.match(await app.bouncer.oauth.link(user.id, { provider: 'ldap', issuer: 'the directory', subject: 'ada' }), { account_id: 'ada' })
  t.match(await app.bouncer.oauth.link(user.id, { provider: 'saml', issuer: 'urn:example:idp', subject: 'ada' }), { provider: 'saml', account_id: 'ada' })
  t.equal((await call('GET', '/oauth/accounts', undefined, user.access_token)).statusCode, 404, 'there are no routes')
})

t.test('a store that neither takes an identity nor shows whose it is', async (t) => {
  const store = memoryStore()
  const identities = { ...store.identities, insert: async () => false, update: async () => false, find: async () => undefined }
  const app = await withPeople(t, {}, { store: { ...store, identities } })
  const user = await app.signUp()
  refused(t, await app.link(user.access_token, 'ada'), 503, 'AUTH_UNAVAILABLE')
})

t.test('with a table of users of the application\'s own, linked accounts go with a user', async (t) => {
  const users = memoryStore().users
  const store = memoryStore({ users })
  const app = await withPeople(t, {}, { store })
  const user = await app.signUp()
  await app.link(user.access_token, 'ada')
  await app.app.bouncer.users.delete(user.id)
  t.equal(await store.identities.find(`${app.provider.url}/`, 'ada'), undefined)
})
