import { startClient, startServer, withChildren } from './child.js'

const PASSWORD = 'correct horse battery staple'
const USERS = 20
const SESSIONS = 5
const CONNECTIONS = 50
const CHEAP = { memoryCost: 7168, timeCost: 5, parallelism: 1 }

export const FLOOR = 'Fastify, no authentication'
export const UNCHECKED = 'revocation: false'

/** What is measured in turns: an accepted request to a guarded route. */
export function revocationSubjects ({ postgresql }) {
  const on = (name, store, plugin) => ({ name, app: 'accounts/application.js', settings: { store, argon2: CHEAP, plugin } })
  return [
    { name: FLOOR, app: 'apps/fastify.js', settings: {} },
    on(UNCHECKED, 'sqlite', { revocation: false }),
    on('revocation: true, memory', 'memory', { revocation: true }),
    on('revocation: true, SQLite file', 'sqlite', { revocation: true }),
    ...(postgresql ? [on('revocation: true, PostgreSQL', 'postgresql', { revocation: true })] : []),
    on('revocation: { maxStaleness: 5 }, SQLite file', 'sqlite', { revocation: { maxStaleness: 5 } })
  ]
}

/** CPU time of the server per accepted request, and requests per second, over the sessions of several users. */
export async function measureRevocation (subjects, { build, rounds, requests, say }) {
  return await withChildren(async (child) => {
    const client = child(startClient())
    const prepared = []
    for (const subject of subjects) {
      const server = child(await startServer(subject.app, { build, ...subject.settings }))
      prepared.push({ ...subject, server, requests: await signedIn(subject, server), rounds: [] })
    }
    for (let round = -1; round < rounds; round++) {
      say(round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`)
      for (let place = 0; place < prepared.length; place++) {
        const subject = prepared[(place + Math.max(round, 0)) % prepared.length]
        const row = await measureOnce(subject, client, requests)
        if (round >= 0) subject.rounds.push(row)
      }
    }
    return prepared.map(({ name, rounds }) => ({ name, rounds }))
  })
}

async function signedIn ({ name }, server) {
  if (name === FLOOR) return [{ path: '/me' }]
  const emails = Array.from({ length: USERS }, (_, index) => `user-${index}@example.com`)
  await server.call('people', { emails, password: PASSWORD })
  const requests = []
  for (const email of emails) {
    const sessions = await server.call('signIn', { email, password: PASSWORD, count: SESSIONS })
    requests.push(...sessions.map((tokens) => ({ path: '/me', headers: { authorization: `Bearer ${tokens.access_token}` } })))
  }
  return requests
}

async function measureOnce ({ name, server, requests }, client, count) {
  const before = await server.cpu()
  const { seconds, answers } = await client.ask('load', { port: server.port, requests, count, connections: CONNECTIONS })
  const after = await server.cpu()
  for (const answer of Object.keys(answers)) {
    if (answer !== '200') throw new Error(`${name}: ${answer} was not expected`)
  }
  return { cpuPerRequest: (after - before) / count, requestsPerSecond: count / seconds }
}
