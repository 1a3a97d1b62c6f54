import { Type } from '@sinclair/typebox'
import { ConfigurationError } from './errors/operation.js'
import { dataCheck, isObjectSchema, type DataCheck } from './flow/onboarding/data.js'
import type { OnboardingSettings } from './flow/onboarding/engine.js'
import type { PreparedStep } from './flow/onboarding/flow.js'
import type { OnboardingStep } from './flow/onboarding/step.js'

/** Onboarding: a flow that leads people to an account. */
export interface OnboardingOptions {
  /** The steps, in their order; from `fastify-bouncer/onboarding`, or of your own. A session keeps the list as it stood at its start. */
  steps: readonly OnboardingStep[]
  /** How long a session lasts from its start, in seconds. Default 3600, at most a day. */
  sessionLifetime?: number
  /** Whether starting again for an address ends its older sessions. Default true. */
  invalidatePrevious?: boolean
}

const closed = { additionalProperties: false }

/** The shape of {@link OnboardingOptions}; steps are looked at one by one. */
export const onboardingOptionsSchema = Type.Object({
  steps: Type.Array(Type.Unknown(), { minItems: 1, remedy: 'must be a list of at least one step, such as registerStep() of fastify-bouncer/onboarding' }),
  sessionLifetime: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400, remedy: 'must be a number of seconds above 0, up to a day' })),
  invalidatePrevious: Type.Optional(Type.Boolean({ remedy: 'must be true or false' }))
}, { ...closed, remedy: 'must be { steps, sessionLifetime, invalidatePrevious }' })

const NAME = /^[a-z][a-z0-9_]{0,63}$/

/** Reads the options of onboarding. Throws {@link ConfigurationError} for a flow that nobody could go through, or that would tell who has an account. */
export function readOnboardingSettings ({ steps, sessionLifetime = 3600, invalidatePrevious = true }: OnboardingOptions, { hasKey, concealExistingUsers }: { hasKey: boolean, concealExistingUsers: boolean }): OnboardingSettings {
  const prepared = new Map<string, PreparedStep>()
  for (const [index, given] of steps.entries()) {
    const place = `onboarding.steps.${index}`
    const step = checked(given, place)
    if (prepared.has(step.name)) throw refuse(`${place}.name`, `is ${step.name} like that of another step; each needs its own`)
    const missing = (step.after ?? []).find((name) => !prepared.has(name))
    if (missing !== undefined) throw refuse(place, `, ${step.name}, needs the step ${missing} before it`)
    if (step.name === 'setup_totp' && !hasKey) throw refuse(place, ', setup_totp, needs encryptionKey: 32 random bytes in base64 that stay the same')
    if (step.name === 'register' && concealExistingUsers && !prepared.has('verify_email')) throw refuse(place, ', register, needs verifyEmailStep() before it: with concealExistingUsers nobody but its owner learns whether an address is taken')
    prepared.set(step.name, { step, check: compiled(step, place) })
  }
  return { steps: prepared, lifetime: sessionLifetime, invalidatePrevious }
}

/** A step whose members are what they must be. It may be an instance of a class: it stays as it is. */
function checked (given: unknown, place: string): OnboardingStep {
  if (typeof given !== 'object' || given === null) throw refuse(place, 'must be a step: { name, schema, hint, execute }')
  const { name, schema, hint, after, isRequired, execute } = given as Record<keyof OnboardingStep, unknown>
  if (typeof name !== 'string' || !NAME.test(name)) throw refuse(`${place}.name`, 'must be small letters, digits and underscores, beginning with a letter, up to 64')
  if (!isObjectSchema(schema)) throw refuse(`${place}.schema`, 'must be the schema of an object, such as Type.Object({ ... })')
  if (!isHint(hint)) throw refuse(`${place}.hint`, 'must be { title, description, fields }, each field { name, type, label, required }, or a function that makes it')
  if (after !== undefined && !(Array.isArray(after) && after.every((one) => typeof one === 'string'))) throw refuse(`${place}.after`, 'must be a list of names of steps')
  if (isRequired !== undefined && typeof isRequired !== 'function') throw refuse(`${place}.isRequired`, 'must be a function, or be left out')
  if (typeof execute !== 'function') throw refuse(`${place}.execute`, 'must be a function')
  return given as OnboardingStep
}

function isHint (hint: unknown): boolean {
  if (typeof hint === 'function') return true
  if (typeof hint !== 'object' || hint === null) return false
  const { title, fields } = hint as { title?: unknown, fields?: unknown }
  return typeof title === 'string' && (fields === undefined || (Array.isArray(fields) && fields.every(isField)))
}

function isField (field: unknown): boolean {
  const { name, type, label, required } = (field ?? {}) as Record<string, unknown>
  return [name, type, label].every((text) => typeof text === 'string') && typeof required === 'boolean'
}

function compiled ({ schema }: OnboardingStep, place: string): DataCheck {
  try {
    return dataCheck(schema)
  } catch (cause) {
    throw new ConfigurationError({ option: `${place}.schema`, cause, message: `${place}.schema cannot be used: ${(cause as Error).message}. Formats there are email, username and role.` })
  }
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: `${option}${problem.startsWith(',') ? '' : ' '}${problem}.` })
}
