import { createPublicKey } from 'node:crypto'
import { test } from 'tap'
import type { AuthPluginOptions, IssuerOptions } from '../../index.js'
import type { KeySource, VerificationKey } from '../../lib/token/key-source.js'
import { localKeys } from '../../lib/token/local-keys.js'
import { createTokenVerifier, type Issuer } from '../../lib/token/verify.js'
import { audience, build, claims, encode, forge, issuer, secret, token } from '../build.js'
import { allRefused, guard, guarded, passed, type Guarded } from '../guarded.js'
import { jwkOf, newKey, pairOf, signature, signed } from '../keys.js'
import { keyServer } from '../key-server.js'

const JWT = { alg: 'HS256', typ: 'JWT' }
const otherSecret = 'another secret of thirty-two bytes!!'

test('a wrong, a foreign and a truncated signature', async (t) => {
  const [header, payload, good = ''] = token().split('.')
  const [, stranger] = token({ sub: 'stranger' }).split('.')
  await allRefused(t, await guarded(t), {
    'of another secret': forge(JWT, claims(), otherSecret),
    'of the empty secret': forge(JWT, claims(), ''),
    'of another token': `${header}.${stranger}.${good}`,
    'of the other hash': signed(JWT, claims(), secret, 'HS512'),
    truncated: `${header}.${payload}.${good.slice(0, 40)}`,
    'of a few bytes': `${header}.${payload}.AAAA`,
    'with bytes appended': `${header}.${payload}.${Buffer.concat([Buffer.from(good, 'base64url'), Buffer.alloc(1)]).toString('base64url')}`,
    'all zeros': `${header}.${payload}.${Buffer.alloc(32).toString('base64url')}`
  }, 'signature')
})

test('RS256/HS256 confusion: no form of a public key is an HMAC secret', async (t) => {
  for (const kind of ['rsa', 'P-256', 'ed25519'] as const) {
    const key = newKey(kind)
    const keys = await keyServer(t, { keys: [jwkOf(key, { kid: 'a' })] })
    const pem = key.pem.public
    const jwk = key.publicKey.export({ format: 'jwk' })
    const forms: Record<string, string | Buffer> = {
      PEM: pem,
      'PEM without its last line break': pem.trimEnd(),
      'PEM after a line break': `\n${pem}`,
      'PEM after other bytes': `x${pem}`,
      'PEM with CRLF': pem.replaceAll('\n', '\r\n'),
      'base64 of the PEM': pem.replace(/-----[^-]+-----|\n/g, ''),
      DER: key.publicKey.export({ format: 'der', type: 'spki' }),
      JWK: JSON.stringify(jwk),
      'JWK with its key id': JSON.stringify(jwkOf(key, { kid: 'a' })),
      ...(kind === 'rsa' && { 'PKCS #1': key.publicKey.export({ format: 'pem', type: 'pkcs1' }).toString(), modulus: Buffer.from(String(jwk.n), 'base64url') })
    }
    for (const jwt of [{ secret: pairOf(key, { kid: 'a' }) }, { secret: { public: pem } }, { jwksUrl: keys.url }]) {
      const app = await guarded(t, { jwt })
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        await allRefused(t, app, Object.fromEntries(Object.entries(forms).map(([what, form]) => [`${kind}, ${alg}, ${what}`, signed({ alg, kid: 'a' }, claims(), form)])), 'algorithm')
      }
    }
  }
})

test('the confusion turned round: a public-key algorithm against an HMAC secret', async (t) => {
  const rsa = newKey('rsa')
  const ec = newKey('P-256')
  await allRefused(t, await guarded(t), {
    RS256: signed({ alg: 'RS256' }, claims(), rsa.privateKey),
    PS256: signed({ alg: 'PS256' }, claims(), rsa.privateKey),
    ES256: signed({ alg: 'ES256' }, claims(), ec.privateKey),
    'ES256, signed with the secret': signed({ alg: 'ES256' }, claims(), secret, 'HS256')
  }, 'algorithm')
})

