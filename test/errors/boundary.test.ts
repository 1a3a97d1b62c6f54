import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { ChallengeRequiredError, InvalidHashError, type AuthErrorClass } from '../../lib/errors.js'
import { bearer, build, claims, encode, forge } from '../build.js'
import { logged } from '../log-lines.js'
import { classOf, contextOf, contract, make } from './contract.js'

// Private fields never leave the server; secrets never leave their field.

/** Text that occurs nowhere by chance. */
const secretText = fc.stringMatching(/^[A-Za-z0-9_-]{24,40}$/)

const forms = ['application/json', 'application/problem+json']

/** Every way there is to print a value. */
function printed (value: unknown): string {
  const ways = [{}, { showHidden: true }, { depth: Infinity }, { showHidden: true, depth: Infinity, showProxy: true }, { depth: Infinity, getters: true }, { customInspect: false, depth: Infinity }]
  const nested = [value, { nested: [{ value }] }, new Map([['key', value]]), new Error('outer', { cause: value }), Object.create(value as object), new Proxy(value as object, {})]
  return nested.flatMap((one) => [...ways.map((way) => inspect(one, way)), JSON.stringify(one), JSON.stringify({ one }), String((one as Error).stack)]).join('\n')
}

/** Context in which each private field holds text of its own, and those texts. */
function privately (errorClass: AuthErrorClass, fields: readonly string[], texts: readonly string[]): { context: object, hidden: string[] } {
  const values: Record<string, (text: string) => unknown> = {
    identifier: (value) => ({ type: 'email', value }),
    requireAll: () => true,
    original: (text) => new Error(text),
    expiredAt: () => new Date(1),
    requiredRoles: (text) => new Set([text]),
    userRoles: (text) => new Set([text]),
    requiredGroups: (text) => new Set([text]),
    userGroups: (text) => new Set([text]),
    userScopes: (text) => new Set([text])
  }
  const given = fields.filter((field) => !['identifierType', 'identifierValue', 'required', 'granted'].includes(field))
  const context = Object.fromEntries(given.map((field, index) => [field, (values[field] ?? ((text) => text))(texts[index] ?? '')]))
  return { context: { ...contextOf(errorClass), ...context }, hidden: texts.slice(0, given.length) }
}

const texts = fc.uniqueArray(secretText, { minLength: 6, maxLength: 6 })

t.test('no private field is in a body, alone or nested in another object', async (t) => {
  for (const row of contract) {
    const errorClass = classOf(row)
    fc.assert(fc.property(texts, ([message = '', cause = '', ...rest]) => {
      const { context, hidden } = privately(errorClass, row.private, rest)
      const error = make(errorClass, { ...context, message, cause: new Error(cause) })
      const bodies = [JSON.stringify(error), JSON.stringify(error.toJSON()), JSON.stringify({ list: [{ error }] }), JSON.stringify(Object.create(error)), JSON.stringify(error.extra), JSON.stringify(error.headers)].join()
      return [message, cause, ...hidden].every((text) => !bodies.includes(text))
    }), { numRuns: 50 })
    t.pass(row.class)
  }
})

t.test('no private field is in a response, in either form, whatever the log level', async (t) => {
  for (const logLevel of ['trace', 'silent'] as const) {
    const app = await build(t, { logLevel })
    let thrown: Error = new Error('none yet')
    app.get('/', async () => { throw thrown })
    for (const row of contract) {
      await fc.assert(fc.asyncProperty(texts, fc.constantFrom(...forms), async ([message = '', cause = '', ...rest], accept) => {
        const { context, hidden } = privately(classOf(row), row.private, rest)
        thrown = make(classOf(row), { ...context, message, cause: new Error(cause) })
        const { statusCode, body, headers } = await app.inject({ url: '/', headers: { accept } })
        const answer = body + JSON.stringify(headers)
        return statusCode === row.status && answer.includes(row.code) && [message, cause, ...hidden].every((text) => !answer.includes(text))
      }), { numRuns: 5 })
      t.pass(`${row.class} ${logLevel}`)
    }
  }
})

t.test('a hash and a challenge session are in no print of their error', async () => {
  fc.assert(fc.property(secretText, (secret) => {
    const prints = [new InvalidHashError({ hash: secret }), new ChallengeRequiredError({ challengeName: 'SMS_MFA', session: secret })].map(printed)
    return prints.every((print) => print.length > 100 && !print.includes(secret))
  }))
})

