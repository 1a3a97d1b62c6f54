/**
 * For the tests of an application that uses this package: the entry point
 * `fastify-bouncer/testing`. Tokens are really signed, keys really fetched.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { calculateJwkThumbprint, CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose'
import { systemClock } from './clock.js'
import type { Group, Role, Scope } from './context.js'
import { ConfigurationError } from './errors/operation.js'
import type { Bouncer } from './plugin.js'

/** What {@link createIssuer} makes. */
export interface TestIssuerOptions {
  /** Value of the tokens' `aud`. Default `'my-api'`. */
  audience?: string
  /** Algorithm of the keys. Default ES256. */
  algorithm?: 'ES256' | 'RS256' | 'EdDSA'
}

/** An issuer of tokens on loopback, with its key set over HTTP. */
export interface TestIssuer {
  /** Value of the tokens' `iss`, and the address it listens on. */
  readonly issuer: string
  readonly audience: string
  readonly jwksUrl: string
  /** For the plugin: `app.register(authPlugin, { ...issuer.options })`. There is no cool-down, so that {@link rotate} shows at once. */
  readonly options: { issuer: string, audience: string, jwt: { jwksUrl: string, jwksCooldown: number } }
  /**
   * A signed token with these claims besides `iss`, `aud`, `sub`, `iat` and
   * `exp`, which they may change; undefined leaves one out. `expiresIn` is in
   * seconds, 900 by default, negative for a token that has expired. `header` is
   * merged into the token's header.
   */
  token (claims?: Record<string, unknown>, options?: { expiresIn?: number, header?: Record<string, unknown> }): Promise<string>
  /** From now on signs with a new key. Earlier keys stay in the set, or leave it with `keep: false`. */
  rotate (options?: { keep?: boolean }): Promise<void>
  /** Stops listening: keys can no longer be fetched. Tokens can still be made. */
  close (): Promise<void>
}

/** Who a request comes from. */
export interface TestUser {
  /** Default `'user-1'`. */
  id?: string
  roles?: readonly Role[]
  groups?: readonly Group[]
  scopes?: readonly Scope[]
  email?: string
  /** Any other claims, or other values for those above: where `roles` of the plugin reads roles from elsewhere, put them here. */
  claims?: Record<string, unknown>
}

/** The part of a Fastify instance that {@link injectAs} needs. */
export interface Injectable {
  ready (): PromiseLike<unknown>
  inject (options: InjectOptions): Promise<LightMyRequestResponse>
  readonly bouncer?: Pick<Bouncer, 'jwt'>
}

interface IssuerKey {
  privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
  jwk: JWK
  kid: string
}

const LIFETIME = 900

/** Starts a local issuer. It does not keep a process alive; `close()` it when the test ends. */
export async function createIssuer ({ audience = 'my-api', algorithm = 'ES256' }: TestIssuerOptions = {}): Promise<TestIssuer> {
  let signing = await createKey(algorithm)
  let published = [signing]
  const server = createServer((request, response) => {
    const found = request.url === '/.well-known/jwks.json'
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ? { keys: published.map(({ jwk }) => jwk) } : {}))
  })
  await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve) })
  server.unref()
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const jwksUrl = `${issuer}/.well-known/jwks.json`

  return {
    issuer,
    audience,
    jwksUrl,
    options: { issuer, audience, jwt: { jwksUrl, jwksCooldown: 0 } },

    async token (claims = {}, { expiresIn = LIFETIME, header = {} } = {}) {
      const now = Math.floor(systemClock() / 1000)
      // An expired token was issued before it expired.
      const times = { iat: now + Math.min(0, expiresIn), exp: now + expiresIn }
      const payload = JSON.stringify({ iss: issuer, aud: audience, sub: 'user-1', ...times, ...claims })
      return await new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ alg: algorithm, kid: signing.kid, typ: 'at+jwt', ...header })
        .sign(signing.privateKey)
    },

    async rotate ({ keep = true } = {}) {
      signing = await createKey(algorithm)
      published = keep ? [signing, ...published] : [signing]
    },

    async close () {
      await new Promise<void>((resolve) => {
        server.close(() => { resolve() })
        server.closeAllConnections()
      })
    }
  }
}

async function createKey (alg: string): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { privateKey, kid, jwk: { ...jwk, kid, alg, use: 'sig' } }
}

/**
 * Injects a request as `user`, with a token that the application accepts:
 * signed by the application itself where it has a key (`jwt.secret`), else by
 * `issuer`. `null` is a stranger, who has no token.
 *
 * Throws {@link ConfigurationError} where neither can sign.
 */
export async function injectAs (app: Injectable, user: TestUser | null, request: string | InjectOptions, issuer?: TestIssuer): Promise<LightMyRequestResponse> {
  await app.ready()
  const options = typeof request === 'string' ? { url: request } : request
  const headers = Object.entries(options.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'authorization')
  if (user !== null) headers.push(['authorization', `Bearer ${await tokenFor(app, claimsOf(user), issuer)}`])
  return await app.inject({ ...options, headers: Object.fromEntries(headers) })
}

function claimsOf ({ id = 'user-1', roles, groups, scopes, email, claims }: TestUser): Record<string, unknown> {
  const all = { sub: id, roles, groups, scope: scopes?.join(' '), email, ...claims }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

async function tokenFor (app: Injectable, claims: Record<string, unknown>, issuer: TestIssuer | undefined): Promise<string> {
  if (issuer !== undefined) return await issuer.token(claims)
  const jwt = app.bouncer?.jwt
  if (jwt === undefined) {
    throw new ConfigurationError({ option: 'issuer', message: 'This application has no key to sign with. Give injectAs() the issuer that it trusts as the fourth argument, made with createIssuer().' })
  }
  return jwt.sign(claims)
}
