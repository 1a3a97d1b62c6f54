import { createRequire } from 'node:module'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import t from 'tap'
import authPlugin, { ConfigurationError, type AuthPluginOptions } from '../../index.js'
import { bearer, claims, forge, options, refused, server, token } from '../build.js'

// Its types give `request.user` a type that conflicts with ours.
const fastifyJwt = createRequire(import.meta.url)('@fastify/jwt') as FastifyPluginCallback<Record<string, unknown>>
const ownSecret = 'the application has a secret of its own, for sessions'

interface WithJwt {
  jwt: { sign: (payload: object) => string, verify: (token: string) => unknown }
}

async function both (app: FastifyInstance, first: 'jwt' | 'bouncer', jwt: object = {}, bouncer: AuthPluginOptions = {}): Promise<void> {
  const registerJwt = async () => { await app.register(fastifyJwt, { secret: ownSecret, ...jwt }) }
  if (first === 'jwt') await registerJwt()
  await app.register(authPlugin, { ...options, ...bouncer })
  if (first === 'bouncer') await registerJwt()
}

for (const first of ['jwt', 'bouncer'] as const) {
  t.test(`${first} first: with another userProperty both work, each with its own key`, async (t) => {
    const app = server(t)
    await both(app, first, {}, { userProperty: 'principal' })
    const own = (app as unknown as WithJwt).jwt
    app.get('/ours', { preHandler: app.requireUser() }, async (request) => (request as unknown as { principal: { id: string } }).principal.id)
    app.get('/theirs', async (request) => {
      await (request as unknown as { jwtVerify: () => Promise<void> }).jwtVerify()
      return (request as unknown as { user: { sub: string } }).user.sub
    })
    const session = own.sign({ sub: 'session' })
    t.equal((await app.inject({ url: '/ours', headers: bearer() })).body, 'user-1')
    t.equal((await app.inject({ url: '/theirs', headers: { authorization: `Bearer ${session}` } })).body, 'session')
    refused(t, await app.inject({ url: '/ours', headers: { authorization: `Bearer ${session}` } }), 401, 'TOKEN_INVALID')
    const ours = await app.inject({ url: '/theirs', headers: bearer() })
    t.equal(ours.statusCode, 401)
    t.equal(ours.json().code, 'FST_JWT_AUTHORIZATION_TOKEN_INVALID', 'their errors stay theirs')
    t.throws(() => own.verify(token()))
  })

  t.test(`${first} first: with another decoratorName both work`, async (t) => {
    const app = server(t)
    await both(app, first, { decoratorName: 'session' })
    app.get('/ours', { preHandler: app.requireUser() }, async (request) => request.user?.id)
    t.equal((await app.inject({ url: '/ours', headers: bearer() })).body, 'user-1')
    refused(t, await app.inject('/ours'), 401, 'MISSING_TOKEN')
  })

  t.test(`${first} first: their jwtVerify, setting their user, does not let anybody through a guard`, async (t) => {
    const app = server(t)
    await both(app, first, {}, { userProperty: 'principal' })
    app.addHook('onRequest', async (request) => { await (request as unknown as { jwtVerify: () => Promise<void> }).jwtVerify() })
    app.get('/', { preHandler: app.requireRole('admin') }, async () => 'in')
    const session = (app as unknown as WithJwt).jwt.sign({ sub: 'session', roles: ['admin'] })
    refused(t, await app.inject({ url: '/', headers: { authorization: `Bearer ${session}` } }), 401, 'TOKEN_INVALID')
  })
}

const collision = { name: 'ConfigurationError', option: 'userProperty', message: /request\.user is wanted twice, perhaps by @fastify\/jwt or @fastify\/passport .* Give userProperty another name/ }

t.test('@fastify/jwt before, with request.user: a ConfigurationError that says what to do', async (t) => {
  await t.rejects(both(server(t), 'jwt'), collision)
})

t.test('@fastify/jwt after, with request.user: the same', async (t) => {
  const app = server(t)
  await app.register(authPlugin, options)
  // Called by hand, since what it throws while it is being registered is lost.
  t.throws(() => { fastifyJwt(app, { secret: ownSecret }, () => {}) }, collision)
})

t.test('jwt.decorate where the application has @fastify/jwt already', async (t) => {
  const app = server(t)
  const error: unknown = await both(app, 'jwt', { decoratorName: 'session' }, { jwt: { ...options.jwt, decorate: true } }).catch((thrown: unknown) => thrown)
  t.ok(error instanceof ConfigurationError, 'a ConfigurationError')
  t.match(error, { option: 'jwt.decorate', message: /a second @fastify\/jwt .* Leave it out/ })
})

t.test('shown by jwt.decorate: jwtVerify accepts and refuses what the guards do', async (t) => {
  const app = server(t)
  await app.register(authPlugin, { ...options, jwt: { ...options.jwt, decorate: true } })
  app.get('/guard', { preHandler: app.requireUser() }, async () => 'in')
  app.get('/verify', async (request) => {
    await (request as unknown as { jwtVerify: () => Promise<void> }).jwtVerify()
    return 'in'
  })
  app.get('/sign', async (_request, reply) => await (reply as unknown as { jwtSign: (payload: object) => Promise<string> }).jwtSign({ sub: 'signed' }))
  const signed = (await app.inject('/sign')).body
  const presented: Record<string, Record<string, string>> = {
    signed: { authorization: `Bearer ${signed}` },
    good: bearer(),
    none: {},
    expired: bearer({ exp: 1 }),
    'another issuer': bearer({ iss: 'https://evil.example.com' }),
    'another audience': bearer({ aud: 'another' }),
    'no algorithm': { authorization: `Bearer ${forge({ alg: 'none' }, { sub: 'x' })}` },
    'id token': bearer({ nonce: 'n' }),
    'another algorithm': { authorization: `Bearer ${forge({ alg: 'RS256' }, { sub: 'x' })}` },
    'an unknown key id': { authorization: `Bearer ${forge({ alg: 'HS256', kid: 'other' }, claims())}` },
    malformed: { authorization: 'Bearer a b' },
    rubbish: { authorization: 'Bearer rubbish' }
  }
  for (const [name, headers] of Object.entries(presented)) {
    const guard = await app.inject({ url: '/guard', headers })
    const verify = await app.inject({ url: '/verify', headers })
    t.equal(verify.statusCode, guard.statusCode, `${name}: the same status`)
    // The library tells fewer reasons apart, so the detail may be shorter.
    if (guard.statusCode !== 200) refused(t, verify, guard.statusCode, guard.json().extra.code)
  }
})
