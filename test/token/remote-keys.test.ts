import { gzipSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { AuthUnavailableError, TokenInvalidError } from '../../index.js'
import type { KeySource, VerificationKey } from '../../lib/token/key-source.js'
import { PUBLIC_KEY_ALGORITHMS } from '../../lib/token/local-keys.js'
import { remoteKeys, type RemoteKeysOptions } from '../../lib/token/remote-keys.js'
import { claims, refused } from '../build.js'
import { allRefused, guarded, passed, refusedAs } from '../guarded.js'
import { jwkOf, newKey, signed, type TestKey } from '../keys.js'
import { keyServer, says, until, type KeyServer } from '../key-server.js'

const one = newKey('P-256')
const two = newKey('P-256')
const rsa = newKey('rsa')
const setOf = (...keys: unknown[]): { keys: unknown[] } => ({ keys })
const first = setOf(jwkOf(one, { kid: 'one' }))
const es = (key: TestKey, kid?: string, changes: Record<string, unknown> = {}): string => signed({ alg: 'ES256', ...(kid !== undefined && { kid }) }, claims(changes), key.privateKey)

/** A key source whose time stands still until a test moves it. Times of the options are in seconds. */
function laboratory (server: { url: string }, options: Partial<RemoteKeysOptions> = {}): { keys: KeySource, pass: (seconds: number) => void, find: (kid?: string, alg?: string) => Promise<readonly VerificationKey[]>, outcome: (kid?: string, alg?: string) => Promise<string> } {
  let now = 1_700_000_000_000
  const keys = remoteKeys({
    url: server.url,
    algorithms: PUBLIC_KEY_ALGORITHMS,
    timeout: 5,
    maxAge: 600,
    cooldown: 30,
    staleFor: 3600,
    maxBytes: 65_536,
    fetch: (input, init) => globalThis.fetch(input, init),
    clock: () => now,
    ...options
  })
  const find = async (kid?: string, alg = 'ES256'): Promise<readonly VerificationKey[]> => await keys.find({ alg, kid })
  return {
    keys,
    find,
    pass: (seconds) => { now += seconds * 1000 },
    async outcome (kid, alg) {
      try {
        return `${(await find(kid, alg)).length} keys`
      } catch (error) {
        if (error instanceof TokenInvalidError) return String(error.reason)
        if (error instanceof AuthUnavailableError) return `unavailable for ${String(error.retryAfter)}`
        throw error
      }
    }
  }
}

test('nothing is fetched before the first token, and then once', async (t) => {
  const server = await keyServer(t, first)
  const { app, ask } = await guarded(t, { jwt: { jwksUrl: server.url } })
  await app.ready()
  t.equal(server.requests, 0)
  for (let round = 0; round < 5; round++) passed(t, await ask(es(one, 'one')))
  t.equal(server.requests, 1)
})

test('single flight: 100 parallel requests cost one fetch', async (t) => {
  const server = await keyServer(t, first)
  const release = server.hold()
  const { ask } = await guarded(t, { jwt: { jwksUrl: server.url } })
  const answers = Promise.all(Array.from({ length: 100 }, async () => await ask(es(one, 'one'))))
  await until(() => server.requests > 0)
  release()
  t.strictSame([...new Set((await answers).map((answer) => answer.statusCode))], [200])
  t.equal(server.requests, 1)
})

test('single flight also when the fetch fails: nobody passes, one request is made', async (t) => {
  const server = await keyServer(t, first)
  server.answer(says(500))
  const release = server.hold()
  const { ask, seen } = await guarded(t, { jwt: { jwksUrl: server.url } })
  const answers = Promise.all(Array.from({ length: 100 }, async () => await ask(es(one, 'one'))))
  await until(() => server.requests > 0)
  release()
  t.strictSame([...new Set((await answers).map((answer) => answer.statusCode))], [503])
  t.equal(server.requests, 1)
  t.equal(seen.length, 0)
})

test('unknown key ids: 200 in a burst cost one fetch per cool-down at most', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  const burst = async (): Promise<string[]> => [...new Set(await Promise.all(Array.from({ length: 200 }, async (_, index) => await outcome(`made-up-${index}`))))]
  t.strictSame(await burst(), ['unknown_key'])
  t.equal(server.requests, 1, 'the first fetch answers them all')
  t.strictSame(await burst(), ['unknown_key'])
  t.equal(server.requests, 1, 'within the cool-down none')
  pass(30)
  t.strictSame(await burst(), ['unknown_key'])
  t.equal(server.requests, 2)
  for (let round = 0; round < 20; round++) await outcome(`one-by-one-${round}`)
  t.equal(server.requests, 2, 'nor one after another')
})

