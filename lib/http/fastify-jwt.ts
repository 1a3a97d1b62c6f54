import { createRequire } from 'node:module'
import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify'
import { TokenInvalidError } from '../errors/authentication.js'
import { systemClock } from '../clock.js'
import { parseHeader, readHeader, type TokenHeader } from '../token/compact.js'
import { checkClaims, type ClaimRules } from '../token/claims.js'
import type { KeySource, RawClaims, VerificationKey } from '../token/key-source.js'
import type { SigningKey } from '../token/local-keys.js'
import { authenticated, type Authenticator } from './authenticate.js'
import { bearerToken } from './bearer.js'

// Required, not imported: its types give `request.user` a type that would
// conflict with ours in every application.
const fastifyJwt = createRequire(import.meta.url)('@fastify/jwt') as FastifyPluginCallback<Record<string, unknown>>

/** The part of `@fastify/jwt` that signs with this application's key. */
export interface JwtService {
  /**
   * A signed access token with these claims, and with issuer, audience, key id
   * and lifetime as configured. `expiresIn` is in seconds. Throws an
   * `AssertionError` where there is no private key.
   */
  sign (claims: object, options?: { expiresIn?: number }): string
}

export interface FastifyJwtOptions {
  rules: ClaimRules
  keys: KeySource
  signing: SigningKey | undefined
  /** Seconds. */
  accessTokenTtl: number
  maxTokenLength: number
  /** Whether the application sees the decorators of `@fastify/jwt`. */
  show: boolean
}

interface DecodedToken {
  header: Record<string, unknown>
  payload: RawClaims
}

const NAMESPACE = 'fastifyBouncer'

/** Registers `@fastify/jwt` with the keys and checks of one issuer. */
export async function registerFastifyJwt (instance: FastifyInstance, options: FastifyJwtOptions, authenticate: Authenticator): Promise<JwtService> {
  const settings = pluginOptions(options)
  if (options.show) {
    // Whoever calls `request.jwtVerify()` gets the library's checks, and then
    // all of ours: canonical spelling, kinds of token, times.
    // Options of the call may have made it read another token than we do.
    const trusted = async (request: FastifyRequest, verified: { payload?: unknown }) => {
      const { claims } = await authenticated(authenticate, request)
      return isDeepStrictEqual(verified, claims) || isDeepStrictEqual(verified.payload, claims)
    }
    await instance.register(fastifyJwt, { ...settings, decoratorName: `${NAMESPACE}User`, trusted })
    return (instance as unknown as { jwt: JwtService }).jwt
  }
  // In a scope and a namespace of its own nothing collides with an `@fastify/jwt`
  // or passport of the application's, before or after this plugin.
  const services: Record<string, JwtService> = {}
  await instance.register(async (scope) => {
    scope.decorate('jwt', services as never)
    await scope.register(fastifyJwt, { ...settings, namespace: NAMESPACE, decoratorName: `${NAMESPACE}User` })
  })
  return services[NAMESPACE] as JwtService
}

function pluginOptions ({ rules, keys, signing, accessTokenTtl, maxTokenLength }: FastifyJwtOptions): Record<string, unknown> {
  // Called with a request by `jwtVerify`, with a decoded token by `app.jwt.verify`.
  async function findKey (source: FastifyRequest | DecodedToken): Promise<string> {
    const header = 'header' in source ? readDecoded(source) : parseHeader(bearerToken(source), maxTokenLength)
    if (!keys.algorithms.has(header.alg)) throw new TokenInvalidError({ reason: 'algorithm' })
    // Never undefined: the library would then take this function for the key.
    const [key] = await keys.find(header) as readonly [VerificationKey]
    return key.material
  }
  // Nobody else makes our checks for `app.jwt.verify`.
  function readDecoded ({ header, payload }: DecodedToken): TokenHeader {
    checkClaims(payload, rules, systemClock())
    return readHeader(header)
  }
  return {
    secret: { public: findKey, private: signing?.material },
    ...(signing !== undefined && {
      sign: { algorithm: signing.algorithm, kid: signing.kid, iss: rules.issuer, aud: rules.audience[0], expiresIn: accessTokenTtl }
    }),
    verify: {
      algorithms: [...keys.algorithms],
      allowedIss: rules.issuer,
      // Where the audience is not always in `aud`, our own checks alone know what to look for.
      ...(rules.accessAudience === undefined && { allowedAud: [...rules.audience] }),
      requiredClaims: ['exp', 'iss', 'sub', ...(rules.accessAudience === undefined ? ['aud'] : [])],
      clockTolerance: rules.clockTolerance * 1000
    }
  }
}
