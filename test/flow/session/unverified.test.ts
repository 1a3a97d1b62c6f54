import t from 'tap'
import { accounts, password } from '../../accounts.js'
import { refused } from '../../build.js'
import { rejection } from '../../rejection.js'

t.test('with requireVerified, an address that is not verified any more', async (t) => {
  const { app, call, signUp, happened } = await accounts(t, { requireVerified: true })
  const ada = await signUp()
  const changed = await call('PATCH', '/me', { email: 'new@example.com', current_password: password }, ada.access_token)
  t.equal(changed.statusCode, 200)

  refused(t, await call('GET', '/me', undefined, ada.access_token), 401, 'ACCOUNT_UNAVAILABLE')
  refused(t, await call('POST', '/refresh', { refresh_token: ada.refresh_token }), 401, 'ACCOUNT_UNAVAILABLE')
  t.match(await rejection(app.bouncer.authenticate(ada.access_token)), { code: 'ACCOUNT_UNAVAILABLE', reason: 'unverified' })
  refused(t, await call('POST', '/login', { email: 'new@example.com', password }), 401, 'INVALID_CREDENTIALS')

  const [{ token } = { token: '' }] = happened('verification_requested')
  t.equal((await call('POST', '/verify', { token })).statusCode, 200)
  t.equal((await call('GET', '/me', undefined, ada.access_token)).statusCode, 200, 'the session is still there')
  t.equal((await call('POST', '/refresh', { refresh_token: ada.refresh_token })).statusCode, 200)
})
