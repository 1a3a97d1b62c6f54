import type { Kysely, Migration, CreateTableBuilder } from 'kysely'
import type { Connection } from './family.js'

/** What each version of the tables adds, by name; they run in the order of their names and are never changed afterwards. */
export function migrations ({ family, kysely: { sql } }: Pick<Connection, 'family' | 'kysely'>, hasUsers: boolean): Record<string, Migration> {
  const { timeType, flagType } = family
  /** Types are checked by SQLite only when it is asked to. */
  const strict = <Name extends string>(table: CreateTableBuilder<Name>): CreateTableBuilder<Name> =>
    family.name === 'sqlite' ? table.modifyEnd(sql`strict`) : table

  async function users (db: Kysely<never>): Promise<void> {
    await strict(db.schema.createTable('bouncer_users')
      .addColumn('id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('email', 'text', (column) => column.notNull())
      .addColumn('username', 'text')
      .addColumn('password_hash', 'text')
      .addColumn('is_active', flagType, (column) => column.notNull())
      .addColumn('is_verified', flagType, (column) => column.notNull())
      .addColumn('signed_out_at', timeType)
      .addColumn('created_at', timeType, (column) => column.notNull())
      .addColumn('updated_at', timeType, (column) => column.notNull())).execute()
    await db.schema.createIndex('bouncer_users_email').unique().on('bouncer_users').expression(sql`lower(email)`).execute()
    await db.schema.createIndex('bouncer_users_username').unique().on('bouncer_users').column('username').execute()
    await db.schema.createIndex('bouncer_users_created_at').on('bouncer_users').columns(['created_at', 'id']).execute()

    await strict(db.schema.createTable('bouncer_user_roles')
      .addColumn('user_id', 'text', (column) => column.notNull().references('bouncer_users.id').onDelete('cascade'))
      .addColumn('role', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('bouncer_user_roles_pkey', ['user_id', 'role'])).execute()
    await db.schema.createIndex('bouncer_user_roles_role').on('bouncer_user_roles').column('role').execute()
  }

  async function sessions (db: Kysely<never>): Promise<void> {
    await strict(db.schema.createTable('bouncer_sessions')
      .addColumn('id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('user_id', 'text', (column) => hasUsers ? column.notNull().references('bouncer_users.id').onDelete('cascade') : column.notNull())
      .addColumn('refresh_digest', 'text', (column) => column.notNull())
      .addColumn('generation', 'integer', (column) => column.notNull())
      .addColumn('created_at', timeType, (column) => column.notNull())
      .addColumn('rotated_at', timeType, (column) => column.notNull())
      .addColumn('idle_until', timeType, (column) => column.notNull())
      .addColumn('expires_at', timeType, (column) => column.notNull())
      .addColumn('ended_at', timeType)
      .addColumn('end_reason', 'text')
      .addColumn('address', 'text')
      .addColumn('user_agent', 'text')).execute()
    await db.schema.createIndex('bouncer_sessions_user').on('bouncer_sessions').columns(['user_id', 'created_at', 'id']).execute()
    await db.schema.createIndex('bouncer_sessions_expires_at').on('bouncer_sessions').column('expires_at').execute()
    await db.schema.createIndex('bouncer_sessions_ended_at').on('bouncer_sessions').column('ended_at').where(sql.ref('ended_at'), 'is not', null).execute()
  }

  async function ephemeral (db: Kysely<never>): Promise<void> {
    await strict(db.schema.createTable('bouncer_ephemeral')
      .addColumn('key', 'text', (column) => column.notNull().primaryKey())
      .addColumn('value', 'text')
      .addColumn('count', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('expires_at', timeType, (column) => column.notNull())).execute()
    await db.schema.createIndex('bouncer_ephemeral_expires_at').on('bouncer_ephemeral').column('expires_at').execute()
  }

  async function secondFactors (db: Kysely<never>): Promise<void> {
    if (hasUsers) await db.schema.alterTable('bouncer_users').addColumn('must_change_password', flagType, (column) => column.notNull().defaultTo(family.flag(false))).execute()
    await db.schema.alterTable('bouncer_sessions').addColumn('amr', 'text', (column) => column.notNull().defaultTo('pwd')).execute()

    await strict(db.schema.createTable('bouncer_totp')
      .addColumn('user_id', 'text', (column) => hasUsers ? column.notNull().primaryKey().references('bouncer_users.id').onDelete('cascade') : column.notNull().primaryKey())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('secret', 'text', (column) => column.notNull())
      .addColumn('used_step', 'integer', (column) => column.notNull())
      .addColumn('created_at', timeType, (column) => column.notNull())).execute()

    await strict(db.schema.createTable('bouncer_recovery_codes')
      .addColumn('user_id', 'text', (column) => column.notNull().references('bouncer_totp.user_id').onDelete('cascade'))
      .addColumn('digest', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('bouncer_recovery_codes_pkey', ['user_id', 'digest'])).execute()
  }

  async function identities (db: Kysely<never>): Promise<void> {
    await strict(db.schema.createTable('bouncer_identities')
      .addColumn('issuer', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('provider', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => hasUsers ? column.notNull().references('bouncer_users.id').onDelete('cascade') : column.notNull())
      .addColumn('email', 'text')
      .addColumn('tokens', 'text')
      .addColumn('created_at', timeType, (column) => column.notNull())
      .addColumn('used_at', timeType, (column) => column.notNull())
      .addPrimaryKeyConstraint('bouncer_identities_pkey', ['issuer', 'subject'])).execute()
    await db.schema.createIndex('bouncer_identities_user').on('bouncer_identities').columns(['user_id', 'created_at']).execute()
  }

  return hasUsers
    ? { '001_users': { up: users }, '002_sessions': { up: sessions }, '003_ephemeral': { up: ephemeral }, '004_second_factors': { up: secondFactors }, '005_identities': { up: identities } }
    : { '002_sessions_of_foreign_users': { up: sessions }, '003_ephemeral': { up: ephemeral }, '004_second_factors_of_foreign_users': { up: secondFactors }, '005_identities_of_foreign_users': { up: identities } }
}
