import { startClient, startServer, withChildren } from './child.js'

const EMAIL = 'ada@example.com'
const PASSWORD = 'correct horse battery staple'
const SESSIONS = 20
const CHEAP = { memoryCost: 7168, timeCost: 5, parallelism: 1 }

export const BETTER_AUTH = 'better-auth, SQLite file'

const ours = { app: 'accounts/application.js' }

/** What is measured in turns. `share` of the requests goes to each. */
export function refreshSubjects ({ betterAuth, postgresql }) {
  return [
    { name: 'fastify-bouncer, SQLite file', ...ours, settings: { store: 'sqlite' } },
    ...(postgresql ? [{ name: 'fastify-bouncer, PostgreSQL', ...ours, settings: { store: 'postgresql' } }] : []),
    { name: 'fastify-bouncer, SQLite file, refresh not counted', ...ours, settings: { store: 'sqlite', plugin: { attempts: { refresh: false } } } },
    ...(betterAuth ? [{ name: BETTER_AUTH, app: 'peers/better-auth-refresh.js', share: 0.25 }] : [])
  ]
}

/** P8: refreshes in turns, round after round: CPU time of the server per refresh, and refreshes per second. */
export async function measureRefresh (subjects, { build, rounds, requests, secret, say }) {
  return await withChildren(async (child) => {
    const client = child(startClient())
    const prepared = []
    for (const subject of subjects) prepared.push({ ...subject, ...await prepare(subject, { build, secret, child }), rounds: [] })
    for (let round = -1; round < rounds; round++) {
      say(round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`)
      for (let place = 0; place < prepared.length; place++) {
        const subject = prepared[(place + Math.max(round, 0)) % prepared.length]
        const row = await measureOnce(subject, client, Math.ceil(requests * (subject.share ?? 1)))
        if (round >= 0) subject.rounds.push(row)
      }
    }
    return prepared.map(({ name, rounds }) => ({ name, rounds }))
  })
}

async function prepare ({ app, settings }, { build, secret, child }) {
  const server = child(await startServer(app, { build, secret, sessions: SESSIONS, argon2: CHEAP, ...settings }))
  if (app !== ours.app) return { server, requests: server.cookies.map((cookie) => ({ path: '/api/auth/get-session', headers: { cookie } })) }
  await server.call('people', { emails: [EMAIL], password: PASSWORD })
  const signedIn = await server.call('signIn', { email: EMAIL, password: PASSWORD, count: SESSIONS })
  return { server, tokens: signedIn.map((tokens) => tokens.refresh_token) }
}

async function measureOnce (subject, client, count) {
  const { name, server, tokens, requests } = subject
  const changes = tokens === undefined ? await server.call('changes') : 0
  const before = await server.cpu()
  const result = tokens === undefined
    ? await client.ask('load', { port: server.port, requests, count, connections: SESSIONS })
    : await client.ask('refreshes', { port: server.port, path: '/auth/refresh', tokens, count })
  const after = await server.cpu()
  if (tokens !== undefined) subject.tokens = result.tokens
  checkAnswers(name, result.answers, tokens === undefined ? '200 set-cookie' : '200')
  // Reading a session is no refresh: each has to have been written.
  if (tokens === undefined && await server.call('changes') - changes < count) throw new Error(`${name}: not every session was refreshed`)
  return { cpuPerRequest: (after - before) / count, requestsPerSecond: count / result.seconds }
}

function checkAnswers (name, answers, expected) {
  for (const answer of Object.keys(answers)) {
    if (answer !== expected) throw new Error(`${name}: ${answer} was not expected`)
  }
}
