import auth from '@fastify/auth'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { errorResponses, InsufficientGroupsError, InvalidPasswordError, OnboardingStepError, PasswordPolicyError, RateLimitError, UserAlreadyExistsError, UserNotFoundError } from '../../index.js'
import { REQUEST_ERRORS } from '../../lib/http/routes/request-errors.js'
import { buildDocumented } from './document.js'

/** An application with a route for everything that can be documented. */
export async function buildEverything (t: Test, version: string): Promise<FastifyInstance> {
  const app = await buildDocumented(t, {
    roles: () => [],
    expose: {
      InsufficientRolesError: {
        schema: Type.Object({ required_roles: Type.Array(Type.String(), { examples: [['admin']] }), contact: Type.Union([Type.String(), Type.Null()]) }),
        pick: () => ({ required_roles: [], contact: null })
      },
      PasswordPolicyError: { schema: Type.Object({ rules: Type.Integer({ examples: [5] }) }), pick: () => ({ rules: 5 }) }
    }
  }, {
    exposeHeadRoutes: true,
    openapi: {
      openapi: version,
      info: { title: 'Shop', version: '1.0.0', license: { name: 'MIT', url: 'https://example.com/license' } },
      servers: [{ url: 'https://api.shop.test' }],
      components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'x-api-key' } } }
    }
  })
  app.addSchema({ $id: 'Item', type: 'object', properties: { id: { type: 'string' } } })
  app.register(auth)
  app.register(async child => {
    const handler = async () => ({ ok: true })
    const docs = (operationId: string, response: object = {}) => ({ schema: { operationId, summary: operationId, response: { 200: { description: 'OK', $ref: 'Item#' }, ...response } } })
    child.get('/user', { ...docs('getUser'), preHandler: child.requireUser() }, handler)
    child.get('/anyone', { ...docs('getAnyone'), preHandler: child.optionalUser() }, handler)
    child.get('/admin', { ...docs('getAdmin'), preHandler: [child.requireRole('admin')] }, handler)
    child.get('/reports', { ...docs('getReports'), onRequest: child.requireScope('reports:read') }, handler)
    child.get('/everything', { ...docs('getEverything'), config: { auth: { roles: ['a'], groups: ['b'], scopes: ['c'], errors: [OnboardingStepError, UserNotFoundError] } } }, handler)
    child.post('/items/:id', { ...docs('postItem', errorResponses(UserNotFoundError, UserAlreadyExistsError, InsufficientGroupsError)), preHandler: child.requireUser() }, handler)
    child.get('/wrapped', { ...docs('getWrapped'), config: { auth: true }, preHandler: child.auth([child.requireUser()]) }, handler)
    const code = 'REGISTER_INVALID_PASSWORD'
    child.post('/register', { ...docs('register', errorResponses(UserAlreadyExistsError, { errorClass: InvalidPasswordError, code }, { errorClass: PasswordPolicyError, code }, RateLimitError, ...REQUEST_ERRORS)), config: { auth: false } }, handler)
    child.post('/password', { ...docs('changePassword'), config: { auth: { errors: [{ errorClass: InvalidPasswordError, code: 'UPDATE_USER_INVALID_PASSWORD' }] } } }, handler)
    const key = docs('getKey', errorResponses(UserNotFoundError))
    child.get('/key', { schema: { ...key.schema, security: [{ key: [] }] }, preHandler: child.requireUser() }, handler)
  })
  await app.ready()
  return app
}
