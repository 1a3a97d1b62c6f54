import type { FactorStore, StoredTotp } from '../contract.js'
import type { Connection } from './family.js'
import { read, written, type Database, type TotpRow } from './schema.js'

/** Second factors in tables of ours. */
export function sqlFactors (connect: () => Connection): FactorStore {
  async function find (userId: string): Promise<StoredTotp | undefined> {
    const { db, family } = connect()
    if (!family.canHold(userId)) return undefined
    const row = await db.selectFrom('bouncer_totp').select(['user_id', 'id', 'secret', 'used_step', 'created_at']).where('user_id', '=', userId).executeTakeFirst()
    if (row === undefined) return undefined
    const codes = await db.selectFrom('bouncer_recovery_codes').select('digest').where('user_id', '=', userId).orderBy('digest').execute()
    return fromRows(row, codes.map(({ digest }) => digest))
  }

  return {
    find,

    async insert ({ userId, id, secret, usedStep, recoveryCodes, createdAt }) {
      const connection = connect()
      return await connection.family.write(connection, async (db) => {
        const row = { user_id: userId, id, secret, used_step: usedStep, created_at: written(createdAt) }
        const added = await db.insertInto('bouncer_totp').values(row).onConflict((conflict) => conflict.column('user_id').doNothing()).returning('id').executeTakeFirst()
        if (added === undefined) return false
        await addCodes(db, userId, recoveryCodes)
        return true
      })
    },

    async useStep (userId, id, step) {
      const { numUpdatedRows } = await connect().db.updateTable('bouncer_totp').set({ used_step: step })
        .where('user_id', '=', userId).where('id', '=', id).where('used_step', '<', step).executeTakeFirst()
      return numUpdatedRows === 1n
    },

    async useRecoveryCode (userId, id, digest) {
      const { numDeletedRows } = await connect().db.deleteFrom('bouncer_recovery_codes').where('user_id', '=', userId).where('digest', '=', digest)
        .where((eb) => eb.exists(eb.selectFrom('bouncer_totp').select('id').where('user_id', '=', userId).where('id', '=', id))).executeTakeFirst()
      return numDeletedRows === 1n
    },

    async replaceRecoveryCodes (userId, id, digests) {
      const connection = connect()
      return await connection.family.write(connection, async (db) => {
        // The row is written to, so that two who replace the codes do so one after the other.
        const { numUpdatedRows } = await db.updateTable('bouncer_totp').set({ id }).where('user_id', '=', userId).where('id', '=', id).executeTakeFirst()
        if (numUpdatedRows === 0n) return false
        await db.deleteFrom('bouncer_recovery_codes').where('user_id', '=', userId).execute()
        await addCodes(db, userId, digests)
        return true
      })
    },

    async replaceSecret (userId, id, expected, secret) {
      const { numUpdatedRows } = await connect().db.updateTable('bouncer_totp').set({ secret })
        .where('user_id', '=', userId).where('id', '=', id).where('secret', '=', expected).executeTakeFirst()
      return numUpdatedRows === 1n
    },

    async delete (userId) {
      const { db, family } = connect()
      if (!family.canHold(userId)) return false
      const { numDeletedRows } = await db.deleteFrom('bouncer_totp').where('user_id', '=', userId).executeTakeFirst()
      return numDeletedRows === 1n
    }
  }
}

async function addCodes (db: Database, userId: string, digests: readonly string[]): Promise<void> {
  for (const digest of digests) await db.insertInto('bouncer_recovery_codes').values({ user_id: userId, digest }).execute()
}

function fromRows (row: TotpRow, recoveryCodes: readonly string[]): StoredTotp {
  return { userId: row.user_id, id: row.id, secret: row.secret, usedStep: row.used_step, recoveryCodes, createdAt: read(row.created_at) }
}
