import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { OnboardingAnswer, OnboardingOptions } from '../index.js'
import { profileStep, registerStep, termsStep, totpStep, verifyEmailStep, type JsonObject } from '../lib/onboarding.js'
import { password, type AccountsApp } from './accounts.js'
import { codeOf } from './totp.js'

/** Who goes through the flow. */
export const email = 'nora@example.com'

export const profileSchema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 50, title: 'Your name' }),
  colour: Type.Optional(Type.Union([Type.Literal('red'), Type.Literal('green')]))
})

/** What the application keeps of its people. */
export interface Kept {
  profiles: Map<string, object>
  terms: Array<{ version: string, acceptedAt: Date }>
}

/** Every step there is, in the usual order; the authenticator application may be left out unless it is required. */
export function wholeFlow ({ requireTotp = true, ...rest }: Partial<OnboardingOptions> & { requireTotp?: boolean } = {}): { onboarding: OnboardingOptions, kept: Kept } {
  const kept: Kept = { profiles: new Map(), terms: [] }
  const steps = [
    verifyEmailStep(),
    registerStep(),
    profileStep({ schema: profileSchema, save: (user, data) => { kept.profiles.set(user.id, data) } }),
    termsStep({ version: '2026-11', save: (accepted) => { kept.terms.push(accepted) } }),
    totpStep({ required: requireTotp })
  ]
  return { onboarding: { steps, ...rest }, kept }
}

/** The code that was mailed last. */
export function mailedCode ({ happened }: Pick<AccountsApp, 'happened'>, back = 0): string {
  return happened('onboarding_code_requested').at(-1 - back)?.code as string
}

/** What a person gives each step of the whole flow, in the order in which it is asked for; a secret that was shown is in `shown`. */
export function given (built: Pick<AccountsApp, 'happened'>, step: string | null, shown: JsonObject = {}): JsonObject {
  switch (step) {
    case 'verify_email': return 'code_length' in shown ? { code: mailedCode(built) } : {}
    case 'register': return { password }
    case 'profile': return { name: 'Nora' }
    case 'accept_terms': return { accepted: true, version: '2026-11' }
    case 'setup_totp': return typeof shown.secret === 'string' ? { code: codeOf(shown.secret) } : {}
    default: return {}
  }
}

/** Walks on until the step of this name is due, or to the end; the answers on the way. */
export async function walk (built: Pick<AccountsApp, 'happened'> & { app: FastifyInstance }, token: string, until?: string): Promise<OnboardingAnswer[]> {
  const { onboarding } = built.app.bouncer
  const answers: OnboardingAnswer[] = []
  let answer: OnboardingAnswer = await onboarding.resume(token)
  while (answer.status === 'in_progress' && answer.current_step !== until) {
    answer = await onboarding.advance(token, given(built, answer.current_step, answer.shown))
    answers.push(answer)
  }
  return answers
}
