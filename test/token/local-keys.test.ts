import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { validateOptions, type JwtOptions } from '../../index.js'
import { keyAlgorithms, localKeys, thumbprint } from '../../lib/token/local-keys.js'
import { audience, build, claims, forge, issuer, secret } from '../build.js'
import { allRefused, guard, guarded, passed, refusedAs } from '../guarded.js'
import { ALGORITHMS, encrypted, jwkOf, newKey, pairOf, signature, signed, type KeyKind } from '../keys.js'

const otherSecret = 'another secret of thirty-two bytes!!'
const headerOf = (token: string): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString())
const payloadOf = (token: string): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())

test('HMAC: HS256 by default, others on request', async (t) => {
  const long = secret + otherSecret
  const app = await guarded(t, { jwt: { secret: long } })
  passed(t, await app.ask(signed({ alg: 'HS256' }, claims(), long)))
  app.seen.length = 0
  await allRefused(t, app, { HS384: signed({ alg: 'HS384' }, claims(), long), HS512: signed({ alg: 'HS512' }, claims(), long) }, 'algorithm')
  for (const alg of ['HS384', 'HS512']) {
    const one = await guarded(t, { jwt: { secret: long, algorithms: [alg] } })
    passed(t, await one.ask(signed({ alg }, claims(), long)))
    refusedAs(t, await one.ask(signed({ alg: 'HS256' }, claims(), long)), 'algorithm')
    t.equal(headerOf(one.app.bouncer.jwt?.sign({ sub: 'x' }) ?? '').alg, alg, 'and that is what is signed with')
  }
})

test('key pairs: RSA, EC on three curves, Ed25519; each with the algorithms of its kind and no other', async (t) => {
  const all = Object.values(ALGORITHMS).flat()
  for (const [kind, algorithms] of Object.entries(ALGORITHMS)) {
    const key = newKey(kind as KeyKind)
    const app = await guarded(t, { jwt: { secret: pairOf(key) } })
    for (const alg of algorithms) passed(t, await app.ask(signed({ alg }, claims(), key.privateKey)), 'user-1', alg)
    app.seen.length = 0
    for (const alg of all) {
      if ((algorithms as readonly string[]).includes(alg)) continue
      refusedAs(t, await app.ask(signed({ alg }, claims(), key.privateKey, algorithms[0])), 'algorithm', `${alg} with a key on ${kind}`)
    }
    refusedAs(t, await app.ask(signed({ alg: algorithms[0] }, claims(), newKey(kind as KeyKind).privateKey)), 'signature')
    t.equal(app.seen.length, 0)
  }
})

test('what is signed here is accepted here: issuer, audience, lifetime and key id are set', async (t) => {
  const secrets: Array<NonNullable<JwtOptions['secret']>> = [secret, ...(Object.keys(ALGORITHMS) as KeyKind[]).map((kind) => pairOf(newKey(kind)))]
  for (const one of secrets) {
    const { app, ask } = await guarded(t, { audience: [audience, 'second'], jwt: { secret: one, accessTokenTtl: 120 } })
    const token = app.bouncer.jwt?.sign({ sub: 'user-1', role: 'admin' }) ?? ''
    const { exp, iat, iss, aud } = payloadOf(token)
    t.strictSame([iss, aud, Number(exp) - Number(iat)], [issuer, audience, 120])
    t.type(headerOf(token).kid, 'string')
    passed(t, await ask(token))
    const short = app.bouncer.jwt?.sign({ sub: 'user-1' }, { expiresIn: 7 }) ?? ''
    t.equal(Number(payloadOf(short).exp) - Number(payloadOf(short).iat), 7)
  }
})

test('what is signed here is what another verifier reads', async (t) => {
  for (const kind of Object.keys(ALGORITHMS) as KeyKind[]) {
    const key = newKey(kind)
    const app = await build(t, { jwt: { secret: pairOf(key) } })
    const token = app.bouncer.jwt?.sign({ sub: 'user-1' }) ?? ''
    const { jwtVerify } = await import('jose')
    const { payload, protectedHeader } = await jwtVerify(token, key.publicKey, { issuer, audience })
    t.equal(payload.sub, 'user-1')
    t.equal(protectedHeader.kid, thumbprint(key.publicKey))
  }
})

test('the key id of a key pair is its thumbprint (RFC 7638), or the given one', async (t) => {
  const { calculateJwkThumbprint } = await import('jose')
  for (const kind of Object.keys(ALGORITHMS) as KeyKind[]) {
    const key = newKey(kind)
    t.equal(thumbprint(key.publicKey), await calculateJwkThumbprint(jwkOf(key) as Record<string, string> & { kty: string }), kind)
  }
  const named = localKeys([pairOf(newKey('P-256'), { kid: 'spring' })], undefined)
  t.equal(named.signing?.kid, 'spring')
})

