import t from 'tap'
import fc from 'fast-check'
import type { ChallengeAnswer } from '../../lib/flow/provider.js'
import { packTicket } from '../../lib/flow/cognito/ticket.js'
import { challenged, claims, printed } from './people.js'
import { accessToken, exception, recorded, signedIn } from './recorded.js'

// Recorded answers, since cognito-local has no SMS_MFA, EMAIL_OTP, MFA_SETUP,
// attributes of NEW_PASSWORD_REQUIRED, secret hashes, nor devices and custom
// challenges. What it has is in cognito-local.test.ts.

const cognito = await recorded(t)
const { answers, calls } = cognito
const provider = cognito.provider()
const credentials = { username: 'somebody', password: 'hunter2hunter2' }
const origin = {}
const SECRET = 'JBSWY3DPEHPK3PXP'

/** What `InitiateAuth` answers with a challenge. */
const asks = (name: string, parameters: Record<string, unknown> = {}): Record<string, unknown> => ({ ChallengeName: name, ChallengeParameters: { USER_ID_FOR_SRP: 'the-sub', ...parameters }, Session: `session-of-${name}` })
const ticket = (challenge: string, choices: string[] = []): string => packTicket({ challenge: challenge as 'SMS_MFA', session: 'the-session', username: 'the-sub', label: 'somebody', choices })

t.test('signing in', async (t) => {
  const token = accessToken()
  answers({ InitiateAuth: signedIn({ AccessToken: token }) })
  t.strictSame(await provider.signIn(credentials, origin), { access_token: token, refresh_token: 'the.refresh.to.ken', token_type: 'Bearer', expires_in: 3600, id_token: 'the.id.token' })
  t.match(calls, [{ operation: 'InitiateAuth', body: { AuthFlow: 'USER_PASSWORD_AUTH', ClientId: 'testclientid' } }])
  t.strictSame(calls[0]?.body['AuthParameters'], { USERNAME: 'somebody', PASSWORD: 'hunter2hunter2' }, 'no hash without a secret')
  t.notOk('authorization' in (calls[0]?.headers ?? {}), 'the call is not signed')
  await provider.signIn({ email: 'a@example.com', password: 'x' }, origin)
  t.match(calls[1]?.body['AuthParameters'], { USERNAME: 'a@example.com' })
})

t.test('with a client secret', async (t) => {
  answers({ InitiateAuth: asks('SMS_MFA'), RespondToAuthChallenge: signedIn() })
  const secret = cognito.provider({ clientId: 'testclientid', clientSecret: 'test-secret' })
  const { session } = await challenged(secret.signIn({ email: 'user@example.com', password: 'x' }, origin))
  await secret.respond(session, { challenge_name: 'SMS_MFA', code: '123456' }, claims())
  const [first, second] = calls.map(({ body }) => (body['AuthParameters'] ?? body['ChallengeResponses']) as Record<string, string>)
  t.match(first?.['SECRET_HASH'], /^[\w+/]{43}=$/)
  t.not(second?.['SECRET_HASH'], first?.['SECRET_HASH'], 'that of the name that the answer gives')
  t.notOk(JSON.stringify(calls).includes('test-secret'))
})

t.test('what cannot be a user name or a password is refused without a call', async (t) => {
  answers({ InitiateAuth: signedIn() })
  for (const odd of [{ username: '' }, { password: '' }, { username: 'a b' }, { username: 'a\n' }, { username: 'a'.repeat(129) }, { username: 'a'.repeat(1_000_000) }, { password: 'a'.repeat(257) }, { username: undefined }, { password: undefined }, { username: 7 }, { password: {} }]) {
    await t.rejects(provider.signIn({ ...credentials, ...odd } as typeof credentials, origin), { name: 'InvalidCredentialsError', reason: 'impossible' })
  }
  t.strictSame(calls, [])
})

