import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { canPin } from '../verify/process.js'
import { build, compile, installPeers, saveResults, versions } from '../verify/setup.js'
import { measureIdle, SET_UPS } from './idle.js'
import { measureLogin } from './login.js'
import { measureRefresh, refreshSubjects } from './refresh.js'
import { goalsTable, idleGoals, idleTable, loginGoals, loginTable, refreshGoals, refreshTable, revocationTable, timingGoals, timingTable } from './report.js'
import { measureRevocation, revocationSubjects } from './revocation.js'
import { families, measureTiming } from './timing.js'

const HELP = `npm run bench:accounts -- [options]

  --only a,b          of login, idle, refresh, timing, revocation
  --quick             a look at each, in about two minutes: the figures mean little
  --no-peers          without better-auth; installs nothing
  --no-postgresql     without PostgreSQL (postgres://root@127.0.0.1:5432/test, or DATABASE_URL)
  --no-build          measures what was built last time
  --logins N          rounds of login (80)
  --idle-rounds N     rounds of idle (3)
  --idle-seconds N    seconds of each half of such a round (10)
  --concurrency N     hashes at once, in idle (default: that of the package)
  --rounds N          rounds of refresh and revocation (9)
  --requests N        requests per round of revocation (5000), refreshes per round (2000)
  --pairs N           pairs of each kind in timing (400), with the default hash half of that
  --out FILE          raw results (benchmarks/results/<date>-accounts.json; with --quick none)`

const say = (text) => { if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`) }
const results = {}
const goals = []

const groups = {
  async login (common) {
    results.login = await measureLogin({ ...common, rounds: options.logins })
    print(loginTable(results.login))
    goals.push(...loginGoals(results.login))
  },

  async idle (common) {
    results.idle = []
    const passwords = options.concurrency === undefined ? undefined : { concurrency: Number(options.concurrency) }
    for (const setUp of SET_UPS) results.idle.push(await measureIdle(setUp, { ...common, passwords, rounds: options['idle-rounds'], seconds: options['idle-seconds'] }))
    print(idleTable(results.idle))
    goals.push(...idleGoals(results.idle))
  },

  async refresh (common) {
    const betterAuth = !options['no-peers'] && installPeers()
    const secret = randomBytes(48).toString('base64')
    results.refresh = await measureRefresh(refreshSubjects({ betterAuth, postgresql: common.postgresql }), { ...common, secret, requests: Math.ceil(options.requests * 0.4) })
    print(refreshTable(results.refresh))
    goals.push(...refreshGoals(results.refresh))
  },

  async revocation (common) {
    results.revocation = await measureRevocation(revocationSubjects(common), { ...common, requests: options.requests })
    print(revocationTable(results.revocation))
  },

  async timing (common) {
    results.timing = []
    for (const family of families({ pairs: options.pairs, fewPairs: Math.ceil(options.pairs / 2) })) {
      const result = await measureTiming(family, common)
      results.timing.push(result)
      print(timingTable(result))
    }
    goals.push(...timingGoals(results.timing))
  }
}

const options = readOptions()

await main()

async function main () {
  if (options.help) { console.log(HELP); return }
  if (!options['no-build']) compile()
  if (!canPin) console.log('Processes cannot be bound to a core each here (no taskset, or a single core): the figures mean less.\n')
  const postgresql = !options['no-postgresql'] && await hasPostgresql()
  const common = { build, postgresql, rounds: options.rounds, say }
  for (const [name, measure] of Object.entries(groups)) {
    if (wanted(name)) await measure(common)
  }
  print(`## Goals\n\n${goalsTable(goals)}`)
  save(postgresql)
}

async function hasPostgresql () {
  const { default: { Client } } = await import('pg')
  const client = new Client({ connectionString: process.env.DATABASE_URL ?? 'postgres://root@127.0.0.1:5432/test', connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch (error) {
    console.log(`PostgreSQL is left out: ${error.message}\n`)
    return false
  }
}

function print (text) {
  say('')
  console.log(`${text}\n`)
}

function wanted (name) {
  return options.only === undefined || options.only.split(',').includes(name)
}

function readOptions () {
  const names = ['only', 'logins', 'idle-rounds', 'idle-seconds', 'concurrency', 'rounds', 'requests', 'pairs', 'out']
  const flags = ['no-peers', 'no-postgresql', 'no-build', 'quick', 'help']
  const { values } = parseArgs({ options: Object.fromEntries([...names.map((name) => [name, { type: 'string' }]), ...flags.map((name) => [name, { type: 'boolean' }])]) })
  const unknown = values.only?.split(',').find((name) => !Object.hasOwn(groups, name))
  if (unknown !== undefined) throw new Error(`--only: there is no ${unknown}`)
  const count = (name, usual, quick) => Number(values[name] ?? (values.quick ? quick : usual))
  return {
    ...values,
    logins: count('logins', 80, 8),
    'idle-rounds': count('idle-rounds', 3, 1),
    'idle-seconds': count('idle-seconds', 10, 3),
    rounds: count('rounds', 9, 3),
    requests: count('requests', 5000, 1000),
    pairs: count('pairs', 400, 40)
  }
}

function save (postgresql) {
  if (options.quick && options.out === undefined) return
  const { only, logins, 'idle-rounds': idleRounds, 'idle-seconds': idleSeconds, concurrency, rounds, requests, pairs } = options
  saveResults('accounts', {
    versions: versions(['fastify', '@node-rs/argon2', 'better-sqlite3', 'kysely', 'pg'], !options['no-peers']),
    settings: { only, logins, idleRounds, idleSeconds, concurrency, rounds, requests, pairs, postgresql },
    goals,
    results
  }, options.out)
}
