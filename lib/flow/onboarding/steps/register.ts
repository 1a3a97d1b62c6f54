import { Type, type TObject, type TOptional, type TString } from '@sinclair/typebox'
import { normalizeEmail } from '../../../user/account.js'
import type { OnboardingStep } from '../step.js'

const schema = Type.Object({
  email: Type.Optional(Type.String({ format: 'email', maxLength: 254 })),
  password: Type.String({ maxLength: 4096 }),
  username: Type.Optional(Type.String({ format: 'username', maxLength: 64 }))
})

/** Data of {@link registerStep}. */
export type RegisterSchema = TObject<{ email: TOptional<TString>, password: TString, username: TOptional<TString> }>

/**
 * The step `register`: `{ password, username? }` make a user with the address that
 * the flow was started for; `email`, if it is given, must be the same. Always
 * required. Refuses a password that is not good enough, and a taken address with
 * `UserAlreadyExistsError`.
 */
export function registerStep (): OnboardingStep<RegisterSchema> {
  return {
    name: 'register',
    schema,
    hint: {
      title: 'Create your account',
      fields: [
        { name: 'password', type: 'password', label: 'Password', required: true },
        { name: 'username', type: 'text', label: 'User name', required: false }
      ]
    },
    async execute ({ account, email }, { email: given, password, username }) {
      if (given !== undefined && normalizeEmail(given) !== email) return { errors: ['The address is another one than the flow was started for'] }
      await account.create({ password, username: username ?? null })
      return {}
    }
  }
}
