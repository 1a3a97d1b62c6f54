import t, { type Test } from 'tap'
import {
  AuthError, AuthenticationError, BadSignatureError, ConfigurationError, createSigner, errorClasses, EventError, InvalidHashError, InvalidPasswordError, memoryStore, OnboardingError, OnboardingFlowCompleteError, OnboardingSessionExpiredError, OnboardingSessionInvalidError, OnboardingStepError, RateLimitError, SignatureExpiredError, SigningError,
  TokenError, TokenExpiredError, TokenInvalidError, TokenRevokedError, validateOptions
} from '../../index.js'
import { accounts, cheapHash, clock, password, type AccountsApp } from '../accounts.js'
import { registerStep } from '../../lib/onboarding.js'
import { options, secret } from '../build.js'
import { logged } from '../log-lines.js'
import { rejection } from '../rejection.js'

// The page "Exceptions" of tortoise-auth, from top to bottom: what it says of
// each class, and its examples as an application writes them here. Its
// TortoiseAuthError is AuthError.

const email = 'ada@example.com'
const wrong = 'wrong password'

/** An application's calls, and what it logs. */
async function application (t: Test, overrides: Parameters<typeof accounts>[1] = {}): Promise<AccountsApp & { auth: AccountsApp['app']['bouncer'], log: unknown[][] }> {
  const built = await accounts(t, overrides)
  return { ...built, auth: built.app.bouncer, log: [] }
}

t.test('hierarchy', async (t) => {
  const parents: Record<string, string> = {
    AuthenticationError: 'AuthError',
    InvalidPasswordError: 'AuthError',
    InvalidHashError: 'AuthError',
    ConfigurationError: 'AuthError',
    EventError: 'AuthError',
    RateLimitError: 'AuthError',
    TokenError: 'AuthError',
    TokenExpiredError: 'TokenError',
    TokenInvalidError: 'TokenError',
    TokenRevokedError: 'TokenError',
    SigningError: 'AuthError',
    SignatureExpiredError: 'SigningError',
    BadSignatureError: 'SigningError',
    OnboardingError: 'AuthError',
    OnboardingSessionExpiredError: 'OnboardingError',
    OnboardingSessionInvalidError: 'OnboardingError',
    OnboardingStepError: 'OnboardingError',
    OnboardingFlowCompleteError: 'OnboardingError'
  }
  const classOf = (name: string) => errorClasses.find((errorClass) => errorClass.name === name)
  for (const [name, parent] of Object.entries(parents)) {
    t.ok(classOf(name)?.prototype instanceof (classOf(parent) as never), `${name} under ${parent}`)
  }
})

t.test('AuthError: a single handler for all library errors', async (t) => {
  const { auth, log, signUp } = await application(t)
  const { id } = await signUp({ email })
  const operations = [
    async () => await auth.login({ email, password: wrong }),
    async () => await auth.authenticate('no token'),
    async () => await auth.refresh('no token'),
    async () => { await auth.logout('no token') },
    async () => { await auth.users.setPassword(id, 'short') },
    async () => await auth.users.get('nobody'),
    async () => await auth.register({ email, password }),
    async () => await auth.verification.verify('no token'),
    async () => { await auth.passwords.reset('no token', password) },
    async () => { await auth.passwords.change(id, { current_password: wrong, new_password: password }) },
    async () => { validateOptions({}) }
  ]
  for (const operation of operations) {
    try {
      await operation()
    } catch (exc) {
      if (!(exc instanceof AuthError)) throw exc
      log.push(['auth error: %s', exc.message])
    }
  }
  t.equal(log.length, operations.length)
})

t.test('AuthenticationError: login() and authenticate() fail, and the message does not say why', async (t) => {
  const { auth, signUp } = await application(t)
  const { id, access_token: access } = await signUp({ email: 'inactive@example.com' })
  await auth.users.update(id, { is_active: false })
  await auth.users.create({ email, password })
  const messages: string[] = []
  for (const credentials of [{ email: 'nobody@example.com', password }, { email, password: wrong }, { email: 'inactive@example.com', password }]) {
    try {
      await auth.login(credentials)
    } catch (exc) {
      if (exc instanceof AuthenticationError) messages.push(exc.message)
    }
  }
  t.strictSame(messages, Array(3).fill('Invalid credentials'))
  // Here it says what became of the account: whoever holds the token has proved whose it is.
  await t.rejects(auth.authenticate(access), { name: 'AccountUnavailableError' })
  t.ok(await auth.authenticate(access).catch((exc: unknown) => exc) instanceof AuthenticationError)
})

