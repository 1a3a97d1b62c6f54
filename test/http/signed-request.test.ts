import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:http2'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { memoryStore, RateLimitError, signRequest, type AuthPluginOptions, type SignedRequestOptions, type SignRequestOptions } from '../../index.js'
import { nonceCheck } from '../../lib/http/nonces.js'
import { messageMac, signatureBase } from '../../lib/signing/message.js'
import { readKeys } from '../../lib/signing/request-keys.js'
import { bearer, build, inTestEnvironment, options, refused, server } from '../build.js'
import { logged } from '../log-lines.js'
import { buildDocumented, codesOf, operationOf, USER_CODES } from '../openapi/document.js'
import { watched } from '../watched-store.js'

const secret = 'a secret of at least thirty-two bytes'
const another = 'another secret of thirty-two bytes or more'
const start = 1_700_000_000
const keys = { billing: secret }
const type = { 'content-type': 'application/json' }

type Request = Partial<SignRequestOptions> & { method?: string }
type Changes = { method?: string, url?: string, body?: string, headers?: Record<string, string | undefined> }

interface Hooks {
  app: FastifyInstance
  /** Bodies that handlers got, and who sent them. */
  reached: Array<[signedBy: string | null, body: unknown]>
  /** The server's clock. */
  pass: (seconds: number) => void
  /** Signs a request, with a clock that stands, and sends it with changes. */
  send: (request?: Request, changes?: Changes) => Promise<LightMyRequestResponse>
}

/** A request that is signed, as it would be sent. */
function signed (request: Request = {}): { method: string, url: string, body: string, headers: Record<string, string> } {
  const whole = { keyId: 'billing', secret, method: 'POST', url: '/hook?a=1&b=2', body: '{"total":42}', headers: type, clock: () => start * 1000, ...request }
  return { method: whole.method, url: whole.url, body: whole.body as string, headers: signRequest(whole) }
}

async function hooks (t: Test, guard: Partial<SignedRequestOptions> = {}, overrides: AuthPluginOptions = {}, serverOptions: FastifyServerOptions = {}): Promise<Hooks> {
  const app = await build(t, overrides, serverOptions)
  let now = start * 1000
  const reached: Hooks['reached'] = []
  app.route({
    method: ['GET', 'POST', 'PUT', 'DELETE'],
    url: '/hook',
    preHandler: [app.requireSignedRequest({ keys, clock: () => now, ...guard })],
    handler: async ({ signedBy, body }) => { reached.push([signedBy, body]) }
  })
  const send = async (request: Request = {}, changes: Changes = {}) => {
    const { method, url, body, headers } = signed(request)
    const all = Object.fromEntries(Object.entries({ ...headers, ...changes.headers }).filter(([, value]) => value !== undefined)) as Record<string, string>
    return await app.inject({ method: (changes.method ?? method) as 'POST', url: changes.url ?? url, payload: changes.body ?? body, headers: all })
  }
  return { app, reached, send, pass: (seconds) => { now += seconds * 1000 } }
}

const badly = (t: Test, response: LightMyRequestResponse) => { refused(t, response, 400, 'BAD_SIGNATURE', 'Invalid signature') }

t.test('a signed request passes, with and without a body, and the handler learns who sent it', async (t) => {
  const { send, reached } = await hooks(t)
  t.equal((await send()).statusCode, 200)
  t.equal((await send({ method: 'GET', body: '', headers: {} })).statusCode, 200)
  t.equal((await send({ method: 'DELETE', body: '', headers: {}, url: '/hook' })).statusCode, 200)
  t.equal((await send({ method: 'POST', body: '', headers: {}, url: '/hook?' })).statusCode, 200)
  t.equal((await send({ method: 'put', url: 'https://api.example.com/hook?x=%20y', body: '{}' }, { url: '/hook?x=%20y', method: 'PUT' })).statusCode, 200)
  t.strictSame(reached, [['billing', { total: 42 }], ['billing', undefined], ['billing', undefined], ['billing', undefined], ['billing', {}]])
})

