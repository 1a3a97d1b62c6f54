import { channel } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import t from 'tap'
import { EventError } from '../lib/errors/operation.js'
import { createEvents, type AuthEvents } from '../lib/events.js'
import { server } from './build.js'
import { logged } from './log-lines.js'

const user = { id: 'user-1', email: 'ada@example.com', username: null, roles: [], is_active: true, is_verified: false }
const created = { user }
const secret = 'the token that is mailed'
const requested = { user, token: secret, expiresAt: new Date(0) }

/** An emitter, and the errors it has reported so far. */
function emitter (propagate = false) {
  const reported: EventError[] = []
  return { events: createEvents({ propagate, report: (error) => { reported.push(error) } }), reported }
}

t.test('names and events belong together', async (t) => {
  const { events } = emitter()
  const seen: string[] = []
  events.on('user_deleted', ({ userId }) => { seen.push(userId) })
  // @ts-expect-error there is no such event
  events.on('user_vanished', () => {})
  // @ts-expect-error this event has no token
  events.on('user_deleted', ({ token }) => { seen.push(token) })
  await events.emit('user_deleted', { userId: 'user-1' })
  // @ts-expect-error this event has another shape
  await events.emit('user_created', { userId: 'user-1' })
  t.strictSame(seen, ['user-1', undefined])
})

t.test('a listener that is no function is refused when it is added, not when somebody signs in', async (t) => {
  const { events, reported } = emitter()
  for (const value of [undefined, null, {}, 'listener']) {
    t.throws(() => events.on('user_created', value as never), { name: 'TypeError', message: /user_created/ })
  }
  await events.emit('user_created', created)
  t.strictSame(reported, [])
})

t.test('an event that nobody listens to is emitted all the same', async (t) => {
  const { events, reported } = emitter(true)
  await events.emit('user_created', created)
  t.strictSame(reported, [])
})

t.test('listeners are awaited, one after the other, in the order of registration', async (t) => {
  const { events } = emitter()
  const steps: string[] = []
  events.on('user_created', async () => {
    steps.push('first begins')
    await new Promise((resolve) => { setImmediate(resolve) })
    steps.push('first ends')
  })
  events.on('user_created', () => { steps.push('second') })
  events.on('user_created', () => ({ then: (resolve: () => void) => { setImmediate(() => { steps.push('third, whose promise is of another kind'); resolve() }) } }))
  events.on('user_updated', () => { steps.push('of another event') })
  await events.emit('user_created', created)
  t.strictSame(steps, ['first begins', 'first ends', 'second', 'third, whose promise is of another kind'])
})

t.test('each listener gets the event, which none can change for the next', async (t) => {
  const { events, reported } = emitter()
  const seen: unknown[] = []
  events.on('user_created', (event) => { (event as { user: unknown }).user = 'somebody else' })
  events.on('user_created', (event) => { seen.push(event.user) })
  await events.emit('user_created', created)
  t.strictSame(seen, [user])
  t.equal(reported.length, 1, 'and whoever tries is reported')
  t.type(reported[0]?.original, TypeError)
})

const raise = (value: unknown): never => { throw value }

t.test('a listener that fails is reported once, whatever it throws, and stops nothing', async (t) => {
  const values: unknown[] = [new Error('boom'), null, undefined, 'boom', 0, {}, Object.create(null), { statusCode: 200, message: 'fine' }, new Proxy({}, { get: () => raise('again') })]
  for (const value of values) {
    const { events, reported } = emitter()
    const called: string[] = []
    events.on('user_created', function mailer () { called.push('sync'); raise(value) })
    events.on('user_created', async function auditor () { called.push('async'); raise(value) })
    events.on('user_created', async () => { await new Promise((resolve) => { setImmediate(resolve) }); called.push('late'); raise(value) })
    events.on('user_created', () => { called.push('last') })
    await events.emit('user_created', created)
    t.strictSame(called, ['sync', 'async', 'late', 'last'])
    t.strictSame(reported.map(({ eventName, handlerName }) => [eventName, handlerName]), [['user_created', 'mailer'], ['user_created', 'auditor'], ['user_created', 'anonymous']])
    for (const error of reported) {
      t.type(error, EventError)
      t.equal(error.code, 'EVENT_HANDLER_FAILED')
      t.equal(error.original === value, true, 'with what was thrown')
      t.equal(error.cause === value, true, 'as cause too')
    }
  }
})

t.test('propagate: the first listener that fails ends the emit with an EventError', async (t) => {
  const sync = (): never => raise(null)
  const async = async (): Promise<never> => raise('boom')
  for (const fail of [sync, async]) {
    const { events, reported } = emitter(true)
    const called: string[] = []
    events.on('user_created', () => { called.push('before') })
    events.on('user_created', fail)
    events.on('user_created', () => { called.push('after') })
    await t.rejects(events.emit('user_created', created), { name: 'EventError', eventName: 'user_created', handlerName: fail.name })
    t.strictSame(called, ['before'])
    t.strictSame(reported, [], 'who is thrown at reports')
  }
})

