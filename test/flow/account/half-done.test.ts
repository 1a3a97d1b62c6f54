import t from 'tap'
import { AuthUnavailableError } from '../../../index.js'
import { accounts, mailed, password, tokensOf, type AccountsApp } from '../../accounts.js'
import { refused } from '../../build.js'
import { stores, watched } from '../../watched-store.js'

const another = 'another good password'

/** What ends all sessions of a user, but for the last step of it. */
const changes: Record<string, (built: AccountsApp, id: string) => Promise<unknown>> = {
  'a reset': async (built) => {
    await built.call('POST', '/password/forgot', { email: 'ada@example.com' })
    return await built.app.bouncer.passwords.reset(await mailed(built, 'password_reset_requested'), another)
  },
  'a change of the password': async ({ app }, id) => await app.bouncer.passwords.change(id, { current_password: password, new_password: another }),
  'a password that an administrator sets': async ({ app }, id) => await app.bouncer.users.setPassword(id, another)
}

for (const [engine, make] of Object.entries(stores)) {
  for (const [name, change] of Object.entries(changes)) {
    t.test(`${engine}: attack: the sessions of before, after ${name} whose last step failed`, async (t) => {
      const store = watched(make())
      const built = await accounts(t, { store })
      const thief = await built.signUp({ email: 'ada@example.com' })
      // A moment later, as any change is.
      await new Promise((resolve) => setTimeout(resolve, 2))
      store.failing.add('sessions.endAll')
      await t.rejects(change(built, thief.id), AuthUnavailableError)
      store.failing.clear()
      refused(t, await built.call('GET', '/me', undefined, thief.access_token), 401, 'TOKEN_REVOKED')
      refused(t, await built.call('POST', '/refresh', { refresh_token: thief.refresh_token }), 401, 'TOKEN_REVOKED')
      const owner = await tokensOf(built.app.bouncer.login({ email: 'ada@example.com', password: another }))
      t.equal((await built.call('GET', '/me', undefined, owner.access_token)).statusCode, 200)
      t.equal((await built.call('POST', '/refresh', { refresh_token: owner.refresh_token })).statusCode, 200)
    })
  }

  t.test(`${engine}: attack: the sessions of before, after a deactivation that was undone and whose last step failed`, async (t) => {
    const store = watched(make())
    const { app, call, signUp } = await accounts(t, { store })
    const { id, access_token: access, refresh_token: refresh } = await signUp()
    await new Promise((resolve) => setTimeout(resolve, 2))
    store.failing.add('sessions.endAll')
    await t.rejects(app.bouncer.users.update(id, { is_active: false }), AuthUnavailableError)
    store.failing.clear()
    await app.bouncer.users.update(id, { is_active: true })
    refused(t, await call('GET', '/me', undefined, access), 401, 'TOKEN_REVOKED')
    refused(t, await call('POST', '/refresh', { refresh_token: refresh }), 401, 'TOKEN_REVOKED')
  })
}

t.test('a session begins after its user was signed out, also by a clock that is behind', async (t) => {
  const store = watched(stores.memory?.() as never)
  const { app, call, signUp } = await accounts(t, { store })
  const { id, email } = await signUp()
  await store.users.update(id, { signedOutAt: Date.now() + 60_000 })
  const { access_token: access } = await tokensOf(app.bouncer.login({ email, password }))
  t.equal((await call('GET', '/me', undefined, access)).statusCode, 200)
})

t.test('a sign-in under which the password is set anew each time is refused', async (t) => {
  const store = watched(stores.memory?.() as never)
  const { app, happened } = await accounts(t, { store })
  const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  const login = app.bouncer.login({ email, password })
  login.catch(() => {})
  for (let round = 0; round < 2; round++) {
    const held = store.hold('sessions.insert', 'after')
    await held.reached
    await new Promise((resolve) => setTimeout(resolve, 2))
    await app.bouncer.users.setPassword(id, password)
    held.release()
  }
  await t.rejects(login, { code: 'INVALID_CREDENTIALS', reason: 'changed_meanwhile' })
  t.strictSame(happened('user_login'), [])
  t.strictSame((await store.sessions.listLive(id, Date.now(), { limit: 10 })).items, [])
})