t.test('a request that was changed does not pass, whatever was changed', async (t) => {
  const { send, reached } = await hooks(t)
  const { headers: { 'signature-input': input = '', signature = '', 'content-digest': digest = '' } } = signed()
  const empty = `sha-256=:${createHash('sha256').digest('base64')}:`
  const attacks: Array<[name: string, changes: Changes]> = [
    ['the method', { method: 'PUT' }],
    ['the path', { url: '/hook/?a=1&b=2' }],
    ['an escape in the path', { url: '/%68ook?a=1&b=2' }],
    ['the query', { url: '/hook?a=1&b=3' }],
    ['the order of the query', { url: '/hook?b=2&a=1' }],
    ['a parameter more', { url: '/hook?a=1&b=2&c=3' }],
    ['no query', { url: '/hook' }],
    ['the body', { body: '{"total":43}' }],
    ['a space in the body', { body: '{"total": 42}' }],
    ['a body that is longer', { body: '{"total":42} ' }],
    ['a body cut off', { body: '{"total":4' }],
    ['no body', { body: '' }],
    ['no body, and the digest of none', { body: '', headers: { 'content-digest': empty } }],
    ['the body and its digest', { body: '{}', headers: { 'content-digest': `sha-256=:${createHash('sha256').update('{}').digest('base64')}:` } }],
    ['no digest', { headers: { 'content-digest': undefined } }],
    ['a second digest', { headers: { 'content-digest': `${digest}, ${digest}` } }],
    ['a signed header', { headers: { 'content-type': 'application/json; charset=utf-8' } }],
    ['no signature', { headers: { signature: undefined } }],
    ['no description of the signature', { headers: { 'signature-input': undefined } }],
    ['neither', { headers: { 'signature-input': undefined, signature: undefined } }],
    ['an empty signature', { headers: { signature: '' } }],
    ['another label', { headers: { signature: signature.replace('sig1', 'sig2') } }],
    ['two signatures', { headers: { signature: `${signature}, sig2=:${'A'.repeat(43)}=:`, 'signature-input': `${input}, ${input.replace('sig1', 'sig2')}` } }],
    ['the same twice', { headers: { signature: `${signature}, ${signature}`, 'signature-input': `${input}, ${input}` } }],
    ['the time', { headers: { 'signature-input': input.replace(/created=\d+/, `created=${start + 1}`) } }],
    ['the nonce', { headers: { 'signature-input': input.replace(/nonce="./, 'nonce="_') } }],
    ['the key id', { headers: { 'signature-input': input.replace('billing', 'shipping') } }],
    ['a property of every object as key id', { headers: { 'signature-input': input.replace('billing', 'constructor') } }],
    ['no body among the components', { headers: { 'signature-input': input.replace(' "content-digest"', '') } }],
    ['the order of the components', { headers: { 'signature-input': input.replace('"@method" "@path"', '"@path" "@method"') } }],
    ['an end', { headers: { 'signature-input': `${input};expires=9999999999` } }],
    ['the algorithm', { headers: { 'signature-input': input.replace('hmac-sha256', 'rsa-pss-sha512') } }]
  ]
  for (const [name, changes] of attacks) {
    await t.test(name, async (t) => {
      const response = await send({}, changes)
      if (name === 'the path') t.equal(response.statusCode, 404, 'no route')
      else badly(t, response)
    })
  }
  t.strictSame(reached, [])
})

t.test('what a signature has to cover', async (t) => {
  const { send } = await hooks(t, { headers: ['content-type', 'x-tenant'] })
  t.equal((await send({ headers: { ...type, 'X-Tenant': 'a' } })).statusCode, 200)
  badly(t, await send({ headers: { ...type, 'x-tenant': 'a' } }, { headers: { 'x-tenant': 'b' } }))
  badly(t, await send({ headers: { ...type, 'x-tenant': 'a' } }, { headers: { 'x-tenant': undefined } }))
  badly(t, await send({ headers: type }, { headers: { 'x-tenant': 'a' } }))
  const { app } = await hooks(t)
  // A body behind the back of a signature that speaks of none.
  const { headers } = signed({ body: '' })
  for (const digest of [undefined, `sha-256=:${createHash('sha256').update('{}').digest('base64')}:`]) {
    badly(t, await app.inject({ method: 'POST', url: '/hook?a=1&b=2', headers: { ...headers, ...digest !== undefined && { 'content-digest': digest } }, payload: '{}' }))
  }
})

t.test('the end that a client gives its signature is heeded', async (t) => {
  const { app, pass } = await hooks(t)
  const ending = (expires: number, nonce: string) => {
    const parameters = `("@method" "@path" "@query");created=${start};expires=${expires};nonce="${nonce}";keyid="billing"`
    const signature = messageMac(Buffer.from(secret), signatureBase({ method: 'GET', target: '/hook', headers: {} }, ['@method', '@path', '@query'], parameters))
    return { 'signature-input': `a=${parameters}`, signature: `a=:${signature}:` }
  }
  pass(10)
  t.equal((await app.inject({ url: '/hook', headers: ending(start + 10, '0123456789abcdef') })).statusCode, 200)
  refused(t, await app.inject({ url: '/hook', headers: ending(start + 9, '1123456789abcdef') }), 400, 'SIGNATURE_EXPIRED')
  pass(291)
  refused(t, await app.inject({ url: '/hook', headers: ending(start + 9999, '2123456789abcdef') }), 400, 'SIGNATURE_EXPIRED')
})

t.test('replay: a request works once, also when it comes ten times at once', async (t) => {
  for (const overrides of [{}, { store: memoryStore() }]) {
    const { app, send, reached, pass } = await hooks(t, {}, overrides)
    const request = signed()
    const responses = await Promise.all(Array.from({ length: 10 }, async () => await app.inject(request as never)))
    t.equal(responses.filter(({ statusCode }) => statusCode === 200).length, 1)
    for (const response of responses.filter(({ statusCode }) => statusCode !== 200)) badly(t, response)
    pass(300)
    badly(t, await app.inject(request as never))
    pass(1)
    refused(t, await app.inject(request as never), 400, 'SIGNATURE_EXPIRED')
    t.equal(reached.length, 1)
    pass(-301)
    t.equal((await send()).statusCode, 200, 'another nonce')
  }
})

t.test('a nonce is of one key id, and remembered as long as its request could come again', async (t) => {
  const asked: Array<[key: string, ttl: number]> = []
  const known = new Set<string>()
  const remember = async (key: string, ttl: number) => {
    asked.push([key, ttl])
    return known.size < known.add(key).size
  }
  const { send, pass } = await hooks(t, { keys: { billing: secret, shipping: another }, remember })
  const random = () => Buffer.alloc(32)
  t.equal((await send({ random })).statusCode, 200)
  t.equal((await send({ random, keyId: 'shipping', secret: another })).statusCode, 200)
  badly(t, await send({ random }))
  pass(-300)
  await send()
  pass(600)
  await send()
  t.strictSame(asked.map(([, ttl]) => ttl / 1000), [361, 361, 361, 661, 61])
  t.equal(new Set(asked.map(([key]) => key)).size, 4)
  for (const [key] of asked) t.match(key, /^signed-request:[\w-]{43}$/)
})

t.test('no nonce is remembered of a request that was not signed, or whose body was changed', async (t) => {
  const asked: string[] = []
  const { app, send, pass } = await hooks(t, { remember: async (key) => asked.push(key) > 0 })
  const request = signed()
  await send({ secret: another })
  await send({}, { body: '{}' })
  await send({}, { body: '' })
  await app.inject({ ...request as object, payload: '{"total":43}' })
  pass(301)
  await send()
  t.strictSame(asked, [])
  pass(-301)
  t.equal((await app.inject(request as never)).statusCode, 200)
})

t.test('the time: five minutes to either side by default', async (t) => {
  const { send, pass } = await hooks(t)
  pass(300)
  t.equal((await send()).statusCode, 200)
  pass(1)
  refused(t, await send(), 400, 'SIGNATURE_EXPIRED', 'Signature has expired')
  pass(-601)
  t.equal((await send()).statusCode, 200)
  pass(-1)
  badly(t, await send())
  const short = await hooks(t, { window: 1 })
  short.pass(2)
  refused(t, await short.send(), 400, 'SIGNATURE_EXPIRED')
})

t.test('keys: several, several secrets each, bytes, and a function that looks them up', async (t) => {
  const bytes = Buffer.alloc(32, 7)
  const looked: string[] = []
  const find = async (keyId: string) => {
    looked.push(keyId)
    return { billing: secret, shipping: [another, bytes] }[keyId]
  }
  for (const given of [{ billing: secret, shipping: [another, bytes] }, find]) {
    const { send } = await hooks(t, { keys: given })
    t.equal((await send()).statusCode, 200)
    t.equal((await send({ keyId: 'shipping', secret: another })).statusCode, 200)
    t.equal((await send({ keyId: 'shipping', secret: bytes })).statusCode, 200)
    badly(t, await send({ keyId: 'shipping', secret }))
    badly(t, await send({ keyId: 'nobody' }))
  }
  t.strictSame(looked, ['billing', 'shipping', 'shipping', 'shipping', 'nobody'])
})

t.test('what cannot be decided is refused', async (t) => {
  const down = () => { throw new Error('hidden: the vault is down') }
  const faults: Array<[name: string, guard: Partial<SignedRequestOptions>, status: number, code: string]> = [
    ['a lookup that throws', { keys: down }, 503, 'AUTH_UNAVAILABLE'],
    ['a lookup that rejects', { keys: async () => down() }, 503, 'AUTH_UNAVAILABLE'],
    ['a lookup that throws an error of ours', { keys: () => { throw new RateLimitError({ retryAfter: 3 }) } }, 429, 'RATE_LIMITED'],
    ['a lookup that finds a short secret', { keys: () => 'short' }, 500, 'CONFIGURATION_ERROR'],
    ['a lookup that finds an empty list', { keys: () => [] }, 500, 'CONFIGURATION_ERROR'],
    ['a lookup that finds nonsense', { keys: () => 42 as never }, 500, 'CONFIGURATION_ERROR'],
    ['a lookup that finds nobody', { keys: () => null }, 400, 'BAD_SIGNATURE'],
    ['a memory that throws', { remember: down }, 503, 'AUTH_UNAVAILABLE'],
    ['a memory that throws an error of ours', { remember: async () => { throw new RateLimitError({ retryAfter: 3 }) } }, 429, 'RATE_LIMITED'],
    ['a memory that answers something else', { remember: async () => 'OK' as never }, 400, 'BAD_SIGNATURE']
  ]
  for (const [name, guard, status, code] of faults) {
    await t.test(name, async (t) => {
      const { send, reached } = await hooks(t, guard)
      const response = await send()
      refused(t, response, status, code)
      t.notMatch(response.payload, /hidden/)
      t.strictSame(reached, [])
    })
  }
})

t.test('attack: a lookup of keys, or a memory, that never answers holds no connection', async (t) => {
  for (const silent of [async () => await new Promise<never>(() => {}), () => ({ then () {} }) as Promise<never>]) {
    await t.rejects(readKeys(silent, 5)('billing'), { name: 'AuthUnavailableError', dependency: 'keys' })
    await t.rejects(nonceCheck(silent, 5)('billing', 'nonce', 1000), { name: 'AuthUnavailableError', dependency: 'nonces' })
  }
})

t.test('a store that is down, or full', async (t) => {
  const store = watched(memoryStore())
  store.failing.add('ephemeral.add')
  const { send, reached } = await hooks(t, {}, { store })
  refused(t, await send(), 503, 'AUTH_UNAVAILABLE')
  store.failing.clear()
  t.equal((await send()).statusCode, 200)
  const small = await hooks(t, {}, { store: memoryStore({ maxEntries: 1 }) })
  t.equal((await small.send()).statusCode, 200)
  refused(t, await small.send(), 503, 'AUTH_UNAVAILABLE')
  t.equal(reached.length, 1)
})

t.test('without a store it says so, once', async (t) => {
  const { lines, serverOptions } = logged('warn')
  const app = await build(t, {}, serverOptions)
  t.strictSame(lines, [])
  app.requireSignedRequest({ keys, remember: async () => true })
  t.strictSame(lines, [])
  app.requireSignedRequest({ keys })
  app.requireSignedRequest({ keys })
  t.match(lines, [{ msg: /nonces of signed requests are known to this process alone/ }])
  t.equal(lines.length, 1)
})

t.test('strangers are refused before the body is read, and no parser sees a body that was changed', async (t) => {
  const app = await build(t)
  const parsed: string[] = []
  app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => { parsed.push(String(body)); done(null, body) })
  app.post('/', { preHandler: app.requireSignedRequest({ keys }), schema: { body: { type: 'string', maxLength: 1 } } }, async () => 'in')
  const text = { 'content-type': 'text/plain' }
  badly(t, await app.inject({ method: 'POST', url: '/', headers: text, payload: 'unsigned' }))
  const { headers } = signed({ url: '/', body: 'right', headers: text, clock: Date.now })
  badly(t, await app.inject({ method: 'POST', url: '/', headers, payload: 'wrong' }))
  t.strictSame(parsed, [])
  t.equal((await app.inject({ method: 'POST', url: '/', headers, payload: 'right' })).json().code, 'FST_ERR_VALIDATION')
  t.strictSame(parsed, ['right'])
})

t.test('a body that nobody reads to its end is not taken for verified', async (t) => {
  const app = await build(t)
  app.addContentTypeParser('text/plain', (_request, _payload, done) => { done(null, 'not read') })
  app.route({ method: ['GET', 'POST'], url: '/', preHandler: app.requireSignedRequest({ keys }), handler: async () => 'in' })
  const text = { 'content-type': 'text/plain' }
  for (const method of ['GET', 'POST'] as const) {
    badly(t, await app.inject({ method, url: '/', payload: 'x', headers: signed({ method, url: '/', body: 'x', headers: text, clock: Date.now }).headers }))
  }
  const empty = { ...signed({ method: 'GET', url: '/', body: '', headers: { 'content-digest': `sha-256=:${createHash('sha256').digest('base64')}:` }, clock: Date.now }).headers }
  t.equal((await app.inject({ url: '/', headers: empty })).statusCode, 200, 'the digest of no body')
  const wrong = signed({ method: 'GET', url: '/', body: '', headers: { 'content-digest': 'sha-256=:AAAA:' }, clock: Date.now })
  badly(t, await app.inject({ url: '/', headers: wrong.headers }))
})

t.test('attack: a body so slow that its nonce would be remembered for no time at all', async (t) => {
  const asked: number[] = []
  const { app, pass, reached } = await hooks(t, { remember: async (_key, ttl) => asked.push(ttl) > 0 })
  const { body, ...request } = signed()
  async function * slowly () {
    yield body.slice(0, 3)
    pass(362)
    yield body.slice(3)
  }
  const headers = { ...request.headers, 'content-length': String(body.length) }
  refused(t, await app.inject({ ...request as object, headers, payload: Readable.from(slowly()) }), 400, 'SIGNATURE_EXPIRED')
  t.strictSame(asked, [])
  t.strictSame(reached, [])
})

t.test('attack: a body that no header announces', async (t) => {
  const app = await build(t)
  const parsed: string[] = []
  app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => { parsed.push(String(body)); done(null, body) })
  app.addContentTypeParser('text/csv', async (_request: unknown, payload: Readable) => { for await (const chunk of payload) parsed.push(String(chunk)) })
  app.post('/', { preHandler: app.requireSignedRequest({ keys }) }, async () => 'in')
  const post = async (type: string, more: object, payload?: Readable) => {
    const { headers } = signed({ url: '/', body: '', headers: { 'content-type': type }, clock: Date.now })
    return await app.inject({ method: 'POST', url: '/', headers: { ...headers, ...more }, ...payload !== undefined && { payload } })
  }
  for (const type of ['text/plain', 'text/csv']) {
    for (const more of [{}, { 'content-length': '0' }]) badly(t, await post(type, more, Readable.from(['unsigned', ' and long'])))
  }
  t.strictSame(parsed, [])
  t.equal((await post('text/csv', {})).statusCode, 200, 'nothing is announced, and nothing comes')
})

t.test('attack: a body that is buffered is not read', async (t) => {
  const app = await build(t)
  app.addContentTypeParser('text/plain', (_request, _payload, done) => { setTimeout(done, 50, null, 'not read') })
  app.post('/', { preHandler: app.requireSignedRequest({ keys }) }, async () => 'in')
  const { headers } = signed({ url: '/', body: 'x', headers: { 'content-type': 'text/plain' }, clock: Date.now })
  badly(t, await app.inject({ method: 'POST', url: '/', headers, payload: 'x' }))
})

t.test('in a scope, in preValidation, twice, beside a guard for users, before or after the route', async (t) => {
  const app = await build(t)
  let looked = 0
  const guard = app.requireSignedRequest({ keys: () => { looked++; return secret } })
  await app.register(async (scope) => {
    scope.post('/scope', async ({ signedBy }) => ({ signedBy }))
    scope.post('/twice', { preHandler: [guard, guard] }, async () => 'in')
    scope.addHook('preHandler', guard)
  })
  app.post('/validation', { preValidation: guard }, async () => 'in')
  app.post('/user', { onRequest: app.requireUser(), preHandler: guard }, async () => 'in')
  const post = async (url: string, more = {}, changed?: string) => {
    const { headers, body } = signed({ url, clock: Date.now })
    return await app.inject({ method: 'POST', url, headers: { ...headers, ...more }, payload: changed ?? body })
  }
  for (const url of ['/scope', '/twice', '/validation']) {
    t.equal((await post(url)).statusCode, 200, url)
    badly(t, await post(url, {}, '{}'))
    badly(t, await post(url, { signature: 'x' }))
  }
  t.strictSame((await post('/scope')).json(), { signedBy: 'billing' })
  looked = 0
  t.equal((await post('/twice')).statusCode, 200)
  t.equal(looked, 1, 'verified once')
  refused(t, await post('/user'), 401, 'MISSING_TOKEN')
  badly(t, await post('/user', { ...bearer(), signature: 'x' }))
  t.equal((await post('/user', bearer())).statusCode, 200)
})

t.test('the HEAD route that Fastify adds is guarded as its GET route is', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.requireSignedRequest({ keys }) }, async () => 'in')
  const head = async (method: string) => await app.inject({ method: 'HEAD', url: '/', headers: signRequest({ keyId: 'billing', secret, method, url: '/' }) })
  t.equal((await head('HEAD')).statusCode, 200)
  t.equal((await head('GET')).statusCode, 400)
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 400)
})

