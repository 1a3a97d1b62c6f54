import { CLIENT_CORE, SERVER_CORE } from '../verify/process.js'
import { quartiles } from '../verify/statistics.js'
import { ALL_CORES, startClient, startServer, withChildren } from './child.js'

const PASSWORD = 'correct horse battery staple'
const IN_FLIGHT = 50
const PER_SECOND = 200

/** How server and client share the cores. The first is what a server of two cores is; in the other the event loop has to take its core back from the hash. */
export const SET_UPS = [
  { name: 'server on all cores', core: ALL_CORES, clientCore: ALL_CORES },
  { name: 'server on one core', core: SERVER_CORE, clientCore: CLIENT_CORE }
]

/**
 * P7: how long a guarded route takes, with the revocation check on SQLite, while
 * 50 logins are under way and while there are none, in turns; and how late the
 * timers of the server come meanwhile. In milliseconds.
 */
export async function measureIdle (setUp, { build, rounds, seconds, argon2, passwords, say }) {
  return await withChildren(async (child) => {
    const server = child(await startServer('accounts/application.js', { build, argon2, plugin: { passwords } }, { core: setUp.core }))
    const client = child(startClient(setUp.clientCore))
    const emails = Array.from({ length: IN_FLIGHT }, (_, index) => `user-${index}@example.com`)
    await server.call('people', { emails, password: PASSWORD })
    const [{ access_token: token }] = await server.call('signIn', { email: emails[0], password: PASSWORD, count: 1 })
    const request = { path: '/me', headers: { authorization: `Bearer ${token}` } }
    const logins = emails.map((email) => ({ method: 'POST', path: '/auth/login', body: { email, password: PASSWORD } }))

    const probe = async () => {
      await server.call('watchDelay')
      const { times, statuses } = await client.ask('probe', { port: server.port, request, perSecond: PER_SECOND, seconds })
      const delay = await server.call('delay')
      refuseOthers(statuses, '200')
      return { times: times.map((nanoseconds) => nanoseconds / 1e6), delay }
    }
    const rows = { idle: [], busy: [] }
    let logged = 0
    for (let round = -1; round < rounds; round++) {
      say(`${setUp.name}, ${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}`)
      const idle = await probe()
      await client.ask('flood', { port: server.port, requests: logins })
      const busy = await probe()
      const { answers } = await client.ask('drain')
      refuseOthers(answers, '200')
      if (round < 0) continue
      rows.idle.push(idle)
      rows.busy.push(busy)
      logged += answers['200']
    }
    return { name: setUp.name, seconds, logins: logged, idle: summary(rows.idle), busy: summary(rows.busy) }
  })
}

function refuseOthers (answers, expected) {
  for (const status of Object.keys(answers)) {
    if (status !== expected) throw new Error(`idle: ${status} was not expected`)
  }
}

function summary (rounds) {
  const percentile = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))]
  const all = rounds.flatMap(({ times }) => times)
  return {
    requests: all.length,
    median: quartiles(all).median,
    p99: percentile(all, 0.99),
    p99OfRounds: rounds.map(({ times }) => percentile(times, 0.99)),
    longest: Math.max(...all),
    delay: { max: Math.max(...rounds.map(({ delay }) => delay.max)), p99: Math.max(...rounds.map(({ delay }) => delay.p99)) }
  }
}