t.test('InvalidPasswordError: one string per failed rule', async (t) => {
  const { auth, signUp } = await application(t, { passwords: { ...cheapHash, uppercase: true, common: false } })
  const { id } = await signUp({ email })
  const printed: string[] = []
  try {
    await auth.users.setPassword(id, 'short')
  } catch (exc) {
    if (!(exc instanceof InvalidPasswordError)) throw exc
    for (const message of exc.errors ?? []) printed.push(message)
    t.equal(exc.message, printed.join('; '), 'and all of them in the message')
  }
  t.strictSame(printed, ['Password must be at least 8 characters', 'Password must contain at least one uppercase letter'])
})

t.test('InvalidHashError: a stored hash of no configured hasher', async (t) => {
  const hash = '$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
  const store = memoryStore()
  const { auth, happened, signUp } = await application(t, { store, passwords: { ...cheapHash, accept: ['argon2id'] } })
  const { id } = await signUp({ email })
  await store.users.update(id, { passwordHash: hash })
  try {
    await auth.passwords.change(id, { current_password: password, new_password: 'another good password' })
    t.fail('an algorithm that is no longer enabled')
  } catch (exc) {
    if (!(exc instanceof InvalidHashError)) throw exc
    t.equal(exc.hash, hash)
    t.notOk(exc.message.includes(hash), 'which is not printed')
  }
  await t.rejects(auth.login({ email, password }), { name: 'InvalidCredentialsError', message: 'Invalid credentials' }, 'a login answers it like a wrong password')
  t.strictSame(happened('invalid_hash'), [{ userId: id }], 'and reports it')
})

t.test('ConfigurationError: a descriptive message about what is wrong', async (t) => {
  const printed: string[] = []
  for (const config of [{ ...options, issuer: '' }, { ...options, jwt: { secret: 'short' } }, { ...options, jwt: { secret: 'a secret of at least thirty-two bytes', jwksUrl: 'https://auth.example.com/keys' } }, { ...options, store: {} as never }]) {
    try {
      validateOptions(config)
    } catch (exc) {
      if (exc instanceof ConfigurationError) printed.push(exc.message)
    }
  }
  t.equal(printed.length, 4)
  for (const [index, option] of ['issuer', 'jwt.secret', 'jwt', 'store'].entries()) t.ok(printed[index]?.startsWith(option), String(printed[index]))
})

t.test('EventError: which handler failed, for which event, and why', async (t) => {
  const { auth, log } = await application(t, { events: { propagate: true } })
  await auth.users.create({ email, password })
  const down = new Error('the mail server is down')
  auth.events.on('user_login', async function sendMail () { throw down })
  try {
    await auth.login({ email, password })
  } catch (exc) {
    if (!(exc instanceof EventError)) throw exc
    log.push(['Handler %r for event %r failed: %s', exc.handlerName, exc.eventName, exc.original])
  }
  t.strictSame(log, [['Handler %r for event %r failed: %s', 'sendMail', 'user_login', down]])
})

t.test('EventError: logged, and stops nothing, unless that is asked for', async (t) => {
  const { lines, serverOptions } = logged('error')
  const { app } = await accounts(t, {}, {}, serverOptions)
  await app.bouncer.users.create({ email, password })
  const called: string[] = []
  app.bouncer.events.on('user_login', async function sendMail () { throw new Error('the mail server is down') })
  app.bouncer.events.on('user_login', () => { called.push('next') })
  await t.resolves(app.bouncer.login({ email, password }))
  t.strictSame(called, ['next'])
  t.match(lines, [{ err: { type: 'EventError', eventName: 'user_login', handlerName: 'sendMail' } }])
  t.equal(lines.length, 1)
})

