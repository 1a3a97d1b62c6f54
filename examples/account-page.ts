import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { servePages } from './pages.js'
import { people } from './seed.js'

const folder = new URL('./account/', import.meta.url)

/** A page on which a person signs in, sets up a second factor, and links accounts elsewhere. It knows the routes of accounts and nothing else. */
export async function accountPage (app: FastifyInstance): Promise<void> {
  const [page, script, providers, style] = await Promise.all(['account.html', 'account.js', 'providers.js', 'account.css'].map((name) => readFile(new URL(name, folder), 'utf8')))
  servePages(app, [
    ['/account', 'text/html', (page ?? '').replace('<!-- people -->', buttons())],
    ['/account/account.js', 'text/javascript', script ?? ''],
    ['/account/providers.js', 'text/javascript', providers ?? ''],
    ['/account/account.css', 'text/css', style ?? '']
  ])
}

// Passwords on a page: for an example only, which prints them as well.
function buttons (): string {
  return people.map(({ name, email, password }) => `<button type="button" data-email="${email}" data-password="${password}">${name}</button>`).join(' ')
}