test('the key id of a secret tells nothing of it, and is the same on every start', (t) => {
  const [first, second] = [localKeys([secret], undefined), localKeys([secret], undefined)]
  t.equal(first.signing?.kid, second.signing?.kid)
  t.not(first.signing?.kid, localKeys([otherSecret], undefined).signing?.kid)
  t.notOk(first.signing?.kid?.includes(secret.slice(0, 4)))
  t.not(first.signing?.kid, signature('HS256', '', secret).toString('base64url'), 'and is nothing that can stand in a token')
  t.end()
})

test('an encrypted private key signs with its passphrase', async (t) => {
  for (const kind of ['rsa', 'P-256', 'ed25519'] as const) {
    const key = newKey(kind)
    const { app, ask } = await guarded(t, { jwt: { secret: { public: key.pem.public, private: { key: encrypted(key, 'open sesame'), passphrase: 'open sesame' } } } })
    passed(t, await ask(app.bouncer.jwt?.sign({ sub: 'user-1' }) ?? ''), 'user-1', kind)
  }
})

test('a public key alone verifies and does not sign', async (t) => {
  const key = newKey('P-256')
  const { app, ask } = await guarded(t, { jwt: { secret: { public: key.pem.public } } })
  passed(t, await ask(signed({ alg: 'ES256' }, claims(), key.privateKey)))
  t.equal(app.bouncer.jwt, undefined)
})

test('rotation: the first signs, all verify, and who is not on the list does neither', async (t) => {
  const lists: Array<[NonNullable<JwtOptions['secret']>, NonNullable<JwtOptions['secret']>]> = [
    [secret, otherSecret],
    [pairOf(newKey('P-256')), pairOf(newKey('P-256'))],
    [pairOf(newKey('rsa')), pairOf(newKey('ed25519'))]
  ]
  for (const [a, b] of lists as Array<[string, string]>) {
    const only = await guarded(t, { jwt: { secret: a } })
    const both = await guarded(t, { jwt: { secret: [b, a] } })
    const after = await guarded(t, { jwt: { secret: b } })
    const older = only.app.bouncer.jwt?.sign({ sub: 'user-1' }) ?? ''
    const newer = both.app.bouncer.jwt?.sign({ sub: 'user-1' }) ?? ''
    t.not(headerOf(older).kid, headerOf(newer).kid)
    t.equal(headerOf(newer).kid, headerOf(after.app.bouncer.jwt?.sign({ sub: 'x' }) ?? '').kid, 'the first of the list signs')
    passed(t, await both.ask(older))
    passed(t, await both.ask(newer))
    passed(t, await after.ask(newer))
    t.equal((await after.ask(older)).statusCode, 401, 'a key that left the list verifies nothing')
    t.equal((await only.ask(newer)).statusCode, 401)
  }
})

test('rotation: tokens without a key id, or with one that nobody knows, are tried with all keys', async (t) => {
  const app = await guarded(t, { jwt: { secret: [secret, otherSecret] } })
  for (const header of [{ alg: 'HS256' }, { alg: 'HS256', kid: 'somebody else\'s name' }, { alg: 'HS256', kid: '' }]) {
    passed(t, await app.ask(forge(header, claims(), secret)))
    passed(t, await app.ask(forge(header, claims(), otherSecret)))
    refusedAs(t, await app.ask(forge(header, claims(), 'a third secret, of thirty-two bytes too')), 'signature')
  }
})

test('rotation: a token under the key id of one key is not verified by another', async (t) => {
  const app = await guarded(t, { jwt: { secret: [secret, otherSecret] } })
  const { kid } = headerOf(app.app.bouncer.jwt?.sign({ sub: 'x' }) ?? '')
  refusedAs(t, await app.ask(forge({ alg: 'HS256', kid }, claims(), otherSecret)), 'signature')
  passed(t, await app.ask(forge({ alg: 'HS256', kid }, claims(), secret)))
})

test('rotation: two keys under one key id both verify', async (t) => {
  const [a, b] = [newKey('P-256'), newKey('P-256')]
  const app = await guarded(t, { jwt: { secret: [pairOf(a, { kid: 'same' }), pairOf(b, { kid: 'same' })] } })
  passed(t, await app.ask(signed({ alg: 'ES256', kid: 'same' }, claims(), a.privateKey)))
  passed(t, await app.ask(signed({ alg: 'ES256', kid: 'same' }, claims(), b.privateKey)))
})