t.test('RateLimitError: for an account, and for one that does not exist', async (t) => {
  const { auth, happened } = await application(t)
  await auth.users.create({ email, password })
  for (const [address, right] of [[email, password], ['nobody@example.com', wrong]] as const) {
    for (let count = 0; count < 5; count++) await t.rejects(auth.login({ email: address, password: wrong }), { name: 'InvalidCredentialsError' })
    try {
      await auth.login({ email: address, password: right })
      t.fail('the right password does not help')
    } catch (exc) {
      if (!(exc instanceof RateLimitError)) throw exc
      t.notOk(exc instanceof AuthenticationError)
      t.equal(exc.retryAfter, 600)
      t.match(String(exc.identifier), address)
    }
  }
  t.equal(happened('rate_limit_exceeded').length, 2)
})

t.test('TokenError: 401, regardless of the reason', async (t) => {
  const pass = clock(t)
  const { auth, signUp } = await application(t)
  const expired = await signUp()
  pass(900)
  const revoked = await signUp()
  await auth.logout(revoked.access_token)
  const statuses: number[] = []
  for (const token of [expired.access_token, revoked.access_token, revoked.refresh_token, 'no token']) {
    try {
      await auth.authenticate(token)
    } catch (exc) {
      if (exc instanceof TokenError) statuses.push(exc.statusCode)
    }
  }
  t.strictSame(statuses, [401, 401, 401, 401])
})

t.test('TokenExpiredError: past its time; the refresh token gives a new one', async (t) => {
  const pass = clock(t)
  const { auth, signUp } = await application(t)
  const { id, access_token: access, refresh_token: refresh } = await signUp()
  pass(899)
  await t.resolves(auth.authenticate(access))
  pass(1)
  await t.rejects(auth.authenticate(access), TokenExpiredError)
  t.equal((await auth.authenticate((await auth.refresh(refresh)).access_token)).id, id)
})

t.test('TokenInvalidError: cannot be decoded, or is of the other type', async (t) => {
  const { auth, signUp } = await application(t)
  const { access_token: access, refresh_token: refresh } = await signUp()
  for (const token of ['', 'no token', 'a.b.c', `${access}x`, refresh]) await t.rejects(auth.authenticate(token), TokenInvalidError, token.slice(0, 10))
  for (const token of ['', 'no token', 'a.b.c', `${refresh}x`, access]) await t.rejects(auth.refresh(token), TokenInvalidError, token.slice(0, 10))
  t.match(await rejection(auth.refresh(access)), { reason: 'token_type' })
})

t.test('TokenRevokedError: after logout() or logoutAll(), for authentication and for refresh', async (t) => {
  const { auth, signUp } = await application(t)
  const ends: Array<(user: Awaited<ReturnType<typeof signUp>>) => Promise<void>> = [
    async ({ access_token: access }) => { await auth.logout(access) },
    async ({ refresh_token: refresh }) => { await auth.logout(refresh) },
    async ({ id }) => { await auth.logoutAll(id) }
  ]
  for (const end of ends) {
    const user = await signUp()
    await t.resolves(auth.authenticate(user.access_token))
    await end(user)
    await t.rejects(auth.authenticate(user.access_token), TokenRevokedError)
    await t.rejects(auth.refresh(user.refresh_token), TokenRevokedError)
  }
})

t.test('SigningError: a single handler for any signing problem', async (t) => {
  const pass = clock(t)
  const signer = createSigner({ secret, purpose: 'unsubscribe' })
  const signed = signer.sign('user:42', { timestamp: true })
  pass(3601)
  let caught = 0
  for (const value of [signed, `${signed}x`, 'user:42', '']) {
    try {
      signer.unsign(value, { maxAge: 3600 })
    } catch (exc) {
      if (exc instanceof SigningError) caught++
    }
  }
  t.equal(caught, 4)
})

t.test('SignatureExpiredError: the signature is right, and older than its max_age', async (t) => {
  const pass = clock(t)
  for (const signer of [createSigner({ secret, purpose: 'unsubscribe' }), createSigner({ secret, unsalted: true })]) {
    const signed = signer.sign('user:42', { timestamp: true })
    pass(3600)
    t.equal(signer.unsign(signed, { maxAge: 3600 }), 'user:42')
    pass(1)
    t.throws(() => signer.unsign(signed, { maxAge: 3600 }), SignatureExpiredError)
    t.throws(() => signer.unsign(signed.replace('42', '43'), { maxAge: 3600 }), BadSignatureError, 'not for one that is wrong besides')
  }
})

