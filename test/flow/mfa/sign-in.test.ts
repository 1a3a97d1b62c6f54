import { inspect } from 'node:util'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { InvalidChallengeError, memoryStore, type AuthPluginOptions, type Challenge, type ChallengeResponse } from '../../../index.js'
import { accounts, clock, password, tokensOf, type AccountsApp } from '../../accounts.js'
import { refused } from '../../build.js'
import { rejection } from '../../rejection.js'
import { codeOf, encryptionKey, enrol, wrongCode } from '../../totp.js'
import { stores, watched } from '../../watched-store.js'

const another = 'another horse battery'

interface Enrolled extends AccountsApp {
  id: string
  email: string
  secret: string
  recovery_codes: readonly string[]
}

/** An application, and somebody with a second factor. */
async function withEnrolled (t: Test, options: AuthPluginOptions = {}): Promise<Enrolled> {
  const built = await accounts(t, { encryptionKey, ...options })
  const { id, email } = await built.signUp()
  const factor = await enrol(built.app, id)
  built.events.length = 0
  return { ...built, id, email, ...factor }
}

async function challenged ({ app, email }: Enrolled): Promise<Challenge> {
  const answer = await app.bouncer.login({ email, password })
  if (!('challenge_name' in answer)) throw new Error('tokens')
  return answer
}

const totp = ({ session }: Challenge, code: string): ChallengeResponse => ({ session, challenge_name: 'MFA_TOTP', code })

/** Checks that an answer is refused, and why: that is told to operators only. */
async function refuses (t: Test, { app, happened }: AccountsApp, response: ChallengeResponse, reason: string): Promise<void> {
  const error = await rejection(app.bouncer.challenges.respond(response))
  t.ok(error instanceof InvalidChallengeError, reason)
  t.equal((error as InvalidChallengeError).reason, reason)
  t.strictSame(happened('user_login'), [], 'nobody is signed in')
}

t.test('over HTTP: 202 and a challenge, and tokens for the right code', async (t) => {
  const built = await withEnrolled(t)
  const login = await built.call('POST', '/login', { email: built.email, password })
  t.equal(login.statusCode, 202)
  const { session, ...rest } = login.json()
  t.strictSame(rest, { challenge_name: 'MFA_TOTP', mfa_types: ['MFA_TOTP', 'RECOVERY_CODE'] })
  t.equal(login.headers['cache-control'], 'no-store')
  t.strictSame(built.happened('user_login'), [])

  refused(t, await built.call('POST', '/login/challenge', { session, challenge_name: 'MFA_TOTP', code: wrongCode(built.secret) }), 400, 'INVALID_CHALLENGE')
  t.match(built.happened('challenge_failed'), [{ challengeName: 'MFA_TOTP', account: built.id, reason: 'wrong_code' }])
  const response = await built.call('POST', '/login/challenge', { session, challenge_name: 'MFA_TOTP', code: codeOf(built.secret) })
  t.equal(response.statusCode, 200)
  const tokens = response.json()
  t.strictSame(Object.keys(tokens).sort(), ['access_token', 'expires_in', 'refresh_token', 'token_type'])
  t.match(decodeJwt(tokens.access_token), { sub: built.id, amr: ['pwd', 'otp', 'mfa'], auth_time: Number })
  t.equal((await built.call('GET', '/me', undefined, tokens.access_token)).statusCode, 200)
  t.equal(built.happened('user_login').length, 1)
  const refreshed = await built.call('POST', '/refresh', { refresh_token: tokens.refresh_token })
  t.match(decodeJwt(refreshed.json().access_token), { amr: ['pwd', 'otp', 'mfa'], auth_time: decodeJwt(tokens.access_token).auth_time }, 'a refresh is no new sign-in')
})

t.test('who has none signs in with the password alone', async (t) => {
  const { app, signUp } = await accounts(t, { encryptionKey })
  const { access_token: token } = await signUp()
  t.strictSame(decodeJwt(token).amr, ['pwd'])
  t.ok(await app.bouncer.authenticate(token))
})

