import t from 'tap'
import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { keptKey } from '../../examples/kept-key.js'
import { readServerSettings, SettingsError } from '../../examples/settings.js'

t.test('an empty environment is enough', async (t) => {
  for (const env of [{}, { HOST: '', PORT: '', PROVIDER_PORT: '', DATABASE_URL: '', REDIS_URL: '', JWT_SECRET: '', ENCRYPTION_KEY: '', DATA_DIR: '', LOG_LEVEL: '' }]) {
    const { host, port, providerPort, logLevel, dataDir, store, ephemeralStore, encryptionKey, keyFile, notes } = readServerSettings(env)
    t.strictSame({ host, port, providerPort, logLevel, dataDir }, { host: '127.0.0.1', port: 3000, providerPort: 3100, logLevel: 'warn', dataDir: resolve('.data') })
    t.equal(store.name, 'sqlite')
    t.equal(ephemeralStore, undefined)
    t.match(notes.join(' '), join(dataDir, 'example.db'))
    t.match(notes.join(' '), 'JWT_SECRET is not set')
    t.equal(encryptionKey, undefined)
    t.match(notes.join(' '), keyFile)
  }
})

t.test('without JWT_SECRET each start has a secret of its own, and no secret is printed', async (t) => {
  const [one, other] = [readServerSettings({}), readServerSettings({})]
  t.not(one.secret, other.secret)
  t.ok(one.secret.length >= 32)
  const JWT_SECRET = 'a secret of at least thirty-two bytes'
  const given = readServerSettings({ JWT_SECRET })
  t.equal(given.secret, JWT_SECRET)
  for (const { notes, secret } of [one, given]) t.notOk(notes.join(' ').includes(secret))
})

t.test('a key for secrets at rest is taken as it is, and not printed', async (t) => {
  const ENCRYPTION_KEY = randomBytes(32).toString('base64')
  const { encryptionKey, notes } = readServerSettings({ ENCRYPTION_KEY })
  t.equal(encryptionKey, ENCRYPTION_KEY)
  t.notOk(notes.join(' ').includes(ENCRYPTION_KEY))
})

t.test('without one it is made once, by whichever server comes first, and kept for its owner alone', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'encryption.key')
  const keys = await Promise.all(Array.from({ length: 5 }, () => keptKey(file)))
  t.equal(new Set(keys).size, 1)
  t.equal(await keptKey(file), keys[0])
  t.equal(Buffer.from(keys[0] ?? '', 'base64').length, 32)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.strictSame(await readdir(folder), ['encryption.key'], 'nothing else is left')
  t.not(await keptKey(join(folder, 'another.key')), keys[0])
  await t.rejects(keptKey(join(file, 'encryption.key')), { code: 'ENOTDIR' })
})

t.test('what cannot be meant is refused by the name of its variable, and without its value', async (t) => {
  const wrong = {
    PORT: ['65536', '-1', '80a', '1e3', ' '],
    PROVIDER_PORT: ['65536', 'any'],
    LOG_LEVEL: ['loud', 'toString'],
    JWT_SECRET: ['short'],
    ENCRYPTION_KEY: ['hidden', randomBytes(16).toString('base64'), randomBytes(32).toString('hex')],
    DATABASE_URL: ['mysql://name:hidden@127.0.0.1/app', 'auth.db'],
    REDIS_URL: ['http://name:hidden@127.0.0.1', '127.0.0.1:6379']
  }
  for (const [variable, values] of Object.entries(wrong)) {
    for (const value of values) {
      const error = t.throws(() => readServerSettings({ [variable]: value }), { message: new RegExp(`^${variable} .*\\.$`) }, `${variable}=${value}`) as unknown as Error
      t.type(error, SettingsError)
      t.notOk(error.message.includes('hidden'))
    }
  }
})