t.test('two guards with other keys on one route: the nonce is used up by the first', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: [app.requireSignedRequest({ keys }), app.requireSignedRequest({ keys: { ...keys, shipping: another } })] }, async () => 'in')
  badly(t, await app.inject({ url: '/', headers: signRequest({ keyId: 'billing', secret, url: '/' }) }))
})

t.test('protect: all asks for a user besides, unless config.auth is false', async (t) => {
  const app = await build(t, { protect: 'all' })
  const preHandler = app.requireSignedRequest({ keys })
  app.post('/both', { preHandler }, async () => 'in')
  app.post('/signed', { preHandler, config: { auth: false } }, async () => 'in')
  const post = async (url: string, headers: object) => await app.inject({ method: 'POST', url, headers: headers as Record<string, string>, payload: '{"total":42}' })
  refused(t, await post('/both', signed({ url: '/both', clock: Date.now }).headers), 401, 'MISSING_TOKEN')
  t.equal((await post('/signed', signed({ url: '/signed', clock: Date.now }).headers)).statusCode, 200)
  badly(t, await post('/signed', type))
})

t.test('where the body was not seen, nothing passes', async (t) => {
  const app = await build(t)
  const guard = app.requireSignedRequest({ keys })
  app.post('/inline', async (request, reply) => { await guard(request, reply) })
  app.setNotFoundHandler({ preHandler: guard }, async () => 'in')
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => { delete route.preParsing })
    scope.post('/robbed', { preHandler: guard }, async () => 'in')
  })
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => { delete route.preHandler })
    scope.post('/emptied', { preHandler: guard }, async () => 'in')
  })
  for (const url of ['/inline', '/nowhere', '/robbed', '/emptied']) {
    const { headers, body } = signed({ url, clock: Date.now })
    refused(t, await app.inject({ method: 'POST', url, headers, payload: body }), 500, 'CONFIGURATION_ERROR')
  }
})

