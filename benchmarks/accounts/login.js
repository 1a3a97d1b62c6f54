import { startClient, startServer, withChildren } from './child.js'

const EMAIL = 'ada@example.com'
const PASSWORD = 'correct horse battery staple'

/**
 * P6: a sign-in over HTTP, with the right password and with a wrong one, against
 * the hash of the library alone in the same process. In turns, one at a time;
 * all in milliseconds.
 */
export async function measureLogin ({ build, rounds, argon2, say }) {
  return await withChildren(async (child) => {
    const server = child(await startServer('accounts/application.js', { build, argon2, plugin: { attempts: { login: { account: { max: 1_000_000_000, window: 3600, lockout: 1 } } } } }))
    const client = child(startClient())
    await server.call('people', { emails: [EMAIL], password: PASSWORD })
    const signIn = (password) => ({ method: 'POST', path: '/auth/login', body: { email: EMAIL, password } })
    const send = async (password, expected) => {
      const [[status, nanoseconds]] = await client.ask('sequence', { port: server.port, requests: [signIn(password)] })
      if (status !== expected) throw new Error(`login: ${status} was not expected`)
      return nanoseconds
    }
    const measured = {
      hash: async () => await server.call('hashAlone', { password: PASSWORD }),
      right: async () => await send(PASSWORD, 200),
      wrong: async () => await send('incorrect horse battery stapl', 401)
    }
    const kinds = Object.keys(measured)
    const rows = Object.fromEntries(kinds.map((kind) => [kind, []]))
    for (let round = -3; round < rounds; round++) {
      say(round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`)
      for (let place = 0; place < kinds.length; place++) {
        const kind = kinds[(place + Math.max(round, 0)) % kinds.length]
        const nanoseconds = await measured[kind]()
        if (round >= 0) rows[kind].push(nanoseconds / 1e6)
      }
    }
    return { rounds, rows }
  })
}
