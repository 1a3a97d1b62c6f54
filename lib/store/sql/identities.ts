import type { IdentityStore, StoredIdentity } from '../contract.js'
import type { Connection } from './family.js'
import { read, written, type IdentityRow } from './schema.js'

const COLUMNS = ['user_id', 'provider', 'issuer', 'subject', 'email', 'tokens', 'created_at', 'used_at'] as const

/** Linked accounts in a table of ours. */
export function sqlIdentities (connect: () => Connection): IdentityStore {
  return {
    async find (issuer, subject) {
      const { db, family } = connect()
      if (!family.canHold(issuer) || !family.canHold(subject)) return undefined
      const row = await db.selectFrom('bouncer_identities').select(COLUMNS).where('issuer', '=', issuer).where('subject', '=', subject).executeTakeFirst()
      return row && fromRow(row)
    },

    async list (userId) {
      const { db, family } = connect()
      if (!family.canHold(userId)) return []
      const rows = await db.selectFrom('bouncer_identities').select(COLUMNS).where('user_id', '=', userId).orderBy('created_at').orderBy('issuer').orderBy('subject').execute()
      return rows.map(fromRow)
    },

    async insert (identity) {
      const row = await connect().db.insertInto('bouncer_identities').values(toRow(identity))
        .onConflict((conflict) => conflict.columns(['issuer', 'subject']).doNothing()).returning('user_id').executeTakeFirst()
      return row !== undefined
    },

    async update ({ userId, issuer, subject, email, tokens, usedAt }) {
      const { numUpdatedRows } = await connect().db.updateTable('bouncer_identities').set({ email, tokens, used_at: written(usedAt) })
        .where('issuer', '=', issuer).where('subject', '=', subject).where('user_id', '=', userId).executeTakeFirst()
      return numUpdatedRows === 1n
    },

    async delete ({ userId, provider, subject }, keepOneOf) {
      const connection = connect()
      const { family } = connection
      if (!family.canHold(userId) || !family.canHold(provider) || !family.canHold(subject ?? '')) return 'missing'
      return await family.write(connection, async (db) => {
        const all = db.selectFrom('bouncer_identities').select(COLUMNS).where('user_id', '=', userId)
        // Two who each leave the other's behind must go one after the other; what
        // is there is read by a second statement, which sees what the first waited for.
        if (family.locksRows) await all.orderBy('issuer').orderBy('subject').forUpdate().execute()
        const rows = await all.execute()
        const chosen = rows.filter((row) => row.provider === provider && (subject === undefined || row.subject === subject))
        if (chosen.length === 0) return 'missing'
        if (keepOneOf !== undefined && !rows.some((row) => !chosen.includes(row) && keepOneOf.includes(row.provider))) return 'last'
        for (const row of chosen) await db.deleteFrom('bouncer_identities').where('issuer', '=', row.issuer).where('subject', '=', row.subject).where('user_id', '=', userId).execute()
        return 'deleted'
      })
    },

    async deleteAll (userId) {
      const { db, family } = connect()
      if (family.canHold(userId)) await db.deleteFrom('bouncer_identities').where('user_id', '=', userId).execute()
    }
  }
}

function toRow ({ userId, createdAt, usedAt, ...rest }: StoredIdentity): IdentityRow {
  const { provider, issuer, subject, email, tokens } = rest
  return { user_id: userId, provider, issuer, subject, email, tokens, created_at: written(createdAt), used_at: written(usedAt) }
}

function fromRow ({ user_id: userId, created_at: createdAt, used_at: usedAt, ...rest }: IdentityRow): StoredIdentity {
  return { userId, ...rest, createdAt: read(createdAt), usedAt: read(usedAt) }
}
