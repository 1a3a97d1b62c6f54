import { decodeJwt } from 'jose'
import t from 'tap'
import { memoryStore } from '../../../index.js'
import { accounts, clock, password, tokensOf } from '../../accounts.js'
import { refused } from '../../build.js'
import { watched } from '../../watched-store.js'

const sidOf = (tokens: { access_token: string }): string => decodeJwt(tokens.access_token).sid as string

t.test('GET /sessions shows where one is signed in, and which of them asks', async (t) => {
  const pass = clock(t)
  const built = await accounts(t)
  const { app, call } = built
  const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  await built.signUp()
  const phone = (await call('POST', '/login', { email, password }, undefined, { 'user-agent': 'a phone' })).json()
  pass(60)
  const laptop = (await call('POST', '/login', { email, password }, undefined, { 'user-agent': 'a laptop' })).json()
  const response = await call('GET', '/sessions', undefined, phone.access_token)
  t.equal(response.statusCode, 200)
  t.equal(response.headers['cache-control'], 'no-store')
  const made = Date.now()
  const at = (offset: number) => new Date(made + offset * 1000).toISOString()
  t.strictSame(response.json(), {
    items: [
      { id: sidOf(laptop), created_at: at(0), last_used_at: at(0), expires_at: at(30 * 86_400), address: '127.0.0.1', user_agent: 'a laptop', current: false },
      { id: sidOf(phone), created_at: at(-60), last_used_at: at(-60), expires_at: at(30 * 86_400 - 60), address: '127.0.0.1', user_agent: 'a phone', current: true }
    ],
    next: null
  })
  const byProgram = app.bouncer.jwt?.sign({ sub: id })
  t.strictSame((await call('GET', '/sessions', undefined, byProgram)).json().items.map(({ current }: { current: boolean }) => current), [false, false], 'a token without a session is none of them')
})

t.test('GET /sessions comes in pages', async (t) => {
  const pass = clock(t)
  const built = await accounts(t)
  const { app, call } = built
  const { email, access_token: token, ...first } = await built.signUp()
  const ids = [sidOf({ access_token: token, ...first })]
  for (let index = 0; index < 4; index++) {
    pass(1)
    ids.unshift(sidOf(await tokensOf(app.bouncer.login({ email, password }))))
  }
  const found: string[] = []
  let next: string | null = null
  let pages = 0
  do {
    const query: string = next === null ? '' : `&after=${encodeURIComponent(next)}`
    const page = (await call('GET', `/sessions?limit=2${query}`, undefined, token)).json() as { items: Array<{ id: string }>, next: string | null }
    found.push(...page.items.map(({ id }) => id))
    next = page.next
    pages++
  } while (next !== null)
  t.strictSame(found, ids)
  t.equal(pages, 3)
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=2', 'after=1&after=2', `after=${'x'.repeat(1025)}`, 'all=true']) {
    refused(t, await call('GET', `/sessions?${query}`, undefined, token), 400, 'REQUEST_INVALID')
  }
  for (const after of ['', 'nonsense', '%00', ids[0]]) {
    t.equal((await call('GET', `/sessions?after=${after}`, undefined, token)).statusCode, 200, 'a place that is none')
  }
})

t.test('sessions that have ended or lapsed are not shown', async (t) => {
  const pass = clock(t)
  const built = await accounts(t)
  const { app, call } = built
  const first = await built.signUp()
  const second = await tokensOf(app.bouncer.login({ email: first.email, password }))
  await app.bouncer.logout(second.access_token)
  const third = await tokensOf(app.bouncer.login({ email: first.email, password }))
  const shown = async (token: string) => (await call('GET', '/sessions', undefined, token)).json().items.map(({ id }: { id: string }) => id)
  t.strictSame((await shown(first.access_token)).sort(), [sidOf(first), sidOf(third)].sort())
  pass(5 * 86_400)
  const fresh = await app.bouncer.refresh(third.refresh_token)
  pass(3 * 86_400)
  t.strictSame(await shown((await app.bouncer.refresh(fresh.refresh_token)).access_token), [sidOf(third)])
})

