import t, { type Test } from 'tap'
import { AdminCreateUserCommand, AdminGetUserCommand, SetUserMFAPreferenceCommand } from '@aws-sdk/client-cognito-identity-provider'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { Secret, TOTP } from 'otpauth'
import { cognitoProvider } from '../../lib/cognito.js'
import { callerOf, challenged, claims, printed } from './people.js'
import { cognitoLocal, SENT_CODE } from './local.js'

// Against a real cognito-local. What it lacks is in the tests with recorded
// answers: GlobalSignOut, GetTokensFromRefreshToken, EMAIL_OTP, MFA_SETUP,
// SMS_MFA (no call sets it up), required attributes, secret hashes, a wrong
// current password as Cognito tells it, and most exceptions.

const local = await cognitoLocal(t)
const { endpoint, userPoolId, clientId } = local
const provider = cognitoProvider({ region: 'local', endpoint, userPoolId, clientId, timeout: 60 })
const codeOf = (secret: string): string => new TOTP({ secret: Secret.fromBase32(secret) }).generate()
const origin = {}

let people = 0
/** Somebody new, with this password. */
async function somebody (options?: Parameters<typeof local.user>[2]): Promise<{ email: string, password: string }> {
  const person = { email: `person${++people}@example.com`, password: `Pa55word!${people}` }
  await local.user(person.email, person.password, options)
  return person
}

/** Somebody with a second factor, and its secret. */
async function withTotp (): Promise<{ email: string, password: string, secret: string }> {
  const person = await somebody()
  const caller = callerOf((await provider.signIn(person, origin)).access_token)
  const { secret } = await provider.setUpTotp(caller, {}, origin)
  await provider.confirmTotp(caller, codeOf(secret), origin)
  return { ...person, secret }
}

t.test('signing in', async (t) => {
  const person = await somebody({ attributes: [{ Name: 'email_verified', Value: 'true' }], groups: ['editors'] })
  const tokens = await provider.signIn(person, origin)

  t.test('gives tokens that verify as the trust says', async (t) => {
    t.match(tokens, { token_type: 'Bearer', expires_in: 86400, access_token: /^ey/, refresh_token: /^ey/, id_token: /^ey/ })
    const { issuer, audience, jwksUrl } = provider.trust
    const keys = createRemoteJWKSet(new URL(jwksUrl))
    t.match((await jwtVerify(tokens.access_token, keys, { issuer })).payload, { client_id: audience, token_use: 'access', 'cognito:groups': ['editors'] })
    await t.resolves(jwtVerify(tokens.id_token as string, keys, { issuer, audience }))
  })

  t.test('and the account behind them', async (t) => {
    const caller = callerOf(tokens.access_token)
    t.strictSame(await provider.lookUp(caller), { id: caller.user.id, email: person.email, username: null, roles: ['editors'], is_active: true, is_verified: true })
  })

  for (const [name, credentials, reason] of [
    ['wrong', { email: person.email, password: 'n0t-th3-0ne' }, 'wrong_password'],
    ['unknown', { email: 'nobody@example.com', password: person.password }, 'wrong_password']
  ] as const) {
    t.test(`${name}: one answer`, async (t) => {
      const error = await t.rejects(provider.signIn(credentials, origin), { name: 'InvalidCredentialsError', reason })
      t.strictSame(JSON.parse(JSON.stringify(error)), { status_code: 401, detail: 'Invalid credentials', extra: { code: 'INVALID_CREDENTIALS' } })
      t.notOk(printed(error).includes(credentials.password))
    })
  }
})

t.test('a user who must choose a password', async (t) => {
  const { email, password } = await somebody({ temporary: true })
  const challenge = await challenged(provider.signIn({ email, password }, origin))
  t.match(challenge, { challengeName: 'NEW_PASSWORD_REQUIRED', parameters: {}, account: /^[0-9a-f-]{36}$/ })
  t.notOk(printed(challenge).includes(challenge.session), 'what goes on is not printed')
  const context = claims()
  const tokens = await provider.respond(challenge.session, { challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'An0ther!' }, context)
  t.equal(context.count(), 1)
  t.equal(decodeJwt(tokens.access_token).sub, challenge.account)
  await t.rejects(provider.signIn({ email, password }, origin), { name: 'InvalidCredentialsError' })
  await t.resolves(provider.signIn({ email, password: 'An0ther!' }, origin))
})

