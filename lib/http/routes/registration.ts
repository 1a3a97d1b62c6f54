import type { FastifyInstance } from 'fastify'
import { InvalidResetTokenError, InvalidVerifyTokenError, PasswordPolicyError, UserAlreadyExistsError } from '../../errors/account.js'
import type { Accounts } from '../../flow/accounts.js'
import type { Documenter } from './documented.js'
import { ANYONE, COUNTED } from './documented.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { originOf } from './origin.js'
import { AcceptedAnswer, ConcealedRegisterBody, EmailBody, NoAnswer, RegisterBody, ResetBody, TokenBody, UserAnswer, type RegisterInput } from './schemas.js'

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

/** Forgotten passwords. */
export function recoveryRoutes (app: FastifyInstance, { passwords }: Accounts, refusals: Documenter): void {
  app.post<{ Body: { email: string } }>('/password/forgot', {
    config: ANYONE,
    schema: {
      summary: 'Ask for a mail to reset a password with',
      body: EmailBody,
      response: { 202: AcceptedAnswer, ...refusals(...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    await passwords.requestReset(request.body.email, originOf(request))
    return reply.code(202).send()
  })

  app.post<{ Body: { token: string, password: string } }>('/password/reset', {
    config: ANYONE,
    schema: {
      summary: 'Set a new password by the token that was mailed',
      body: ResetBody,
      response: {
        204: NoAnswer,
        ...refusals(InvalidResetTokenError, { errorClass: PasswordPolicyError, code: 'RESET_PASSWORD_INVALID_PASSWORD' }, ...COUNTED, ...REQUEST_ERRORS)
      }
    }
  }, async (request, reply) => {
    await passwords.reset(request.body.token, request.body.password, originOf(request))
    return reply.code(204).send()
  })
}
