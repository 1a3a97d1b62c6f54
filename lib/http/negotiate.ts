import Negotiator from 'negotiator'
import type { BodyForm } from './error-body.js'

const OFFERED = ['application/json', 'application/problem+json']

/** The form of body that an Accept header asks for: problem+json when it is named and preferred, else JSON. */
export function bodyForm (accept: unknown): BodyForm {
  if (typeof accept !== 'string' || !/problem\+json/i.test(accept)) return 'json'
  return new Negotiator({ headers: { accept } }).mediaType(OFFERED) === 'application/problem+json' ? 'problem' : 'json'
}
