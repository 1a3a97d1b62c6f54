import type { Test } from 'tap'
import type { StoredUser, UserStore } from '../../lib/store/contract.js'
import type { OpenStore } from './conformance.js'
import { testClock } from './engines.js'
import { impossible, odd } from './odd-strings.js'

const start = Date.UTC(2030, 0, 1)

/** A user who can be stored. */
export function user (id: string, changes: Partial<StoredUser> = {}): StoredUser {
  return {
    id,
    email: `${id}@example.com`,
    username: id,
    passwordHash: '$argon2id$hash',
    roles: [],
    isActive: true,
    isVerified: false,
    mustChangePassword: false,
    signedOutAt: null,
    createdAt: start,
    updatedAt: start,
    ...changes
  }
}

const twenty = [...Array(20).keys()]

export function usersConform (t: Test, open: OpenStore): void {
  const opened = async (t: Test): Promise<[UserStore, UserStore]> => {
    const { store, other } = await open(t, testClock())
    return [store.users, other.users]
  }

  t.test('a user is found as stored, by id, address and name', async (t) => {
    const [users, others] = await opened(t)
    const ada = user('ada', { roles: ['editor', 'admin', 'editor'], isActive: false, isVerified: true, mustChangePassword: true, signedOutAt: start + 3, createdAt: start + 1, updatedAt: start + 2 })
    t.equal(await users.insert(ada), 'stored')
    const stored = { ...ada, roles: ['admin', 'editor'] }
    t.strictSame(await others.findById('ada'), stored)
    t.strictSame(await others.findByEmail('ada@example.com'), stored)
    t.strictSame(await others.findByUsername('ada'), stored)
    t.equal(await users.insert(user('eve', { username: null, passwordHash: null })), 'stored')
    t.strictSame(await others.findById('eve'), user('eve', { username: null, passwordHash: null }))
  })

  t.test('nobody is found by another id, address or name', async (t) => {
    const [users] = await opened(t)
    await users.insert(user('ada'))
    for (const text of ['eve', 'ADA', 'ada ', 'ad_', '%', ...odd, ...impossible]) {
      const answers = [await users.findById(text), await users.findByEmail(text), await users.findByUsername(text), await users.update(text, { isActive: false }), await users.delete(text)]
      t.strictSame(answers, [undefined, undefined, undefined, 'missing', 'missing'], JSON.stringify(text.slice(0, 40)))
    }
    t.strictSame(await users.findById('ada'), user('ada'), 'and nobody else was touched')
  })

  t.test('address and name are unique, the address without case', async (t) => {
    const [users] = await opened(t)
    await users.insert(user('ada'))
    t.equal(await users.insert(user('eve', { email: 'ada@example.com' })), 'email')
    t.equal(await users.insert(user('eve', { email: 'ADA@Example.com' })), 'email', 'another case is the same address')
    t.equal(await users.insert(user('eve', { username: 'ada' })), 'username')
    t.match(await users.insert(user('eve', { email: 'ada@example.com', username: 'ada' })), /^(email|username)$/, 'one of both')
    t.equal(await users.findById('eve'), undefined, 'nothing of the refused user is there')
    t.equal(await users.insert(user('eve', { username: null, roles: ['a'] })), 'stored')
    t.equal(await users.insert(user('tom', { username: null })), 'stored', 'having no name is not unique')
    t.equal(await users.update('eve', { email: 'ada@example.com' }), 'email')
    t.equal(await users.update('eve', { username: 'ada', roles: ['b'] }), 'username')
    t.strictSame(await users.findById('eve'), user('eve', { username: null, roles: ['a'] }), 'a refused change changes nothing')
  })

  t.test('an id is never given twice', async (t) => {
    const [users] = await opened(t)
    await users.insert(user('ada'))
    await t.rejects(users.insert(user('ada', { email: 'other@example.com', username: 'other' })))
    t.strictSame(await users.findById('ada'), user('ada'))
  })

  t.test('a change changes what it names', async (t) => {
    const [users, others] = await opened(t)
    await users.insert(user('ada', { roles: ['a', 'b'] }))
    const changes = { email: 'new@example.com', username: null, passwordHash: null, roles: ['c', 'b', 'c'], isActive: false, isVerified: true, mustChangePassword: true, signedOutAt: start + 4, updatedAt: start + 5 }
    const changed = { ...user('ada'), ...changes, roles: ['b', 'c'] }
    t.strictSame(await users.update('ada', changes), changed, 'it answers with the user as he is then')
    t.strictSame(await others.findById('ada'), changed)
    t.strictSame(await others.findByEmail('new@example.com'), changed)
    t.equal(await others.findByEmail('ada@example.com'), undefined, 'the old address is nobody\'s')
    t.equal(await others.findByUsername('ada'), undefined, 'the old name too')
    t.equal(await users.insert(user('eve', { email: 'ada@example.com', username: 'ada' })), 'stored', 'and both can be taken')
    t.strictSame(await users.update('ada', { isActive: undefined, updatedAt: start + 6 }), { ...changed, updatedAt: start + 6 }, 'undefined leaves a field as it is')
    const smuggled = { id: 'eve', createdAt: 0, isVerified: false } as Partial<StoredUser>
    t.strictSame(await users.update('ada', smuggled), { ...changed, updatedAt: start + 6, isVerified: false }, 'id and time of creation stay')
  })

  t.test('a change with conditions is made if they hold', async (t) => {
    const [users] = await opened(t)
    await users.insert(user('ada'))
    t.equal(await users.update('ada', { passwordHash: 'new' }, { passwordHash: 'other' }), 'changed')
    t.equal(await users.update('ada', { passwordHash: 'new' }, { passwordHash: null }), 'changed')
    t.equal(await users.update('ada', { passwordHash: 'new' }, { email: 'other@example.com' }), 'changed')
    t.equal(await users.update('ada', { passwordHash: 'new' }, { email: 'ada@example.com', passwordHash: 'other' }), 'changed', 'all of them')
    t.strictSame(await users.findById('ada'), user('ada'))
    t.match(await users.update('ada', { passwordHash: null }, { email: 'ada@example.com', passwordHash: '$argon2id$hash' }), { passwordHash: null })
    t.match(await users.update('ada', { passwordHash: 'set' }, { passwordHash: null }), { passwordHash: 'set' })
    t.equal(await users.update('eve', { passwordHash: 'new' }, { passwordHash: 'other' }), 'missing')
  })

  t.test('race: 20 users with one address, 20 with one name', async (t) => {
    const both = await opened(t)
    const insert = (index: number, changes: Partial<StoredUser>): Promise<string> => (both[index % 2] as UserStore).insert(user(`${Object.keys(changes)}-${index}`, changes))
    const byEmail = await Promise.all(twenty.map((index) => insert(index, { email: 'one@example.com' })))
    t.strictSame(byEmail.filter((answer) => answer === 'stored').length, 1)
    t.strictSame(byEmail.filter((answer) => answer === 'email').length, 19)
    const byName = await Promise.all(twenty.map((index) => insert(index, { username: 'one' })))
    t.strictSame(byName.filter((answer) => answer === 'stored').length, 1)
    t.strictSame(byName.filter((answer) => answer === 'username').length, 19)
  })

  t.test('race: of 20 changes with one condition one is made', async (t) => {
    const both = await opened(t)
    await both[0].insert(user('ada'))
    const answers = await Promise.all(twenty.map((index) => (both[index % 2] as UserStore).update('ada', { passwordHash: `hash ${index}` }, { passwordHash: '$argon2id$hash' })))
    const made = answers.filter((answer) => typeof answer === 'object')
    t.equal(made.length, 1)
    t.strictSame(await both[0].findById('ada'), made[0])
  })

  t.test('race: changes of one user do not undo each other', async (t) => {
    const both = await opened(t)
    await both[0].insert(user('ada', { isActive: false }))
    const changes: Array<Partial<StoredUser>> = [{ email: 'new@example.com' }, { username: 'new' }, { passwordHash: 'new' }, { roles: ['a', 'b'] }, { isActive: true }, { isVerified: true }, { mustChangePassword: true }, { signedOutAt: start + 7 }]
    await Promise.all(changes.map((change, index) => (both[index % 2] as UserStore).update('ada', change)))
    t.strictSame(await both[0].findById('ada'), Object.assign(user('ada'), ...changes))
  })

  t.test('a deleted user is gone, and his address and name are free', async (t) => {
    const both = await opened(t)
    await both[0].insert(user('ada', { roles: ['admin'] }))
    t.strictSame((await Promise.all(twenty.map((index) => (both[index % 2] as UserStore).delete('ada')))).filter((answer) => answer === 'deleted').length, 1)
    t.equal(await both[0].findById('ada'), undefined)
    t.equal(await both[0].insert(user('ada')), 'stored')
    t.strictSame(await both[0].findById('ada'), user('ada'), 'without the roles of before')
  })

  t.test('lists have everybody once, oldest first', async (t) => {
    const [users] = await opened(t)
    const all = twenty.map((index) => user(`u${index}`, { createdAt: start + Math.floor(index / 3), roles: index % 2 ? ['a', 'b'] : [] }))
    for (const one of all.toReversed()) await users.insert(one)
    const expected = all.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
    for (const limit of [1, 7, 20, 50]) {
      const found: StoredUser[] = []
      let after: string | undefined
      do {
        const page = await users.list({ limit, after })
        t.ok(page.items.length <= limit)
        found.push(...page.items)
        after = page.next
      } while (after !== undefined)
      t.strictSame(found, expected, `pages of ${limit}`)
    }
  })

  t.test('a cursor that was made up breaks nothing', async (t) => {
    const [users] = await opened(t)
    await users.insert(user('ada'))
    const forged = [[], [1], [start], [start, 7], ['x', 'y'], [start, 'a\0'], [1e300, 'a'], [-1, 'a'], [8.64e15, 'a'], [1.5, 'a'], [null, null], { createdAt: start }, null, "'; drop table bouncer_users"]
    for (const after of [...odd, ...impossible, ...forged.map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'))]) {
      const page = await users.list({ limit: 5, after })
      t.ok(page.items.length <= 1 && page.next === undefined, JSON.stringify(after.slice(0, 40)))
    }
    t.strictSame((await users.list({ limit: 5 })).items, [user('ada')])
  })

  t.test('no string means anything', async (t) => {
    const [users] = await opened(t)
    for (const [index, text] of odd.entries()) {
      const one = user(text, { email: `${text}@example.com`.toLowerCase(), username: text, passwordHash: text, roles: [text], createdAt: start + index })
      t.equal(await users.insert(one), 'stored', JSON.stringify(text))
      t.strictSame(await users.findById(text), one)
      t.strictSame(await users.findByEmail(one.email), one)
      t.strictSame(await users.findByUsername(text), one)
      t.match(await users.update(text, { roles: [text, 'b'], passwordHash: text + text }, { passwordHash: text, email: one.email }), { id: text, passwordHash: text + text })
    }
    t.strictSame((await users.list({ limit: 100 })).items.map(({ id }) => id), odd)
    const long = user('long', { passwordHash: 'x'.repeat(100_000), roles: ['y'.repeat(1000)] })
    await users.insert(long)
    t.strictSame(await users.findById('long'), long, 'long strings are not cut')
  })
}

/** Ways in which somebody stops being an active administrator. */
const removals: Record<string, (users: UserStore, id: string) => Promise<unknown>> = {
  demoted: (users, id) => users.update(id, { roles: ['editor'] }, { keepRole: 'admin' }),
  deactivated: (users, id) => users.update(id, { isActive: false }, { keepRole: 'admin' }),
  deleted: (users, id) => users.delete(id, { keepRole: 'admin' })
}

export function lastHolderStays (t: Test, open: OpenStore): void {
  const admin = (id: string): StoredUser => user(id, { roles: ['admin', 'editor'] })

  for (const [name, remove] of Object.entries(removals)) {
    t.test(`the last one is not ${name}`, async (t) => {
      const { store: { users } } = await open(t, testClock())
      await users.insert(admin('ada'))
      await users.insert(user('former', { roles: ['admin'], isActive: false }))
      await users.insert(user('editor', { roles: ['editor', 'administrator'] }))
      t.equal(await remove(users, 'ada'), 'last')
      t.strictSame(await users.findById('ada'), admin('ada'), 'and nothing was changed')
      await users.insert(admin('eve'))
      t.not(await remove(users, 'ada'), 'last', 'but the one before the last is')
      t.equal(await remove(users, 'eve'), 'last')
      t.equal(await remove(users, 'nobody'), 'missing')
    })

    t.test(`race: two administrators, each ${name} by the other or by himself, 20 rounds`, async (t) => {
      const { store, other } = await open(t, testClock())
      for (const round of twenty) {
        const [ada, eve] = [`ada-${round}`, `eve-${round}`]
        await store.users.insert(admin(ada))
        await store.users.insert(admin(eve))
        const second = Object.values(removals)[round % 3] as typeof remove
        const answers = await Promise.all([remove(store.users, ada), second(other.users, eve)])
        t.equal(answers.filter((answer) => answer === 'last').length, 1, 'one stays')
        const left = (await Promise.all([ada, eve].map((id) => store.users.findById(id)))).filter((one) => one?.isActive && one.roles.includes('admin'))
        t.equal(left.length, 1)
        await store.users.delete(ada)
        await store.users.delete(eve)
      }
    })
  }

  t.test('what takes the role from nobody is done', async (t) => {
    const { store: { users } } = await open(t, testClock())
    await users.insert(admin('ada'))
    await users.insert(user('eve', { roles: ['editor'] }))
    t.match(await users.update('ada', { username: 'new', roles: ['admin', 'writer'] }, { keepRole: 'admin' }), { username: 'new', roles: ['admin', 'writer'] })
    t.match(await users.update('eve', { isActive: false }, { keepRole: 'admin' }), { isActive: false })
    t.equal(await users.delete('eve', { keepRole: 'admin' }), 'deleted')
    t.equal(await users.update('ada', { roles: [] }, { keepRole: 'admin', passwordHash: 'other' }), 'changed')
    t.match(await users.update('ada', { isActive: false }, { keepRole: 'editor' }), { isActive: false }, 'nobody had that role before either')
    await users.insert(user('tom'))
    t.match(await users.update('tom', { username: 'new tom' }, { keepRole: 'admin' }), { username: 'new tom' }, 'no administrator is active')
    t.equal(await users.delete('tom', { keepRole: 'admin' }), 'deleted')
  })

  t.test('where only verified ones count', async (t) => {
    const { store: { users } } = await open(t, testClock())
    const counting = { keepRole: 'admin', keepVerified: true }
    await users.insert({ ...admin('ada'), isVerified: true })
    await users.insert(admin('eve'))
    t.equal(await users.update('ada', { isVerified: false }, counting), 'last')
    t.equal(await users.update('ada', { roles: [] }, counting), 'last')
    t.equal(await users.delete('ada', counting), 'last')
    t.match(await users.update('ada', { username: 'new' }, counting), { username: 'new', isVerified: true })
    t.equal(await users.delete('eve', counting), 'deleted', 'who is not verified holds nothing')
    await users.insert({ ...admin('tom'), isVerified: true })
    t.match(await users.update('ada', { isVerified: false }, counting), { isVerified: false })
    t.equal(await users.delete('ada', counting), 'deleted')
    t.equal(await users.delete('tom', counting), 'last')
  })

  t.test('race: ten administrators, nine of whom go', async (t) => {
    const { store, other } = await open(t, testClock())
    const ids = twenty.slice(0, 10).map((index) => `admin-${index}`)
    for (const id of ids) await store.users.insert(admin(id))
    const ways = Object.values(removals)
    const answers = await Promise.all(ids.map((id, index) => (ways[index % 3] as typeof ways[number])((index % 2 ? store : other).users, id)))
    t.equal(answers.filter((answer) => answer === 'last').length, 1)
  })
}
