import { connect } from 'node:net'
import { answerLength } from './answer.js'
import { answerParent } from './process.js'
import { authorization } from './tokens.js'

// A client of sockets and nothing else, because it has to be faster than the
// servers it measures: ready-made requests, one under way per connection, and
// of an answer the status and the length are read.

/** Sends `count` requests over `connections` kept-alive connections and counts the answers by kind and status. */
async function run ({ port, path, count, connections, kinds, cookies, headers, serial }) {
  const requests = cookies ?? headers
  const next = requests === undefined ? generate(port, path, kinds, serial) : cycle(port, path, requests, cookies !== undefined)
  const answers = {}
  let left = count
  let bytes = 0
  const take = () => left-- > 0 ? next() : undefined
  const note = (kind, status, length) => {
    bytes += length
    const key = `${kind} ${status}`
    answers[key] = (answers[key] ?? 0) + 1
  }
  const started = process.hrtime.bigint()
  await Promise.all(Array.from({ length: connections }, () => converse(port, take, note)))
  return { seconds: Number(process.hrtime.bigint() - started) / 1e9, answers, bytes }
}

function converse (port, take, note) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let request
    let pending = ''
    const send = () => {
      request = take()
      if (request !== undefined) socket.write(request.bytes, 'latin1')
      else { socket.destroy(); resolve() }
    }
    socket.setNoDelay(true)
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => { reject(new Error(`The server closed the connection during a request (${request?.kind})`)) })
    socket.on('data', (chunk) => {
      pending = pending === '' ? chunk.latin1Slice() : pending + chunk.latin1Slice()
      const length = answerLength(pending)
      if (length === undefined || pending.length < length) return
      note(request.kind, pending.slice(9, 12), length)
      pending = pending.slice(length)
      send()
    })
  })
}

function bytesOf (port, path, field) {
  return `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\naccept: application/json\r\n${field}\r\n`
}

function cycle (port, path, requests, cookies) {
  const ready = requests.map((value) => cookies
    ? { kind: 'accepted', bytes: bytesOf(port, path, `cookie: ${value}\r\n`) }
    : { kind: value.kind, bytes: bytesOf(port, path, value.authorization === undefined ? '' : `authorization: ${value.authorization}\r\n`) })
  let index = 0
  return () => ready[index++ % ready.length]
}

/** Requests made while they are sent, so that no two have the same token. */
function generate (port, path, { names, algorithm, key }, serial) {
  return () => {
    const kind = names[serial % names.length]
    const field = authorization(kind, serial++, algorithm, key)
    return { kind, bytes: bytesOf(port, path, field === undefined ? '' : `authorization: ${field}\r\n`) }
  }
}

answerParent({ run })