t.test('codes that are sent', async (t) => {
  for (const [name, key] of [['SMS_MFA', 'SMS_MFA_CODE'], ['EMAIL_OTP', 'EMAIL_OTP_CODE']] as const) {
    answers({ InitiateAuth: asks(name, { CODE_DELIVERY_DESTINATION: '+*******1234' }), RespondToAuthChallenge: signedIn() })
    const challenge = await challenged(provider.signIn(credentials, origin))
    t.match(challenge, { challengeName: name, account: 'the-sub', parameters: { destination: '+*******1234' } })
    const context = claims()
    t.match(await provider.respond(challenge.session, { challenge_name: name, code: '12345678' }, context), { token_type: 'Bearer' })
    t.equal(context.count(), 1)
    t.strictSame(calls[1]?.body, { ChallengeName: name, ChallengeResponses: { USERNAME: 'the-sub', [key]: '12345678' }, ClientId: 'testclientid', Session: `session-of-${name}` })
  }
  answers({ InitiateAuth: { ...asks('SMS_MFA'), ChallengeParameters: undefined } })
  const bare = await challenged(provider.signIn(credentials, origin))
  t.match(bare, { account: 'somebody' }, 'the name given, where Cognito tells none')
  t.strictSame(bare.parameters, {})
})

t.test('a new password with attributes', async (t) => {
  answers({ InitiateAuth: asks('NEW_PASSWORD_REQUIRED', { requiredAttributes: '["userAttributes.given_name","userAttributes.custom:team"]' }), RespondToAuthChallenge: signedIn() })
  const challenge = await challenged(provider.signIn(credentials, origin))
  t.strictSame(challenge.parameters, { required_attributes: ['given_name', 'custom:team'] })
  const answer = { challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'N3w-passw0rd' } as const
  const attributes = { given_name: 'Ada', 'custom:team': 'blue' }

  t.test('attack: others than those asked for, which may give rights', async (t) => {
    calls.length = 0
    for (const odd of [undefined, {}, { given_name: 'Ada' }, { ...attributes, 'custom:role': 'admin' }, { given_name: 'Ada', 'custom:role': 'admin' }, { ...attributes, given_name: '' }, { ...attributes, given_name: 7 }]) {
      await t.rejects(provider.respond(challenge.session, { ...answer, attributes: odd as Record<string, string> }, claims()), { name: 'InvalidChallengeError', reason: 'attributes' })
    }
    t.strictSame(calls, [])
  })

  t.test('a password that no pool takes', async (t) => {
    for (const password of ['', ' x', 'x ', 'x'.repeat(257), undefined]) {
      await t.rejects(provider.respond(challenge.session, { ...answer, attributes, new_password: password as string }, claims()), { name: 'PasswordPolicyError', code: 'PASSWORD_POLICY_VIOLATION' })
    }
    t.strictSame(calls, [])
  })

  await provider.respond(challenge.session, { ...answer, attributes }, claims())
  t.strictSame(calls[0]?.body['ChallengeResponses'], { USERNAME: 'the-sub', NEW_PASSWORD: 'N3w-passw0rd', 'userAttributes.given_name': 'Ada', 'userAttributes.custom:team': 'blue' })
})

