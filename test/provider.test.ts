import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, {
  authRoutes, ChallengeRequiredError, InvalidChallengeError, InvalidCredentialsError, InvalidResetTokenError, memoryStore, TokenInvalidError, validateOptions,
  type AuthPluginOptions, type Challenge, type IdentityProvider, type Tokens
} from '../index.js'
import { registerStep } from '../lib/onboarding.js'
import { logged } from './log-lines.js'
import { claims, forge, issuer, options, refused, secret } from './build.js'
import { rejection } from './rejection.js'
import { clock, until } from './accounts.js'

// A provider of an application's own: its tokens are signed here, its challenge has no name of ours.

const tokensOf = (app: FastifyInstance, id: string): Tokens => ({ access_token: app.bouncer.jwt?.sign({ sub: id }) ?? '', refresh_token: 'r', token_type: 'Bearer', expires_in: 900 })

interface Own {
  app: FastifyInstance
  asked: string[]
  provider: IdentityProvider
}

/** An application with a provider of its own, and what that was asked. */
async function own (t: Test, changes: Partial<IdentityProvider> = {}, overrides: AuthPluginOptions = {}): Promise<Own> {
  const asked: string[] = []
  const note = (name: string) => async () => { asked.push(name) }
  const app = Fastify(logged().serverOptions)
  t.teardown(async () => { await app.close() })
  const provider: IdentityProvider = {
    name: 'own',
    resetBy: 'token',
    async signIn ({ username }) {
      asked.push('signIn')
      if (username === 'careful') throw new ChallengeRequiredError({ challengeName: 'SMS_MFA', session: 'state', parameters: { destination: '***42' } })
      return tokensOf(app, String(username))
    },
    async respond (session, answer) {
      asked.push(`respond ${session}`)
      if ('code' in answer && answer.code === 'more') throw new ChallengeRequiredError({ challengeName: 'EMAIL_OTP', session: 'next', account: 'careful' })
      if (!('code' in answer) || answer.code !== 'right') throw new InvalidChallengeError()
      return tokensOf(app, 'careful')
    },
    refresh: async () => tokensOf(app, 'x'),
    signOut: note('signOut'),
    signOutEverywhere: note('signOutEverywhere'),
    async revoke (token) {
      asked.push(`revoke ${token}`)
      if (token === 'broken') throw new TokenInvalidError()
    },
    lookUp: async ({ user }) => ({ id: user.id, email: '', username: user.id, roles: [], is_active: true, is_verified: true }),
    changePassword: note('changePassword'),
    requestReset: note('requestReset'),
    reset: note('reset'),
    setUpTotp: async () => ({ secret: 's', otpauth_uri: 'otpauth://totp/x?secret=s', qr_code: '<svg/>' }),
    confirmTotp: async () => ({ recovery_codes: [] }),
    disableTotp: note('disableTotp'),
    ...changes
  }
  await app.register(authPlugin, { ...options, provider, ...overrides })
  await app.register(authRoutes)
  return { app, asked, provider }
}

const post = async (app: FastifyInstance, url: string, payload: object = {}, token?: string) => await app.inject({ method: 'POST', url, payload, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })

t.test('a challenge of a provider: kept here, answered once, whether it claims or not', async (t) => {
  const { app, asked } = await own(t)
  const login = await post(app, '/login', { username: 'careful', password: 'x' })
  t.equal(login.statusCode, 202)
  const { session, ...rest } = login.json()
  t.strictSame(rest, { challenge_name: 'SMS_MFA', destination: '***42' })
  refused(t, await post(app, '/login/challenge', { session, challenge_name: 'SMS_MFA', code: 'wrong' }), 400, 'INVALID_CHALLENGE')
  refused(t, await post(app, '/login/challenge', { session, challenge_name: 'EMAIL_OTP', code: 'right' }), 400, 'INVALID_CHALLENGE')
  const more = await post(app, '/login/challenge', { session, challenge_name: 'SMS_MFA', code: 'more' })
  t.equal(more.statusCode, 202)
  t.match(more.json(), { challenge_name: 'EMAIL_OTP' })
  refused(t, await post(app, '/login/challenge', { session, challenge_name: 'SMS_MFA', code: 'right' }), 400, 'INVALID_CHALLENGE')
  const done = await post(app, '/login/challenge', { session: more.json().session, challenge_name: 'EMAIL_OTP', code: 'right' })
  t.equal(done.statusCode, 200)
  t.strictSame(asked, ['signIn', 'respond state', 'respond state', 'respond next'])
})

