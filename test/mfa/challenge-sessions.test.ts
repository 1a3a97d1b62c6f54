import t from 'tap'
import { createSealer } from '../../lib/encryption.js'
import { createChallengeSessions } from '../../lib/mfa/challenge-sessions.js'
import { deriveKey } from '../../lib/random.js'
import { memoryStore } from '../../lib/store/memory.js'

t.test('what is stored says nothing, and what cannot be read is no challenge', async (t) => {
  const { ephemeral } = memoryStore()
  const stored: Array<[key: string, value: string]> = []
  const sessions = createChallengeSessions({ ...ephemeral, set: async (key, value, ttl) => { stored.push([key, value]); await ephemeral.set(key, value, ttl) } }, 300, Date.now)
  const token = await sessions.issue({ challengeName: 'MFA_TOTP', session: 'of ada' })
  t.match(await sessions.read(token), { challengeName: 'MFA_TOTP', session: 'of ada', chance: { id: String, until: Number } })
  const [[key = ''] = []] = stored
  t.notMatch(stored.flat().join(), new RegExp(`ada|MFA|${token}`))
  await ephemeral.set(key, 'x'.repeat(80), 1000)
  t.equal(await sessions.read(token), undefined)
  // Only who holds the token could have written this: a fault, and no challenge.
  await ephemeral.set(key, createSealer([deriveKey(token, 'challenge')]).seal('no JSON', 'challenge'), 1000)
  await t.rejects(sessions.read(token), SyntaxError)
  for (const other of ['', token.slice(1), `${token}x`]) t.equal(await sessions.read(other), undefined)
})
