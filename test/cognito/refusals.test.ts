import t from 'tap'
import fc from 'fast-check'
import * as sdk from '@aws-sdk/client-cognito-identity-provider'
import { AuthError } from '../../lib/errors/auth-error.js'
import { packTicket, type CognitoChallenge } from '../../lib/flow/cognito/ticket.js'
import { rejection } from '../rejection.js'
import { callerOf, claims, printed } from './people.js'
import { accessToken, exception, POOL, recorded, signedIn } from './recorded.js'

// Recorded exceptions: cognito-local has few of them. Each operation is tried
// with every exception that the SDK knows, and with made-up ones.

const cognito = await recorded(t)
const { answers, calls } = cognito
// One attempt, so that a refusal for too many of them is not waited for.
const client = new sdk.CognitoIdentityProviderClient({ region: POOL.region, endpoint: cognito.endpoint, maxAttempts: 1 })
const provider = cognito.provider({ client })
const rotating = cognito.provider({ client, refreshTokenRotation: true })
const caller = callerOf(accessToken())
const SECRETS = ['hunter2-current', 'hunter2-new', 'hunter2-session', '271828', 'the.refresh.token', caller.token]
const origin = {}
const ticket = (challenge: CognitoChallenge): string => packTicket({ challenge, session: 'hunter2-session', username: 'the-sub', label: 'somebody', choices: [] })

interface Operation {
  name: string
  run: () => Promise<unknown>
  /** What other operations answer before. */
  before?: Record<string, Record<string, unknown>>
}

const verified = { VerifySoftwareToken: { Status: 'SUCCESS', Session: 's' } }
const operations = {
  signIn: { name: 'InitiateAuth', run: () => provider.signIn({ email: 'a@example.com', password: 'hunter2-current' }, origin) },
  code: { name: 'RespondToAuthChallenge', run: () => provider.respond(ticket('SOFTWARE_TOKEN_MFA'), { challenge_name: 'MFA_TOTP', code: '271828' }, claims(new Error('used up'))) },
  newPassword: { name: 'RespondToAuthChallenge', run: () => provider.respond(ticket('NEW_PASSWORD_REQUIRED'), { challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'hunter2-new' }, claims(new Error('used up'))) },
  verify: { name: 'VerifySoftwareToken', run: () => provider.respond(ticket('MFA_SETUP'), { challenge_name: 'MFA_SETUP', code: '271828' }, claims(new Error('used up'))) },
  enrolled: { name: 'RespondToAuthChallenge', before: verified, run: () => provider.respond(ticket('MFA_SETUP'), { challenge_name: 'MFA_SETUP', code: '271828' }, claims(new Error('used up'))) },
  refresh: { name: 'InitiateAuth', run: () => provider.refresh('the.refresh.token', origin) },
  rotate: { name: 'GetTokensFromRefreshToken', run: () => rotating.refresh('the.refresh.token', origin) },
  signOut: { name: 'GlobalSignOut', run: () => provider.signOut(caller) },
  signOutEverywhere: { name: 'GlobalSignOut', run: () => provider.signOutEverywhere(caller) },
  revoke: { name: 'RevokeToken', run: () => provider.revoke('the.refresh.token', false) },
  revokeAll: { name: 'GlobalSignOut', before: { InitiateAuth: signedIn() }, run: () => provider.revoke('the.refresh.token', true) },
  lookUp: { name: 'GetUser', run: () => provider.lookUp(caller) },
  changePassword: { name: 'ChangePassword', run: () => provider.changePassword(caller, { current_password: 'hunter2-current', new_password: 'hunter2-new' }, origin) },
  requestReset: { name: 'ForgotPassword', run: () => provider.requestReset({ email: 'a@example.com' }, origin) },
  reset: { name: 'ConfirmForgotPassword', run: () => provider.reset({ email: 'a@example.com', code: '271828' }, 'hunter2-new', origin) },
  setUpTotp: { name: 'AssociateSoftwareToken', run: () => provider.setUpTotp(caller, {}, origin) },
  confirmTotp: { name: 'VerifySoftwareToken', run: () => provider.confirmTotp(caller, '271828', origin) },
  preferTotp: { name: 'SetUserMFAPreference', before: verified, run: () => provider.confirmTotp(caller, '271828', origin) },
  disableTotp: { name: 'SetUserMFAPreference', run: () => provider.disableTotp(caller, {}, origin) }
} satisfies Record<string, Operation>

type OperationName = keyof typeof operations
const names = Object.keys(operations) as OperationName[]

