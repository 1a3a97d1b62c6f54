import { connect } from 'node:net'
import { answerLength } from '../verify/answer.js'

/**
 * A kept-alive connection, one request at a time: `send` answers with status,
 * body and the nanoseconds from the request's first byte to the answer's last.
 */
export async function openConnection (port) {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let waiting
  let pending = ''
  let open = true

  socket.on('data', (chunk) => {
    pending += chunk.latin1Slice()
    const length = answerLength(pending)
    if (length === undefined || pending.length < length) return
    const nanoseconds = Number(process.hrtime.bigint() - waiting.since)
    const { resolve } = waiting
    const answer = pending.slice(0, length)
    pending = pending.slice(length)
    waiting = undefined
    const head = answer.indexOf('\r\n\r\n')
    resolve({ status: Number(answer.slice(9, 12)), head: answer.slice(0, head), body: answer.slice(head + 4), nanoseconds })
  })
  const fail = (error) => {
    open = false
    waiting?.reject(error)
    waiting = undefined
  }
  socket.on('error', fail)
  socket.on('close', () => { fail(new Error('The server closed the connection during a request')) })
  await new Promise((resolve, reject) => { socket.once('connect', resolve); socket.once('error', reject) })

  return {
    isOpen: () => open,
    close: () => { socket.destroy() },
    send: async (bytes) => await new Promise((resolve, reject) => {
      waiting = { resolve, reject, since: process.hrtime.bigint() }
      socket.write(bytes, 'latin1')
    })
  }
}

/** A request ready to be sent. */
export function requestBytes (port, { method = 'GET', path, body, headers = {} }) {
  const text = body === undefined ? '' : JSON.stringify(body)
  const bytes = Buffer.from(text)
  const fields = { host: `127.0.0.1:${port}`, accept: 'application/json', ...headers, ...(body !== undefined && { 'content-type': 'application/json', 'content-length': bytes.length }) }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `${method} ${path} HTTP/1.1\r\n${head}\r\n${bytes.latin1Slice()}`
}
