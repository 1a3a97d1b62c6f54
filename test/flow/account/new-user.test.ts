import t from 'tap'
import { createUserMaker } from '../../../lib/flow/account/new-user.js'
import { createPasswords } from '../../../lib/password/passwords.js'
import { memoryStore } from '../../../lib/store/memory.js'
import { cheapHash, password } from '../../accounts.js'
import { rejection } from '../../rejection.js'

const email = 'ada@example.com'
const now = Date.UTC(2030, 0, 1)

function maker () {
  const { users } = memoryStore()
  const calls: string[] = []
  const passwords = createPasswords(cheapHash)
  const watched = {
    ...passwords,
    hash: async (given: string) => {
      calls.push('hash')
      return await passwords.hash(given)
    }
  }
  const insert: typeof users.insert = async (user) => {
    calls.push('insert')
    return await users.insert(user)
  }
  return { users, calls, makeUser: createUserMaker({ users: { ...users, insert }, passwords: watched, clock: () => now }) }
}

t.test('what is left out: active, not verified, without name, roles and password', async (t) => {
  const { makeUser, users, calls } = maker()
  const user = await makeUser({ email: ' Ada@example.com' })
  t.strictSame(user, { id: user.id, email, username: null, passwordHash: null, roles: [], isActive: true, isVerified: false, mustChangePassword: false, signedOutAt: null, createdAt: now, updatedAt: now })
  t.strictSame(await users.findById(user.id), user)
  t.strictSame(calls, ['insert'])
})

t.test('ids sort by time, and no two are alike', async (t) => {
  const { makeUser } = maker()
  const ids = [await makeUser({ email: 'a@example.com' }), await makeUser({ email: 'b@example.com' })].map(({ id }) => id)
  t.not(ids[0], ids[1])
  for (const id of ids) t.equal(parseInt(id.replaceAll('-', '').slice(0, 12), 16), now)
})

t.test('a password is hashed before anybody knows whether the address is taken', async (t) => {
  const { makeUser, calls } = maker()
  t.match((await makeUser({ email, password })).passwordHash, /^\$argon2id\$/)
  await t.rejects(makeUser({ email, password }), { name: 'UserAlreadyExistsError' })
  t.strictSame(calls, ['hash', 'insert', 'hash', 'insert'])
})

t.test('a password that breaks the rules is not hashed, and has the code it is asked with', async (t) => {
  const { makeUser, calls } = maker()
  t.match(await rejection(makeUser({ email, password: 'sh0rt+' })), { code: 'PASSWORD_POLICY_VIOLATION', errors: ['Password must be at least 8 characters'] })
  t.match(await rejection(makeUser({ email, password: 'sh0rt+' }, 'REGISTER_INVALID_PASSWORD')), { code: 'REGISTER_INVALID_PASSWORD' })
  t.match(await rejection(makeUser({ email, password: null as never })), { code: 'PASSWORD_POLICY_VIOLATION' }, 'nor is what is no text taken for none')
  t.strictSame(calls, [])
})