/** What an operation comes to when Cognito answers with this exception. */
async function refused (operation: OperationName, name: string, said = '', status = 400): Promise<AuthError> {
  const { name: called, run, before = {} }: Operation = operations[operation]
  answers({ ...before, [called]: exception(name, said, status) })
  return await rejection<AuthError>(run())
}

const unavailable = 'AuthUnavailableError'
const invalid = { status: 400, code: 'INVALID_CHALLENGE' }
const TOKEN_VERBS: OperationName[] = ['signOut', 'signOutEverywhere', 'revokeAll', 'lookUp', 'changePassword', 'setUpTotp', 'confirmTotp', 'preferTotp', 'disableTotp']
const CHALLENGE_VERBS: OperationName[] = ['code', 'newPassword', 'verify', 'enrolled']
const REFRESH_VERBS: OperationName[] = ['refresh', 'rotate']
const TOTP_VERBS: OperationName[] = ['setUpTotp', 'confirmTotp', 'preferTotp', 'disableTotp']

type Expected = { error: string, code?: string, reason?: string, errors?: string[] }
/** Everything that is mapped; what stands in no row here is unavailable. */
const table: Array<[operations: OperationName[], exception: string, expected: Expected, said?: string]> = [
  [['signIn'], 'NotAuthorizedException', { error: 'InvalidCredentialsError', reason: 'wrong_password' }, 'Incorrect username or password.'],
  [['signIn'], 'NotAuthorizedException', { error: 'InvalidCredentialsError', reason: 'locked' }, 'Password attempts exceeded'],
  [['signIn'], 'NotAuthorizedException', { error: 'InvalidCredentialsError', reason: 'deactivated' }, 'User is disabled.'],
  [names, 'NotAuthorizedException', { error: unavailable }, 'Unable to verify secret hash for client testclientid'],
  [names, 'NotAuthorizedException', { error: unavailable }, 'Client testclientid is configured with secret but SECRET_HASH was not received'],
  [['signIn'], 'InvalidPasswordException', { error: 'InvalidCredentialsError', reason: 'wrong_password' }],
  [['signIn'], 'UserNotFoundException', { error: 'InvalidCredentialsError', reason: 'unknown' }],
  [['signIn'], 'UserNotConfirmedException', { error: 'InvalidCredentialsError', reason: 'unverified' }],
  [['signIn'], 'PasswordResetRequiredException', { error: 'InvalidCredentialsError', reason: 'password_reset_required' }],
  [['signIn'], 'UserLambdaValidationException', { error: 'InvalidCredentialsError', reason: 'refused_by_trigger' }],

  [CHALLENGE_VERBS, 'NotAuthorizedException', { error: 'InvalidChallengeError', reason: 'not_authorized' }, 'Invalid session for the user.'],
  [CHALLENGE_VERBS, 'InvalidParameterException', { error: 'InvalidChallengeError', reason: 'attributes' }],
  [CHALLENGE_VERBS, 'CodeMismatchException', { error: 'InvalidChallengeError', reason: 'wrong_code' }],
  [CHALLENGE_VERBS, 'EnableSoftwareTokenMFAException', { error: 'InvalidChallengeError', reason: 'wrong_code' }],
  [CHALLENGE_VERBS, 'ExpiredCodeException', { error: 'InvalidChallengeError', reason: 'expired' }],
  [CHALLENGE_VERBS, 'SoftwareTokenMFANotFoundException', { error: 'InvalidChallengeError', reason: 'no_factor' }],
  [CHALLENGE_VERBS, 'MFAMethodNotFoundException', { error: 'InvalidChallengeError', reason: 'no_factor' }],
  [CHALLENGE_VERBS, 'AliasExistsException', { error: 'InvalidChallengeError', reason: 'alias_taken' }],
  [CHALLENGE_VERBS, 'UserNotFoundException', { error: 'InvalidChallengeError', reason: 'unknown' }],
  [CHALLENGE_VERBS, 'UserNotConfirmedException', { error: 'InvalidChallengeError', reason: 'unverified' }],
  [CHALLENGE_VERBS, 'PasswordResetRequiredException', { error: 'InvalidChallengeError', reason: 'password_reset_required' }],
  [CHALLENGE_VERBS, 'UserLambdaValidationException', { error: 'InvalidChallengeError', reason: 'refused_by_trigger' }],
  [CHALLENGE_VERBS, 'InvalidPasswordException', { error: 'PasswordPolicyError', code: 'PASSWORD_POLICY_VIOLATION', errors: ['Password does not meet the rules of the user pool'] }],
  [CHALLENGE_VERBS, 'PasswordHistoryPolicyViolationException', { error: 'PasswordPolicyError', code: 'PASSWORD_POLICY_VIOLATION', errors: ['Password was used before'] }],

  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'NotAuthorizedException', { error: 'TokenRevokedError' }, 'Refresh Token has been revoked'],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'NotAuthorizedException', { error: 'TokenRevokedError' }, 'Access Token has been revoked'],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'NotAuthorizedException', { error: 'TokenExpiredError' }, 'Access Token has expired'],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'NotAuthorizedException', { error: 'TokenInvalidError' }, 'Could not verify signature for Access Token'],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'NotAuthorizedException', { error: 'TokenInvalidError', reason: 'claims' }, 'Access Token does not have required scopes'],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'NotAuthorizedException', { error: 'AccountUnavailableError', reason: 'deactivated' }, 'User is disabled.'],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'UserNotFoundException', { error: 'AccountUnavailableError', reason: 'deleted' }],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'UserNotConfirmedException', { error: 'AccountUnavailableError', reason: 'unverified' }],
  [[...REFRESH_VERBS, ...TOKEN_VERBS], 'PasswordResetRequiredException', { error: 'AccountUnavailableError', reason: 'password_reset_required' }],
  [REFRESH_VERBS, 'NotAuthorizedException', { error: 'TokenInvalidError' }, 'SecretHash does not match for the client: testclientid'],
  [REFRESH_VERBS, 'RefreshTokenReuseException', { error: 'TokenRevokedError' }],
  [REFRESH_VERBS, 'UserLambdaValidationException', { error: 'AccountUnavailableError', reason: 'refused_by_trigger' }],
  [['revoke'], 'NotAuthorizedException', { error: 'TokenInvalidError' }],
  [['revoke'], 'UnauthorizedException', { error: 'TokenInvalidError' }],
  [['revoke'], 'InvalidParameterException', { error: 'TokenInvalidError', reason: 'malformed' }],
  [['revoke'], 'UnsupportedTokenTypeException', { error: 'TokenInvalidError', reason: 'token_type' }],

  [['changePassword'], 'NotAuthorizedException', { error: 'InvalidPasswordError', code: 'UPDATE_USER_INVALID_PASSWORD' }, 'Incorrect username or password.'],
  [['changePassword'], 'InvalidPasswordException', { error: 'PasswordPolicyError', code: 'UPDATE_USER_INVALID_PASSWORD', errors: ['Password does not meet the rules of the user pool'] }],
  [['changePassword'], 'PasswordHistoryPolicyViolationException', { error: 'PasswordPolicyError', code: 'UPDATE_USER_INVALID_PASSWORD', errors: ['Password was used before'] }],

  [['reset'], 'CodeMismatchException', { error: 'InvalidResetTokenError', reason: 'wrong_code' }],
  [['reset'], 'ExpiredCodeException', { error: 'InvalidResetTokenError', reason: 'expired' }],
  [['reset'], 'NotAuthorizedException', { error: 'InvalidResetTokenError', reason: 'not_authorized' }],
  [['reset'], 'UserNotFoundException', { error: 'InvalidResetTokenError', reason: 'unknown' }],
  [['reset'], 'UserNotConfirmedException', { error: 'InvalidResetTokenError', reason: 'unverified' }],
  [['reset'], 'UserLambdaValidationException', { error: 'InvalidResetTokenError', reason: 'refused_by_trigger' }],
  [['reset'], 'InvalidPasswordException', { error: 'PasswordPolicyError', code: 'RESET_PASSWORD_INVALID_PASSWORD', errors: ['Password does not meet the rules of the user pool'] }],
  [['reset'], 'PasswordHistoryPolicyViolationException', { error: 'PasswordPolicyError', code: 'RESET_PASSWORD_INVALID_PASSWORD', errors: ['Password was used before'] }],

  [TOTP_VERBS, 'EnableSoftwareTokenMFAException', { error: 'MfaSetupError', reason: 'wrong_code' }],
  [TOTP_VERBS, 'CodeMismatchException', { error: 'MfaSetupError', reason: 'wrong_code' }],
  [TOTP_VERBS, 'SoftwareTokenMFANotFoundException', { error: 'MfaSetupError', reason: 'no_factor' }],
  [TOTP_VERBS, 'ConcurrentModificationException', { error: 'MfaSetupError', reason: 'concurrent' }],
  [TOTP_VERBS, 'InvalidParameterException', { error: 'MfaSetupError', reason: 'not_set_up' }],

  [names, 'TooManyRequestsException', { error: 'RateLimitError', code: 'RATE_LIMITED' }],
  [names.filter((name) => name !== 'requestReset'), 'LimitExceededException', { error: 'RateLimitError', code: 'RATE_LIMITED' }],
  [names.filter((name) => name !== 'requestReset'), 'TooManyFailedAttemptsException', { error: 'RateLimitError', code: 'RATE_LIMITED' }]
]

