import t from 'tap'
import { AuthError, ErrorCode, InvalidPasswordError, PasswordPolicyError, UserAlreadyExistsError, UserNotFoundError } from '../../lib/errors.js'

const failures = ['Password must be at least 8 characters', 'Password must contain at least one uppercase letter']

t.test('several failed rules: the message joins them, the body lists them', async (t) => {
  for (const Class of [InvalidPasswordError, PasswordPolicyError]) {
    const error = new Class({ errors: failures, userId: 7 })
    t.equal(error.message, 'Password must be at least 8 characters; Password must contain at least one uppercase letter')
    t.strictSame(error.errors, failures)
    t.equal(error.detail, Class.detail, 'the detail stays')
    t.strictSame(error.extra, { code: Class.code, errors: failures })
    t.strictSame(error.context(), { userId: 7 })
    t.equal(new Class({ errors: failures, message: 'Own.' }).message, 'Own.')
  }
})

t.test('no failed rules: no list, and the message is the detail', async (t) => {
  for (const error of [new InvalidPasswordError(), new InvalidPasswordError({ errors: [] }), new PasswordPolicyError({ errors: [] })]) {
    t.equal(error.message, error.detail)
    t.strictSame(error.toJSON(), { status_code: 400, detail: error.detail, extra: { code: error.code } })
    t.notOk('errors' in error)
  }
})

t.test('the list of failures is a copy', async (t) => {
  const given = ['Too short']
  const error = new PasswordPolicyError({ errors: given })
  given.push('secret')
  t.strictSame(error.extra.errors, ['Too short'])
})

t.test('an endpoint may give the class a code; class, status and detail stay', async (t) => {
  for (const code of [ErrorCode.UPDATE_USER_INVALID_PASSWORD, ErrorCode.REGISTER_INVALID_PASSWORD, ErrorCode.RESET_PASSWORD_INVALID_PASSWORD]) {
    const error = new InvalidPasswordError({ code })
    t.strictSame(error.toJSON(), { status_code: 400, detail: 'The provided password is invalid.', extra: { code } })
    const policy = new PasswordPolicyError({ code, errors: ['Too short'] })
    t.ok(policy instanceof InvalidPasswordError)
    t.strictSame(policy.toJSON(), { status_code: 400, detail: 'Password does not meet policy requirements', extra: { code, errors: ['Too short'] } })
  }
})

t.test('UserAlreadyExistsError mirrors its identifier, and its message does not include it', async (t) => {
  const error = new UserAlreadyExistsError({ identifier: { type: 'username', value: 'ada' } })
  t.equal(error.identifierType, 'username')
  t.equal(error.identifierValue, 'ada')
  t.equal(error.message, 'A user with the provided credentials already exists.')
  t.strictSame(error.context(), { identifier: { type: 'username', value: 'ada' } })
  const bare = new UserAlreadyExistsError()
  t.equal(bare.identifier, undefined)
  t.equal(bare.identifierType, undefined)
  t.equal(bare.identifierValue, undefined)
  t.strictSame(bare.context(), {})
})

t.test('ids of any kind are kept as they are', async (t) => {
  const id = { tenant: 1, user: 2n }
  t.equal(new UserNotFoundError({ userId: id }).userId, id)
  t.equal(new UserNotFoundError({ userId: 0 }).userId, 0)
  t.equal(new UserNotFoundError({ userId: null }).userId, null)
  t.ok(new UserNotFoundError() instanceof AuthError)
})
