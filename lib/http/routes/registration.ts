import type { FastifyInstance } from 'fastify'
import { InvalidResetTokenError, InvalidVerifyTokenError, PasswordPolicyError, UserAlreadyExistsError } from '../../errors/account.js'
import type { Accounts, SignInService } from '../../flow/accounts.js'
import type { ResetTicket } from '../../flow/provider.js'
import type { Documenter } from './documented.js'
import { ANYONE, COUNTED } from './documented.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { originOf } from './origin.js'
import { AcceptedAnswer, ConcealedRegisterBody, EmailBody, IdentifierBody, NoAnswer, RegisterBody, ResetBody, ResetByCodeBody, TokenBody, UserAnswer, type IdentifierInput, type RegisterInput, type ResetInput } from './schemas.js'

/** Signing up. Where existing users are concealed the answer is 202 without a body. */
export function registrationRoutes (app: FastifyInstance, accounts: Accounts, refusals: Documenter, concealed: boolean): void {
  app.post<{ Body: RegisterInput }>('/register', {
    config: ANYONE,
    schema: {
      summary: 'Make an account',
      body: concealed ? ConcealedRegisterBody : RegisterBody,
      response: {
        ...(concealed ? { 202: AcceptedAnswer } : { 201: UserAnswer }),
        ...refusals(...concealed ? [] : [UserAlreadyExistsError], { errorClass: PasswordPolicyError, code: 'REGISTER_INVALID_PASSWORD' }, ...COUNTED, ...REQUEST_ERRORS)
      }
    }
  }, async (request, reply) => {
    const user = await accounts.register(request.body, originOf(request))
    if (user === undefined) return reply.code(202).send()
    return reply.code(201).send(user)
  })
}

/** Verifying e-mail addresses. */
export function verificationRoutes (app: FastifyInstance, { verification }: Accounts, refusals: Documenter): void {
  app.post<{ Body: { email: string } }>('/verify/request', {
    config: ANYONE,
    schema: {
      summary: 'Ask for a mail to verify an address with',
      body: EmailBody,
      response: { 202: AcceptedAnswer, ...refusals(...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    await verification.request(request.body.email, originOf(request))
    return reply.code(202).send()
  })

  app.post<{ Body: { token: string } }>('/verify', {
    config: ANYONE,
    schema: {
      summary: 'Verify an address by the token that was mailed',
      body: TokenBody,
      response: { 200: UserAnswer, ...refusals(InvalidVerifyTokenError, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request) => await verification.verify(request.body.token, originOf(request)))
}

/** Forgotten passwords: by the token of a mail, or by a code that is typed in together with the name. */
export function recoveryRoutes (app: FastifyInstance, service: SignInService, refusals: Documenter): void {
  const byToken = service.resetBy === 'token'

  app.post<{ Body: IdentifierInput }>('/password/forgot', {
    config: ANYONE,
    schema: {
      summary: 'Ask for a mail to reset a password with',
      body: byToken ? EmailBody : IdentifierBody,
      response: { 202: AcceptedAnswer, ...refusals(...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    await service.requestReset(request.body, originOf(request))
    return reply.code(202).send()
  })

  app.post<{ Body: ResetInput }>('/password/reset', {
    config: ANYONE,
    schema: {
      summary: `Set a new password by the ${byToken ? 'token' : 'code'} that was mailed`,
      body: byToken ? ResetBody : ResetByCodeBody,
      response: {
        204: NoAnswer,
        ...refusals(InvalidResetTokenError, { errorClass: PasswordPolicyError, code: 'RESET_PASSWORD_INVALID_PASSWORD' }, ...COUNTED, ...REQUEST_ERRORS)
      }
    }
  }, async (request, reply) => {
    const { password, ...ticket } = request.body
    await service.reset(ticket as ResetTicket, password, originOf(request))
    return reply.code(204).send()
  })
}
