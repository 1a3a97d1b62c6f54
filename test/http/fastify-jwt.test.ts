import { createRequire } from 'node:module'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { test, type Test } from 'tap'
import authPlugin, { AuthError, type AuthPluginOptions } from '../../index.js'
import { audience, bearer, build, claims, forge, issuer, now, options, secret, server, token } from '../build.js'
import { guard, passed, refusedAs } from '../guarded.js'
import { jwkOf, newKey, pairOf, signed } from '../keys.js'
import { keyServer } from '../key-server.js'

// Its types would give `request.user` another type here.
const fastifyJwt = createRequire(import.meta.url)('@fastify/jwt') as FastifyPluginAsync<Record<string, unknown>>

/** What `@fastify/jwt` adds, as far as it is used here. */
interface Shown {
  jwt: { sign (payload: object, options?: object): string, verify (token: string, options?: object): Promise<Record<string, unknown>>, decode (token: string): unknown }
}
const shown = (app: FastifyInstance): Shown['jwt'] => (app as unknown as Shown).jwt
const verifyIn = async (request: FastifyRequest, how?: object): Promise<Record<string, unknown>> =>
  await (request as unknown as { jwtVerify (how?: object): Promise<Record<string, unknown>> }).jwtVerify(how)
const signIn = async (reply: FastifyReply, payload: object): Promise<string> =>
  await (reply as unknown as { jwtSign (payload: object): Promise<string> }).jwtSign(payload)

/** An application that is shown `@fastify/jwt`, with a route that verifies by it alone. */
async function decorated (t: Test, overrides: AuthPluginOptions = {}): Promise<{ app: FastifyInstance, verified: unknown[] }> {
  const app = await build(t, { jwt: { secret, decorate: true }, ...overrides })
  const verified: unknown[] = []
  app.get('/verify', async (request) => {
    verified.push(await verifyIn(request))
    return 'in'
  })
  return { app, verified }
}

const JWT = { alg: 'HS256', typ: 'JWT' }

/** Tokens that our checks refuse, many of which the library alone would accept. */
const attacks: Record<string, string> = {
  'alg none': forge({ alg: 'none' }, claims()),
  'another algorithm': signed({ alg: 'HS512' }, claims(), secret),
  'another secret': forge(JWT, claims(), 'another secret of thirty-two bytes!!'),
  'crit of null': forge({ ...JWT, crit: null }, claims()),
  'crit of 0': forge({ ...JWT, crit: 0 }, claims()),
  'crit of nothing': forge({ ...JWT, crit: [] }, claims()),
  'crit of an empty string': forge({ ...JWT, crit: '' }, claims()),
  'a kid that is no string': forge({ ...JWT, kid: 7 }, claims()),
  'a logout token by its header': forge({ ...JWT, typ: 'logout+jwt' }, claims()),
  'an ID token': token({ nonce: 'n' }),
  'a refresh token': token({ typ: 'Refresh' }),
  'a logout token': token({ events: {} }),
  'no exp': token({ exp: undefined }),
  'exp of Infinity': forge(JWT, JSON.stringify(claims({ exp: undefined })).replace('}', ',"exp":1e999}')),
  'exp as text': token({ exp: String(now() + 60) }),
  expired: token({ exp: now() - 1 }),
  'nbf in the future': token({ nbf: now() + 100 }),
  'iat in the future': token({ iat: now() + 100 }),
  'iat as text': token({ iat: 'x' }),
  'another issuer': token({ iss: 'https://evil.example' }),
  'a list of issuers': token({ iss: [issuer] }),
  'no issuer': token({ iss: undefined }),
  'another audience': token({ aud: 'other' }),
  'no audience': token({ aud: undefined }),
  'no subject': token({ sub: undefined }),
  'an empty subject': token({ sub: '' }),
  'a subject that is no string': token({ sub: 7 }),
  'a payload that is a list': forge(JWT, [claims()]),
  'a payload that is text': forge(JWT, '"text"'),
  'not a token': 'x.y.z'
}

test('jwtVerify alone accepts nothing that our checks refuse, and its failures are our classes', async (t) => {
  const { app, verified } = await decorated(t)
  for (const [what, text] of Object.entries(attacks)) {
    const response = await app.inject({ url: '/verify', headers: { authorization: `Bearer ${text}` } })
    t.equal(response.statusCode, 401, what)
    const { status_code: status, detail, extra } = response.json()
    t.equal(status, 401)
    t.match(extra, { code: /^(TOKEN_INVALID|TOKEN_EXPIRED)$/ }, what)
    t.match(detail, /^(Invalid token|Invalid token: (Malformed token|Signature verification failed|Invalid issuer|Invalid audience|Algorithm is not accepted|Token is not yet valid|Unexpected token type|Missing or invalid claim)|Token has expired)$/, what)
    t.equal(response.headers['www-authenticate'], 'Bearer realm="api", error="invalid_token"')
  }
  t.strictSame(verified, [])
  t.equal((await app.inject({ url: '/verify', headers: bearer() })).statusCode, 200)
  t.match(verified, [{ sub: 'user-1' }])
})

