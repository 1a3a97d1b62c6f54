import Engine from 'better-sqlite3'
import type { Test } from 'tap'
import type { StoredUser, UserStore } from '../../lib/store/contract.js'

interface Person {
  person_id: string
  mail: string
  login: string | null
  secret: string | null
  groups: string
  enabled: number
  confirmed: number
  signed_out: number | null
  must_change: number
  since: number
  changed: number
}

/** Users in a table that an application has had all along: other names, other types, roles as a list in JSON. */
export function peopleStore (t: Test, file: string): UserStore {
  const db = new Engine(file)
  t.teardown(() => db.close())
  db.exec(`create table if not exists people (person_id text primary key, mail text unique collate nocase, login text unique, secret text,
    groups text not null, enabled integer not null, confirmed integer not null, signed_out integer, must_change integer not null, since integer not null, changed integer not null)`)

  const find = (column: string, value: string): StoredUser | undefined => {
    const person = db.prepare<[string], Person>(`select * from people where ${column} = ?`).get(value)
    return person && fromPerson(person)
  }
  const holds = (user: StoredUser, role: string, verified = false): boolean => user.isActive && user.roles.includes(role) && (!verified || user.isVerified)
  const anotherHolds = (id: string, role: string, verified = false): boolean =>
    db.prepare('select 1 from people, json_each(groups) where enabled = 1 and value = ? and person_id <> ? and (confirmed or not ?)').get(role, id, Number(verified)) !== undefined
  const collision = (error: unknown): 'email' | 'username' => {
    const [, column] = /UNIQUE constraint failed: people\.(mail|login)/.exec((error as Error).message) ?? []
    if (column === undefined) throw error
    return column === 'mail' ? 'email' : 'username'
  }

  return {
    findById: async (id) => find('person_id', id),
    findByEmail: async (email) => find('mail', email),
    findByUsername: async (username) => find('login', username),

    async insert (user) {
      try {
        db.prepare('insert into people values (@person_id, @mail, @login, @secret, @groups, @enabled, @confirmed, @signed_out, @must_change, @since, @changed)').run(toPerson(user))
        return 'stored'
      } catch (error) {
        return collision(error)
      }
    },

    // Whatever is read and written without waiting in between, in a transaction that may write from its start, is atomic.
    update: async (id, changes, { passwordHash, email, keepRole, keepVerified } = {}) => db.transaction(() => {
      const user = find('person_id', id)
      if (user === undefined) return 'missing'
      if ((passwordHash !== undefined && user.passwordHash !== passwordHash) || (email !== undefined && user.email !== email)) return 'changed'
      const named = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
      const next = { ...user, ...named, id, createdAt: user.createdAt }
      if (keepRole !== undefined && holds(user, keepRole, keepVerified) && !holds(next, keepRole, keepVerified) && !anotherHolds(id, keepRole, keepVerified)) return 'last'
      try {
        db.prepare(`update people set mail = @mail, login = @login, secret = @secret, groups = @groups,
          enabled = @enabled, confirmed = @confirmed, signed_out = @signed_out, must_change = @must_change, changed = @changed where person_id = @person_id`).run(toPerson(next))
      } catch (error) {
        return collision(error)
      }
      return find('person_id', id) as StoredUser
    }).immediate(),

    delete: async (id, { keepRole, keepVerified } = {}) => db.transaction(() => {
      const user = find('person_id', id)
      if (user === undefined) return 'missing'
      if (keepRole !== undefined && holds(user, keepRole, keepVerified) && !anotherHolds(id, keepRole, keepVerified)) return 'last'
      db.prepare('delete from people where person_id = ?').run(id)
      return 'deleted'
    }).immediate(),

    async list ({ limit, after = '[-1,""]' }) {
      const [since, id] = position(after)
      const people = db.prepare<unknown[], Person>('select * from people where (since, person_id) > (?, ?) order by since, person_id limit ?').all(since, id, limit + 1)
      const last = people.length > limit ? people[limit - 1] : undefined
      return { items: people.slice(0, limit).map(fromPerson), next: last && JSON.stringify([last.since, last.person_id]) }
    }
  }
}

function position (after: string): [since: number, id: string] {
  try {
    const [since, id] = JSON.parse(after) as unknown[]
    return [Number(since), String(id)]
  } catch {
    return [Infinity, '']
  }
}

function toPerson (user: StoredUser): Person {
  return {
    person_id: user.id,
    mail: user.email,
    login: user.username,
    secret: user.passwordHash,
    groups: JSON.stringify([...new Set(user.roles)].sort()),
    enabled: Number(user.isActive),
    confirmed: Number(user.isVerified),
    signed_out: user.signedOutAt,
    must_change: Number(user.mustChangePassword),
    since: user.createdAt,
    changed: user.updatedAt
  }
}

function fromPerson (person: Person): StoredUser {
  return {
    id: person.person_id,
    email: person.mail,
    username: person.login,
    passwordHash: person.secret,
    roles: JSON.parse(person.groups) as string[],
    isActive: person.enabled === 1,
    isVerified: person.confirmed === 1,
    signedOutAt: person.signed_out,
    mustChangePassword: person.must_change === 1,
    createdAt: person.since,
    updatedAt: person.changed
  }
}
