import t from 'tap'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { loadEngine } from '../../lib/store/engine.js'
import { install, transpiled, withoutRunner } from './outside.js'

t.test('a package that is not installed', async (t) => {
  const cases: Array<[call: string, installed: string[], message: string]> = [
    ["sqliteStore('auth.db').open()", [], 'npm install better-sqlite3 kysely'],
    ["sqliteStore('auth.db').open()", ['kysely'], 'npm install better-sqlite3 kysely'],
    ["sqliteStore('auth.db').migrate()", ['better-sqlite3'], 'npm install better-sqlite3 kysely'],
    ["postgresStore('postgres://127.0.0.1:1/x').open()", ['better-sqlite3', 'kysely'], 'npm install pg kysely'],
    ["postgresStore('postgres://127.0.0.1:1/x').open()", ['pg'], 'npm install pg kysely'],
    ['sqlStore({ dialect: {} }).open()', [], 'npm install kysely'],
    ["redisStore('redis://127.0.0.1:1').open()", ['pg', 'kysely'], 'npm install ioredis']
  ]
  const directory = await transpiled(t)
  for (const [call, installed, message] of cases) {
    await install(directory, installed)
    const script = `
      import { sqliteStore, postgresStore, sqlStore } from './lib/store/sql.js'
      import { redisStore } from './lib/store/redis.js'
      import { ConfigurationError } from './lib/errors/operation.js'
      await ${call}.catch((error) => console.log(error instanceof ConfigurationError, error.message))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: directory, env: withoutRunner() })
    t.equal(stdout.trim(), `true This store needs a package that is not installed: ${message}`, `${call} with ${installed.join(', ') || 'nothing'}`)
  }
})

t.test('the fault behind it is kept', async (t) => {
  // As Node reports it: what the test runner's own resolution throws has no code.
  const cause = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  await t.rejects(loadEngine(() => Promise.reject(cause), 'no-such-package'), { name: 'ConfigurationError', option: 'store', cause })
})

t.test('what is no store says what it is', async (t) => {
  const cause = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  await t.rejects(loadEngine(() => Promise.reject(cause), 'x', { option: 'provider', user: 'This provider' }), { name: 'ConfigurationError', option: 'provider', message: 'This provider needs a package that is not installed: npm install x' })
})

t.test('a package that is there and broken is not called missing', async (t) => {
  const broken = new Error('broken')
  await t.rejects(loadEngine(() => Promise.reject(broken), 'x'), broken)
})
