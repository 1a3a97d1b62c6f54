import { Type, type TObject, type TOptional, type TString } from '@sinclair/typebox'
import { equal, randomDigits } from '../../../random.js'
import type { OnboardingStep, StepContext, StepHint, StepOutcome } from '../step.js'

const schema = Type.Object({ code: Type.Optional(Type.String({ maxLength: 64 })) })

/** Data of {@link verifyEmailStep}. */
export type VerifyEmailSchema = TObject<{ code: TOptional<TString> }>

/** How codes are sent. */
export interface VerifyEmailOptions {
  /** How long a code works, in seconds. Default 600. */
  codeTtl?: number
  /** How many codes a session can ask for. Default 5. */
  maxSends?: number
  /** How many guesses a session has, over all its codes; each code has at most five of them. Default 10. */
  maxGuesses?: number
}

const NAME = 'verify_email'
const DIGITS = 6
const GUESSES_PER_CODE = 5
/** Seconds. */
const DAY = 86_400

/** What is kept of the code that was sent last. */
interface Sent { digest: string, expiresAt: number, number: number }

/**
 * The step `verify_email`: without `code` one is sent, by the event
 * `onboarding_code_requested`; with the code the address counts as verified.
 * Always required. Another code takes the place of the one before, and gives no
 * guesses back; whoever guesses too often starts again. Throws `TypeError` for
 * options that cannot be meant.
 */
export function verifyEmailStep ({ codeTtl = 600, maxSends = 5, maxGuesses = 10 }: VerifyEmailOptions = {}): OnboardingStep<VerifyEmailSchema> {
  if (!(typeof codeTtl === 'number' && codeTtl > 0 && codeTtl <= DAY)) throw new TypeError('verifyEmailStep() takes codeTtl in seconds, above 0 and up to a day')
  if (![maxSends, maxGuesses].every((max) => Number.isInteger(max) && max > 0)) throw new TypeError('verifyEmailStep() takes maxSends and maxGuesses, whole numbers above 0')

  async function send ({ account, count, digest, data, now }: StepContext): Promise<StepOutcome> {
    // First: one that is refused for now uses up none of the session's.
    await account.beginSend()
    if (!await count('sends', maxSends)) return { errors: ['No more codes can be sent: start again'], end: true }
    const code = randomDigits(DIGITS)
    const expiresAt = now + codeTtl * 1000
    const number = (sentOf(data)?.number ?? 0) + 1
    await account.sendCode(code, expiresAt)
    return { done: false, data: { digest: digest(code), expiresAt, number }, show: { code_length: DIGITS, expires_in: codeTtl } }
  }

  async function check (code: string, { account, count, digest, data, now }: StepContext): Promise<StepOutcome> {
    const sent = sentOf(data)
    if (sent === undefined) return { errors: ['No code has been sent'] }
    // Before it is looked at: so many at once are no more than so many in a row.
    const attempt = await account.beginGuess()
    if (!await count('guesses', maxGuesses)) return { errors: ['Too many wrong codes: start again'], end: true }
    const isOver = !await count(`guesses of ${sent.number}`, GUESSES_PER_CODE) || sent.expiresAt <= now
    if (isOver) return { errors: ['The code does not work any more: ask for another'] }
    if (!equal(Buffer.from(digest(typed(code))), Buffer.from(sent.digest))) return { errors: ['The code is not the one that was sent last'] }
    await attempt.succeeded()
    await account.confirmEmail()
    return { data: {} }
  }

  return {
    name: NAME,
    schema,
    hint: ({ data }): StepHint => sentOf(data) === undefined
      ? { title: 'Verify your e-mail address', description: 'A code is sent to it when you go on.', fields: [] }
      : {
          title: 'Verify your e-mail address',
          description: 'Enter the code that was sent to it; without a code, another one is sent.',
          fields: [{ name: 'code', type: 'code', label: 'Code', required: true }]
        },
    execute: async (context, { code }) => await (code === undefined || typed(code) === '' ? send(context) : check(code, context))
  }
}

function sentOf (data: StepContext['data']): Sent | undefined {
  const kept = data[NAME] as Partial<Sent> | undefined
  return kept?.digest === undefined ? undefined : kept as Sent
}

/** People copy codes with blanks. */
function typed (code: string): string {
  return code.replace(/\s/g, '')
}
