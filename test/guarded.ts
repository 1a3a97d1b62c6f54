import type { FastifyInstance, FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { AuthPluginOptions, User } from '../index.js'
import { build } from './build.js'

/** An application with one route that asks for a user. */
export interface Guarded {
  app: FastifyInstance
  /** The users that the handler has seen; empty after a refusal. */
  seen: User[]
  /** GET / with this token. */
  ask (token: string): Promise<LightMyRequestResponse>
}

/** Builds a {@link Guarded} application. */
export async function guarded (t: Test, overrides: AuthPluginOptions = {}, serverOptions: FastifyServerOptions = {}): Promise<Guarded> {
  const app = await build(t, overrides, serverOptions)
  return guard(app)
}

/** Adds the route of a {@link Guarded} application to one that has the plugin. */
export function guard (app: FastifyInstance): Guarded {
  const seen: User[] = []
  app.get('/', { preHandler: [app.requireUser()] }, async (request) => {
    seen.push(request.user as User)
    return request.user
  })
  return {
    app,
    seen,
    ask: async (token) => await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
  }
}

// Written out once more, so that a sentence cannot change in lib/ unnoticed.
const SENTENCES = {
  malformed: 'Invalid token: Malformed token',
  signature: 'Invalid token: Signature verification failed',
  issuer: 'Invalid token: Invalid issuer',
  audience: 'Invalid token: Invalid audience',
  unknown_key: 'Invalid token: No public key found',
  algorithm: 'Invalid token: Algorithm is not accepted',
  not_yet_valid: 'Invalid token: Token is not yet valid',
  token_type: 'Invalid token: Unexpected token type',
  claims: 'Invalid token: Missing or invalid claim'
} as const

/** A reason for which a token is invalid. */
export type Reason = keyof typeof SENTENCES

/** What a refusal looks like: status, code, detail and the challenge. */
export interface Refusal {
  status: number
  code: string
  detail: string
  challenge: string
}

const INVALID_TOKEN = 'Bearer realm="api", error="invalid_token"'
const MISSING: Refusal = { status: 401, code: 'MISSING_TOKEN', detail: 'Missing or invalid Authorization header', challenge: 'Bearer realm="api"' }
const EXPIRED: Refusal = { status: 401, code: 'TOKEN_EXPIRED', detail: 'Token has expired', challenge: INVALID_TOKEN }
const BAD_HEADER: Refusal = { status: 400, code: 'INVALID_AUTHORIZATION_HEADER', detail: 'Invalid authorization header', challenge: 'Bearer realm="api", error="invalid_request"' }

/** The refusal of a name: a {@link Reason}, `missing`, `expired` or `header`. */
export function refusalOf (name: Reason | 'missing' | 'expired' | 'header'): Refusal {
  switch (name) {
    case 'missing': return MISSING
    case 'expired': return EXPIRED
    case 'header': return BAD_HEADER
    default: return { status: 401, code: 'TOKEN_INVALID', detail: SENTENCES[name], challenge: INVALID_TOKEN }
  }
}

/** The one body that a refusal has, byte for byte: with it nothing of the token or of a library can have come along. */
export function bodyOf ({ status, detail, code }: Refusal): string {
  return `{"status_code":${status},"detail":"${detail}","extra":{"code":"${code}"}}`
}

/** Checks that a request was refused for this reason, with this body and these headers and nothing else. */
export function refusedAs (t: Test, response: LightMyRequestResponse, name: Reason | 'missing' | 'expired' | 'header', what = ''): void {
  const refusal = refusalOf(name)
  t.strictSame({
    status: response.statusCode,
    body: response.payload,
    challenge: response.headers['www-authenticate'],
    cache: response.headers['cache-control'],
    type: response.headers['content-type']
  }, {
    status: refusal.status,
    body: bodyOf(refusal),
    challenge: refusal.challenge,
    cache: 'no-store',
    type: 'application/json; charset=utf-8'
  }, `${what === '' ? '' : `${what}: `}${name}`)
}

/** Checks that the route answered with a user. */
export function passed (t: Test, response: LightMyRequestResponse, id = 'user-1', what = ''): void {
  t.equal(response.statusCode, 200, `${what} passes`)
  t.equal(response.json().id, id)
}

/** Asks with each token and checks that all are refused for the same reason, before the handler. */
export async function allRefused (t: Test, { ask, seen }: Guarded, tokens: Record<string, string>, reason: Reason | 'missing' | 'expired' | 'header'): Promise<void> {
  for (const [what, token] of Object.entries(tokens)) refusedAs(t, await ask(token), reason, what)
  t.equal(seen.length, 0, 'the handler saw nobody')
}