t.test('a second factor that must be set up', async (t) => {
  const setup = {
    InitiateAuth: asks('MFA_SETUP', { MFAS_CAN_SETUP: '["SOFTWARE_TOKEN_MFA","EMAIL_OTP"]' }),
    AssociateSoftwareToken: { SecretCode: SECRET, Session: 'session-associated' },
    VerifySoftwareToken: { Status: 'SUCCESS', Session: 'session-verified' },
    RespondToAuthChallenge: signedIn()
  }

  t.test('and is', async (t) => {
    answers(setup)
    const challenge = await challenged(cognito.provider({ totpIssuer: 'Example' }).signIn(credentials, origin))
    t.match(challenge, { challengeName: 'MFA_SETUP', parameters: { secret: SECRET, otpauth_uri: /^otpauth:\/\/totp\/Example:somebody\?/, qr_code: /^<svg/ } })
    t.notOk(printed(challenge).includes(SECRET))
    const context = claims()
    t.match(await provider.respond(challenge.session, { challenge_name: 'MFA_SETUP', code: '123456' }, context), { token_type: 'Bearer' })
    t.equal(context.count(), 1)
    t.match(calls, [
      { operation: 'InitiateAuth' },
      { operation: 'AssociateSoftwareToken', body: { Session: 'session-of-MFA_SETUP' } },
      { operation: 'VerifySoftwareToken', body: { Session: 'session-associated', UserCode: '123456' } },
      { operation: 'RespondToAuthChallenge', body: { ChallengeName: 'MFA_SETUP', Session: 'session-verified', ChallengeResponses: { USERNAME: 'the-sub' } } }
    ])
  })

  t.test('after a new password', async (t) => {
    answers({ ...setup, InitiateAuth: asks('NEW_PASSWORD_REQUIRED', { requiredAttributes: '[]' }), AssociateSoftwareToken: { SecretCode: SECRET }, RespondToAuthChallenge: [{ ...asks('MFA_SETUP'), ChallengeParameters: {} }, signedIn()] })
    const first = await challenged(provider.signIn(credentials, origin))
    t.strictSame(first.parameters, {})
    const context = claims()
    const second = await challenged(provider.respond(first.session, { challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'N3w-passw0rd' }, context))
    t.equal(context.count(), 1)
    t.match(second, { challengeName: 'MFA_SETUP', account: 'the-sub', parameters: { otpauth_uri: /:somebody\?/ } }, 'the name somebody signed in with')
    await provider.respond(second.session, { challenge_name: 'MFA_SETUP', code: '123456' }, claims())
    t.match(calls.at(-2), { operation: 'VerifySoftwareToken', body: { Session: 'session-of-MFA_SETUP' } }, 'the session before, where Cognito gives no new one')
  })

  t.test('and is not', async (t) => {
    for (const [answer, name] of [
      [exception('EnableSoftwareTokenMFAException'), 'InvalidChallengeError'],
      [exception('CodeMismatchException'), 'InvalidChallengeError'],
      [{ Status: 'ERROR', Session: 's' }, 'AuthUnavailableError'],
      [{ Session: 's' }, 'AuthUnavailableError'],
      [{ Status: 'SUCCESS' }, 'AuthUnavailableError']
    ] as const) {
      answers({ ...setup, VerifySoftwareToken: answer })
      const { session } = await challenged(provider.signIn(credentials, origin))
      const context = claims()
      await t.rejects(provider.respond(session, { challenge_name: 'MFA_SETUP', code: '123456' }, context), { name })
      t.equal(context.count(), 0)
      t.notOk(calls.some(({ operation }) => operation === 'RespondToAuthChallenge'), 'nothing goes on')
    }
  })

  t.test('but cannot be here', async (t) => {
    for (const odd of [
      { InitiateAuth: asks('MFA_SETUP', { MFAS_CAN_SETUP: '["EMAIL_OTP"]' }) },
      { AssociateSoftwareToken: {} },
      { AssociateSoftwareToken: { SecretCode: 'not base32!' } },
      { AssociateSoftwareToken: exception('NotAuthorizedException') },
      { AssociateSoftwareToken: exception('SoftwareTokenMFANotFoundException') }
    ]) {
      answers({ ...setup, ...odd })
      await t.rejects(provider.signIn(credentials, origin), { name: 'AuthUnavailableError', dependency: 'cognito' })
    }
  })
})