test('unknown key ids over HTTP: 401 for all of them, and known ones go on', async (t) => {
  const server = await keyServer(t, first)
  const { ask, seen } = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await ask(es(one, 'one')))
  seen.length = 0
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, index) => await ask(es(two, `made-up-${index}`))))
  for (const answer of answers.slice(0, 3)) refusedAs(t, answer, 'unknown_key')
  t.strictSame([...new Set(answers.map((answer) => answer.statusCode))], [401])
  t.equal(seen.length, 0)
  t.equal(server.requests, 1)
  passed(t, await ask(es(one, 'one')))
})

test('rotation: a new key is found by one fetch when it is first met', async (t) => {
  const server = await keyServer(t, first)
  const { ask } = await guarded(t, { jwt: { jwksUrl: server.url, jwksCooldown: 0 } })
  passed(t, await ask(es(one, 'one')))
  server.publish(setOf(jwkOf(one, { kid: 'one' }), jwkOf(two, { kid: 'two' })))
  passed(t, await ask(es(two, 'two')))
  passed(t, await ask(es(one, 'one')))
  t.equal(server.requests, 2)
})

test('rotation: within the cool-down a new key waits, and is accepted after it', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  t.equal(await outcome('one'), '1 keys')
  server.publish(setOf(jwkOf(two, { kid: 'two' })))
  t.equal(await outcome('two'), 'unknown_key')
  pass(29)
  t.equal(await outcome('two'), 'unknown_key')
  pass(1)
  t.equal(await outcome('two'), '1 keys')
  t.equal(await outcome('one'), 'unknown_key', 'the set is replaced as a whole')
  t.equal(server.requests, 2)
})

test('rotation: a key id that is given to another key', async (t) => {
  const server = await keyServer(t, first)
  const { find, pass } = laboratory(server)
  const [before] = await find('one')
  t.match(before?.verify(es(one, 'one')), { sub: 'user-1' })
  server.publish(setOf(jwkOf(two, { kid: 'one' })))
  pass(600)
  const [after] = await find('one')
  t.match(after?.verify(es(two, 'one')), { sub: 'user-1' })
  t.match(after?.verify(es(one, 'one')), { code: 'TOKEN_INVALID', reason: 'signature' })
})

test('removal: a key that left the set verifies nothing after maxAge', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  t.equal(await outcome('one'), '1 keys')
  server.publish(setOf(jwkOf(two, { kid: 'two' })))
  pass(599)
  t.equal(await outcome('one'), '1 keys', 'not looked at before')
  pass(1)
  t.equal(await outcome('one'), 'unknown_key')
  t.equal(await outcome('two'), '1 keys')
  t.equal(server.requests, 2)
})

test('removal over HTTP, with a cache of verified tokens too', async (t) => {
  for (const cache of [false, true]) {
    const server = await keyServer(t, first)
    const { ask } = await guarded(t, { jwt: { jwksUrl: server.url, jwksMaxAge: 0, jwksCooldown: 0, cache } })
    const text = es(one, 'one')
    passed(t, await ask(text))
    passed(t, await ask(text))
    server.publish(setOf(jwkOf(two, { kid: 'two' })))
    refusedAs(t, await ask(text), 'unknown_key', `cache: ${cache}`)
    server.publish(setOf(jwkOf(two, { kid: 'one' })))
    refusedAs(t, await ask(text), 'signature', 'the key id belongs to another key now')
    server.publish(setOf())
    refusedAs(t, await ask(text), 'unknown_key')
  }
})

