import fc from 'fast-check'
import { test } from 'tap'
import { localKeys } from '../../lib/token/local-keys.js'
import { createTokenVerifier, type TokenVerifier, type Issuer } from '../../lib/token/verify.js'
import { audience, claims, encode, forge, issuer, secret } from '../build.js'
import { guarded, type Guarded } from '../guarded.js'
import { newKey, pairOf, signed } from '../keys.js'
import { campaign, codeOf, nameOf } from './campaign.js'

const keys = { HS256: secret, ES256: newKey('P-256'), RS256: newKey('rsa'), EdDSA: newKey('ed25519') } as const
type Alg = keyof typeof keys
const algorithms = Object.keys(keys) as Alg[]
const secretOf = (alg: Alg): Parameters<typeof localKeys>[0][number] => alg === 'HS256' ? secret : pairOf(keys[alg])
const goodClaims = claims({ exp: 9_999_999_999 })
const good = Object.fromEntries(algorithms.map((alg) => [alg, signed({ alg, typ: 'JWT' }, goodClaims, alg === 'HS256' ? secret : keys[alg].privateKey)])) as Record<Alg, string>

const verifiers = Object.fromEntries(algorithms.map((alg) => {
  const one: Issuer = { rules: { issuer, audience: [audience], clockTolerance: 0, tokenUse: ['access'] }, keys: localKeys([secretOf(alg)], undefined) }
  return [alg, createTokenVerifier({ issuers: [one], maxTokenLength: 8192, cacheSize: 50, clock: Date.now })]
})) as Record<Alg, TokenVerifier<Issuer>>

/** One change of a text. */
type Change = (text: string) => string
const position = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const at = (text: string, where: number): number => Math.floor(where * (text.length + 1))
/** The token with some bits of one byte of a segment changed, in canonical spelling. */
function flipped (text: string, index: number, where: number, bits: number): string {
  const parts = text.split('.')
  const bytes = Buffer.from(parts[index] ?? '', 'base64url')
  const byte = Math.floor(where * bytes.length)
  if (bytes.length > 0) bytes[byte] = (bytes[byte] as number) ^ bits
  return parts.length > index ? parts.with(index, bytes.toString('base64url')).join('.') : text
}
const character = fc.oneof(fc.constantFrom(...'ABZabz019-_.=+/~ ,\t"\u0000é'), fc.string({ minLength: 1, maxLength: 1 }))
const segment = fc.oneof(fc.string({ maxLength: 12 }), fc.json().map(encode), fc.constantFrom('', 'e30', 'bnVsbA', encode({ alg: 'none' }), encode({ alg: 'HS256' }), encode({ alg: 'RS256' }), encode(goodClaims), encode(claims({ sub: 'root' }))))
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(position, character).map(([where, mark]): Change => (text) => text.slice(0, at(text, where)) + mark + text.slice(at(text, where))),
  fc.tuple(position, character).map(([where, mark]): Change => (text) => text.slice(0, at(text, where)) + mark + text.slice(at(text, where) + 1)),
  fc.tuple(position, fc.nat(20)).map(([where, length]): Change => (text) => text.slice(0, at(text, where)) + text.slice(at(text, where) + length)),
  fc.tuple(position, position).map(([from, to]): Change => (text) => text.slice(at(text, Math.min(from, to)), at(text, Math.max(from, to)))),
  fc.tuple(fc.nat(3), segment).map(([index, other]): Change => (text) => text.split('.').with(Math.min(index, text.split('.').length - 1), other).join('.')),
  fc.nat(3).map((index): Change => (text) => text.split('.').filter((_, number) => number !== index).join('.')),
  fc.tuple(fc.nat(2), fc.nat(2)).map(([from, to]): Change => (text) => { const parts = text.split('.'); return parts.with(Math.min(from, parts.length - 1), parts[to] ?? '').join('.') }),
  { weight: 20, arbitrary: fc.tuple(fc.nat(2), position, fc.integer({ min: 1, max: 255 })).map(([index, where, bits]): Change => (text) => flipped(text, index, where, bits)) },
  fc.constantFrom<Change>((text) => text.toLowerCase(), (text) => text.toUpperCase(), (text) => text + text, (text) => [...text].reverse().join(''), (text) => `${text}.`, (text) => Buffer.from(text).toString('base64url'))
)
const changed = fc.tuple(fc.constantFrom(...algorithms), fc.constantFrom(...algorithms), fc.array(change, { minLength: 1, maxLength: 3 }))
  .map(([verifier, source, changes]) => ({ verifier, text: changes.reduce((text, apply) => apply(text), good[source]) }))

test('a changed token never passes, whatever is changed in it', async (t) => {
  const seen = new Map<string, number>()
  for (const alg of algorithms) t.equal(codeOf(() => verifiers[alg](good[alg])), 'ok')
  await campaign(t, 25_000, fc.property(changed, ({ verifier, text }) => {
    const code = codeOf(() => verifiers[verifier](text))
    seen.set(code, (seen.get(code) ?? 0) + 1)
    if (code === 'ok' && text !== good[verifier]) throw new Error(`passed: ${text}`)
    if (code !== 'ok' && text === good[verifier]) throw new Error(`refused: ${code}`)
  }))
  for (const reason of ['malformed', 'signature', 'algorithm']) t.ok((seen.get(reason) ?? 0) > 100, `${seen.get(reason)} times ${reason}`)
})