t.test('sign-ins that are asked for more are not counted as guesses, and those that are refused are', async (t) => {
  const { app } = await own(t)
  for (let sign = 0; sign < 7; sign++) t.equal((await post(app, '/login', { username: 'careful', password: 'x' })).statusCode, 202)
  const { app: other } = await own(t, { signIn: async () => { throw new InvalidCredentialsError() } })
  const failed: unknown[] = []
  other.bouncer.events.on('user_login_failed', (event) => { failed.push(event) })
  for (let guess = 0; guess < 5; guess++) refused(t, await post(other, '/login', { username: 'Ada', password: 'x' }), 401, 'INVALID_CREDENTIALS')
  refused(t, await post(other, '/login', { username: 'ADA', password: 'x' }), 429, 'RATE_LIMITED')
  t.match(failed, Array(5).fill({ identifier: 'Ada', reason: 'refused' }))
})

t.test('a challenge that has come to its end', async (t) => {
  const { app } = await own(t, {}, { attempts: false })
  const { session } = await app.bouncer.login({ username: 'careful', password: 'x' }) as Challenge
  for (let answer = 0; answer < 5; answer++) t.match(await rejection(app.bouncer.challenges.respond({ session, challenge_name: 'SMS_MFA', code: 'wrong' })), { code: 'INVALID_CHALLENGE' })
  t.match(await rejection(app.bouncer.challenges.respond({ session, challenge_name: 'SMS_MFA', code: 'right' })), { reason: 'too_many_answers' })
})

t.test('race: a challenge answered ten times at once signs in once', async (t) => {
  const { app } = await own(t, {}, { attempts: false })
  const { session } = await app.bouncer.login({ username: 'careful', password: 'x' }) as Challenge
  const answers = await Promise.allSettled(Array.from({ length: 5 }, () => app.bouncer.challenges.respond({ session, challenge_name: 'SMS_MFA', code: 'right' })))
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
})

t.test('every verb has its route', async (t) => {
  const pass = clock(t)
  const { app, asked } = await own(t)
  const { access_token: token } = (await post(app, '/login', { username: 'ada', password: 'x' })).json()
  t.match((await app.inject({ url: '/me', headers: { authorization: `Bearer ${token}` } })).json(), { id: 'ada', username: 'ada' })
  for (const [url, payload, status, verb] of [
    ['/me/password', { current_password: 'a', new_password: 'b' }, 204, 'changePassword'],
    ['/password/forgot', { email: 'a@example.com' }, 202, 'requestReset'],
    ['/password/reset', { token: 't', password: 'b' }, 204, 'reset'],
    ['/logout', {}, 204, 'signOut'],
    ['/logout', { refresh_token: 'one' }, 204, 'revoke one'],
    ['/logout-all', {}, 204, 'signOutEverywhere'],
    ['/logout-all', { refresh_token: 'two' }, 204, 'revoke two'],
    ['/mfa/totp', {}, 200, undefined],
    ['/mfa/totp/verify', { code: '1' }, 200, undefined],
    ['/refresh', { refresh_token: 'x' }, 200, undefined]
  ] as const) {
    t.equal((await post(app, url, payload, token)).statusCode, status, url)
    if (verb !== undefined) await until(() => asked.at(-1) === verb)
  }
  t.equal((await app.inject({ method: 'DELETE', url: '/mfa/totp', headers: { authorization: `Bearer ${token}` } })).statusCode, 204)
  t.equal(asked.at(-1), 'disableTotp')
  await app.bouncer.logout(token)
  t.equal(asked.at(-1), 'signOut')
  await app.bouncer.logout('a refresh token')
  t.equal(asked.at(-1), 'revoke a refresh token')
  await t.rejects(app.bouncer.logout('broken'), { code: 'TOKEN_INVALID' })
  pass(901)
  await t.rejects(app.bouncer.logout(token), { code: 'TOKEN_EXPIRED' })
})