t.test('a function that is registered twice is called twice, and each removal removes one of the two', async (t) => {
  const { events } = emitter()
  let calls = 0
  const listener = (): void => { calls += 1 }
  const removeFirst = events.on('user_created', listener)
  const removeSecond = events.on('user_created', listener)
  const callsOfOne = async (): Promise<number> => {
    calls = 0
    await events.emit('user_created', created)
    return calls
  }
  t.equal(await callsOfOne(), 2)
  removeSecond()
  t.equal(await callsOfOne(), 1)
  removeSecond()
  t.equal(await callsOfOne(), 1, 'removing again removes nothing else')
  removeFirst()
  t.equal(await callsOfOne(), 0)
})

t.test('an emit under way calls who was registered when it began', async (t) => {
  const { events } = emitter()
  const called: string[] = []
  events.on('user_created', () => {
    events.on('user_created', () => { called.push('added meanwhile') })
    remove()
    called.push('first')
  })
  const remove = events.on('user_created', () => { called.push('removed meanwhile') })
  await events.emit('user_created', created)
  t.strictSame(called, ['first', 'removed meanwhile'])
  called.length = 0
  await events.emit('user_created', created)
  t.strictSame(called, ['first', 'added meanwhile'])
})

t.test('two emitters do not hear each other', async (t) => {
  const [one, other] = [emitter().events, emitter().events]
  other.on('user_created', () => { t.fail('the other one was called') })
  await one.emit('user_created', created)
})

t.test('a token that is mailed can be taken out of its event, and is printed by nothing', async (t) => {
  const { lines, serverOptions, text } = logged()
  const { log } = server(t, serverOptions)
  for (const name of ['password_reset_requested', 'verification_requested'] as const) {
    const { events, reported } = emitter()
    const seen: unknown[] = []
    events.on(name, (event) => {
      const { token, expiresAt } = event
      seen.push(token, event.token, expiresAt)
      log.info({ event }, 'nested')
      log.info(event, 'plain')
      for (const printed of [JSON.stringify(event), inspect(event, { depth: null }), JSON.stringify({ ...event }), Object.keys(event).join()]) t.notOk(printed.includes(secret), printed)
      t.notOk('token' in Object.assign({}, event), 'a copy has no token')
      raise(event)
    })
    await events.emit(name, requested)
    t.strictSame(seen, [secret, secret, requested.expiresAt])
    log.error({ err: reported[0] }, 'and the event in an error')
  }
  t.equal(lines.length, 6)
  t.match(text(), 'ada@example.com', 'the event was logged')
  t.notOk(text().includes(secret), 'and its token was not')
  t.equal(requested.token, secret, 'what was given is as it was')
  t.ok(Object.keys(requested).includes('token'))
})

t.test('diagnostics_channel gets each event once, before the listeners, and never its token', async (t) => {
  const { events } = emitter()
  const seen: unknown[] = []
  const subscriber = (message: unknown, name: string | symbol): void => { seen.push([name, message]) }
  const published = channel('fastify-bouncer:password_reset_requested')
  published.subscribe(subscriber)
  t.teardown(() => published.unsubscribe(subscriber))
  events.on('password_reset_requested', () => { seen.push('listener') })
  await events.emit('password_reset_requested', requested)
  await events.emit('user_created', created)
  t.strictSame(seen, [['fastify-bouncer:password_reset_requested', { user, expiresAt: requested.expiresAt }], 'listener'])
  t.notOk('token' in ((seen[0] as unknown[])[1] as object), 'not even out of sight')
})

t.test('diagnostics_channel hears of an event whose listener fails', async (t) => {
  const { events } = emitter(true)
  const seen: unknown[] = []
  const subscriber = (message: unknown): void => { seen.push(message) }
  const published = channel('fastify-bouncer:user_created')
  published.subscribe(subscriber)
  t.teardown(() => published.unsubscribe(subscriber))
  events.on('user_created', () => raise('boom'))
  await t.rejects(events.emit('user_created', created), EventError)
  t.strictSame(seen, [created])
})

t.test('diagnostics_channel costs nothing where nobody listens', async (t) => {
  const { events } = emitter()
  let reads = 0
  const event: AuthEvents['user_deleted'] = { get userId () { reads += 1; return 'user-1' } }
  const readsOfOne = async (): Promise<number> => {
    reads = 0
    await events.emit('user_deleted', event)
    return reads
  }
  const unheard = await readsOfOne()
  const published = channel('fastify-bouncer:user_deleted')
  const subscriber = (): void => {}
  published.subscribe(subscriber)
  t.equal(await readsOfOne(), unheard + 1, 'a copy is made for subscribers')
  published.unsubscribe(subscriber)
  t.equal(await readsOfOne(), unheard, 'and for nobody else')
})
