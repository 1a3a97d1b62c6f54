import type { FastifyInstance, FastifyReply } from 'fastify'
import { PasswordPolicyError } from '../../errors/account.js'
import { InvalidChallengeError, InvalidCredentialsError } from '../../errors/authentication.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { SignInService } from '../../flow/accounts.js'
import type { SignInAnswer } from '../../flow/login.js'
import { tokenOf, type CallerOf } from './caller.js'
import { ChallengeAnswer, ChallengeBody, SignedInAnswer, type ChallengeInput } from './challenge-schemas.js'
import { ANYONE, BEARER_REFUSALS, COUNTED, REFRESH_REFUSALS, type Documenter } from './documented.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { originOf } from './origin.js'
import { LoginBody, LogoutBody, NoAnswer, RefreshBody, TokensAnswer, type LoginInput } from './schemas.js'

interface MaybeRefreshToken { refresh_token?: string }

/** Signing in, staying signed in, and signing out. */
export function signInRoutes (app: FastifyInstance, service: SignInService, refusals: Documenter, callerOf: CallerOf): void {
  app.post<{ Body: LoginInput }>('/login', {
    config: ANYONE,
    schema: {
      summary: 'Sign in by e-mail address or user name: tokens, or 202 and a challenge',
      body: LoginBody,
      response: { 200: TokensAnswer, 202: ChallengeAnswer, ...refusals(InvalidCredentialsError, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => await answer(reply, await service.signIn(request.body, originOf(request))))

  app.post<{ Body: ChallengeInput }>('/login/challenge', {
    config: ANYONE,
    schema: {
      summary: 'Answer a challenge of a sign-in: tokens, or 202 and the next one',
      body: ChallengeBody,
      response: { 200: SignedInAnswer, 202: ChallengeAnswer, ...refusals(InvalidChallengeError, PasswordPolicyError, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => await answer(reply, await service.respond(request.body, originOf(request))))

  app.post<{ Body: { refresh_token: string } }>('/refresh', {
    config: ANYONE,
    schema: {
      summary: 'New tokens for a refresh token, which is used up by it',
      body: RefreshBody,
      response: { 200: TokensAnswer, ...refusals(...REFRESH_REFUSALS, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request) => await service.refresh(request.body.refresh_token, originOf(request)))

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
    if (refreshToken !== undefined) await service.revoke(refreshToken, false)
    else await service.signOut({ user: await callerOf(request), token: tokenOf(request) })
    return reply.code(204).send()
  })

  app.post<{ Body: MaybeRefreshToken | null | undefined }>('/logout-all', {
    ...leaving,
    schema: { summary: 'End all sessions of this user; by refresh_token when the access token has expired', ...leaving.schema }
  }, async (request, reply) => {
    const refreshToken = request.body?.refresh_token
    if (refreshToken !== undefined) await service.revoke(refreshToken, true)
    else await service.signOutEverywhere({ user: await callerOf(request), token: tokenOf(request) })
    return reply.code(204).send()
  })
}

/** 202 for a challenge: nothing in it signs anybody in. */
async function answer (reply: FastifyReply, given: SignInAnswer): Promise<FastifyReply> {
  return reply.code('challenge_name' in given ? 202 : 200).send(given)
}
