import t from 'tap'
import { OAuthAccountAlreadyLinkedError } from '../../lib/errors.js'

t.test('the message tells the operator all three, the body none', async (t) => {
  const error = new OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'acct-123', existingUserId: 42 })
  for (const value of ['google', 'acct-123', '42']) {
    t.match(error.message, value)
    t.notMatch(JSON.stringify(error), value)
    t.notMatch(JSON.stringify(error.headers), value)
  }
  t.equal(error.provider, 'google')
  t.equal(error.accountId, 'acct-123')
  t.equal(error.existingUserId, 42)
  t.equal(new OAuthAccountAlreadyLinkedError({ provider: 'google', accountId: 'a', existingUserId: 'u', message: 'Own.' }).message, 'Own.')
})
