import type { Static, TSchema } from '@sinclair/typebox'
import type { Origin } from '../../events.js'
import type { Account } from '../../store/contract.js'
import type { Attempt } from '../attempts.js'
import type { TotpSecret } from '../provider.js'

/** What JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
export type JsonObject = { readonly [name: string]: Json }

/** A field of a step, for a client that draws a form. */
export interface StepField {
  readonly name: string
  /** Such as `text`, `email`, `password`, `number`, `checkbox` or `select`: what a form shows. */
  readonly type: string
  readonly label: string
  readonly required: boolean
  /** Of a `select`. */
  readonly options?: ReadonlyArray<string | number>
}

/** What a client is told of a step. */
export interface StepHint {
  readonly title: string
  readonly description?: string
  /** Default: what the schema lists. */
  readonly fields?: readonly StepField[]
}

/** A flow under way, as a step sees it. */
export interface FlowView {
  /** Names the session in events and logs; of no use to anybody else. */
  readonly sessionId: string
  /** The address that the flow was started for. */
  readonly email: string
  /** Whether it was shown, in this session, that the address is the person's. */
  readonly emailVerified: boolean
  /** The user that this session has made; undefined before. */
  readonly user: Account | undefined
  /** What steps have kept, by their names. */
  readonly data: { readonly [step: string]: JsonObject }
  /** Milliseconds since 1970. */
  readonly now: number
  readonly origin: Origin
}

/** What a step can do to the account that the session makes. Each does its work once more without harm, as after a crash. */
export interface StepAccount {
  /**
   * Makes the user of this session, with the session's address; makes nobody a
   * second time. Throws `UserAlreadyExistsError`, `OnboardingStepError` (a
   * password that is not good enough), `RateLimitError`.
   */
  create (user: { password: string, username?: string | null }): Promise<Account>
  /** Counts a code that is asked for, before it is made. Throws `RateLimitError`. */
  beginSend (): Promise<void>
  /** Tells the application, by the event `onboarding_code_requested`, to mail a code. */
  sendCode (code: string, expiresAt: number): Promise<void>
  /** The address was shown to be the person's: so it is verified, now or when the user is made. */
  confirmEmail (): Promise<void>
  /** A secret for an authenticator application, and what to keep until a code of it comes. */
  prepareTotp (): { shown: TotpSecret, sealed: string }
  /** Makes the secret count, by a code of it: recovery codes, or undefined for a wrong code. */
  enrolTotp (sealed: string, code: string): Promise<readonly string[] | undefined>
  /** Counts a guess before it is looked at; tell it when the guess was right. Throws `RateLimitError`. */
  beginGuess (): Promise<Attempt>
  /** Tells the application, by the event `terms_accepted`. */
  acceptTerms (version: string, acceptedAt: Date): Promise<void>
}

/** What a step works with. */
export interface StepContext extends FlowView {
  readonly account: StepAccount
  /** HMAC-SHA-256 of a text, by a key that only who holds the session's token can derive; for what must not be kept as it is. */
  digest (text: string): string
  /** Counts one more of something in this session, also between processes; false when there were more than `max`. */
  count (what: string, max: number): Promise<boolean>
}

/** What came of a step. Nothing at all means that it is done. */
export interface StepOutcome {
  /** False where the step goes on, such as when a code was sent. Default true. */
  readonly done?: boolean
  /** Kept for this step, in place of what it had kept; never part of an answer. */
  readonly data?: JsonObject
  /** For the person, in this one answer; not kept. */
  readonly show?: JsonObject
  /** Why the step refuses: it stays where it is. */
  readonly errors?: readonly string[]
  /** With `errors`: the session is over as well. */
  readonly end?: boolean
}

/** A step of a flow: a plain object. */
export interface OnboardingStep<Schema extends TSchema = TSchema> {
  /** Small letters, digits and underscores, beginning with a letter. */
  readonly name: string
  /** Of the step's data: an object. What it does not list is refused. */
  readonly schema: Schema
  /** For the client, or a function that makes it. */
  readonly hint: StepHint | ((flow: FlowView) => StepHint)
  /** Names of steps that must stand before this one. */
  readonly after?: readonly string[]
  /** Whether the step must be done; only `false` lets it be skipped. Default: it must. */
  isRequired? (flow: FlowView): boolean | Promise<boolean>
  /**
   * Does the step. Nothing it throws, and no `errors`, moves the session on. After a
   * crash, or when it takes longer than 30 seconds, it may run once more.
   */
  execute (context: StepContext, data: Static<Schema>): Promise<StepOutcome | undefined | void> | StepOutcome | undefined | void
}