t.test('what requireSignedRequest() does not take', async (t) => {
  const app = await build(t)
  const cases: Array<[given: unknown, option: string]> = [
    [undefined, 'requireSignedRequest().keys'], [{}, 'keys'], [{ keys: {} }, 'keys'], [{ keys: null }, 'keys'], [{ keys: 'x' }, 'keys'],
    [{ keys: [secret] }, 'keys'], [{ keys: new Map([['a', secret]]) }, 'keys'],
    ...['', 'a b', 'a"b', 'a\\b', 'é', 'x'.repeat(129)].map((keyId): [unknown, string] => [{ keys: { [keyId]: secret } }, 'keys']),
    [{ keys: { a: 'short' } }, 'keys.a'], [{ keys: { a: [] } }, 'keys.a'], [{ keys: { a: Buffer.alloc(31) } }, 'keys.a'],
    ...[0, -1, 1.5, NaN, '300', 86_401].map((window): [unknown, string] => [{ keys, window }, 'requireSignedRequest().window']),
    ...['x', [''], ['Content-Type'], ['@method'], [1]].map((headers): [unknown, string] => [{ keys, headers }, 'requireSignedRequest().headers']),
    [{ keys, remember: {} }, 'requireSignedRequest().remember'],
    [{ keys, maxAge: 1 }, 'requireSignedRequest().maxAge']
  ]
  for (const [given, option] of cases) t.throws(() => app.requireSignedRequest(given as never), { name: 'ConfigurationError', option }, JSON.stringify(given))
  const guard = app.requireSignedRequest({ keys })
  t.throws(() => app.post('/x', { onRequest: guard }, async () => 'in'), { name: 'ConfigurationError', option: 'onRequest' })
  t.throws(() => app.addHook('onRequest', guard), { name: 'ConfigurationError', option: 'onRequest' })
  t.throws(() => app.post('/x', { preHandler: app.requireSignedRequest as never }, async () => 'in'), { name: 'ConfigurationError', option: 'requireSignedRequest()' })
  t.throws(() => app.post('/x', { preHandlers: guard } as never, async () => 'in'), { name: 'ConfigurationError', option: 'preHandlers' })
})

