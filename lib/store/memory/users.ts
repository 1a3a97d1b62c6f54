import type { StoredUser, UserStore } from '../contract.js'
import { emptyPage, pageOf, startOf } from '../page.js'
import { hasChanged, holds, withChanges } from '../user-change.js'
import { byAge, isAfter } from './age.js'
import { full } from './capacity.js'

/** Users in memory, and whether there is one. `onDelete` is told of each that goes. Nothing in a verb waits, so each is atomic. */
export function memoryUsers ({ max, onDelete }: { max: number, onDelete: (id: string) => void }): { users: UserStore, has: (id: string) => boolean } {
  const byId = new Map<string, StoredUser>()
  const byEmail = new Map<string, string>()
  const byUsername = new Map<string, string>()

  const find = (id: string | undefined): StoredUser | undefined => id === undefined ? undefined : byId.get(id)

  function taken (user: StoredUser): 'email' | 'username' | undefined {
    const isOthers = (id: string | undefined): boolean => id !== undefined && id !== user.id
    if (isOthers(byEmail.get(user.email.toLowerCase()))) return 'email'
    return user.username !== null && isOthers(byUsername.get(user.username)) ? 'username' : undefined
  }

  function keep (user: StoredUser): void {
    byId.set(user.id, Object.freeze({ ...user, roles: Object.freeze(user.roles) }))
    byEmail.set(user.email.toLowerCase(), user.id)
    if (user.username !== null) byUsername.set(user.username, user.id)
  }

  function forget (user: StoredUser): void {
    byId.delete(user.id)
    byEmail.delete(user.email.toLowerCase())
    if (user.username !== null) byUsername.delete(user.username)
  }

  const anotherHolds = (id: string, role: string, verified?: boolean): boolean => [...byId.values()].some((user) => user.id !== id && holds(user, role, verified))

  const users: UserStore = {
    async findById (id) { return find(id) },
    async findByEmail (email) { return find(byEmail.get(email.toLowerCase())) },
    async findByUsername (username) { return find(byUsername.get(username)) },

    async insert (user) {
      const refusal = taken(user)
      if (refusal !== undefined) return refusal
      if (byId.has(user.id)) throw new Error('two users with one id')
      if (byId.size >= max) throw full('users')
      keep(withChanges(user, {}))
      return 'stored'
    },

    async update (id, changes, conditions = {}) {
      const user = find(id)
      if (user === undefined) return 'missing'
      if (hasChanged(user, conditions)) return 'changed'
      const next = withChanges(user, changes)
      const { keepRole, keepVerified } = conditions
      if (keepRole !== undefined && holds(user, keepRole, keepVerified) && !holds(next, keepRole, keepVerified) && !anotherHolds(id, keepRole, keepVerified)) return 'last'
      const refusal = taken(next)
      if (refusal !== undefined) return refusal
      forget(user)
      keep(next)
      return next
    },

    async delete (id, { keepRole, keepVerified } = {}) {
      const user = find(id)
      if (user === undefined) return 'missing'
      if (keepRole !== undefined && holds(user, keepRole, keepVerified) && !anotherHolds(id, keepRole, keepVerified)) return 'last'
      forget(user)
      onDelete(id)
      return 'deleted'
    },

    async list (page) {
      const start = startOf(page)
      if (start === 'nowhere') return emptyPage
      const sorted = [...byId.values()].sort(byAge).filter((user) => start === 'start' || isAfter(user, start))
      return pageOf(sorted.slice(0, page.limit + 1), page)
    }
  }
  return { users, has: (id) => byId.has(id) }
}
