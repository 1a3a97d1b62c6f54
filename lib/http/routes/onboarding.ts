import type { FastifyInstance, FastifyReply } from 'fastify'
import { UserAlreadyExistsError } from '../../errors/account.js'
import type { AuthErrorClass } from '../../errors/auth-error.js'
import { AccountUnavailableError } from '../../errors/authentication.js'
import { OnboardingFlowCompleteError, OnboardingSessionExpiredError, OnboardingSessionInvalidError, OnboardingStepError } from '../../errors/onboarding.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { OnboardingAnswer as Answer } from '../../flow/onboarding/answers.js'
import type { Onboarding } from '../../flow/onboarding/engine.js'
import { ANYONE, COUNTED, type Documenter } from './documented.js'
import { AdvanceBody, OnboardingAnswer, OnboardingBody, OnboardingChallengeAnswer, ProgressAnswer, SkipBody, StartedAnswer, type AdvanceInput, type SkipInput } from './onboarding-schemas.js'
import { originOf } from './origin.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { EmailBody } from './schemas.js'

/** What a session can be refused with. */
const SESSION: readonly AuthErrorClass[] = [OnboardingSessionInvalidError, OnboardingSessionExpiredError, OnboardingFlowCompleteError, AccountUnavailableError]

/** Onboarding: flows of steps that lead to an account. */
export function onboardingRoutes (app: FastifyInstance, onboarding: Onboarding, refusals: Documenter): void {
  app.post<{ Body: { email: string } }>('/onboarding/start', {
    config: ANYONE,
    schema: {
      summary: 'Start the way to an account; older sessions of the address are over',
      body: EmailBody,
      response: { 200: StartedAnswer, ...refusals(...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request) => await onboarding.start(request.body, originOf(request)))

  app.post<{ Body: AdvanceInput }>('/onboarding/advance', {
    config: ANYONE,
    schema: {
      summary: 'Give the step that is due its data: the next step, or at the end tokens, or 202 and a challenge',
      body: AdvanceBody,
      response: { 200: OnboardingAnswer, 202: OnboardingChallengeAnswer, ...refusals(...SESSION, OnboardingStepError, UserAlreadyExistsError, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    const { session, data, step } = request.body
    return await answer(reply, await onboarding.advance(session, data, { ...(step !== undefined && { step }), origin: originOf(request) }))
  })

  app.post<{ Body: SkipInput }>('/onboarding/skip', {
    config: ANYONE,
    schema: {
      summary: 'Leave the step that is due out, if it may be',
      body: SkipBody,
      response: { 200: OnboardingAnswer, 202: OnboardingChallengeAnswer, ...refusals(...SESSION, OnboardingStepError, ...COUNTED, ...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    const { session, step } = request.body
    return await answer(reply, await onboarding.skip(session, { ...(step !== undefined && { step }), origin: originOf(request) }))
  })

  app.post<{ Body: { session: string } }>('/onboarding/resume', {
    config: ANYONE,
    schema: {
      summary: 'Where the flow stands',
      body: OnboardingBody,
      response: { 200: ProgressAnswer, ...refusals(...SESSION, AuthUnavailableError, ...REQUEST_ERRORS) }
    }
  }, async (request) => await onboarding.resume(request.body.session))
}

async function answer (reply: FastifyReply, given: Answer): Promise<FastifyReply> {
  return reply.code('challenge_name' in given ? 202 : 200).send(given)
}
