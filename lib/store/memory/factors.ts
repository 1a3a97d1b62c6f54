import type { FactorStore, StoredTotp } from '../contract.js'

/** Second factors in memory, and a way to drop that of a user. Nothing in a verb waits, so each is atomic. */
export function memoryFactors ({ isUser }: { isUser: (id: string) => boolean }): { factors: FactorStore, deleteOf: (userId: string) => void } {
  const byUser = new Map<string, StoredTotp>()

  /** Changes this enrolment, if there is anything to change. */
  function change (userId: string, id: string, next: (totp: StoredTotp) => Partial<StoredTotp> | undefined): boolean {
    const totp = byUser.get(userId)
    const changes = totp === undefined || totp.id !== id ? undefined : next(totp)
    if (totp === undefined || changes === undefined) return false
    byUser.set(userId, Object.freeze({ ...totp, ...changes }))
    return true
  }

  const factors: FactorStore = {
    async find (userId) { return byUser.get(userId) },
    async insert (totp) {
      if (!isUser(totp.userId)) throw new Error('a second factor of nobody')
      if (byUser.has(totp.userId)) return false
      byUser.set(totp.userId, Object.freeze({ ...totp, recoveryCodes: [...totp.recoveryCodes].sort() }))
      return true
    },
    async useStep (userId, id, step) {
      return change(userId, id, ({ usedStep }) => usedStep < step ? { usedStep: step } : undefined)
    },
    async useRecoveryCode (userId, id, digest) {
      return change(userId, id, ({ recoveryCodes }) => recoveryCodes.includes(digest) ? { recoveryCodes: recoveryCodes.filter((one) => one !== digest) } : undefined)
    },
    async replaceRecoveryCodes (userId, id, digests) {
      return change(userId, id, () => ({ recoveryCodes: [...digests].sort() }))
    },
    async replaceSecret (userId, id, expected, secret) {
      return change(userId, id, (totp) => totp.secret === expected ? { secret } : undefined)
    },
    async delete (userId) { return byUser.delete(userId) }
  }
  return { factors, deleteOf: (userId) => { byUser.delete(userId) } }
}
