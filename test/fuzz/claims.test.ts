import fc from 'fast-check'
import { test } from 'tap'
import { localKeys } from '../../lib/token/local-keys.js'
import { createTokenVerifier } from '../../lib/token/verify.js'
import { audience, forge, issuer, secret } from '../build.js'
import { guarded } from '../guarded.js'
import { campaign, codeOf, nameOf } from './campaign.js'

const NOW = 1_900_000_000
type Payload = Record<string, unknown>

/** Whether claims may be accepted at `now` (in seconds), told from the RFCs once more, as plainly as can be. */
function mayPass (given: Payload, now: number): boolean {
  if (given.iss !== issuer) return false
  if (given.aud !== audience && !(given.aud instanceof Array && given.aud.indexOf(audience) >= 0)) return false
  if (typeof given.sub !== 'string' || given.sub.length === 0) return false
  if (typeof given.exp !== 'number' || !(given.exp > now) || given.exp === Infinity) return false
  for (const time of [given.nbf, given.iat]) {
    if (time !== undefined && !(typeof time === 'number' && time <= now && time !== -Infinity)) return false
  }
  if ('events' in given) return false
  const marks = ['token_use', 'token_type', 'typ'].filter((name) => name in given).map((name) => given[name])
  if (marks.length === 0) return !('nonce' in given) && !('at_hash' in given)
  return marks.every((mark) => typeof mark === 'string' && ['access', 'bearer', 'jwt', 'at+jwt'].includes(mark.toLowerCase()))
}

/** The claims as they are written. 1e308 stands for a number that is too large for any reader. */
function written (payload: Payload): string {
  return JSON.stringify(payload).replaceAll('1e+308', '1e999')
}

/** The claims as a reader finds them, own properties only. */
function asRead (payload: Payload): Payload {
  return Object.assign(Object.create(null) as Payload, JSON.parse(written(payload)))
}

const odd: fc.Arbitrary<unknown> = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom<unknown>(null, '', 0, -1, [], {}, true, false, [null], '0', 1e308, -1e308))
const claim = (right: unknown[], wrong: unknown[], absent: boolean): fc.Arbitrary<unknown> => fc.oneof(
  { weight: 24, arbitrary: fc.constantFrom(...right, ...(absent ? [undefined, undefined] : [])) },
  { weight: 1, arbitrary: fc.constantFrom(...wrong, undefined) },
  { weight: 1, arbitrary: odd }
)
const times = (offset: number): number[] => [NOW + offset, NOW + offset * 1000]
const payload = fc.record({
  iss: claim([issuer], [`${issuer}/`, [issuer], issuer.toUpperCase(), 'https://evil.example'], false),
  aud: claim([audience, [audience], ['other', audience]], ['other', [], [[audience]], `${audience} other`, { 0: audience }], false),
  sub: claim(['user-1', 'x'], ['', 7, ['user-1']], false),
  exp: claim([...times(1), NOW + 0.001], [NOW, ...times(-1), String(NOW + 60), 1e308, -1e308], false),
  nbf: claim([NOW, ...times(-1)], [...times(1), NOW + 0.5, String(NOW)], true),
  iat: claim([NOW, ...times(-1)], [...times(1), NOW + 0.5, null], true),
  token_use: claim([undefined], ['access', 'id', 'refresh', 'ACCESS'], true),
  token_type: claim([undefined], ['Bearer', 'refresh', 'access'], true),
  typ: claim([undefined], ['Bearer', 'ID', 'Refresh', 'JWT'], true),
  nonce: claim([undefined], ['n'], true),
  at_hash: claim([undefined], ['h'], true),
  events: claim([undefined], [{}], true),
  roles: claim([['admin'], ['user'], []], ['admin', { 0: 'admin' }, [['admin']], null], true),
  role: claim([undefined], ['admin', ['admin'], 7], true),
  groups: odd,
  scope: odd,
  email: odd,
  __proto__: fc.constant(null)
}, { noNullPrototype: true })

/** Under keys that are dangerous elsewhere, claims that would open everything. */
const trap = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON', 'valueOf', 'length')
const bait = fc.constantFrom<unknown>({ exp: NOW + 60, iss: issuer, aud: audience, sub: 'root', roles: ['admin'] }, { prototype: { roles: ['admin'] } }, ['admin'], 'x', null)

const spread = (members: Payload, key: string, value: unknown): string =>
  `${JSON.stringify(members).slice(0, -1)}${Object.keys(asRead(members)).length === 0 ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(value)}}`

const JWT = { alg: 'HS256', typ: 'JWT' }