t.test('a code as people type it', async (t) => {
  const built = await withEnrolled(t)
  const code = codeOf(built.secret)
  t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await challenged(built), ` ${code.slice(0, 3)} ${code.slice(3)} `))))
})

t.test('a code is taken one step early and one late, and no further', async (t) => {
  const pass = clock(t)
  for (const [after, right] of [[-60, false], [30, true], [60, false]] as const) {
    const built = await withEnrolled(t)
    const answer = totp(await challenged(built), codeOf(built.secret, after))
    if (right) t.ok(await tokensOf(built.app.bouncer.challenges.respond(answer)), String(after))
    else await refuses(t, built, answer, 'wrong_code')
    pass(90)
  }
})

t.test('attack: replay of a code', async (t) => {
  const built = await withEnrolled(t)
  const code = codeOf(built.secret)
  t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await challenged(built), code))))
  built.events.length = 0
  await refuses(t, built, totp(await challenged(built), code), 'wrong_code')
  await refuses(t, built, totp(await challenged(built), codeOf(built.secret, -30)), 'wrong_code')

  t.test('of the one that made the second factor count', async (t) => {
    const built = await accounts(t, { encryptionKey })
    const { id, email } = await built.signUp()
    const { secret } = await built.app.bouncer.mfa.setUp(id, { auth_time: Date.now() / 1000 })
    const code = codeOf(secret)
    await built.app.bouncer.mfa.confirm(id, code)
    built.events.length = 0
    const challenge = await built.app.bouncer.login({ email, password }) as Challenge
    await refuses(t, built, totp(challenge, code), 'wrong_code')
  })
})

for (const [engine, make] of Object.entries(stores)) {
  t.test(`${engine}: race: one code for ten challenges at once opens one session`, async (t) => {
    const built = await withEnrolled(t, { store: make(), attempts: false })
    const challenges = await Promise.all(Array.from({ length: 10 }, () => challenged(built)))
    const code = codeOf(built.secret)
    const outcomes = await Promise.allSettled(challenges.map((challenge) => built.app.bouncer.challenges.respond(totp(challenge, code))))
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const outcome of outcomes) if (outcome.status === 'rejected') t.ok(outcome.reason instanceof InvalidChallengeError)
    t.equal((await built.app.bouncer.sessions.list(built.id)).items.length, 2, 'with that of the sign-up')
  })

  t.test(`${engine}: race: one challenge, and a different right answer to it at once`, async (t) => {
    const built = await withEnrolled(t, { store: make(), attempts: false })
    const challenge = await challenged(built)
    const answers: ChallengeResponse[] = [
      totp(challenge, codeOf(built.secret)),
      ...built.recovery_codes.slice(0, 4).map((code) => ({ session: challenge.session, challenge_name: 'RECOVERY_CODE' as const, code }))
    ]
    const outcomes = await Promise.allSettled(answers.map((answer) => built.app.bouncer.challenges.respond(answer)))
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    t.equal((await built.app.bouncer.sessions.list(built.id)).items.length, 2)
  })
}

t.test('recovery codes: each works once, however it is typed', async (t) => {
  const built = await withEnrolled(t)
  t.equal(built.recovery_codes.length, 10)
  t.equal(new Set(built.recovery_codes).size, 10)
  const [first = '', second = ''] = built.recovery_codes
  const recover = async (code: string): Promise<unknown> => await tokensOf(built.app.bouncer.challenges.respond({ ...await challenged(built), challenge_name: 'RECOVERY_CODE', code } as ChallengeResponse))
  t.match(decodeJwt(((await recover(first)) as { access_token: string }).access_token), { amr: ['pwd', 'mfa'] })
  t.match(built.happened('recovery_code_used'), [{ user: { id: built.id }, left: 9 }])
  built.events.length = 0
  await refuses(t, built, { session: (await challenged(built)).session, challenge_name: 'RECOVERY_CODE', code: first }, 'wrong_code')
  t.ok(await recover(second.toUpperCase().replaceAll('-', ' ').replaceAll('0', 'O').replaceAll('1', 'l')))
  t.strictSame(await built.app.bouncer.mfa.status(built.id), { totp: true, recovery_codes_left: 8 })
  await built.app.bouncer.mfa.disable(built.id, { auth_time: Date.now() / 1000, amr: ['pwd', 'mfa'] })
  t.strictSame(await built.app.bouncer.mfa.status(built.id), { totp: false, recovery_codes_left: 0 })
})

