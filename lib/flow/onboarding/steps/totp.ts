import { Type, type TObject, type TOptional, type TString } from '@sinclair/typebox'
import type { FlowView, OnboardingStep, StepContext, StepHint, StepOutcome } from '../step.js'

const schema = Type.Object({ code: Type.Optional(Type.String({ maxLength: 64 })) })

/** Data of {@link totpStep}. */
export type TotpSchema = TObject<{ code: TOptional<TString> }>

/** Who must set up an authenticator application. */
export interface TotpStepOptions {
  /** Default true. */
  required?: boolean | ((flow: FlowView) => boolean | Promise<boolean>)
}

const NAME = 'setup_totp'

/**
 * The step `setup_totp`, after `register`: without `code` it shows a secret for an
 * authenticator application, once, as a text, a link and a QR code; with a code of
 * it the second factor counts, and the recovery codes are shown, once. Needs the
 * option `encryptionKey`.
 */
export function totpStep ({ required = true }: TotpStepOptions = {}): OnboardingStep<TotpSchema> {
  function prepare ({ account }: StepContext): StepOutcome {
    const { shown, sealed } = account.prepareTotp()
    return { done: false, data: { sealed }, show: { ...shown } }
  }

  async function confirm (code: string, { account, data }: StepContext): Promise<StepOutcome> {
    const sealed = data[NAME]?.sealed
    if (typeof sealed !== 'string') return { errors: ['No secret has been shown'] }
    const attempt = await account.beginGuess()
    const codes = await account.enrolTotp(sealed, code)
    if (codes === undefined) return { errors: ['The code is not right'] }
    await attempt.succeeded()
    return { data: {}, show: { recovery_codes: codes } }
  }

  return {
    name: NAME,
    schema,
    after: ['register'],
    hint: ({ data }): StepHint => data[NAME]?.sealed === undefined
      ? { title: 'Set up an authenticator application', description: 'A secret for it is shown when you go on.', fields: [] }
      : {
          title: 'Set up an authenticator application',
          description: 'Enter a code of the application; without a code, another secret is shown.',
          fields: [{ name: 'code', type: 'code', label: 'Code', required: true }]
        },
    isRequired: async (flow) => typeof required === 'boolean' ? required : await required(flow),
    execute: async (context, { code }) => code === undefined || code === '' ? prepare(context) : await confirm(code, context)
  }
}
