import { Type, type TLiteral, type TObject } from '@sinclair/typebox'
import type { Account } from '../../../store/contract.js'
import type { OnboardingStep } from '../step.js'

/** Data of {@link termsStep}. */
export type TermsSchema = TObject<{ accepted: TLiteral<true>, version: TLiteral<string> }>

/** What somebody has agreed to, and when. */
export interface AcceptedTerms {
  /** The address of the flow. */
  readonly email: string
  /** Undefined where the step stands before `register`. */
  readonly user: Account | undefined
  readonly version: string
  readonly acceptedAt: Date
}

/** Which terms, and where it is kept that they were accepted. */
export interface TermsStepOptions {
  /** Of the terms as they are now. */
  version: string
  /** Keeps it. The step is not done before; after a crash it may come once more. Default: nobody does, but for listeners of `terms_accepted`. */
  save?: (accepted: AcceptedTerms) => unknown
  /** Default `'accept_terms'`; another name where a flow has several. */
  name?: string
  /** Default `'Terms of use'`. */
  title?: string
  /** Such as where they can be read. */
  description?: string
}

/**
 * The step `accept_terms`: `{ accepted: true, version }`, where the version is that of
 * the terms now, so that nobody agrees to others than were shown. Always required.
 * Version and time go to `save`, to the event `terms_accepted`, and stay in the session.
 */
export function termsStep ({ version, save, name = 'accept_terms', title = 'Terms of use', description }: TermsStepOptions): OnboardingStep<TermsSchema> {
  if (typeof version !== 'string' || version === '') throw new TypeError('termsStep() takes the version of the terms, a text that is not empty')
  if (save !== undefined && typeof save !== 'function') throw new TypeError('termsStep() takes save, a function')
  return {
    name,
    schema: Type.Object({ accepted: Type.Literal(true), version: Type.Literal(version) }),
    hint: {
      title,
      ...(description !== undefined && { description }),
      fields: [
        { name: 'accepted', type: 'checkbox', label: 'I accept the terms', required: true },
        { name: 'version', type: 'hidden', label: 'Version', required: true, options: [version] }
      ]
    },
    async execute ({ account, email, user, now }) {
      const acceptedAt = new Date(now)
      await save?.({ email, user, version, acceptedAt })
      await account.acceptTerms(version, acceptedAt)
      return { data: { version, accepted_at: acceptedAt.toISOString() } }
    }
  }
}
