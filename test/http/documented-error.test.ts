import fc from 'fast-check'
import t from 'tap'
import { AuthError, ConfigurationError, UserNotFoundError, type AuthErrorClass } from '../../index.js'
import { readDocumentedErrors, withOwnCode } from '../../lib/http/documented-error.js'

class OrderNotFoundError extends UserNotFoundError {
  static override readonly code = 'ORDER_NOT_FOUND'
}

t.test('classes have their own codes, unless one is given', async t => {
  t.strictSame(readDocumentedErrors([], 'x'), [])
  t.strictSame(readDocumentedErrors([UserNotFoundError, AuthError, OrderNotFoundError, { errorClass: OrderNotFoundError, code: 'B_2' }], 'x'), [
    { errorClass: UserNotFoundError, code: 'USER_NOT_FOUND' },
    { errorClass: AuthError, code: 'AUTH_ERROR' },
    { errorClass: OrderNotFoundError, code: 'ORDER_NOT_FOUND' },
    { errorClass: OrderNotFoundError, code: 'B_2' }
  ])
  t.strictSame(withOwnCode(UserNotFoundError), { errorClass: UserNotFoundError, code: 'USER_NOT_FOUND' })
})

t.test('what was read does not change with what was given', async t => {
  const entry = { errorClass: UserNotFoundError as AuthErrorClass, code: 'A' }
  const given = [entry]
  const read = readDocumentedErrors(given, 'x')
  entry.code = 'not a code'
  given.pop()
  t.strictSame(read, [{ errorClass: UserNotFoundError, code: 'A' }])
})

t.test('anything else is refused', async t => {
  const errorClass = UserNotFoundError
  const entries: unknown[] = [
    undefined, null, 0, '', 'UserNotFoundError', Error, class {}, () => {}, new UserNotFoundError(), [], [UserNotFoundError], {},
    { errorClass }, { code: 'A' }, { errorClass, code: undefined }, { errorClass: Error, code: 'A' }, { errorClass: 'UserNotFoundError', code: 'A' },
    ...['', 'a', 'A-B', 'A B', '_A', '1A', 'A\n', 'Ä', '__proto__', 1, ['A'], { toString: () => 'A' }].map(code => ({ errorClass, code })),
    { errorClass, code: 'A', status: 404 }, Object.create({ errorClass, code: 'A' }), Object.assign(Object.create({ code: 'A' }), { errorClass, other: 1 })
  ]
  const wanted = { name: 'ConfigurationError', option: 'x', message: 'x must be a list of error classes of this package, or of { errorClass, code } with a code in capitals such as ORDER_NOT_FOUND.' }
  for (const [index, entry] of entries.entries()) t.throws(() => readDocumentedErrors([errorClass, entry], 'x'), wanted, `entry ${index}`)
  for (const list of [undefined, null, errorClass, 'ab', new Set([errorClass]), { length: 0 }, { 0: errorClass, length: 1 }]) t.throws(() => readDocumentedErrors(list, 'x'), wanted)
  const holes: unknown[] = [errorClass]
  holes[2] = errorClass
  t.throws(() => readDocumentedErrors(holes, 'x'), wanted, 'a hole is nothing')
})

t.test('whatever is given is read or refused', async () => {
  const entry = fc.oneof(fc.anything(), fc.constantFrom(UserNotFoundError, AuthError, Error), fc.record({ errorClass: fc.constantFrom(UserNotFoundError, Error), code: fc.string() }))
  fc.assert(fc.property(fc.oneof(fc.anything(), fc.array(entry)), (given) => {
    try {
      return readDocumentedErrors(given, 'x').every(({ errorClass, code }) => errorClass.prototype instanceof Error && /^[A-Z][A-Z0-9_]*$/.test(code))
    } catch (error) {
      return error instanceof ConfigurationError
    }
  }))
})
