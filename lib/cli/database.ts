import { existsSync } from 'node:fs'
import type { UserStore } from '../store/contract.js'
import { memoryStore } from '../store/memory.js'
import { postgresStore, sqliteStore, type SqlStore } from '../store/sql.js'
import { CommandError, UsageError, type CommandIo } from './command.js'

/** The option that says which database. */
export const databaseOption = { database: { type: 'string' } } as const

/** What `--help` says of it. */
export const databaseUsage = `  --database <where>    a SQLite file, as auth.db or sqlite:auth.db, or
                        PostgreSQL, as postgres://user@host/database (default:
                        DATABASE_URL of the environment, which keeps a password
                        out of the list of processes)`

type Place = { file: string } | { url: string }

/** A store whose tables are to be brought up to date, not open. Throws {@link UsageError} for what is no database. */
export function storeToMigrate (given: string | undefined, env: CommandIo['env'], ownUsers: boolean): SqlStore {
  return storeAt(placeOf(given, env), ownUsers ? memoryStore().users : undefined)
}

/** A store whose tables are to be used as they are, not open. Throws {@link UsageError} for what is no database, {@link CommandError} for a file that is not there. */
export function storeToUse (given: string | undefined, env: CommandIo['env']): SqlStore {
  const place = placeOf(given, env)
  // Opening it would make it.
  if ('file' in place && !existsSync(place.file)) throw new CommandError(`There is no SQLite file ${place.file}: run "npx fastify-bouncer migrate".`)
  return storeAt(place)
}

function storeAt (place: Place, users?: UserStore): SqlStore {
  const options = { users, migrate: false }
  return 'file' in place ? sqliteStore(place.file, options) : postgresStore(place.url, { ...options, poolSize: 1 })
}

/** No message repeats what was given, which may hold a password; but for what is plainly the name of a file. */
function placeOf (given: string | undefined, { DATABASE_URL: fallback = '' }: CommandIo['env']): Place {
  const database = given ?? fallback
  if (database === '') throw new UsageError('Say which database: with --database, or in the environment as DATABASE_URL.')
  if (/^postgres(ql)?:\/\//.test(database)) return { url: database }
  const [, prefix, file = ''] = /^(sqlite:)?(.*)$/s.exec(database) as RegExpExecArray
  if (file === ':memory:') throw new UsageError('A database in memory is gone when the command ends.')
  // Some read sqlite://auth.db as a file of this folder, some as one of the root: neither is meant for sure.
  if (prefix === undefined ? looksLikeAddress(file) : file === '' || file.startsWith('//')) {
    throw new UsageError('The database is no SQLite file, such as auth.db or sqlite:/var/lib/auth.db, and no address that starts with postgres:// or postgresql://.')
  }
  return { file }
}

/** Whether it may be an address of some other database, or libpq's `key=value`: a file of such a name needs the prefix. */
function looksLikeAddress (text: string): boolean {
  return /^[a-z][\w+.-]+:|^\/\/|[=@]/i.test(text)
}
