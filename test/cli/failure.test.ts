import t from 'tap'
import { failureLines, secretsIn } from '../../lib/cli/failure.js'
import { AuthUnavailableError, ConfigurationError, PasswordPolicyError } from '../../lib/errors.js'

const unavailable = (cause: unknown): AuthUnavailableError => new AuthUnavailableError({ message: 'The database is away.', cause })

t.test('every address that was tried is told', async (t) => {
  const cause = new AggregateError([new Error('connect ECONNREFUSED ::1:5432'), new Error('connect ECONNREFUSED 127.0.0.1:5432')])
  t.strictSame(failureLines(unavailable(cause)), ['The database is away.', 'connect ECONNREFUSED ::1:5432', 'connect ECONNREFUSED 127.0.0.1:5432'])
})

t.test('a cause that is no error, or none at all, adds nothing', async (t) => {
  t.strictSame(failureLines(unavailable('gone')), ['The database is away.'])
  t.strictSame(failureLines(unavailable(undefined)), ['The database is away.'])
})

t.test('the cause of what an operator must do is not told: the sentence has it', async (t) => {
  t.strictSame(failureLines(new ConfigurationError({ message: 'Do this.', cause: new Error('hidden') })), ['Do this.'])
})

t.test('each rule that a password fails has its line', async (t) => {
  const refused = 'The password is not acceptable: nothing was changed.'
  t.strictSame(failureLines(new PasswordPolicyError({ errors: ['Too short', 'Too easy'] })), [refused, 'Too short', 'Too easy'])
  t.strictSame(failureLines(new PasswordPolicyError({ errors: [] })), [refused])
})

t.test('what is thrown and is no error is told', async (t) => {
  t.strictSame(failureLines('odd'), ['Something went wrong that should not: odd'])
})

t.test('a reason with any part of a password is reduced to its code', async (t) => {
  for (const [text, said] of [
    ['postgres://ada:hunter2@host/auth', 'no user hunter2'],
    ['--database=postgres://ada:hunter2@host/auth', 'no user hunter2'],
    ['postgres://ada:hunter2@host/auth', 'no user HUNTER2'],
    ['postgres://ada:12/hunter2@host/auth', 'no database hunter2@host/auth'],
    ['postgres://ada:1@hunter2@host/auth', 'no host hunter2'],
    ['postgres://ada:hunter%32@host/auth', 'no user hunter2'],
    ['postgres://ada:hunter%2@host/auth', 'no user hunter%2'],
    ['postgres://:hunter2@host/auth', 'no user hunter2'],
    ['postgres://host/auth?user=ada&password=hunter2&x=y', 'no user hunter2'],
    ['postgres://host/auth?sslpassword=hunter2', 'no key hunter2']
  ] as const) {
    const secrets = secretsIn(['migrate', text])
    t.strictSame(failureLines(unavailable(Object.assign(new Error(said), { code: '28P01' })), secrets).slice(1), ['28P01'], text)
    t.strictSame(failureLines(unavailable(new TypeError(said)), secrets).slice(1), ['TypeError'], text)
    t.strictSame(failureLines(unavailable(new Error('no such thing')), secrets).slice(1), ['no such thing'], text)
  }
})

t.test('an address without a password has no secret', async (t) => {
  t.strictSame(secretsIn(['postgres://ada@127.0.0.1:5432/auth', 'auth.db', 'postgres://127.0.0.1/auth', 'postgres://ada:@127.0.0.1/auth', '']), [])
})