t.test('whatever a provider throws, nobody is signed in', async (t) => {
  for (const fault of [new Error('c4n4ry'), null, 'c4n4ry', { statusCode: 200 }]) {
    const { app } = await own(t, { signIn: async () => { throw fault } })
    const response = await post(app, '/login', { username: 'ada', password: 'x' })
    t.equal(response.statusCode, 500)
    t.notMatch(response.payload, 'c4n4ry')
  }
})

t.test('what fails after an answer is told to operators', async (t) => {
  const { serverOptions, lines } = logged('error')
  const app = Fastify(serverOptions)
  const { provider } = await own(t, { requestReset: async () => { throw new Error('mail is down') } })
  await app.register(authPlugin, { ...options, provider })
  await app.register(authRoutes)
  t.equal((await post(app, '/password/forgot', { email: 'a@example.com' })).statusCode, 202)
  await app.close()
  t.match(lines, [{ err: { message: 'mail is down' } }])
})

t.test('attempts and challenges are kept where they are told to be, and their store is opened and closed', async (t) => {
  const steps: string[] = []
  const ephemeral = memoryStore()
  const { serverOptions, lines } = logged('warn')
  const app = Fastify(serverOptions)
  const { provider } = await own(t)
  const ephemeralStore = { name: 'other', ephemeral: ephemeral.ephemeral, open: async () => { steps.push('open') }, close: async () => { steps.push('close') } }
  await app.register(authPlugin, { ...options, provider: { ...provider, open: async () => { steps.push('ready') } }, ephemeralStore })
  await app.close()
  t.strictSame(steps, ['ready', 'open', 'close'])
  t.strictSame(lines, [])
  const alone = Fastify(serverOptions)
  await alone.register(authPlugin, { ...options, provider })
  await alone.close()
  t.match(lines, [{ msg: /known to this process alone/ }])
})

t.test('refresh tokens of a provider are long, and tried by address', async (t) => {
  const presented: string[] = []
  const { app } = await own(t, { refresh: async (token) => { presented.push(token); throw new TokenInvalidError() } }, { attempts: { refresh: { address: { max: 2, window: 60, lockout: 60 } } } })
  const long = 'x'.repeat(18_000)
  for (let attempt = 0; attempt < 2; attempt++) refused(t, await post(app, '/refresh', { refresh_token: long }), 401, 'TOKEN_INVALID')
  refused(t, await post(app, '/refresh', { refresh_token: long }), 429, 'RATE_LIMITED')
  t.strictSame(presented, [long, long])
  const { app: other } = await own(t)
  t.equal((await post(other, '/logout', { refresh_token: long })).statusCode, 204)
})

t.test('attack: guessing a code that resets a password', async (t) => {
  const wrong = { resetBy: 'code' as const, reset: async () => { throw new InvalidResetTokenError() } }
  const ask = async (app: FastifyInstance, guess: number) => await app.inject({ method: 'POST', url: '/password/reset', payload: { email: guess % 2 === 0 ? 'ada@example.com' : 'ADA@example.com', code: String(guess), password: 'another horse battery' }, remoteAddress: `192.0.2.${guess}` })
  const { app } = await own(t, wrong)
  for (let guess = 0; guess < 5; guess++) refused(t, await ask(app, guess), 400, 'RESET_PASSWORD_BAD_TOKEN')
  refused(t, await ask(app, 5), 429, 'RATE_LIMITED')
  for (const attempts of [false, { password_reset: false }, { password_reset: { account: false } }] as const) {
    const { app } = await own(t, wrong, { attempts })
    for (let guess = 0; guess < 7; guess++) refused(t, await ask(app, guess), 400, 'RESET_PASSWORD_BAD_TOKEN')
  }
})

