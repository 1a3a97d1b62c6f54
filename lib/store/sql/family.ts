import type { AliasableExpression, ExpressionBuilder } from 'kysely'
import type { Database, Flag, Tables } from './schema.js'

/** The library, loaded when a store is opened. */
export type KyselyModule = typeof import('kysely')

/** A database that is connected. */
export interface Connection {
  readonly db: Database
  readonly family: Family
  readonly kysely: KyselyModule
  /** Lets go of what was taken to connect. */
  end (): Promise<void>
}

/** Where PostgreSQL and SQLite differ. */
export interface Family {
  readonly name: 'postgresql' | 'sqlite'
  readonly timeType: 'timestamptz' | 'text'
  readonly flagType: 'boolean' | 'integer'
  /** Whether rows are locked one by one: SQLite has one writer at a time. */
  readonly locksRows: boolean
  flag (value: boolean): Flag
  /** Whether the database can hold a text at all; one it cannot hold is not looked for. */
  canHold (text: string): boolean
  /** A user's roles as a list in JSON. */
  roleList (roles: ExpressionBuilder<Tables & { r: Tables['bouncer_user_roles'] }, 'r'>): AliasableExpression<string | null>
  /** Runs `work` in a transaction that writes, on one connection. */
  write<Result> (connection: Connection, work: (db: Database) => Promise<Result>): Promise<Result>
  /** Lets one transaction at a time take a role from somebody. */
  awaitTurn (connection: Connection, db: Database, role: string): Promise<void>
  /** What of a user is unique and was not. */
  collision (error: unknown): 'email' | 'username' | undefined
  /** Checks what must hold of the database itself, and answers with the schema that migrations are kept in. Throws `ConfigurationError`. */
  inspect (connection: Connection): Promise<string | undefined>
  /** Brings the tables up to date while no other process does. */
  migrating<Result> (connection: Connection, work: (db: Database) => Promise<Result>): Promise<Result>
}
