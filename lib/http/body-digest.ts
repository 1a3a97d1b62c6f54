import { createHash } from 'node:crypto'
import { pipeline, Transform, type Readable } from 'node:stream'
import type { Http2ServerRequest } from 'node:http2'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { BadSignatureError } from '../errors/signing.js'
import { contentDigest } from '../signing/message.js'

/** A body on its way to its parser. */
export interface WatchedBody {
  readonly stream: Readable
  /** Whether it was read to its end, and is the one that was promised. */
  isRight (): boolean
}

/** Whether a request says that a body comes with it (RFC 9112, section 6). In HTTP/2 no header needs to say it. */
export function announcesBody ({ headers, raw }: FastifyRequest): boolean {
  if (raw.httpVersionMajor > 1) return !(raw as unknown as Http2ServerRequest).stream.endAfterHeaders
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/**
 * Passes a body on, and ends with {@link BadSignatureError} in place of the end
 * when it is not the one of `promised`: no parser gets to see it.
 */
export function digestBody (payload: Readable, promised: string, reply: FastifyReply): WatchedBody {
  const hash = createHash('sha256')
  let right = false
  const stream = new Transform({
    transform (chunk, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush (done) {
      right = contentDigest(hash.digest()) === promised
      done(right ? null : new BadSignatureError({ reason: 'body' }))
    }
  })
  watch(payload, stream, reply)
  // What came in is not yet read: it may lie in the buffers of this stream.
  return { stream, isRight: () => right && stream.readableEnded }
}

/** For a body that nobody announced: where one comes all the same, no byte of it gets to a parser, which sees {@link BadSignatureError} in place of the end. */
export function refuseBody (payload: Readable, reply: FastifyReply): WatchedBody {
  let came = false
  const stream = new Transform({
    transform (_chunk, _encoding, done) {
      came = true
      done()
    },
    // Not before: it would take the connection from the answer.
    flush (done) { done(came ? new BadSignatureError({ reason: 'body_not_covered' }) : null) }
  })
  watch(payload, stream, reply)
  return { stream, isRight: () => !came }
}

function watch (payload: Readable, stream: Transform, reply: FastifyReply): void {
  pipeline(payload, stream, () => {})
  // What nobody reads would keep the connection from its next request.
  reply.raw.once('finish', () => { stream.resume() })
}
