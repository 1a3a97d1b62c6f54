import t from 'tap'
import { callerOf, printed } from './people.js'
import { accessToken, exception, recorded, signedIn } from './recorded.js'
import { secretHash } from '../../lib/flow/cognito/secret-hash.js'

// Recorded answers: cognito-local has no GlobalSignOut, no client secrets, no GetTokensFromRefreshToken.

const cognito = await recorded(t)
const { answers, calls } = cognito
const plain = cognito.provider()
const withSecret = cognito.provider({ clientSecret: 'hunter2hunter2' })
const origin = {}
const kept = signedIn({ RefreshToken: undefined })

t.test('the secret hash', async (t) => {
  t.equal(secretHash('test-secret', 'user@example.com', 'test-client-id'), 'xrsTnzy6gvX+NdflYLBNphr0QsoYNCUiyPGjN3Gpjng=')
})

t.test('a refresh', async (t) => {
  t.test('keeps the token presented where there is no rotation', async (t) => {
    answers({ InitiateAuth: kept })
    t.match(await plain.refresh('the.refresh.token', origin), { refresh_token: 'the.refresh.token', expires_in: 3600, id_token: 'the.id.token' })
    t.strictSame(calls.map(({ body }) => body), [{ AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: 'testclientid', AuthParameters: { REFRESH_TOKEN: 'the.refresh.token' } }])
  })

  t.test('gives the new one where Cognito does', async (t) => {
    answers({ InitiateAuth: signedIn({ RefreshToken: 'a.new.one' }) })
    t.match(await plain.refresh('the.refresh.token', origin), { refresh_token: 'a.new.one' })
  })

  t.test('of tokens that rotate', async (t) => {
    const result = signedIn({ RefreshToken: 'a.new.one' })
    answers({ GetTokensFromRefreshToken: result, InitiateAuth: result, GlobalSignOut: {} })
    const rotating = cognito.provider({ refreshTokenRotation: true })
    t.match(await rotating.refresh('the.refresh.token', origin), { refresh_token: 'a.new.one', token_type: 'Bearer' })
    await rotating.revoke('the.refresh.token', true)
    const secret = cognito.provider({ refreshTokenRotation: true, clientSecret: 'hunter2hunter2' })
    t.match(await secret.signIn({ username: 'a', password: 'x' }, origin), { refresh_token: 'a.new.one' }, 'no hash, no user name')
    await secret.refresh('the.refresh.token', origin)
    const sent = { RefreshToken: 'the.refresh.token', ClientId: 'testclientid' }
    t.strictSame(calls.filter(({ operation }) => operation === 'GetTokensFromRefreshToken').map(({ body }) => body), [sent, sent, { ...sent, ClientSecret: 'hunter2hunter2' }])
    answers({ GetTokensFromRefreshToken: exception('RefreshTokenReuseException') })
    await t.rejects(rotating.refresh('the.refresh.token', origin), { name: 'TokenRevokedError' }, 'attack: one that was used before')
  })

  t.test('that is answered with a challenge is none', async (t) => {
    answers({ InitiateAuth: { ...kept, ChallengeName: 'DEVICE_SRP_AUTH' } })
    await t.rejects(plain.refresh('the.refresh.token', origin), { name: 'TokenInvalidError' })
  })

  t.test('without tokens is none', async (t) => {
    answers({ InitiateAuth: {} })
    await t.rejects(plain.refresh('the.refresh.token', origin), { name: 'AuthUnavailableError' })
  })

  t.test('attack: what was never a token is not sent', async (t) => {
    answers({ InitiateAuth: kept, RevokeToken: {} })
    for (const token of ['', 'a b', 'a\n', '🙂', 'x'.repeat(16_385), undefined, null, 7]) {
      await t.rejects(plain.refresh(token as string, origin), { name: 'TokenInvalidError', reason: 'malformed' })
      await t.rejects(plain.revoke(token as string, false), { name: 'TokenInvalidError', reason: 'malformed' })
      await t.rejects(plain.revoke(token as string, true), { name: 'TokenInvalidError', reason: 'malformed' })
    }
    t.strictSame(calls, [])
  })
})

