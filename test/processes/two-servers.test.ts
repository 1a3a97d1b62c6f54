import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { Tokens } from '../../index.js'
import { password } from '../accounts.js'
import { noPostgres, noRedis } from '../store/engines.js'
import { pair, type Answer, type Server } from './pair.js'

const skip = await noPostgres() || await noRedis()

// Several processes start, each compiling the sources.
t.setTimeout(300_000)

/** Long, so that no answer comes too late for it on a busy machine. */
const gracePeriod = 120

const guarded = async (server: Server, tokens: Tokens): Promise<Answer> => await server.call('GET', '/guarded', undefined, tokens.access_token)
const refresh = async (server: Server, token: string): Promise<Answer> => await server.call('POST', '/auth/refresh', { refresh_token: token })
const codes = (answers: readonly Answer[]): Array<string | undefined> => answers.map(({ body }) => body.extra?.code)

function refused (t: Test, { status, body }: Answer, wanted: number, code: string, message: string): void {
  t.equal(status, wanted, message)
  t.equal(body.extra?.code, code, message)
}

/** Waits until something answers as it should; servers that come back take their time. */
async function until (holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error('It did not come to be')
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

/** Refreshes a session on a server until that is gone; `tokens` grows. */
function rotateUntilDead ({ refresh_token: first }: Tokens, doomed: Server): { tokens: string[], finished: Promise<void> } {
  const tokens = [first]
  async function rotate (): Promise<void> {
    for (;;) {
      const answer = await refresh(doomed, tokens.at(-1) as string).catch(() => undefined)
      // No answer, or part of one: whether it was rotated, the client cannot know.
      if (answer?.body.refresh_token === undefined) return
      tokens.push(answer.body.refresh_token)
    }
  }
  return { tokens, finished: rotate() }
}

t.test('two servers on one PostgreSQL and one Redis', { skip }, async (t) => {
  const { servers, postgres, redis, user, login, start } = await pair(t, { gracePeriod })
  let one = servers[0]
  let root = ''
  const other = servers[1]

  await t.test('what ends on one is over on the other', async (t) => {
    root = await user('root@example.com', ['admin'])
    const { access_token: token } = await login(one, 'root@example.com')
    const cases: Array<[name: string, code: string, end: (tokens: Tokens, id: string) => Promise<Answer>]> = [
      ['logout', 'TOKEN_REVOKED', (tokens) => one.call('POST', '/auth/logout', undefined, tokens.access_token)],
      ['logout with the refresh token', 'TOKEN_REVOKED', (tokens) => one.call('POST', '/auth/logout', { refresh_token: tokens.refresh_token })],
      ['logout-all', 'TOKEN_REVOKED', (tokens) => one.call('POST', '/auth/logout-all', undefined, tokens.access_token)],
      ['another password', 'TOKEN_REVOKED', (tokens) => one.call('POST', '/auth/me/password', { current_password: password, new_password: 'another horse battery' }, tokens.access_token)],
      ['a lost role', 'TOKEN_REVOKED', (_tokens, id) => one.call('PATCH', `/auth/users/${id}`, { roles: [] }, token)],
      ['deactivation', 'ACCOUNT_UNAVAILABLE', (_tokens, id) => one.call('PATCH', `/auth/users/${id}`, { is_active: false }, token)],
      ['deletion', 'ACCOUNT_UNAVAILABLE', (_tokens, id) => one.call('DELETE', `/auth/users/${id}`, undefined, token)]
    ]
    for (const [index, [name, code, end]] of cases.entries()) {
      const email = `user${index}@example.com`
      const id = await user(email, ['editor'])
      const tokens = await login(one, email)
      t.equal((await guarded(other, tokens)).status, 200, `${name}: the other server takes the token`)
      const { status } = await end(tokens, id)
      t.ok(status === 200 || status === 204, `${name} is done on one`)
      refused(t, await guarded(other, tokens), 401, code, `${name}: over on the other`)
    }
  })

  await t.test('20 refreshes of one token over both rotate once', async (t) => {
    await user('ada@example.com')
    const tokens = await login(one, 'ada@example.com')
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, index) => await refresh(servers[index % 2] as Server, tokens.refresh_token)))
    t.strictSame(answers.map(({ status }) => status), Array(20).fill(200), 'none is refused')
    const successors = new Set(answers.map(({ body }) => body.refresh_token))
    t.equal(successors.size, 1, 'all get the same successor')
    t.equal(new Set(answers.map(({ body }) => body.access_token)).size, 20, 'and access tokens of their own')
    const [successor = ''] = successors

    const next = await refresh(other, successor as string)
    t.equal(next.status, 200)
    refused(t, await refresh(one, tokens.refresh_token), 401, 'TOKEN_REVOKED', 'a replay of a token whose successor was used is refused')
    refused(t, await refresh(other, next.body.refresh_token as string), 401, 'TOKEN_REVOKED', 'it ends the family')
    for (const { body } of answers) refused(t, await guarded(other, body as Tokens), 401, 'TOKEN_REVOKED', 'and all its access tokens')
  })

  await t.test('attempts on both add up', async (t) => {
    await user('guessed@example.com')
    for (const email of ['guessed@example.com', 'nobody@example.com']) {
      const wrong = await Promise.all(Array.from({ length: 16 }, async (_, index) =>
        await (servers[index % 2] as Server).call('POST', '/auth/login', { email, password: 'wrong' })))
      t.strictSame(codes(wrong).filter((code) => code === 'INVALID_CREDENTIALS').length, 5, `${email}: five are looked at`)
      t.strictSame(codes(wrong).filter((code) => code === 'RATE_LIMITED').length, 11, `${email}: the rest are too many`)
      for (const server of servers) {
        const right = await server.call('POST', '/auth/login', { email, password })
        refused(t, right, 429, 'RATE_LIMITED', `${email}: the right password does not help on either`)
        t.match(right.headers.get('retry-after'), /^\d+$/)
      }
    }
  })

  await t.test('of two at once, one', async (t) => {
    const [ada, eve] = [await user('adam@example.com', ['admin']), await user('eve@example.com', ['admin'])]
    const [adas, eves] = [await login(one, 'adam@example.com'), await login(other, 'eve@example.com')]
    const roots = await login(one, 'root@example.com')
    t.equal((await one.call('PATCH', `/auth/users/${root}`, { roles: [] }, roots.access_token)).status, 200, 'two administrators are left')
    const outcomes = await Promise.all([
      one.call('PATCH', `/auth/users/${eve}`, { is_active: false }, adas.access_token),
      other.call('PATCH', `/auth/users/${ada}`, { is_active: false }, eves.access_token)
    ])
    t.equal(outcomes.filter(({ status }) => status === 200).length, 1, 'two administrators who deactivate each other: one stays')

    const registered = await Promise.all([one, other, one, other].map(async (server) =>
      await server.call('POST', '/auth/register', { email: 'New@Example.com', password })))
    t.strictSame(registered.map(({ status }) => status).sort(), [201, 400, 400, 400], 'an address is given once')
  })

  await t.test('kill -9 in the middle of rotations loses no session and doubles none', async (t) => {
    await user('killed@example.com')
    for (let round = 0; round < 2; round++) {
      const sessions: Tokens[] = []
      // One after the other: at once, they would be too many attempts.
      while (sessions.length < 10) sessions.push(await login(other, 'killed@example.com'))
      const chains = sessions.map((tokens) => rotateUntilDead(tokens, one))
      // Somewhere between the rotations.
      await until(async () => chains.every(({ tokens }) => tokens.length > 2))
      one.child.kill('SIGKILL')
      await Promise.all([...chains.map(({ finished }) => finished), once(one.child, 'exit')])

      for (const { tokens } of chains) {
        const first = await refresh(other, tokens.at(-1) as string)
        t.equal(first.status, 200, 'the last token that came through is good')
        const again = await refresh(other, tokens.at(-1) as string)
        t.equal(again.body.refresh_token, first.body.refresh_token, 'it has one successor')
        t.equal((await guarded(other, first.body as Tokens)).status, 200, 'the session is alive')
        refused(t, await refresh(other, tokens.at(-2) as string), 401, 'TOKEN_REVOKED', 'the one before it is used up')
      }
      one = await start()
    }
  })

  await t.test('databases go away and come back', async (t) => {
    const servers = [one, other]
    let tokens = await login(one, 'ada@example.com')

    const asks: Record<string, (server: Server) => Promise<Answer>> = {
      login: (server) => server.call('POST', '/auth/login', { email: 'ada@example.com', password }),
      refresh: (server) => refresh(server, tokens.refresh_token),
      guarded: (server) => guarded(server, tokens)
    }
    async function unavailable (name: string, meanwhile: readonly string[]): Promise<void> {
      await Promise.all(meanwhile.flatMap((ask) => servers.map(async (server) => {
        const answer = await (asks[ask] as (server: Server) => Promise<Answer>)(server)
        refused(t, answer, 503, 'AUTH_UNAVAILABLE', `${name}: ${ask}`)
        t.match(answer.headers.get('retry-after'), /^\d+$/)
      })))
    }
    async function back (name: string): Promise<void> {
      for (const server of servers) {
        await until(async () => (await guarded(server, tokens)).status === 200)
        await until(async () => (await server.call('POST', '/auth/login', { email: 'ada@example.com', password })).status === 200)
        t.pass(`${name}: it works again by itself`)
        t.equal(server.child.exitCode, null, `${name}: the process lives`)
      }
      tokens = await login(one, 'ada@example.com')
    }

    await postgres.cut()
    await unavailable('PostgreSQL has ended', ['login', 'refresh', 'guarded'])
    await postgres.mend()
    await back('PostgreSQL has ended')

    postgres.silence()
    await unavailable('PostgreSQL does not answer', ['login', 'refresh', 'guarded'])
    await postgres.mend()
    await back('PostgreSQL does not answer')

    await redis.cut()
    await unavailable('Redis has ended', ['login', 'refresh'])
    t.equal((await guarded(one, tokens)).status, 200, 'sessions are not in Redis')
    await redis.mend()
    await back('Redis has ended')

    redis.silence()
    await unavailable('Redis does not answer', ['login', 'refresh'])
    await redis.mend()
    await back('Redis does not answer')
  })

  await t.test('a server that is asked to stop finishes what is under way', async (t) => {
    const tokens = await login(one, 'ada@example.com')
    const asked = one.call('POST', '/auth/login', { email: 'ada@example.com', password })
    // Sent before the signal is: the connection is there, from the request before.
    await guarded(one, tokens)
    one.child.kill('SIGTERM')
    t.equal((await asked).status, 200)
    await once(one.child, 'exit')
    t.equal((await guarded(other, tokens)).status, 200)
  })
})
