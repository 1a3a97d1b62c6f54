import t from 'tap'
import { callerOf } from './people.js'
import { accessToken, recorded } from './recorded.js'

// Recorded answers: what cognito-local never says of a user, and requests that must not be made.

const cognito = await recorded(t)
const { answers, calls } = cognito
const provider = cognito.provider()
const caller = callerOf(accessToken({ 'cognito:groups': ['editors'] }))
const origin = {}
const attributes = (values: Record<string, string>): Array<{ Name: string, Value: string }> => Object.entries(values).map(([Name, Value]) => ({ Name, Value }))

t.test('an account', async (t) => {
  answers({ GetUser: { Username: 'ada', UserAttributes: attributes({ sub: 'the-sub', email: 'ada@example.com', email_verified: 'false' }) } })
  t.strictSame(await provider.lookUp(caller), { id: 'the-sub', email: 'ada@example.com', username: 'ada', roles: ['editors'], is_active: true, is_verified: false })
  t.strictSame(calls.map(({ body }) => body), [{ AccessToken: caller.token }])
  answers({ GetUser: { Username: 'ada', UserAttributes: attributes({ sub: 'the-sub' }) } })
  t.match(await provider.lookUp(caller), { email: '', is_verified: false }, 'a user without an address')
  for (const odd of [{}, { Username: 'ada' }, { Username: 'ada', UserAttributes: attributes({ email: 'ada@example.com' }) }, { UserAttributes: attributes({ sub: 'the-sub' }) }]) {
    answers({ GetUser: odd })
    await t.rejects(provider.lookUp(caller), { name: 'AuthUnavailableError' })
  }
})

t.test('a current password that is another one', async (t) => {
  answers({})
  const change = (current: unknown, password: unknown): Promise<void> => provider.changePassword(caller, { current_password: current as string, new_password: password as string }, origin)
  for (const current of ['', 'x'.repeat(257), undefined]) await t.rejects(change(current, 'N3w-passw0rd'), { name: 'InvalidPasswordError', code: 'UPDATE_USER_INVALID_PASSWORD' })
  for (const password of ['', ' x', 'x'.repeat(257), undefined]) await t.rejects(change('x', password), { name: 'PasswordPolicyError', code: 'UPDATE_USER_INVALID_PASSWORD' })
  t.strictSame(calls, [], 'is refused without a call')
})

t.test('a reset that cannot be', async (t) => {
  answers({})
  t.equal(await provider.requestReset({ email: 'a b' }, origin), undefined, 'answers as any other')
  await t.rejects(provider.reset({ token: 'x' }, 'N3w-passw0rd', origin), { name: 'InvalidResetTokenError', reason: 'token' })
  await t.rejects(provider.reset({ email: 'a b', code: '123456' }, 'N3w-passw0rd', origin), { name: 'InvalidResetTokenError', reason: 'impossible' })
  await t.rejects(provider.reset({ username: 'ada', code: '' }, 'N3w-passw0rd', origin), { name: 'InvalidResetTokenError', reason: 'impossible' })
  await t.rejects(provider.reset({ username: 'ada', code: '123456' }, ' ', origin), { name: 'PasswordPolicyError', code: 'RESET_PASSWORD_INVALID_PASSWORD' })
  t.strictSame(calls, [])
})

t.test('an authenticator application', async (t) => {
  answers({ AssociateSoftwareToken: { SecretCode: 'JBSWY3DPEHPK3PXP' } })
  const label = async (user: object): Promise<string> => new URL((await cognito.provider({ totpIssuer: 'Example' }).setUpTotp({ ...caller, user: { ...caller.user, ...user } }, {}, origin)).otpauth_uri).pathname
  t.equal(await label({ email: 'ada@example.com' }), '/Example:ada%40example.com')
  t.equal(await label({}), '/Example:the-user')
  t.equal(await label({ claims: { ...caller.user.claims, username: 7 } }), '/Example:the-sub')
  answers({ AssociateSoftwareToken: {} })
  await t.rejects(provider.setUpTotp(caller, {}, origin), { name: 'AuthUnavailableError' })

  answers({ VerifySoftwareToken: { Status: 'ERROR' }, SetUserMFAPreference: {} })
  await t.rejects(provider.confirmTotp(caller, '123456', origin), { name: 'MfaSetupError', reason: 'not_verified' })
  for (const code of ['', '12345', 'abcdef', undefined]) await t.rejects(provider.confirmTotp(caller, code as string, origin), { name: 'MfaSetupError', reason: 'wrong_code' })
  t.strictSame(calls.map(({ operation }) => operation), ['VerifySoftwareToken'], 'it does not count')

  answers({ VerifySoftwareToken: { Status: 'SUCCESS' }, SetUserMFAPreference: {} })
  t.strictSame(await provider.confirmTotp(caller, '123456', origin), { recovery_codes: [] })
  await provider.disableTotp(caller, {}, origin)
  t.strictSame(calls.map(({ body }) => body), [
    { AccessToken: caller.token, UserCode: '123456', FriendlyDeviceName: 'Authenticator application' },
    { AccessToken: caller.token, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } },
    { AccessToken: caller.token, SoftwareTokenMfaSettings: { Enabled: false, PreferredMfa: false } }
  ])
})
