import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { ConfigurationError, validateOptions, type AuthPluginOptions, type Challenge, type ChallengeResponse, type SignInAnswer } from '../../../index.js'
import { accounts, cheapHash, clock, password, tokensOf, type AccountsApp } from '../../accounts.js'
import { build, options, refused } from '../../build.js'
import { rejection } from '../../rejection.js'
import { codeOf, encryptionKey, enrol, wrongCode } from '../../totp.js'
import { memoryStore } from '../../../index.js'

const another = 'another horse battery'
const third = 'a third horse battery'

function challengeOf (answer: SignInAnswer, name: string): Challenge {
  if (!('challenge_name' in answer) || answer.challenge_name !== name) throw new Error(`no challenge ${name}`)
  return answer
}

const newPassword = ({ session }: Challenge, password: string): ChallengeResponse => ({ session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: password })

/** An application, and somebody whose password is for one sign-in. */
async function withTemporary (t: Test, options: AuthPluginOptions = {}): Promise<AccountsApp & { id: string, email: string }> {
  const built = await accounts(t, options)
  const { id, email } = await built.app.bouncer.users.create({ email: 'ada@example.com', password, must_change_password: true, is_verified: true })
  return { ...built, id, email }
}

t.test('NEW_PASSWORD_REQUIRED: a password for one sign-in, which sets another', async (t) => {
  const built = await withTemporary(t)
  const { app, email, id, call } = built
  const login = await call('POST', '/login', { email, password })
  t.equal(login.statusCode, 202)
  const { session, ...rest } = login.json()
  t.strictSame(rest, { challenge_name: 'NEW_PASSWORD_REQUIRED' })

  const weak = await call('POST', '/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'x' })
  refused(t, weak, 400, 'PASSWORD_POLICY_VIOLATION')
  t.ok(weak.json().extra.errors.length > 0)
  const same = await call('POST', '/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: password })
  t.strictSame(same.json().extra.errors, ['Password must be another one than before'])
  t.strictSame(built.happened('password_changed'), [])

  const done = await call('POST', '/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: another })
  t.equal(done.statusCode, 200)
  t.equal((await call('GET', '/me', undefined, done.json().access_token)).statusCode, 200)
  t.match(built.happened('password_changed'), [{ user: { id } }])
  t.equal(built.happened('user_login').length, 1)
  t.match(await rejection(app.bouncer.login({ email, password })), { code: 'INVALID_CREDENTIALS' })
  t.ok(await tokensOf(app.bouncer.login({ email, password: another })), 'from then on it is a password as any other')
  refused(t, await call('POST', '/login/challenge', { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: third }), 400, 'INVALID_CHALLENGE')
})

t.test('passwords that are too easy are no guesses: five of them lock nobody out', async (t) => {
  const { app, email } = await withTemporary(t)
  for (let round = 0; round < 3; round++) {
    const challenge = challengeOf(await app.bouncer.login({ email, password }), 'NEW_PASSWORD_REQUIRED')
    for (let attempt = 0; attempt < 4; attempt++) t.match(await rejection(app.bouncer.challenges.respond(newPassword(challenge, 'x'))), { code: 'PASSWORD_POLICY_VIOLATION' })
    if (round === 2) t.ok(await tokensOf(app.bouncer.challenges.respond(newPassword(challenge, another))))
  }
})

t.test('a listener that fails keeps nobody from the recovery codes', async (t) => {
  const { app } = await accounts(t, { encryptionKey, events: { propagate: true }, mfa: { required: ({ roles }) => roles.includes('admin') } })
  app.bouncer.events.on('mfa_enabled', () => { throw new Error('the mail server is down') })
  const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  const { secret } = await app.bouncer.mfa.setUp(id, { auth_time: Date.now() / 1000 })
  t.equal((await app.bouncer.mfa.confirm(id, codeOf(secret))).recovery_codes.length, 10)
  await app.bouncer.mfa.reset(id)
  await app.bouncer.users.update(id, { roles: ['admin'] })
  const challenge = challengeOf(await app.bouncer.login({ email, password }), 'MFA_SETUP')
  const answer = await app.bouncer.challenges.respond({ session: challenge.session, challenge_name: 'MFA_SETUP', code: codeOf(challenge.secret as string) })
  t.equal((answer as unknown as { recovery_codes: string[] }).recovery_codes.length, 10)
})

t.test('long names: the link and its picture hold what there is room for', async (t) => {
  const { app } = await accounts(t, { encryptionKey, mfa: { required: true, name: '\u5927'.repeat(100) } })
  const email = `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.example.com`
  await app.bouncer.users.create({ email, password })
  const { qr_code: picture, otpauth_uri: uri } = challengeOf(await app.bouncer.login({ email, password }), 'MFA_SETUP')
  t.match(picture, /^<svg/)
  t.ok((uri as string).length < 2000)
})

t.test('an administrator asks for another password: sessions end, whichever it is', async (t) => {
  const { app, signUp, call, happened } = await accounts(t)
  const admin = await signUp({ roles: ['admin'] })
  const user = await signUp()
  t.equal((await call('PATCH', `/users/${user.id}`, { must_change_password: true }, admin.access_token)).statusCode, 200)
  t.match(happened('user_updated').at(-1), { fields: ['must_change_password'] })
  refused(t, await call('GET', '/me', undefined, user.access_token), 401, 'TOKEN_REVOKED')
  refused(t, await call('POST', '/refresh', { refresh_token: user.refresh_token }), 401, 'TOKEN_REVOKED')
  challengeOf(await app.bouncer.login({ email: user.email, password }), 'NEW_PASSWORD_REQUIRED')
  await app.bouncer.users.update(user.id, { must_change_password: false })
  t.ok(await tokensOf(app.bouncer.login({ email: user.email, password })))
  await app.bouncer.users.update(user.id, { password: another, must_change_password: true })
  challengeOf(await app.bouncer.login({ email: user.email, password: another }), 'NEW_PASSWORD_REQUIRED')
  await app.bouncer.users.setPassword(user.id, third)
  t.ok(await tokensOf(app.bouncer.login({ email: user.email, password: third })), 'a password that is set without saying so is one to keep')
  await t.rejects(app.bouncer.users.update(user.id, { must_change_password: 'false' as unknown as boolean }), TypeError)
})

t.test('a password that was reset, or changed, need not be changed again', async (t) => {
  const { app, id, email, happened } = await withTemporary(t)
  await app.bouncer.passwords.requestReset(email)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await app.bouncer.passwords.reset(happened('password_reset_requested')[0]?.token as string, another)
  t.ok(await tokensOf(app.bouncer.login({ email, password: another })))
  await app.bouncer.users.update(id, { must_change_password: true })
  await app.bouncer.profile.changePassword(id, { current_password: another, new_password: third })
  t.ok(await tokensOf(app.bouncer.login({ email, password: third })))
})

t.test('attack: the password of an account with a second factor is not set by who has only the password', async (t) => {
  const built = await withTemporary(t, { encryptionKey })
  const { app, id, email } = built
  const { secret } = await enrol(app, id)
  const challenge = challengeOf(await app.bouncer.login({ email, password }), 'MFA_TOTP')
  t.match(await rejection(app.bouncer.challenges.respond(newPassword(challenge, another))), { code: 'INVALID_CHALLENGE', reason: 'other_challenge' })
  const next = challengeOf(await app.bouncer.challenges.respond({ session: challenge.session, challenge_name: 'MFA_TOTP', code: codeOf(secret) }), 'NEW_PASSWORD_REQUIRED')
  t.not(next.session, challenge.session)
  const { access_token: token } = await tokensOf(app.bouncer.challenges.respond(newPassword(next, another)))
  t.match(decodeJwt(token), { sub: id, amr: ['pwd', 'otp', 'mfa'] })
})

t.test('race: two new passwords for one challenge: one is set', async (t) => {
  const built = await withTemporary(t)
  const challenge = challengeOf(await built.app.bouncer.login({ email: built.email, password }), 'NEW_PASSWORD_REQUIRED')
  const outcomes = await Promise.allSettled([another, third].map((one) => built.app.bouncer.challenges.respond(newPassword(challenge, one))))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  t.equal(built.happened('password_changed').length, 1)
})

t.test('race: a new password under another challenge of the same account', async (t) => {
  const built = await withTemporary(t)
  const [first, second] = [challengeOf(await built.app.bouncer.login({ email: built.email, password }), 'NEW_PASSWORD_REQUIRED'), challengeOf(await built.app.bouncer.login({ email: built.email, password }), 'NEW_PASSWORD_REQUIRED')]
  const outcomes = await Promise.allSettled([built.app.bouncer.challenges.respond(newPassword(first, another)), built.app.bouncer.challenges.respond(newPassword(second, third))])
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  t.equal((await built.app.bouncer.sessions.list(built.id)).items.length, 1)
})

t.test('MFA_SETUP: where a second factor is required, it is set up on the way', async (t) => {
  const built = await accounts(t, { encryptionKey, mfa: { required: true, name: 'The Archive' } })
  const { app, call, happened } = built
  const { id, email } = await app.bouncer.users.create({ email: 'ada@example.com', password })
  const login = await call('POST', '/login', { email, password })
  t.equal(login.statusCode, 202)
  const challenge = login.json()
  t.strictSame(Object.keys(challenge).sort(), ['challenge_name', 'otpauth_uri', 'qr_code', 'secret', 'session'])
  t.equal(challenge.challenge_name, 'MFA_SETUP')
  t.match(challenge.otpauth_uri, /^otpauth:\/\/totp\/The%20Archive:ada%40example\.com\?issuer=The%20Archive&secret=[A-Z2-7]{32}&algorithm=SHA1&digits=6&period=30$/)
  t.match(challenge.qr_code, /^<svg/)
  refused(t, await call('POST', '/login/challenge', { session: challenge.session, challenge_name: 'MFA_SETUP', code: wrongCode(challenge.secret) }), 400, 'INVALID_CHALLENGE')
  t.strictSame(await app.bouncer.mfa.status(id), { totp: false, recovery_codes_left: 0 })

  const done = await call('POST', '/login/challenge', { session: challenge.session, challenge_name: 'MFA_SETUP', code: codeOf(challenge.secret) })
  t.equal(done.statusCode, 200)
  t.equal(done.json().recovery_codes.length, 10)
  t.match(decodeJwt(done.json().access_token), { amr: ['pwd', 'otp', 'mfa'] })
  t.match(happened('mfa_enabled'), [{ user: { id } }])
  const next = challengeOf(await app.bouncer.login({ email, password }), 'MFA_TOTP')
  t.match(await rejection(app.bouncer.challenges.respond({ session: next.session, challenge_name: 'MFA_TOTP', code: codeOf(challenge.secret) })), { reason: 'wrong_code' }, 'the code of the set-up is used up')
  t.ok(await tokensOf(app.bouncer.challenges.respond({ session: next.session, challenge_name: 'RECOVERY_CODE', code: done.json().recovery_codes[9] })))
})

t.test('a whole chain: a temporary password, and then a second factor', async (t) => {
  const { app, email } = await withTemporary(t, { encryptionKey, mfa: { required: true } })
  const first = challengeOf(await app.bouncer.login({ email, password }), 'NEW_PASSWORD_REQUIRED')
  const second = challengeOf(await app.bouncer.challenges.respond(newPassword(first, another)), 'MFA_SETUP')
  t.ok(await tokensOf(app.bouncer.challenges.respond({ session: second.session, challenge_name: 'MFA_SETUP', code: codeOf(second.secret as string) })))
})

t.test('race: two set-ups of one account: one counts', async (t) => {
  const built = await accounts(t, { encryptionKey, mfa: { required: true } })
  const { id, email } = await built.app.bouncer.users.create({ email: 'ada@example.com', password })
  const challenges = [challengeOf(await built.app.bouncer.login({ email, password }), 'MFA_SETUP'), challengeOf(await built.app.bouncer.login({ email, password }), 'MFA_SETUP')]
  const outcomes = await Promise.allSettled(challenges.map(({ session, secret }) => built.app.bouncer.challenges.respond({ session, challenge_name: 'MFA_SETUP', code: codeOf(secret as string) })))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  t.strictSame(await built.app.bouncer.mfa.status(id), { totp: true, recovery_codes_left: 10 })
  t.equal(built.happened('mfa_enabled').length, 1)
})

t.test('who must have one is for a function to say', async (t) => {
  let fault: unknown
  const { app, signUp } = await accounts(t, {
    encryptionKey,
    mfa: {
      async required ({ roles }) {
        if (fault !== undefined) throw fault
        return roles.includes('admin')
      }
    }
  })
  const { email } = await signUp()
  await app.bouncer.users.create({ email: 'admin@example.com', password, roles: ['admin'] })
  challengeOf(await app.bouncer.login({ email: 'admin@example.com', password }), 'MFA_SETUP')
  fault = new Error('c4n4ry')
  t.match(await rejection(app.bouncer.login({ email, password })), { code: 'AUTH_UNAVAILABLE', dependency: 'mfa.required' }, 'one that fails lets nobody in')
  fault = new ConfigurationError({ option: 'x', message: 'ours' })
  t.match(await rejection(app.bouncer.login({ email, password })), { code: 'CONFIGURATION_ERROR' })
})

t.test('a sign-in cannot be finished later than five minutes, or as configured', async (t) => {
  const pass = clock(t)
  for (const [mfa, late] of [[{}, 301], [{ challengeTtl: 60 }, 61]] as const) {
    const built = await withTemporary(t, { mfa })
    const challenge = challengeOf(await built.app.bouncer.login({ email: built.email, password }), 'NEW_PASSWORD_REQUIRED')
    pass(late)
    t.match(await rejection(built.app.bouncer.challenges.respond(newPassword(challenge, another))), { code: 'INVALID_CHALLENGE' })
  }
})

t.test('an issuer that is no address is shown as it is', async (t) => {
  for (const [issuer, shown] of [['The Archive', 'The Archive'], ['urn:archive', 'urn archive'], ['https://auth.example.com:8443/x', 'auth.example.com 8443']] as const) {
    const { app } = await accounts(t, { encryptionKey, mfa: { required: true }, issuer })
    await app.bouncer.users.create({ email: 'ada@example.com', password })
    const { otpauth_uri: uri } = challengeOf(await app.bouncer.login({ email: 'ada@example.com', password }), 'MFA_SETUP')
    t.equal(new URL(uri as string).searchParams.get('issuer'), shown)
  }
})

t.test('options that cannot be meant', async (t) => {
  const base = { ...options, store: memoryStore(), passwords: cheapHash }
  for (const [given, option] of [
    [{ mfa: { required: true } }, 'mfa.required'],
    [{ mfa: { required: () => false } }, 'mfa.required'],
    [{ mfa: { required: 'yes' } }, 'mfa.required'],
    [{ mfa: { name: 'a:b' } }, 'mfa.name'],
    [{ mfa: { name: ' ' } }, 'mfa.name'],
    [{ mfa: { challengeTtl: 0 } }, 'mfa.challengeTtl'],
    [{ mfa: { recentSignIn: -1 } }, 'mfa.recentSignIn'],
    [{ mfa: { window: 3 } }, 'mfa.window'],
    [{ mfa: { name: 'The Archive' } }, 'mfa.name'],
    [{ mfa: { recentSignIn: 60 } }, 'mfa.recentSignIn'],
    [{ encryptionKey: Buffer.alloc(32).toString('base64') }, 'encryptionKey'],
    [{ encryptionKey: encryptionKey.slice(4) }, 'encryptionKey'],
    [{ encryptionKey: [] }, 'encryptionKey'],
    [{ encryptionKey: [encryptionKey, 'short'] }, 'encryptionKey']
  ] as Array<[object, string]>) {
    t.throws(() => validateOptions({ ...base, ...given } as AuthPluginOptions), { name: 'ConfigurationError', option }, JSON.stringify(given))
  }
  for (const encryptionKeys of [encryptionKey, encryptionKey.slice(0, 43), [encryptionKey], Buffer.alloc(32, 'ab').toString('base64url')]) t.doesNotThrow(() => validateOptions({ ...base, encryptionKey: encryptionKeys }))
  t.throws(() => validateOptions({ ...options, mfa: {} }), { option: 'mfa', message: /needs a store/ })
  t.throws(() => validateOptions({ ...options, encryptionKey }), { option: 'encryptionKey', message: /needs a store/ })
})

t.test('without a key, second factors cannot be set up, and nobody who has one gets in without', async (t) => {
  const store = memoryStore()
  const keyed = await accounts(t, { store, encryptionKey })
  const { id, email } = await keyed.signUp()
  await enrol(keyed.app, id)
  const app = await build(t, { store, passwords: cheapHash })
  t.match(await rejection(app.bouncer.mfa.setUp(id, { auth_time: Date.now() / 1000 })), { code: 'MFA_SETUP_FAILED', reason: 'enrolled_already' })
  const { session } = challengeOf(await app.bouncer.login({ email, password }), 'MFA_TOTP')
  t.match(await rejection(app.bouncer.challenges.respond({ session, challenge_name: 'MFA_TOTP', code: '000000' })), { name: 'ConfigurationError', option: 'encryptionKey' })
  const other = await build(t, { store, passwords: cheapHash, encryptionKey: Buffer.alloc(32, 'cd').toString('base64') })
  const again = challengeOf(await other.bouncer.login({ email, password }), 'MFA_TOTP')
  t.match(await rejection(other.bouncer.challenges.respond({ session: again.session, challenge_name: 'MFA_TOTP', code: '000000' })), { name: 'ConfigurationError', option: 'encryptionKey' })
  await keyed.app.bouncer.mfa.reset(id)
  t.match(await rejection(app.bouncer.mfa.setUp(id, { auth_time: Date.now() / 1000 })), { name: 'ConfigurationError', option: 'encryptionKey' })
})
