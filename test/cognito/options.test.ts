import t from 'tap'
import type { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { cognitoProvider, type CognitoOptions } from '../../lib/cognito.js'
import { ConfigurationError } from '../../lib/errors/operation.js'
import { printed } from './people.js'
import { POOL } from './recorded.js'

t.test('a pool of Amazon', async (t) => {
  const provider = cognitoProvider(POOL)
  const issuer = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI'
  t.match(provider, { name: 'cognito', resetBy: 'code' })
  t.strictSame(provider.trust, { issuer, audience: 'testclientid', jwksUrl: `${issuer}/.well-known/jwks.json`, claims: 'cognito' })
})

t.test('another endpoint issues the tokens', async (t) => {
  for (const [endpoint, issuer] of [
    ['http://127.0.0.1:9229', 'http://127.0.0.1:9229/local_x'],
    ['http://localhost:9229/', 'http://localhost:9229/local_x'],
    ['http://[::1]:9229', 'http://[::1]:9229/local_x'],
    ['https://cognito.example.com/eu/', 'https://cognito.example.com/eu/local_x']
  ] as const) {
    t.equal(cognitoProvider({ ...POOL, userPoolId: 'local_x', endpoint }).trust.issuer, issuer)
  }
})

t.test('options that cannot be meant', async (t) => {
  const cases: Array<[option: string, values: unknown[]]> = [
    ['region', [undefined, '', 7, 'eu west', 'evil.example.com/', 'x'.repeat(33)]],
    ['userPoolId', [undefined, '', 7, 'eu-west-1/x', 'us-east-1_AbCdEfGhI', `eu-west-1_${'x'.repeat(60)}`]],
    ['clientId', [undefined, '', 7, 'a b', 'x'.repeat(129)]],
    ['clientSecret', [null, '', 7, 'a b']],
    ['refreshTokenRotation', [null, 'true', 1]],
    ['endpoint', [null, '', 7, 'localhost', 'ftp://localhost', 'http://example.com', 'http://127.0.0.1.example.com', 'https://user@example.com', 'https://:secret@example.com', 'https://example.com/?a', 'https://example.com/#a']],
    ['client', [null, {}, 7]],
    ['timeout', [null, 0, -1, NaN, Infinity, 3601, '5']],
    ['totpIssuer', [null, '', 7, 'a:b', 'a\nb', 'x'.repeat(65)]],
    ['clientsecret', ['x']]
  ]
  for (const [option, values] of cases) {
    for (const value of values) {
      const error = t.throws(() => cognitoProvider({ ...POOL, [option]: value } as CognitoOptions), { name: 'ConfigurationError', option }, `${option}: ${String(value)}`)
      t.match((error as Error).message, new RegExp(`^cognitoProvider: ${option} (must|is) .*\\.$`))
    }
  }
  t.throws(() => cognitoProvider(...[] as unknown as [CognitoOptions]), new ConfigurationError({ option: 'region', message: 'cognitoProvider: region must be the name of a region, such as eu-west-1.' }))
})

t.test('values of secrets are told to nobody', async (t) => {
  t.notOk(printed(t.throws(() => cognitoProvider({ ...POOL, clientSecret: 'hunter2 hunter2' }))).includes('hunter2'))
  t.notOk(printed(t.throws(() => cognitoProvider({ ...POOL, endpoint: 'https://:hunter2@example.com' }))).includes('hunter2'))
  t.notOk(printed(cognitoProvider({ ...POOL, clientSecret: 'hunter2hunter2' })).includes('hunter2'), 'nor by the provider')
})

t.test('all of them', async (t) => {
  const client = { send: async () => ({}) } as unknown as CognitoIdentityProviderClient
  t.doesNotThrow(() => cognitoProvider({ ...POOL, clientSecret: 'x', refreshTokenRotation: true, endpoint: 'https://example.com', client, timeout: 0.5, totpIssuer: 'Example & Söhne' }))
})
