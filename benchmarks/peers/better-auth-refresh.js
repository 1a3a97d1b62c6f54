import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import Database from 'better-sqlite3'
import { listenHttp } from '../apps/listen.js'

/**
 * better-auth on a SQLite file with the same pragmas as ours. `updateAge: 0`
 * makes each GET /api/auth/get-session refresh its session in the database,
 * which is the refresh it has: the token stays the same.
 */
export async function start ({ secret, sessions }) {
  const folder = mkdtempSync(join(tmpdir(), 'better-auth-benchmark-'))
  const database = new Database(join(folder, 'auth.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  database.pragma('foreign_keys = ON')
  const auth = betterAuth({
    baseURL: 'http://127.0.0.1',
    secret,
    database,
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    session: { updateAge: 0, cookieCache: { enabled: false } }
  })
  await (await getMigrations(auth.options)).runMigrations()
  const listening = await listenHttp(createServer(toNodeHandler(auth)))
  return {
    port: listening.port,
    facts: { cookies: await signIn(auth, sessions) },

    /** Rows that were written so far. */
    async changes () {
      return database.prepare('select total_changes() as changes').get().changes
    },

    async close () {
      await listening.close()
      database.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

async function signIn (auth, sessions) {
  const account = { email: 'user@example.com', password: 'correct horse battery staple' }
  const cookies = []
  for (let index = 0; index < sessions; index++) {
    const { headers } = index === 0
      ? await auth.api.signUpEmail({ body: { ...account, name: 'User' }, returnHeaders: true })
      : await auth.api.signInEmail({ body: account, returnHeaders: true })
    cookies.push(headers.getSetCookie().map((cookie) => cookie.slice(0, cookie.indexOf(';'))).join('; '))
  }
  return cookies
}
