import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { memoryStore, type AuthPluginOptions, type OAuthOptions } from '../../../index.js'
import { cheapHash, clock, password, until } from '../../accounts.js'
import { refused } from '../../build.js'
import { createSealer } from '../../../lib/encryption.js'
import { readKeys } from '../../../lib/mfa-options.js'
import { logged } from '../../log-lines.js'
import { oauthAccounts, verifierOf, type OAuthApp, type OAuthChanges } from '../../oauth.js'
import { codeOf, encryptionKey, enrol } from '../../totp.js'
import { stores, watched } from '../../watched-store.js'

const ada = { email: 'ada@example.com', email_verified: true }

async function withAda (t: Test, oauth: OAuthChanges = {}, overrides: AuthPluginOptions = {}, ...rest: [] | [object]): Promise<OAuthApp> {
  const app = await oauthAccounts(t, oauth, overrides, ...rest)
  app.provider.people.set('ada', { ...ada })
  return app
}

t.test('a first sign-in makes a user, and later ones find the same', async (t) => {
  const app = await withAda(t)
  const first = await app.signIn('ada')
  t.equal(first.statusCode, 200)
  t.equal(first.headers['cache-control'], 'no-store')
  t.match(first.headers['set-cookie'], /^__Host-bouncer-oauth-[\w-]{10}=; Max-Age=0; Path=\/; HttpOnly; Secure; SameSite=Lax$/, 'the cookie is gone')
  const { access_token: token, refresh_token: refreshToken, token_type: type, expires_in: lifetime, ...rest } = first.json()
  t.strictSame([type, lifetime, rest], ['Bearer', 900, {}])
  t.strictSame((decodeJwt(token) as { amr: string[] }).amr, ['fed'])
  t.strictSame(app.events.map(({ name }) => name), ['user_created', 'oauth_account_linked', 'user_login'])
  const me = (await app.call('GET', '/me', undefined, token)).json()
  t.match(me, { email: 'ada@example.com', username: null, roles: [], is_active: true, is_verified: true })
  t.equal((await app.call('POST', '/refresh', { refresh_token: refreshToken })).statusCode, 200)

  app.provider.people.set('ada', { email: 'other@example.com', email_verified: false })
  const second = await app.signIn('ada')
  t.equal(decodeJwt(second.json().access_token).sub, me.id, 'by the subject, whatever address is given')
  t.equal((await app.call('GET', '/me', undefined, second.json().access_token)).json().email, 'ada@example.com', 'which changes nothing here')
  t.match((await app.call('GET', '/oauth/accounts', undefined, second.json().access_token)).json(), { items: [{ provider: 'acme', account_id: 'ada', email: 'other@example.com' }], next: null })
  t.equal(app.happened('user_created').length, 1)
  refused(t, await app.call('POST', '/login', { email: 'ada@example.com', password: '' }), 401, 'INVALID_CREDENTIALS')
})

t.test('a client that keeps a verifier gets the tokens itself', async (t) => {
  const app = await withAda(t)
  const { verifier, query } = verifierOf()
  const back = await app.comeBack(await app.visit(await app.begin(query), 'ada'))
  t.equal(back.statusCode, 302)
  t.equal(back.headers['referrer-policy'], 'no-referrer')
  const answer = Object.fromEntries(new URL(String(back.headers.location)).searchParams)
  t.strictSame(app.events, [], 'nothing has happened so far')
  const response = await app.call('POST', '/oauth/acme/callback', { ...answer, code_verifier: verifier })
  t.equal(response.statusCode, 200)
  t.ok(response.json().access_token)
  t.equal(response.headers['set-cookie'], undefined)
})

