import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, InjectOptions } from 'fastify'
import t from 'tap'
import authPlugin, { ConfigurationError, validateOptions } from '../../index.js'
import { bearer, build, forge, claims, issuer, audience, now, options, refused, server } from '../build.js'

// Every class whose operation there is, provoked by that operation.

interface Case {
  provokes: string
  request: InjectOptions
  status: number
  code: string
  detail: string
  challenge?: string
}

const bad = 'Bearer realm="api", error="invalid_token"'
const other = 'another secret of thirty-two bytes or more'

const cases: readonly Case[] = [
  { provokes: 'MissingTokenError', request: { url: '/user' }, status: 401, code: 'MISSING_TOKEN', detail: 'Missing or invalid Authorization header', challenge: 'Bearer realm="api"' },
  { provokes: 'InvalidAuthorizationError', request: { url: '/user', headers: { authorization: 'Bearer a b' } }, status: 400, code: 'INVALID_AUTHORIZATION_HEADER', detail: 'Invalid authorization header', challenge: 'Bearer realm="api", error="invalid_request"' },
  { provokes: 'TokenExpiredError', request: { url: '/user', headers: bearer({ exp: now() - 1 }) }, status: 401, code: 'TOKEN_EXPIRED', detail: 'Token has expired', challenge: bad },
  { provokes: 'TokenInvalidError', request: { url: '/user', headers: { authorization: `Bearer ${forge({ alg: 'HS256' }, claims(), other)}` } }, status: 401, code: 'TOKEN_INVALID', detail: 'Invalid token: Signature verification failed', challenge: bad },
  { provokes: 'InsufficientRolesError', request: { url: '/role', headers: bearer({ roles: ['support'] }) }, status: 403, code: 'INSUFFICIENT_ROLES', detail: 'The authenticated user does not have any of the required roles.' },
  { provokes: 'InsufficientGroupsError', request: { url: '/group', headers: bearer({ groups: ['guests'] }) }, status: 403, code: 'INSUFFICIENT_GROUPS', detail: 'The authenticated user does not have any of the required groups.' },
  { provokes: 'InsufficientScopeError', request: { url: '/scope', headers: bearer({ scope: 'profile' }) }, status: 403, code: 'INSUFFICIENT_SCOPE', detail: 'The authenticated user does not have all of the required scopes.', challenge: 'Bearer realm="api", error="insufficient_scope", scope="reports:read reports:write"' }
]

/** Guarded routes, and the URLs whose handlers ran. */
function guarded (app: FastifyInstance): string[] {
  const reached: string[] = []
  const handler = async (request: { url: string }) => { reached.push(request.url) }
  app.get('/user', { onRequest: app.requireUser() }, handler)
  app.get('/role', { onRequest: app.requireRole('admin') }, handler)
  app.get('/group', { onRequest: app.requireGroup('staff') }, handler)
  app.get('/scope', { onRequest: app.requireAllScopes('reports:read', 'reports:write') }, handler)
  return reached
}

t.test('a request that is refused gets its class, and no handler runs', async (t) => {
  const app = await build(t)
  const reached = guarded(app)
  for (const { provokes, request, status, code, detail, challenge } of cases) {
    await t.test(provokes, async (t) => {
      const response = await app.inject(request)
      refused(t, response, status, code, detail)
      t.equal(response.headers['www-authenticate'], challenge)
    })
  }
  t.strictSame(reached, [])
})

t.test('AuthUnavailableError (AUTH_UNAVAILABLE): keys that cannot be had', async (t) => {
  const app = await build(t, { jwt: { jwksUrl: await deadUrl() } })
  const reached = guarded(app)
  const response = await app.inject({ url: '/user', headers: bearer() })
  t.equal(response.statusCode, 401, 'a token that no key set could verify is not worth a fetch')
  const unavailable = await app.inject({ url: '/user', headers: { authorization: `Bearer ${forge({ alg: 'RS256', kid: 'k' }, claims())}` } })
  refused(t, unavailable, 503, 'AUTH_UNAVAILABLE', 'Authentication is temporarily unavailable.')
  t.match(unavailable.headers['retry-after'], /^[1-9][0-9]*$/)
  t.equal(unavailable.json().extra.retry_after, Number(unavailable.headers['retry-after']))
  t.equal(unavailable.headers['www-authenticate'], undefined)
  t.strictSame(reached, [])
})

t.test('ConfigurationError (CONFIGURATION_ERROR): options that cannot be meant', async (t) => {
  const app = server(t)
  const empty = { ...options, issuer: '' }
  await t.rejects(async () => { await app.register(authPlugin, empty) }, { name: 'ConfigurationError', code: 'CONFIGURATION_ERROR', statusCode: 500, option: 'issuer' })
  t.throws(() => validateOptions({ issuer, audience }), ConfigurationError)
  t.throws(() => validateOptions({ issuer, audience }), /jwt is missing; give/)
})

/** An address on loopback where nobody listens. */
async function deadUrl (): Promise<string> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  listener.close()
  await once(listener, 'close')
  return `http://127.0.0.1:${port}/keys`
}