/** What `requestReset` keeps to itself. */
const SWALLOWED = ['UserNotFoundException', 'UserNotConfirmedException', 'NotAuthorizedException', 'InvalidParameterException', 'CodeDeliveryFailureException', 'LimitExceededException', 'TooManyFailedAttemptsException', 'UserLambdaValidationException']

const EXCEPTIONS = Object.keys(sdk).filter((name) => name.endsWith('Exception') && name !== 'CognitoIdentityProviderServiceException')

/** That nothing of Cognito's sentence, and no secret, is in anything that could be printed or sent. */
function tellsNothing (t: import('tap').Test, error: AuthError): void {
  const all = printed(error)
  const told = SECRETS.filter((secret) => all.includes(secret))
  t.ok(error instanceof AuthError && told.length === 0 && !JSON.stringify(error).includes('AWS says'), `nothing is told ${told.join(' ')}`)
}

t.test('each exception of each operation', async (t) => {
  for (const [operations, name, { error: wanted, code, reason, errors }, said = 'AWS says <sent>'] of table) {
    for (const operation of operations) {
      const error = await refused(operation, name, said)
      t.match(error, { name: wanted, ...(code !== undefined && { code }), ...(reason !== undefined && { reason }), ...(errors !== undefined && { errors }) }, `${operation}: ${name} ${said}`)
      tellsNothing(t, error)
    }
  }
})

