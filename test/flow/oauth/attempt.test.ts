import t from 'tap'
import { memoryStore } from '../../../index.js'
import { createSealer } from '../../../lib/encryption.js'
import { createOAuthAttempts } from '../../../lib/flow/oauth/attempt.js'
import { rejection } from '../../rejection.js'

const [today, before] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const callback = 'https://api.example.com/callback'
const { ephemeral } = memoryStore()
const clock = (): number => Date.now()

t.test('attempts begun with a key that is retired soon are read', async (t) => {
  const earlier = createOAuthAttempts({ ephemeral, stateKeys: [before], clock })
  const { state, cookie, attempt } = earlier.begin('acme', callback, undefined)
  const read = (name: string): string | undefined => name === cookie?.name ? cookie.value : undefined
  t.strictSame(await createOAuthAttempts({ ephemeral, stateKeys: [today, before], clock }).finish('acme', state, { cookie: read }), attempt)
  t.match(await rejection(createOAuthAttempts({ ephemeral, stateKeys: [today], clock }).finish('acme', state, { cookie: read })), { reason: 'unknown' })
})

t.test('each is other than the one before, and none shows what is in it', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  const [one, two] = [attempts.begin('acme', callback, undefined), attempts.begin('acme', callback, undefined)]
  for (const part of ['id', 'nonce', 'verifier'] as const) {
    t.not(one.attempt[part], two.attempt[part])
    t.notMatch(Buffer.from(one.state, 'base64url').toString('latin1'), one.attempt[part])
  }
  t.not(one.cookie?.name, two.cookie?.name)
})

t.test('an attempt of a client that keeps a verifier is not ended by a cookie', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  const { state, cookie } = attempts.begin('acme', callback, { codeChallenge: 'c'.repeat(43), redirectTo: 'https://app.example.com' })
  t.equal(cookie, undefined)
  t.equal(attempts.waitsAt('acme', state), 'https://app.example.com')
  t.match(await rejection(attempts.finish('acme', state, { cookie: () => 'c'.repeat(43) })), { reason: 'binding' })
})

t.test('a fault is none of the client\'s', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  const sealed = createSealer([today]).seal('no JSON', 'oauth attempt:acme')
  t.throws(() => attempts.waitsAt('acme', sealed), SyntaxError)
})
