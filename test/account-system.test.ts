import { mock } from 'node:test'
import { decodeJwt } from 'jose'
import t from 'tap'
import authPlugin, { memoryStore, type Store } from '../index.js'
import { accounts, cheapHash, until } from './accounts.js'
import { build, options, server } from './build.js'
import { logged } from './log-lines.js'
import { stores, watched } from './watched-store.js'

/** A store that notes when it is opened and closed. */
function noting (name: string, notes: string[]): Store {
  return { ...memoryStore(), name, warning: `${name} forgets`, async open () { notes.push(`open ${name}`) }, async close () { notes.push(`close ${name}`) } }
}

t.test('stores are opened with the application and closed with it, and what should be known of them is said', async (t) => {
  const notes: string[] = []
  const { serverOptions, lines } = logged()
  const app = server(t, serverOptions)
  await app.register(authPlugin, { ...options, passwords: cheapHash, store: noting('one', notes), ephemeralStore: noting('other', notes) })
  t.strictSame(notes, ['open one', 'open other'])
  t.match(lines.map(({ level, msg }) => [level, msg]), [[40, 'fastify-bouncer: one forgets'], [40, 'fastify-bouncer: other forgets']])
  await app.close()
  t.strictSame([...notes].sort(), ['close one', 'close other', 'open one', 'open other'])
})

t.test('what has neither to be opened nor said is just used', async (t) => {
  const { serverOptions, lines } = logged()
  const { name, users, sessions, factors, identities, ephemeral } = memoryStore()
  const { signUp } = await accounts(t, { store: { name, users, sessions, factors, identities, ephemeral } }, {}, serverOptions)
  t.ok(await signUp())
  t.strictSame(lines.filter(({ level }) => level >= 40), [])
})

t.test('memoryStore says that everything is gone when the process ends', async (t) => {
  const { serverOptions, lines } = logged()
  await build(t, { store: memoryStore(), passwords: cheapHash }, serverOptions)
  t.match(lines, [{ level: 40, msg: /^fastify-bouncer: .*are in memory: they are gone when the process ends/ }])
})

t.test('what goes on after an answer is done before the stores are closed', async (t) => {
  const store = watched(memoryStore())
  const notes: string[] = []
  const built = await accounts(t, { store: { ...store, async close () { notes.push('closed') } } })
  const { email } = await built.signUp()
  built.app.bouncer.events.on('password_reset_requested', () => { notes.push('mailed') })
  const held = store.hold('ephemeral.set')
  t.equal((await built.call('POST', '/password/forgot', { email })).statusCode, 202)
  await held.reached
  const closing = built.app.close()
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(notes, [])
  held.release()
  await closing
  t.strictSame(notes, ['mailed', 'closed'])
})

t.test('what fails after an answer is logged', async (t) => {
  const store = watched(memoryStore())
  const { serverOptions, lines } = logged()
  const built = await accounts(t, { store }, {}, serverOptions)
  const { email } = await built.signUp()
  store.failing.add('ephemeral.set')
  t.equal((await built.call('POST', '/password/forgot', { email })).statusCode, 202)
  await until(() => lines.some(({ level }) => level === 50))
  t.match(lines.find(({ level }) => level === 50), { msg: 'fastify-bouncer: what was to be done after an answer failed', err: { type: 'AuthUnavailableError' } })
})

const HOUR = 3_600_000

for (const [engine, make] of Object.entries(stores)) {
  t.test(`${engine}: every hour, sessions that have been over for a day are deleted, and no others`, async (t) => {
    mock.timers.enable({ apis: ['Date', 'setInterval'], now: Date.now() })
    t.teardown(() => { mock.timers.reset() })
    const store = watched(make())
    const { serverOptions, lines } = logged()
    const built = await accounts(t, { store }, {}, serverOptions)
    const { app } = built
    const [ended, living] = [await built.signUp(), await built.signUp()]
    await app.bouncer.logoutAll(ended.id)
    const [session] = (await app.bouncer.sessions.list(living.id, { limit: 1 })).items
    const kept = async () => {
      const all = await Promise.all([ended, living].map(async ({ access_token: token }) => await store.sessions.find(decodeJwt(token).sid as string)))
      return all.map((one) => one !== undefined)
    }

    mock.timers.tick(23 * HOUR)
    t.equal(store.calls.filter((verb) => verb === 'sessions.prune').length, 23)
    await until(async () => (await kept())[0] === true)
    store.failing.add('sessions.prune')
    mock.timers.tick(HOUR)
    await until(() => lines.some(({ msg }) => msg === 'fastify-bouncer: old sessions could not be deleted'))
    store.failing.clear()
    mock.timers.tick(HOUR)
    await until(async () => (await kept())[0] === false)
    t.strictSame(await kept(), [false, true])
    t.equal((await app.bouncer.sessions.list(living.id, { limit: 1 })).items[0]?.id, session?.id)
    await app.close()
    const calls = store.calls.length
    mock.timers.tick(5 * HOUR)
    t.equal(store.calls.length, calls, 'nothing is left behind')
  })
}