t.test('SELECT_MFA_TYPE: another second factor, chosen', async (t) => {
  const built = await withEnrolled(t)
  const challenge = await challenged(built)
  const { body, ...response } = await built.call('POST', '/login/challenge', { session: challenge.session, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'RECOVERY_CODE' })
  t.equal(response.statusCode, 202)
  const next = JSON.parse(body)
  t.match(next, { challenge_name: 'RECOVERY_CODE', mfa_types: ['RECOVERY_CODE'] })
  await refuses(t, built, totp(challenge, codeOf(built.secret)), 'unknown')
  await refuses(t, built, totp(next, codeOf(built.secret)), 'other_challenge')
  t.ok(await tokensOf(built.app.bouncer.challenges.respond({ session: next.session, challenge_name: 'RECOVERY_CODE', code: built.recovery_codes[0] as string })))
  await refuses(t, { ...built, happened: () => [] as never }, { session: (await challenged(built)).session, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'SMS_MFA' }, 'other_challenge')
})

t.test('once all recovery codes are used, none is offered', async (t) => {
  const built = await withEnrolled(t, { attempts: false })
  for (const code of built.recovery_codes) await built.app.bouncer.challenges.respond({ session: (await challenged(built)).session, challenge_name: 'RECOVERY_CODE', code })
  const challenge = await challenged(built)
  t.strictSame(challenge.mfa_types, ['MFA_TOTP'])
  built.events.length = 0
  await refuses(t, built, { session: challenge.session, challenge_name: 'RECOVERY_CODE', code: built.recovery_codes[0] as string }, 'other_challenge')
})

t.test('attack: answers of other kinds, other sign-ins, other times', async (t) => {
  const pass = clock(t)
  const built = await withEnrolled(t, { attempts: false })
  const challenge = await challenged(built)
  for (const session of ['', 'x', 'x'.repeat(43), `${challenge.session}x`, challenge.session.slice(1)]) await refuses(t, built, { ...totp(challenge, codeOf(built.secret)), session }, 'unknown')
  for (const answer of [
    { challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: another },
    { challenge_name: 'MFA_SETUP', code: codeOf(built.secret) },
    { challenge_name: 'SMS_MFA', code: codeOf(built.secret) }
  ] as const) await refuses(t, built, { session: challenge.session, ...answer }, 'other_challenge')
  pass(301)
  await refuses(t, built, totp(challenge, codeOf(built.secret)), 'unknown')

  t.test('codes of another user', async (t) => {
    const { id } = await built.signUp()
    const { secret, recovery_codes: codes } = await enrol(built.app, id)
    const challenge = await challenged(built)
    built.events.length = 0
    await refuses(t, built, totp(challenge, codeOf(secret)), 'wrong_code')
    await refuses(t, built, { session: challenge.session, challenge_name: 'RECOVERY_CODE', code: codes[0] as string }, 'wrong_code')
  })
})

t.test('a sign-in that something has changed under is over', async (t) => {
  const changes: Array<[name: string, change: (built: Enrolled) => Promise<unknown>]> = [
    ['another password', async ({ app, id }) => await app.bouncer.users.setPassword(id, another)],
    ['deactivated', async ({ app, id }) => await app.bouncer.users.update(id, { is_active: false })],
    ['deleted', async ({ app, id }) => await app.bouncer.users.delete(id)],
    ['not verified any more', async ({ app, id }) => await app.bouncer.users.update(id, { is_verified: false })]
  ]
  for (const [name, change] of changes) {
    const built = await withEnrolled(t, { requireVerified: true })
    const challenge = await challenged(built)
    await change(built)
    const error = await rejection(built.app.bouncer.challenges.respond(totp(challenge, codeOf(built.secret))))
    t.match(error, { code: 'INVALID_CHALLENGE', reason: 'changed_meanwhile' }, name)
  }
  const store = memoryStore()
  const without = await withEnrolled(t, { store })
  const open = await challenged(without)
  await store.users.update(without.id, { passwordHash: null })
  await refuses(t, without, totp(open, codeOf(without.secret)), 'changed_meanwhile')

  const built = await withEnrolled(t)
  const challenge = await challenged(built)
  await built.app.bouncer.mfa.reset(built.id)
  await refuses(t, built, totp(challenge, codeOf(built.secret)), 'other_challenge')
})

