import { inspect } from 'node:util'
import t from 'tap'
import { AuthError, AuthorizationError } from '../../lib/errors.js'
import { LastWayInError } from '../../lib/errors/last-way-in.js'

t.test('to programs it is what its base class is; its sentence says more', async (t) => {
  const error = new LastWayInError({ userId: 'user-1', provider: 'acme' })
  t.ok(error instanceof AuthorizationError && error instanceof AuthError && error instanceof Error)
  t.strictSame(error.toJSON(), { status_code: 403, detail: 'The last way to sign in cannot be removed.', extra: { code: 'AUTHORIZATION_DENIED' } })
  t.strictSame(error.headers, { 'cache-control': 'no-store' })
})

t.test('whose it was stays with operators', async (t) => {
  const error = new LastWayInError({ userId: 'user-1', provider: 'acme' })
  t.strictSame(error.context(), { userId: 'user-1', provider: 'acme' })
  t.match(inspect(error), 'user-1')
  t.notMatch(JSON.stringify(error), 'user-1')
})
