import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A wire between a client and a server that can be stopped without either of them being told. */
export interface Proxy {
  /** The server's address by way of the wire. */
  url: string
  /** Lets nothing through from now on, or no answers. */
  freeze (what?: 'everything' | 'answers'): void
  /** Lets through what waited, and what comes. */
  thaw (): void
  /** Lets nothing through on the connections there are, for good; new ones work. */
  strand (): void
  /** Cuts every connection. */
  cut (): void
  /** What clients have sent. */
  sent (): string
}

export async function proxy (t: Test, target: string): Promise<Proxy> {
  const url = new URL(target)
  const [port, hostname] = [Number(url.port), url.hostname]
  const sockets = new Set<Socket>()
  const answering = new Set<Socket>()
  const stranded = new Set<Socket>()
  const sent: string[] = []
  let frozen: 'everything' | 'answers' | undefined

  const server = createServer((client) => {
    const upstream = connect(port, hostname)
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        if (from === client) sent.push(chunk.toString('latin1'))
        to.write(chunk)
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      if (frozen === 'everything' || (frozen === 'answers' && from === upstream)) from.pause()
      if (from === upstream) answering.add(from)
    }
  })
  const cut = (): void => { for (const socket of sockets) socket.destroy() }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    cut()
    server.close()
  })
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.href,
    freeze (what = 'everything') {
      frozen = what
      for (const socket of sockets) if (what === 'everything' || answering.has(socket)) socket.pause()
    },
    thaw () {
      frozen = undefined
      for (const socket of sockets) if (!stranded.has(socket)) socket.resume()
    },
    strand () {
      for (const socket of sockets) {
        stranded.add(socket)
        socket.pause()
      }
    },
    cut,
    sent: () => sent.join('')
  }
}
