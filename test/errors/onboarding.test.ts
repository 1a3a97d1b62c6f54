import t from 'tap'
import { OnboardingSessionExpiredError, OnboardingSessionInvalidError, OnboardingStepError } from '../../lib/errors.js'

t.test('an invalid session: the reason is the detail, and both are public', async (t) => {
  for (const reason of ['Session not found', 'Session has been invalidated', 'Session is not usable'] as const) {
    const error = new OnboardingSessionInvalidError({ reason })
    t.strictSame(error.toJSON(), { status_code: 404, detail: reason, extra: { code: 'ONBOARDING_SESSION_INVALID', reason } })
    t.equal(error.message, reason)
  }
  t.equal(new OnboardingSessionInvalidError().reason, 'Session not found')
  const translated = new OnboardingSessionInvalidError({ reason: 'Session is not usable', detail: 'Inutilisable' })
  t.equal(translated.detail, 'Inutilisable')
  t.equal(translated.reason, 'Session is not usable', 'programs still match on the reason')
})

t.test('a failed step names itself and what was wrong', async (t) => {
  const given = ['Enter a display name']
  const error = new OnboardingStepError({ stepName: 'profile', errors: given })
  given.push('later')
  t.strictSame(error.extra, { code: 'ONBOARDING_STEP_FAILED', step_name: 'profile', errors: ['Enter a display name'] })
  t.equal(error.message, 'Onboarding step failed')
  t.strictSame(new OnboardingStepError({ stepName: 'profile', errors: [] }).extra, { code: 'ONBOARDING_STEP_FAILED', step_name: 'profile' }, 'never empty')
})

t.test('the session id stays on the server', async (t) => {
  const error = new OnboardingSessionExpiredError({ sessionId: 'session-5' })
  t.equal(error.sessionId, 'session-5')
  t.notMatch(JSON.stringify(error), /session-5/)
})
