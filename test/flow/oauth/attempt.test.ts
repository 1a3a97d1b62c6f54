import t from 'tap'
import { memoryStore } from '../../../index.js'
import { createSealer } from '../../../lib/encryption.js'
import { createOAuthAttempts, secretOf } from '../../../lib/flow/oauth/attempt.js'
import { rejection } from '../../rejection.js'

const [today, before] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const callback = 'https://api.example.com/callback'
const { ephemeral } = memoryStore()
const clock = (): number => Date.now()

t.test('attempts begun with a key that is retired soon are read', async (t) => {
  const earlier = createOAuthAttempts({ ephemeral, stateKeys: [before], clock })
  const { state, cookie, attempt } = earlier.begin('acme', callback, undefined)
  const read = (name: string): string | undefined => name === cookie?.name ? cookie.value : undefined
  t.strictSame(createOAuthAttempts({ ephemeral, stateKeys: [today, before], clock }).read('acme', state, { cookie: read }), attempt)
  t.throws(() => createOAuthAttempts({ ephemeral, stateKeys: [today], clock }).read('acme', state, { cookie: read }), { name: 'OAuthStateError', message: /invalid/ })
})

t.test('each is other than the one before, and none shows what is in it', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  const [one, two] = [attempts.begin('acme', callback, undefined), attempts.begin('acme', callback, undefined)]
  const secrets = [one, two].flatMap(({ attempt }) => [attempt.seed, ...(['cookie', 'nonce', 'verifier'] as const).map((purpose) => secretOf(attempt, purpose))])
  t.equal(new Set(secrets).size, 8)
  for (const secret of secrets) t.notOk(one.state.includes(secret) || secret.length !== 43)
  t.not(one.cookie?.name, two.cookie?.name)
})

t.test('an attempt of a client that keeps a verifier is not ended by a cookie', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  const { state, cookie } = attempts.begin('acme', callback, { codeChallenge: 'c'.repeat(43), redirectTo: 'https://app.example.com' })
  t.equal(cookie, undefined)
  t.equal(attempts.waitsAt('acme', state), 'https://app.example.com')
  t.throws(() => attempts.read('acme', state, { cookie: () => 'c'.repeat(43) }), { name: 'OAuthStateError', message: /invalid/ })
})

t.test('attack: an attempt again, at any time and by a server whose clock is behind', async (t) => {
  let now = Date.now()
  const { ephemeral } = memoryStore({ clock: () => now })
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock: () => now })
  const { attempt } = attempts.begin('acme', callback, undefined)
  await attempts.finish(attempt)
  for (const seconds of [0, 1, 60, 599, 600, 659]) {
    now = attempt.until - 600_000 + seconds * 1000
    t.match(await rejection(attempts.finish(attempt)), { code: 'OAUTH_STATE_INVALID', reason: 'used' }, `${seconds} seconds later`)
  }
})

t.test('states are short enough for providers that bound them', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  t.ok(attempts.begin('acme', callback, undefined).state.length < 300)
  t.ok(attempts.begin('acme', callback, { codeChallenge: 'c'.repeat(43), redirectTo: 'https://app.example.com/signed-in' }, { userId: 'u'.repeat(36), sessionId: 's'.repeat(36), since: 1 }).state.length < 600)
})

t.test('a fault is none of the client\'s', async (t) => {
  const attempts = createOAuthAttempts({ ephemeral, stateKeys: [today], clock })
  const sealed = createSealer([today]).seal('no JSON', 'oauth attempt:acme')
  t.throws(() => attempts.waitsAt('acme', sealed), SyntaxError)
})
