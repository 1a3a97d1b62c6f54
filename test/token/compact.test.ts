import { test } from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { parseHeader, type TokenHeader } from '../../lib/token/compact.js'
import { claims, encode, forge, secret, token } from '../build.js'
import { allRefused, guarded, passed, refusedAs, type Guarded } from '../guarded.js'
import { newKey, pairOf, signature, signed } from '../keys.js'
import { keyServer } from '../key-server.js'

const JWT = { alg: 'HS256', typ: 'JWT' }

/** A token with a right signature over a header that is written as text. */
const withHeader = (text: string): string => forge(text, claims())

/** Every other spelling of a segment that decodes to the same bytes. */
function twins (segment: string): string[] {
  const bytes = Buffer.from(segment, 'base64url')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return [...alphabet]
    .map((last) => segment.slice(0, -1) + last)
    .filter((other) => other !== segment && Buffer.from(other, 'base64url').equals(bytes))
}

test('alg none, in every spelling and with every signature', async (t) => {
  const app = await guarded(t)
  const [, , other = ''] = token().split('.')
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', ' none', 'none\u0000', 'nоne', 'null', 'undefined', '']) {
    const unsigned = `${encode({ alg, typ: 'JWT' })}.${encode(claims())}.`
    refusedAs(t, await app.ask(unsigned), 'malformed', `${JSON.stringify(alg)} without a signature`)
    refusedAs(t, await app.ask(unsigned + other), 'algorithm', `${JSON.stringify(alg)} with another token's signature`)
    refusedAs(t, await app.ask(forge({ alg, typ: 'JWT' }, claims())), 'algorithm', `${JSON.stringify(alg)} with a right signature`)
    refusedAs(t, await app.ask(forge({ alg, typ: 'JWT' }, claims(), '')), 'algorithm', `${JSON.stringify(alg)} with a signature of the empty key`)
  }
  t.equal(app.seen.length, 0)
})

test('alg none against public keys', async (t) => {
  const app = await guarded(t, { jwt: { secret: pairOf(newKey('P-256')) } })
  await allRefused(t, app, {
    none: `${encode({ alg: 'none' })}.${encode(claims())}.AAAA`,
    NONE: `${encode({ alg: 'NONE' })}.${encode(claims())}.AAAA`
  }, 'algorithm')
})

test('alg missing, or not a string', async (t) => {
  const values: unknown[] = [null, 0, 1, true, false, [], ['HS256'], {}, { toString: 'HS256' }]
  await allRefused(t, await guarded(t), {
    missing: forge({ typ: 'JWT' }, claims()),
    ...Object.fromEntries(values.map((alg) => [JSON.stringify(alg), forge({ alg, typ: 'JWT' }, claims())]))
  }, 'malformed')
})

test('alg that is not on the list, or spelled another way', async (t) => {
  const names = ['HS384', 'HS512', 'hs256', 'Hs256', 'HS256 ', 'HS-256', 'HS257', 'RS256', 'ES256', 'EdDSA', 'ES256K', 'dir', 'A256KW', '__proto__', 'constructor', 'toString']
  await allRefused(t, await guarded(t), Object.fromEntries(names.map((alg) => [alg, forge({ alg }, claims())])), 'algorithm')
})

test('crit, whatever it holds (RFC 7515, section 4.1.11)', async (t) => {
  const values = [['exp'], ['b64'], ['alg'], [], '', 'exp', null, 0, 1, false, true, {}, [null], ['unknown'], [['exp']]]
  await allRefused(t, await guarded(t), Object.fromEntries(values.map((crit) => [JSON.stringify(crit), forge({ ...JWT, crit, b64: false, unknown: 1 }, claims())])), 'malformed')
})

test('jku, jwk, x5u and x5c are neither fetched nor used', async (t) => {
  const own = newKey('P-256')
  const evil = newKey('P-256')
  const server = await keyServer(t, { keys: [{ ...evil.publicKey.export({ format: 'jwk' }), kid: 'evil', use: 'sig', alg: 'ES256' }] })
  const app = await guarded(t, { jwt: { secret: pairOf(own) } })
  const baits: Record<string, unknown> = {
    jku: server.url,
    jwk: evil.publicKey.export({ format: 'jwk' }),
    x5u: server.url,
    x5c: [evil.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')],
    'x5t#S256': 'AAAA'
  }
  for (const [name, bait] of Object.entries(baits)) {
    const header = { alg: 'ES256', kid: 'evil', [name]: bait }
    refusedAs(t, await app.ask(signed(header, claims(), evil.privateKey)), 'signature', `${name}, signed with the key it names`)
    passed(t, await app.ask(signed(header, claims(), own.privateKey)), 'user-1', `${name} beside a right signature`)
  }
  t.equal(server.requests, 0, 'nothing was fetched')
})

test('jku and jwk do not lead away from the configured key set', async (t) => {
  const own = newKey('rsa')
  const evil = newKey('rsa')
  const evilKeys = await keyServer(t, { keys: [{ ...evil.publicKey.export({ format: 'jwk' }), kid: 'a' }] })
  const keys = await keyServer(t, { keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'a' }] })
  const app = await guarded(t, { jwt: { jwksUrl: keys.url } })
  const forged = signed({ alg: 'RS256', kid: 'a', jku: evilKeys.url, jwk: evil.publicKey.export({ format: 'jwk' }), x5u: evilKeys.url }, claims(), evil.privateKey)
  refusedAs(t, await app.ask(forged), 'signature')
  t.equal(evilKeys.requests, 0)
  t.equal(app.seen.length, 0)
})