test('an algorithm of the right key that is not on the list', async (t) => {
  const key = newKey('rsa')
  const app = await guarded(t, { jwt: { secret: pairOf(key), algorithms: ['RS256'] } })
  passed(t, await app.ask(signed({ alg: 'RS256' }, claims(), key.privateKey)))
  app.seen.length = 0
  await allRefused(t, app, Object.fromEntries(['RS384', 'RS512', 'PS256'].map((alg) => [alg, signed({ alg }, claims(), key.privateKey)])), 'algorithm')
  await allRefused(t, app, {
    'the header says RS256, the signature is PS256': signed({ alg: 'RS256' }, claims(), key.privateKey, 'PS256'),
    'the header says RS256, the signature is RS512': signed({ alg: 'RS256' }, claims(), key.privateKey, 'RS512')
  }, 'signature')
})

test('psychic signatures (CVE-2022-21449), and other numbers that are none', async (t) => {
  const key = newKey('P-256')
  const app = await guarded(t, { jwt: { secret: pairOf(key) } })
  const input = `${encode({ alg: 'ES256' })}.${encode(claims())}`
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  const one = Buffer.alloc(32, 0).fill(1, 31)
  const good = signature('ES256', input, key.privateKey)
  const bad: Record<string, Buffer> = {
    'r and s are 0': Buffer.alloc(64),
    'r is 0': Buffer.concat([Buffer.alloc(32), good.subarray(32)]),
    's is 0': Buffer.concat([good.subarray(0, 32), Buffer.alloc(32)]),
    'r and s are the order': Buffer.concat([order, order]),
    'r and s are 1': Buffer.concat([one, one]),
    'all ones': Buffer.alloc(64, 0xff),
    empty: Buffer.alloc(3),
    short: good.subarray(0, 62),
    long: Buffer.concat([good, Buffer.alloc(2)]),
    'of another curve': Buffer.alloc(132, 1),
    'in DER': Buffer.concat([Buffer.from([0x30, 0x44, 2, 32]), good.subarray(0, 32), Buffer.from([2, 32]), good.subarray(32)])
  }
  await allRefused(t, app, Object.fromEntries(Object.entries(bad).map(([what, bytes]) => [what, `${input}.${bytes.toString('base64url')}`])), 'signature')
})

test('the twin of an ECDSA signature is the same token, and no second identity', async (t) => {
  const key = newKey('P-256')
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
  for (const cache of [false, true]) {
    const { ask, seen } = await guarded(t, { jwt: { secret: pairOf(key), cache } })
    const text = signed({ alg: 'ES256' }, claims({ jti: 'once' }), key.privateKey)
    const [header, payload, last = ''] = text.split('.')
    const bytes = Buffer.from(last, 'base64url')
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
    const twin = `${header}.${payload}.${Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString('base64url')}`
    t.not(twin, text)
    for (const one of [text, twin, text, twin]) passed(t, await ask(one))
    for (const user of seen) t.strictSame(user, seen[0], 'one and the same user')
  }
})

test('malformed signatures of RSA and Ed25519', async (t) => {
  for (const [kind, alg] of [['rsa', 'RS256'], ['rsa', 'PS256'], ['ed25519', 'EdDSA'], ['P-521', 'ES512']] as const) {
    const key = newKey(kind)
    const app = await guarded(t, { jwt: { secret: pairOf(key) } })
    const input = `${encode({ alg })}.${encode(claims())}`
    const good = signature(alg, input, key.privateKey)
    const flipped = Buffer.from(good)
    flipped[5] = (flipped[5] as number) ^ 1
    const bad = { zeros: Buffer.alloc(good.length), ones: Buffer.alloc(good.length, 255), short: good.subarray(3), long: Buffer.concat([good, good]), flipped }
    await allRefused(t, app, Object.fromEntries(Object.entries(bad).map(([what, bytes]) => [`${alg} ${what}`, `${input}.${bytes.toString('base64url')}`])), 'signature')
  }
})

const two: IssuerOptions[] = [
  { issuer: 'https://one.example', audience: 'api', jwt: { secret } },
  { issuer: 'https://two.example', audience: 'api-2', jwt: { secret: otherSecret }, roles: () => ['two'] }
]
const several = async (t: Parameters<typeof guarded>[0], issuers: IssuerOptions[] = two): Promise<Guarded> =>
  await guarded(t, { issuer: undefined, audience: undefined, jwt: undefined, issuers })
