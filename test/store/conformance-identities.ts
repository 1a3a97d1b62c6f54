import type { Test } from 'tap'
import type { IdentityStore, StoredIdentity } from '../../lib/store/contract.js'
import type { OpenStore } from './conformance.js'
import { user } from './conformance-users.js'
import { testClock } from './engines.js'

const start = Date.UTC(2030, 0, 1)
const twenty = [...Array(20).keys()]

/** An identity that can be stored. */
export function identity (userId: string, changes: Partial<StoredIdentity> = {}): StoredIdentity {
  return { userId, provider: 'acme', issuer: 'https://acme.example', subject: `${userId}-1`, email: `${userId}@acme.example`, tokens: null, createdAt: start, usedAt: start, ...changes }
}

export function identitiesConform (t: Test, open: OpenStore, ownsUsers: boolean): void {
  async function opened (t: Test): Promise<{ identities: IdentityStore, other: IdentityStore, deleteUser: (id: string) => Promise<unknown> }> {
    const { store, other } = await open(t, testClock(start))
    for (const id of ['ada', 'eve']) await store.users.insert(user(id))
    return { identities: store.identities, other: other.identities, deleteUser: async (id) => await store.users.delete(id) }
  }

  t.test('each', async (t) => {
    t.test('is found by issuer and subject together, and belongs to one user', async (t) => {
      const { identities, other } = await opened(t)
      t.equal(await identities.insert(identity('ada')), true)
      t.equal(await identities.insert(identity('ada', { issuer: 'https://other.example', tokens: 'sealed', email: null, createdAt: start + 1 })), true, 'the same subject of another issuer is another')
      t.strictSame(await other.find('https://acme.example', 'ada-1'), identity('ada'))
      for (const [issuer, subject] of [['https://acme.example', 'ada-2'], ['https://acme.example/', 'ada-1'], ['https://ACME.example', 'ada-1'], ['https://acme.example', 'ADA-1'], ['https://acme.example', 'ada-1\0'], ['\0', 'ada-1']] as const) {
        t.equal(await identities.find(issuer, subject), undefined, JSON.stringify([issuer, subject]))
      }
      t.equal(await identities.insert(identity('eve', { subject: 'ada-1' })), false)
      t.equal(await identities.insert(identity('ada', { provider: 'renamed' })), false)
      t.strictSame(await identities.find('https://acme.example', 'ada-1'), identity('ada'), 'the first stays')
      t.strictSame((await other.list('ada')).map(({ issuer }) => issuer), ['https://acme.example', 'https://other.example'], 'oldest first')
      t.strictSame([await identities.list('eve'), await identities.list('nobody \0')], [[], []])
    })

    t.test('is changed by a sign-in of its own user only', async (t) => {
      const { identities } = await opened(t)
      await identities.insert(identity('ada'))
      const { issuer, subject } = identity('ada')
      t.equal(await identities.update({ userId: 'eve', issuer, subject, email: 'x', tokens: 'x', usedAt: start + 5 }), false)
      t.equal(await identities.update({ userId: 'ada', issuer, subject: 'another', email: 'x', tokens: 'x', usedAt: start + 5 }), false)
      t.strictSame(await identities.find(issuer, subject), identity('ada'))
      t.equal(await identities.update({ userId: 'ada', issuer, subject, email: null, tokens: 'sealed', usedAt: start + 5 }), true)
      t.strictSame(await identities.find(issuer, subject), identity('ada', { email: null, tokens: 'sealed', usedAt: start + 5 }))
    })

    t.test('race: of twenty who link one identity, one does', async (t) => {
      const { identities, other } = await opened(t)
      const outcomes = await Promise.all(twenty.map((one) => (one % 2 === 0 ? identities : other).insert(identity(one % 3 === 0 ? 'ada' : 'eve', { subject: 'wanted', email: `${one}` }))))
      t.equal(outcomes.filter(Boolean).length, 1)
      t.equal((await identities.find('https://acme.example', 'wanted'))?.email, String(outcomes.indexOf(true)))
    })

    t.test('is unlinked by provider, or alone by its subject', async (t) => {
      const { identities } = await opened(t)
      for (const one of [identity('ada'), identity('ada', { subject: 'ada-2' }), identity('ada', { provider: 'other', issuer: 'https://other.example' }), identity('eve')]) await identities.insert(one)
      t.equal(await identities.delete({ userId: 'ada', provider: 'nobody' }), 'missing')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme', subject: 'eve-1' }), 'missing', 'another user\'s')
      t.equal(await identities.delete({ userId: 'nobody \0', provider: 'acme' }), 'missing')
      t.equal(await identities.delete({ userId: 'ada', provider: '\0' }), 'missing')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme', subject: '\0' }), 'missing')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme', subject: 'ada-2' }), 'deleted')
      t.strictSame((await identities.list('ada')).map(({ subject, provider }) => `${provider} ${subject}`).sort(), ['acme ada-1', 'other ada-1'])
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme' }), 'deleted')
      t.equal(await identities.delete({ userId: 'ada', provider: 'other' }), 'deleted', 'the last one, where it may go')
      t.strictSame(await identities.list('ada'), [])
      t.equal((await identities.list('eve')).length, 1)
      t.equal(await identities.insert(identity('eve', { subject: 'ada-1' })), true, 'it can be linked again, by anybody')
    })

    t.test('stays where it is the last that counts', async (t) => {
      const { identities } = await opened(t)
      for (const one of [identity('ada'), identity('ada', { subject: 'ada-2' }), identity('ada', { provider: 'gone', issuer: 'https://gone.example' })]) await identities.insert(one)
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme' }, ['acme']), 'last', 'all of a provider at once')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme', subject: 'ada-1' }, ['acme']), 'deleted')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme', subject: 'ada-2' }, ['acme']), 'last', 'a provider that there is not any more is no way in')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme', subject: 'ada-2' }, ['acme', 'gone']), 'deleted')
      t.equal(await identities.delete({ userId: 'ada', provider: 'gone' }, []), 'last')
      t.equal(await identities.delete({ userId: 'ada', provider: 'acme' }, ['acme', 'gone']), 'missing')
    })

    t.test('race: of two that are unlinked at once, one stays', async (t) => {
      const { identities, other } = await opened(t)
      for (let round = 0; round < 10; round++) {
        await identities.deleteAll('ada')
        await identities.insert(identity('ada'))
        await identities.insert(identity('ada', { provider: 'other', issuer: 'https://other.example' }))
        const outcomes = await Promise.all([identities.delete({ userId: 'ada', provider: 'acme' }, ['acme', 'other']), other.delete({ userId: 'ada', provider: 'other' }, ['acme', 'other'])])
        t.strictSame(outcomes.sort(), ['deleted', 'last'])
        t.equal((await identities.list('ada')).length, 1)
      }
    })

    t.test('goes with all of its user', async (t) => {
      const { identities } = await opened(t)
      for (const one of [identity('ada'), identity('ada', { subject: 'ada-2' }), identity('eve')]) await identities.insert(one)
      await identities.deleteAll('ada')
      await identities.deleteAll('nobody \0')
      t.strictSame([await identities.list('ada'), (await identities.list('eve')).length], [[], 1])
    })

    if (!ownsUsers) return
    t.test('is gone with its user, and nobody has one who is not there', async (t) => {
      const { identities, deleteUser } = await opened(t)
      await identities.insert(identity('ada'))
      await deleteUser('ada')
      t.equal(await identities.find('https://acme.example', 'ada-1'), undefined)
      await t.rejects(identities.insert(identity('ada')))
    })
  })
}
