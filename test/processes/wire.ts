import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** What stands between the servers and a database: the database itself belongs to others as well, and is not to be stopped. */
export interface Wire {
  /** The database's address by way of the wire. */
  url: string
  /** As when the database has ended: connections break, and no new ones are made. */
  cut (): Promise<void>
  /** As when its machine is gone: connections are made, and nothing ever answers. */
  silence (): void
  /** As before. */
  mend (): Promise<void>
}

export async function wire (t: Test, target: string): Promise<Wire> {
  const url = new URL(target)
  const [port, hostname] = [Number(url.port), url.hostname]
  const sockets = new Set<Socket>()
  let silent = false

  const server = createServer((client) => {
    const upstream = connect(port, hostname)
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(from)
      from.on('data', (chunk) => { if (!silent) to.write(chunk) })
      from.on('error', () => { to.destroy() })
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const listen = async (on: number): Promise<void> => {
    server.listen(on, '127.0.0.1')
    await once(server, 'listening')
  }
  const drop = (): void => { for (const socket of sockets) socket.destroy() }
  await listen(0)
  const own = (server.address() as AddressInfo).port
  t.teardown(() => {
    drop()
    server.close()
  })
  url.host = `127.0.0.1:${own}`
  return {
    url: url.href,
    async cut () {
      const closed = once(server, 'close')
      server.close()
      drop()
      await closed
    },
    silence () { silent = true },
    async mend () {
      // What was lost on the way while nothing came through is not made up for.
      if (silent) drop()
      silent = false
      if (!server.listening) await listen(own)
    }
  }
}
