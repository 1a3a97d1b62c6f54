import t from 'tap'
import { AuthUnavailableError, EventError, InvalidHashError } from '../../lib/errors.js'

t.test('AuthUnavailableError says when to come back, in the body and in a header', async (t) => {
  const error = new AuthUnavailableError({ dependency: 'keys', retryAfter: 6.2 })
  t.equal(error.retryAfter, 7)
  t.strictSame(error.extra, { code: 'AUTH_UNAVAILABLE', retry_after: 7 })
  t.strictSame(error.headers, { 'cache-control': 'no-store', 'retry-after': '7' })
  t.strictSame(error.context(), { dependency: 'keys' })
  t.equal(new AuthUnavailableError().retryAfter, 5, 'five seconds when nobody can say')
})

t.test('EventError tells which handler failed, for which event, and with what', async (t) => {
  const original = new Error('no mail server')
  const error = new EventError({ eventName: 'user.created', handlerName: 'welcome', original })
  t.equal(error.eventName, 'user.created')
  t.equal(error.handlerName, 'welcome')
  t.equal(error.original, original)
  t.strictSame(error.toJSON(), { status_code: 500, detail: 'An event handler failed.', extra: { code: 'EVENT_HANDLER_FAILED' } })
})

t.test('InvalidHashError has its hash for those who ask for it by name', async (t) => {
  const error = new InvalidHashError({ hash: '$unknown$abc' })
  t.equal(error.hash, '$unknown$abc')
  t.strictSame(Object.keys(error).includes('hash'), false)
  t.strictSame(error.context(), {})
  t.strictSame({ ...error }, { statusCode: 500, code: 'INVALID_HASH' }, 'a copy does not have it')
  t.equal(new InvalidHashError().hash, undefined)
})