test('rotation: a key whose id is the word undefined is not the key of tokens without an id', async (t) => {
  const [a, b] = [newKey('P-256'), newKey('P-256')]
  const app = await guarded(t, { jwt: { secret: [pairOf(a, { kid: 'undefined' }), pairOf(b)] } })
  passed(t, await app.ask(signed({ alg: 'ES256' }, claims(), b.privateKey)))
})

test('secrets and keys that cannot be meant are refused at start, and none of them is shown', async (t) => {
  const rsa = newKey('rsa')
  const ec = newKey('P-256')
  const cases: Record<string, [JwtOptions, string]> = {
    'a secret under 32 bytes': [{ secret: 'hunter2-hunter2-hunter2-hunter2' }, 'jwt.secret'],
    'an empty secret': [{ secret: '' }, 'jwt.secret'],
    'an empty list': [{ secret: [] }, 'jwt.secret'],
    'one short secret in a list': [{ secret: [secret, 'hunter2'] }, 'jwt.secret'],
    'a secret and a key pair': [{ secret: [secret, pairOf(ec)] }, 'jwt.secret'],
    'a public key as a secret': [{ secret: rsa.pem.public }, 'jwt.secret'],
    'a private key as a secret': [{ secret: ec.pem.private }, 'jwt.secret'],
    'a PEM after other text': [{ secret: `my key:\n${rsa.pem.public}` }, 'jwt.secret'],
    'a PKCS #1 public key as a secret': [{ secret: rsa.publicKey.export({ format: 'pem', type: 'pkcs1' }).toString() }, 'jwt.secret'],
    'a JSON Web Key as a secret': [{ secret: JSON.stringify(jwkOf(rsa)) }, 'jwt.secret'],
    'a key set as a secret': [{ secret: ` ${JSON.stringify({ keys: [jwkOf(ec)] })}` }, 'jwt.secret'],
    'RSA of 1024 bits': [{ secret: pairOf(newKey('rsa', 1024)) }, 'jwt.secret.public'],
    'RSA of 2047 bits': [{ secret: pairOf(newKey('rsa', 2040)) }, 'jwt.secret.public'],
    'RSA-PSS': [{ secret: pairOf(newKey('rsa-pss')) }, 'jwt.secret.public'],
    secp256k1: [{ secret: pairOf(newKey('secp256k1')) }, 'jwt.secret.public'],
    Ed448: [{ secret: pairOf(newKey('ed448')) }, 'jwt.secret.public'],
    'a private key as public one': [{ secret: { public: ec.pem.private } }, 'jwt.secret.public'],
    'text as public key': [{ secret: { public: 'hunter2' } }, 'jwt.secret.public'],
    'text as private key': [{ secret: { public: ec.pem.public, private: 'hunter2' } }, 'jwt.secret.private'],
    'keys of two pairs': [{ secret: { public: ec.pem.public, private: newKey('P-256').pem.private } }, 'jwt.secret.private'],
    'a wrong passphrase': [{ secret: { public: ec.pem.public, private: { key: encrypted(ec, 'open sesame'), passphrase: 'hunter2' } } }, 'jwt.secret.private'],
    'an encrypted key without a passphrase': [{ secret: { public: ec.pem.public, private: encrypted(ec, 'open sesame') } }, 'jwt.secret.private'],
    'a secret with a public-key algorithm': [{ secret, algorithms: ['RS256'] }, 'jwt.algorithms'],
    'a public key with an HMAC algorithm': [{ secret: pairOf(ec), algorithms: ['HS256'] }, 'jwt.algorithms'],
    'a mix of algorithms': [{ secret: pairOf(rsa), algorithms: ['RS256', 'HS256'] }, 'jwt.algorithms'],
    'an algorithm of another curve': [{ secret: pairOf(ec), algorithms: ['ES256', 'ES384'] }, 'jwt.algorithms'],
    'no algorithm': [{ secret: pairOf(ec), algorithms: [] }, 'jwt.algorithms'],
    'alg none': [{ secret, algorithms: ['none'] }, 'jwt.algorithms'],
    'alg none among others': [{ secret, algorithms: ['HS256', 'none'] }, 'jwt.algorithms']
  }
  for (const [what, [jwt, option]] of Object.entries(cases)) {
    try {
      validateOptions({ issuer, audience, jwt })
      t.fail(`${what} was accepted`)
    } catch (error) {
      const { code, option: named, message } = error as { code: string, option: string, message: string }
      t.equal(code, 'CONFIGURATION_ERROR', what)
      t.equal(named, option, what)
      t.ok(message.includes(option), `${what}: the message names the option`)
      t.notMatch(message, /hunter2|PRIVATE|open sesame/, what)
    }
  }
})

