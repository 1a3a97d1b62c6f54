import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { measureMemory } from './memory.js'
import { canPin } from './process.js'
import { goalsTable, memoryGoals, memoryTable, requestGoals, requestsTable, startGoal, startTable } from './report.js'
import { measureRequests } from './requests.js'
import { build, compile, installPeers, saveResults, versions } from './setup.js'
import { measureStart } from './start.js'
import { groups } from './subjects.js'
import { createKeys } from './tokens.js'

const HELP = `npm run bench:verify -- [options]

  --rounds N        rounds after the warm-up (9)
  --requests N      requests per subject and round (20000)
  --warm-up N       requests per subject before the first round (20000)
  --connections N   connections of the client (50)
  --memory N        requests of each memory run (1000000)
  --routes N        routes of the application whose start is measured (1000)
  --only a,b        of accepted, es256, refused, kinds, start, memory
  --no-peers        only Fastify, @fastify/jwt and this package; installs nothing
  --no-build        measures what was built last time
  --quick           a look: 3 rounds of 3000 requests after 6000, 60000 for memory
  --other DIR       measures another build of this package beside this one, in the same rounds
  --profile DIR     CPU profiles of all servers, to open in a browser's developer tools
  --out FILE        raw results (benchmarks/results/<date>-verify.json; with --quick none)`

const options = readOptions()
const say = (text) => { if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`) }

await main()

async function main () {
  if (options.help) { console.log(HELP); return }
  if (!options['no-build']) compile()
  const betterAuth = !options['no-peers'] && installPeers()
  const keys = createKeys()
  const common = { keys, build, rounds: options.rounds, warmUp: options.warmUp, connections: options.connections, profile: options.profile }
  const results = {}
  const goals = []
  if (!canPin) console.log('Processes cannot be bound to a core each here (no taskset, or a single core): the figures mean less.\n')

  for (const [name, group] of Object.entries(groups({ peers: !options['no-peers'], betterAuth, other: options.other && pathToFileURL(`${resolve(options.other)}/`).href }))) {
    if (!wanted(name)) continue
    const requests = Math.ceil(options.requests * (group.share ?? 1))
    const subjects = await measureRequests(group.subjects, { ...common, requests, say: (text) => { say(`${name}: ${text}`) } })
    results[name] = { ...group, requests, subjects }
    print(requestsTable(results[name]))
  }
  goals.push(...requestGoals(results))
  if (wanted('start')) {
    results.start = await measureStart({ ...common, routes: options.routes, say: (text) => { say(`start: ${text}`) } })
    print(startTable(results.start))
    goals.push(startGoal(results.start))
  }
  if (wanted('memory')) {
    results.memory = await measureMemory({ ...common, requests: options.memory, say: (text) => { say(`memory: ${text}`) } })
    print(memoryTable(results.memory))
    goals.push(...memoryGoals(results.memory))
  }
  print(`## Goals\n\n${goalsTable(goals)}`)
  save(results, goals)
}

function print (text) {
  say('')
  console.log(`${text}\n`)
}

function wanted (name) {
  return options.only === undefined || options.only.split(',').includes(name)
}

function readOptions () {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      requests: { type: 'string' },
      'warm-up': { type: 'string' },
      connections: { type: 'string' },
      memory: { type: 'string' },
      routes: { type: 'string' },
      only: { type: 'string' },
      out: { type: 'string' },
      profile: { type: 'string' },
      other: { type: 'string' },
      'no-peers': { type: 'boolean' },
      'no-build': { type: 'boolean' },
      quick: { type: 'boolean' },
      help: { type: 'boolean' }
    }
  })
  const count = (name, usual, quick) => Number(values[name] ?? (values.quick ? quick : usual))
  return {
    ...values,
    rounds: count('rounds', 9, 3),
    requests: count('requests', 20_000, 3000),
    warmUp: count('warm-up', 20_000, 6000),
    connections: count('connections', 50, 50),
    memory: count('memory', 1_000_000, 60_000),
    routes: count('routes', 1000, 1000)
  }
}

function save (results, goals) {
  if (options.quick && options.out === undefined) return
  const { only, rounds, requests, warmUp, connections, memory, routes } = options
  saveResults('verify', {
    versions: versions(['fastify', '@fastify/jwt', 'fast-jwt'], !options['no-peers']),
    settings: { only, rounds, requests, warmUp, connections, memory, routes },
    goals,
    results
  }, options.out)
}
