import { RateLimitError } from '../../../errors/account.js'
import type { AuthError } from '../../../errors/auth-error.js'
import { AuthUnavailableError } from '../../../errors/operation.js'

/**
 * What a call of Cognito's is refused with, by the name of Cognito's exception.
 * `said` is Cognito's sentence: it is looked at where one name has several
 * causes, and never passed on.
 */
export type Refusals = Readonly<Record<string, (said: string) => AuthError>>

/** Seconds to wait: for the quota of the pool, for a limit of Cognito's per user, and after failed attempts, which Cognito locks for up to fifteen minutes. */
const WAITS = { quota: 5, limit: 60, failures: 900 }

/** The same for each operation, unless its table says otherwise. */
const ALWAYS: Refusals = {
  TooManyRequestsException: () => new RateLimitError({ retryAfter: WAITS.quota }),
  LimitExceededException: () => new RateLimitError({ retryAfter: WAITS.limit }),
  TooManyFailedAttemptsException: () => new RateLimitError({ retryAfter: WAITS.failures })
}

/** What is thrown for a call that failed. Names that no table has are never a refusal of the user's: Cognito is unavailable. */
export function refusalOf (refusals: Refusals, error: unknown, fault: Error): AuthError {
  const { name, message } = Object(error) as { name?: unknown, message?: unknown }
  // Nobody gets further, whatever is sent: "Unable to verify secret hash for client …", "Client … is configured with secret but …". ("SecretHash does not match" is of a
  // refresh, where the name that the hash is of comes from the client.)
  if (name === 'NotAuthorizedException' && /secret hash|with secret/i.test(String(message))) return unavailable('Cognito does not accept the client secret that is configured.', fault)
  const refuse = typeof name === 'string' ? own(refusals, name) ?? own(ALWAYS, name) : undefined
  return refuse?.(typeof message === 'string' ? message : '') ?? unavailable('A call to Cognito failed.', fault)
}

/** Cognito did not answer, or not as it should. */
export function unavailable (message: string, cause?: unknown): AuthUnavailableError {
  return new AuthUnavailableError({ dependency: 'cognito', message, cause })
}

function own (refusals: Refusals, name: string): Refusals[string] | undefined {
  return Object.hasOwn(refusals, name) ? refusals[name] : undefined
}
