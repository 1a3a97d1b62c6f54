import type { FastifyInstance } from 'fastify'
import { InvalidCredentialsError } from '../../errors/authentication.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { Accounts } from '../../flow/accounts.js'
import { bearerToken } from '../bearer.js'
import type { CallerOf } from './caller.js'
import { ANYONE, BEARER_REFUSALS, COUNTED, REFRESH_REFUSALS, type Documenter } from './documented.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { originOf } from './origin.js'
import { LoginBody, LogoutBody, NoAnswer, RefreshBody, TokensAnswer, type LoginInput } from './schemas.js'

interface MaybeRefreshToken { refresh_token?: string }

/** Signing in, staying signed in, and signing out. */
export function signInRoutes (app: FastifyInstance, accounts: Accounts, refusals: Documenter, callerOf: CallerOf): void {
  app.post<{ Body: LoginInput }>('/login', {
    config: ANYONE,
    schema: {
      summary: 'Sign in by e-mail address or user name',
      body: LoginBody,
      response: { 200: TokensAnswer, ...refusals(InvalidCredentialsError, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request) => await accounts.login(request.body, originOf(request)))

  app.post<{ Body: { refresh_token: string } }>('/refresh', {
    config: ANYONE,
    schema: {
      summary: 'New tokens for a refresh token, which is used up by it',
      body: RefreshBody,
      response: { 200: TokensAnswer, ...refusals(...REFRESH_REFUSALS, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request) => await accounts.refresh(request.body.refresh_token, originOf(request)))

  const leaving = {
    config: ANYONE,
    schema: {
      body: LogoutBody,
      response: { 204: NoAnswer, ...refusals(...BEARER_REFUSALS, AuthUnavailableError, ...REQUEST_ERRORS) }
    }
  }

  app.post<{ Body: MaybeRefreshToken | null | undefined }>('/logout', {
    ...leaving,
    schema: { summary: 'End this session; by refresh_token when the access token has expired', ...leaving.schema }
  }, async (request, reply) => {
    const refreshToken = request.body?.refresh_token
    // Each kind of token in its own place only.
    if (refreshToken !== undefined) await accounts.sessions.end(accounts.sessions.sessionOf(refreshToken), 'logout')
    else {
      await callerOf(request)
      await accounts.logout(bearerToken(request))
    }
    return reply.code(204).send()
  })

  app.post<{ Body: MaybeRefreshToken | null | undefined }>('/logout-all', {
    ...leaving,
    schema: { summary: 'End all sessions of this user; by refresh_token when the access token has expired', ...leaving.schema }
  }, async (request, reply) => {
    const refreshToken = request.body?.refresh_token
    await accounts.logoutAll(refreshToken === undefined ? (await callerOf(request)).id : await accounts.sessions.ownerOf(refreshToken))
    return reply.code(204).send()
  })
}
