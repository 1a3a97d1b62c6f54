import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { AuthError, memoryStore, type AuthEventName, type Tokens } from '../../../index.js'
import { accounts, clock, mailed, password } from '../../accounts.js'
import { secret } from '../../build.js'
import { logged } from '../../log-lines.js'
import { watched } from '../../watched-store.js'

const wrong = 'a guess that is a password elsewhere'
const fresh = 'another horse battery'

/** Checks that no text has any of the secrets. */
function silent (t: Test, texts: Record<string, string>, secrets: Iterable<string>): void {
  for (const one of secrets) {
    t.ok(one.length >= 8)
    for (const [name, text] of Object.entries(texts)) {
      // Not as it is: the report would show what should not be seen.
      t.notOk(text.includes(one), `${name} has a secret: ${one.slice(0, 6)}…`)
    }
  }
}

t.test('no password, token, digest, hash or key is in the log at its finest, in events or on diagnostics_channel', async (t) => {
  const pass = clock(t)
  const { serverOptions, text, lines } = logged('trace')
  const store = watched(memoryStore())
  const built = await accounts(t, { store }, {}, serverOptions)
  const { call, events } = built
  const published: unknown[] = []
  const listen = (message: unknown): void => { published.push(message) }
  const channels: AuthEventName[] = ['user_login', 'user_login_failed', 'user_logout', 'token_refreshed', 'refresh_token_reused', 'rate_limit_exceeded', 'verification_requested', 'password_reset_requested', 'password_changed', 'invalid_hash', 'user_created']
  for (const name of channels) subscribe(`fastify-bouncer:${name}`, listen)
  t.teardown(() => { for (const name of channels) unsubscribe(`fastify-bouncer:${name}`, listen) })

  const secrets = new Set([password, wrong, fresh, secret])
  const keep = (tokens: Tokens): Tokens => {
    secrets.add(tokens.access_token).add(tokens.access_token.split('.')[2] ?? '').add(tokens.refresh_token)
    return tokens
  }
  const hashesAndDigests = async (id: string): Promise<void> => {
    const user = await store.users.findById(id)
    if (typeof user?.passwordHash === 'string') secrets.add(user.passwordHash).add(user.passwordHash.split('$').at(-1) ?? '')
    for (const { refreshDigest } of (await store.sessions.listLive(id, Date.now(), { limit: 100 })).items) secrets.add(refreshDigest)
  }

  await call('POST', '/register', { email: 'ada@example.com', password })
  await call('POST', '/verify', { token: await mailed(built, 'verification_requested') })
  const first = keep((await call('POST', '/login', { email: 'ada@example.com', password })).json())
  const id = decodeJwt(first.access_token).sub as string
  await hashesAndDigests(id)
  const second = keep((await call('POST', '/refresh', { refresh_token: first.refresh_token })).json())
  await hashesAndDigests(id)
  for (let guess = 0; guess < 7; guess++) await call('POST', '/login', { email: 'ada@example.com', password: wrong })
  await call('POST', '/me/password', { current_password: wrong, new_password: fresh }, second.access_token)
  pass(11)
  t.equal((await call('POST', '/refresh', { refresh_token: first.refresh_token })).json().extra.code, 'TOKEN_REVOKED')
  t.equal((await call('GET', '/me', undefined, second.access_token)).json().extra.code, 'TOKEN_REVOKED')
  await call('GET', '/me', undefined, `${second.access_token}x`)
  await call('POST', '/refresh', { refresh_token: `${second.refresh_token}x` })
  await call('POST', '/logout', { refresh_token: second.refresh_token })
  await call('POST', '/password/forgot', { email: 'ada@example.com' })
  await call('POST', '/password/reset', { token: await mailed(built, 'password_reset_requested'), password: fresh })
  await hashesAndDigests(id)
  for (const name of ['verification_requested', 'password_reset_requested'] as const) secrets.add(await mailed(built, name))
  await store.users.update(id, { passwordHash: '$unreadable$c4n4ry-c4n4ry' })
  secrets.add('c4n4ry-c4n4ry')
  await call('POST', '/login', { email: 'ada@example.com', password: fresh })
  store.failing.add('sessions.find')
  await call('GET', '/me', undefined, second.access_token)

  t.ok(lines.length > 40)
  t.ok(published.length > 10)
  silent(t, {
    'the log': text(),
    'an event in JSON': JSON.stringify(events),
    'an event that is inspected': inspect(events, { depth: 9, breakLength: Infinity }),
    'a message on a channel in JSON': JSON.stringify(published),
    'a message on a channel': inspect(published, { depth: 9, showHidden: true, breakLength: Infinity })
  }, secrets)
})

t.test('no error of a sign-in or a session shows what was given', async (t) => {
  const store = memoryStore()
  const { app, signUp } = await accounts(t, { store })
  const ada = await signUp()
  const bob = await signUp()
  await store.users.update(bob.id, { passwordHash: '$unreadable$c4n4ry-c4n4ry' })
  const tampered = `${ada.access_token.slice(0, -2)}AA`
  const refresh = `${ada.refresh_token.slice(0, -2)}AA`
  await app.bouncer.logout(ada.access_token)
  const calls: Array<() => Promise<unknown>> = [
    async () => await app.bouncer.login({ email: ada.email, password: wrong }),
    async () => await app.bouncer.login({ email: bob.email, password: wrong }),
    async () => await app.bouncer.passwords.change(bob.id, { current_password: wrong, new_password: fresh }),
    async () => await app.bouncer.authenticate(tampered),
    async () => await app.bouncer.authenticate(ada.access_token),
    async () => await app.bouncer.refresh(refresh),
    async () => await app.bouncer.refresh(ada.refresh_token),
    async () => await app.bouncer.refresh(ada.access_token)
  ]
  for (const run of calls) {
    const error = await run().then(() => undefined, (reason: unknown) => reason)
    t.ok(error instanceof AuthError)
    silent(t, { inspect: inspect(error, { depth: 9, showHidden: true, breakLength: Infinity }), JSON: JSON.stringify(error), context: JSON.stringify((error as AuthError).context()) },
      [wrong, fresh, ada.access_token, tampered, refresh, ada.refresh_token, 'c4n4ry-c4n4ry'])
  }
})

t.test('the services show nothing of the keys they work with', async (t) => {
  const { app } = await accounts(t, { sessions: { secret: 'a secret of the refresh tokens, thirty-two bytes' } })
  silent(t, { inspect: inspect(app.bouncer, { depth: 9, showHidden: true }), JSON: JSON.stringify(app.bouncer) ?? '' }, [secret, 'a secret of the refresh tokens'])
})
