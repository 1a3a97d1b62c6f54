import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import authPlugin, { ConfigurationError, validateOptions, type AuthPluginOptions } from '../index.js'
import { bearer, options, secret, server } from './build.js'

const pem = (type: 'rsa' | 'ec' | 'ed25519', settings: object = {}) => {
  const { publicKey, privateKey } = generateKeyPairSync(type as 'rsa', {
    modulusLength: 2048,
    ...settings,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
  })
  return { public: publicKey, private: privateKey }
}
const rsa = pem('rsa')
const otherRsa = pem('rsa')
const weakRsa = pem('rsa', { modulusLength: 1024 })
const ec = pem('ec', { namedCurve: 'P-256' })
const foreignEc = pem('ec', { namedCurve: 'secp256k1' })
const ed = pem('ed25519')
const url = 'https://auth.example.com/.well-known/jwks.json'

/** Checks that register() and validateOptions() both refuse, with one error that names the option and the remedy. */
async function refuses (t: Test, given: unknown, option: string, message: RegExp): Promise<void> {
  const thrown: unknown[] = []
  try { validateOptions(given as AuthPluginOptions) } catch (error) { thrown.push(error) }
  await server(t).register(authPlugin, given as AuthPluginOptions).then(() => {}, (error: unknown) => { thrown.push(error) })
  t.equal(thrown.length, 2, `${option} is refused by validateOptions and by register`)
  for (const error of thrown) {
    t.ok(error instanceof ConfigurationError)
    t.match(error, { option, message, statusCode: 500, code: 'CONFIGURATION_ERROR', detail: 'Authentication is not configured correctly.' })
    if (option !== '') t.ok((error as ConfigurationError).message.startsWith(option), `the message starts with ${option}`)
    t.notMatch(inspect(error, { depth: 9 }), /a secret of at least thirty-two bytes|PRIVATE KEY-----\n/, 'no key is shown')
  }
}

/** Options with one thing changed in `jwt`. */
const withJwt = (jwt: object) => ({ ...options, jwt: { ...options.jwt, ...jwt } })