t.test('what signRequest() does not sign', async (t) => {
  const right = { keyId: 'billing', secret, url: '/' }
  for (const keyId of ['', 'a"b', 'a\\b', 'a b', 'é', 'x'.repeat(129), undefined]) t.throws(() => signRequest({ ...right, keyId: keyId as string }), TypeError, String(keyId))
  for (const body of [{}, null, 1, []]) t.throws(() => signRequest({ ...right, body: body as never }), TypeError)
  for (const value of ['é', 'a\nb', 1]) t.throws(() => signRequest({ ...right, headers: { 'x-a': value as string } }), TypeError)
  t.throws(() => signRequest({ ...right, headers: { 'bad name': 'a' } }), TypeError)
  t.throws(() => signRequest({ ...right, headers: { a: '1', A: '2', '@path': 'b' } }), TypeError)
  t.throws(() => signRequest({ ...right, secret: 'short' }), { name: 'ConfigurationError' })
  t.throws(() => signRequest({ ...right, payload: '{}' } as never), { name: 'TypeError', message: /no option payload/ }, 'a body that would not be signed')
  t.throws(() => signRequest(undefined as never), TypeError)
  t.doesNotThrow(() => signRequest({ ...right, method: undefined, body: undefined, headers: undefined }))
})

t.test('a method that fetch() would send as it is, and no server know, is not signed', async (t) => {
  const right = { keyId: 'billing', secret, url: '/' }
  for (const method of ['patch', 'Patch', 'query', '', 1, null]) t.throws(() => signRequest({ ...right, method: method as string }), TypeError, String(method))
  for (const method of ['PATCH', 'QUERY', 'get', 'Head', 'options', 'post', 'put', 'delete']) t.doesNotThrow(() => signRequest({ ...right, method }), method)
})

