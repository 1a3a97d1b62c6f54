import type { Socket } from 'node:net'
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { bodyOf } from './error-body.js'
import { foreignContent, INVALID, sendForeign } from './foreign-errors.js'

const CLIENT_ERRORS: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/**
 * Server options that give this package's body to what Fastify answers before
 * any route is found: `Fastify({ ...authServerOptions })`. They cover URLs that
 * cannot be decoded, and requests that Node cannot parse (400, 408, 431).
 */
export const authServerOptions = {
  frameworkErrors (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
    sendForeign(error, request, reply)
  },

  clientErrorHandler (error: Error & { code?: string }, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed) return
    if (socket.writable) {
      const statusCode = CLIENT_ERRORS[error.code ?? ''] ?? 400
      const body = JSON.stringify(bodyOf(statusCode, statusCode === 400 ? INVALID : foreignContent(statusCode), 'json'))
      socket.write(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n\r\n${body}`)
    }
    socket.destroy(error)
  }
}