t.test('a choice', async (t) => {
  answers({ InitiateAuth: asks('SELECT_MFA_TYPE', { MFAS_CAN_CHOOSE: '["SMS_MFA","SOFTWARE_TOKEN_MFA","EMAIL_OTP","WEB_AUTHN"]' }), RespondToAuthChallenge: asks('EMAIL_OTP') })
  const { session, parameters } = await challenged(provider.signIn(credentials, origin))
  t.strictSame(parameters, { mfa_types: ['SMS_MFA', 'MFA_TOTP', 'EMAIL_OTP'] }, 'of those that are supported')
  await challenged(provider.respond(session, { challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'EMAIL_OTP' }, claims()))
  t.strictSame(calls[1]?.body['ChallengeResponses'], { USERNAME: 'the-sub', ANSWER: 'EMAIL_OTP' })
  calls.length = 0
  for (const type of ['RECOVERY_CODE', 'MFA_SETUP', 'constructor', 'SOFTWARE_TOKEN_MFA', undefined]) {
    await t.rejects(provider.respond(session, { challenge_name: 'SELECT_MFA_TYPE', mfa_type: type as 'SMS_MFA' }, claims()), { name: 'InvalidChallengeError', reason: 'no_such_choice' })
  }
  await t.rejects(provider.respond(ticket('SELECT_MFA_TYPE', ['SMS_MFA']), { challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'MFA_TOTP' }, claims()), { name: 'InvalidChallengeError', reason: 'no_such_choice' })
  await t.rejects(provider.respond(ticket('SELECT_MFA_TYPE', ['MFA_SETUP']), { challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'MFA_SETUP' }, claims()), { name: 'InvalidChallengeError', reason: 'no_such_choice' })
  t.strictSame(calls, [])
  for (const text of [undefined, '[]', '["WEB_AUTHN"]', '["constructor"]', 'no json', '{}', '[1]', 'null']) {
    answers({ InitiateAuth: asks('SELECT_MFA_TYPE', { MFAS_CAN_CHOOSE: text }) })
    await t.rejects(provider.signIn(credentials, origin), { name: 'AuthUnavailableError' }, String(text))
  }
})

t.test('attack: a challenge that nobody here knows is not passed over', async (t) => {
  const names = ['CUSTOM_CHALLENGE', 'DEVICE_SRP_AUTH', 'DEVICE_PASSWORD_VERIFIER', 'PASSWORD_VERIFIER', 'SELECT_CHALLENGE', 'WEB_AUTHN', 'PASSWORD', 'PASSWORD_SRP', 'SMS_OTP', 'ADMIN_NO_SRP_AUTH', 'constructor', '__proto__', '', 'ME\nAND <YOU>', 'MFA_TOTP']
  for (const name of names) {
    answers({ InitiateAuth: { ...asks(name), ...signedIn() }, RespondToAuthChallenge: { ...asks(name), ...signedIn() } })
    const error = await t.rejects(provider.signIn(credentials, origin), { name: 'AuthUnavailableError', dependency: 'cognito' }, `${name}, though there are tokens beside it`)
    t.match((error as unknown as Error).message, /^Cognito asks for \w+( \w+)?, which is not supported\.$/)
    await t.rejects(provider.respond(ticket('SMS_MFA'), { challenge_name: 'SMS_MFA', code: '123456' }, claims()), { name: 'AuthUnavailableError' })
  }
  answers({ InitiateAuth: { ...asks('SMS_MFA'), Session: undefined, ...signedIn() } })
  await t.rejects(provider.signIn(credentials, origin), { name: 'AuthUnavailableError' }, 'nor one that cannot be answered')
})

t.test('attack: half a sign-in is none', async (t) => {
  for (const odd of [{}, { AuthenticationResult: {} }, signedIn({ AccessToken: undefined }), signedIn({ RefreshToken: undefined }), signedIn({ ExpiresIn: undefined, AccessToken: accessToken({ exp: undefined }) }), signedIn({ ExpiresIn: undefined, AccessToken: 'opaque' }), signedIn({ ExpiresIn: undefined, AccessToken: 'a.bnVsbA.b' })]) {
    answers({ InitiateAuth: odd })
    await t.rejects(provider.signIn(credentials, origin), { name: 'AuthUnavailableError' })
  }
  answers({ InitiateAuth: signedIn({ ExpiresIn: undefined, IdToken: undefined, AccessToken: accessToken({ username: 7 }) }) })
  const tokens = await provider.signIn(credentials, origin)
  t.equal(tokens.expires_in, 3600, 'as long as the token says')
  t.notOk('id_token' in tokens)
})