t.test('enabled: false lets everyone through here too', async (t) => {
  inTestEnvironment(t)
  const { app, reached } = await hooks(t, {}, { enabled: false })
  t.equal((await app.inject({ method: 'POST', url: '/hook', payload: { a: 1 } })).statusCode, 200)
  t.strictSame(reached, [[null, { a: 1 }]])
})

t.test('errorHandler: false gives the errors to the application', async (t) => {
  const app = server(t)
  await app.register(authPlugin, { ...options, errorHandler: false })
  app.setErrorHandler((error: Error, _request, reply) => reply.code(418).send({ name: error.name }))
  app.post('/', { preHandler: app.requireSignedRequest({ keys }) }, async () => 'in')
  const post = async (headers: Record<string, string>, payload: string) => (await app.inject({ method: 'POST', url: '/', headers, payload })).json()
  t.strictSame(await post(type, '{}'), { name: 'BadSignatureError' })
  t.strictSame(await post(signed({ url: '/', clock: Date.now }).headers, '{}'), { name: 'BadSignatureError' })
})

t.test('nothing of the request comes back, and the log has the reason but no secret', async (t) => {
  const { lines, serverOptions } = logged('info')
  const { send } = await hooks(t, {}, {}, serverOptions)
  for (const keyId of ['hidden', 'billing']) {
    const response = await send({ keyId, secret: 'hidden secret of thirty-two bytes', body: '"hidden"' })
    badly(t, response)
    t.notMatch(response.payload + JSON.stringify(response.headers), /hidden/)
  }
  t.match(lines.filter(({ err }) => err !== undefined).map(({ context }) => context), [{ reason: 'unknown_key' }, { reason: 'mismatch' }])
  t.notMatch(JSON.stringify(lines), /hidden|secret of/)
})

