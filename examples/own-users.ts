import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Engine from 'better-sqlite3'
import Fastify from 'fastify'
import authPlugin, { authRoutes } from 'fastify-bouncer'
import { sqliteStore } from 'fastify-bouncer/sql'
import { peopleTable } from './people-table.js'

// Run by `npm run examples:own-users`: accounts for an application that has a table of users already.
// people-table.ts says how that table is read and written; sessions are in a store of ours.

const folder = await mkdtemp(join(tmpdir(), 'own-users-'))
const database = new Engine(join(folder, 'application.db'))
const users = peopleTable(database)

const app = Fastify()
await app.register(authPlugin, {
  issuer: 'https://api.example.com',
  audience: 'own-users',
  jwt: { secret: randomBytes(32).toString('base64url') },
  // A file of its own. In one file, a statement of better-sqlite3 that waits for
  // the store's transaction would stop the event loop, which is to finish that.
  store: sqliteStore(join(folder, 'sessions.db'), { users })
})
await app.register(authRoutes, { prefix: '/auth' })
app.get('/duties', { onRequest: [app.requireRole('gardener')] }, async (request) => ({ hello: request.user?.email }))

async function request (method: 'GET' | 'POST', url: string, payload?: object, token?: string): Promise<{ statusCode: number, json: () => { access_token: string, extra: { code: string } } }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await app.inject({ method, url, headers, ...(payload !== undefined && { payload }) })
  console.log(`${method} ${url}: ${response.statusCode} ${response.body}`.slice(0, 120))
  return response
}

try {
  const flora = { email: 'flora@example.com', password: 'mind-the-hedgehogs' }
  assert.equal((await request('POST', '/auth/register', flora)).statusCode, 201)
  console.log('In the table:', database.prepare('select person_key, mail, duties from people').get())
  const before = (await request('POST', '/auth/login', flora)).json().access_token
  assert.equal((await request('GET', '/duties', undefined, before)).statusCode, 403)

  // The table is the application's own: it writes to it as it always has, and that counts at once.
  database.prepare('update people set duties = ? where mail = ?').run('["gardener"]', flora.email)
  const { access_token: token } = (await request('POST', '/auth/login', flora)).json()
  assert.equal((await request('GET', '/duties', undefined, token)).statusCode, 200)
  database.prepare('update people set left_on = ? where mail = ?').run('2030-01-01', flora.email)
  assert.equal((await request('GET', '/duties', undefined, token)).json().extra.code, 'ACCOUNT_UNAVAILABLE')
} finally {
  await app.close()
  database.close()
  await rm(folder, { recursive: true, force: true })
}