t.test('BadSignatureError: tampered with, or signed with a different secret', async (t) => {
  const clocked = { secret: 'test-secret-key-for-signing', unsalted: true, clock: () => 1_700_000_000_000 } as const
  const signer = createSigner(clocked)
  t.equal(signer.unsign('hello:mCkMoyIgC0CCrHtGved0LvihAkI9rKNz2DrWGb2JG14'), 'hello', 'signed by the original')
  t.equal(signer.unsign('user:42:MTcwMDAwMDAwMA:7TFa-9NODOH70z_YlixMZAAD7-7pStuo8Y45NI6Tsq4', { maxAge: 3600 }), 'user:42', 'signed by the original')
  t.throws(() => signer.unsign('hallo:mCkMoyIgC0CCrHtGved0LvihAkI9rKNz2DrWGb2JG14'), BadSignatureError)
  t.throws(() => signer.unsign('hello'), BadSignatureError, 'no separator')
  t.throws(() => signer.unsign('hello:mCkMoyIgC0CCrHtGved0LvihAkI9rKNz2DrWGb2JG14', { maxAge: 3600 }), BadSignatureError, 'no timestamp')
  t.throws(() => signer.unsign(`hello:${'é'.repeat(43)}`), BadSignatureError, 'where the original lets a TypeError out')
  t.throws(() => createSigner({ ...clocked, secret }).unsign('hello:mCkMoyIgC0CCrHtGved0LvihAkI9rKNz2DrWGb2JG14'), BadSignatureError)
})

t.test('catch pattern: all signing errors, told apart from all others', async (t) => {
  const signer = createSigner({ secret, purpose: 'unsubscribe' })
  const next = (value: string): string => {
    try {
      return signer.unsign(value, { maxAge: 3600 })
    } catch (exc) {
      if (exc instanceof TokenError) return 'a token'
      if (exc instanceof SigningError) return 'a signature'
      throw exc
    }
  }
  t.equal(next(signer.sign('user:42', { timestamp: true })), 'user:42')
  t.equal(next('no signature'), 'a signature')
})

const withFlow = { onboarding: { steps: [registerStep()] } }

t.test('OnboardingSessionExpiredError: older than its lifetime; a new flow must be started', async (t) => {
  const pass = clock(t)
  const { auth } = await application(t, { onboarding: { ...withFlow.onboarding, sessionLifetime: 60 } })
  const { session } = await auth.onboarding.start({ email })
  pass(60)
  try {
    await auth.onboarding.resume(session)
    t.fail('its time is over')
  } catch (exc) {
    if (!(exc instanceof OnboardingSessionExpiredError)) throw exc
    t.type(exc.sessionId, 'string')
  }
  const next = await auth.onboarding.start({ email })
  t.match(await auth.onboarding.advance(next.session, { password }), { status: 'complete' })
})

t.test('OnboardingSessionInvalidError: not found, or a newer session was started for the same address', async (t) => {
  const { auth } = await application(t, withFlow)
  const reasons: string[] = []
  const { session } = await auth.onboarding.start({ email })
  await auth.onboarding.start({ email: email.toUpperCase() })
  for (const token of ['made up', session]) {
    try {
      await auth.onboarding.advance(token, { password })
    } catch (exc) {
      if (exc instanceof OnboardingSessionInvalidError) reasons.push(exc.reason)
    }
  }
  t.strictSame(reasons, ['Session not found', 'Session has been invalidated'])
})

t.test('OnboardingStepError: which step failed, and one or more messages', async (t) => {
  const { auth } = await application(t, { ...withFlow, passwords: { ...cheapHash, uppercase: true, common: false } })
  const { session } = await auth.onboarding.start({ email })
  try {
    await auth.onboarding.advance(session, { password: 'short' })
    t.fail('such a password')
  } catch (exc) {
    if (!(exc instanceof OnboardingStepError)) throw exc
    t.equal(exc.stepName, 'register')
    t.strictSame(exc.errors, ['Password must be at least 8 characters', 'Password must contain at least one uppercase letter'])
  }
  t.match(await auth.onboarding.resume(session), { current_step: 'register' }, 'the session stays where it was')
})

