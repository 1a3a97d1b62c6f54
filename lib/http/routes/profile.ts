import type { FastifyInstance } from 'fastify'
import { InvalidPasswordError, RateLimitError, UserAlreadyExistsError, UserNotFoundError } from '../../errors/account.js'
import type { Accounts, SignInService } from '../../flow/accounts.js'
import { AuthorizationError } from '../../errors/authorization.js'
import { RequestInvalidError } from '../../errors/request.js'
import type { Documenter } from './documented.js'
import { tokenOf, type CallerOf } from './caller.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { originOf } from './origin.js'
import { IdParams, NoAnswer, PageQuery, PasswordBody, ProfileBody, SessionsAnswer, UserAnswer, type PageInput, type PasswordInput, type ProfileInput } from './schemas.js'

/** Users and their own accounts. Who they are comes from the access token alone. */
export function profileRoutes (app: FastifyInstance, service: SignInService, refusals: Documenter, callerOf: CallerOf): void {
  app.get('/me', {
    config: { auth: { errors: [UserNotFoundError] } },
    schema: { summary: 'The user who is signed in', response: { 200: UserAnswer } }
  }, async (request) => await service.lookUp({ user: await callerOf(request), token: tokenOf(request) }))

  app.post<{ Body: PasswordInput }>('/me/password', {
    config: { auth: { errors: [{ errorClass: InvalidPasswordError, code: 'UPDATE_USER_INVALID_PASSWORD' }, UserNotFoundError, RateLimitError] } },
    schema: {
      summary: 'Change one\'s own password, and end all sessions',
      body: PasswordBody,
      response: { 204: NoAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    await service.changePassword({ user: await callerOf(request), token: tokenOf(request) }, request.body, originOf(request))
    return reply.code(204).send()
  })
}

/** What users change of their own names. */
export function namesRoutes (app: FastifyInstance, { profile }: Accounts, refusals: Documenter, callerOf: CallerOf, requireVerified: boolean): void {
  app.patch<{ Body: ProfileInput }>('/me', {
    config: { auth: { errors: [InvalidPasswordError, UserAlreadyExistsError, UserNotFoundError, RateLimitError, ...requireVerified ? [AuthorizationError] : []] } },
    schema: {
      summary: 'Change one\'s own names; another address asks for current_password',
      body: ProfileBody,
      response: { 200: UserAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request) => await profile.update((await callerOf(request)).id, request.body, originOf(request)))
}

/** Where a user is signed in. */
export function sessionRoutes (app: FastifyInstance, { sessions }: Accounts, refusals: Documenter, callerOf: CallerOf): void {
  app.get<{ Querystring: PageInput }>('/sessions', {
    config: { auth: true },
    schema: {
      summary: 'Where one is signed in',
      querystring: PageQuery,
      response: { 200: SessionsAnswer, ...refusals(RequestInvalidError) }
    }
  }, async (request) => {
    const user = await callerOf(request)
    const { sid } = user.claims as Record<string, unknown>
    const { items, next = null } = await sessions.list(user.id, request.query)
    return { items: items.map((session) => ({ ...session, current: session.id === sid })), next }
  })

  app.delete<{ Params: { id: string } }>('/sessions/:id', {
    config: { auth: true },
    schema: {
      summary: 'End one of one\'s own sessions; of one that is not there, nothing is said',
      params: IdParams,
      response: { 204: NoAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    await sessions.end(request.params.id, 'ended', (await callerOf(request)).id)
    return reply.code(204).send()
  })
}