test('kid injection: a key id is a name to look up and nothing else', async (t) => {
  const own = newKey('P-256')
  const keys = await keyServer(t, { keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'a' }] })
  const remote = await guarded(t, { jwt: { jwksUrl: keys.url, jwksCooldown: 60 } })
  const local = await guarded(t, { jwt: { secret } })
  const kids = [
    '../../../../dev/null', '/dev/null', 'file:///etc/passwd', "' OR '1'='1", "x' UNION SELECT 'key", '; DROP TABLE keys', '$(reboot)', '`id`',
    '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a ', ' a', 'A', 'a\u0000', '', '\u0000', 'ES256 a', `${keys.url}`, '\ud800', 'x'.repeat(512)
  ]
  passed(t, await remote.ask(signed({ alg: 'ES256', kid: 'a' }, claims(), own.privateKey)))
  remote.seen.length = 0
  for (const kid of kids) {
    refusedAs(t, await remote.ask(signed({ alg: 'ES256', kid }, claims(), own.privateKey)), 'unknown_key', `remote, ${kid.slice(0, 20)}`)
    // /dev/null read as a key would be the empty secret.
    refusedAs(t, await local.ask(forge({ alg: 'HS256', kid }, claims(), '')), 'signature', `local, ${kid.slice(0, 20)}`)
  }
  t.equal(remote.seen.length + local.seen.length, 0)
  t.equal(keys.requests, 1, 'one fetch in all')
})

test('kid injection: longer than 512 characters, or not a string', async (t) => {
  const values: unknown[] = ['x'.repeat(513), null, 0, 1, true, [], ['a'], {}, { toString: 'a' }]
  await allRefused(t, await guarded(t), Object.fromEntries(values.map((kid) => [JSON.stringify(kid).slice(0, 20), forge({ ...JWT, kid }, claims())])), 'malformed')
})

test('a header that is not an object', async (t) => {
  const texts = ['null', '[]', '["alg"]', '"HS256"', '1', 'true', '{', '{}x', "{'alg':'HS256'}", '{"alg":"HS256",}', '\ufeff{"alg":"HS256"}', '{"alg":"HS256"}\u0000']
  await allRefused(t, await guarded(t), Object.fromEntries(texts.map((text) => [text, withHeader(text)])), 'malformed')
  await allRefused(t, await guarded(t), { nested: withHeader('['.repeat(2000) + ']'.repeat(2000)), 'nested and open': withHeader('{"a":'.repeat(1000)) }, 'malformed')
})

test('a header that is not UTF-8', async (t) => {
  const app = await guarded(t)
  const input = `${Buffer.from([0x7b, 0xff, 0xfe, 0x7d]).toString('base64url')}.${encode(claims())}`
  await allRefused(t, app, { bytes: `${input}.AAAA` }, 'malformed')
})

test('header members of Object.prototype do not count', async (t) => {
  const app = await guarded(t)
  await allRefused(t, app, {
    'alg in __proto__': withHeader('{"__proto__":{"alg":"HS256"}}'),
    'alg in constructor': withHeader('{"constructor":{"prototype":{"alg":"HS256"}}}')
  }, 'malformed')
  passed(t, await app.ask(withHeader('{"alg":"HS256","__proto__":{"crit":["x"]}}')), 'user-1', 'crit in __proto__ is no crit')
  t.equal(({} as { alg?: string }).alg, undefined, 'Object.prototype is as it was')
})

test('duplicate members of a header: the last counts, for all readers alike', async (t) => {
  const app = await guarded(t)
  refusedAs(t, await app.ask(withHeader('{"alg":"HS256","alg":"none"}')), 'algorithm')
  refusedAs(t, await app.ask(withHeader('{"alg":"HS256","typ":"JWT","typ":"logout+jwt"}')), 'token_type')
  refusedAs(t, await app.ask(withHeader('{"crit":["x"],"alg":"HS256","crit":null}')), 'malformed')
  t.equal(app.seen.length, 0)
  passed(t, await app.ask(withHeader('{"alg":"none","alg":"HS256"}')))
})

