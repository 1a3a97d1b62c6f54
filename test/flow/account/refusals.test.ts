import t from 'tap'
import { InvalidPasswordError, PasswordPolicyError } from '../../../lib/errors.js'
import { refusalOf, withPasswordCode, wrongPassword } from '../../../lib/flow/account/refusals.js'
import { rejection } from '../../rejection.js'

t.test('a refusal of the rules gets the code of its endpoint, and keeps the rest', async (t) => {
  const errors = ['Password must be at least 8 characters', 'Password must not be entirely numeric']
  const error = await rejection<PasswordPolicyError>(withPasswordCode('RESET_PASSWORD_INVALID_PASSWORD', Promise.reject(new PasswordPolicyError({ errors, userId: 'ada' }))))
  t.type(error, PasswordPolicyError)
  t.match(error, { code: 'RESET_PASSWORD_INVALID_PASSWORD', errors, userId: 'ada', statusCode: 400, detail: 'Password does not meet policy requirements', message: errors.join('; ') })
  await t.resolves(withPasswordCode('RESET_PASSWORD_INVALID_PASSWORD', Promise.resolve()))
})

t.test('any other fault of the rules stays what it is', async (t) => {
  const fault = new Error('boom')
  t.equal(await rejection(withPasswordCode('REGISTER_INVALID_PASSWORD', Promise.reject(fault))), fault)
})

t.test('a password that is another one says so to operators, and has no list of failures', async (t) => {
  const error = wrongPassword('ada')
  t.type(error, InvalidPasswordError)
  t.notOk(error instanceof PasswordPolicyError)
  t.match(error, { code: 'INVALID_PASSWORD', userId: 'ada', errors: undefined, message: 'The current password is another one' })
  t.strictSame(error.toJSON(), { status_code: 400, detail: 'The provided password is invalid.', extra: { code: 'INVALID_PASSWORD' } })
  t.equal(wrongPassword('ada', 'UPDATE_USER_INVALID_PASSWORD').toJSON().extra.code, 'UPDATE_USER_INVALID_PASSWORD')
})

t.test('each refusal of a store has its class', async (t) => {
  const names = { email: 'ada@example.com', username: 'ada' }
  t.match(refusalOf('missing', 'ada', names), { name: 'UserNotFoundError', userId: 'ada' })
  t.match(refusalOf('last', 'ada', names), { name: 'LastAdministratorError', userId: 'ada' })
  t.match(refusalOf('email', 'ada', names), { name: 'UserAlreadyExistsError', identifier: { type: 'email', value: 'ada@example.com' } })
  t.match(refusalOf('username', 'ada', names), { name: 'UserAlreadyExistsError', identifier: { type: 'username', value: 'ada' } })
  t.match(refusalOf('changed', 'ada', names), { name: 'AuthUnavailableError', dependency: 'users' })
})

t.test('a collision in what was not given has no identifier', async (t) => {
  for (const names of [{}, { username: null }]) {
    t.match(refusalOf('username', 'ada', names), { name: 'UserAlreadyExistsError', identifier: undefined, identifierType: undefined, identifierValue: undefined })
  }
})

t.test('whatever a store of the application answers, there is an error to throw', async (t) => {
  for (const answer of [undefined, null, '', 'stored', 5, {}, []]) t.match(refusalOf(answer as never, 'ada', {}), { name: 'AuthUnavailableError' }, JSON.stringify(answer))
})