t.test('with a client secret', async (t) => {
  const packed = `${Buffer.from('the-user').toString('base64url')}.the.refresh.to.ken`
  const hash = secretHash('hunter2hunter2', 'the-user', 'testclientid')

  t.test('the refresh token tells the user that the hash is made of', async (t) => {
    answers({ InitiateAuth: signedIn() })
    t.equal((await withSecret.signIn({ email: 'a@example.com', password: 'x' }, origin)).refresh_token, packed, 'by the name in the access token')
    answers({ InitiateAuth: signedIn({ AccessToken: accessToken({ username: undefined }) }) })
    t.match(await withSecret.signIn({ username: 'given', password: 'x' }, origin), { refresh_token: 'Z2l2ZW4.the.refresh.to.ken' }, 'or by the one given')
    t.notOk(printed(withSecret).includes('hunter2'))
  })

  t.test('and is refreshed with it', async (t) => {
    answers({ InitiateAuth: kept })
    t.equal((await withSecret.refresh(packed, origin)).refresh_token, packed)
    t.strictSame(calls[0]?.body['AuthParameters'], { REFRESH_TOKEN: 'the.refresh.to.ken', SECRET_HASH: hash })
    answers({ InitiateAuth: signedIn({ RefreshToken: 'new', AccessToken: accessToken({ username: undefined }) }) })
    t.equal((await withSecret.refresh(packed, origin)).refresh_token, `${packed.split('.', 1)[0]}.new`)
  })

  t.test('attack: tokens that were never given out', async (t) => {
    answers({ InitiateAuth: kept, RevokeToken: {} })
    const name = packed.split('.', 1)[0] as string
    for (const token of ['the-refresh-token', '.the.refresh.token', `${name}.`, `${name}=.x`, 'IA.x', '_w.x', `${Buffer.from('x'.repeat(200)).toString('base64url')}.x`, 'A.x']) {
      await t.rejects(withSecret.refresh(token, origin), { name: 'TokenInvalidError', reason: 'malformed' }, token)
    }
    t.strictSame(calls, [])
  })

  t.test('and is revoked with the secret', async (t) => {
    answers({ RevokeToken: {} })
    await withSecret.revoke(packed, false)
    t.strictSame(calls.map(({ body }) => body), [{ Token: 'the.refresh.to.ken', ClientId: 'testclientid', ClientSecret: 'hunter2hunter2' }])
  })

  t.test('passwords are reset with the hash', async (t) => {
    answers({ ForgotPassword: {}, ConfirmForgotPassword: {} })
    await withSecret.requestReset({ username: 'the-user' }, origin)
    await withSecret.reset({ username: 'the-user', code: '123456' }, 'N3w-passw0rd', origin)
    t.strictSame(calls.map(({ body }) => body), [
      { ClientId: 'testclientid', Username: 'the-user', SecretHash: hash },
      { ClientId: 'testclientid', Username: 'the-user', SecretHash: hash, ConfirmationCode: '123456', Password: 'N3w-passw0rd' }
    ])
  })
})

t.test('ends', async (t) => {
  const token = accessToken()

  t.test('by the access token', async (t) => {
    answers({ GlobalSignOut: {} })
    t.equal(await plain.signOut(callerOf(token)), undefined)
    t.equal(await plain.signOutEverywhere(callerOf(token)), undefined)
    t.strictSame(calls.map(({ operation, body }) => [operation, body]), [['GlobalSignOut', { AccessToken: token }], ['GlobalSignOut', { AccessToken: token }]])
  })

  t.test('by the refresh token: this one', async (t) => {
    answers({ RevokeToken: {} })
    t.equal(await plain.revoke('the.refresh.token', false), undefined)
    t.strictSame(calls.map(({ operation, body }) => [operation, body]), [['RevokeToken', { Token: 'the.refresh.token', ClientId: 'testclientid' }]])
  })

  t.test('by the refresh token: all of them', async (t) => {
    answers({ InitiateAuth: signedIn({ AccessToken: token }), GlobalSignOut: {} })
    t.equal(await plain.revoke('the.refresh.token', true), undefined)
    t.match(calls, [{ operation: 'InitiateAuth' }, { operation: 'GlobalSignOut', body: { AccessToken: token } }])
  })
})