const from = (index: 0 | 1, changes: object = {}, key?: string): string =>
  forge(JWT, claims({ iss: two[index]?.issuer, aud: two[index]?.audience, ...changes }), key ?? [secret, otherSecret][index])

test('several issuers: each by its own keys, audience and roles', async (t) => {
  const { ask } = await several(t)
  t.strictSame((await ask(from(0, { roles: ['one'] }))).json().roles, ['one'])
  t.strictSame((await ask(from(1, { roles: ['one'] }))).json().roles, ['two'])
})

test('several issuers: a key of one never verifies a token of another', async (t) => {
  const app = await several(t)
  await allRefused(t, app, {
    "one's token with two's key": from(0, {}, otherSecret),
    "two's token with one's key": from(1, {}, secret)
  }, 'signature')
  await allRefused(t, app, {
    "one's token for two's audience": from(0, { aud: 'api-2' }),
    "two's token for one's audience": from(1, { aud: 'api' })
  }, 'audience')
})

test('several issuers: one key id in two sets, and an algorithm of the other issuer', async (t) => {
  const a = newKey('P-256')
  const b = newKey('P-256')
  const one = await keyServer(t, { keys: [jwkOf(a, { kid: 'same' })] })
  const other = await keyServer(t, { keys: [jwkOf(b, { kid: 'same' })] })
  const app = await several(t, [
    { issuer: 'https://one.example', audience, jwt: { jwksUrl: one.url } },
    { issuer: 'https://two.example', audience, jwt: { jwksUrl: other.url } },
    { issuer: 'https://three.example', audience, jwt: { secret } }
  ])
  const es = (iss: string, key: typeof a): string => signed({ alg: 'ES256', kid: 'same' }, claims({ iss }), key.privateKey)
  passed(t, await app.ask(es('https://one.example', a)))
  passed(t, await app.ask(es('https://two.example', b)))
  passed(t, await app.ask(forge(JWT, claims({ iss: 'https://three.example' }))))
  app.seen.length = 0
  await allRefused(t, app, { 'two with the key of one': es('https://two.example', a), 'one with the key of two': es('https://one.example', b) }, 'signature')
  await allRefused(t, app, {
    "three's secret under the name of one": forge(JWT, claims({ iss: 'https://one.example' })),
    "one's key under the name of three": es('https://three.example', a),
    "one's public key as a secret": forge(JWT, claims({ iss: 'https://one.example' }), a.pem.public)
  }, 'algorithm')
})

test('several issuers: an unknown one is refused before any key is fetched', async (t) => {
  const key = newKey('P-256')
  const servers = await Promise.all([1, 2].map(async () => await keyServer(t, { keys: [jwkOf(key, { kid: 'a' })] })))
  const app = await several(t, servers.map(({ url }, index) => ({ issuer: `https://issuer-${index}.example`, audience, jwt: { jwksUrl: url } })))
  const values = [undefined, null, '', 'https://evil.example', 'https://issuer-0.example/', 'HTTPS://ISSUER-0.EXAMPLE', ['https://issuer-0.example'], 0, true, {}, '__proto__', 'constructor']
  await allRefused(t, app, Object.fromEntries(values.map((iss) => [JSON.stringify(iss) ?? 'absent', signed({ alg: 'ES256', kid: 'a' }, claims({ iss }), key.privateKey)])), 'issuer')
  await allRefused(t, app, { 'iss in __proto__': forge({ alg: 'ES256' }, '{"__proto__":{"iss":"https://issuer-0.example"}}') }, 'issuer')
  t.strictSame(servers.map(({ requests }) => requests), [0, 0])
  passed(t, await app.ask(signed({ alg: 'ES256', kid: 'a' }, claims({ iss: 'https://issuer-1.example' }), key.privateKey)))
  t.strictSame(servers.map(({ requests }) => requests), [0, 1], 'only the keys of the issuer are fetched')
})

test('an algorithm that is not accepted, and a broken token, are refused before any key is fetched', async (t) => {
  const server = await keyServer(t, { keys: [] })
  const app = await guarded(t, { jwt: { jwksUrl: server.url } })
  await allRefused(t, app, { HS256: token(), none: forge({ alg: 'none' }, claims()) }, 'algorithm')
  await allRefused(t, app, { broken: 'a.b.c', crit: forge({ alg: 'ES256', crit: [] }, claims()) }, 'malformed')
  t.equal(server.requests, 0)
})