test('non-canonical base64url: spare bits that are not zero', async (t) => {
  const app = await guarded(t)
  // One, two and three bytes more give every length a segment can have.
  const tokens = ['', 'x', 'xx', 'xxx'].map((filler) => forge({ ...JWT, filler }, claims({ filler })))
  let spellings = 0
  for (const text of tokens) {
    passed(t, await app.ask(text))
    app.seen.length = 0
    const parts = text.split('.')
    for (const index of [0, 1, 2]) {
      for (const twin of twins(parts[index] as string)) {
        spellings++
        refusedAs(t, await app.ask(parts.with(index, twin).join('.')), 'malformed', `segment ${index}`)
      }
    }
  }
  t.ok(spellings > 30, 'there are twins to refuse')
  t.equal(app.seen.length, 0)
})

test('non-canonical base64url: a header signed in its non-canonical spelling', async (t) => {
  const app = await guarded(t)
  // The signer itself used the other spelling, so the signature is right.
  const header = ['a', 'bb', 'ccc'].map((filler) => encode({ ...JWT, filler })).find((segment) => segment.length % 4 !== 0) as string
  const other = twins(header)[0] as string
  const input = `${other}.${encode(claims())}`
  await allRefused(t, app, { twin: `${input}.${signature('HS256', input, secret).toString('base64url')}` }, 'malformed')
})

test('non-canonical base64url: padding and the alphabet of plain base64', async (t) => {
  const app = await guarded(t)
  const [header, payload, last] = token().split('.') as [string, string, string]
  await allRefused(t, app, {
    'padding at the end': `${header}.${payload}.${last}=`,
    'padding to four': `${header}.${payload}.${last}${'='.repeat(4 - last.length % 4)}`,
    'a plus': `${header}.${payload}.+${last.slice(1)}`,
    'a slash': `${header}.${payload}.${last.slice(0, -1)}/`,
    'a tilde': `${header}.${payload}~.${last}`,
    'a lone character': `${header}.${payload}.A`,
    'length of 1 modulo 4': `${header}.${payload}.${last}${'A'.repeat((5 - last.length % 4) % 4)}`
  }, 'malformed')
  for (const [what, text] of Object.entries({
    'padding inside': `${header}=.${payload}.${last}`,
    'a space inside': `${header}. ${payload}.${last}`,
    'a tab inside': `${header}\t.${payload}.${last}`,
    'a line break inside': `${header}.\r\n${payload}.${last}`,
    'a zero byte': `${header}.${payload}.${last}\u0000`
  })) {
    refusedAs(t, await app.ask(text), 'header', what)
  }
  t.equal(app.seen.length, 0)
})

test('a token of another number of segments', async (t) => {
  const [header, payload, last] = token().split('.') as [string, string, string]
  await allRefused(t, await guarded(t), {
    one: header,
    two: `${header}.${payload}`,
    'no signature': `${header}.${payload}.`,
    'no header': `.${payload}.${last}`,
    'no payload': `${header}..${last}`,
    'dots only': '..',
    four: `${header}.${payload}.${last}.${last}`,
    'a dot at the end': `${token()}.`,
    'a dot at the start': `.${token()}`
  }, 'malformed')
})

test('an encrypted token (JWE, RFC 7516)', async (t) => {
  const header = encode({ alg: 'dir', enc: 'A256GCM' })
  await allRefused(t, await guarded(t), {
    'direct encryption': `${header}..${encode('iv')}.${encode('ciphertext')}.${encode('tag')}`,
    'key encryption': `${header}.${encode('key')}.${encode('iv')}.${encode('ciphertext')}.${encode('tag')}`,
    'the algorithm of a signature': `${encode(JWT)}.${encode('key')}.${encode('iv')}.${encode(claims())}.${encode('tag')}`
  }, 'malformed')
})

test('a token in the JSON serialization (RFC 7515, section 7.2)', async (t) => {
  const { ask, seen } = await guarded(t)
  const [header, payload, signature] = token().split('.')
  refusedAs(t, await ask(JSON.stringify({ protected: header, payload, signature })), 'header')
  refusedAs(t, await ask(encode({ protected: header, payload, signature })), 'malformed')
  t.equal(seen.length, 0)
})

