import { fastifyCookie as cookie } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'

// Read and written by the functions, not the plugin: an application may have
// registered that with a hook or a secret of its own.

/** Binds an attempt to this browser, for so many seconds; a name with `__Host-` is for https alone. */
export function setAttemptCookie (reply: FastifyReply, { name, value }: { name: string, value: string }, maxAge: number): void {
  // Lax: the provider's page leads back by a link, which Strict would not follow with it.
  const text = cookie.serialize(name, value, { path: '/', httpOnly: true, sameSite: 'lax', secure: name.startsWith('__Host-'), maxAge })
  reply.header('set-cookie', text)
}

/** Takes the cookie of an attempt: it is read, and gone from the browser with the answer. */
export function takeAttemptCookie (request: FastifyRequest, reply: FastifyReply, name: string): string | undefined {
  const { cookie: header } = request.headers
  const cookies = header === undefined ? {} : cookie.parse(header)
  if (!Object.hasOwn(cookies, name)) return undefined
  setAttemptCookie(reply, { name, value: '' }, 0)
  return cookies[name]
}