/** A verifier whose clock and keys a test holds. */
function laboratory (cacheSize: number, secrets = [secret]): { verify: (text: string) => Record<string, unknown>, verdict: (text: string) => string, clock: { now: number }, use: (secrets: string[]) => void, checked: () => number } {
  const clock = { now: Date.now() }
  let checked = 0
  const counted = (keys: KeySource): KeySource => {
    const wrapped = new Map<VerificationKey, VerificationKey>()
    const wrap = (key: VerificationKey): VerificationKey => {
      const known = wrapped.get(key)
      if (known !== undefined) return known
      const made = { material: key.material, verify: (text: string) => { checked++; return key.verify(text) } }
      wrapped.set(key, made)
      return made
    }
    return { algorithms: keys.algorithms, find: (header) => (keys.find(header) as VerificationKey[]).map(wrap) }
  }
  let keys = counted(localKeys(secrets, undefined))
  const one: Issuer = {
    rules: { issuer, audience: [audience], clockTolerance: 0, tokenUse: ['access'] },
    keys: { algorithms: keys.algorithms, find: (header) => keys.find(header) }
  }
  const check = createTokenVerifier({ issuers: [one], maxTokenLength: 8192, cacheSize, clock: () => clock.now })
  const verify = (text: string): Record<string, unknown> => (check(text) as { claims: Record<string, unknown> }).claims
  return {
    clock,
    verify,
    verdict (text) {
      try {
        verify(text)
        return 'ok'
      } catch (error) {
        const { code, reason } = error as { code: string, reason?: string }
        return reason ?? code
      }
    },
    use: (next) => { keys = counted(localKeys(next, undefined)) },
    checked: () => checked
  }
}

test('cache: a hit spares the signature', (t) => {
  const { verdict, checked } = laboratory(10)
  const text = token()
  for (let round = 0; round < 5; round++) t.equal(verdict(text), 'ok')
  t.equal(checked(), 1)
  const without = laboratory(0)
  for (let round = 0; round < 5; round++) t.equal(without.verdict(text), 'ok')
  t.equal(without.checked(), 5, 'without a cache each is checked')
  t.end()
})

test('cache: a hit never outlives exp, with or without iat (CVE-2026-107719)', (t) => {
  for (const changes of [{}, { iat: undefined }]) {
    const { verdict, clock } = laboratory(10)
    const text = token(changes)
    t.equal(verdict(text), 'ok')
    clock.now += 59_000
    t.equal(verdict(text), 'ok')
    clock.now += 1_001
    t.equal(verdict(text), 'TOKEN_EXPIRED')
    t.equal(verdict(text), 'TOKEN_EXPIRED')
    clock.now -= 60_001
    t.equal(verdict(text), 'ok', 'and a clock set back gives back what was valid then')
  }
  t.end()
})

test('cache: nbf and iat are looked at on a hit too', (t) => {
  const { verdict, clock } = laboratory(10)
  const text = token({ nbf: Math.floor(clock.now / 1000) })
  t.equal(verdict(text), 'ok')
  clock.now -= 10_000
  t.equal(verdict(text), 'not_yet_valid')
  t.end()
})

test('cache: a key that was removed or rotated verifies nothing more', (t) => {
  const { verdict, use, checked } = laboratory(10, [secret, otherSecret])
  const text = token()
  t.equal(verdict(text), 'ok')
  use([otherSecret])
  t.equal(verdict(text), 'signature')
  t.equal(verdict(text), 'signature')
  use([otherSecret, secret])
  t.equal(verdict(text), 'ok')
  const before = checked()
  t.equal(verdict(text), 'ok')
  t.equal(checked(), before, 'and is remembered again')
  t.end()
})

test('cache: refusals are not remembered, and nothing passes for being like a token that did', (t) => {
  const { verdict } = laboratory(10)
  const text = token()
  const [header, payload, last = ''] = text.split('.')
  t.equal(verdict(text), 'ok')
  t.equal(verdict(`${header}.${payload}.${token({ sub: 'x' }).split('.')[2]}`), 'signature')
  t.equal(verdict(`${header}.${encode(claims({ sub: 'admin' }))}.${last}`), 'signature')
  t.equal(verdict(`${text}=`), 'malformed')
  t.equal(verdict(text.toUpperCase()), 'malformed')
  const late = token({ nbf: Math.floor(Date.now() / 1000) + 5 })
  const soon = laboratory(10)
  t.equal(soon.verdict(late), 'not_yet_valid')
  soon.clock.now += 10_000
  t.equal(soon.verdict(late), 'ok', 'a refusal ends with its reason')
  t.end()
})

