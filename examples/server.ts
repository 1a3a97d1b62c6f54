import { createIssuer } from 'fastify-bouncer/testing'
import { createApp } from './app.js'
import { curlLines } from './curl-lines.js'
import { listen } from './listen.js'
import type { Person } from './people.js'

// Started by `npm start`. HOST and PORT say where; LOG_LEVEL=info shows a line for each refusal.

const host = process.env.HOST || '127.0.0.1'
const port = Number(process.env.PORT || 3000)
if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error('PORT must be a number from 0 to 65535')

// In place of an identity provider: it has a key set, which the API fetches, and makes tokens.
const issuer = await createIssuer({ audience: 'example-api' })
const app = await createApp(issuer.options, process.env.LOG_LEVEL || 'warn')

const PATIENCE = 1000

async function stop (): Promise<void> {
  // Requests under way may finish; a browser's open connections do not keep the server.
  setTimeout(() => { app.server.closeAllConnections() }, PATIENCE).unref()
  await app.close()
  await issuer.close()
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)

// A SIGTERM to npm ends the shell that npm runs scripts with, and goes no further.
const shell = process.ppid
const watch = setInterval(() => {
  if (process.env.npm_lifecycle_event !== 'start' || process.ppid === shell) return
  clearInterval(watch)
  stop().catch(console.error)
}, PATIENCE / 4)
watch.unref()

const origin = await listen(app, host, port)

const makeToken = async ({ id, name, roles, groups, scope }: Person, expiresIn: number): Promise<string> =>
  await issuer.token({ sub: id, name, roles, groups, scope }, { expiresIn })

console.log(`The example API listens on ${origin}

  Swagger UI        ${origin}/docs
  OpenAPI document  ${origin}/docs/json
  Key set           ${issuer.jwksUrl}

Paste any of these into another terminal; the comment says what comes of it. Ctrl-C stops the server.

${await curlLines(origin, makeToken)}`)