test('jwtVerify with options of its own loosens no check of ours', async (t) => {
  const { app } = await decorated(t)
  const ways: object[] = [{ ignoreExpiration: true }, { ignoreNotBefore: true }, { clockTolerance: 1e6 }, { allowedIss: 'https://evil.example' }, { allowedAud: 'other' }, { requiredClaims: [] }, { verify: { ignoreExpiration: true } }, { complete: true }]
  app.get('/loose', async (request) => await verifyIn(request, ways[Number((request.query as { way: string }).way)]))
  for (const [way] of ways.entries()) {
    for (const [what, text] of Object.entries(attacks)) {
      const response = await app.inject({ url: `/loose?way=${way}`, headers: { authorization: `Bearer ${text}` } })
      t.equal(response.statusCode, 401, `${what}, ${JSON.stringify(ways[way])}`)
    }
  }
})

test('jwtVerify cannot be talked into another token than the one in the header', async (t) => {
  const { app } = await decorated(t)
  app.get('/other', async (request) => await verifyIn(request, { extractToken: (asked: FastifyRequest) => asked.headers['x-token'] }))
  const ask = async (other: string): Promise<number> => (await app.inject({ url: '/other', headers: { ...bearer(), 'x-token': other } })).statusCode
  t.equal(await ask(token({ nonce: 'n', sub: 'user-2' })), 401, 'an ID token beside a good one')
  t.equal(await ask(token({ sub: 'user-2' })), 401, 'another user')
  const good = bearer()
  const response = await app.inject({ url: '/other', headers: { ...good, 'x-token': good.authorization.slice(7) } })
  t.equal(response.statusCode, 200)
})

test('app.jwt.verify makes the same checks', async (t) => {
  const { app } = await decorated(t)
  for (const [what, text] of Object.entries(attacks)) {
    await t.rejects(async () => await shown(app).verify(text), Error, what)
  }
  t.match(await shown(app).verify(token()), { sub: 'user-1', iss: issuer, aud: audience })
})

test('a refusal of app.jwt.verify that a handler lets through is answered with our class', async (t) => {
  const { app } = await decorated(t)
  app.get('/by-hand', async (request) => await shown(app).verify(String(request.headers['x-token'])))
  const ask = async (text: string): Promise<{ statusCode: number, json (): { extra: { code: string }, detail: string } }> => await app.inject({ url: '/by-hand', headers: { 'x-token': text } })
  for (const [what, text] of Object.entries(attacks)) {
    const response = await ask(text)
    t.equal(response.statusCode, 401, what)
    t.match(response.json(), { extra: { code: /^TOKEN_(INVALID|EXPIRED)$/ }, detail: /^(Invalid token|Token has expired)/ })
  }
  t.equal((await ask(token())).statusCode, 200)
})

test('failures of the header come out of jwtVerify as our classes', async (t) => {
  const { app, verified } = await decorated(t)
  refusedAs(t, await app.inject({ url: '/verify' }), 'missing')
  refusedAs(t, await app.inject({ url: '/verify', headers: { authorization: 'Basic dXNlcjpwYXNz' } }), 'missing')
  refusedAs(t, await app.inject({ url: '/verify', headers: { authorization: `Bearer ${token()} ${token()}` } }), 'header')
  refusedAs(t, await app.inject({ url: '/verify', headers: { authorization: `Bearer\t${token()}` } }), 'header')
  t.strictSame(verified, [])
})

test('jwtVerify works for each kind of key, and for the older keys of a rotation', async (t) => {
  const pairs = [pairOf(newKey('rsa')), pairOf(newKey('P-384')), pairOf(newKey('ed25519'))]
  for (const keys of [secret, ...pairs, [pairs[1], pairs[0]], [secret, 'another secret of thirty-two bytes!!']] as Array<NonNullable<AuthPluginOptions['jwt']>['secret']>) {
    const { app, verified } = await decorated(t, { jwt: { secret: keys, decorate: true } })
    const older = Array.isArray(keys) ? await build(t, { jwt: { secret: keys[1] } }) : app
    for (const signer of [app, older]) {
      const authorization = `Bearer ${signer.bouncer.jwt?.sign({ sub: 'user-1' })}`
      t.equal((await app.inject({ url: '/verify', headers: { authorization } })).statusCode, 200)
    }
    t.equal(verified.length, 2)
  }
})

test('app.jwt.sign and reply.jwtSign sign what our guards accept', async (t) => {
  const { app } = await decorated(t)
  const { ask } = guard(app)
  app.get('/login', async (_request, reply) => ({ token: await signIn(reply, { sub: 'user-3' }) }))
  passed(t, await ask((await app.inject({ url: '/login' })).json().token), 'user-3')
  passed(t, await ask(shown(app).sign({ sub: 'user-4' })), 'user-4')
  t.equal(app.bouncer.jwt, shown(app), 'app.jwt is what app.bouncer.jwt is')
})