test('an outage: the last set serves for the stale period, then 503 until the endpoint is back', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  t.equal(await outcome('one'), '1 keys')
  await server.stop()
  pass(600)
  t.equal(await outcome('one'), '1 keys', 'stale, and served')
  pass(3599)
  t.equal(await outcome('one'), '1 keys', 'to the last second')
  pass(1)
  t.equal(await outcome('one'), 'unavailable for 5')
  pass(4)
  t.equal(await outcome('one'), 'unavailable for 1', 'the last attempt was four seconds ago')
  await server.start()
  pass(1)
  t.equal(await outcome('one'), '1 keys', 'by itself')
})

test('an outage: with a stale period of 0 the set ends at maxAge', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server, { staleFor: 0 })
  t.equal(await outcome('one'), '1 keys')
  server.answer(says(500))
  pass(599)
  t.equal(await outcome('one'), '1 keys')
  pass(1)
  t.equal(await outcome('one'), 'unavailable for 5')
})

test('an outage: an unknown key id is 503, since nobody can say whether it is new', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  t.equal(await outcome('one'), '1 keys')
  server.answer(says(503))
  pass(60)
  t.equal(await outcome('two'), 'unavailable for 5')
  t.equal(await outcome('one'), '1 keys', 'a known one is not concerned')
  server.answer(undefined)
  server.publish(setOf(jwkOf(two, { kid: 'two' })))
  pass(5)
  t.equal(await outcome('two'), '1 keys')
})

test('an outage: a failing endpoint is asked once per cool-down, however many tokens come', async (t) => {
  const server = await keyServer(t, first)
  server.answer(says(500))
  const { outcome, pass } = laboratory(server)
  for (let round = 1; round <= 4; round++) {
    await Promise.all(Array.from({ length: 50 }, async () => await outcome('one')))
    for (let index = 0; index < 50; index++) t.match(await outcome(`made-up-${index}`), /^unavailable/)
    t.equal(server.requests, round)
    pass(5)
  }
})

test('an outage: while stale keys serve, the endpoint is asked once per cool-down', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  await outcome('one')
  server.answer(says(500))
  pass(600)
  for (let index = 0; index < 50; index++) t.equal(await outcome('one'), '1 keys')
  t.equal(server.requests, 2)
  pass(5)
  for (let index = 0; index < 50; index++) t.equal(await outcome('one'), '1 keys')
  t.equal(await outcome('two'), 'unavailable for 5')
  t.equal(server.requests, 3)
})

test('an outage: a cool-down shorter than five seconds counts for failures too', async (t) => {
  const server = await keyServer(t, first)
  server.answer(says(500))
  const { outcome, pass } = laboratory(server, { cooldown: 2 })
  t.equal(await outcome('one'), 'unavailable for 2')
  pass(1.5)
  t.equal(await outcome('one'), 'unavailable for 1', 'never less than a second')
  t.equal(server.requests, 1)
  pass(0.5)
  await outcome('one')
  t.equal(server.requests, 2)
})

/** A laboratory with an endpoint that takes requests and never answers, once its first answer is there. */
async function hanging (t: Test): Promise<ReturnType<typeof laboratory> & { server: KeyServer, started: () => number, finished: () => number }> {
  const server = await keyServer(t, first)
  let started = 0
  let finished = 0
  const fetch: typeof globalThis.fetch = async (input, init) => {
    started++
    try {
      return await globalThis.fetch(input, init)
    } finally {
      finished++
    }
  }
  const lab = laboratory(server, { timeout: 0.2, fetch })
  t.equal(await lab.outcome('one'), '1 keys')
  server.answer(() => {})
  return { ...lab, server, started: () => started, finished: () => finished }
}