test('any claims: accepted exactly when the RFCs allow it, with a cache and without', async (t) => {
  const rules = { issuer, audience: [audience], clockTolerance: 0, tokenUse: ['access' as const] }
  const verifiers = [0, 100].map((cacheSize) => createTokenVerifier({ issuers: [{ rules, keys: localKeys([secret], undefined) }], maxTokenLength: 65_536, cacheSize, clock: () => NOW * 1000 }))
  const count = { ok: 0, refused: 0 }
  await campaign(t, 15_000, fc.property(payload, (members) => {
    const text = forge(JWT, written(members))
    const codes = new Set([...verifiers, ...verifiers].map((verify) => codeOf(() => verify(text))))
    const [code] = codes
    if (codes.size !== 1) throw new Error(`verifiers disagree: ${[...codes].join()}`)
    count[code === 'ok' ? 'ok' : 'refused']++
    if ((code === 'ok') !== mayPass(asRead(members), NOW)) throw new Error(code)
  }))
  t.ok(count.ok > 500 && count.refused > 500, `${count.ok} accepted, ${count.refused} refused`)
})

test('any claims beside the bounds of time, with any tolerance', async (t) => {
  const second = fc.double({ min: -200, max: 200, noNaN: true })
  await campaign(t, 5_000, fc.property(fc.nat(100), second, second, second, (tolerance, exp, nbf, iat) => {
    const rules = { issuer, audience: [audience], clockTolerance: tolerance, tokenUse: ['access' as const] }
    const verify = createTokenVerifier({ issuers: [{ rules, keys: localKeys([secret], undefined) }], maxTokenLength: 8192, cacheSize: 0, clock: () => NOW * 1000 })
    const code = codeOf(() => verify(forge(JWT, { iss: issuer, aud: audience, sub: 'x', exp: NOW + exp, nbf: NOW + nbf, iat: NOW + iat })))
    const expected = NOW + nbf > NOW + tolerance || NOW + iat > NOW + tolerance ? 'not_yet_valid' : NOW + exp + tolerance <= NOW ? 'expired' : 'ok'
    if (code !== expected) throw new Error(`${code} in place of ${expected}`)
  }))
})

test('any claims over HTTP: a pass exactly when they allow it, and no role that they do not name', async (t) => {
  const { app, ask } = await guarded(t)
  app.get('/admin', { preHandler: [app.requireRole('admin')] }, async () => 'in')
  // The real clock stands years before NOW: iat and nbf of then would be in the future.
  const earlier = (value: unknown): unknown => typeof value === 'number' && Math.abs(value - NOW) < 10_000 ? value - NOW + Math.floor(Date.now() / 1000) + (value > NOW ? 5_000 : -5_000) : value
  const count = { ok: 0, admin: 0 }
  await campaign(t, 4_000, fc.asyncProperty(payload, async (given) => {
    const members: Payload = { ...given, exp: earlier(given.exp), nbf: earlier(given.nbf), iat: earlier(given.iat) }
    const read = asRead(members)
    const may = mayPass(read, Date.now() / 1000)
    const text = forge(JWT, written(members))
    const response = await ask(text)
    if (response.statusCode === 200) count.ok++
    else nameOf(response)
    if ((response.statusCode === 200) !== may) throw new Error(`${response.statusCode} ${response.payload}`)
    if (!may) return
    const named = read.roles === undefined ? read.role === 'admin' : read.roles instanceof Array && read.roles.includes('admin')
    const { statusCode, payload: body } = await app.inject({ url: '/admin', headers: { authorization: `Bearer ${text}` } })
    if (statusCode !== (named ? 200 : 403)) throw new Error(`${statusCode} ${body}`)
    if (named) count.admin++
  }))
  t.ok(count.ok > 200 && count.admin > 50, `${count.ok} accepted, ${count.admin} administrators`)
})

test('claims under dangerous names open nothing and pollute nothing', async (t) => {
  const { app, ask } = await guarded(t)
  app.get('/admin', { preHandler: [app.requireRole('admin')] }, async () => 'in')
  await campaign(t, 2_500, fc.asyncProperty(fc.subarray(['iss', 'aud', 'sub', 'exp']), trap, bait, async (left, key, value) => {
    const all: Payload = { iss: issuer, aud: audience, sub: 'user-1', exp: 9_999_999_999 }
    const members = Object.fromEntries(left.map((name) => [name, all[name]]))
    const text = forge(JWT, spread(members, key, value))
    const response = await ask(text)
    if ((response.statusCode === 200) !== (left.length === 4)) throw new Error(`${response.statusCode}`)
    if (response.statusCode !== 200) nameOf(response)
    const admin = await app.inject({ url: '/admin', headers: { authorization: `Bearer ${text}` } })
    if (admin.statusCode !== (left.length === 4 ? 403 : 401)) throw new Error(`${admin.statusCode} ${admin.payload}`)
    if (({} as Payload).roles !== undefined || ({} as Payload).exp !== undefined) throw new Error('Object.prototype is polluted')
  }))
})
