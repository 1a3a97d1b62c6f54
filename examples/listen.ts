import type { FastifyInstance } from 'fastify'
import { createServer } from 'node:net'

/** Listens on the first free port from `port` on, and returns the address for a browser on this machine. */
export async function listen (app: FastifyInstance, host: string, port: number): Promise<string> {
  await app.listen({ host, port: port === 0 ? 0 : await firstFree(host, port) })
  const [address] = app.addresses()
  if (typeof address !== 'object') throw new Error('The server listens on no port')
  const name = address.address === '0.0.0.0' || address.address === '::' ? '127.0.0.1' : address.address
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}

async function firstFree (host: string, from: number): Promise<number> {
  for (let port = from; port <= 65535; port++) {
    if (await isFree(host, port)) return port
  }
  throw new Error(`No port from ${from} on is free`)
}

// A Fastify instance that failed to listen cannot try again, so somebody else tries first.
async function isFree (host: string, port: number): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => { error.code === 'EADDRINUSE' ? resolve(false) : reject(error) })
    probe.listen({ host, port }, () => { probe.close(() => { resolve(true) }) })
  })
}
