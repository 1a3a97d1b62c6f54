import t from 'tap'
import { Type } from '@sinclair/typebox'
import { registerStep, totpStep, type OnboardingStep } from '../../../lib/onboarding.js'
import { accounts, password } from '../../accounts.js'
import { refused } from '../../build.js'
import { email, given, wholeFlow } from '../../onboarding.js'
import { encryptionKey } from '../../totp.js'

t.test('the whole flow over HTTP', async (t) => {
  const { onboarding } = wholeFlow()
  const built = await accounts(t, { onboarding, encryptionKey })
  const { call } = built
  const start = await call('POST', '/onboarding/start', { email })
  t.equal(start.statusCode, 200)
  t.equal(start.headers['cache-control'], 'no-store')
  const { session, ...first } = start.json()
  t.match(session, /^[\w-]{43}$/)
  t.strictSame(Object.keys(first).sort(), ['completed_steps', 'current_step', 'expires_in', 'hint', 'remaining_steps', 'skipped_steps', 'status'])
  t.strictSame((await call('POST', '/onboarding/resume', { session })).json(), first, 'where it stands')
  refused(t, await call('POST', '/onboarding/skip', { session }), 422, 'ONBOARDING_STEP_FAILED', 'Onboarding step failed')
  let answer = first
  while (answer.status === 'in_progress') {
    const response = await call('POST', '/onboarding/advance', { session, step: answer.current_step, data: given(built, answer.current_step, answer.shown) })
    t.equal(response.statusCode, 200)
    answer = response.json()
    t.notOk('session' in answer)
  }
  t.match(answer, { status: 'complete', token_type: 'Bearer', access_token: String, refresh_token: String, shown: { recovery_codes: Array } })
  t.match((await call('GET', '/me', undefined, answer.access_token)).json(), { email, is_verified: true })
  t.equal((await call('POST', '/refresh', { refresh_token: answer.refresh_token })).statusCode, 200)
  refused(t, await call('POST', '/onboarding/advance', { session }), 409, 'ONBOARDING_FLOW_COMPLETE')
  t.match(built.happened('onboarding_started'), [{ origin: { address: '127.0.0.1' } }])
})

t.test('202 and a challenge where the sign-in asks for more', async (t) => {
  const { call } = await accounts(t, { onboarding: { steps: [registerStep(), totpStep({ required: false })] }, encryptionKey, mfa: { required: true } })
  const { session } = (await call('POST', '/onboarding/start', { email })).json()
  await call('POST', '/onboarding/advance', { session, data: { password } })
  const end = await call('POST', '/onboarding/skip', { session, step: 'setup_totp' })
  t.equal(end.statusCode, 202)
  t.match(end.json(), { status: 'complete', challenge_name: 'MFA_SETUP', session: String, secret: String, skipped_steps: ['setup_totp'] })
  t.notOk('access_token' in end.json())
})

t.test('a flow that makes nobody ends without tokens', async (t) => {
  const list: OnboardingStep = { name: 'waiting_list', schema: Type.Object({}), hint: { title: 'Wait', description: 'There is a list.' }, execute: () => ({ show: { place: 7 } }) }
  const { call } = await accounts(t, { onboarding: { steps: [list] } })
  const start = await call('POST', '/onboarding/start', { email })
  t.match(start.json().hint, { title: 'Wait', description: 'There is a list.', fields: [], skippable: false })
  t.strictSame((await call('POST', '/onboarding/advance', { session: start.json().session })).json(), { status: 'complete', completed_steps: ['waiting_list'], skipped_steps: [], shown: { place: 7 } })
})

t.test('attack: what is not in the schemas of the routes', async (t) => {
  const { call, app } = await accounts(t, { onboarding: { steps: [registerStep()] } })
  const { session } = (await call('POST', '/onboarding/start', { email })).json()
  for (const body of [{}, { email: 'nobody' }, { email, roles: ['admin'] }, { email, user_id: 'x' }]) refused(t, await call('POST', '/onboarding/start', body), 400, 'REQUEST_INVALID')
  for (const body of [{}, { session: '' }, { session: 1 }, { session, password }, { session, data: [] }, { session, data: 'x' }, { session, step: 1 }, { session, skip: true }]) refused(t, await call('POST', '/onboarding/advance', body), 400, 'REQUEST_INVALID')
  for (const body of [{ session, data: {} }, { session, force: true }]) refused(t, await call('POST', '/onboarding/skip', body), 400, 'REQUEST_INVALID')
  refused(t, await call('POST', '/onboarding/resume', { session, step: 'register' }), 400, 'REQUEST_INVALID')
  const polluted = await app.inject({ method: 'POST', url: '/auth/onboarding/advance', headers: { 'content-type': 'application/json' }, payload: `{"session":"${session}","data":{"password":"${password}","__proto__":{"roles":["admin"]}}}` })
  refused(t, polluted, 400, 'REQUEST_INVALID')
  for (const data of [{ password, roles: ['admin'] }, { password, is_verified: true }, { password, id: 'x' }]) refused(t, await call('POST', '/onboarding/advance', { session, data }), 422, 'ONBOARDING_STEP_FAILED')
  const problem = await call('POST', '/onboarding/advance', { session, data: {} }, undefined, { accept: 'application/problem+json' })
  t.match(problem.json(), { status: 422, code: 'ONBOARDING_STEP_FAILED', step_name: 'register', errors: ['password is missing'] })
})
