import { Type, type Static } from '@sinclair/typebox'
import { ChallengeAnswer } from './challenge-schemas.js'
import { TokensAnswer } from './schemas.js'

const closed = { additionalProperties: false }

const session = Type.String({ minLength: 1, maxLength: 1024, description: 'session of the start' })
const step = Type.Optional(Type.String({ maxLength: 64, description: 'The step that is meant; refused where another one is due, as after a double click' }))
const names = (description: string) => Type.Array(Type.String(), { description })

/** Data of a step: what it holds is for the step's own schema to say. */
const data = Type.Optional(Type.Object({}, { additionalProperties: true, description: 'What the step asks for; see hint.fields' }))

/** Data for the step that is due. */
export const AdvanceBody = Type.Object({ session, step, data }, closed)
/** The step that is due is left out. */
export const SkipBody = Type.Object({ session, step }, closed)
/** A session. */
export const OnboardingBody = Type.Object({ session }, closed)

const Field = Type.Object({
  name: Type.String(),
  type: Type.String({ description: 'Such as text, email, password, number, checkbox, select, code, hidden' }),
  label: Type.String(),
  required: Type.Boolean(),
  options: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Number()]), { description: 'What can be chosen; of a hidden field, its value' }))
})

const Hint = Type.Object({
  title: Type.String(),
  description: Type.Optional(Type.String()),
  fields: Type.Array(Field),
  skippable: Type.Boolean({ description: 'Whether the step may be left out' })
}, { description: 'What to ask the person for' })

const standing = {
  completed_steps: names('Steps that are done'),
  skipped_steps: names('Steps that were left out'),
  shown: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'For the person, in this answer alone: the secret of an authenticator application, recovery codes' }))
}

const progress = {
  status: Type.Literal('in_progress'),
  current_step: Type.Union([Type.String(), Type.Null()], { description: 'The step that is due; null where only the tokens are left, for which advance once more' }),
  hint: Type.Union([Hint, Type.Null()]),
  remaining_steps: names('Steps that are left, the current one first'),
  expires_in: Type.Integer({ minimum: 0, description: 'Seconds that the session has left' }),
  ...standing
}

/** A flow under way. */
export const ProgressAnswer = Type.Object(progress, { description: 'A step is due' })
/** A flow that has begun. */
export const StartedAnswer = Type.Object({ session: Type.String({ description: 'Secret: it stands for this flow in the other requests' }), ...progress }, { description: 'A flow has begun' })

const complete = { status: Type.Literal('complete'), ...standing }

/** 200: the next step, or the end. */
export const OnboardingAnswer = Type.Union([
  ProgressAnswer,
  Type.Object({ ...complete, ...TokensAnswer.properties }),
  Type.Object(complete)
], { description: 'The next step; or complete, with tokens where the flow made a user' })

/** 202: the flow is complete, and the sign-in asks for more. */
export const OnboardingChallengeAnswer = Type.Object({ ...complete, ...ChallengeAnswer.properties }, { description: 'Complete, with a challenge, to be answered at /login/challenge' })

export type AdvanceInput = Static<typeof AdvanceBody>
export type SkipInput = Static<typeof SkipBody>
