import type { FastifyInstance, FastifyReply } from 'fastify'

/** Nothing but what this server sends, and no script between the tags: what somebody smuggled into the page would not run. */
const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", 'img-src data:',
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
].join('; ')

/** A page, or a part of one: its path, its media type, and its text or what makes it. */
export type PageFile = [path: string, type: 'text/html' | 'text/javascript' | 'text/css', text: string | (() => string)]

/** Serves pages to everybody, under a policy that lets nothing else in. */
export function servePages (app: FastifyInstance, files: readonly PageFile[]): void {
  for (const [path, type, text] of files) {
    app.get(path, { schema: { hide: true }, config: { auth: false } }, async (_request, reply) => send(reply, type, typeof text === 'string' ? text : text()))
  }
}

function send (reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply.type(`${type}; charset=utf-8`).headers({
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store'
  }).send(text)
}
