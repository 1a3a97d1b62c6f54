import t from 'tap'
import { decodeJwt } from 'jose'
import { eddie } from '../../examples/seed.js'
import { builtServer, refusalOf, type Answer } from './built-server.js'
import { noOathtool, oathtoolCode } from './programs.js'

// Codes that a program makes which knows nothing of this package, over HTTP, as clients send them.

t.test('oathtool and the example server agree', { skip: await noOathtool() }, async (t) => {
  const { send } = await builtServer(t)
  const login = async (): Promise<Answer> => await send('POST', '/auth/login', { email: eddie.email, password: eddie.password })
  const answer = async (code: string, session?: string): Promise<Answer> =>
    await send('POST', '/auth/login/challenge', { session: session ?? (await login()).body.session, challenge_name: 'MFA_TOTP', code })
  const verify = async (code: string, token?: string): Promise<Answer> => await send('POST', '/auth/mfa/totp/verify', { code }, token)

  const { body: { access_token: weak } } = await login()
  const { status, body: { secret = '' } } = await send('POST', '/auth/mfa/totp', {}, weak)
  t.equal(status, 200)
  t.match(secret, /^[A-Z2-7]{32}$/)
  t.strictSame(refusalOf(await verify(await oathtoolCode(secret, -90), weak)), [400, 'MFA_SETUP_FAILED'], 'a code that is too old')
  // A code works once, so what follows is of another step. That before now and that after are taken too, whenever a step ends.
  const first = await oathtoolCode(secret)
  const verified = await verify(first, weak)
  t.equal(verified.status, 200)
  t.equal(verified.body.recovery_codes?.length, 10)

  const challenge = await login()
  t.equal(challenge.status, 202)
  const { session, ...rest } = challenge.body
  t.strictSame(rest, { challenge_name: 'MFA_TOTP', mfa_types: ['MFA_TOTP', 'RECOVERY_CODE'] })
  t.strictSame(refusalOf(await answer(first, session)), [400, 'INVALID_CHALLENGE'], 'the code of the set-up is used up')
  const second = await oathtoolCode(secret, 30)
  const signedIn = await answer(second, session)
  t.equal(signedIn.status, 200)
  const { access_token: strong = '' } = signedIn.body
  t.strictSame(decodeJwt(strong).amr, ['pwd', 'otp', 'mfa'])
  t.strictSame(refusalOf(await answer(second)), [400, 'INVALID_CHALLENGE'], 'that of the sign-in does not work twice')

  t.strictSame(refusalOf(await send('GET', '/payouts', undefined, weak)), [401, 'STEP_UP_REQUIRED'])
  t.equal((await send('GET', '/payouts', undefined, strong)).status, 200)
})
