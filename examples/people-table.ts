import type { Database } from 'better-sqlite3'
import type { StoredUser, UserChanges, UserConditions, UserRefusal, UserStore } from 'fastify-bouncer'

/** A row of the table `people`, which an application has had all along: its columns have other names and other types. */
interface Person {
  person_key: string
  mail: string
  nickname: string | null
  secret: string | null
  /** A list in JSON. */
  duties: string
  left_on: string | null
  mail_confirmed: 0 | 1
  /** The two columns that had to be added. */
  signed_out: number | null
  must_change: 0 | 1
  joined: number
  changed: number
}

const TABLE = `create table if not exists people (
  person_key text primary key, mail text not null unique collate nocase, nickname text unique, secret text, duties text not null,
  left_on text, mail_confirmed integer not null, signed_out integer, must_change integer not null, joined integer not null, changed integer not null)`
const INSERT = `insert into people (person_key, mail, nickname, secret, duties, left_on, mail_confirmed, signed_out, must_change, joined, changed)
  values (@person_key, @mail, @nickname, @secret, @duties, @left_on, @mail_confirmed, @signed_out, @must_change, @joined, @changed)`
const UPDATE = `update people set mail = @mail, nickname = @nickname, secret = @secret, duties = @duties, left_on = @left_on,
  mail_confirmed = @mail_confirmed, signed_out = @signed_out, must_change = @must_change, changed = @changed where person_key = @person_key`
const OTHERS_WITH = 'select 1 from people, json_each(duties) where left_on is null and value = ? and person_key <> ? and (mail_confirmed or not ?)'
const PAGE = 'select * from people where (joined, person_key) > (?, ?) order by joined, person_key limit ?'

/**
 * Users in that table. Each verb is atomic: better-sqlite3 does not wait in
 * between, and `immediate` transactions keep other processes out.
 */
export function peopleTable (database: Database): UserStore {
  database.exec(TABLE)

  function find (column: 'person_key' | 'mail' | 'nickname', value: string): StoredUser | undefined {
    const row = database.prepare<[string], Person>(`select * from people where ${column} = ?`).get(value)
    return row && userOf(row)
  }

  /** Whether nobody who is here would have this role, if `user` lost it. */
  function isLast (user: StoredUser, role: string, verified = false): boolean {
    return holds(user, role, verified) && database.prepare(OTHERS_WITH).get(role, user.id, Number(verified)) === undefined
  }

  function change (id: string, changes: UserChanges, conditions: UserConditions): StoredUser | UserRefusal {
    const user = find('person_key', id)
    if (user === undefined) return 'missing'
    if (hasChanged(user, conditions)) return 'changed'
    const next = changed(user, changes)
    const { keepRole, keepVerified } = conditions
    const keeps = keepRole === undefined || holds(next, keepRole, keepVerified)
    if (!keeps && isLast(user, keepRole, keepVerified)) return 'last'
    database.prepare(UPDATE).run(rowOf(next))
    return next
  }

  return {
    findById: async (id) => find('person_key', id),
    findByEmail: async (email) => find('mail', email),
    findByUsername: async (username) => find('nickname', username),
    insert: async (user) => orTaken(() => {
      database.prepare(INSERT).run(rowOf(user))
      return 'stored'
    }),
    update: async (id, changes, conditions = {}) => orTaken(() => database.transaction(change).immediate(id, changes, conditions)),
    delete: async (id, { keepRole, keepVerified } = {}) => database.transaction(() => {
      const user = find('person_key', id)
      if (user === undefined) return 'missing'
      if (keepRole !== undefined && isLast(user, keepRole, keepVerified)) return 'last'
      database.prepare('delete from people where person_key = ?').run(id)
      return 'deleted'
    }).immediate(),

    async list ({ limit, after }) {
      // One more than is wanted, to know whether there is another page.
      const rows = database.prepare<[number, string, number], Person>(PAGE).all(...position(after), limit + 1)
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return { items: rows.slice(0, limit).map(userOf), next: last && JSON.stringify([last.joined, last.person_key]) }
    }
  }
}

/** Another user has the address or the name: the contract wants that as an answer. */
function orTaken<Answer> (write: () => Answer): Answer | 'email' | 'username' {
  try {
    return write()
  } catch (error) {
    const [, column] = /UNIQUE constraint failed: people\.(mail|nickname)/.exec((error as Error).message) ?? []
    if (column === undefined) throw error
    return column === 'mail' ? 'email' : 'username'
  }
}

function holds (user: StoredUser, role: string, verified = false): boolean {
  return user.isActive && user.roles.includes(role) && (!verified || user.isVerified)
}

function hasChanged (user: StoredUser, { passwordHash, email }: UserConditions): boolean {
  return (passwordHash !== undefined && user.passwordHash !== passwordHash) || (email !== undefined && user.email !== email)
}

function changed (user: StoredUser, changes: UserChanges): StoredUser {
  // Undefined leaves a field as it is; id and time of creation stay.
  const named = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
  const next = { ...user, ...named, id: user.id, createdAt: user.createdAt }
  return { ...next, roles: unique(next.roles) }
}

/** Where a page starts. A client may have made it up: nothing comes after that. */
function position (after = '[-1, ""]'): [joined: number, key: string] {
  try {
    const [joined, key] = JSON.parse(after) as unknown[]
    return [Number(joined), String(key)]
  } catch {
    return [Number.MAX_SAFE_INTEGER, '']
  }
}

const unique = (roles: readonly string[]): string[] => [...new Set(roles)].sort()

function rowOf (user: StoredUser): Person {
  return {
    person_key: user.id,
    mail: user.email,
    nickname: user.username,
    secret: user.passwordHash,
    duties: JSON.stringify(unique(user.roles)),
    left_on: user.isActive ? null : new Date(user.updatedAt).toISOString(),
    mail_confirmed: user.isVerified ? 1 : 0,
    signed_out: user.signedOutAt,
    must_change: user.mustChangePassword ? 1 : 0,
    joined: user.createdAt,
    changed: user.updatedAt
  }
}

function userOf (row: Person): StoredUser {
  return {
    id: row.person_key,
    email: row.mail,
    username: row.nickname,
    passwordHash: row.secret,
    roles: JSON.parse(row.duties) as string[],
    isActive: row.left_on === null,
    isVerified: row.mail_confirmed === 1,
    signedOutAt: row.signed_out,
    mustChangePassword: row.must_change === 1,
    createdAt: row.joined,
    updatedAt: row.changed
  }
}
