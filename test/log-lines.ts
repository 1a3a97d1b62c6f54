import { Writable } from 'node:stream'
import type { FastifyServerOptions } from 'fastify'

/** One line of the log. */
export type LogLine = Record<string, unknown> & { level: number, msg: string }

/** Server options that keep the log, and the lines it has so far. */
export function logged (level = 'trace'): { lines: LogLine[], serverOptions: FastifyServerOptions, text: () => string } {
  const lines: LogLine[] = []
  const chunks: string[] = []
  const stream = new Writable({
    write (chunk, _encoding, done) {
      chunks.push(String(chunk))
      lines.push(JSON.parse(String(chunk)))
      done()
    }
  })
  return { lines, serverOptions: { logger: { level, stream } }, text: () => chunks.join('') }
}
