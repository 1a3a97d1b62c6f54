import Negotiator from 'negotiator'
import { MEDIA_TYPES, type BodyForm } from './error-body.js'

const MAX_LENGTH = 1024
const OFFERED = [MEDIA_TYPES.json, MEDIA_TYPES.problem]

/** The form of body that an Accept header asks for: problem+json when it is named and preferred, else JSON. */
export function bodyForm (accept: unknown): BodyForm {
  // Sorting a long list of media types is dear, and nobody needs one.
  if (typeof accept !== 'string' || accept.length > MAX_LENGTH || !/problem\+json/i.test(accept)) return 'json'
  return new Negotiator({ headers: { accept } }).mediaType(OFFERED) === MEDIA_TYPES.problem ? 'problem' : 'json'
}
