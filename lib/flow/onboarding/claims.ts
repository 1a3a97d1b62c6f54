import type { Clock } from '../../clock.js'
import { OnboardingStepError } from '../../errors/onboarding.js'
import type { OnboardingSessions, OpenSession } from './sessions.js'

/** Who works on a session: one request at a time. */
export interface Claims {
  /** Throws where another request is at work. */
  refuseBusy (session: OpenSession, step: string): void
  /** The session, as that of this request alone. Throws where another is at work. */
  take (session: OpenSession, step: string): Promise<OpenSession>
}

/** How long a request may be at work, in milliseconds: when a process died over it, another goes on after that. */
const LEASE = 30_000

/** By how much the clocks of several servers may differ, in milliseconds. */
const CLOCK_SKEW = 60_000

/** Claims on sessions. */
export function createClaims (sessions: Pick<OnboardingSessions, 'change'>, clock: Clock): Claims {
  function refuseBusy ({ record: { claim } }: OpenSession, step: string): void {
    const left = claim === undefined ? 0 : claim.until - clock()
    // Not for hours: a clock that was set back must not hold a session up.
    if (left > 0 && left <= LEASE + CLOCK_SKEW) throw busy(step)
  }

  return {
    refuseBusy,

    async take (session, step) {
      refuseBusy(session, step)
      const claimed = await sessions.change(session, { claim: { until: clock() + LEASE } })
      if (claimed === undefined) throw busy(step)
      return claimed
    }
  }
}

/** Another request was faster, or is at work. */
export function busy (stepName: string): OnboardingStepError {
  return new OnboardingStepError({ stepName, errors: ['This step is being processed'] })
}
