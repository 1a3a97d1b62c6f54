import type { Test } from 'tap'
import type { SessionStore, StoredSession } from '../../lib/store/contract.js'
import type { OpenStore } from './conformance.js'
import { user } from './conformance-users.js'
import { testClock } from './engines.js'
import { impossible, odd } from './odd-strings.js'

const start = Date.UTC(2030, 0, 1)
const hour = 3_600_000

/** A session that can be stored. */
export function session (id: string, changes: Partial<StoredSession> = {}): StoredSession {
  return {
    id,
    userId: 'ada',
    refreshDigest: `digest of ${id}`,
    generation: 0,
    createdAt: start,
    rotatedAt: start + 1,
    idleUntil: start + hour,
    expiresAt: start + 10 * hour,
    endedAt: null,
    endReason: null,
    address: '192.0.2.1',
    userAgent: 'Browser/1.0',
    amr: ['pwd'],
    ...changes
  }
}

const twenty = [...Array(20).keys()]

export function sessionsConform (t: Test, open: OpenStore, ownsUsers: boolean): void {
  const opened = async (t: Test): Promise<[SessionStore, SessionStore]> => {
    const { store, other } = await open(t, testClock())
    for (const id of ['ada', 'eve']) await store.users.insert(user(id))
    return [store.sessions, other.sessions]
  }

  t.test('a session is found as stored', async (t) => {
    const [sessions, others] = await opened(t)
    const nameless = session('two', { address: null, userAgent: null, endedAt: start + 5, endReason: 'logout', generation: 7 })
    await sessions.insert(session('one'))
    await sessions.insert(nameless)
    t.strictSame(await others.find('one'), session('one'))
    t.strictSame(await others.find('two'), nameless)
    for (const id of ['', 'ONE', 'one ', ...odd, ...impossible]) {
      const answers = [
        await sessions.find(id),
        await sessions.rotate(id, 0, { refreshDigest: 'x', rotatedAt: start, idleUntil: start }),
        await sessions.end(id, 'logout', start),
        await sessions.end('one', 'logout', start, id),
        await sessions.endAll(id, 'logout', start),
        await sessions.listLive(id, start, { limit: 5 })
      ]
      t.strictSame(answers, [undefined, false, false, false, [], { items: [], next: undefined }], JSON.stringify(id.slice(0, 40)))
    }
    await t.rejects(sessions.insert(session('one', { userId: 'eve' })), 'an id is never given twice')
    t.strictSame(await sessions.find('one'), session('one'))
  })

  t.test('a refresh puts the next token in place, once', async (t) => {
    const [sessions, others] = await opened(t)
    await sessions.insert(session('one'))
    const rotation = { refreshDigest: 'next', rotatedAt: start + 10, idleUntil: start + 2 * hour }
    t.equal(await sessions.rotate('one', 1, rotation), false, 'not of a generation to come')
    t.equal(await sessions.rotate('one', 0, rotation), true)
    t.strictSame(await others.find('one'), session('one', { ...rotation, generation: 1 }))
    t.equal(await others.rotate('one', 0, { ...rotation, refreshDigest: 'other' }), false, 'not of one that is past')
    t.equal(await others.rotate('one', 1, { ...rotation, refreshDigest: 'third' }), true)
    t.match(await sessions.find('one'), { generation: 2, refreshDigest: 'third' })
    await sessions.end('one', 'logout', start)
    t.equal(await sessions.rotate('one', 2, rotation), false, 'not of a session that has ended')
    t.match(await sessions.find('one'), { generation: 2, refreshDigest: 'third' })
  })

  t.test('race: of 20 refreshes with one token one rotates', async (t) => {
    const both = await opened(t)
    await both[0].insert(session('one'))
    for (const generation of [0, 1, 2]) {
      const answers = await Promise.all(twenty.map((index) => (both[index % 2] as SessionStore).rotate('one', generation, { refreshDigest: `${generation} ${index}`, rotatedAt: start + index, idleUntil: start + hour })))
      t.equal(answers.filter(Boolean).length, 1)
      t.match(await both[0].find('one'), { generation: generation + 1, refreshDigest: `${generation} ${answers.indexOf(true)}` }, 'and the one who was told so')
    }
  })

  t.test('a session ends once, and keeps time and reason', async (t) => {
    const both = await opened(t)
    await both[0].insert(session('one'))
    await both[0].insert(session('two'))
    t.equal(await both[0].end('one', 'ended', start, 'eve'), false, 'not as somebody else\'s')
    t.strictSame(await both[0].find('one'), session('one'))
    t.equal(await both[0].end('one', 'ended', start + 5, 'ada'), true)
    t.equal(await both[0].end('one', 'logout', start + 6), false)
    t.strictSame(await both[1].find('one'), session('one', { endedAt: start + 5, endReason: 'ended' }))
    const answers = await Promise.all(twenty.map((index) => (both[index % 2] as SessionStore).end('two', 'logout', start + index)))
    t.equal(answers.filter(Boolean).length, 1, 'race: of 20 ends one is the end')
    t.match(await both[0].find('two'), { endedAt: start + answers.indexOf(true) })
  })

  t.test('all sessions of a user end, each once', async (t) => {
    const both = await opened(t)
    for (const id of ['one', 'two', 'three']) await both[0].insert(session(id))
    await both[0].insert(session('lapsed', { idleUntil: start - 1, expiresAt: start - 1 }))
    await both[0].insert(session('ended', { endedAt: start, endReason: 'logout' }))
    await both[0].insert(session('hers', { userId: 'eve' }))
    const answers = await Promise.all(twenty.map((index) => (both[index % 2] as SessionStore).endAll('ada', 'password_changed', start + 9)))
    t.strictSame(answers.flat().sort(), ['lapsed', 'one', 'three', 'two'])
    t.match(await both[0].find('one'), { endedAt: start + 9, endReason: 'password_changed' })
    t.match(await both[0].find('ended'), { endedAt: start, endReason: 'logout' })
    t.strictSame(await both[0].find('hers'), session('hers', { userId: 'eve' }))
  })

  t.test('race: a refresh against the end of all sessions leaves none', async (t) => {
    const both = await opened(t)
    for (const round of twenty) {
      const id = `s${round}`
      await both[0].insert(session(id))
      await Promise.all([both[0].rotate(id, 0, { refreshDigest: 'x', rotatedAt: start, idleUntil: start + hour }), both[1].endAll('ada', 'logout_all', start)])
      t.match(await both[0].find(id), { endedAt: start, endReason: 'logout_all' })
    }
  })

  t.test('lists have the sessions that live, newest first', async (t) => {
    const [sessions] = await opened(t)
    const all = twenty.map((index) => session(`s${index}`, { createdAt: start + Math.floor(index / 3) }))
    for (const one of all) await sessions.insert(one)
    await sessions.insert(session('idle', { idleUntil: start + 5 }))
    await sessions.insert(session('old', { expiresAt: start + 5 }))
    await sessions.insert(session('ended', { endedAt: start, endReason: 'logout' }))
    await sessions.insert(session('hers', { userId: 'eve' }))
    const expected = all.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    for (const limit of [1, 7, 20, 50]) {
      const found: StoredSession[] = []
      let after: string | undefined
      do {
        const page = await sessions.listLive('ada', start + 5, { limit, after })
        t.ok(page.items.length <= limit)
        found.push(...page.items)
        after = page.next
      } while (after !== undefined)
      t.strictSame(found, expected, `pages of ${limit}`)
    }
    for (const after of [...odd, ...impossible]) t.strictSame(await sessions.listLive('ada', start, { limit: 5, after }), { items: [], next: undefined })
  })

  t.test('what is over for long is deleted', async (t) => {
    const [sessions] = await opened(t)
    await sessions.insert(session('live'))
    await sessions.insert(session('idle', { idleUntil: start + 5 }))
    await sessions.insert(session('lapsed', { idleUntil: start + 5, expiresAt: start + 8 }))
    await sessions.insert(session('ended', { endedAt: start + 9, endReason: 'logout' }))
    await sessions.insert(session('later', { endedAt: start + 10, endReason: 'logout' }))
    t.equal(await sessions.prune(start + 10), 2)
    t.strictSame(await Promise.all(['live', 'idle', 'lapsed', 'ended', 'later'].map(async (id) => await sessions.find(id) !== undefined)), [true, true, false, false, true])
    t.equal(await sessions.prune(start + 10), 0)
  })

  t.test('no string means anything', async (t) => {
    const [sessions] = await opened(t)
    for (const text of odd) {
      const one = session(text, { refreshDigest: text, address: text, userAgent: text })
      await sessions.insert(one)
      t.strictSame(await sessions.find(text), one, JSON.stringify(text))
      t.equal(await sessions.rotate(text, 0, { refreshDigest: text + text, rotatedAt: start, idleUntil: start }), true)
      t.equal(await sessions.end(text, 'logout', start, 'ada'), true)
    }
    const long = session('long', { userAgent: 'x'.repeat(100_000) })
    await sessions.insert(long)
    t.strictSame(await sessions.find('long'), long, 'long strings are not cut')
  })

  t.test('sessions belong to users', async (t) => {
    const { store } = await open(t, testClock())
    await store.users.insert(user('ada'))
    await store.sessions.insert(session('one'))
    const orphan = store.sessions.insert(session('two', { userId: 'nobody' }))
    if (!ownsUsers) {
      await t.resolves(orphan, 'whoever the application says they are')
      return
    }
    await t.rejects(orphan, 'there is none of nobody')
    await store.users.delete('ada')
    t.equal(await store.sessions.find('one'), undefined, 'they go with him')
    t.strictSame(await store.sessions.endAll('ada', 'deleted', start), [])
  })
}