t.test('a hash and a challenge session are in no log, and in no answer', async (t) => {
  const { serverOptions, text } = logged()
  const app = await build(t, {}, serverOptions)
  let thrown: Error = new Error('none yet')
  app.get('/', async (request) => {
    request.log.warn({ thrown, err: thrown, error: thrown }, 'about to throw')
    throw thrown
  })
  await fc.assert(fc.asyncProperty(secretText, fc.boolean(), async (secret, challenge) => {
    thrown = challenge ? new ChallengeRequiredError({ challengeName: 'SMS_MFA', session: secret }) : new InvalidHashError({ hash: secret })
    const before = text().length
    const response = await app.inject('/')
    const log = text().slice(before)
    return response.statusCode === 500 && log.includes(thrown.name) && !(log + response.body + JSON.stringify(response.headers)).includes(secret)
  }), { numRuns: 100 })
})

/** Credentials that are refused, whatever their scheme, and the texts in them that are secret. */
const credentials = fc.oneof(
  texts.map(([a = '', b = '', c = '']) => ({ authorization: `Bearer ${a}.${b}.${c}`, secrets: [a, b, c] })),
  secretText.map((token) => ({ authorization: `Bearer ${token}`, secrets: [token] })),
  secretText.map((token) => ({ authorization: `bearer  ${token} ${token}`, secrets: [token] })),
  secretText.map((token) => ({ authorization: token, secrets: [token] })),
  secretText.map((token) => ({ authorization: `Bearer ${token}, Basic ${token}`, secrets: [token] })),
  secretText.map((password) => ({ authorization: `Basic ${Buffer.from(`ada:${password}`).toString('base64')}`, secrets: [password, Buffer.from(`ada:${password}`).toString('base64')] })),
  // Well-formed tokens: signed with another key, of another issuer, expired, with a claim that is no claim, with a secret for a key id.
  fc.tuple(secretText, secretText, fc.constantFrom('key', 'issuer', 'expired', 'claim', 'algorithm', 'kid')).map(([text, key, fault]) => {
    const changes = { key: {}, issuer: { iss: text }, expired: { exp: 1, email: text }, claim: { sub: 7, email: text }, algorithm: {}, kid: {} }[fault]
    const header = { alg: fault === 'algorithm' ? text : 'HS256', ...(fault === 'kid' && { kid: text, crit: [text] }) }
    const token = forge(header, claims({ jti: text, ...changes }), fault === 'key' ? key : undefined)
    return { authorization: `Bearer ${token}`, secrets: [text, key, ...token.split('.').filter((part) => part !== encode({ alg: 'HS256' }))] }
  })
)

t.test('a refused request leaves no credentials behind: not in the answer, not in the log', async (t) => {
  const { serverOptions, text } = logged()
  const app = await build(t, { jwt: { secret: 'a secret of at least thirty-two bytes', decorate: true }, errorHandler: 'all' }, serverOptions)
  app.get('/guard', { preHandler: [app.requireRole('admin')] }, async () => 'reached')
  app.get('/library', async (request) => { await (request as unknown as { jwtVerify (): Promise<unknown> }).jwtVerify() })
  app.get('/handler', async (request) => { await request.authenticate() })
  await fc.assert(fc.asyncProperty(credentials, secretText, fc.constantFrom('/guard', '/library', '/handler'), fc.constantFrom(...forms), async ({ authorization, secrets }, cookie, url, accept) => {
    const before = text().length
    const response = await app.inject({ url, headers: { authorization, accept, cookie: `session=${cookie}`, 'x-api-key': cookie } })
    const left = text().slice(before) + response.body + JSON.stringify(response.headers)
    return [400, 401].includes(response.statusCode) && left.includes('incoming request') && [...secrets, cookie].every((secret) => !left.includes(secret))
  }), { numRuns: 500 })
})

t.test('the key of the server is in no error, log or answer', async (t) => {
  const { serverOptions, text } = logged()
  const key = 'the-key-of-the-server-is-secret-enough'
  const app = await build(t, { jwt: { secret: key } }, serverOptions)
  app.get('/', { onRequest: app.requireUser() }, async () => 'reached')
  const response = await app.inject({ url: '/', headers: bearer() })
  t.equal(response.statusCode, 401)
  t.notMatch(text() + response.body + inspect(app.bouncer, { showHidden: true, depth: 3 }), key)
  const error = await build(t, { jwt: { secret: 'short-secret' } }).then(() => new Error('it started'), (refusal: Error) => refusal)
  t.match(error, { name: 'ConfigurationError' })
  t.notMatch(printed(error), 'short-secret')
})
