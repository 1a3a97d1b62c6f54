import { answerParent } from '../verify/process.js'
import { openConnection, requestBytes } from './connection.js'

const kept = new Map()
let flood

/** A connection to a server that stays for the next call. */
async function connectionTo (port) {
  const known = kept.get(port)
  if (known?.isOpen() === true) return known
  const connection = await openConnection(port)
  kept.set(port, connection)
  return connection
}

const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds) })

answerParent({
  /** Sends requests one after the other over one connection, a pause in milliseconds before each that does not follow at once; answers with [status, nanoseconds] of each. */
  async sequence ({ port, requests, pause = 0 }) {
    const connection = await connectionTo(port)
    const ready = requests.map((request) => ({ bytes: requestBytes(port, request), atOnce: request.atOnce === true }))
    const answers = []
    for (const { bytes, atOnce } of ready) {
      if (pause > 0 && !atOnce) await sleep(pause)
      const { status, nanoseconds } = await connection.send(bytes)
      answers.push([status, nanoseconds])
    }
    return answers
  },

  /** Sends `count` requests over so many connections, each as soon as it is answered, and counts the answers by status. */
  async load ({ port, requests, count, connections }) {
    const ready = requests.map((request) => requestBytes(port, request))
    return await run(count, Array.from({ length: connections }, (_, place) => {
      let index = place
      return { next: () => ready[(index += connections) % ready.length], note: () => {} }
    }), port)
  },

  /** The same by refreshing sessions, one connection each; answers with their next refresh tokens, too. */
  async refreshes ({ port, path, tokens, count }) {
    const latest = [...tokens]
    const counted = await run(count, tokens.map((_, place) => ({
      next: () => requestBytes(port, { method: 'POST', path, body: { refresh_token: latest[place] } }),
      note: ({ status, body }) => { if (status === 200) latest[place] = JSON.parse(body).refresh_token }
    })), port)
    return { ...counted, tokens: latest }
  },

  /** Keeps a request of each kind under way, over a connection each, until `drain`. Answers when the first of them are. */
  async flood ({ port, requests }) {
    const state = flood = { going: true, answers: {}, times: [] }
    const connections = await Promise.all(requests.map(async () => await openConnection(port)))
    state.done = Promise.all(connections.map(async (connection, place) => {
      const bytes = requestBytes(port, requests[place])
      while (state.going) {
        const { status, nanoseconds } = await connection.send(bytes)
        state.answers[status] = (state.answers[status] ?? 0) + 1
        state.times.push(nanoseconds)
      }
      connection.close()
    }))
    while (state.times.length < 3) await sleep(20)
  },

  /** Lets what is under way end. */
  async drain () {
    flood.going = false
    await flood.done
    return { answers: flood.answers, times: flood.times }
  },

  /** Sends so many requests per second at irregular times, each whether or not the one before was answered. */
  async probe ({ port, request, perSecond, seconds }) {
    const bytes = requestBytes(port, request)
    const free = []
    const times = []
    const statuses = {}
    const underWay = []
    const once = async () => {
      const connection = free.pop() ?? await openConnection(port)
      const { status, nanoseconds } = await connection.send(bytes)
      free.push(connection)
      times.push(nanoseconds)
      statuses[status] = (statuses[status] ?? 0) + 1
    }
    const end = performance.now() + seconds * 1000
    for (let next = performance.now(); next < end; next += -Math.log(1 - Math.random()) * 1000 / perSecond) {
      const wait = next - performance.now()
      if (wait > 0) await sleep(wait)
      underWay.push(once())
    }
    await Promise.all(underWay)
    for (const connection of free) connection.close()
    return { times, statuses }
  }
})

async function run (count, workers, port) {
  const connections = await Promise.all(workers.map(async () => await openConnection(port)))
  const answers = {}
  let left = count
  const started = process.hrtime.bigint()
  await Promise.all(workers.map(async ({ next, note }, place) => {
    while (left-- > 0) {
      const answer = await connections[place].send(next())
      note(answer)
      const key = /\r\nset-cookie:/i.test(answer.head) ? `${answer.status} set-cookie` : `${answer.status}`
      answers[key] = (answers[key] ?? 0) + 1
    }
  }))
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  for (const connection of connections) connection.close()
  return { seconds, answers }
}
