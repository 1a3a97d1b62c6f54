import { createContext, runInContext } from 'node:vm'

class NotFoundHere extends Error {
  statusCode = 404
  code = 'NOT_FOUND_HERE'
  headers = { 'x-where': 'here' }
}

/** Looks like an error of this package, and is none. */
class TokenInvalidError extends Error {
  statusCode = 401
  code = 'TOKEN_INVALID'
  detail = 'Not ours'
  extra = { code: 'TOKEN_INVALID' }
  headers = { 'www-authenticate': 'Other realm="x"' }
  status_code = 401
}

const realm = createContext({})

/** Things that applications and their plugins throw, made anew for each request. */
export const thrown: Record<string, () => unknown> = {
  'an Error': () => new Error('boom'),
  'an Error without message': () => new Error(''),
  'an Error with statusCode': () => Object.assign(new Error('teapot'), { statusCode: 418 }),
  'an Error with status': () => Object.assign(new Error('gone'), { status: 410 }),
  'an Error with 401': () => Object.assign(new Error('who?'), { statusCode: 401, code: 'WHO' }),
  'an Error with 403': () => Object.assign(new Error('no'), { statusCode: 403 }),
  'an Error with 400 and validation': () => Object.assign(new Error('bad'), { statusCode: 400, validation: [{ message: 'x' }], validationContext: 'body' }),
  'an Error with a status that is none': () => Object.assign(new Error('odd'), { statusCode: 'x' }),
  'an Error with a status of success': () => Object.assign(new Error('odd'), { statusCode: 204 }),
  'an Error with a status beyond all': () => Object.assign(new Error('odd'), { statusCode: 600 }),
  'an Error with an own class and headers': () => new NotFoundHere('not here'),
  'a look-alike of ours': () => new TokenInvalidError('mine'),
  'an error of @fastify/jwt': () => Object.assign(new Error('No Authorization was found in request.headers'), { statusCode: 401, code: 'FST_JWT_NO_AUTHORIZATION_IN_HEADER' }),
  'a TypeError': () => new TypeError('x is not a function'),
  'a SyntaxError': () => new SyntaxError('unexpected'),
  'a frozen Error': () => Object.freeze(Object.assign(new Error('frozen'), { statusCode: 409 })),
  'an AggregateError': () => new AggregateError([new Error('one')], 'many'),
  'an Error of another realm': () => runInContext('Object.assign(new Error("far away"), { statusCode: 402 })', realm),
  'a plain object': () => ({ oops: true }),
  'a plain object with statusCode': () => ({ statusCode: 403, message: 'no', code: 'NO' }),
  'a plain object with status': () => ({ status: 401, message: 'no' }),
  'an object of another realm': () => runInContext('({ statusCode: 404, message: "far" })', realm),
  'an object without prototype': () => Object.assign(Object.create(null), { statusCode: 404 }),
  'a list': () => ['oops'],
  'a string': () => 'oops',
  'an empty string': () => '',
  'a number': () => 42,
  zero: () => 0,
  true: () => true,
  false: () => false,
  null: () => null,
  undefined: () => undefined
}