t.test('issuer and audience', async (t) => {
  const { issuer: _i, ...noIssuer } = options
  const { audience: _a, ...noAudience } = options
  const { jwt: _j, ...noJwt } = options
  await refuses(t, noIssuer, 'issuer', /missing; give the exact value/)
  await refuses(t, { ...options, issuer: undefined }, 'issuer', /missing/)
  await refuses(t, noAudience, 'audience', /missing; give the exact value/)
  await refuses(t, noJwt, 'jwt', /missing; give \{ secret \} or \{ jwksUrl \}/)
  await refuses(t, {}, 'issuer', /missing/)
  for (const blank of ['', ' ', '\t\n', null, 1, {}, ['x']]) await refuses(t, { ...options, issuer: blank }, 'issuer', /exact value of the tokens' iss, and not empty/)
  for (const blank of ['', '  ', [], [''], ['my-api', ' '], [1], null, 1, {}]) await refuses(t, { ...options, audience: blank }, 'audience', /exact value of the tokens' aud/)
})

t.test('secret and jwksUrl', async (t) => {
  await refuses(t, { ...options, jwt: {} }, 'jwt', /exactly one of secret and jwksUrl/)
  await refuses(t, { ...options, jwt: { secret, jwksUrl: url } }, 'jwt', /exactly one of secret and jwksUrl/)
  await refuses(t, { ...options, jwt: { secret: undefined, jwksUrl: undefined } }, 'jwt', /exactly one/)
  for (const jwt of [null, 'x', 1, []]) await refuses(t, { ...options, jwt }, 'jwt', /must be an object with secret or jwksUrl/)
})

t.test('secrets', async (t) => {
  const of = (value: unknown) => ({ ...options, jwt: { secret: value } })
  await refuses(t, of('short'), 'jwt.secret', /shorter than 32 bytes\. Make one with/)
  await refuses(t, of('x'.repeat(31)), 'jwt.secret', /shorter than 32 bytes/)
  await refuses(t, of(''), 'jwt.secret', /shorter than 32 bytes/)
  await refuses(t, of([secret, 'short']), 'jwt.secret', /shorter than 32 bytes/)
  await refuses(t, of([]), 'jwt.secret', /empty list/)
  await refuses(t, of(rsa.public), 'jwt.secret', /a key or an address in a string.*Give key pairs as/)
  await refuses(t, of(rsa.private), 'jwt.secret', /a key or an address/)
  await refuses(t, of(Buffer.from(rsa.public).toString('base64')), 'jwt.secret', /a key or an address/)
  await refuses(t, of(createPublicKey(ec.public).export({ format: 'der', type: 'spki' }).toString('base64')), 'jwt.secret', /a key or an address/)
  await refuses(t, of('https://auth.example.com/.well-known/jwks.json'), 'jwt.secret', /a key or an address/)
  await refuses(t, of(`ssh-rsa ${'A'.repeat(60)}`), 'jwt.secret', /a key or an address/)
  await refuses(t, of(` \n${ec.public}`), 'jwt.secret', /a key or an address/)
  await refuses(t, of(JSON.stringify({ kty: 'RSA', n: 'x'.repeat(40), e: 'AQAB' })), 'jwt.secret', /a key or an address/)
  await refuses(t, of(JSON.stringify([{ kty: 'RSA', n: 'x'.repeat(40) }])), 'jwt.secret', /a key or an address/)
  await refuses(t, of([secret, { public: rsa.public }]), 'jwt.secret', /mixes HMAC secrets and key pairs.*use one kind/)
  for (const value of [1, true, null, {}, Buffer.from(secret), { private: rsa.private }, { public: 1 }, { public: rsa.public, other: 1 }, [1], async () => secret]) {
    await refuses(t, of(value), 'jwt.secret', /string of at least 32 bytes, \{ public, private \} in PEM, or a list/)
  }
})

t.test('key pairs', async (t) => {
  const of = (value: unknown) => ({ ...options, jwt: { secret: value } })
  await refuses(t, of({ public: weakRsa.public }), 'jwt.secret.public', /RSA of at least 2048 bits/)
  await refuses(t, of(weakRsa), 'jwt.secret.public', /RSA of at least 2048 bits/)
  await refuses(t, of(foreignEc), 'jwt.secret.public', /EC on P-256, P-384 or P-521/)
  await refuses(t, of({ public: pem('ed25519').public.replace('PUBLIC', 'PUBLIK') }), 'jwt.secret.public', /cannot be read as a key in PEM/)
  await refuses(t, of({ public: 'rubbish' }), 'jwt.secret.public', /cannot be read/)
  await refuses(t, of({ public: rsa.private }), 'jwt.secret.public', /cannot be read/)
  await refuses(t, of({ public: rsa.public, private: otherRsa.private }), 'jwt.secret.private', /do not belong together/)
  await refuses(t, of({ public: rsa.public, private: ec.private }), 'jwt.secret.private', /do not belong together/)
  await refuses(t, of({ public: rsa.public, private: 'rubbish' }), 'jwt.secret.private', /cannot be read/)
  await refuses(t, of({ public: rsa.public, private: rsa.public }), 'jwt.secret.private', /cannot be read|do not belong/)
  for (const good of [rsa, ec, ed, { public: rsa.public }, [rsa, otherRsa], [ec, rsa], { ...rsa, kid: 'mine' }]) {
    t.doesNotThrow(() => { validateOptions(of(good) as AuthPluginOptions) })
  }
})

t.test('algorithms', async (t) => {
  await refuses(t, withJwt({ algorithms: ['HS256', 'RS256'] }), 'jwt.algorithms', /mixes HMAC and public-key algorithms.*keep one kind/)
  await refuses(t, { ...options, jwt: { secret: rsa, algorithms: ['RS256', 'HS256'] } }, 'jwt.algorithms', /mixes/)
  for (const name of ['none', 'None', 'NONE', 'nOnE', '', 'hs256', 'HS1', 'ES256K', 'RSA-OAEP', 'constructor']) await refuses(t, withJwt({ algorithms: [name] }), 'jwt.algorithms', /not accepted; accepted are HS256/)
  await refuses(t, withJwt({ algorithms: ['RS256'] }), 'jwt.algorithms', /lists RS256, which an HMAC secret does not serve/)
  await refuses(t, { ...options, jwt: { secret: rsa, algorithms: ['HS256'] } }, 'jwt.algorithms', /lists HS256, which this key does not serve/)
  await refuses(t, { ...options, jwt: { secret: ec, algorithms: ['ES384'] } }, 'jwt.algorithms', /does not serve\. It serves ES256/)
  await refuses(t, { ...options, jwt: { jwksUrl: url, algorithms: ['HS256'] } }, 'jwt.algorithms', /needs jwt\.secret/)
  for (const algorithms of [[], 'HS256', {}, [1], null]) await refuses(t, withJwt({ algorithms }), Array.isArray(algorithms) && algorithms.length > 0 ? 'jwt.algorithms.0' : 'jwt.algorithms', /must be a list of algorithm names|wrong type/)
})

t.test('addresses of key sets', async (t) => {
  const of = (jwksUrl: unknown, more = {}) => ({ ...options, jwt: { jwksUrl, ...more } })
  for (const plain of ['http://auth.example.com/jwks', 'ftp://auth.example.com/jwks', 'file:///etc/passwd', 'data:application/json,{}', 'javascript:1', 'http://127.0.0.1.example.com/', 'http://localhost.example.com/', 'http://127.1.example.com', 'http://[::2]/', 'http://0.0.0.0/', 'http://10.0.0.1/']) {
    await refuses(t, of(plain), 'jwt.jwksUrl', /must be https \(http only on loopback\)/)
  }
  await refuses(t, of('https://user:pass@auth.example.com/jwks'), 'jwt.jwksUrl', /must hold no user name or password/)
  await refuses(t, of('https://user@auth.example.com/jwks'), 'jwt.jwksUrl', /must hold no user name or password/)
  for (const none of ['/jwks', 'auth.example.com/jwks', '//x', 'https://']) await refuses(t, of(none), 'jwt.jwksUrl', /not an absolute URL/)
  for (const wrong of ['', ' ', 1, null, new URL(url), [url]]) await refuses(t, of(wrong), 'jwt.jwksUrl', /https address of a key set|wrong type/)
  await refuses(t, of(url, { accessTokenTtl: 60 }), 'jwt.accessTokenTtl', /signed elsewhere/)
  for (const good of [url, 'http://127.0.0.1:3000/jwks', 'http://localhost/jwks', 'http://[::1]:80/jwks', 'http://127.255.0.3/jwks']) t.doesNotThrow(() => { validateOptions(of(good) as AuthPluginOptions) })
})

t.test('options that do not exist, at every level', async (t) => {
  await refuses(t, { ...options, isuer: 'x' }, 'isuer', /not an option of fastify-bouncer; the README lists/)
  await refuses(t, withJwt({ secrets: 'x' }), 'jwt.secrets', /not an option/)
  await refuses(t, { issuers: [{ ...options, other: 1 }] }, 'issuers.0.other', /not an option/)
  await refuses(t, { issuers: [options, { ...options, jwt: { secret, other: 1 } }] }, 'issuers.1.jwt.other', /not an option/)
  await refuses(t, { ...options, expose: { InsufficientRolesError: { schema: { properties: {} }, pick: () => ({}), other: 1 } } }, 'expose.InsufficientRolesError.other', /not an option/)
  await refuses(t, JSON.parse(`{"__proto__": 1, ${JSON.stringify(options).slice(1)}`), '__proto__', /not an option/)
})

t.test('issuers', async (t) => {
  const second = { ...options, issuer: 'https://second.example.com' }
  await refuses(t, { issuers: [options, options] }, 'issuers', /names an issuer twice/)
  await refuses(t, { issuers: [] }, 'issuers', /must be a list of/)
  await refuses(t, { issuers: 'x' }, 'issuers', /must be a list of/)
  await refuses(t, { issuers: [{ issuer: 'x', audience: 'y' }] }, 'issuers.0.jwt', /must be an object with secret or jwksUrl/)
  await refuses(t, { issuers: [{ issuer: ' ', audience: 'y', jwt: { secret } }] }, 'issuers.0.issuer', /not empty/)
  await refuses(t, { issuers: [options, { issuer: 'x', audience: 'y', jwt: {} }] }, 'issuers.1.jwt', /exactly one/)
  for (const name of ['issuer', 'audience', 'jwt'] as const) await refuses(t, { issuers: [second], [name]: options[name] }, name, /together with issuers/)
  await refuses(t, { issuers: [second], roles: () => [] }, 'roles', /together with issuers/)
  const shown = { jwt: { secret, decorate: true } }
  await refuses(t, { issuers: [{ ...options, ...shown }, { ...second, ...shown }] }, 'issuers', /set jwt\.decorate for one/)
  await refuses(t, { issuers: [options, { ...second, jwt: { jwksUrl: 'http://example.com' } }] }, 'issuers.1.jwt.jwksUrl', /must be https/)
  t.doesNotThrow(() => { validateOptions({ issuers: [options, second] } as AuthPluginOptions) })
})

t.test('options of fetched keys beside a secret', async (t) => {
  const values = { jwksTimeout: 5, jwksMaxAge: 600, jwksCooldown: 30, jwksStaleFor: 3600, jwksMaxBytes: 1000 }
  for (const [name, value] of Object.entries(values)) {
    await refuses(t, withJwt({ [name]: value }), `jwt.${name}`, /for keys that are fetched from jwt\.jwksUrl; with jwt\.secret leave it out/)
    await refuses(t, { ...options, jwt: { secret: rsa, [name]: value } }, `jwt.${name}`, /leave it out/)
    await refuses(t, { issuers: [{ ...options, jwt: { jwksUrl: url, [name]: value } }, { ...options, issuer: 'https://second.example.com', jwt: { secret, [name]: value } }] }, `issuers.1.jwt.${name}`, /leave it out/)
    t.doesNotThrow(() => { validateOptions({ ...options, jwt: { jwksUrl: url, [name]: value } }) }, `${name} with jwksUrl`)
    t.doesNotThrow(() => { validateOptions(withJwt({ [name]: undefined })) }, `${name} undefined`)
  }
})

t.test('issuers that differ in what holds for all of them', async (t) => {
  const both = (first: object, second: object) => ({ issuers: [{ ...options, jwt: { secret, ...first } }, { ...options, issuer: 'https://second.example.com', jwt: { secret, ...second } }] })
  const pairs: Record<string, Array<[unknown, unknown]>> = { cache: [[true, false], [true, undefined], [10, 20], [undefined, 5]], maxTokenLength: [[8192, 16_384], [100, undefined]] }
  for (const [name, values] of Object.entries(pairs)) {
    for (const [first, second] of values) {
      await refuses(t, both({ [name]: first }, { [name]: second }), `issuers.jwt.${name}`, /holds for all issuers.*give each the same/)
      for (const same of [first, second]) t.doesNotThrow(() => { validateOptions(both({ [name]: same }, { [name]: same }) as AuthPluginOptions) }, `${name} ${inspect(same)} twice`)
    }
  }
})

t.test('every option of a wrong type', async (t) => {
  const wrong: Record<string, [values: unknown[], remedy: RegExp]> = {
    roles: [['admin', ['admin'], {}, null], /must be a function/],
    enabled: [['yes', 0, null], /must be true or false/],
    protect: [['some', true, null, {}], /must be declared, all, or a function/],
    hook: [['preParsing', true, null], /must be one of onRequest, preHandler/],
    errorHandler: [['none', true, null], /must be one of auth, all, false/],
    userProperty: [['', ' ', 1, null], /must be a property name/],
    decorate: [['no', 1], /must be true or false/],
    securityContext: [['no', 1], /must be true or false/],
    logLevel: [['loud', 30], /must be one of trace, debug, info, warn, error, silent/],
    expose: [[1, 'x', { InsufficientRolesError: 1 }, { InsufficientRolesError: { schema: {} } }, { InsufficientRolesError: { schema: { properties: {} }, pick: 1 } }], /must map class names|must be a function|wrong type/],
    detail: [['Nein', {}], /must be a function/]
  }
  for (const [name, [values, remedy]] of Object.entries(wrong)) {
    for (const value of values) {
      const caught: unknown[] = []
      try { validateOptions({ ...options, [name]: value } as AuthPluginOptions) } catch (error) { caught.push(error) }
      t.equal(caught.length, 1, `${name}: ${inspect(value)}`)
      t.ok(caught[0] instanceof ConfigurationError)
      t.match(caught[0], { message: remedy })
      t.ok((caught[0] as ConfigurationError).option?.startsWith(name), 'the option is named')
    }
  }
  const seconds = [-1, NaN, Infinity, '60', null]
  const wrongInJwt: Record<string, unknown[]> = {
    clockTolerance: seconds,
    accessTokenTtl: [...seconds, 0],
    tokenUse: [[], ['refresh'], 'access', [1]],
    maxTokenLength: [0, -1, 1.5, '8192', Infinity],
    cache: [-1, 1.5, 'yes', null],
    decorate: ['no', 1],
    jwksTimeout: [...seconds, 0],
    jwksMaxAge: seconds,
    jwksCooldown: seconds,
    jwksStaleFor: seconds,
    jwksMaxBytes: [0, -1, 1.5]
  }
  for (const [name, values] of Object.entries(wrongInJwt)) {
    for (const value of values) {
      const given = name.startsWith('jwks') ? { ...options, jwt: { jwksUrl: url, [name]: value } } : withJwt({ [name]: value })
      t.throws(() => { validateOptions(given as AuthPluginOptions) }, { name: 'ConfigurationError', option: new RegExp(`^jwt\\.${name}`), message: /must be/ }, `jwt.${name}: ${inspect(value)}`)
    }
  }
})

t.test('classes to expose that do not exist', async (t) => {
  const exposure = { schema: { properties: {} }, pick: () => ({}) }
  for (const name of ['NoSuchError', 'insufficientRolesError', 'Error', 'toString']) await refuses(t, { ...options, expose: { [name]: exposure } }, `expose.${name}`, /is no error class of this package/)
})

t.test('options that are none', async (t) => {
  for (const given of [null, 'x', 1, []]) {
    t.throws(() => { validateOptions(given as unknown as AuthPluginOptions) }, { name: 'ConfigurationError' })
  }
  t.throws(() => { validateOptions(undefined as unknown as AuthPluginOptions) }, { name: 'ConfigurationError' })
  await t.rejects(async () => { await server(t).register(authPlugin) }, { name: 'ConfigurationError', option: 'issuer' })
})

t.test('enabled: false, outside of development and test', async (t) => {
  const before = process.env.NODE_ENV
  t.teardown(() => { if (before === undefined) delete process.env.NODE_ENV; else process.env.NODE_ENV = before })
  for (const environment of ['production', 'staging', '', 'Test', 'testing', 'development ', undefined]) {
    if (environment === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = environment
    await refuses(t, { ...options, enabled: false }, 'enabled', /would let everyone in.*elsewhere leave it out/)
    await refuses(t, { enabled: false }, 'enabled', /would let everyone in/)
    t.doesNotThrow(() => { validateOptions({ ...options, enabled: true }) })
  }
  for (const environment of ['development', 'test']) {
    process.env.NODE_ENV = environment
    t.doesNotThrow(() => { validateOptions({ enabled: false }) })
  }
})

function deepFreeze (value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const member of Object.values(value)) deepFreeze(member)
  Object.freeze(value)
}

t.test('a frozen options object works, and none is changed', async (t) => {
  const make = () => ({
    ...options,
    audience: ['my-api', 'other'],
    jwt: { secret: [secret], algorithms: ['HS256'], tokenUse: ['access'] as const },
    expose: { InsufficientRolesError: { schema: { properties: {} }, pick: () => ({}) } },
    protect: 'all' as const
  })
  const frozen = make()
  deepFreeze(frozen)
  const app = server(t)
  await app.register(authPlugin, frozen)
  app.get('/', async () => 'in')
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'in')
  t.equal((await app.inject('/')).statusCode, 401)

  const loose = make()
  const before = inspect(loose, { depth: 9 })
  const second = server(t)
  await second.register(authPlugin, loose)
  await second.ready()
  t.equal(inspect(loose, { depth: 9 }), before)
})

t.test('options that are changed after registration change nothing', async (t) => {
  const audience = ['my-api']
  const algorithms = ['HS256']
  const tokenUse: Array<'access' | 'id'> = ['access']
  const app = server(t)
  await app.register(authPlugin, { ...options, audience, jwt: { secret, algorithms, tokenUse } })
  tokenUse.push('id')
  audience[0] = 'other'
  algorithms[0] = 'HS512'
  app.get('/', { preHandler: app.requireUser() }, async () => 'in')
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'in')
  t.equal((await app.inject({ url: '/', headers: bearer({ aud: 'other' }) })).statusCode, 401)
  t.equal((await app.inject({ url: '/', headers: bearer({ nonce: 'n' }) })).statusCode, 401)
})
