import type { Static, TObject } from '@sinclair/typebox'
import type { Account } from '../../../store/contract.js'
import type { FlowView, OnboardingStep } from '../step.js'

/** What an application asks of a person, and where it goes. */
export interface ProfileStepOptions<Schema extends TObject> {
  /** Of the data; what it does not list is refused. */
  schema: Schema
  /**
   * Keeps the data. Throw `OnboardingStepError` to refuse it. After a crash it may come
   * once more for the same user, with other data perhaps: write it so that the last one stands.
   */
  save: (user: Account, data: Static<Schema>) => unknown
  /** Default `'profile'`; another name where a flow has several. */
  name?: string
  /** Default `'About you'`. */
  title?: string
  description?: string
  /** Default true. */
  required?: boolean | ((flow: FlowView) => boolean | Promise<boolean>)
}

/** The step `profile`, after `register`: data of the application's own, which it keeps itself. Throws `TypeError` without `save`. */
export function profileStep<Schema extends TObject> ({ schema, save, name = 'profile', title = 'About you', description, required = true }: ProfileStepOptions<Schema>): OnboardingStep<Schema> {
  if (typeof save !== 'function') throw new TypeError('profileStep() takes { schema, save }, of which save is a function')
  return {
    name,
    schema,
    after: ['register'],
    hint: { title, ...(description !== undefined && { description }) },
    isRequired: async (flow) => typeof required === 'boolean' ? required : await required(flow),
    async execute ({ user }, data) {
      // There is one: the step stands after `register`, which is never skipped.
      await save(user as Account, data)
      return {}
    }
  }
}
