import { createRequire } from 'node:module'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest, preValidationHookHandler } from 'fastify'
import t from 'tap'
import authPlugin from '../../index.js'
import { bearer, options, refused, server } from '../build.js'

interface Passport {
  use (name: string, strategy: object): void
  initialize (): FastifyPluginAsync
  authenticate (name: string, options: { session: boolean }): preValidationHookHandler
}

// Its types give `request.user` a type that conflicts with ours.
const { Authenticator, Strategy } = createRequire(import.meta.url)('@fastify/passport') as {
  Authenticator: new () => Passport
  Strategy: new (name: string) => { fail: (challenge: string, status: number) => void, success: (user: object) => void }
}

/** Signs in whoever sends the header `x-session`, with every role. */
class HeaderStrategy extends Strategy {
  constructor () { super('header') }

  authenticate (request: FastifyRequest): void {
    const name = request.headers['x-session']
    if (name === undefined) this.fail('no session', 401)
    else this.success({ id: name, roles: ['admin'] })
  }
}

function withPassport (): Passport {
  const passport = new Authenticator()
  passport.use('header', new HeaderStrategy())
  return passport
}

async function both (app: FastifyInstance, first: 'passport' | 'bouncer', passport: Passport, userProperty: string): Promise<void> {
  // Passport wants a session for its flash messages; these routes have none.
  app.decorateRequest('session', null)
  if (first === 'passport') await app.register(passport.initialize())
  await app.register(authPlugin, { ...options, userProperty })
  if (first === 'bouncer') await app.register(passport.initialize())
}

for (const first of ['passport', 'bouncer'] as const) {
  t.test(`${first} first: with another userProperty, neither lets the other's users in`, async (t) => {
    const app = server(t)
    const passport = withPassport()
    await both(app, first, passport, 'principal')
    app.get('/ours', { onRequest: app.requireUser() }, async (request) => (request as unknown as { principal: { id: string } }).principal.id)
    app.get('/theirs', { preValidation: passport.authenticate('header', { session: false }) }, async (request) => request.user?.id)
    app.get('/both', { preValidation: passport.authenticate('header', { session: false }), preHandler: app.requireRole('admin') }, async () => 'in')

    t.equal((await app.inject({ url: '/ours', headers: bearer() })).body, 'user-1')
    refused(t, await app.inject({ url: '/ours', headers: { 'x-session': 'ann' } }), 401, 'MISSING_TOKEN')
    t.equal((await app.inject({ url: '/theirs', headers: { 'x-session': 'ann' } })).body, 'ann')
    const theirs = await app.inject({ url: '/theirs', headers: bearer() })
    t.equal(theirs.statusCode, 401)
    t.equal(theirs.body, 'Unauthorized', 'as passport answers by itself')
    refused(t, await app.inject({ url: '/both', headers: { 'x-session': 'ann' } }), 401, 'MISSING_TOKEN')
    refused(t, await app.inject({ url: '/both', headers: { 'x-session': 'ann', ...bearer() } }), 403, 'INSUFFICIENT_ROLES')
    t.equal((await app.inject({ url: '/both', headers: { 'x-session': 'ann', ...bearer({ role: 'admin' }) } })).body, 'in')
  })
}

const collision = { name: 'ConfigurationError', option: 'userProperty', message: /perhaps by @fastify\/jwt or @fastify\/passport .* Give userProperty another name/ }

for (const first of ['passport', 'bouncer'] as const) {
  t.test(`${first} first, with request.user: a ConfigurationError that says what to do`, async (t) => {
    await t.rejects(both(server(t), first, withPassport(), 'user'), collision)
  })
}