t.test('an authenticator application', async (t) => {
  const person = await somebody()
  const caller = callerOf((await provider.signIn(person, origin)).access_token)

  t.test('is set up', async (t) => {
    const { secret, otpauth_uri: uri, qr_code: qr } = await provider.setUpTotp(caller, {}, origin)
    t.match(uri, new RegExp(`^otpauth://totp/${userPoolId}:${caller.user.id}\\?`), 'the pool and the user, since nothing better is known')
    t.equal(new URL(uri).searchParams.get('secret'), secret)
    t.match(qr, /^<svg/)
    await t.resolves(provider.signIn(person, origin), 'it does not count yet')
    await t.rejects(provider.confirmTotp(caller, '000000', origin), { name: 'MfaSetupError', reason: 'wrong_code' })
    t.strictSame(await provider.confirmTotp(caller, codeOf(secret), origin), { recovery_codes: [] })
  })

  t.test('is asked for', async (t) => {
    const { email, password, secret } = await withTotp()
    const challenge = await challenged(provider.signIn({ email, password }, origin))
    t.equal(challenge.challengeName, 'MFA_TOTP')
    const context = claims()
    await t.rejects(provider.respond(challenge.session, { challenge_name: 'MFA_TOTP', code: '000000' }, context), { name: 'InvalidChallengeError', reason: 'wrong_code' })
    t.equal(context.count(), 0, 'a wrong answer does not use it up')
    t.match(await provider.respond(challenge.session, { challenge_name: 'MFA_TOTP', code: codeOf(secret) }, context), { token_type: 'Bearer' })
    t.equal(context.count(), 1)
  })

  t.test('is one of two to choose from', async (t) => {
    const { email, password, secret } = await withTotp()
    const first = await challenged(provider.signIn({ email, password }, origin))
    const tokens = await provider.respond(first.session, { challenge_name: 'MFA_TOTP', code: codeOf(secret) }, claims())
    await local.admin.send(new SetUserMFAPreferenceCommand({ AccessToken: tokens.access_token, SMSMfaSettings: { Enabled: true } }))
    const choice = await challenged(provider.signIn({ email, password }, origin))
    t.match(choice, { challengeName: 'SELECT_MFA_TYPE', parameters: { mfa_types: ['SMS_MFA', 'MFA_TOTP'] } })
    const context = claims()
    const chosen = await challenged(provider.respond(choice.session, { challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'MFA_TOTP' }, context))
    t.equal(context.count(), 1, 'the choice is used up before the next challenge')
    t.equal(chosen.challengeName, 'MFA_TOTP')
    t.match(await provider.respond(chosen.session, { challenge_name: 'MFA_TOTP', code: codeOf(secret) }, claims()), { token_type: 'Bearer' })
    await t.rejects(provider.respond(choice.session, { challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'SMS_MFA' }, claims()), { name: 'AuthUnavailableError' }, 'cognito-local cannot send one: unavailable, not let in')
  })

  t.test('is taken away', async (t) => {
    const { email, password, secret } = await withTotp()
    const { session } = await challenged(provider.signIn({ email, password }, origin))
    const tokens = await provider.respond(session, { challenge_name: 'MFA_TOTP', code: codeOf(secret) }, claims())
    await provider.disableTotp(callerOf(tokens.access_token), {}, origin)
    await t.resolves(provider.signIn({ email, password }, origin))
  })

  t.test('race: another request used the challenge up', async (t) => {
    const { email, password, secret } = await withTotp()
    const { session } = await challenged(provider.signIn({ email, password }, origin))
    const lost = new Error('lost')
    await t.rejects(provider.respond(session, { challenge_name: 'MFA_TOTP', code: codeOf(secret) }, claims(lost)), lost, 'no tokens')
  })

  t.test('attack: a stolen access token neither adds nor removes it', async (t) => {
    for (const authTime of [Date.now() / 1000 - 601, undefined, null, '9999999999', NaN]) {
      const stale = callerOf(caller.token, { auth_time: authTime })
      await t.rejects(provider.setUpTotp(stale, { current_password: person.password }, origin), { name: 'StepUpRequiredError', maxAge: 600 })
      await t.rejects(provider.disableTotp(stale, { code: '123456' }, origin), { name: 'StepUpRequiredError', maxAge: 600 })
    }
    const { session } = await challenged(provider.signIn(person, origin))
    t.ok(session, 'it is still asked for')
  })
})