test('Curveball (CVE-2020-0601): a key on P-256 with a generator of its own is refused', (t) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })
  const generator = Buffer.from('046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5', 'hex')
  const der = publicKey.export({ format: 'der', type: 'spki' })
  // With the public point as generator, everybody knows the private key: it is 1.
  der.copy(der, der.indexOf(generator), der.length - generator.length)
  const forged = createPublicKey({ key: der, format: 'der', type: 'spki' })
  t.equal(keyAlgorithms(forged), undefined)
  t.throws(() => localKeys([{ public: forged.export({ format: 'pem', type: 'spki' }).toString() }], undefined), { code: 'CONFIGURATION_ERROR', option: 'jwt.secret.public' })
  t.end()
})

test('no key is found for an algorithm that is not served', (t) => {
  t.strictSame(localKeys([secret], undefined).find({ alg: 'none', kid: undefined }), [])
  t.end()
})

test('a symmetric key serves no public-key algorithm', (t) => {
  t.equal(keyAlgorithms(createSecretKey(Buffer.alloc(64, 1))), undefined)
  t.end()
})

test('an empty allow-list allows nothing', (t) => {
  t.throws(() => localKeys([secret], []), { code: 'CONFIGURATION_ERROR', option: 'jwt.algorithms' })
  t.end()
})

test('register() refuses what validateOptions() refuses', async (t) => {
  await t.rejects(async () => await build(t, { jwt: { secret: 'short' } }), { code: 'CONFIGURATION_ERROR', option: 'jwt.secret' })
})

test('a secret of 32 bytes is enough, counted in bytes', async (t) => {
  for (const short of ['x'.repeat(32), 'é'.repeat(16)]) {
    const app = await guarded(t, { jwt: { secret: short } })
    passed(t, await app.ask(forge({ alg: 'HS256' }, claims(), short)))
  }
})

test('a secret that only looks like JSON is a secret', async (t) => {
  for (const odd of ['{not json, but thirty-two bytes and more}', '[neither is this one, however long it is', '1234567890123456789012345678901234567890', '"a text in quotes of more than thirty-two bytes"']) {
    const app = guard(await build(t, { jwt: { secret: odd } }))
    passed(t, await app.ask(forge({ alg: 'HS256' }, claims(), odd)))
  }
})

test('the public keys are JSON Web Keys of all pairs, in their order, each with its use and id', (t) => {
  for (const [kind, algorithms] of Object.entries(ALGORITHMS)) {
    const key = newKey(kind as KeyKind)
    const { publicKeys } = localKeys([pairOf(key)], undefined)
    const alg = algorithms.length === 1 ? { alg: algorithms[0] } : {}
    t.strictSame(publicKeys, [{ ...jwkOf(key), kid: thumbprint(key.publicKey), use: 'sig', ...alg }], kind)
  }
  const [a, b, c] = [newKey('P-256'), newKey('rsa'), newKey('ed25519')]
  const rotated = localKeys([pairOf(a, { kid: 'summer' }), pairOf(b), { public: c.pem.public, kid: 'spring' }], undefined)
  t.strictSame(rotated.publicKeys.map(({ kid, kty }) => [kid, kty]), [['summer', 'EC'], [thumbprint(b.publicKey), 'RSA'], ['spring', 'OKP']])
  t.equal(localKeys([pairOf(b)], ['PS256']).publicKeys[0]?.alg, 'PS256', 'the one algorithm that is allowed')
  t.notOk('alg' in (localKeys([pairOf(b)], ['PS256', 'RS256']).publicKeys[0] ?? {}), 'of several none')
  t.end()
})

test('attack: nothing private among the public keys, and nothing at all of a secret', (t) => {
  t.strictSame(localKeys([secret], undefined).publicKeys, [])
  t.strictSame(localKeys([secret, otherSecret], undefined).publicKeys, [])
  for (const kind of Object.keys(ALGORITHMS) as KeyKind[]) {
    const key = newKey(kind)
    const withPassphrase = { public: key.pem.public, private: { key: encrypted(key, 'open sesame'), passphrase: 'open sesame' } }
    const { d } = key.privateKey.export({ format: 'jwk' })
    for (const pair of [pairOf(key), withPassphrase, { public: key.pem.public }]) {
      const [published = {}] = localKeys([pair], undefined).publicKeys
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'key', 'private', 'passphrase']) t.notOk(member in published, `${kind}: ${member}`)
      t.notOk(JSON.stringify(published).includes(String(d)), kind)
    }
  }
  t.end()
})
