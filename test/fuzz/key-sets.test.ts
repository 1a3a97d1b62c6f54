import fc from 'fast-check'
import { test } from 'tap'
import { AuthUnavailableError, TokenInvalidError } from '../../index.js'
import type { VerificationKey } from '../../lib/token/key-source.js'
import { PUBLIC_KEY_ALGORITHMS } from '../../lib/token/local-keys.js'
import { remoteKeys } from '../../lib/token/remote-keys.js'
import { claims } from '../build.js'
import { guarded } from '../guarded.js'
import { jwkOf, newKey, signed } from '../keys.js'
import { keyServer, says } from '../key-server.js'
import { campaign, nameOf } from './campaign.js'

const good = newKey('P-256')
const others = [newKey('P-256'), newKey('rsa'), newKey('ed25519'), newKey('P-384'), newKey('rsa', 1024), newKey('secp256k1')]
const goodKey = jwkOf(good, { kid: 'good' })
const token = signed({ alg: 'ES256', kid: 'good' }, claims({ exp: 9_999_999_999 }), good.privateKey)
const bare = signed({ alg: 'ES256' }, claims({ exp: 9_999_999_999 }), good.privateKey)

const odd = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom<unknown>(null, '', 0, [], {}, 'AAAA'))
/** A key that is broken, foreign, private, symmetric, weak, or nothing at all; never the good one. */
const wrongKey: fc.Arbitrary<unknown> = fc.oneof(
  fc.dictionary(fc.constantFrom('kty', 'kid', 'alg', 'use', 'key_ops', 'crv', 'x', 'y', 'n', 'e', 'k', 'ext', 'x5c', '__proto__'), fc.oneof(odd, fc.constantFrom<unknown>('EC', 'RSA', 'OKP', 'oct', 'P-256', 'ES256', 'good', 'sig', 'AQAB', goodKey.x, goodKey.y))),
  fc.tuple(fc.constantFrom(...others), fc.constantFrom('good', 'other', undefined)).map(([key, kid]) => jwkOf(key, { kid })),
  fc.constantFrom<unknown>({ ...good.privateKey.export({ format: 'jwk' }), kid: 'good' }, { kty: 'oct', k: 'c2VjcmV0', kid: 'good' }, { kty: 'oct', k: goodKey.x, kid: 'good', alg: 'ES256' })
).filter((key) => !isGood(key))

/** Whether a key holds the point of the good key and nothing that forbids its use. */
function isGood (key: unknown): boolean {
  const { kty, x, y, d } = key as Record<string, unknown>
  return kty === 'EC' && x === goodKey.x && y === goodKey.y && d === undefined
}

interface Published { keys: unknown[], holds: boolean }
const keySet: fc.Arbitrary<Published> = fc.tuple(fc.array(wrongKey, { maxLength: 5 }), fc.boolean(), fc.nat(5))
  .map(([keys, holds, index]) => ({ keys: holds ? keys.toSpliced(index % (keys.length + 1), 0, goodKey) : keys, holds }))

/** Documents that are no key set. */
const rubbish = fc.oneof(
  fc.string(), fc.json(), fc.string({ unit: 'binary' }),
  odd.filter((keys) => !Array.isArray(keys)).map((keys) => JSON.stringify({ keys })),
  fc.array(fc.constantFrom<unknown>(null, 1, 'x', []), { minLength: 1 }).map((keys) => JSON.stringify({ keys: [goodKey, ...keys] }))
)

/** How the keys of a document judge the token: `ok`, or what they refuse it with. */
async function verdict (body: string, text: string, kid: string | undefined): Promise<string> {
  const source = remoteKeys({
    url: 'http://127.0.0.1:9/',
    algorithms: PUBLIC_KEY_ALGORITHMS,
    timeout: 5,
    maxAge: 600,
    cooldown: 30,
    staleFor: 0,
    maxBytes: 65_536,
    fetch: async () => new Response(body),
    clock: () => 0
  })
  try {
    const found: readonly VerificationKey[] = await source.find({ alg: 'ES256', kid })
    for (const key of found) {
      const result = key.verify(text)
      if (!(result instanceof TokenInvalidError)) return 'ok'
    }
    return 'signature'
  } catch (error) {
    if (error instanceof TokenInvalidError) return String(error.reason)
    if (error instanceof AuthUnavailableError) return 'unavailable'
    throw error
  }
}

test('any key set: the good key verifies exactly when it is in it, among whatever else', async (t) => {
  const count = { ok: 0, refused: 0 }
  await campaign(t, 2_000, fc.asyncProperty(keySet, fc.boolean(), async ({ keys, holds }, named) => {
    const result = named ? await verdict(JSON.stringify({ keys }), token, 'good') : await verdict(JSON.stringify({ keys }), bare, undefined)
    count[result === 'ok' ? 'ok' : 'refused']++
    if ((result === 'ok') !== holds || result === 'unavailable') throw new Error(result)
  }))
  t.ok(count.ok > 500 && count.refused > 500, `${count.ok} accepted, ${count.refused} refused`)
})

test('any document in place of a key set: unavailable, or a set without our key', async (t) => {
  await campaign(t, 4_000, fc.asyncProperty(rubbish, async (body) => {
    const result = await verdict(body, token, 'good')
    if (result !== 'unavailable' && result !== 'unknown_key') throw new Error(result)
  }))
})

test('key sets that change with each request, over HTTP: a pass, a 401 of ours, or 503', async (t) => {
  const server = await keyServer(t, { keys: [] })
  const { ask } = await guarded(t, { jwt: { jwksUrl: server.url, jwksMaxAge: 0, jwksCooldown: 0, jwksStaleFor: 0, cache: true } })
  const answer = fc.oneof(
    keySet.map(({ keys, holds }) => ({ status: 200, body: JSON.stringify({ keys }), holds })),
    fc.record({ status: fc.constantFrom(200, 201, 302, 404, 500, 503), body: rubbish, holds: fc.constant(false) }),
    fc.record({ status: fc.constantFrom(201, 401, 404, 500, 503), body: fc.constant(JSON.stringify({ keys: [goodKey] })), holds: fc.constant(false) })
  )
  const count = { ok: 0, refused: 0, unavailable: 0 }
  await campaign(t, 2_000, fc.asyncProperty(answer, fc.constantFrom(token, bare), async ({ status, body, holds }, text) => {
    server.answer(says(status, body))
    const response = await ask(text)
    if ((response.statusCode === 200) !== holds) throw new Error(`${response.statusCode} ${response.payload}`)
    if (response.statusCode === 200) count.ok++
    else if (response.statusCode === 503) {
      if (response.json().extra.code !== 'AUTH_UNAVAILABLE' || !(Number(response.headers['retry-after']) >= 1)) throw new Error(response.payload)
      count.unavailable++
    } else {
      nameOf(response)
      count.refused++
    }
  }))
  for (const [what, times] of Object.entries(count)) t.ok(times > 100, `${times} times ${what}`)
})
