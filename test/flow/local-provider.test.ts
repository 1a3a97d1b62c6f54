import t from 'tap'
import { InvalidResetTokenError } from '../../lib/errors.js'
import { createLocalProvider, type LocalProviderOptions } from '../../lib/flow/local-provider.js'

t.test('users of the store are mailed tokens: by address, and no codes', async (t) => {
  // No route gets here: their schemas ask for an address and a token.
  const provider = createLocalProvider({ sessions: {} } as LocalProviderOptions)
  await t.rejects(provider.requestReset({ username: 'ada' }, {}), TypeError)
  await t.rejects(provider.reset({ email: 'ada@example.com', code: '424242' }, 'x', {}), InvalidResetTokenError)
})
