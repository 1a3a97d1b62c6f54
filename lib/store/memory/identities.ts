import type { IdentityStore, StoredIdentity } from '../contract.js'
import { full } from './capacity.js'

export interface MemoryIdentityOptions {
  max: number
  /** An identity belongs to a user that is there, as a foreign key would have it. */
  isUser: (id: string) => boolean
}

/** Linked accounts in memory, and a way to drop those of a user. Nothing in a verb waits, so each is atomic. */
export function memoryIdentities ({ max, isUser }: MemoryIdentityOptions): { identities: IdentityStore, deleteOf: (userId: string) => void } {
  const byName = new Map<string, StoredIdentity>()
  const of = (userId: string): StoredIdentity[] => [...byName.values()].filter((identity) => identity.userId === userId)
  const deleteOf = (userId: string): void => { for (const identity of of(userId)) byName.delete(nameOf(identity)) }

  const identities: IdentityStore = {
    async find (issuer, subject) { return byName.get(nameOf({ issuer, subject })) },
    async list (userId) { return of(userId).sort((a, b) => a.createdAt - b.createdAt) },
    async insert (identity) {
      if (!isUser(identity.userId)) throw new Error('an identity of nobody')
      const name = nameOf(identity)
      if (byName.has(name)) return false
      if (byName.size >= max) throw full('linked accounts')
      byName.set(name, Object.freeze({ ...identity }))
      return true
    },
    async update ({ userId, issuer, subject, email, tokens, usedAt }) {
      const name = nameOf({ issuer, subject })
      const before = byName.get(name)
      if (before?.userId !== userId) return false
      byName.set(name, Object.freeze({ ...before, email, tokens, usedAt }))
      return true
    },
    async delete ({ userId, provider, subject }, keepOneOf) {
      const all = of(userId)
      const chosen = all.filter((identity) => identity.provider === provider && (subject === undefined || identity.subject === subject))
      if (chosen.length === 0) return 'missing'
      if (keepOneOf !== undefined && !all.some((identity) => !chosen.includes(identity) && keepOneOf.includes(identity.provider))) return 'last'
      for (const identity of chosen) byName.delete(nameOf(identity))
      return 'deleted'
    },
    async deleteAll (userId) { deleteOf(userId) }
  }
  return { identities, deleteOf }
}

function nameOf ({ issuer, subject }: Pick<StoredIdentity, 'issuer' | 'subject'>): string {
  return JSON.stringify([issuer, subject])
}