test('an endpoint that hangs: only who comes first after maxAge waits, the others are served at once', async (t) => {
  const { server, outcome, pass, started, finished } = await hanging(t)
  pass(600)
  t.equal(await outcome('one'), '1 keys', 'after the timeout')
  t.equal(finished(), 2, 'the first one waited for it')
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 20; index++) t.equal(await outcome('one'), '1 keys')
    await new Promise(setImmediate)
    t.equal(started(), 2 + round, 'within the cool-down none is made')
    pass(5)
    t.strictSame([...new Set(await Promise.all(Array.from({ length: 50 }, async () => await outcome('one'))))], ['1 keys'])
    t.equal(finished(), 2 + round, 'served before the fetch behind them ended')
    await until(() => server.requests === 3 + round)
    t.equal(started(), 3 + round, 'one fetch runs')
    await until(() => finished() === 3 + round)
  }
  pass(3600)
  t.match(await outcome('one'), /^unavailable/, 'not beyond the stale period')
})

test('an endpoint that hung and is back: the fetch behind a request brings the new set', async (t) => {
  const { server, outcome, pass, finished } = await hanging(t)
  pass(600)
  t.equal(await outcome('one'), '1 keys')
  server.answer(undefined)
  server.publish(setOf(jwkOf(two, { kid: 'two' })))
  pass(5)
  t.equal(await outcome('one'), '1 keys', 'still of the last set')
  await until(() => finished() === 3)
  await until(() => server.requests === 3)
  while (await outcome('one') === '1 keys') await new Promise(setImmediate)
  t.equal(await outcome('one'), 'unknown_key')
  t.equal(await outcome('two'), '1 keys')
})

test('the cool-down of a failure counts from its end, however long it took', async (t) => {
  const { server, outcome, pass, started } = await hanging(t)
  pass(600)
  const waiting = outcome('one')
  await until(() => server.requests === 2)
  pass(60)
  t.equal(await waiting, '1 keys')
  t.equal(await outcome('two'), 'unavailable for 5', 'all five seconds are left')
  pass(4.5)
  t.equal(await outcome('one'), '1 keys')
  t.equal(await outcome('two'), 'unavailable for 1')
  await new Promise(setImmediate)
  t.equal(started(), 2)
  pass(0.5)
  t.equal(await outcome('one'), '1 keys')
  await until(() => started() === 3)
  t.match(await outcome('two'), /^unavailable/)
})