t.test('sessions', async (t) => {
  const person = await somebody()
  const first = await provider.signIn(person, origin)

  t.test('are refreshed', async (t) => {
    const next = await provider.refresh(first.refresh_token, origin)
    t.equal(next.refresh_token, first.refresh_token, 'it stays valid: this pool does not rotate')
    t.not(next.access_token, first.access_token)
    t.equal(decodeJwt(next.access_token).sub, decodeJwt(first.access_token).sub)
    t.equal(next.expires_in, 86400)
  })

  t.test('are revoked, one and not another', async (t) => {
    const other = await provider.signIn(person, origin)
    await provider.revoke(first.refresh_token, false)
    await t.rejects(provider.refresh(first.refresh_token, origin), { name: 'TokenInvalidError' })
    await t.rejects(provider.revoke(first.refresh_token, false), { name: 'TokenInvalidError' })
    await t.resolves(provider.refresh(other.refresh_token, origin))
  })

  t.test('attack: other tokens in place of a refresh token', async (t) => {
    for (const token of [first.access_token, first.id_token as string, 'made-up']) await t.rejects(provider.refresh(token, origin), { name: 'TokenInvalidError' })
  })
})

t.test('passwords', async (t) => {
  const { email, password } = await somebody()

  t.test('are changed', async (t) => {
    const caller = callerOf((await provider.signIn({ email, password }, origin)).access_token)
    await provider.changePassword(caller, { current_password: password, new_password: 'Ch4nged!' }, origin)
    await t.rejects(provider.signIn({ email, password }, origin), { name: 'InvalidCredentialsError' })
    await t.resolves(provider.signIn({ email, password: 'Ch4nged!' }, origin))
  })

  t.test('are reset by a code', async (t) => {
    await provider.requestReset({ email }, origin)
    await t.rejects(provider.reset({ email, code: '111111' }, 'R3set!!!', origin), { name: 'InvalidResetTokenError', reason: 'wrong_code' })
    await provider.reset({ email, code: SENT_CODE }, 'R3set!!!', origin)
    await t.resolves(provider.signIn({ email, password: 'R3set!!!' }, origin))
    await t.rejects(provider.reset({ email, code: SENT_CODE }, 'Ag4in!!!', origin), { name: 'InvalidResetTokenError' }, 'once')
  })

  t.test('attack: whether there is such a user', async (t) => {
    t.equal(await provider.requestReset({ email: 'nobody@example.com' }, origin), undefined)
    await t.rejects(provider.reset({ email: 'nobody@example.com', code: SENT_CODE }, 'R3set!!!', origin), { name: 'InvalidResetTokenError' })
  })
})

t.test('a user whom an administrator made, without a password of their own yet', async (t) => {
  await local.admin.send(new AdminCreateUserCommand({ UserPoolId: userPoolId, Username: 'new@example.com', MessageAction: 'SUPPRESS' }))
  await challenged(provider.signIn({ email: 'new@example.com', password: SENT_CODE }, origin))
  const { UserStatus: status } = await local.admin.send(new AdminGetUserCommand({ UserPoolId: userPoolId, Username: 'new@example.com' }))
  t.equal(status, 'FORCE_CHANGE_PASSWORD', 'nothing was changed by that')
})

t.test('a client that there is not', async (t: Test) => {
  const other = cognitoProvider({ region: 'local', endpoint, userPoolId, clientId: 'nosuchclient', timeout: 60 })
  const error = await t.rejects(other.signIn({ email: 'a@example.com', password: 'hunter2hunter2' }, origin), { name: 'AuthUnavailableError', dependency: 'cognito', cause: { name: 'ResourceNotFoundException', status: 400 } })
  t.notOk(printed(error).includes('hunter2'))
})