t.test('a provider that is an instance of a class', async (t) => {
  const { provider } = await own(t)
  class Directory {
    readonly name = 'directory'
    readonly resetBy = 'token'
    readonly ids = ['ada']
    async signIn (): Promise<Tokens> { return { access_token: this.ids.join(), refresh_token: 'r', token_type: 'Bearer', expires_in: 1 } }
    async respond (): Promise<Tokens> { return await this.signIn() }
  }
  for (const [verb, run] of Object.entries(provider)) if (typeof run === 'function' && !(verb in Directory.prototype)) Object.defineProperty(Directory.prototype, verb, { value: run, configurable: true })
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin, { ...options, provider: new Directory() as unknown as IdentityProvider })
  t.match(await app.bouncer.login({ username: 'ada', password: 'x' }), { access_token: 'ada' })
})

t.test('attack: an access token of another issuer is not shown to the provider', async (t) => {
  const other = { issuer: 'https://other.example.com', audience: 'other', jwt: { secret: 'another secret of thirty-two bytes or more' } }
  const { provider, asked } = await own(t)
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  const { issuer, audience, jwt, ...rest } = options as { issuer: string, audience: string, jwt: object }
  await app.register(authPlugin, { ...rest, issuers: [{ issuer, audience, jwt }, other], provider } as AuthPluginOptions)
  const foreign = forge({ alg: 'HS256' }, { ...claims(), iss: other.issuer, aud: other.audience }, other.jwt.secret)
  asked.length = 0
  t.match(await rejection(app.bouncer.logout(foreign)), { code: 'TOKEN_INVALID', reason: 'issuer' })
  t.strictSame(asked, [])
})

t.test('options that cannot be meant', async (t) => {
  const { provider } = await own(t)
  for (const [given, option] of [
    [{ provider, store: memoryStore() }, 'store'],
    [{ provider, passwords: {} }, 'passwords'],
    [{ provider, mfa: { required: true } }, 'mfa.required'],
    [{ provider: {} }, 'provider.name'],
    [{ provider: { ...provider, respond: undefined } }, 'provider.respond'],
    [{ provider: { ...provider, resetBy: 'mail' } }, 'provider.resetBy'],
    [{ provider: 'cognito' }, 'provider'],
    [{ provider: { ...provider, open: 5 } }, 'provider.open'],
    [{ provider: { ...provider, trust: 'x' } }, 'provider.trust'],
    [{ provider, attempts: { register: false } }, 'attempts.register'],
    [{ provider, attempts: { verify: {} } }, 'attempts.verify'],
    [{ provider, attempts: { onboarding: false } }, 'attempts.onboarding'],
    [{ provider, onboarding: { steps: [registerStep()] } }, 'onboarding']
  ] as Array<[object, string]>) t.match(await rejection((async () => { validateOptions({ ...options, ...given } as AuthPluginOptions) })()), { name: 'ConfigurationError', option }, option)
  t.doesNotThrow(() => validateOptions({ ...options, provider, attempts: false, mfa: { challengeTtl: 60 } }))
  const trust = { issuer, audience: 'client', jwksUrl: 'https://auth.example.com/keys', claims: 'cognito' } as const
  t.doesNotThrow(() => validateOptions({ provider: { ...provider, trust } }))
  t.doesNotThrow(() => validateOptions({ provider: { ...provider, trust }, roles: () => [], claims: 'okta', audience: ['a', 'client'], jwt: { cache: true } }))
  t.throws(() => validateOptions({ provider: { ...provider, trust }, jwt: { secret } }), { name: 'ConfigurationError', option: 'jwt' })
  const jwt = { jwksUrl: trust.jwksUrl }
  t.throws(() => validateOptions({ provider: { ...provider, trust }, issuer: 'https://other.example.com', audience: 'client', jwt }), { name: 'ConfigurationError', option: 'issuer' })
  t.throws(() => validateOptions({ provider: { ...provider, trust }, audience: 'another' }), { name: 'ConfigurationError', option: 'audience' })
  t.throws(() => validateOptions({ provider: { ...provider, trust }, issuers: [{ issuer: 'https://other.example.com', audience: 'client', jwt }] }), { name: 'ConfigurationError', option: 'issuer' })
  t.doesNotThrow(() => validateOptions({ provider: { ...provider, trust }, issuer, audience: ['x', 'client'], jwt }))
  t.throws(() => validateOptions({ provider }), { name: 'ConfigurationError', option: 'issuer' })
})