test('cache: bounded, the least used goes first', (t) => {
  const { verdict, checked } = laboratory(3)
  const tokens = ['a', 'b', 'c', 'd'].map((sub) => token({ sub }))
  const [a, b, c, d] = tokens as [string, string, string, string]
  for (const text of [a, b, c, a, d]) verdict(text)
  t.equal(checked(), 4)
  verdict(a)
  verdict(c)
  verdict(d)
  t.equal(checked(), 4, 'three are remembered')
  verdict(b)
  t.equal(checked(), 5, 'the fourth was forgotten')
  for (let index = 0; index < 200; index++) verdict(token({ sub: `user-${index}` }))
  verdict(a)
  t.equal(checked(), 206, 'two hundred others have driven it out')
  t.end()
})

test('cache: shared claims are frozen all the way down, and no request changes them', async (t) => {
  for (const cache of [false, true, 5]) {
    const app = await build(t, { jwt: { secret, cache } })
    app.get('/spoil', { preHandler: [app.requireUser()] }, async (request) => {
      const { claims, roles, groups, scopes } = request.user as NonNullable<typeof request.user>
      const deep = claims.realm_access as { roles: string[] }
      return [
        Reflect.set(claims, 'sub', 'root'), Reflect.set(claims, 'added', 1), Reflect.deleteProperty(claims, 'exp'),
        Reflect.set(deep, 'roles', ['admin']), Reflect.set(deep.roles, 0, 'admin'), Reflect.set(request.user as object, 'id', 'root'),
        Reflect.set(roles, 0, 'admin'), Reflect.set(groups, 0, 'admin'), Reflect.set(scopes, 0, 'admin')
      ]
    })
    const { ask } = guard(app)
    const text = token({ realm_access: { roles: ['user'] }, roles: ['user'], groups: ['g'], scope: 's' })
    const before = (await ask(text)).json()
    const response = await app.inject({ url: '/spoil', headers: { authorization: `Bearer ${text}` } })
    t.strictSame(response.json(), Array(9).fill(false), 'every write was refused')
    t.strictSame((await ask(text)).json(), before)
  }
})

test('cache: concurrent requests of many users are never mixed', async (t) => {
  const options: AuthPluginOptions[] = [{ jwt: { secret, cache: 7 } }, { jwt: { secret, cache: true } }]
  for (const option of options) {
    const { app } = await guarded(t, option)
    app.get('/slow', { preHandler: [app.requireUser()] }, async (request) => {
      await new Promise((resolve) => setImmediate(resolve))
      return [request.user?.id, request.user?.claims.sub, request.user?.roles]
    })
    const tokens = Array.from({ length: 20 }, (_, index) => token({ sub: `user-${index}`, roles: [`role-${index}`] }))
    const order = Array.from({ length: 400 }, (_, index) => (index * 7) % 20)
    const answers = await Promise.all(order.map(async (index) => await app.inject({ url: '/slow', headers: { authorization: `Bearer ${tokens[index]}` } })))
    t.strictSame(answers.map((answer) => answer.json()), order.map((index) => [`user-${index}`, `user-${index}`, [`role-${index}`]]))
  }
})

test('cache: several issuers share one without sharing tokens', async (t) => {
  const app = await several(t, two.map((one) => ({ ...one, jwt: { ...one.jwt, cache: true } })))
  for (let round = 0; round < 2; round++) {
    passed(t, await app.ask(from(0)))
    passed(t, await app.ask(from(1)))
  }
  app.seen.length = 0
  await allRefused(t, app, { crossed: from(1, {}, secret) }, 'signature')
})

test('a fault of the program is no refusal: it is thrown on as it is', (t) => {
  const fault = new TypeError('out of order')
  const keys: KeySource = { algorithms: new Set(['HS256']), find: () => [{ material: '', verify () { throw fault } }] }
  const verify = createTokenVerifier({ issuers: [{ rules: { issuer, audience: [audience], clockTolerance: 0, tokenUse: ['access'] }, keys }], maxTokenLength: 8192, cacheSize: 0, clock: Date.now })
  t.throws(() => verify(token()), fault)
  t.end()
})