t.test('the document: its refusals, and its own scheme in place of bearer', async (t) => {
  const app = await buildDocumented(t)
  const guard = app.requireSignedRequest({ keys })
  app.post('/signed', { preHandler: guard }, async () => 'in')
  app.post('/both', { onRequest: app.requireUser(), preHandler: guard }, async () => 'in')
  const signed = await operationOf(app, '/signed', 'post')
  t.strictSame(codesOf(signed), { 400: ['BAD_SIGNATURE', 'SIGNATURE_EXPIRED'], 503: ['AUTH_UNAVAILABLE'] })
  t.strictSame(signed.security, [{ signedRequest: [] }])
  const both = await operationOf(app, '/both', 'post')
  t.strictSame(codesOf(both), { ...USER_CODES, 400: [...USER_CODES[400], 'BAD_SIGNATURE', 'SIGNATURE_EXPIRED'], 503: ['AUTH_UNAVAILABLE'] })
  t.strictSame(both.security, [{ bearerAuth: [], signedRequest: [] }])
})

/** An application on a socket. */
async function listening (t: Test): Promise<{ app: FastifyInstance, origin: string, port: number }> {
  const app = await build(t, {}, { forceCloseConnections: true })
  app.route({ method: ['GET', 'POST'], url: '/hook', bodyLimit: 200_000, preHandler: app.requireSignedRequest({ keys }), handler: async ({ body, signedBy }) => ({ signedBy, size: JSON.stringify(body ?? null).length }) })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, origin, port: Number(new URL(origin).port) }
}

