import type { FastifyInstance, FastifyRequest } from 'fastify'
import { InvalidPasswordError, RateLimitError, UserNotFoundError } from '../../errors/account.js'
import { MfaSetupError, StepUpRequiredError } from '../../errors/authentication.js'
import type { Role } from '../../context.js'
import type { SignInService } from '../../flow/accounts.js'
import type { Mfa } from '../../flow/mfa/enrolment.js'
import { timed } from '../../flow/mfa/proof.js'
import type { CallerOf } from './caller.js'
import { tokenOf } from './caller.js'
import { CodeBody, FactorStatusAnswer, ProofBody, RecoveryCodesAnswer, TotpAnswer, type ProofInput } from './challenge-schemas.js'
import type { Documenter } from './documented.js'
import { originOf } from './origin.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { IdParams, NoAnswer } from './schemas.js'

/** What a proof can be refused with, beside what it is for. */
const PROVEN = [MfaSetupError, StepUpRequiredError, InvalidPasswordError, RateLimitError, UserNotFoundError]

/** The authenticator application of a user, set up and taken away. */
export function totpRoutes (app: FastifyInstance, service: SignInService, refusals: Documenter, callerOf: CallerOf): void {
  app.post<{ Body: ProofInput }>('/mfa/totp', {
    config: { auth: { errors: PROVEN } },
    schema: {
      summary: 'A secret for an authenticator application; asks for current_password unless the sign-in is recent',
      body: ProofBody,
      response: { 200: TotpAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request) => await service.setUpTotp({ user: await callerOf(request), token: tokenOf(request) }, request.body ?? {}, originOf(request)))

  app.post<{ Body: { code: string } }>('/mfa/totp/verify', {
    config: { auth: { errors: [MfaSetupError, RateLimitError, UserNotFoundError] } },
    schema: {
      summary: 'Make the second factor count, by a code of the application',
      body: CodeBody,
      response: { 200: RecoveryCodesAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request) => await service.confirmTotp({ user: await callerOf(request), token: tokenOf(request) }, request.body.code, originOf(request)))

  app.delete<{ Body: ProofInput }>('/mfa/totp', {
    config: { auth: { errors: PROVEN } },
    schema: {
      summary: 'Take the second factor away; asks for current_password or code unless the sign-in is recent',
      body: ProofBody,
      response: { 204: NoAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    await service.disableTotp({ user: await callerOf(request), token: tokenOf(request) }, request.body ?? {}, originOf(request))
    return reply.code(204).send()
  })
}

/** What only the users of the store have besides. */
export function mfaRoutes (app: FastifyInstance, mfa: Mfa, refusals: Documenter, callerOf: CallerOf): void {
  app.get('/mfa', {
    config: { auth: { errors: [UserNotFoundError] } },
    schema: { summary: 'One\'s own second factors', response: { 200: FactorStatusAnswer } }
  }, async (request) => await mfa.status((await callerOf(request)).id))

  app.post<{ Body: ProofInput }>('/mfa/recovery-codes', {
    config: { auth: { errors: PROVEN } },
    schema: {
      summary: 'New recovery codes in place of the old; asks for current_password or code unless the sign-in is recent',
      body: ProofBody,
      response: { 200: RecoveryCodesAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request) => {
    const user = await callerOf(request)
    return await mfa.replaceRecoveryCodes(user.id, timed(user, request.body ?? {}), originOf(request))
  })
}

/** For administrators: the second factor of a user who has lost everything. */
export function mfaResetRoutes (app: FastifyInstance, mfa: Mfa, refusals: Documenter, adminRole: string, callerOf: CallerOf): void {
  app.delete<{ Params: { id: string } }>('/users/:id/mfa', {
    // A role that another issuer grants is not a role here.
    onRequest: async (request: FastifyRequest) => { await callerOf(request) },
    config: { auth: { roles: [adminRole as Role], errors: [UserNotFoundError, MfaSetupError] } },
    schema: {
      summary: 'Take the second factor of a user away',
      params: IdParams,
      response: { 204: NoAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    // One's own goes by proof: a stolen access token is not enough.
    if ((await callerOf(request)).id === request.params.id) throw new MfaSetupError({ reason: 'own_account' })
    await mfa.reset(request.params.id)
    return reply.code(204).send()
  })
}