test('down at start: 503 with Retry-After, and it recovers by itself', async (t) => {
  const server = await keyServer(t, first, { listening: false })
  const { app, ask, seen } = await guarded(t, { jwt: { jwksUrl: server.url, jwksCooldown: 0 } })
  await app.ready()
  const response = await ask(es(one, 'one'))
  refused(t, response, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
  t.match(response.headers['retry-after'], /^[1-9]\d*$/)
  t.equal(response.json().extra.retry_after, Number(response.headers['retry-after']))
  t.notOk(response.payload.includes('127.0.0.1'), 'the address is not told')
  t.notOk(response.payload.includes('ECONNREFUSED'))
  t.equal(response.headers['www-authenticate'], undefined)
  t.equal(seen.length, 0)
  await server.start()
  passed(t, await ask(es(one, 'one')))
})

test('a request without a token, or with a broken one, is refused as ever while keys are unavailable', async (t) => {
  const server = await keyServer(t, first, { listening: false })
  const app = await guarded(t, { jwt: { jwksUrl: server.url } })
  refusedAs(t, await app.app.inject({ url: '/' }), 'missing')
  await allRefused(t, app, { broken: 'a.b.c' }, 'malformed')
})

test('optional authentication lets nobody in with a token that cannot be checked', async (t) => {
  const server = await keyServer(t, first, { listening: false })
  const { app } = await guarded(t, { jwt: { jwksUrl: server.url } })
  app.get('/optional', { preHandler: [app.optionalUser()] }, async (request) => ({ user: request.user }))
  const response = await app.inject({ url: '/optional', headers: { authorization: `Bearer ${es(one, 'one')}` } })
  refused(t, response, 503, 'AUTH_UNAVAILABLE')
  t.strictSame((await app.inject({ url: '/optional' })).json(), { user: null })
})

/** Checks that a server's answer is no key set: 503 without, and the last set with one. */
async function useless (t: Test, server: KeyServer, what: string): Promise<void> {
  const fresh = laboratory(server)
  t.match(await fresh.outcome('one'), /^unavailable/, what)
  t.match(await fresh.outcome(), /^unavailable/, what)
}

test('answers that are no key set: 503, never a pass', async (t) => {
  const good = JSON.stringify(first)
  const answers: Record<string, Parameters<typeof says>> = {
    'status 500': [500, good],
    'status 404': [404, good],
    'status 401': [401, good],
    'status 201': [201, good],
    'status 204': [204],
    'status 304': [304],
    'status 599': [599, good],
    'an unknown status': [799, good],
    'no body': [200, ''],
    HTML: [200, '<html><body>Welcome to the guest network</body></html>', { 'content-type': 'text/html' }],
    'half of it': [200, good.slice(0, 40)],
    'not UTF-8': [200, Buffer.from([0xff, 0xfe, 0x00])],
    null: [200, 'null'],
    'a number': [200, '7'],
    'a list of keys': [200, JSON.stringify(first.keys)],
    'one key': [200, JSON.stringify(first.keys[0])],
    'keys that are no list': [200, '{"keys":{}}'],
    'keys of null': [200, '{"keys":null}'],
    'keys as text': [200, JSON.stringify({ keys: JSON.stringify(first.keys) })],
    'keys that are no objects': [200, '{"keys":[null,1,"x"]}'],
    'keys in __proto__': [200, `{"__proto__":${good}}`],
    'an error of the provider': [200, '{"error":"server_error"}'],
    'a wrong length': [200, good.slice(0, 10), { 'content-length': '5000' }],
    'broken compression': [200, good, { 'content-encoding': 'gzip' }]
  }
  const server = await keyServer(t, first)
  for (const [what, answer] of Object.entries(answers)) {
    server.answer(what === 'a wrong length'
      ? (_request, response) => { response.writeHead(200, answer[2]).write(answer[1]); setImmediate(() => response.destroy()) }
      : says(...answer))
    await useless(t, server, what)
  }
  server.answer((request) => { request.socket.destroy() })
  await useless(t, server, 'the connection is dropped')
  server.answer((request) => { request.socket.end('not HTTP at all\r\n\r\n') })
  await useless(t, server, 'another protocol')
})

test('answers that are no key set leave the last one in place', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  t.equal(await outcome('one'), '1 keys')
  for (const body of ['<html>', 'null', '{"keys":null}', '{}']) {
    server.answer(says(200, body))
    pass(600)
    t.equal(await outcome('one'), '1 keys', body)
  }
})

test('redirects are not followed', async (t) => {
  const evil = await keyServer(t, setOf(jwkOf(two, { kid: 'one' })))
  const server = await keyServer(t, first)
  for (const status of [301, 302, 303, 307, 308]) {
    server.answer(says(status, '', { location: evil.url }))
    await useless(t, server, String(status))
  }
  server.answer(says(200, JSON.stringify(first), { location: evil.url, refresh: `0; url=${evil.url}`, link: `<${evil.url}>; rel="canonical"` }))
  t.equal(await laboratory(server).outcome('one'), '1 keys')
  t.equal(evil.requests, 0)
})

