import type { Insertable, Selectable } from 'kysely'
import type { StoredUser, UserStore } from '../contract.js'
import { emptyPage, pageOf, startOf } from '../page.js'
import { hasChanged, holds, sortedRoles, withChanges } from '../user-change.js'
import type { Connection } from './family.js'
import { prepared } from './prepared.js'
import { read, written, type Database, type UserRow } from './schema.js'

/** Named one by one: a statement that was prepared must not change its result when a later version adds a column. */
const COLUMNS = ['u.id', 'u.email', 'u.username', 'u.password_hash', 'u.is_active', 'u.is_verified', 'u.must_change_password', 'u.signed_out_at', 'u.created_at', 'u.updated_at'] as const

/** Users in tables of ours. */
export function sqlUsers (connect: () => Connection): UserStore {
  const byId = prepared<{ text: string }, FoundRow>(connect, (connection, place) =>
    selectUsers(connection, connection.db).where('u.id', '=', place('text')))
  const byUsername = prepared<{ text: string }, FoundRow>(connect, (connection, place) =>
    selectUsers(connection, connection.db).where('u.username', '=', place('text')))
  const byEmail = prepared<{ text: string }, FoundRow>(connect, (connection, place) =>
    selectUsers(connection, connection.db).where((eb) => eb(eb.fn('lower', ['u.email']), '=', eb.fn('lower', [eb.val(place('text'))]))))

  /** By a text that a client may have made up. */
  async function find (statement: typeof byId, text: string): Promise<StoredUser | undefined> {
    if (!connect().family.canHold(text)) return undefined
    const { rows: [row] } = await statement({ text })
    return row && fromRow(row)
  }

  return {
    findById: (id) => find(byId, id),
    findByEmail: (email) => find(byEmail, email),
    findByUsername: (username) => find(byUsername, username),

    async insert (given) {
      const connection = connect()
      const user = withChanges(given, {})
      return await orCollision(connection, () => connection.family.write(connection, async (db) => {
        await db.insertInto('bouncer_users').values(toRow(connection, user)).execute()
        await grant(db, user.id, user.roles)
        return 'stored' as const
      }))
    },

    async update (id, changes, conditions = {}) {
      const connection = connect()
      if (!connection.family.canHold(id)) return 'missing'
      const { keepRole, keepVerified } = conditions
      return await orCollision(connection, () => connection.family.write(connection, async (db) => {
        const user = await lock(connection, db, id, keepRole)
        if (user === undefined) return 'missing'
        if (hasChanged(user, conditions)) return 'changed'
        const next = withChanges(user, changes)
        if (keepRole !== undefined && holds(user, keepRole, keepVerified) && !holds(next, keepRole, keepVerified) && !await anotherHolds(connection, db, id, keepRole, keepVerified)) return 'last'
        const { id: same, created_at: before, ...columns } = toRow(connection, next)
        await db.updateTable('bouncer_users').set(columns).where('id', '=', id).execute()
        await grant(db, id, next.roles.filter((role) => !user.roles.includes(role)))
        await withdraw(db, id, user.roles.filter((role) => !next.roles.includes(role)))
        return next
      }))
    },

    async delete (id, { keepRole, keepVerified } = {}) {
      const connection = connect()
      if (!connection.family.canHold(id)) return 'missing'
      return await connection.family.write(connection, async (db) => {
        const user = await lock(connection, db, id, keepRole)
        if (user === undefined) return 'missing'
        if (keepRole !== undefined && holds(user, keepRole, keepVerified) && !await anotherHolds(connection, db, id, keepRole, keepVerified)) return 'last'
        await db.deleteFrom('bouncer_users').where('id', '=', id).execute()
        return 'deleted'
      })
    },

    async list (page) {
      const connection = connect()
      const start = startOf(page)
      if (start === 'nowhere') return emptyPage
      const rows = await selectUsers(connection, connection.db)
        .$if(start !== 'start', (query) => query.where((eb) => {
          const { createdAt, id } = start as Exclude<typeof start, 'start'>
          return eb(eb.refTuple('u.created_at', 'u.id'), '>', eb.tuple(written(createdAt), id))
        }))
        .orderBy('u.created_at').orderBy('u.id').limit(page.limit + 1).execute()
      return pageOf(rows.map(fromRow), page)
    }
  }
}

