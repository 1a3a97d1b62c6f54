import t from 'tap'
import { AuthError, ConfigurationError, errorClasses, MissingTokenError, RateLimitError, TokenError, UserNotFoundError } from '../../lib/errors.js'
import { wholeSeconds, withoutStack } from '../../lib/errors/auth-error.js'
import { classOf, contextOf, contract, make, property } from './contract.js'

t.test('message equals detail unless one is given', async (t) => {
  const own = ['OAuthAccountAlreadyLinkedError', 'InvalidPasswordError', 'PasswordPolicyError']
  for (const errorClass of errorClasses) {
    const error = make(errorClass)
    if (!own.includes(error.name)) t.equal(error.message, error.detail, error.name)
    const told = make(errorClass, { ...error, message: 'For operators.' })
    t.equal(told.message, 'For operators.')
    t.equal(told.detail, error.detail, `${error.name}: the message does not change the detail`)
    t.notMatch(JSON.stringify(told), /operators/, `${error.name}: the message is not in the body`)
  }
})

t.test('every class takes detail, code, headers and cause; none takes a status', async (t) => {
  const cause = new Error('underneath')
  for (const errorClass of errorClasses) {
    const plain = make(errorClass)
    const error = make(errorClass, { ...plain, detail: 'Un détail', code: 'OWN_CODE', headers: { 'X-Own': 'yes' }, cause, statusCode: 200 })
    t.equal(error.detail, 'Un détail', error.name)
    t.equal(error.code, 'OWN_CODE')
    t.equal(error.extra.code, 'OWN_CODE')
    t.equal(error.headers['x-own'], 'yes')
    t.equal(error.cause, cause)
    t.equal(error.statusCode, plain.statusCode, `${error.name}: the status belongs to the class`)
    t.strictSame(error.toJSON(), { status_code: plain.statusCode, detail: 'Un détail', extra: { ...plain.extra, code: 'OWN_CODE' } })
    t.notOk('cause' in plain, `${error.name}: no cause where none is given`)
  }
})

t.test('an option that is undefined is an option that is left out', async (t) => {
  const nothing = { message: undefined, detail: undefined, code: undefined, headers: undefined, cause: undefined }
  for (const row of contract) {
    const error = make(classOf(row))
    const again = make(classOf(row), { ...contextOf(classOf(row)), ...nothing })
    t.equal(again.message, error.message, row.class)
    t.strictSame(again.toJSON(), error.toJSON(), row.class)
    t.strictSame(again.headers, error.headers, row.class)
    t.notOk('cause' in again)
  }
})

t.test('headers of the constructor are added to those of the class, whatever their case', async (t) => {
  const error = new RateLimitError({ retryAfter: 30, headers: { 'Retry-After': '60', 'X-Reason': 'busy' } })
  t.strictSame(error.headers, { 'cache-control': 'no-store', 'retry-after': '60', 'x-reason': 'busy' })
  t.equal(error.extra.retry_after, 30, 'the body keeps its own')
  t.strictSame(new UserNotFoundError().headers, { 'cache-control': 'no-store' })
  t.not(error.headers, error.headers, 'changing what is handed out changes no error')
})

t.test('an error is named after its class, an application\'s own included', async (t) => {
  for (const errorClass of errorClasses) t.equal(make(errorClass).name, errorClass.name)
  class TenantSuspendedError extends AuthError {}
  t.equal(new TenantSuspendedError().name, 'TenantSuspendedError')
  t.match(String(new MissingTokenError({ message: 'no header' })), /^MissingTokenError: no header$/)
})

t.test('every accessor works through Object.create, which Fastify reads errors by', async (t) => {
  for (const errorClass of errorClasses) {
    const error = make(errorClass)
    const through = Object.create(error) as AuthError
    t.ok(through instanceof errorClass.prototype.constructor, error.name)
    for (const name of ['name', 'statusCode', 'status_code', 'code', 'detail', 'message', 'extra', 'headers', ...contract.find((row) => row.class === error.name)?.private ?? []]) {
      t.strictSame(property(through, name), property(error, name), `${error.name}.${name}`)
    }
    t.strictSame(through.toJSON(), error.toJSON(), `${error.name}.toJSON()`)
    t.equal(JSON.stringify(through), JSON.stringify(error))
    t.equal(through.status_code, error.toJSON().status_code)
  }
})

t.test('context has the private fields, fit for a log', async (t) => {
  t.strictSame(new RateLimitError({ retryAfter: 5, identifier: 'ada' }).context(), { identifier: 'ada' })
  t.strictSame(new MissingTokenError().context(), {})
  const error = new ConfigurationError({ option: 'issuer', message: 'issuer is empty.', detail: 'd', code: 'C', headers: {}, cause: 1 })
  t.strictSame(error.context(), { option: 'issuer' }, 'what every class has is not repeated')
})

t.test('a caller cannot put a field of the class out of place', async (t) => {
  const forged = { name: 'Mallory', stack: 'none', extra: { code: 'FORGED' }, statusCode: 200 }
  const error = new TokenRevokedLike(forged)
  t.equal(error.name, 'TokenRevokedLike')
  t.not(error.stack, 'none')
  t.strictSame(error.toJSON(), { status_code: 401, detail: 'Invalid token', extra: { code: 'TOKEN_ERROR' } })
})

class TokenRevokedLike extends TokenError<Record<string, unknown>> {}

t.test('Retry-After is whole seconds, rounded up and never negative (RFC 9110)', async (t) => {
  for (const [given, whole] of [[0, 0], [0.001, 1], [1, 1], [29.5, 30], [-3, 0], [Infinity, 1], [-Infinity, 1], [NaN, 1]] as const) {
    t.equal(wholeSeconds(given), whole, String(given))
    const error = new RateLimitError({ retryAfter: given })
    t.equal(error.headers['retry-after'], String(whole))
    t.equal(error.retryAfter, whole)
  }
})

t.test('withoutStack collects no stack, and puts the limit back whatever happens', async (t) => {
  const limit = Error.stackTraceLimit
  const error = withoutStack(() => new MissingTokenError())
  t.notMatch(error.stack, /\n/)
  t.equal(Error.stackTraceLimit, limit)
  t.throws(() => withoutStack(() => { throw new MissingTokenError() }), MissingTokenError)
  t.equal(Error.stackTraceLimit, limit)
  t.match(new MissingTokenError().stack, /\n +at /, 'elsewhere there are stacks')
})

t.test('context named like an accessor of the class takes its place', async (t) => {
  class TeamError extends UserNotFoundError {
    get team (): string { return 'nobody' }
  }
  const error = new TeamError({ team: 'blue' } as object)
  t.equal(error.team, 'blue')
  t.strictSame(error.context(), { team: 'blue' })
})