test('the size limit: a set above it is not read to its end', async (t) => {
  const server = await keyServer(t, first)
  const size = JSON.stringify(first).length
  t.equal(await laboratory(server, { maxBytes: size }).outcome('one'), '1 keys', 'of just the limit')
  t.match(await laboratory(server, { maxBytes: size - 1 }).outcome('one'), /^unavailable/)
  let ended = false
  server.answer((_request, response) => {
    response.writeHead(200)
    response.on('close', () => { ended = true })
    const chunk = Buffer.alloc(65_536, 0x20)
    const more = (): void => { if (!ended) response.write(chunk, () => setImmediate(more)) }
    more()
  })
  t.match(await laboratory(server).outcome('one'), /^unavailable/, 'a body without an end')
  await until(() => ended)
  t.ok(ended, 'the download is cancelled')
})

test('the size limit counts what is unpacked (compression bomb)', async (t) => {
  const server = await keyServer(t, first)
  server.answer(says(200, gzipSync(`${JSON.stringify(first).slice(0, -1)},"x":"${'x'.repeat(5_000_000)}"}`), { 'content-encoding': 'gzip' }))
  t.match(await laboratory(server).outcome('one'), /^unavailable/)
  server.answer(says(200, gzipSync(JSON.stringify(first)), { 'content-encoding': 'gzip' }))
  t.equal(await laboratory(server).outcome('one'), '1 keys', 'honest compression is fine')
})

test('the timeout ends a fetch that gets no answer, and one whose body never ends', async (t) => {
  const server = await keyServer(t, first)
  const release = server.hold()
  t.match(await laboratory(server, { timeout: 0.05 }).outcome('one'), /^unavailable/, 'no answer')
  release()
  server.answer((_request, response) => { response.writeHead(200).write('{"keys":[') })
  t.match(await laboratory(server, { timeout: 0.05 }).outcome('one'), /^unavailable/, 'half a body')
})

test('what is asked for: GET, JSON, no credentials', async (t) => {
  const server = await keyServer(t, first)
  const { ask } = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await ask(es(one, 'one')))
  const [request] = server.received
  t.equal(request?.method, 'GET')
  t.match(request?.headers.accept, 'application/json')
  t.equal(request?.headers.authorization, undefined, 'the token of the client is not passed on')
  t.equal(request?.headers.cookie, undefined)
})

test('one broken key among good ones takes none of them away', async (t) => {
  const broken = [
    {}, { kty: 'EC' }, { kty: 'EC', crv: 'P-256', kid: 'broken' }, { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA', kid: 'broken' },
    { kty: 'RSA', n: '', e: '', kid: 'broken' }, { kty: 'EC', crv: 'secp256k1', x: 'x', y: 'y' }, { kty: 'OKP', crv: 'Ed448', x: 'AA' }, { kty: 'AKP', alg: 'ML-DSA-65', pub: 'AA' },
    { kty: 7, kid: 7, alg: 7, use: 7, key_ops: 7 }, { ...jwkOf(one), kid: 'broken', y: jwkOf(two).y }, { kty: 'oct', k: 'AAAA' }, { kty: '__proto__' }
  ]
  const server = await keyServer(t, setOf(...broken, jwkOf(one, { kid: 'one' }), ...broken))
  const { ask, seen } = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await ask(es(one, 'one')))
  passed(t, await ask(es(one)), 'user-1', 'without a key id')
  seen.length = 0
  for (const alg of ['ES256', 'RS256', 'EdDSA']) {
    refusedAs(t, await ask(signed({ alg, kid: 'broken' }, claims(), one.privateKey, 'ES256')), 'unknown_key', alg)
  }
  t.equal(seen.length, 0)
})

test('symmetric keys in the set verify nothing', async (t) => {
  const k = Buffer.from('a secret of at least thirty-two bytes')
  const server = await keyServer(t, setOf({ kty: 'oct', k: k.toString('base64url'), kid: 'oct' }, { kty: 'oct', k: k.toString('base64url'), kid: 'oct', alg: 'HS256' }, { kty: 'oct', k: k.toString('base64url'), kid: 'oct', alg: 'RS256' }))
  const app = await guarded(t, { jwt: { jwksUrl: server.url } })
  await allRefused(t, app, { HS256: signed({ alg: 'HS256', kid: 'oct' }, claims(), k), 'HS256 without a key id': signed({ alg: 'HS256' }, claims(), k) }, 'algorithm')
  await allRefused(t, app, Object.fromEntries(['RS256', 'ES256', 'PS256', 'EdDSA'].map((alg) => [alg, signed({ alg, kid: 'oct' }, claims(), k, 'HS256')])), 'unknown_key')
})

