import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { EphemeralOnlyStore, Store } from 'fastify-bouncer'
import { redisStore } from 'fastify-bouncer/redis'
import { postgresStore, sqliteStore } from 'fastify-bouncer/sql'

/** What the example server is started with. */
export interface ServerSettings {
  host: string
  /** The first one that is tried; 0 for any. */
  port: number
  /** The same for the provider that people sign in at. */
  providerPort: number
  logLevel: string
  /** The folder for the database file, mails, the audit log and a key. */
  dataDir: string
  /** Signs the tokens. */
  secret: string
  /** Encrypts the secrets of second factors. Undefined where a file is to keep one: see {@link ServerSettings.keyFile}. */
  encryptionKey: string | undefined
  keyFile: string
  store: Store
  ephemeralStore: EphemeralOnlyStore | undefined
  /** What an operator should know, a sentence each. */
  notes: string[]
}

/** A variable of the environment cannot be meant. */
export class SettingsError extends Error {}

/** 32 bytes in base64 or base64url. */
const KEY = /^[A-Za-z0-9+/_-]{43}=?$/
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** Reads the environment; what it leaves out has a default that works in a fresh clone. Throws {@link SettingsError}, and `ConfigurationError` for an address that is none. */
export function readServerSettings (env: NodeJS.ProcessEnv): ServerSettings {
  // A variable that is empty is one that is not set.
  const { HOST: host = '127.0.0.1', PORT: port = '3000', PROVIDER_PORT: providerPort = '3100', LOG_LEVEL: logLevel = 'warn', DATA_DIR = '.data', JWT_SECRET, ENCRYPTION_KEY, DATABASE_URL, REDIS_URL } = filled(env)
  for (const [name, value] of Object.entries({ PORT: port, PROVIDER_PORT: providerPort })) {
    if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) throw new SettingsError(`${name} must be a number from 0 to 65535.`)
  }
  if (!LEVELS.includes(logLevel)) throw new SettingsError(`LOG_LEVEL must be one of ${LEVELS.join(', ')}.`)
  if (JWT_SECRET !== undefined && Buffer.byteLength(JWT_SECRET) < 32) throw new SettingsError('JWT_SECRET must have at least 32 bytes.')
  if (ENCRYPTION_KEY !== undefined && !KEY.test(ENCRYPTION_KEY)) throw new SettingsError('ENCRYPTION_KEY must be 32 random bytes in base64.')

  const dataDir = resolve(DATA_DIR)
  const file = join(dataDir, 'example.db')
  const keyFile = join(dataDir, 'encryption.key')
  return {
    host,
    port: Number(port),
    providerPort: Number(providerPort),
    logLevel,
    dataDir,
    secret: JWT_SECRET ?? randomBytes(32).toString('base64url'),
    encryptionKey: ENCRYPTION_KEY,
    keyFile,
    store: DATABASE_URL === undefined ? sqliteStore(file) : named('DATABASE_URL', () => postgresStore(DATABASE_URL)),
    ephemeralStore: REDIS_URL === undefined ? undefined : named('REDIS_URL', () => redisStore(REDIS_URL)),
    notes: [
      DATABASE_URL === undefined ? `Accounts are in ${file}; DATABASE_URL=postgres://... moves them to PostgreSQL.` : 'Accounts are in PostgreSQL, as DATABASE_URL says.',
      REDIS_URL === undefined ? 'What expires is there too; REDIS_URL=redis://... moves that to Redis.' : 'What expires is in Redis, as REDIS_URL says.',
      JWT_SECRET === undefined ? 'JWT_SECRET is not set: tokens are signed with a random one, and nobody stays signed in when the server stops.' : 'Tokens are signed with JWT_SECRET: sessions outlive the server.',
      ENCRYPTION_KEY === undefined ? `Second factors are encrypted with the key in ${keyFile}; servers that share a database share ENCRYPTION_KEY.` : 'Second factors are encrypted with ENCRYPTION_KEY.'
    ]
  }
}

function filled (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
}

/** A store's own sentence says what it takes; which variable that was is for us to say. */
function named<Made> (variable: string, make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    throw new SettingsError(`${variable} is not usable: ${(error as Error).message}`, { cause: error })
  }
}
