import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { TokenError as LibraryError, type TokenValidationErrorCode } from 'fast-jwt'
import { test } from 'tap'
import { AuthError, AuthUnavailableError, InvalidAuthorizationError, MissingTokenError, TokenExpiredError, TokenInvalidError, TokenRevokedError } from '../../index.js'
import { fromLibrary } from '../../lib/token/library-errors.js'

const require = createRequire(import.meta.url)

/** What each code of fast-jwt becomes: class and reason, or `fault` for a fault of the program. */
const FAST_JWT: Record<string, string> = {
  FAST_JWT_INVALID_TYPE: 'TokenInvalidError malformed',
  FAST_JWT_INVALID_OPTION: 'fault',
  FAST_JWT_INVALID_ALGORITHM: 'TokenInvalidError algorithm',
  FAST_JWT_INVALID_CLAIM_TYPE: 'TokenInvalidError claims',
  FAST_JWT_INVALID_CLAIM_VALUE: 'TokenInvalidError claims',
  FAST_JWT_INVALID_KEY: 'TokenInvalidError unknown_key',
  FAST_JWT_INVALID_SIGNATURE: 'TokenInvalidError signature',
  FAST_JWT_INVALID_PAYLOAD: 'TokenInvalidError malformed',
  FAST_JWT_MALFORMED: 'TokenInvalidError malformed',
  FAST_JWT_INACTIVE: 'TokenInvalidError not_yet_valid',
  FAST_JWT_EXPIRED: 'TokenExpiredError',
  FAST_JWT_MISSING_KEY: 'TokenInvalidError unknown_key',
  FAST_JWT_KEY_FETCHING_ERROR: 'AuthUnavailableError',
  FAST_JWT_SIGN_ERROR: 'fault',
  FAST_JWT_VERIFY_ERROR: 'TokenInvalidError signature',
  FAST_JWT_MISSING_REQUIRED_CLAIM: 'TokenInvalidError claims',
  FAST_JWT_MISSING_SIGNATURE: 'TokenInvalidError signature',
  FAST_JWT_INVALID_CRIT_HEADER: 'TokenInvalidError malformed'
}

const FASTIFY_JWT: Record<string, string> = {
  FST_JWT_BAD_REQUEST: 'InvalidAuthorizationError',
  FST_JWT_BAD_COOKIE_REQUEST: 'MissingTokenError',
  FST_JWT_NO_AUTHORIZATION_IN_HEADER: 'MissingTokenError',
  FST_JWT_NO_AUTHORIZATION_IN_COOKIE: 'MissingTokenError',
  FST_JWT_AUTHORIZATION_TOKEN_EXPIRED: 'TokenExpiredError',
  FST_JWT_AUTHORIZATION_TOKEN_INVALID: 'TokenInvalidError',
  FST_JWT_AUTHORIZATION_TOKEN_UNTRUSTED: 'TokenInvalidError',
  FAST_JWT_MISSING_SIGNATURE: 'TokenInvalidError signature'
}

const SECRET_TEXT = 'eyJhbGciOiJIUzI1NiJ9 and a text of the library'

function described (error: AuthError | undefined): string {
  if (error === undefined) return 'fault'
  const { reason } = error as { reason?: string }
  return reason === undefined || !(error instanceof TokenInvalidError) ? error.name : `${error.name} ${reason}`
}

test('every code of fast-jwt that is installed is mapped, or known to be a fault of the program', (t) => {
  t.strictSame(Object.values(LibraryError.codes).sort(), Object.keys(FAST_JWT).sort(), 'a new code needs a decision here and in lib/')
  for (const code of Object.values(LibraryError.codes)) {
    t.equal(described(fromLibrary(new LibraryError(code, SECRET_TEXT))), FAST_JWT[code], code)
  }
  t.end()
})

test('every code of @fastify/jwt that is installed is mapped', (t) => {
  const source = readFileSync(require.resolve('@fastify/jwt'), 'utf8')
  const codes = [...new Set([...source.matchAll(/createError\('([A-Z_]+)'/g)].map((match) => match[1] as string))]
  t.strictSame(codes.sort(), Object.keys(FASTIFY_JWT).sort(), 'a new code needs a decision here and in lib/')
  for (const code of codes) {
    t.equal(described(fromLibrary(Object.assign(new Error(SECRET_TEXT), { code, statusCode: 401 }))), FASTIFY_JWT[code], code)
  }
  t.end()
})

test('no text of a library comes along', (t) => {
  for (const code of [...Object.keys(FAST_JWT), ...Object.keys(FASTIFY_JWT)] as TokenValidationErrorCode[]) {
    const error = fromLibrary(new LibraryError(code, SECRET_TEXT, { payload: SECRET_TEXT, header: { alg: SECRET_TEXT } }))
    if (error === undefined) continue
    t.notMatch(JSON.stringify(error) + error.detail + error.message + JSON.stringify(error.headers) + JSON.stringify(error.context()), SECRET_TEXT, code)
  }
  t.end()
})

test('the cause of an outage is kept for operators', (t) => {
  const fault = new LibraryError('FAST_JWT_KEY_FETCHING_ERROR', 'Cannot fetch key.')
  const error = fromLibrary(fault)
  t.ok(error instanceof AuthUnavailableError)
  t.equal(error?.cause, fault)
  t.notOk(JSON.stringify(error).includes('Cannot fetch'))
  t.end()
})

test('an error of ours is itself, also when a library has wrapped it', (t) => {
  for (const ours of [new TokenInvalidError({ reason: 'issuer' }), new TokenExpiredError(), new AuthUnavailableError(), new MissingTokenError(), new InvalidAuthorizationError(), new TokenRevokedError()]) {
    t.equal(fromLibrary(ours), ours)
    t.equal(fromLibrary(new LibraryError('FAST_JWT_KEY_FETCHING_ERROR', 'Cannot fetch key.', { originalError: ours })), ours)
  }
  t.end()
})

test('errors of anything else, and things that are no errors, are not ours', (t) => {
  const others = [
    undefined, null, 0, '', 'FAST_JWT_EXPIRED', Symbol('x'), {}, new Error('x'), new TypeError('x'),
    { code: 'FST_ERR_VALIDATION' }, { code: 7 }, { code: ['FAST_JWT_EXPIRED'] }, { code: 'ECONNREFUSED' },
    { code: '__proto__' }, { code: 'constructor' }, { code: 'toString' }, { code: 'fast_jwt_expired' }, { code: 'FAST_JWT_' }
  ]
  for (const other of others) t.equal(fromLibrary(other), undefined, String(typeof other === 'object' ? JSON.stringify(other) : String(other)))
  t.end()
})