t.test('a provider that answers by a form', async (t) => {
  const app = await withAda(t)
  const begun = await app.begin()
  const form = new URLSearchParams(await app.visit(begun, 'ada'))
  form.set('user', '{"name":"Ada"}')
  const posted = await app.app.inject({ method: 'POST', url: '/auth/oauth/acme/callback', payload: form.toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  t.equal(posted.statusCode, 303)
  t.notMatch(posted.headers.location, /user/)
  t.match(posted.headers.location, /^\?code=/, 'to the same address')
  t.equal((await app.comeBack(String(posted.headers.location), begun.cookie)).statusCode, 200)
  const large = await app.app.inject({ method: 'POST', url: '/auth/oauth/acme/callback', payload: `state=${'x'.repeat(70_000)}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  refused(t, large, 413, 'PAYLOAD_TOO_LARGE')
})

t.test('an address that somebody has already', async (t) => {
  const LINK = 'An account with this e-mail address exists. Sign in to it first, then link this provider.'
  for (const linkByEmail of [false, true]) {
    for (const there of [true, false]) {
      for (const here of [true, false]) {
        await t.test(`${linkByEmail ? 'linked if it is safe' : 'never linked'}, ${there ? '' : 'not '}verified there, ${here ? '' : 'not '}verified here`, async (t) => {
          const app = await withAda(t, { linkByEmail })
          app.provider.people.set('ada', { email: 'ADA@example.com', email_verified: there })
          const { id } = await app.app.bouncer.users.create({ email: 'ada@example.com', password, is_verified: here })
          const response = await app.signIn('ada')
          if (linkByEmail && there && here) {
            t.equal(decodeJwt(response.json().access_token).sub, id)
            t.match(app.happened('oauth_account_linked'), [{ user: { id }, provider: 'acme', accountId: 'ada' }])
            t.equal(decodeJwt((await app.signIn('ada')).json().access_token).sub, id)
            t.equal(app.happened('oauth_account_linked').length, 1)
          } else {
            refused(t, response, 409, 'OAUTH_LINK_REQUIRED', LINK)
            t.strictSame(response.json().extra, { code: 'OAUTH_LINK_REQUIRED' })
            t.notOk(JSON.stringify([response.payload, response.headers]).includes(id), 'nothing names the other user')
            t.strictSame([...app.happened('oauth_account_linked'), ...app.happened('user_login')], [])
            t.match(app.happened('oauth_failed'), [{ provider: 'acme', reason: 'OAUTH_LINK_REQUIRED' }])
          }
          t.equal(app.happened('user_created').length, 1, 'and nobody else was made')
        })
      }
    }
  }
  await t.test('of somebody with a second factor', async (t) => {
    const app = await withAda(t, { linkByEmail: true }, { encryptionKey })
    const user = await app.signUp({ email: 'ada@example.com' })
    await enrol(app.app, user.id)
    refused(t, await app.signIn('ada'), 409, 'OAUTH_LINK_REQUIRED')
    t.strictSame(await app.app.bouncer.oauth.accounts(user.id), [], 'linking asks for it as well')
  })

  await t.test('of somebody who is deactivated', async (t) => {
    const app = await withAda(t, { linkByEmail: true })
    await app.app.bouncer.users.create({ email: 'ada@example.com', is_verified: true, is_active: false })
    refused(t, await app.signIn('ada'), 409, 'OAUTH_LINK_REQUIRED')
  })
})

t.test('who is not made', async (t) => {
  const UNAVAILABLE = 'Account is not available for sign-in.'
  const cases: Array<[name: string, person: object, oauth: Partial<OAuthOptions>, overrides: AuthPluginOptions]> = [
    ['an address that the provider has not verified', { email: 'ada@example.com', email_verified: false }, {}, {}],
    ['an address of which it does not say', { email: 'ada@example.com' }, {}, {}],
    ['no address', {}, {}, {}],
    ['what is no address', { email: 'ada', email_verified: true }, {}, {}],
    ['anybody, without sign-up', ada, { signUp: false }, {}],
    ['an unverified address, where nobody learns who is here', { email: 'taken@example.com', email_verified: false }, {}, { concealExistingUsers: true, requireVerified: true }]
  ]
  for (const [name, person, oauth, overrides] of cases) {
    await t.test(name, async (t) => {
      const app = await withAda(t, oauth, overrides)
      await app.app.bouncer.users.create({ email: 'taken@example.com', is_verified: true })
      app.provider.people.set('ada', person)
      refused(t, await app.signIn('ada'), 401, 'ACCOUNT_UNAVAILABLE', UNAVAILABLE)
      t.equal(app.happened('user_created').length, 1)
    })
  }
  await t.test('but whom a provider vouches for that is trusted with it', async (t) => {
    const app = await withAda(t, { acme: { trustEmail: true } })
    app.provider.people.set('ada', { email: 'ada@example.com' })
    t.equal((await app.signIn('ada')).statusCode, 200)
    app.provider.people.set('eve', {})
    refused(t, await app.signIn('eve'), 401, 'ACCOUNT_UNAVAILABLE')
  })
})

t.test('whoever cannot sign in here cannot do so there', async (t) => {
  const app = await withAda(t, {}, { requireVerified: true })
  const { sub = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
  await app.app.bouncer.users.update(sub, { is_active: false })
  refused(t, await app.signIn('ada'), 401, 'ACCOUNT_UNAVAILABLE')
  await app.app.bouncer.users.update(sub, { is_active: true, is_verified: false })
  refused(t, await app.signIn('ada'), 401, 'ACCOUNT_UNAVAILABLE')
  await app.app.bouncer.users.update(sub, { is_verified: true })
  t.equal((await app.signIn('ada')).statusCode, 200)
  await app.app.bouncer.users.delete(sub)
  const { sub: other } = decodeJwt((await app.signIn('ada')).json().access_token)
  t.not(other, sub, 'after deletion it is somebody new')
})

t.test('second factors are asked for', async (t) => {
  const app = await withAda(t, {}, { encryptionKey })
  const { sub = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
  const { secret } = await enrol(app.app, sub)
  const response = await app.signIn('ada')
  t.equal(response.statusCode, 202)
  t.match(response.json(), { challenge_name: 'MFA_TOTP', mfa_types: ['MFA_TOTP', 'RECOVERY_CODE'] })
  t.notOk('access_token' in response.json(), 'nothing usable comes before')
  const { session } = response.json()
  const done = await app.call('POST', '/login/challenge', { session, challenge_name: 'MFA_TOTP', code: codeOf(secret) })
  t.equal(done.statusCode, 200)
  t.strictSame((decodeJwt(done.json().access_token) as { amr: string[] }).amr, ['fed', 'otp', 'mfa'])
})

t.test('a second factor that everybody must have is set up on the way', async (t) => {
  const app = await withAda(t, {}, { encryptionKey, mfa: { required: true } })
  const response = await app.signIn('ada')
  t.equal(response.statusCode, 202)
  const { session, secret } = response.json()
  const done = await app.call('POST', '/login/challenge', { session, challenge_name: 'MFA_SETUP', code: codeOf(secret) })
  t.equal(done.json().recovery_codes.length, 10)
})

for (const [name, make] of Object.entries(stores)) {
  t.test(`race: first sign-ins of one person at once make one user (${name})`, async (t) => {
    const app = await withAda(t, {}, { store: make() })
    const begun = await Promise.all([...Array(5)].map(() => app.begin()))
    const queries = await Promise.all(begun.map((one) => app.visit(one, 'ada')))
    const answers = await Promise.all(queries.map((query, index) => app.comeBack(query, begun[index]?.cookie)))
    t.strictSame(answers.map(({ statusCode }) => statusCode), Array(5).fill(200))
    t.equal(new Set(answers.map((answer) => decodeJwt(answer.json().access_token).sub)).size, 1)
    t.equal(app.happened('user_created').length, 1)
  })
}

t.test('race: a sign-in that finds its own user half made waits for the rest', async (t) => {
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store })
  const [one, two] = [await app.begin(), await app.begin()]
  const [first, second] = [await app.visit(one, 'ada'), await app.visit(two, 'ada')]
  const held = store.hold('identities.insert')
  const answer = app.comeBack(first, one.cookie)
  await held.reached
  const looks = (): number => store.calls.filter((verb) => verb === 'identities.find').length
  const before = looks()
  const waiting = app.comeBack(second, two.cookie)
  await until(() => looks() >= before + 2)
  held.release()
  const [made, found] = [await answer, await waiting]
  t.strictSame([made.statusCode, found.statusCode], [200, 200])
  t.equal(decodeJwt(found.json().access_token).sub, decodeJwt(made.json().access_token).sub)
})

t.test('race: an identity that is linked elsewhere while its user is made', async (t) => {
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store })
  const other = await app.signUp()
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  const held = store.hold('identities.insert')
  const answer = app.comeBack(query, begun.cookie)
  await held.reached
  await app.app.bouncer.oauth.link(other.id, { provider: 'acme', subject: 'ada' })
  held.release()
  t.equal(decodeJwt((await answer).json().access_token).sub, other.id, 'it is that user who has signed in')
  t.equal(await store.users.findByEmail('ada@example.com'), undefined, 'and the other is gone')
})

t.test('race: an address that is taken while its user is made', async (t) => {
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store })
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  const held = store.hold('users.insert')
  const answer = app.comeBack(query, begun.cookie)
  await held.reached
  const { id } = await app.app.bouncer.users.create({ email: 'ada@example.com' })
  held.release()
  refused(t, await answer, 409, 'OAUTH_LINK_REQUIRED')

  const again = await app.begin()
  const query2 = await app.visit(again, 'ada')
  await app.app.bouncer.users.delete(id)
  const inserting = store.hold('users.insert', 'before')
  const second = app.comeBack(query2, again.cookie)
  await inserting.reached
  const { id: brief } = await app.app.bouncer.users.create({ email: 'ada@example.com' })
  const looking = store.hold('users.findByEmail')
  inserting.release()
  await looking.reached
  await app.app.bouncer.users.delete(brief)
  looking.release()
  refused(t, await second, 400, 'OAUTH_STATE_INVALID')
})

t.test('race: the account of an address that is linked elsewhere meanwhile', async (t) => {
  const pass = clock(t)
  const store = watched(memoryStore())
  const app = await withAda(t, { linkByEmail: true }, { store })
  const { id } = await app.app.bouncer.users.create({ email: 'ada@example.com', is_verified: true })
  pass(10)
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  const held = store.hold('users.findByEmail', 'after')
  const answer = app.comeBack(query, begun.cookie)
  await held.reached
  await app.app.bouncer.oauth.link(id, { provider: 'acme', subject: 'ada' })
  held.release()
  t.equal(decodeJwt((await answer).json().access_token).sub, id)
  t.equal(app.happened('oauth_account_linked').length, 1)
})

t.test('race: an account that is unlinked, or its user deactivated, before the session is there', async (t) => {
  for (const [name, change, status, code] of [
    ['unlinked', async ({ app }: OAuthApp, id: string) => { await app.bouncer.users.setPassword(id, password); await app.bouncer.oauth.unlink(id, { provider: 'acme' }) }, 400, 'OAUTH_STATE_INVALID'],
    ['deactivated', async ({ app }: OAuthApp, id: string) => { await app.bouncer.users.update(id, { is_active: false }) }, 400, 'OAUTH_STATE_INVALID']
  ] as const) {
    await t.test(name, async (t) => {
      const store = watched(memoryStore())
      const app = await withAda(t, {}, { store })
      const { sub = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
      const begun = await app.begin()
      const query = await app.visit(begun, 'ada')
      const held = store.hold('sessions.insert')
      const answer = app.comeBack(query, begun.cookie)
      await held.reached
      await change(app, sub)
      held.release()
      refused(t, await answer, status, code)
      t.strictSame((await store.sessions.listLive(sub, Date.now(), { limit: 10 })).items, [], 'no session is left')
    })
  }
})

t.test('race: a user who is found by another sign-in while he is made stays', async (t) => {
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store })
  const other = await app.signUp()
  const begun = await app.begin()
  const query = await app.visit(begun, 'ada')
  const held = store.hold('identities.insert')
  const answer = app.comeBack(query, begun.cookie)
  await held.reached
  const { id } = await store.users.findByEmail('ada@example.com') as { id: string }
  await app.app.bouncer.oauth.link(id, { provider: 'acme', subject: 'eve' })
  await app.app.bouncer.oauth.link(other.id, { provider: 'acme', subject: 'ada' })
  held.release()
  t.equal(decodeJwt((await answer).json().access_token).sub, other.id)
  t.ok(await store.users.findById(id), 'somebody signs in to it')
})

t.test('an identity that is left of a user who is gone is nobody\'s', async (t) => {
  const users = memoryStore().users
  const store = watched(memoryStore({ users }))
  const app = await withAda(t, {}, { store })
  const { sub = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
  await users.delete(sub)
  const { sub: second = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
  t.not(second, sub, 'its person gets another account')
  await users.delete(second)
  const user = await app.signUp()
  t.equal((await app.link(user.access_token, 'ada')).statusCode, 200, 'or links it')

  store.failing.add('identities.deleteAll')
  await t.rejects(app.app.bouncer.users.delete(user.id), { code: 'AUTH_UNAVAILABLE' })
  store.failing.clear()
  await t.rejects(app.app.bouncer.users.delete(user.id), { code: 'USER_NOT_FOUND' })
  t.strictSame(await store.identities.list(user.id), [], 'what was left is deleted the next time')
})

t.test('an address that is another one in its small letters is not what was verified', async (t) => {
  const app = await withAda(t)
  app.provider.people.set('ada', { email: '\u212aate@example.com', email_verified: true })
  refused(t, await app.signIn('ada'), 401, 'ACCOUNT_UNAVAILABLE')
  app.provider.people.set('ada', { email: ' KATE@Example.com ', email_verified: true })
  t.equal((await app.signIn('ada')).statusCode, 200)
})

t.test('a store that fails while a user is made leaves none behind', async (t) => {
  const { lines, serverOptions } = logged('error')
  const store = watched(memoryStore())
  const app = await withAda(t, {}, { store }, serverOptions)
  store.failing.add('identities.insert')
  refused(t, await app.signIn('ada'), 503, 'AUTH_UNAVAILABLE')
  t.equal(await store.users.findByEmail('ada@example.com'), undefined)
  store.failing.clear()
  store.failing.add('users.insert')
  refused(t, await app.signIn('ada'), 503, 'AUTH_UNAVAILABLE')
  store.failing.clear()
  store.failing.add('identities.insert')
  store.failing.add('users.delete')
  refused(t, await app.signIn('ada'), 503, 'AUTH_UNAVAILABLE')
  t.ok(lines.some(({ msg }) => /what was to be done after an answer failed/.test(msg)), 'what could not be undone is reported')
  store.failing.clear()
  refused(t, await app.signIn('ada'), 409, 'OAUTH_LINK_REQUIRED')
})

t.test('a store that fails elsewhere is 503, and signs nobody in', async (t) => {
  for (const verb of ['ephemeral.increment', 'ephemeral.add', 'identities.find', 'users.findById', 'identities.update', 'factors.find', 'sessions.insert'] as const) {
    await t.test(verb, async (t) => {
      const store = watched(memoryStore())
      const app = await withAda(t, {}, { store })
      t.equal((await app.signIn('ada')).statusCode, 200)
      store.failing.add(verb)
      refused(t, await app.signIn('ada'), 503, 'AUTH_UNAVAILABLE')
      t.equal(app.happened('user_login').length, 1)
      store.failing.clear()
      t.equal((await app.signIn('ada')).statusCode, 200, 'and it recovers')
    })
  }
})

t.test('tokens of the provider', async (t) => {
  await t.test('are dropped', async (t) => {
    const store = memoryStore()
    const app = await withAda(t, {}, { store, encryptionKey })
    const { sub = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
    t.equal((await store.identities.list(sub))[0]?.tokens, null)
    t.equal(await app.app.bouncer.oauth.tokens(sub, 'acme'), undefined)
  })

  await t.test('are kept where that is asked for, encrypted, and shown to nobody', async (t) => {
    const store = memoryStore()
    const app = await withAda(t, { keepTokens: true }, { store, encryptionKey })
    const answer = await app.signIn('ada')
    const { sub = '' } = decodeJwt(answer.json().access_token)
    const { access_token: token, expires_at: expires } = await app.app.bouncer.oauth.tokens(sub, 'acme') as { access_token: string, expires_at: number }
    t.match((await (await fetch(`${app.provider.url}/me`, { headers: { authorization: `Bearer ${token}` } })).json()), { sub: 'ada' })
    t.ok(expires > Date.now() / 1000)
    const kept = String((await store.identities.list(sub))[0]?.tokens)
    t.notMatch(kept, new RegExp(token))
    const shown = JSON.stringify([app.events, answer.payload, (await app.call('GET', '/oauth/accounts', undefined, answer.json().access_token)).payload])
    t.notOk(shown.includes(token) || shown.includes(kept))
    t.equal(await app.app.bouncer.oauth.tokens(sub, 'other'), undefined)

    await app.signIn('ada')
    t.not((await app.app.bouncer.oauth.tokens(sub, 'acme'))?.access_token, token, 'the newest')
    const other = await app.signUp()
    const [identity] = await store.identities.list(sub)
    await app.app.bouncer.oauth.link(other.id, { provider: 'acme', subject: 'eve' })
    await store.identities.update({ ...identity as NonNullable<typeof identity>, userId: other.id, subject: 'eve' })
    await t.rejects(app.app.bouncer.oauth.tokens(other.id, 'acme'), { name: 'ConfigurationError', option: 'encryptionKey' }, 'attack: moved to another user')
  })

  await t.test('a refresh token that came once stays', async (t) => {
    const { lines, serverOptions } = logged('error')
    const store = memoryStore()
    const app = await withAda(t, { keepTokens: true }, { store, encryptionKey }, serverOptions)
    const { oauth } = app.app.bouncer
    async function signIn (given: object): Promise<string> {
      const begun = await app.begin()
      const query = await app.visit(begun, 'ada')
      app.provider.answerWith('/token', { ...await app.provider.tokens({ nonce: new URL(begun.url).searchParams.get('nonce'), email: 'ada@example.com', email_verified: true }), ...given })
      return String(decodeJwt((await app.comeBack(query, begun.cookie)).json().access_token).sub)
    }
    const sub = await signIn({ access_token: 'one', refresh_token: 'first' })
    await signIn({ access_token: 'two' })
    t.match(await oauth.tokens(sub, 'acme'), { access_token: 'two', refresh_token: 'first' })
    await signIn({ access_token: 'three', refresh_token: 'second' })
    t.match(await oauth.tokens(sub, 'acme'), { access_token: 'three', refresh_token: 'second' })
    const [identity] = await store.identities.list(sub)
    await store.identities.update({ ...identity as NonNullable<typeof identity>, tokens: 'of a key that is gone' })
    t.equal(await signIn({ access_token: 'four' }), sub, 'a key that is gone keeps nobody out')
    t.match(await oauth.tokens(sub, 'acme'), { access_token: 'four', refresh_token: undefined })
    t.equal(lines.length, 1, 'and is reported')
    await store.identities.update({ ...identity as NonNullable<typeof identity>, tokens: createSealer(readKeys(encryptionKey)).seal('no JSON', JSON.stringify(['oauth tokens', sub, `${app.provider.url}/`, 'ada'])) })
    await t.rejects(oauth.tokens(sub, 'acme'), SyntaxError)
    const begun = await app.begin()
    const query = await app.visit(begun, 'ada')
    app.provider.answerWith('/token', { ...await app.provider.tokens({ nonce: new URL(begun.url).searchParams.get('nonce'), email: 'ada@example.com' }) })
    t.equal((await app.comeBack(query, begun.cookie)).statusCode, 500)
  })

  await t.test('attack: somebody else who links the same identity gets none of them', async (t) => {
    const store = memoryStore()
    const app = await withAda(t, { keepTokens: true }, { store, encryptionKey })
    await app.signIn('ada')
    const before = await store.identities.find(`${app.provider.url}/`, 'ada')
    const mallory = await app.signUp()
    refused(t, await app.link(mallory.access_token, 'ada'), 400, 'OAUTH_ACCOUNT_ALREADY_LINKED')
    t.strictSame(await store.identities.find(`${app.provider.url}/`, 'ada'), before)
  })

  await t.test('cannot be read without the key', async (t) => {
    const store = memoryStore()
    const app = await withAda(t, { keepTokens: true }, { store, encryptionKey })
    const { sub = '' } = decodeJwt((await app.signIn('ada')).json().access_token)
    const without = await oauthAccounts(t, {}, { store })
    await t.rejects(without.app.bouncer.oauth.tokens(sub, 'acme'), { option: 'encryptionKey', message: /is missing/ })
  })
})

t.test('several instances share attempts, and use each up once', async (t) => {
  const store = memoryStore()
  const one = await withAda(t, {}, { store })
  const begun = await one.begin()
  const query = await one.visit(begun, 'ada')
  const two = await oauthAccounts(t, { providers: { acme: one.provider.options } }, { store, passwords: cheapHash })
  const answers = await Promise.all([one.comeBack(query, begun.cookie), two.comeBack(query, begun.cookie)])
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, 400])
  await until(() => one.happened('user_login').length + two.happened('user_login').length === 1)
})