t.test('attack: an answer to another challenge', async (t) => {
  answers({ RespondToAuthChallenge: signedIn(), VerifySoftwareToken: { Status: 'SUCCESS', Session: 's' } })
  const all: ChallengeAnswer[] = [
    { challenge_name: 'MFA_TOTP', code: '123456' },
    { challenge_name: 'SMS_MFA', code: '123456' },
    { challenge_name: 'EMAIL_OTP', code: '123456' },
    { challenge_name: 'MFA_SETUP', code: '123456' },
    { challenge_name: 'RECOVERY_CODE', code: '123456' },
    { challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'N3w-passw0rd' },
    { challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'SMS_MFA' }
  ]
  const fitting: Record<string, string> = { SOFTWARE_TOKEN_MFA: 'MFA_TOTP', SMS_MFA: 'SMS_MFA', EMAIL_OTP: 'EMAIL_OTP', MFA_SETUP: 'MFA_SETUP', NEW_PASSWORD_REQUIRED: 'NEW_PASSWORD_REQUIRED', SELECT_MFA_TYPE: 'SELECT_MFA_TYPE' }
  for (const [challenge, fits] of Object.entries(fitting)) {
    for (const answer of all) {
      if (answer.challenge_name === fits) continue
      const context = claims()
      await t.rejects(provider.respond(ticket(challenge), answer, context), { name: 'InvalidChallengeError', reason: 'other_challenge' })
      t.equal(context.count(), 0)
    }
  }
  t.strictSame(calls, [], 'no call was made')
})

t.test('codes that cannot be right are refused without a call', async (t) => {
  answers({})
  for (const [challenge, name, codes] of [
    ['SOFTWARE_TOKEN_MFA', 'MFA_TOTP', ['', '12345', '1234567', '12345a', '１２３４５６', undefined, 123456]],
    ['MFA_SETUP', 'MFA_SETUP', ['', '12345', '1234567', ' 123456']],
    ['SMS_MFA', 'SMS_MFA', ['', '12 34', 'x'.repeat(65), undefined]],
    ['EMAIL_OTP', 'EMAIL_OTP', ['', '\n']]
  ] as const) {
    for (const code of codes) await t.rejects(provider.respond(ticket(challenge), { challenge_name: name, code: code as string }, claims()), { name: 'InvalidChallengeError', reason: 'wrong_code' })
  }
  t.strictSame(calls, [])
})

t.test('attack: a session that was never given out', async (t) => {
  answers({ RespondToAuthChallenge: signedIn() })
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const good: unknown[] = ['SMS_MFA', 'the-session', 'the-sub', 'somebody', []]
  const made = ['', 'x', '🙂', undefined, null, 7, 'A'.repeat(16_385), encode(null), encode({}), encode([]), encode('SMS_MFA'), encode({ ...good, length: 5 }),
    ...['constructor', '__proto__', 'CUSTOM_CHALLENGE', 7].map((name) => encode([name, ...good.slice(1)])),
    ...[1, 2, 3].flatMap((index) => [encode(good.with(index, '')), encode(good.with(index, 7))]), encode(good.with(4, [7])), encode(good.with(4, 'x')), encode(good.slice(0, 4))]
  const respond = (session: string): Promise<unknown> => provider.respond(session, { challenge_name: 'SMS_MFA', code: '123456' }, claims())
  for (const session of made) await t.rejects(respond(session as string), { name: 'InvalidChallengeError', reason: 'foreign' })
  await fc.assert(fc.asyncProperty(fc.oneof(fc.string(), fc.base64String(), fc.json().map((text) => Buffer.from(text).toString('base64url'))), async (session) => {
    await t.rejects(respond(session), { name: 'InvalidChallengeError', reason: 'foreign' })
  }))
  t.strictSame(calls, [], 'no call was made')
  t.match(await respond(encode(good)), { token_type: 'Bearer' })
})