test('private keys in the set verify nothing', async (t) => {
  const server = await keyServer(t, setOf({ ...one.privateKey.export({ format: 'jwk' }), kid: 'leaked' }, { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'leaked' }))
  const app = await guarded(t, { jwt: { jwksUrl: server.url } })
  await allRefused(t, app, { EC: es(one, 'leaked'), 'EC without a key id': es(one), RSA: signed({ alg: 'RS256', kid: 'leaked' }, claims(), rsa.privateKey) }, 'unknown_key')
})

test('weak RSA keys in the set verify nothing', async (t) => {
  const weak = newKey('rsa', 1024)
  const server = await keyServer(t, setOf(jwkOf(weak, { kid: 'weak' }), jwkOf(rsa, { kid: 'strong' })))
  const app = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await app.ask(signed({ alg: 'RS256', kid: 'strong' }, claims(), rsa.privateKey)))
  app.seen.length = 0
  await allRefused(t, app, { RS256: signed({ alg: 'RS256', kid: 'weak' }, claims(), weak.privateKey), PS256: signed({ alg: 'PS256', kid: 'weak' }, claims(), weak.privateKey) }, 'unknown_key')
  await allRefused(t, app, { 'without a key id': signed({ alg: 'RS256' }, claims(), weak.privateKey) }, 'signature')
})

test('keys that are for something else verify nothing: use, key_ops, alg', async (t) => {
  for (const members of [{ use: 'enc' }, { key_ops: ['sign'] }, { key_ops: [] }, { alg: 'ES384' }, { alg: 'ECDH-ES' }, { use: 'sig', key_ops: ['encrypt'] }]) {
    const server = await keyServer(t, setOf(jwkOf(one, { kid: 'one', ...members })))
    await allRefused(t, await guarded(t, { jwt: { jwksUrl: server.url } }), { [JSON.stringify(members)]: es(one, 'one'), 'without a key id': es(one) }, 'unknown_key')
  }
  for (const members of [{ use: 'sig' }, { key_ops: ['verify'] }, { alg: 'ES256' }, { x5c: ['AAAA'], x5t: 'AAAA', extra: {} }]) {
    const server = await keyServer(t, setOf(jwkOf(one, { kid: 'one', ...members })))
    passed(t, await (await guarded(t, { jwt: { jwksUrl: server.url } })).ask(es(one, 'one')), 'user-1', JSON.stringify(members))
  }
})

test('each kind of key, by its algorithm', async (t) => {
  const keys = { RS256: rsa, PS384: rsa, ES256: one, ES384: newKey('P-384'), ES512: newKey('P-521'), EdDSA: newKey('ed25519') }
  const server = await keyServer(t, setOf(...Object.entries(keys).map(([alg, key]) => jwkOf(key, { kid: alg }))))
  const { ask } = await guarded(t, { jwt: { jwksUrl: server.url } })
  for (const [alg, key] of Object.entries(keys)) passed(t, await ask(signed({ alg, kid: alg }, claims(), key.privateKey)), 'user-1', alg)
  refusedAs(t, await ask(signed({ alg: 'ES256', kid: 'RS256' }, claims(), one.privateKey)), 'unknown_key', 'the algorithm of another key')
})

test('jwt.algorithms narrows what a set may be used for', async (t) => {
  const server = await keyServer(t, setOf(jwkOf(rsa, { kid: 'a' }), jwkOf(one, { kid: 'b' })))
  const app = await guarded(t, { jwt: { jwksUrl: server.url, algorithms: ['ES256'] } })
  await allRefused(t, app, { RS256: signed({ alg: 'RS256', kid: 'a' }, claims(), rsa.privateKey) }, 'algorithm')
  t.equal(server.requests, 0)
  passed(t, await app.ask(es(one, 'b')))
})

