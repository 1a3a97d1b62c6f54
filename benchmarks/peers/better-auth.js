import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { fromNodeHeaders } from 'better-auth/node'
import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { body } from '../apps/claims.js'
import { listenFastify } from '../apps/listen.js'

const SESSIONS = 10

/** better-auth on SQLite in memory: a session per request, from the database or, with `cache`, from its signed cookie. */
export async function start ({ key, cache = false }) {
  const auth = betterAuth({
    baseURL: 'http://127.0.0.1',
    secret: key.secret,
    database: new Database(':memory:'),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    session: { cookieCache: { enabled: cache, maxAge: 3600 } }
  })
  await (await getMigrations(auth.options)).runMigrations()

  const app = Fastify()
  async function authenticate (request, reply) {
    const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
    if (session === null) return reply.code(401).send({ error: 'Unauthorized' })
    request.session = session
  }
  app.decorateRequest('session', null)
  app.get('/me', { onRequest: [authenticate] }, async () => body)
  const { port, close } = await listenFastify(app)
  return { port, close, cookies: await signIn(auth) }
}

/** The cookies of a few sessions, as a browser would send them. */
async function signIn (auth) {
  const account = { email: 'user@example.com', password: 'correct horse battery staple' }
  const cookies = []
  for (let index = 0; index < SESSIONS; index++) {
    const { headers } = index === 0
      ? await auth.api.signUpEmail({ body: { ...account, name: 'User' }, returnHeaders: true })
      : await auth.api.signInEmail({ body: account, returnHeaders: true })
    cookies.push(headers.getSetCookie().map((cookie) => cookie.slice(0, cookie.indexOf(';'))).join('; '))
  }
  return cookies
}
