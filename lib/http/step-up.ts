import { names } from '../access.js'
import { systemClock, type Clock } from '../clock.js'
import type { User } from '../context.js'
import { StepUpRequiredError } from '../errors/authentication.js'
import { ConfigurationError } from '../errors/operation.js'
import { own } from '../token/claims.js'
import type { Policy } from './policy.js'

/** What a route asks of its callers' sign-in. */
export interface StepUp {
  /** Seconds that may have passed since then; undefined for any time. */
  readonly maxAge: number | undefined
  /** Whether it must have taken a second factor. */
  readonly secondFactor: boolean
}

/**
 * The policy that asks for a sign-in of a kind (RFC 9470), from the keys `maxAge`
 * and `factors` of `config.auth`; undefined where there is neither. Whoever falls
 * short is told all that the route asks for, so that one sign-in is enough.
 * Throws {@link ConfigurationError}, which names the option, for other values.
 */
export function readStepUp (asked: Record<string, unknown>, clock: Clock = systemClock): Policy | undefined {
  const maxAge = own(asked, 'maxAge')
  const factors = own(asked, 'factors')
  if (maxAge === undefined && factors === undefined) return undefined
  if (maxAge !== undefined && !isWholeNumber(maxAge)) throw refuse('maxAge', 'must be a whole number of seconds, 0 or more')
  if (factors !== undefined && factors !== 2) throw refuse('factors', 'must be 2; a single factor is what every sign-in has')
  const wanted: StepUp = { maxAge, secondFactor: factors === 2 }
  const told = { ...(maxAge !== undefined && { maxAge }), ...(factors === 2 && { acrValues: ['mfa'] }) }
  return {
    asks: 'user',
    proofs: [],
    checks: [(user) => isSignedIn(user, wanted, clock) ? undefined : new StepUpRequiredError(told)],
    refusals: [StepUpRequiredError]
  }
}

function isWholeNumber (value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isSignedIn (user: User, { maxAge, secondFactor }: StepUp, clock: Clock): boolean {
  // A password with each request is a sign-in of this moment, by one factor.
  if (user.method === 'basic') return !secondFactor
  // A client that acts for itself has signed nobody in, whatever its token says.
  if (user.machine === true) return false
  if (secondFactor && !hasSecondFactor(own(user.claims, 'amr'))) return false
  return maxAge === undefined || isRecent(user.claims, maxAge, clock() / 1000)
}

// A time to come is no time of a sign-in, but for clocks that differ: the issuer
// cannot have signed the token before, and `iat` was found right by its own clock.
function isRecent (claims: object, maxAge: number, now: number): boolean {
  const signedIn = own(claims, 'auth_time')
  const issued = own(claims, 'iat')
  if (typeof signedIn !== 'number' || !Number.isFinite(signedIn)) return false
  return signedIn >= now - maxAge && signedIn <= Math.max(now, typeof issued === 'number' ? issued : now)
}

/** Methods of RFC 8176, section 2: what somebody knows, and what somebody has or is. */
const KNOWN: readonly string[] = ['pwd', 'pin', 'kba']
const HELD: readonly string[] = ['otp', 'sms', 'tel', 'hwk', 'swk', 'sc', 'mca', 'fpt', 'face', 'iris', 'retina', 'vbm']

/** Whether `amr` speaks of two factors: it says `mfa`, or has a method of either kind. */
function hasSecondFactor (amr: unknown): boolean {
  const methods = names(amr)
  return methods.includes('mfa') || (methods.some((name) => KNOWN.includes(name)) && methods.some((name) => HELD.includes(name)))
}

function refuse (key: string, problem: string): ConfigurationError {
  const option = `config.auth.${key}`
  return new ConfigurationError({ option, message: `${option} ${problem}.` })
}
