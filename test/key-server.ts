import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

/** What a key server says instead of its key set. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A key set that can be had over HTTP, on loopback, with all that can go wrong there. */
export interface KeyServer {
  /** Address of the key set. */
  readonly url: string
  /** How many requests have come. */
  readonly requests: number
  /** The requests of now, most recent last: what was sent with them. */
  readonly received: readonly IncomingMessage[]
  /** Publishes another key set. */
  publish (set: unknown): void
  /** From now on answers like this; undefined goes back to the key set. */
  answer (how: Answer | undefined): void
  /** Holds answers back until what it returns is called. */
  hold (): () => void
  /** Stops listening, and drops all connections. */
  stop (): Promise<void>
  /** Listens on the same port again. */
  start (): Promise<void>
}

/** A key server that stops when the test ends; with `listening: false` it keeps its port and is down at first. */
export async function keyServer (t: Test, set: unknown, { listening = true } = {}): Promise<KeyServer> {
  let published = set
  let answer: Answer | undefined
  let gate: Promise<void> = Promise.resolve()
  const received: IncomingMessage[] = []
  async function respond (request: IncomingMessage, response: ServerResponse): Promise<void> {
    received.push(request)
    await gate
    if (answer !== undefined) answer(request, response)
    else response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(published))
  }
  let server: Server = await listen(respond, 0)
  const { port } = server.address() as AddressInfo
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  t.teardown(stop)
  if (!listening) await stop()
  return {
    url: `http://127.0.0.1:${port}/jwks.json`,
    get requests () { return received.length },
    received,
    publish: (next) => { published = next },
    answer: (how) => { answer = how },
    hold () {
      const { promise, release } = latch()
      gate = promise
      return release
    },
    stop,
    start: async () => { server = await listen(respond, port) }
  }
}

async function listen (respond: Answer, port: number): Promise<Server> {
  const server = createServer(respond)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function latch (): { promise: Promise<void>, release: () => void } {
  let release = (): void => {}
  const promise = new Promise<void>((resolve) => { release = resolve })
  return { promise, release }
}

/** Answers with this status and body. */
export function says (status: number, body: string | Buffer = '', headers: Record<string, string> = {}): Answer {
  return (_request, response) => { response.writeHead(status, headers).end(body) }
}

/** Waits until `condition` holds; the test's own time limit ends it otherwise. */
export async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5)
}
