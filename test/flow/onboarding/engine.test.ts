import t from 'tap'
import { decodeJwt } from 'jose'
import { accounts } from '../../accounts.js'
import { email, walk, wholeFlow } from '../../onboarding.js'
import { encryptionKey } from '../../totp.js'

t.test('the whole flow, from an address to tokens', async (t) => {
  const { onboarding, kept } = wholeFlow()
  const built = await accounts(t, { onboarding, encryptionKey })
  const started = await built.app.bouncer.onboarding.start({ email: ' NORA@example.com' })
  t.match(started, { status: 'in_progress', current_step: 'verify_email', completed_steps: [], skipped_steps: [], expires_in: 3600 })
  const answers = await walk(built, started.session)
  const end = answers.at(-1)
  console.log(JSON.stringify(answers, null, 1).slice(0, 6000))
  if (end === undefined || !('access_token' in end)) return t.fail('no tokens')
  const claims = decodeJwt(end.access_token)
  t.strictSame(claims.amr, ['pwd', 'otp', 'mfa'])
  t.equal(kept.profiles.size, 1)
  console.log(built.events.map(({ name }) => name))
})