test('a header typ of another kind of token', async (t) => {
  const kinds = ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'id_token', 'rt+jwt', 'oauth-authz-req+jwt', 'token-introspection+jwt', 'JWE', 'JOSE', 'JOSE+JSON', 'text/plain', 'application/', 'jwt ', '', 'application/application/jwt']
  const values = [null, 0, true, [], ['JWT'], {}]
  await allRefused(t, await guarded(t), {
    ...Object.fromEntries(kinds.map((typ) => [`"${typ}"`, forge({ alg: 'HS256', typ }, claims())])),
    ...Object.fromEntries(values.map((typ) => [JSON.stringify(typ), forge({ alg: 'HS256', typ }, claims())]))
  }, 'token_type')
})

test('a header typ of an access token, in any case, or none', async (t) => {
  const { ask } = await guarded(t)
  for (const typ of ['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/jwt', undefined]) {
    passed(t, await ask(forge({ alg: 'HS256', typ }, claims())), 'user-1', String(typ))
  }
})

test('nothing of a token comes back, in no header and no body', async (t) => {
  const { app } = await guarded(t)
  const mark = 'c0ffee5afe'
  const tokens = [
    forge({ alg: mark }, claims()),
    forge({ ...JWT, kid: mark }, claims({ iss: mark })),
    forge({ ...JWT, typ: mark }, claims()),
    forge(JWT, claims({ aud: mark, sub: mark })),
    forge(JWT, claims({ typ: mark })),
    `${mark}.${mark}.${mark}`
  ]
  for (const text of tokens) {
    const response: LightMyRequestResponse = await app.inject({ url: '/', headers: { authorization: `Bearer ${text}` } })
    t.equal(response.statusCode, 401)
    t.notMatch(response.payload + JSON.stringify(response.headers), new RegExp(`${mark}|${encode(mark)}`))
  }
})

test('the parser is the same with and without a cache, and with several issuers', async (t) => {
  const issuers = [{ issuer: 'https://a', audience: 'x', jwt: { secret } }, { issuer: 'https://auth.example.com', audience: 'my-api', jwt: { secret: secret + secret } }]
  const apps: Guarded[] = [
    await guarded(t, { jwt: { secret, cache: true } }),
    await guarded(t, { issuer: undefined, audience: undefined, jwt: undefined, issuers })
  ]
  for (const app of apps) {
    await allRefused(t, app, {
      crit: forge({ ...JWT, crit: [] }, claims()),
      'payload is text': forge(JWT, '"text"'),
      'payload is a list': forge(JWT, [claims()]),
      'payload is broken': forge(JWT, '{"iss":'),
      'payload is null': forge(JWT, 'null')
    }, 'malformed')
  }
})

const named = (index: number): string => forge({ ...JWT, kid: `key-${index}` }, claims())

test('bounded memory: made-up headers are not all remembered', async (t) => {
  const known = new Map<string, TokenHeader>()
  let most = 0
  for (let index = 0; index < 1000; index++) {
    t.strictSame(parseHeader(named(index), 8192, known), { alg: 'HS256', kid: `key-${index}` })
    most = Math.max(most, known.size)
  }
  t.equal(most, 64)
})

test('headers that are remembered drive none out when they come again', async (t) => {
  const known = new Map<string, TokenHeader>()
  const headers = Array.from({ length: 64 }, (_, index) => parseHeader(named(index), 8192, known))
  for (let round = 0; round < 3; round++) {
    for (const [index, header] of headers.entries()) t.equal(parseHeader(named(index), 8192, known), header, 'one and the same')
  }
  t.equal(known.size, 64)
  t.strictSame(parseHeader(named(64), 8192, known), { alg: 'HS256', kid: 'key-64' }, 'the one too many is read as ever')
  t.ok(known.size <= 64)
})

test('headers that are refused are not remembered, and refused each time', async (t) => {
  const known = new Map<string, TokenHeader>()
  for (const header of [{ alg: 'HS256', crit: ['exp'] }, { alg: 7 }, { alg: 'HS256', typ: 'dpop+jwt' }, { alg: 'HS256', kid: 7 }]) {
    for (let round = 0; round < 2; round++) t.throws(() => parseHeader(forge(header, claims()), 8192, known), { code: 'TOKEN_INVALID' })
  }
  t.equal(known.size, 0)
})

test('after many made-up headers, good tokens pass and bad ones are refused as before', async (t) => {
  const { app, ask, seen } = await guarded(t)
  for (let index = 0; index < 200; index++) t.equal((await ask(forge({ ...JWT, kid: `made-up-${index}`, crit: index % 2 === 0 ? undefined : [] }, claims(), 'another secret of at least 32 bytes!'))).statusCode, 401)
  t.equal(seen.length, 0)
  passed(t, await ask(token()))
  seen.length = 0
  await allRefused(t, { app, ask, seen }, { crit: forge({ ...JWT, crit: [] }, claims()) }, 'malformed')
})