test('tokens without a key id: the one key that fits, or each of several', async (t) => {
  const single = await keyServer(t, setOf(jwkOf(one, { kid: 'one' }), jwkOf(rsa, { kid: 'rsa' })))
  const alone = await guarded(t, { jwt: { jwksUrl: single.url } })
  passed(t, await alone.ask(es(one)))
  alone.seen.length = 0
  await allRefused(t, alone, { stranger: es(two) }, 'signature')
  const server = await keyServer(t, setOf(jwkOf(one, { kid: 'one' }), jwkOf(two, { kid: 'two' })))
  const several = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await several.ask(es(one)))
  passed(t, await several.ask(es(two)))
  several.seen.length = 0
  await allRefused(t, several, { stranger: es(newKey('P-256')) }, 'signature')
  await allRefused(t, several, { 'an algorithm for which there is no key': signed({ alg: 'EdDSA' }, claims(), newKey('ed25519').privateKey) }, 'unknown_key')
})

test('keys without a key id serve tokens without one only', async (t) => {
  const server = await keyServer(t, setOf(jwkOf(one)))
  const app = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await app.ask(es(one)))
  app.seen.length = 0
  await allRefused(t, app, { named: es(one, 'one'), undefined: es(one, 'undefined'), empty: es(one, '') }, 'unknown_key')
})

test('two keys under one key id are both tried', async (t) => {
  const server = await keyServer(t, setOf(jwkOf(one, { kid: 'same' }), jwkOf(two, { kid: 'same' })))
  const { ask } = await guarded(t, { jwt: { jwksUrl: server.url } })
  passed(t, await ask(es(one, 'same')))
  passed(t, await ask(es(two, 'same')))
})

test('bounded memory: made-up key ids leave nothing behind', async (t) => {
  const server = await keyServer(t, first)
  const { keys, outcome } = laboratory(server)
  await outcome('one')
  t.notOk(keys.find({ alg: 'ES256', kid: 'one' }) instanceof Promise, 'what is known is found at once')
  const kids = Array.from({ length: 2000 }, (_, index) => `made-up-${index}`)
  t.strictSame([...new Set(await Promise.all(kids.map(async (kid) => await outcome(kid))))], ['unknown_key'])
  for (const kid of kids) {
    const found = keys.find({ alg: 'ES256', kid })
    if (!(found instanceof Promise)) t.fail('a made-up key id was kept')
    else await found.catch(() => {})
  }
  t.equal(server.requests, 1)
})

test('verifiers are prepared once for each key', async (t) => {
  const server = await keyServer(t, first)
  const { find } = laboratory(server)
  t.equal((await find('one'))[0], (await find('one'))[0])
  const [left, right] = await Promise.all([find(), find()])
  t.equal(left?.[0]?.material, right?.[0]?.material)
})

test('requests that come while a set is renewed wait for it and are answered by the new one', async (t) => {
  const server = await keyServer(t, first)
  const { outcome, pass } = laboratory(server)
  await outcome('one')
  server.publish(setOf(jwkOf(two, { kid: 'two' })))
  pass(600)
  const release = server.hold()
  const answers = Promise.all([outcome('one'), outcome('two'), outcome('one'), outcome('made-up')])
  await until(() => server.requests === 2)
  release()
  t.strictSame(await answers, ['unknown_key', '1 keys', 'unknown_key', 'unknown_key'])
  t.equal(server.requests, 2)
})

test('a fault of the program while fetching is an outage, with its cause for operators', async (t) => {
  const fault = new TypeError('out of order')
  const { find } = laboratory({ url: 'http://127.0.0.1:9/' }, { fetch: () => { throw fault } })
  await t.rejects(find('one'), { dependency: 'http://127.0.0.1:9/', cause: fault })
})
