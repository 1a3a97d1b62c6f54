import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'

/** A port that is kept free for a server until that listens on it. */
export interface ReservedPort {
  readonly port: number
  release (): Promise<void>
}

/** Takes the first free port from `from` on; 0 for any. Whoever must know its address before it listens takes it so. */
export async function reservePort (host: string, from: number): Promise<ReservedPort> {
  // Whoever comes too early is sent away.
  const server = await listenFrom(() => createServer((socket) => { socket.destroy() }), host, from)
  return {
    port: portOf(server),
    async release () {
      server.close()
      await once(server, 'close')
    }
  }
}

/** Listens on the first free port from `from` on, 0 for any, with one of the servers that are made. */
export async function listenFrom<Made extends Server> (make: () => Made, host: string, from: number): Promise<Made> {
  for (let port = from; port <= 65535; port++) {
    const server = make()
    try {
      server.listen({ host, port })
      await once(server, 'listening')
      return server
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
  throw new Error(`No port from ${from} on is free`)
}

export function portOf (server: Server): number {
  return (server.address() as AddressInfo).port
}

/** Listens on a port that was reserved, and returns the address for a browser on this machine. */
export async function listen (app: FastifyInstance, host: string, reserved: ReservedPort): Promise<string> {
  // A Fastify instance that failed to listen cannot try again: everything that takes time comes before.
  await app.ready()
  await reserved.release()
  await app.listen({ host, port: reserved.port })
  const [address] = app.addresses()
  if (typeof address !== 'object') throw new Error('The server listens on no port')
  const name = address.address === '0.0.0.0' || address.address === '::' ? '127.0.0.1' : address.address
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}