t.test('race: a change between the right code and its session', async (t) => {
  for (const [change, code] of [
    [async ({ app, id }: Enrolled) => await app.bouncer.users.setPassword(id, another), 'INVALID_CHALLENGE'],
    [async ({ app, id }: Enrolled) => await app.bouncer.users.update(id, { must_change_password: true }), 'INVALID_CHALLENGE']
  ] as const) {
    const store = watched(memoryStore())
    const built = await withEnrolled(t, { store })
    const challenge = await challenged(built)
    const held = store.hold('sessions.insert', 'before')
    const answer = rejection(built.app.bouncer.challenges.respond(totp(challenge, codeOf(built.secret))))
    await held.reached
    await change(built)
    held.release()
    t.match(await answer, { code, reason: 'changed_meanwhile' })
    t.strictSame((await built.app.bouncer.sessions.list(built.id)).items, [])
  }
})

t.test('attack: guessing codes', async (t) => {
  t.test('five answers end a challenge, the right one too', async (t) => {
    const built = await withEnrolled(t, { attempts: false })
    const challenge = await challenged(built)
    for (let answer = 0; answer < 5; answer++) await refuses(t, built, totp(challenge, wrongCode(built.secret)), 'wrong_code')
    await refuses(t, built, totp(challenge, codeOf(built.secret)), 'too_many_answers')
    await refuses(t, built, totp(challenge, codeOf(built.secret)), 'unknown')
    t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await challenged(built), codeOf(built.secret)))), 'the next sign-in is free')
  })

  t.test('five wrong ones lock the account, over however many challenges', async (t) => {
    const pass = clock(t)
    const built = await withEnrolled(t)
    for (let answer = 0; answer < 5; answer++) await refuses(t, built, totp(await challenged(built), wrongCode(built.secret)), 'wrong_code')
    const challenge = await challenged(built).catch(() => undefined)
    const response = await built.call('POST', '/login/challenge', { session: challenge?.session ?? 'x', challenge_name: 'MFA_TOTP', code: codeOf(built.secret) })
    // The password was right each time, and still each of these sign-ins is unfinished: that counts as well.
    if (challenge !== undefined) refused(t, response, 429, 'RATE_LIMITED')
    pass(601)
    t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await challenged(built), codeOf(built.secret)))), 'not for good')
  })

  t.test('choosing another second factor forgets nothing, and gains no time', async (t) => {
    const pass = clock(t)
    const built = await withEnrolled(t)
    const choose = async ({ session }: Challenge): Promise<Challenge> => await built.app.bouncer.challenges.respond({ session, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'MFA_TOTP' }) as Challenge
    let challenge = await challenged(built)
    const outcomes: string[] = []
    for (let guess = 0; guess < 8; guess++) {
      outcomes.push((await rejection<InvalidChallengeError>(built.app.bouncer.challenges.respond(totp(challenge, wrongCode(built.secret))))).code)
      challenge = await choose(challenge).catch(() => challenge)
    }
    t.ok(outcomes.slice(5).every((code) => code === 'RATE_LIMITED'), outcomes.join())

    const other = await withEnrolled(t, { attempts: false })
    let chosen = await challenged(other)
    for (let choice = 0; choice < 2; choice++) {
      t.equal(((await rejection(other.app.bouncer.challenges.respond(totp(chosen, wrongCode(other.secret))))) as InvalidChallengeError).reason, 'wrong_code')
      chosen = await other.app.bouncer.challenges.respond({ session: chosen.session, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'MFA_TOTP' }) as Challenge
    }
    t.equal(((await rejection(other.app.bouncer.challenges.respond(totp(chosen, wrongCode(other.secret))))) as InvalidChallengeError).reason, 'wrong_code')
    t.equal(((await rejection(other.app.bouncer.challenges.respond(totp(chosen, codeOf(other.secret))))) as InvalidChallengeError).reason, 'too_many_answers', 'five for all of them')

    const late = await withEnrolled(t, { attempts: false })
    const first = await challenged(late)
    pass(250)
    const second = await late.app.bouncer.challenges.respond({ session: first.session, challenge_name: 'SELECT_MFA_TYPE', mfa_type: 'MFA_TOTP' }) as Challenge
    pass(51)
    await refuses(t, late, totp(second, codeOf(late.secret)), 'unknown')
  })

  t.test('lock-out: wrong codes from elsewhere do not keep the owner out', async (t) => {
    const built = await withEnrolled(t)
    const from = (address: string) => ({ address })
    const login = async (address: string): Promise<Challenge> => await built.app.bouncer.login({ email: built.email, password }, from(address)) as Challenge
    t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await login('192.0.2.1'), codeOf(built.secret)), from('192.0.2.1'))))
    const theirs = await login('198.51.100.1')
    for (let guess = 0; guess < 5; guess++) await rejection(built.app.bouncer.challenges.respond(totp(theirs, wrongCode(built.secret)), from('198.51.100.1')))
    t.match(await rejection(built.app.bouncer.challenges.respond(totp(await login('198.51.100.2'), wrongCode(built.secret)), from('198.51.100.2'))), { code: 'RATE_LIMITED' })
    t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await login('192.0.2.1'), codeOf(built.secret, 30)), from('192.0.2.1'))))
  })

  t.test('a right code forgets the wrong ones', async (t) => {
    const pass = clock(t)
    const built = await withEnrolled(t)
    for (let round = 0; round < 3; round++) {
      for (let answer = 0; answer < 3; answer++) await refuses(t, { ...built, happened: () => [] as never }, totp(await challenged(built), wrongCode(built.secret)), 'wrong_code')
      t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(await challenged(built), codeOf(built.secret)))))
      pass(31)
    }
  })
})

