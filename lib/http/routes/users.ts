import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PasswordPolicyError, UserAlreadyExistsError, UserNotFoundError } from '../../errors/account.js'
import { AuthorizationError } from '../../errors/authorization.js'
import type { Accounts } from '../../flow/accounts.js'
import type { Role } from '../../context.js'
import { RequestInvalidError } from '../../errors/request.js'
import type { CallerOf } from './caller.js'
import type { Documenter } from './documented.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { IdParams, NoAnswer, PageQuery, UserAnswer, UserBody, UsersAnswer, type PageInput, type UserInput } from './schemas.js'

/** Users, for administrators. */
export function userRoutes (app: FastifyInstance, { users }: Accounts, refusals: Documenter, adminRole: string, callerOf: CallerOf): void {
  const roles = [adminRole as Role]
  // A role that another issuer grants is not a role here.
  const onRequest = async (request: FastifyRequest): Promise<void> => { await callerOf(request) }

  app.get<{ Querystring: PageInput }>('/users', {
    onRequest,
    config: { auth: { roles } },
    schema: {
      summary: 'All users',
      querystring: PageQuery,
      response: { 200: UsersAnswer, ...refusals(RequestInvalidError) }
    }
  }, async (request) => {
    const { items, next = null } = await users.list(request.query)
    return { items, next }
  })

  app.get<{ Params: { id: string } }>('/users/:id', {
    onRequest,
    config: { auth: { roles, errors: [UserNotFoundError] } },
    schema: { summary: 'One user', params: IdParams, response: { 200: UserAnswer, ...refusals(RequestInvalidError) } }
  }, async (request) => await users.get(request.params.id))

  app.patch<{ Params: { id: string }, Body: UserInput }>('/users/:id', {
    onRequest,
    config: { auth: { roles, errors: [UserNotFoundError, UserAlreadyExistsError, { errorClass: PasswordPolicyError, code: 'UPDATE_USER_INVALID_PASSWORD' }, AuthorizationError] } },
    schema: {
      summary: 'Change a user; deactivation and a new password end all sessions',
      params: IdParams,
      body: UserBody,
      response: { 200: UserAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request) => await users.update(request.params.id, request.body))

  app.delete<{ Params: { id: string } }>('/users/:id', {
    onRequest,
    config: { auth: { roles, errors: [UserNotFoundError, AuthorizationError] } },
    schema: { summary: 'Delete a user', params: IdParams, response: { 204: NoAnswer, ...refusals(...REQUEST_ERRORS) } }
  }, async (request, reply) => {
    await users.delete(request.params.id)
    return reply.code(204).send()
  })
}
