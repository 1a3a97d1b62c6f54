import { createHash } from 'node:crypto'
import t from 'tap'
import { createOAuthClient, type AttemptSecrets, type OAuthClient } from '../../../lib/flow/oauth/client.js'
import { profileReader } from '../../../lib/flow/oauth/profile.js'
import type { OAuthProviderSettings } from '../../../lib/flow/oauth/settings.js'
import { rejection } from '../../rejection.js'

const issuer = 'https://acme.example'
const secrets: AttemptSecrets = { callbackUrl: 'https://api.example.com/callback', state: 'the state', nonce: 'the nonce', verifier: 'v'.repeat(43) }

interface Request { url: string, options: { headers: Record<string, string>, body?: URLSearchParams, redirect: string } }

/** A client whose requests go nowhere: what cannot be had on loopback is https. */
function client (changes: Partial<OAuthProviderSettings> = {}, description: object = {}): { client: OAuthClient, asked: Request[], pass: (milliseconds: number) => void } {
  const asked: Request[] = []
  let now = Date.UTC(2030, 0, 1)
  const answers: Record<string, object> = {
    [`${issuer}/.well-known/openid-configuration`]: { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`, ...description },
    [`${issuer}/token`]: { access_token: 'at', token_type: 'bearer', refresh_token: 'rt', expires_in: 60 },
    [`${issuer}/user`]: { sub: 'ada' }
  }
  const settings: OAuthProviderSettings = { name: 'acme', issuer, manyIssuers: false, clientId: 'id', clientSecret: 'secret', clientAuth: undefined, scopes: ['openid'], parameters: {}, endpoints: undefined, profile: profileReader(), trustEmail: false, ...changes }
  return {
    asked,
    pass: (milliseconds) => { now += milliseconds },
    client: createOAuthClient({
      settings,
      clock: () => now,
      async fetch (url, options) {
        asked.push({ url, options: options as Request['options'] })
        return new Response(JSON.stringify(answers[url]), { headers: { 'content-type': 'application/json' } })
      }
    })
  }
}

t.test('a provider is asked to describe itself once in an hour', async (t) => {
  const { client: acme, asked, pass } = client()
  const urls = await Promise.all([...Array(10)].map(() => acme.authorizationUrl(secrets)))
  t.equal(asked.length, 1)
  t.equal(asked[0]?.options.redirect, 'manual')
  const { origin, pathname, searchParams } = new URL(String(urls[0]))
  t.strictSame([origin + pathname, Object.fromEntries(searchParams)], [`${issuer}/authorize`, {
    client_id: 'id',
    code_challenge: createHash('sha256').update(secrets.verifier).digest('base64url'),
    code_challenge_method: 'S256',
    nonce: 'the nonce',
    redirect_uri: 'https://api.example.com/callback',
    response_type: 'code',
    scope: 'openid',
    state: 'the state'
  }])
  pass(3_599_999)
  await acme.authorizationUrl(secrets)
  t.equal(asked.length, 1)
  pass(1)
  await acme.authorizationUrl(secrets)
  t.equal(asked.length, 2)
})

t.test('the secret is sent as the provider says that it takes it', async (t) => {
  for (const [supported, basic] of [[undefined, true], [['client_secret_basic'], true], [['private_key_jwt', 'client_secret_post', 'client_secret_basic'], false]] as const) {
    const { client: acme, asked } = client({}, { token_endpoint_auth_methods_supported: supported })
    t.match(await rejection(acme.exchange({ code: 'c', state: 'the state' }, secrets)), { code: 'OAUTH_PROVIDER_ERROR' }, 'there is no ID token')
    const { options } = asked.find(({ url }) => url === `${issuer}/token`) as Request
    t.equal('authorization' in options.headers, basic)
    t.equal(options.body?.get('client_secret') ?? null, basic ? null : 'secret')
  }
})

t.test('tokens of a provider, as they are kept', async (t) => {
  const endpoints = { authorization: `${issuer}/authorize`, token: `${issuer}/token`, userinfo: `${issuer}/user` }
  const { client: acme } = client({ endpoints })
  const { tokens, ...identity } = await acme.exchange({ code: 'c', state: 'the state' }, secrets)
  const { expires_at: expires = 0, ...rest } = tokens
  t.strictSame([identity, rest], [{
    subject: 'ada',
    email: undefined,
    emailVerified: false,
    provider: 'acme',
    issuer
  }, { access_token: 'at', refresh_token: 'rt' }])
  t.ok(expires > Date.UTC(2030, 0, 1) / 1000 && expires <= Date.UTC(2030, 0, 1) / 1000 + 60)
  t.match(await rejection(acme.exchange({ code: 'c', state: 'the state', iss: 'https://other.example' }, secrets)), { code: 'OAUTH_STATE_INVALID', reason: 'issuer' })
})