t.test('what clients read is the same for every reason', async (t) => {
  for (const operation of ['signIn', 'code'] as const) {
    const bodies = new Set()
    for (const [operations, name, { error, errors }, said] of table) {
      if (operations.includes(operation) && errors === undefined && error.startsWith('Invalid')) bodies.add(JSON.stringify(await refused(operation, name, said)))
    }
    t.equal(bodies.size, 1, operation)
    if (operation === 'code') t.match(JSON.parse([...bodies][0] as string), { status_code: invalid.status, extra: { code: invalid.code } })
  }
})

t.test('too many', async (t) => {
  for (const [name, seconds] of [['TooManyRequestsException', 5], ['LimitExceededException', 60], ['TooManyFailedAttemptsException', 900]] as const) {
    t.match(await refused('reset', name), { retryAfter: seconds, headers: { 'retry-after': String(seconds) } })
  }
})

t.test('every other exception that the SDK knows is unavailable', async (t) => {
  t.ok(EXCEPTIONS.length > 50)
  for (const operation of names) {
    const mapped = new Set(table.flatMap(([operations, name]) => operations.includes(operation) ? [name] : []))
    for (const name of EXCEPTIONS) {
      if (mapped.has(name) || (operation === 'requestReset' && SWALLOWED.includes(name))) continue
      const error = await refused(operation, name, 'AWS says <sent>')
      t.match(error, { name: unavailable, statusCode: 503, dependency: 'cognito', cause: { name, requestId: 'the-request' } }, `${operation}: ${name}`)
      tellsNothing(t, error)
    }
  }
})

t.test('attack: whether somebody exists, from asking for a code', async (t) => {
  for (const name of SWALLOWED) {
    answers({ ForgotPassword: exception(name) })
    t.equal(await operations.requestReset.run(), undefined, name)
    t.equal(calls.length, 1)
  }
  answers({ ForgotPassword: { CodeDeliveryDetails: { Destination: 'a***@e***' } } })
  t.equal(await operations.requestReset.run(), undefined, 'as where there is somebody')
})

t.test('attack: exceptions that nobody knows never pass', async (t) => {
  const known = new Set([...table.map(([, name]) => name), ...SWALLOWED])
  const odd = fc.oneof(fc.constantFrom('constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '', 'notauthorizedexception', 'NotAuthorizedException '), fc.string(), fc.stringMatching(/^[A-Z][a-zA-Z]{0,20}Exception$/))
  await fc.assert(fc.asyncProperty(fc.constantFrom(...names), odd, fc.constantFrom(400, 403, 404, 500, 503, 307), async (operation, name, status) => {
    // The SDK takes off what stands before # and after a colon.
    fc.pre(![...known].some((known) => name.includes(known.trim())))
    t.match(await refused(operation, name, 'AWS says so', status), { name: unavailable, dependency: 'cognito' }, `${operation}: ${name}`)
  }), { numRuns: 300 })
})