test('a changed token over HTTP: one of our refusals', async (t) => {
  const apps = Object.fromEntries(await Promise.all(algorithms.map(async (alg) => [alg, await guarded(t, { jwt: { secret: [secretOf(alg)], cache: true } })]))) as Record<Alg, Guarded>
  await campaign(t, 7_000, fc.asyncProperty(changed, async ({ verifier, text }) => {
    const response = await apps[verifier].ask(text)
    // Spaces around a token in a header are not part of it.
    if (response.statusCode === 200 ? text.trim() !== good[verifier] : nameOf(response) === '') throw new Error('passed')
  }))
})

const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom<unknown>(null, '', 0, [], {}, true))
/** A member that is often right, sometimes absent, and sometimes anything. */
const member = (...right: unknown[]): fc.Arbitrary<unknown> => fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...right) }, { weight: 1, arbitrary: odd }, { weight: 2, arbitrary: fc.constant(undefined) })
const header = fc.record({
  alg: fc.oneof({ weight: 8, arbitrary: fc.constant<unknown>('HS256') }, { weight: 1, arbitrary: fc.constantFrom<unknown>('none', 'HS384', 'RS256', 'hs256') }, { weight: 1, arbitrary: odd }),
  typ: member('JWT', 'at+jwt', 'jwt', 'application/at+jwt', 'logout+jwt'),
  kid: member('a', '', 'x'.repeat(512), 'x'.repeat(513), '__proto__'),
  crit: fc.oneof({ weight: 9, arbitrary: fc.constant<unknown>(undefined) }, { weight: 1, arbitrary: odd }),
  jku: member('https://evil.example/keys'),
  jwk: member({ kty: 'oct', k: 'AAAA' }),
  cty: member('JWT'),
  b64: member(false, true)
})

/** Whether a header may be accepted, told from the RFCs once more. */
function mayPass (given: Record<string, unknown>): boolean {
  const { alg, typ, kid, crit } = JSON.parse(JSON.stringify(given)) as Record<string, unknown>
  const typeFits = typ === undefined || (typeof typ === 'string' && ['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt'].includes(typ.toLowerCase()))
  const kidFits = kid === undefined || (typeof kid === 'string' && kid.length < 513)
  return alg === 'HS256' && typeFits && kidFits && crit === undefined
}

test('any header under a right signature: accepted exactly when the RFCs allow it', async (t) => {
  const count = { ok: 0, refused: 0 }
  await campaign(t, 10_000, fc.property(header, (members) => {
    const code = codeOf(() => verifiers.HS256(forge(members, goodClaims)))
    count[code === 'ok' ? 'ok' : 'refused']++
    if ((code === 'ok') !== mayPass(members)) throw new Error(code)
  }))
  t.ok(count.ok > 500 && count.refused > 500, `${count.ok} accepted, ${count.refused} refused`)
})

test('any text in place of a header or a payload, under a right signature', async (t) => {
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json(), fc.json().map((json) => `{"alg":"HS256","x":${json}`), fc.constantFrom('{"alg":"HS256"', '{"alg":"HS256"}}', '\ufeff{"alg":"HS256"}'))
  await campaign(t, 5_000, fc.property(text, fc.boolean(), (part, inHeader) => {
    const whole = inHeader ? forge(part === '' ? ' ' : part, goodClaims) : forge({ alg: 'HS256' }, part === '' ? ' ' : part)
    if (codeOf(() => verifiers.HS256(whole)) === 'ok') throw new Error('passed')
  }))
})

test('a token that is signed with a key of the attacker never passes, whatever its header says', async (t) => {
  const apps = Object.fromEntries(await Promise.all(algorithms.map(async (alg) => [alg, await guarded(t, { jwt: { secret: secretOf(alg) } })]))) as Record<Alg, Guarded>
  const attacker = { HS256: 'a secret of the attacker, who has one', ES256: newKey('P-256').privateKey, RS256: newKey('rsa').privateKey, EdDSA: newKey('ed25519').privateKey }
  const material = [...Object.values(attacker), '', keys.ES256.pem.public, keys.RS256.pem.public, keys.EdDSA.pem.public, keys.RS256.pem.public.trim(), 'null', 'undefined']
  await campaign(t, 3_000, fc.asyncProperty(fc.constantFrom(...algorithms), header, fc.constantFrom(...algorithms, 'none', 'HS512'), fc.constantFrom(...material), async (verifier, members, alg, key) => {
    const how = typeof key === 'string' ? 'HS256' : { ec: 'ES256', rsa: 'RS256', ed25519: 'EdDSA' }[String(key.asymmetricKeyType)]
    const response = await apps[verifier].ask(signed({ ...members, alg }, goodClaims, key, how))
    nameOf(response)
  }))
  for (const { seen } of Object.values(apps)) t.equal(seen.length, 0)
})
