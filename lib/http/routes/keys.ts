import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { ConfigurationError } from '../../errors/operation.js'
import { ANYONE } from './documented.js'
import type { MountedAccounts } from './mounted.js'

const KeySet = Type.Object({ keys: Type.Array(Type.Object({ kty: Type.String(), kid: Type.String(), use: Type.Literal('sig') }, { additionalProperties: true })) }, { description: 'JSON Web Key Set' })

/** For how many seconds others may keep the keys. */
const MAX_AGE = 300

/** The key set of RFC 7517, section 5, for services that verify tokens of this one. Throws {@link ConfigurationError} where there is nothing public. */
export function keyRoutes (app: FastifyInstance, { publicKeys }: MountedAccounts): void {
  if (publicKeys.length === 0) {
    throw new ConfigurationError({ option: 'jwks', message: 'jwks has nothing to serve: jwt.secret is a secret. Give jwt.secret as { public, private } in PEM.' })
  }
  app.get('/.well-known/jwks.json', {
    config: ANYONE,
    schema: { summary: 'Public keys of the tokens signed here', response: { 200: KeySet } }
  }, async (_request, reply) => {
    return reply.header('cache-control', `public, max-age=${MAX_AGE}`).send({ keys: publicKeys })
  })
}
