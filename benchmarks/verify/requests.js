import { CLIENT_CORE, SERVER_CORE, start } from './process.js'
import { authorization, REFUSALS } from './tokens.js'

const TOKENS = 1000

/** What `GET /me` and `GET /admin` are asked with. `allowed` are the statuses that an application of ours may give. */
const TRAFFIC = {
  accepted: { path: '/me', kinds: ['accepted'], allowed: ['200'] },
  refused: { path: '/me', kinds: REFUSALS, allowed: ['401'] },
  'role refused': { path: '/admin', kinds: ['accepted'], allowed: ['403'] },
  ...Object.fromEntries(REFUSALS.map((kind) => [kind, { path: '/me', kinds: [kind], allowed: ['401'] }]))
}

/**
 * Measures subjects in turns, round after round, each in a process of its own:
 * CPU time of the server per request, and requests per second.
 */
export async function measureRequests (subjects, { keys, build, rounds, requests, warmUp, connections, profile, say }) {
  const servers = []
  const client = start('client.js', CLIENT_CORE)
  try {
    for (const subject of subjects) {
      const execArgv = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${subject.name.replace(/[^a-z0-9]+/gi, '-')}-${subject.traffic ?? 'accepted'}.cpuprofile`]
      const server = start('server.js', SERVER_CORE, { execArgv })
      servers.push(server)
      const { algorithm = 'HS256', traffic = 'accepted' } = subject
      const { port, cookies } = await server.ask('start', { app: subject.app, settings: { build, algorithm, key: keys[algorithm], ...subject.settings } })
      Object.assign(subject, { server, port, cookies, ...TRAFFIC[traffic], headers: headersOf(TRAFFIC[traffic].kinds, algorithm, keys[algorithm]), rounds: [], answers: {} })
    }
    for (let round = -1; round < rounds; round++) {
      say(round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`)
      // Every round starts with another one, so that nobody always comes after the same.
      for (let place = 0; place < subjects.length; place++) {
        await measureOnce(subjects[(place + Math.max(round, 0)) % subjects.length], client, { requests: round < 0 ? warmUp : requests, connections, warmUp: round < 0 })
      }
    }
  } finally {
    await Promise.all([client, ...servers].map(async (child) => { await child.stop() }))
  }
  return subjects.map(({ name, app, algorithm = 'HS256', traffic = 'accepted', settings = {}, rounds, answers }) => ({ name, app, algorithm, traffic, settings, rounds, answers }))
}

async function measureOnce (subject, client, { requests, connections, warmUp }) {
  const { server, port, path, headers, cookies } = subject
  const before = await server.ask('cpu')
  const { seconds, answers, bytes } = await client.ask('run', { port, path, count: requests, connections, headers, cookies })
  const after = await server.ask('cpu')
  checkAnswers(subject, answers)
  if (warmUp) return
  subject.rounds.push({ cpuPerRequest: (after - before) / requests, requestsPerSecond: requests / seconds, bytesPerAnswer: bytes / requests })
  for (const [answer, count] of Object.entries(answers)) subject.answers[answer] = (subject.answers[answer] ?? 0) + count
}

// Fast because it answered something else is not fast. Others answer refusals
// as they do (their statuses are in the results), but none may accept one.
function checkAnswers ({ name, app, open = false, traffic = 'accepted', allowed }, answers) {
  for (const answer of Object.keys(answers)) {
    const status = answer.slice(-3)
    const right = open ? status === '200' : app === 'apps/bouncer.js' || traffic === 'accepted' ? allowed.includes(status) : status >= '400'
    if (!right) throw new Error(`${name}: ${answer} was not expected`)
  }
}

function headersOf (kinds, algorithm, key) {
  return Array.from({ length: TOKENS }, (_, serial) => {
    const kind = kinds[serial % kinds.length]
    return { kind, authorization: authorization(kind, serial, algorithm, key) }
  })
}