t.test('over a socket: chunks, trailers, compressed bodies, large ones, and the connection lives on', async (t) => {
  const { origin, port } = await listening(t)
  const large = JSON.stringify('x'.repeat(150_000))
  const fresh = (body: string | Buffer, method = 'POST') => signRequest({ keyId: 'billing', secret, method, url: `${origin}/hook?q=1`, body, headers: type })
  const post = async (headers: Record<string, string>, chunks: Array<string | Buffer>, method = 'POST'): Promise<unknown> => {
    const sent = httpRequest({ port, method, path: '/hook?q=1', headers })
    for (const chunk of chunks) sent.write(chunk)
    sent.end()
    const [response] = await once(sent, 'response') as [IncomingMessage]
    const answer = await json(response) as { size?: number, extra?: { code: string }, code?: string }
    return answer.size ?? answer.extra?.code ?? answer.code
  }
  for (let round = 0; round < 3; round++) {
    t.equal((await fetch(`${origin}/hook?q=1`, { method: 'POST', body: large, headers: fresh(large) })).status, 200)
    t.equal(await post({ ...fresh('[1,2]'), 'transfer-encoding': 'chunked' }, ['[1', ',2', ']']), 5)
    t.equal(await post({ ...fresh('[1,2]'), 'transfer-encoding': 'chunked' }, ['[1', ',3', ']']), 'BAD_SIGNATURE')
    t.equal(await post({ ...fresh('[1,2]'), 'content-length': '5' }, ['[1,3]']), 'BAD_SIGNATURE')
    t.equal(await post({ ...fresh(''), 'transfer-encoding': 'chunked' }, []), 'BAD_SIGNATURE', 'a body is announced, and not signed')
    t.equal(await post({ ...fresh(''), 'content-length': '0' }, []), 'FST_ERR_CTP_EMPTY_JSON_BODY')
    t.equal(await post({ ...fresh(large, 'GET'), 'content-length': String(large.length) }, [large], 'GET'), 'BAD_SIGNATURE', 'a body that GET does not read')
    const zipped = gzipSync('[1,2]')
    t.equal(await post({ ...fresh(zipped), 'content-encoding': 'gzip', 'content-length': String(zipped.length) }, [zipped]), 'FST_ERR_CTP_INVALID_JSON_BODY', 'nobody unpacks it here')
  }
  const huge = JSON.stringify('x'.repeat(300_000))
  const response = await fetch(`${origin}/hook?q=1`, { method: 'POST', body: huge, headers: fresh(huge) })
  t.equal(response.status, 413)
})

t.test('a digest in a trailer is none', async (t) => {
  const { port } = await listening(t)
  const { 'content-digest': digest, ...headers } = signRequest({ keyId: 'billing', secret, method: 'POST', url: '/hook', body: '[]', headers: type })
  const sent = httpRequest({ port, method: 'POST', path: '/hook', headers: { ...headers, 'transfer-encoding': 'chunked', trailer: 'content-digest' } })
  sent.addTrailers({ 'content-digest': String(digest) })
  sent.end('[]')
  const [response] = await once(sent, 'response') as [IncomingMessage]
  t.match(await json(response), { extra: { code: 'BAD_SIGNATURE' } })
})

t.test('a client that goes away in the middle of its body leaves a server that lives', async (t) => {
  const { app, origin, port } = await listening(t)
  const headers = signRequest({ keyId: 'billing', secret, method: 'POST', url: '/hook', body: '[1,2]', headers: type })
  const sent = httpRequest({ port, method: 'POST', path: '/hook', headers: { ...headers, 'content-length': '5' } })
  sent.on('error', () => {})
  const aborted = new Promise<void>((resolve) => { app.server.once('request', (request) => { request.once('close', resolve) }) })
  sent.write('[1')
  await once(app.server, 'request')
  sent.destroy()
  await aborted
  t.equal((await fetch(`${origin}/hook`, { headers: signRequest({ keyId: 'billing', secret, url: '/hook' }) })).status, 200)
})

t.test('HTTP/2: a body that no header speaks of is a body', async (t) => {
  const app = Fastify({ http2: true })
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin as never, options as never)
  const { requireSignedRequest } = app as unknown as FastifyInstance
  app.post('/hook', { preHandler: requireSignedRequest({ keys }) as never }, async ({ body }) => ({ body }))
  const session = connect(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.teardown(() => { session.close() })
  const post = async (headers: Record<string, string>, body?: string): Promise<unknown> => {
    const stream = session.request({ ':method': 'POST', ':path': '/hook', ...headers }, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    const answer = await json(stream) as { body?: unknown, extra?: { code: string } }
    return answer.extra?.code ?? answer.body
  }
  const fresh = (body: string, headers = {}) => signRequest({ keyId: 'billing', secret, method: 'POST', url: '/hook', body, headers })
  t.strictSame(await post(fresh('[1,2]', type), '[1,2]'), [1, 2])
  t.equal(await post(fresh('', type), '[1,2]'), 'BAD_SIGNATURE')
  t.equal(await post(fresh('[1]', type), '[1,2]'), 'BAD_SIGNATURE')
  t.equal(await post(fresh('')), undefined)
})
