import type { Test } from 'tap'
import type { FactorStore, StoredTotp } from '../../lib/store/contract.js'
import type { OpenStore } from './conformance.js'
import { user } from './conformance-users.js'
import { testClock } from './engines.js'

const start = Date.UTC(2030, 0, 1)
const twenty = [...Array(20).keys()]

/** A second factor that can be stored. */
export function totp (userId: string, changes: Partial<StoredTotp> = {}): StoredTotp {
  return { userId, id: 'first', secret: 'sealed', usedStep: 100, recoveryCodes: ['a', 'b', 'c'], createdAt: start, ...changes }
}

export function factorsConform (t: Test, open: OpenStore, ownsUsers: boolean): void {
  async function opened (t: Test): Promise<{ factors: FactorStore, other: FactorStore, deleteUser: (id: string) => Promise<unknown> }> {
    const { store, other } = await open(t, testClock(start))
    for (const id of ['ada', 'eve']) await store.users.insert(user(id))
    return { factors: store.factors, other: other.factors, deleteUser: async (id) => await store.users.delete(id) }
  }

  t.test('each', async (t) => {
    t.test('are found as they were stored, one of each user', async (t) => {
      const { factors, other } = await opened(t)
      t.equal(await factors.find('ada'), undefined)
      t.equal(await factors.find('nobody \0'), undefined)
      t.equal(await factors.insert(totp('ada', { recoveryCodes: ['c', 'a', 'b'], usedStep: 2_000_000_000 })), true)
      t.strictSame(await other.find('ada'), totp('ada', { usedStep: 2_000_000_000 }))
      t.equal(await factors.insert(totp('ada', { id: 'second', secret: 'another', recoveryCodes: ['d'] })), false)
      t.strictSame(await factors.find('ada'), totp('ada', { usedStep: 2_000_000_000 }), 'the first stays')
      t.equal(await factors.insert(totp('eve', { recoveryCodes: [] })), true)
      t.strictSame((await factors.find('eve'))?.recoveryCodes, [])
    })

    t.test('use each time step once, and none that is older', async (t) => {
      const { factors } = await opened(t)
      await factors.insert(totp('ada'))
      for (const [step, used] of [[100, false], [99, false], [102, true], [102, false], [101, false], [103, true]] as const) {
        t.equal(await factors.useStep('ada', 'first', step), used, String(step))
      }
      t.equal(await factors.useStep('ada', 'second', 200), false, 'of another enrolment')
      t.equal(await factors.useStep('eve', 'first', 200), false, 'of a user without')
      t.equal((await factors.find('ada'))?.usedStep, 103)
    })

    t.test('race: of twenty who use a step at once, one does', async (t) => {
      const { factors, other } = await opened(t)
      await factors.insert(totp('ada'))
      const outcomes = await Promise.all(twenty.map((one) => (one % 2 === 0 ? factors : other).useStep('ada', 'first', 101)))
      t.equal(outcomes.filter(Boolean).length, 1)
    })

    t.test('race: of twenty who use a recovery code at once, one does', async (t) => {
      const { factors, other } = await opened(t)
      await factors.insert(totp('ada'))
      const outcomes = await Promise.all(twenty.map((one) => (one % 2 === 0 ? factors : other).useRecoveryCode('ada', 'first', 'b')))
      t.equal(outcomes.filter(Boolean).length, 1)
      t.strictSame((await factors.find('ada'))?.recoveryCodes, ['a', 'c'])
      for (const [id, code] of [['first', 'b'], ['first', 'x'], ['second', 'a']] as const) t.equal(await factors.useRecoveryCode('ada', id, code), false)
      t.equal(await factors.useRecoveryCode('eve', 'first', 'a'), false)
    })

    t.test('race: of twenty enrolments at once, one is stored, with its own codes', async (t) => {
      const { factors, other } = await opened(t)
      const outcomes = await Promise.all(twenty.map((one) => (one % 2 === 0 ? factors : other).insert(totp('ada', { id: `e${one}`, recoveryCodes: [`code of e${one}`] }))))
      t.equal(outcomes.filter(Boolean).length, 1)
      const stored = await factors.find('ada')
      t.strictSame(stored?.recoveryCodes, [`code of ${stored?.id}`])
    })

    t.test('race: codes that are replaced twice at once are one of the two lists', async (t) => {
      const { factors, other } = await opened(t)
      await factors.insert(totp('ada'))
      t.strictSame(await Promise.all([factors.replaceRecoveryCodes('ada', 'first', ['d', 'e']), other.replaceRecoveryCodes('ada', 'first', ['f', 'g'])]), [true, true])
      t.match((await factors.find('ada'))?.recoveryCodes.join(' '), /^(d e|f g)$/)
      t.equal(await factors.replaceRecoveryCodes('ada', 'second', ['h']), false)
      t.equal(await factors.replaceRecoveryCodes('eve', 'first', ['h']), false)
    })

    t.test('have another secret only in place of the one that is known', async (t) => {
      const { factors } = await opened(t)
      await factors.insert(totp('ada'))
      t.equal(await factors.replaceSecret('ada', 'first', 'other', 'new'), false)
      t.equal(await factors.replaceSecret('ada', 'second', 'sealed', 'new'), false)
      t.equal(await factors.replaceSecret('ada', 'first', 'sealed', 'new'), true)
      t.equal((await factors.find('ada'))?.secret, 'new')
    })

    t.test('are gone with their codes once they are deleted', async (t) => {
      const { factors } = await opened(t)
      await factors.insert(totp('ada'))
      t.equal(await factors.delete('ada'), true)
      t.equal(await factors.delete('ada'), false)
      t.equal(await factors.delete('nobody \0'), false)
      t.equal(await factors.find('ada'), undefined)
      t.equal(await factors.insert(totp('ada', { id: 'second', recoveryCodes: ['a'] })), true)
      t.strictSame((await factors.find('ada'))?.recoveryCodes, ['a'])
    })

    if (!ownsUsers) return
    t.test('are gone with their user, and nobody has one who is not there', async (t) => {
      const { factors, deleteUser } = await opened(t)
      await factors.insert(totp('ada'))
      await deleteUser('ada')
      t.equal(await factors.find('ada'), undefined)
      await t.rejects(factors.insert(totp('ada')))
    })
  })
}
