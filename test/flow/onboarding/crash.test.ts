import t from 'tap'
import { AuthError, memoryStore, type OnboardingAnswer } from '../../../index.js'
import { email, given, wholeFlow } from '../../onboarding.js'
import { codeOf } from '../../totp.js'
import { testClock } from '../../store/engines.js'
import { bare, mortal, type Bare } from './bare.js'
import { readOnboardingSettings } from '../../../lib/onboarding-options.js'
import type { JsonObject } from '../../../lib/onboarding.js'

// The process dies over every call of the store that the whole flow makes,
// before it is done and after. The next process goes on with what there is.

const { onboarding, kept } = wholeFlow()
const settings = readOnboardingSettings(onboarding, { hasKey: true, concealExistingUsers: false })

/** Goes through the flow as a person would, who asks where it stands after each failure. */
async function persist (t: typeof import('tap').t, after: number, done: boolean): Promise<{ deaths: number, died: boolean }> {
  const clock = testClock(Date.now())
  const store = mortal(memoryStore({ clock: clock.now }))
  const start = (): Bare => bare({ steps: settings, store, clock: clock.now })
  let process = start()
  const codes: Bare['events'] = []
  const happened = (() => codes.map(({ event }) => event)) as never
  const { session } = await process.accounts.onboarding.start({ email })
  store.fault = { after, done }
  const shown: Record<string, JsonObject> = {}
  let answer: OnboardingAnswer | undefined
  let [deaths, attempts] = [0, 0]
  while (answer?.status !== 'complete' && attempts++ < 40) {
    try {
      const { current_step: step } = await process.accounts.onboarding.resume(session)
      const data = step === 'setup_totp' && typeof shown[step]?.secret === 'string' ? { code: codeOf(shown[step].secret, (clock.now() - Date.now()) / 1000) } : given({ happened }, step, step === null ? {} : shown[step])
      try {
        answer = await process.accounts.onboarding.advance(session, data)
      } finally {
        codes.push(...process.events.splice(0).filter(({ name }) => name === 'onboarding_code_requested'))
      }
      if (step !== null && answer.shown !== undefined) shown[step] = answer.shown
    } catch (error) {
      const { code, message } = error as AuthError
      if (code === 'ONBOARDING_FLOW_COMPLETE') break
      if (!(error instanceof AuthError) && message !== 'the process died') throw error
      // A code that was used up in vain: the next one, or another secret.
      if (message !== 'the process died' && (error as unknown as { errors: string[] }).errors?.[0] === 'No code has been sent') shown.verify_email = {}
      deaths++
      store.fault = null
      process = start()
      clock.advance(31_000)
    }
  }
  store.fault = null
  const died = deaths > 0
  const users = (await store.users.list({ limit: 9 })).items
  t.equal(users.length, 1, `${after}: one user`)
  t.match(users[0], { email, isVerified: true })
  t.ok(kept.profiles.has(users[0]?.id ?? ''))
  const sessions = (await store.sessions.listLive(users[0]?.id ?? '', clock.now(), { limit: 9 })).items
  if (answer?.status === 'complete') t.ok('access_token' in answer)
  else {
    // The answer was lost after all was done: with the password there is another.
    t.match(await process.accounts.login({ email, password: 'correct horse battery' }), { challenge_name: 'MFA_TOTP' })
  }
  t.ok(sessions.length >= 1 && sessions.length <= 2)
  return { deaths, died }
}

t.test('whenever the process dies, the person goes on, and ends with an account', async (t) => {
  for (const done of [false, true]) {
    let calls = 0
    while ((await persist(t as never, calls, done)).died) calls++
    t.comment(`${calls} calls of the store`)
    t.ok(calls > 60)
  }
})