type FoundRow = Selectable<UserRow> & { roles: string | null }

function selectUsers ({ family }: Connection, db: Database) {
  return db.selectFrom('bouncer_users as u').select(COLUMNS).select((eb) =>
    eb.selectFrom('bouncer_user_roles as r').whereRef('r.user_id', '=', 'u.id').select((roles) => family.roleList(roles).as('list')).as('roles'))
}

/** The user as he is, and stays until the transaction ends. */
async function lock (connection: Connection, db: Database, id: string, keepRole: string | undefined): Promise<StoredUser | undefined> {
  if (keepRole !== undefined) await connection.family.awaitTurn(connection, db, keepRole)
  // Read by a second statement: the one that waited for the lock would show roles from before.
  if (connection.family.locksRows) await db.selectFrom('bouncer_users').select('id').where('id', '=', id).forUpdate().execute()
  const row = await selectUsers(connection, db).where('u.id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

/** Whether somebody active besides `id` has the role, and keeps it until the transaction ends. */
async function anotherHolds ({ family }: Connection, db: Database, id: string, role: string, verified = false): Promise<boolean> {
  const other = await db.selectFrom('bouncer_users as u').innerJoin('bouncer_user_roles as r', 'r.user_id', 'u.id').select('u.id')
    .where('r.role', '=', role).where('u.is_active', '=', family.flag(true)).where('u.id', '<>', id).limit(1)
    .$if(verified, (query) => query.where('u.is_verified', '=', family.flag(true)))
    .$if(family.locksRows, (query) => query.forUpdate()).executeTakeFirst()
  return other !== undefined
}

// One by one: statements of one shape are planned once.
async function grant (db: Database, id: string, roles: readonly string[]): Promise<void> {
  for (const role of roles) await db.insertInto('bouncer_user_roles').values({ user_id: id, role }).execute()
}

async function withdraw (db: Database, id: string, roles: readonly string[]): Promise<void> {
  for (const role of roles) await db.deleteFrom('bouncer_user_roles').where('user_id', '=', id).where('role', '=', role).execute()
}

async function orCollision<Result> ({ family }: Connection, work: () => Promise<Result>): Promise<Result | 'email' | 'username'> {
  try {
    return await work()
  } catch (error) {
    const collision = family.collision(error)
    if (collision === undefined) throw error
    return collision
  }
}

function toRow ({ family }: Connection, user: StoredUser): Insertable<UserRow> {
  return {
    id: user.id,
    email: user.email,
    username: user.username,
    password_hash: user.passwordHash,
    is_active: family.flag(user.isActive),
    is_verified: family.flag(user.isVerified),
    must_change_password: family.flag(user.mustChangePassword),
    signed_out_at: user.signedOutAt === null ? null : written(user.signedOutAt),
    created_at: written(user.createdAt),
    updated_at: written(user.updatedAt)
  }
}

function fromRow (row: FoundRow): StoredUser {
  return {
    id: row.id,
    email: row.email,
    username: row.username,
    passwordHash: row.password_hash,
    roles: row.roles === null ? [] : sortedRoles(JSON.parse(row.roles) as string[]),
    isActive: Boolean(row.is_active),
    isVerified: Boolean(row.is_verified),
    mustChangePassword: Boolean(row.must_change_password),
    signedOutAt: row.signed_out_at === null ? null : read(row.signed_out_at),
    createdAt: read(row.created_at),
    updatedAt: read(row.updated_at)
  }
}
