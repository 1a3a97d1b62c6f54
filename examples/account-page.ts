import { readFile } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { people } from './seed.js'

const folder = new URL('./account/', import.meta.url)

/** Nothing but what this server sends, and no script between the tags: what somebody smuggled into the page would not run. */
const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", 'img-src data:',
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
].join('; ')

/** A page on which a person signs in, sets up a second factor, and links accounts elsewhere. It knows the routes of accounts and nothing else. */
export async function accountPage (app: FastifyInstance): Promise<void> {
  const [page, script, providers, style] = await Promise.all(['account.html', 'account.js', 'providers.js', 'account.css'].map((name) => readFile(new URL(name, folder), 'utf8')))

  const files: Array<[path: string, type: string, text: string]> = [
    ['/account', 'text/html', (page ?? '').replace('<!-- people -->', buttons())],
    ['/account/account.js', 'text/javascript', script ?? ''],
    ['/account/providers.js', 'text/javascript', providers ?? ''],
    ['/account/account.css', 'text/css', style ?? '']
  ]
  for (const [path, type, text] of files) {
    app.get(path, { schema: { hide: true }, config: { auth: false } }, async (_request, reply) => send(reply, type, text))
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

// Passwords on a page: for an example only, which prints them as well.
function buttons (): string {
  return people.map(({ name, email, password }) => `<button type="button" data-email="${email}" data-password="${password}">${name}</button>`).join(' ')
}