t.test('DELETE /sessions/:id ends one of one\'s own, at once', async (t) => {
  const built = await accounts(t)
  const { app, call, happened } = built
  const here = await built.signUp()
  const there = await tokensOf(app.bouncer.login({ email: here.email, password }))
  const response = await call('DELETE', `/sessions/${sidOf(there)}`, undefined, here.access_token)
  t.equal(response.statusCode, 204)
  t.equal(response.payload, '')
  t.equal(response.headers['cache-control'], 'no-store')
  t.strictSame(happened('user_logout'), [{ userId: here.id, sessionIds: [sidOf(there)], reason: 'ended' }])
  refused(t, await call('GET', '/me', undefined, there.access_token), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/refresh', { refresh_token: there.refresh_token }), 401, 'TOKEN_REVOKED')
  t.equal((await call('DELETE', `/sessions/${sidOf(there)}`, undefined, here.access_token)).statusCode, 204, 'twice')
  t.equal(happened('user_logout').length, 1)
  t.equal((await call('DELETE', `/sessions/${sidOf(here)}`, undefined, here.access_token)).statusCode, 204, 'the one that asks')
  refused(t, await call('DELETE', `/sessions/${sidOf(here)}`, undefined, here.access_token), 401, 'TOKEN_REVOKED')
})

t.test('insecure direct object reference: the session of somebody else cannot be ended, nor found out about', async (t) => {
  const store = watched(memoryStore())
  const built = await accounts(t, { store })
  const { call, happened } = built
  const ada = await built.signUp()
  const eve = await built.signUp({ roles: ['admin'] })
  const answers = await Promise.all([sidOf(ada), 'no-session', '%00', 'x'.repeat(100)].map(async (id) => await call('DELETE', `/sessions/${id}`, undefined, eve.access_token)))
  for (const { statusCode, payload } of answers) t.strictSame([statusCode, payload], [204, ''])
  t.strictSame(happened('user_logout'), [])
  t.equal((await call('GET', '/me', undefined, ada.access_token)).statusCode, 200)
  t.equal((await store.sessions.find(sidOf(ada)))?.endedAt, null)
})

t.test('strangers, and those whose session is over, are refused before anything is read', async (t) => {
  const built = await accounts(t)
  const { call } = built
  const ada = await built.signUp()
  for (const [method, path] of [['GET', '/sessions'], ['GET', '/sessions?limit=x'], ['DELETE', `/sessions/${sidOf(ada)}`]] as const) {
    refused(t, await call(method, path), 401, 'MISSING_TOKEN')
    refused(t, await call(method, path, undefined, ada.refresh_token), 401, 'TOKEN_INVALID')
  }
  await built.app.bouncer.users.update(ada.id, { is_active: false })
  for (const [method, path] of [['GET', '/sessions'], ['DELETE', '/sessions/x']] as const) refused(t, await call(method, path, undefined, ada.access_token), 401, 'ACCOUNT_UNAVAILABLE')
})

t.test('a request to end a session that cannot be read ends none', async (t) => {
  const built = await accounts(t)
  const { app } = built
  const ada = await built.signUp()
  const url = `/auth/sessions/${sidOf(ada)}`
  const authorization = `Bearer ${ada.access_token}`
  refused(t, await app.inject({ method: 'DELETE', url, headers: { authorization, 'content-type': 'application/json' }, payload: '{' }), 400, 'REQUEST_INVALID')
  refused(t, await app.inject({ method: 'DELETE', url, headers: { authorization, 'content-type': 'text/csv' }, payload: 'x' }), 415, 'UNSUPPORTED_MEDIA_TYPE')
  refused(t, await app.inject({ method: 'DELETE', url, headers: { authorization, 'content-type': 'application/json' }, payload: JSON.stringify('x'.repeat(2 ** 21)) }), 413, 'PAYLOAD_TOO_LARGE')
  refused(t, await app.inject({ method: 'DELETE', url: '/auth/sessions/', headers: { authorization } }), 400, 'REQUEST_INVALID')
  t.strictSame(built.happened('user_logout'), [])
})
