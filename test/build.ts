import { createHmac, sign as cryptoSign, type KeyObject } from 'node:crypto'
import Fastify, { type FastifyInstance, type FastifyServerOptions, type LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import authPlugin, { type AuthPluginOptions } from '../index.js'

export const issuer = 'https://auth.example.com'
export const audience = 'my-api'
export const secret = 'a secret of at least thirty-two bytes'

/** Options that are enough to register the plugin. */
export const options: AuthPluginOptions = { issuer, audience, jwt: { secret } }

/** An application without the plugin, closed when the test ends. */
export function server (t: Test, serverOptions: FastifyServerOptions = {}): FastifyInstance {
  const app = Fastify(serverOptions) as unknown as FastifyInstance
  t.teardown(async () => { await app.close() })
  return app
}

/** An application with the plugin. `overrides` are merged into {@link options}. */
export async function build (t: Test, overrides: AuthPluginOptions = {}, serverOptions: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = server(t, serverOptions)
  await app.register(authPlugin, { ...options, ...overrides })
  return app
}

/** Lets a test switch the plugin off. */
export function inTestEnvironment (t: Test): void {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'test'
  t.teardown(() => { if (before === undefined) delete process.env.NODE_ENV; else process.env.NODE_ENV = before })
}

export const now = (): number => Math.floor(Date.now() / 1000)

/** Claims that are accepted, with what a test changes; undefined leaves a claim out. */
export function claims (changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { iss: issuer, aud: audience, sub: 'user-1', iat: now(), exp: now() + 60, ...changes }
}

export const encode = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token signed by hand, so that header and payload may be anything. */
export function forge (header: unknown, payload: unknown, key: string | KeyObject = secret): string {
  const input = `${encode(header)}.${encode(payload)}`
  if (typeof key === 'string') return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  return `${input}.${cryptoSign(algorithm, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** A token that is accepted, but for what a test changes in its claims. */
export function token (changes: Record<string, unknown> = {}): string {
  return forge({ alg: 'HS256', typ: 'JWT' }, claims(changes))
}

/** Headers with such a token. */
export function bearer (changes: Record<string, unknown> = {}): { authorization: string } {
  return { authorization: `Bearer ${token(changes)}` }
}

/** Checks status, body and the headers that every refusal has. */
export function refused (t: Test, response: LightMyRequestResponse, status: number, code: string, detail?: string): void {
  t.equal(response.statusCode, status, `status ${status}`)
  const body = response.json()
  t.strictSame(Object.keys(body), ['status_code', 'detail', 'extra'], 'the body has its three fields')
  t.equal(body.status_code, status)
  t.equal(body.extra.code, code, `code ${code}`)
  if (detail !== undefined) t.equal(body.detail, detail)
  t.equal(response.headers['cache-control'], 'no-store')
  t.equal(response.headers['content-type'], 'application/json; charset=utf-8')
  t.match(response.headers.vary, /Accept/)
  if (status === 401) t.match(response.headers['www-authenticate'], /^Bearer realm="api"/)
}