test('remote keys: jwtVerify verifies by them, and 503 is 503', async (t) => {
  const key = newKey('P-256')
  const keys = await keyServer(t, { keys: [jwkOf(key, { kid: 'a' })] })
  const { app, verified } = await decorated(t, { jwt: { jwksUrl: keys.url, jwksCooldown: 0, jwksMaxAge: 0, jwksStaleFor: 0, decorate: true } })
  const headers = { authorization: `Bearer ${signed({ alg: 'ES256', kid: 'a' }, claims(), key.privateKey)}` }
  t.equal((await app.inject({ url: '/verify', headers })).statusCode, 200)
  refusedAs(t, await app.inject({ url: '/verify', headers: { authorization: `Bearer ${signed({ alg: 'ES256', kid: 'b' }, claims(), key.privateKey)}` } }), 'unknown_key')
  await keys.stop()
  const response = await app.inject({ url: '/verify', headers })
  t.equal(response.statusCode, 503)
  t.equal(response.json().extra.code, 'AUTH_UNAVAILABLE')
  t.equal(verified.length, 1)
  t.throws(() => shown(app).sign({ sub: 'x' }), 'and it signs nothing')
})

test('several issuers: jwtVerify is for the one that shows it', async (t) => {
  const other = 'another secret of thirty-two bytes!!'
  const { app } = await decorated(t, {
    issuer: undefined,
    audience: undefined,
    jwt: undefined,
    issuers: [{ issuer: 'https://other.example', audience, jwt: { secret: other } }, { issuer, audience, jwt: { secret, decorate: true } }]
  })
  const { ask } = guard(app)
  t.equal((await app.inject({ url: '/verify', headers: bearer() })).statusCode, 200)
  const theirs = forge(JWT, claims({ iss: 'https://other.example' }), other)
  t.equal((await app.inject({ url: '/verify', headers: { authorization: `Bearer ${theirs}` } })).statusCode, 401)
  t.equal((await ask(theirs)).statusCode, 200, 'guards accept both')
})

test('without jwt.decorate the application sees nothing of @fastify/jwt', async (t) => {
  const app = await build(t)
  await app.ready()
  t.notOk(app.hasDecorator('jwt'))
  t.notOk(app.hasRequestDecorator('jwtVerify'))
  t.notOk(app.hasReplyDecorator('jwtSign'))
  t.type(app.bouncer.jwt?.sign({ sub: 'x' }), 'string')
})

/** An application with a `@fastify/jwt` of its own, which knows another secret. */
async function beside (t: Test, order: 'before' | 'after'): Promise<FastifyInstance> {
  const app = server(t)
  const own = async (): Promise<void> => { await app.register(fastifyJwt, { secret: 'the application has its own secret' }) }
  if (order === 'before') await own()
  await app.register(authPlugin, { ...options, userProperty: 'principal' })
  if (order === 'after') await own()
  app.get('/theirs', async (request) => await verifyIn(request))
  app.get('/ours', { preHandler: [app.requireUser()] }, async (request) => [request.user, (request as unknown as { principal: { id: string } }).principal.id])
  return app
}

for (const order of ['before', 'after'] as const) {
  test(`a @fastify/jwt of the application, registered ${order} this plugin, keeps its keys, its user and its errors`, async (t) => {
    const app = await beside(t, order)
    const theirs = { authorization: `Bearer ${shown(app).sign({ name: 'Ada' })}` }
    t.match((await app.inject({ url: '/theirs', headers: theirs })).json(), { name: 'Ada' })
    t.strictSame((await app.inject({ url: '/ours', headers: bearer() })).json(), [null, 'user-1'])
    refusedAs(t, await app.inject({ url: '/ours', headers: theirs }), 'signature', 'their token with our guard')
    const refusal = await app.inject({ url: '/theirs', headers: bearer() })
    t.equal(refusal.statusCode, 401)
    t.match(refusal.json(), { code: 'FST_JWT_AUTHORIZATION_TOKEN_INVALID', statusCode: 401 }, 'an error of theirs stays theirs')
    t.equal((await app.inject({ url: '/theirs' })).json().code, 'FST_JWT_NO_AUTHORIZATION_IN_HEADER')
  })
}

test('jwt.decorate beside a @fastify/jwt of the application fails at start', async (t) => {
  const app = server(t)
  await app.register(fastifyJwt, { secret: 'the application has its own secret' })
  await t.rejects(async () => await app.register(authPlugin, { ...options, userProperty: 'principal', jwt: { secret, decorate: true } }), /jwt/)
})

test('errors of jwtVerify reach a handler of the application as they are, where it answers itself', async (t) => {
  const app = await build(t, { jwt: { secret, decorate: true }, errorHandler: false })
  app.setErrorHandler((error, _request, reply) => reply.code(418).send({ ours: error instanceof AuthError, name: (error as Error).name }))
  app.get('/verify', async (request) => await verifyIn(request))
  const response = await app.inject({ url: '/verify', headers: bearer({ nonce: 'n' }) })
  t.strictSame([response.statusCode, response.json()], [418, { ours: true, name: 'TokenInvalidError' }])
})