test('an unreadable public key is never accepted as one', (t) => {
  t.throws(() => createPublicKey('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'))
  t.throws(() => localKeys([{ public: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----' }], undefined), { code: 'CONFIGURATION_ERROR' })
  t.end()
})

test('maxTokenLength: another limit than the default holds to the character', async (t) => {
  for (const cache of [false, true]) {
    for (const length of [300, 20_000]) {
      const limited = async (maxTokenLength: number): Promise<Guarded> => await guarded(t, { jwt: { secret, cache, maxTokenLength } })
      const text = forge(JWT, claims({ filler: 'x'.repeat(length) }))
      const fits = await limited(text.length)
      for (let round = 0; round < 2; round++) passed(t, await fits.ask(text))
      const short = await limited(text.length - 1)
      for (let round = 0; round < 2; round++) await allRefused(t, short, { 'one too many': text }, 'malformed')
    }
  }
  await allRefused(t, await guarded(t), { 'above the default': forge(JWT, claims({ filler: 'x'.repeat(8192) })) }, 'malformed')
  const issuers = two.map((one) => ({ ...one, jwt: { ...one.jwt, maxTokenLength: 200 } }))
  await allRefused(t, await several(t, issuers), { "one's": from(0, { filler: 'x'.repeat(200) }), "two's": from(1, { filler: 'x'.repeat(200) }) }, 'malformed')
})

test('cache: roles that a function finds are asked for with each request, and never kept', async (t) => {
  for (const asynchronous of [false, true]) {
    let held = ['admin']
    let asked = 0
    const roles = (): string[] | Promise<string[]> => { asked++; return asynchronous ? Promise.resolve(held) : held }
    const { app, ask, seen } = await guarded(t, { jwt: { secret, cache: true }, roles })
    app.get('/admin', { preHandler: app.requireRole('admin') }, async () => 'in')
    const text = token({ roles: ['admin'] })
    const admin = async (): Promise<number> => (await app.inject({ url: '/admin', headers: { authorization: `Bearer ${text}` } })).statusCode
    t.equal(await admin(), 200)
    held = []
    t.equal(await admin(), 403, 'taken away from one request to the next')
    held = ['admin']
    t.equal(await admin(), 200)
    passed(t, await ask(text))
    t.equal(asked, 4)
    t.strictSame(seen.map((user) => user.roles), [['admin']])
  }
})

test('attack: claims that are nested as deep as a raised maxTokenLength allows', async (t) => {
  for (const cache of [false, true]) {
    for (const [open, close] of [['[', ']'], ['{"a":', '}']] as const) {
      const app = await build(t, { jwt: { secret, cache, maxTokenLength: 4_000_000 } })
      app.get('/', { preHandler: app.requireUser() }, async (request) => ({ id: request.user?.id, frozen: Object.isFrozen(request.user?.claims.deep) }))
      const deep = `${open.repeat(100_000)}1${close.repeat(100_000)}`
      const headers = { authorization: `Bearer ${forge(JWT, `${JSON.stringify(claims()).slice(0, -1)},"deep":${deep}}`)}` }
      for (let round = 0; round < 2; round++) t.strictSame((await app.inject({ url: '/', headers })).json(), { id: 'user-1', frozen: true })
      const roles = { authorization: `Bearer ${forge(JWT, `${JSON.stringify(claims()).slice(0, -1)},"roles":${deep},"scope":${deep},"groups":${deep}}`)}` }
      t.equal((await app.inject({ url: '/', headers: roles })).statusCode, 200)
    }
  }
})

test('a key source without a key for a token is a refusal, not a pass', async (t) => {
  const keys = { algorithms: new Set(['HS256']), find: () => [] }
  const verify = createTokenVerifier({ issuers: [{ rules: { issuer, audience: [audience], clockTolerance: 0, tokenUse: ['access'] }, keys }], maxTokenLength: 8192, cacheSize: 0, clock: Date.now })
  t.throws(() => verify(token()), { code: 'TOKEN_INVALID', reason: 'unknown_key' })
})
