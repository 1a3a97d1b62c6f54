import type { Clock } from '../../clock.js'
import { AuthError } from '../../errors/auth-error.js'
import { AuthUnavailableError } from '../../errors/operation.js'
import type { Store, UserStore } from '../contract.js'
import { sqlEphemeral, sweep } from './ephemeral.js'
import type { Connection } from './family.js'
import { sqlFactors } from './factors.js'
import { sqlIdentities } from './identities.js'
import { checkTables, migrateTables } from './migrate.js'
import { sqlSessions } from './sessions.js'
import { sqlUsers } from './users.js'

/** A store in a SQL database. */
export interface SqlStore extends Store {
  open (): Promise<void>
  close (): Promise<void>
  /** Brings the tables up to date, open or not; answers with the names of the migrations that were applied. */
  migrate (): Promise<string[]>
}

/** What an engine gives. */
export interface SqlEngine {
  name: string
  warning?: string
  connect (): Promise<Connection>
  /** A connection on which a statement may take long; without it, the ordinary one. */
  connectToMigrate? (): Promise<Connection>
  /** An application's own users, in place of a table of ours. */
  users: UserStore | undefined
  /** Whether `open()` brings the tables up to date; otherwise it checks that they are. */
  migrate: boolean
  clock: Clock
  /** How often what has expired is deleted, in milliseconds. Default a minute. */
  sweepInterval?: number
}

/** Puts a store together; it is connected by `open()`. */
export function createSqlStore (engine: SqlEngine): SqlStore {
  const { name, clock, users, sweepInterval = 60_000 } = engine
  const hasUsers = users === undefined
  let opening: Promise<void> | undefined
  let connection: Connection | undefined
  let timer: NodeJS.Timeout | undefined

  function connected (): Connection {
    if (connection === undefined) throw new AuthUnavailableError({ dependency: name, message: `The ${name} store is not open.` })
    return connection
  }

  async function migrateOn (given: Connection): Promise<string[]> {
    const used = await engine.connectToMigrate?.() ?? given
    try {
      return await migrateTables(used, hasUsers)
    } finally {
      if (used !== given) await used.end()
    }
  }

  async function start (): Promise<void> {
    const given = await engine.connect()
    try {
      await (engine.migrate ? migrateOn(given) : checkTables(given, hasUsers))
    } catch (error) {
      await given.end()
      throw error
    }
    connection = given
    timer = setInterval(() => {
      // What has expired counts as absent in any case, and the next verb meets the same fault and reports it.
      sweep(given, clock()).catch(() => {})
    }, sweepInterval).unref()
  }

  return {
    name,
    warning: engine.warning,
    users: users ?? sqlUsers(connected),
    sessions: sqlSessions(connected),
    factors: sqlFactors(connected),
    identities: sqlIdentities(connected),
    ephemeral: sqlEphemeral(connected, clock),

    async open () {
      opening ??= start()
      try {
        await opening
      } catch (cause) {
        opening = undefined
        throw unavailable(name, cause)
      }
    },

    async close () {
      clearInterval(timer)
      const given = connection
      connection = opening = undefined
      await given?.end()
    },

    async migrate () {
      try {
        const given = connection ?? await engine.connect()
        try {
          return await migrateOn(given)
        } finally {
          if (given !== connection) await given.end()
        }
      } catch (cause) {
        throw unavailable(name, cause)
      }
    }
  }
}

function unavailable (name: string, cause: unknown): AuthError {
  return cause instanceof AuthError ? cause : new AuthUnavailableError({ dependency: name, message: `The ${name} database cannot be reached or set up.`, cause })
}