t.test('OnboardingFlowCompleteError: advance() or resume() of a flow that is complete; the client has its tokens', async (t) => {
  const { auth } = await application(t, withFlow)
  const { session } = await auth.onboarding.start({ email })
  const result = await auth.onboarding.advance(session, { password })
  for (const call of [auth.onboarding.advance(session, { password }), auth.onboarding.resume(session)]) await t.rejects(call, OnboardingFlowCompleteError)
  t.match(await auth.authenticate((result as { access_token: string }).access_token), { email })
})

t.test('catch pattern: all onboarding errors', async (t) => {
  const pass = clock(t)
  const { auth } = await application(t, withFlow)
  const [expired, replaced, complete, weak] = await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => (await auth.onboarding.start({ email: `${name}@example.com` })).session)) as [string, string, string, string]
  await auth.onboarding.advance(complete, { password })
  await auth.onboarding.start({ email: 'b@example.com' })
  const caught: string[] = []
  const advance = async (token: string, data: object): Promise<void> => {
    try {
      await auth.onboarding.advance(token, data)
    } catch (exc) {
      if (!(exc instanceof OnboardingError)) throw exc
      caught.push(exc.name)
    }
  }
  await advance(replaced, { password })
  await advance(complete, { password })
  await advance(weak, { password: 'short' })
  pass(3600)
  await advance(expired, { password })
  t.strictSame(caught, ['OnboardingSessionInvalidError', 'OnboardingFlowCompleteError', 'OnboardingStepError', 'OnboardingSessionExpiredError'])
})

t.test('catch pattern: distinguish between onboarding failure reasons', async (t) => {
  const pass = clock(t)
  const { auth } = await application(t, withFlow)
  const next = async (token: string): Promise<string> => {
    try {
      return (await auth.onboarding.advance(token, { password })).status
    } catch (exc) {
      if (exc instanceof OnboardingSessionExpiredError) return `${exc.statusCode} prompt user to start over`
      if (exc instanceof OnboardingSessionInvalidError) return `${exc.statusCode} session not found or invalidated`
      if (exc instanceof OnboardingFlowCompleteError) return `${exc.statusCode} flow already completed`
      throw exc
    }
  }
  const { session: expired } = await auth.onboarding.start({ email: 'late@example.com' })
  pass(3600)
  const { session } = await auth.onboarding.start({ email })
  t.equal(await next(expired), '410 prompt user to start over')
  t.equal(await next('made up'), '404 session not found or invalidated')
  t.equal(await next(session), 'complete')
  t.equal(await next(session), '409 flow already completed')
})

t.test('catch pattern: everything from the library', async (t) => {
  const { auth } = await application(t)
  let caught = 0
  try {
    await auth.login({ email, password })
  } catch (exc) {
    if (exc instanceof AuthError) caught++
  }
  try {
    await auth.register({ email: 'no address', password })
  } catch (exc) {
    // A mistake in the application's own call is none of the library's errors.
    if (exc instanceof AuthError) caught++
  }
  t.equal(caught, 1)
})

t.test('catch pattern: distinguish between token failure reasons', async (t) => {
  const pass = clock(t)
  const { auth, signUp } = await application(t)
  const expired = await signUp()
  pass(900)
  const revoked = await signUp()
  await auth.logoutAll(revoked.id)
  const next = async (token: string): Promise<string> => {
    try {
      return (await auth.authenticate(token)).id
    } catch (exc) {
      if (exc instanceof TokenExpiredError) return 'prompt the client to refresh'
      if (exc instanceof TokenRevokedError) return 'force a full re-login'
      if (exc instanceof TokenInvalidError) return 'reject the request outright'
      throw exc
    }
  }
  t.equal(await next(expired.access_token), 'prompt the client to refresh')
  t.equal(await next(revoked.access_token), 'force a full re-login')
  t.equal(await next('no token'), 'reject the request outright')
  const { id, access_token: access } = await signUp()
  t.equal(await next(access), id)
})
