import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import * as errors from '../../lib/errors.js'
import { bearerChallenge, scopeTokens, TOKEN_INVALID_SENTENCES } from '../../lib/errors/authentication.js'

const challengeOf = (error: errors.AuthError): string | undefined => error.headers['www-authenticate']

t.test('the sentences of TokenInvalidError are a closed list', async (t) => {
  t.strictSame(TOKEN_INVALID_SENTENCES, {
    malformed: 'Malformed token',
    signature: 'Signature verification failed',
    issuer: 'Invalid issuer',
    audience: 'Invalid audience',
    unknown_key: 'No public key found',
    algorithm: 'Algorithm is not accepted',
    not_yet_valid: 'Token is not yet valid',
    token_type: 'Unexpected token type',
    claims: 'Missing or invalid claim'
  })
  for (const [reason, sentence] of Object.entries(TOKEN_INVALID_SENTENCES)) {
    const error = new errors.TokenInvalidError({ reason: reason as errors.TokenInvalidReason })
    t.equal(error.detail, `Invalid token: ${sentence}`)
    t.equal(error.message, error.detail)
    t.equal(error.reason, reason)
    t.notMatch(JSON.stringify(error), /"reason"/, 'the key is for the server alone')
  }
})

t.test('attack: a reason that is no key becomes no sentence', async (t) => {
  for (const reason of ['constructor', '__proto__', 'toString', 'eyJhbGciOiJIUzI1NiJ9', '']) {
    const error = new errors.TokenInvalidError({ reason: reason as errors.TokenInvalidReason })
    t.equal(error.detail, 'Invalid token', reason)
  }
  t.equal(new errors.TokenInvalidError().detail, 'Invalid token')
  t.equal(new errors.TokenInvalidError({ reason: 'issuer', detail: 'Jeton invalide' }).detail, 'Jeton invalide')
})

t.test('challenges: an error for token problems, none where no credentials came', async (t) => {
  const plain = 'Bearer realm="api"'
  const bad = 'Bearer realm="api", error="invalid_token"'
  t.equal(challengeOf(new errors.AuthenticationError()), plain)
  t.equal(challengeOf(new errors.InvalidCredentialsError()), plain)
  t.equal(challengeOf(new errors.AccountUnavailableError()), plain)
  t.equal(challengeOf(new errors.MissingTokenError()), plain)
  t.equal(challengeOf(new errors.TokenExpiredError()), bad)
  t.equal(challengeOf(new errors.TokenInvalidError({ reason: 'issuer' })), bad)
  t.equal(challengeOf(new errors.TokenRevokedError()), bad)
  t.equal(challengeOf(new errors.InvalidAuthorizationError()), 'Bearer realm="api", error="invalid_request"')
  t.equal(challengeOf(new errors.InvalidChallengeError()), undefined)
  t.equal(challengeOf(new errors.MfaSetupError()), undefined)
})

t.test('a step-up challenge names the age and the contexts (RFC 9470)', async (t) => {
  const error = 'Bearer realm="api", error="insufficient_user_authentication"'
  t.equal(challengeOf(new errors.StepUpRequiredError()), error)
  t.equal(challengeOf(new errors.StepUpRequiredError({ maxAge: 0 })), `${error}, max_age="0"`)
  t.equal(challengeOf(new errors.StepUpRequiredError({ maxAge: 300, acrValues: ['mfa', 'phr'] })), `${error}, max_age="300", acr_values="mfa phr"`)
  t.equal(challengeOf(new errors.StepUpRequiredError({ maxAge: 0.5 })), error, 'an age that is no whole number stays out of the header')
  t.strictSame(new errors.StepUpRequiredError({ maxAge: 300 }).extra, { code: 'STEP_UP_REQUIRED', max_age: 300 })
  t.strictSame(new errors.StepUpRequiredError({ acrValues: [] }).extra, { code: 'STEP_UP_REQUIRED' }, 'never empty')
})

t.test('attack: header injection through scopes and contexts', async (t) => {
  const nasty = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a"b', 'a\\', 'a\r\nSet-Cookie: x=1', 'a, Basic realm="x"', ' ', '', 'ok', 'käse', '\u0000')))
  const attribute = (name: string): RegExp => new RegExp(`^Bearer realm="api", error="[a-z_]+"(, ${name}="[\\x21\\x23-\\x5B\\x5D-\\x7E]+( [\\x21\\x23-\\x5B\\x5D-\\x7E]+)*")?$`)
  fc.assert(fc.property(nasty, (names) => {
    const scope = new errors.InsufficientScopeError({ requiredScopes: names }).headers['www-authenticate'] ?? ''
    const stepUp = new errors.StepUpRequiredError({ acrValues: names }).headers['www-authenticate'] ?? ''
    return attribute('scope').test(scope) && attribute('acr_values').test(stepUp)
  }), { numRuns: 2000 })
  t.strictSame(scopeTokens(['ok', 'a"b', 7, null, 'a b', '', 'read:all']), ['ok', 'read:all'])
  t.equal(bearerChallenge({ error: 'x', scope: 'y' }), 'Bearer realm="api", error="x", scope="y"')
})

t.test('no 401 says which it was: unknown, wrong, inactive and locked have one body and one set of headers', async (t) => {
  const expected = new errors.InvalidCredentialsError()
  for (const reason of ['unknown', 'wrong', 'inactive', 'locked']) {
    const error = new errors.InvalidCredentialsError({ reason, identifier: { type: 'email', value: `${reason}@example.com` } })
    t.strictSame(error.toJSON(), expected.toJSON())
    t.strictSame(error.headers, expected.headers)
    t.equal(error.message, 'Invalid credentials')
    t.strictSame(error.context(), { reason, identifier: { type: 'email', value: `${reason}@example.com` } }, 'the operator sees it')
  }
})

t.test('ChallengeRequiredError is a signal, not a refusal', async (t) => {
  const error = new errors.ChallengeRequiredError({ challengeName: 'SMS_MFA', session: 'session-secret' })
  t.ok(error instanceof Error)
  t.notOk(error instanceof errors.AuthError)
  t.notOk(errors.errorClasses.some((errorClass) => errorClass.name === 'ChallengeRequiredError'))
  t.equal(error.name, 'ChallengeRequiredError')
  t.equal(error.challengeName, 'SMS_MFA')
  t.equal(error.session, 'session-secret')
  t.equal((Object.create(error) as typeof error).session, 'session-secret')
  t.notOk('statusCode' in error)
  t.notMatch(JSON.stringify({ error }) + inspect(error, { showHidden: true, depth: Infinity }) + String(error.stack), /session-secret/)
})