t.test('secrets are nowhere: not in errors, events, logs of them, nor in the store', async (t) => {
  const store = watched(memoryStore())
  const built = await withEnrolled(t, { store })
  const challenge = await challenged(built)
  const wrong = wrongCode(built.secret)
  const error = await rejection(built.app.bouncer.challenges.respond(totp(challenge, wrong)))
  const stored = await store.factors.find(built.id)
  const texts = [inspect(error, { depth: 9 }), JSON.stringify(error), inspect(built.events, { depth: 9 }), JSON.stringify(built.events), JSON.stringify(stored), inspect(built.app.bouncer, { depth: 9 })]
  for (const text of texts) {
    for (const secret of [built.secret, challenge.session, wrong, ...built.recovery_codes]) t.notOk(text.includes(secret))
  }
})

t.test('attack: what is stored of a challenge is changed, or put in place of another', async (t) => {
  const store = memoryStore()
  const built = await withEnrolled(t, { store })
  const set: Array<[string, string]> = []
  const { set: keep } = store.ephemeral
  store.ephemeral.set = async (key, value, ttl) => {
    if (key.startsWith('challenge:')) set.push([key, value])
    await keep(key, value, ttl)
  }
  const [first, second] = [await challenged(built), await challenged(built)]
  const [[firstKey = ''] = [], [, secondValue = ''] = []] = set
  t.notOk(set.flat().join().includes(built.id), 'nothing of it can be read')
  await keep(firstKey, secondValue, 60_000)
  await refuses(t, built, totp(first, codeOf(built.secret)), 'unknown')
  t.ok(await tokensOf(built.app.bouncer.challenges.respond(totp(second, codeOf(built.secret)))))
})
