import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { ConfigurationError, memoryStore, validateOptions, type AuthPluginOptions, type OAuthOptions, type OAuthProviderOptions } from '../index.js'
import { readOAuthSettings } from '../lib/oauth-options.js'
import { OAUTH_PRESETS } from '../lib/flow/oauth/presets.js'
import { accounts } from './accounts.js'
import { build, options, secret } from './build.js'
import { encryptionKey } from './totp.js'

const google = { clientId: 'an-application', clientSecret: 'c4n4ry' }
const endpoints = { authorizationEndpoint: 'https://hub.example/authorize', tokenEndpoint: 'https://hub.example/token', userinfoEndpoint: 'https://hub.example/user' }

/** Checks that the options are refused, with an error that names the option and the remedy. */
function refuses (t: Test, oauth: unknown, option: string, remedy: RegExp, overrides: object = {}): void {
  try {
    validateOptions({ ...options, store: memoryStore(), oauth, ...overrides } as AuthPluginOptions)
    t.fail(`${option} is accepted: ${inspect(oauth)}`)
  } catch (error) {
    t.ok(error instanceof ConfigurationError)
    t.match(error, { option, message: remedy })
    t.notMatch(inspect(error, { depth: 9 }), /c4n4ry/)
  }
}

function read (providers: Record<string, OAuthProviderOptions>, rest: Partial<OAuthOptions> = {}) {
  const settings = readOAuthSettings({ providers, ...rest }, [secret], true)
  if (settings === undefined) throw new Error('no settings')
  return settings
}

t.test('what cannot be meant is refused, with the name of the option and the remedy', async (t) => {
  const wrong: Array<[option: string, values: unknown[], remedy: RegExp]> = [
    ['oauth', [null, true, []], /must be \{ providers, redirects \}/],
    ['oauth.providers', [{}, { providers: null }, { providers: [] }, { providers: {} }], /must be an object with a provider under each name|is empty|is missing/],
    ['oauth.provider', [{ providers: { google }, provider: 1 }], /is not an option/],
    ['oauth.providers.google', [{ providers: { google: null } }], /must be \{ clientId, clientSecret \}/],
    ['oauth.providers.google.clientId', [{ providers: { google: {} } }, { providers: { google: { clientId: '' } } }], /must be the client id|must be \{ clientId/],
    ['oauth.providers.google.clientSecret', [{ providers: { google: { clientId: 'x', clientSecret: '' } } }, { providers: { google: { clientId: 'x', clientSecret: 5 } } }], /must be the client secret/],
    ['oauth.providers.google.secret', [{ providers: { google: { clientId: 'x', secret: 'c4n4ry' } } }], /is not an option/],
    ['oauth.providers.google.clientAuth', [{ providers: { google: { ...google, clientAuth: 'none' } } }], /must be client_secret_post or client_secret_basic/],
    ['oauth.providers.google.preset', [{ providers: { google: { ...google, preset: 'facebook' } } }], /must be one of google, microsoft, apple, gitlab, github/],
    ['oauth.providers.google.scopes', [[], 'openid', ['a b']].map((scopes) => ({ providers: { google: { ...google, scopes } } })), /must be a list of scopes|of the wrong type/],
    ['oauth.providers.google.profile', [{ providers: { google: { ...google, profile: 'sub' } } }, { providers: { google: { ...google, profile: { id: 'x' } } } }], /must be \{ subject, email, emailVerified \}/],
    ['oauth.providers.google.trustEmail', [{ providers: { google: { ...google, trustEmail: 'yes' } } }], /must be true or false/],
    ['oauth.redirects', [{ providers: { google }, redirects: 'https://app.example.com' }], /must be a list of addresses/],
    ['oauth.linkByEmail', [{ providers: { google }, linkByEmail: 1 }], /must be true or false/],
    ['oauth.signUp', [{ providers: { google }, signUp: 1 }], /must be true or false/]
  ]
  for (const [option, values, remedy] of wrong) for (const value of values) refuses(t, value, option, remedy)

  const provider = (name: string, changes: object, option: string, remedy: RegExp): void => refuses(t, { providers: { [name]: { clientId: 'x', ...changes } } }, `oauth.providers.${name}${option}`, remedy)
  for (const name of ['accounts', 'Google', 'a/b', '', '1a', 'x'.repeat(33), 'a b', '../x']) provider(name, { issuer: 'https://a.example' }, '', /must be a name of small letters/)
  provider('acme', {}, '.issuer', /is missing; give it, or a preset/)
  for (const issuer of ['a.example', 'http://a.example', 'ftp://a.example', 'https://u:p@a.example', 'https://a.example/#x']) provider('acme', { issuer }, '.issuer', /is not an absolute URL|must be https|must hold no/)
  provider('acme', { issuer: 'https://a.example', scopes: ['email'] }, '.scopes', /lacks openid/)
  for (const name of ['state', 'redirect_uri', 'client_id', 'nonce', 'code_challenge', 'request', 'response_type', 'scope']) provider('acme', { issuer: 'https://a.example', parameters: { [name]: 'x' } }, `.parameters.${name}`, /is not for the application to set/)
  provider('acme', { issuer: 'https://a.example/.well-known/openid-configuration' }, '.issuer', /is the address of a description/)
  provider('acme', { issuer: 'https://a.example', parameters: { response_mode: 'fragment' } }, '.parameters.response_mode', /must be query or form_post/)
  provider('hub', { ...endpoints, tokenEndpoint: undefined }, '.tokenEndpoint', /is missing; plain OAuth 2\.0 needs/)
  provider('hub', { emailsEndpoint: 'https://hub.example/emails' }, '.authorizationEndpoint', /is missing; plain OAuth 2\.0 needs/)
  provider('hub', { ...endpoints, userinfoEndpoint: 'http://hub.example/user' }, '.userinfoEndpoint', /must be https/)
  provider('github', { preset: 'github', issuer: 'https://github.example.com' }, '.issuer', /is another one than the preset's/)

  for (const [one, two] of [[{ issuer: 'https://a.example' }, { issuer: 'https://a.example/', profile: { subject: 'oid' } }], [{ preset: 'github' }, { preset: 'github', profile: { subject: 'login' } }], [{ ...endpoints, issuer: 'https://a.example' }, { ...endpoints, issuer: 'https://a.example', userinfoEndpoint: 'https://hub.example/guest' }], [{ preset: 'google' }, { preset: 'google', profile: () => ({ subject: 'x' }) }]] as const) {
    refuses(t, { providers: { one: { clientId: 'x', ...one }, two: { clientId: 'y', ...two } } }, 'oauth.providers.two.issuer', /subjects mean something else/)
  }
  for (const redirect of ['app.example.com', '/signed-in', 'http://app.example.com', 'javascript:alert(1)', 'data:text/html,x', 'myapp:/cb', 'file:///x', 'https://u@app.example.com', 'https://app.example.com/#', 'https://app.example.com/#x', 'https://*.example.com/']) refuses(t, { providers: { google }, redirects: [redirect] }, 'oauth.redirects.0', /is not an absolute URL|must be https|must hold no/)
  for (const baseUrl of ['api.example.com', 'http://api.example.com', 'https://api.example.com/?x=1', 'https://u:p@api.example.com']) refuses(t, { providers: { google }, baseUrl }, 'oauth.baseUrl', /is not an absolute URL|must be https|must hold no/)
  refuses(t, { providers: { google }, keepTokens: true }, 'oauth.keepTokens', /needs encryptionKey/)
  refuses(t, { providers: { google } }, 'oauth', /needs a store/, { store: undefined })
})

t.test('what is meant is accepted', async (t) => {
  t.equal(readOAuthSettings(undefined, [secret], false), undefined)
  const { redirects, baseUrl } = read({ google }, { redirects: ['https://app.example.com', 'http://localhost:5173/cb', 'http://127.0.0.1/x?y=1', 'com.example.app:/cb'], baseUrl: 'https://api.example.com/v1/' })
  t.strictSame(redirects, ['https://app.example.com', 'http://localhost:5173/cb', 'http://127.0.0.1/x?y=1', 'com.example.app:/cb'])
  t.equal(baseUrl, 'https://api.example.com/v1')
  t.equal(read({ one: { clientId: 'x', preset: 'google' }, two: { clientId: 'y', preset: 'google', profile: { email: 'mail' } } }).providers.length, 2, 'two clients of one provider')
  t.doesNotThrow(() => validateOptions({ ...options, store: memoryStore(), encryptionKey, oauth: { providers: { google, github: google }, keepTokens: true, linkByEmail: true, signUp: false } }))
})

t.test('presets are known by their names, and can stand under others', async (t) => {
  for (const [name, { issuer, scopes }] of Object.entries(OAUTH_PRESETS)) {
    for (const given of [read({ [name]: google }), read({ another: { ...google, preset: name as 'google' } })]) {
      const [provider] = given.providers
      t.match(provider, { issuer, scopes, clientId: 'an-application' })
      t.equal(provider?.endpoints === undefined, name !== 'github')
    }
  }
  const [apple, tenant, own, hub, enterprise] = read({
    apple: google,
    work: { ...google, preset: 'microsoft', issuer: 'https://login.microsoftonline.com/contoso/v2.0' },
    google: { ...google, issuer: 'https://a.example' },
    hub: { ...google, ...endpoints, emailsEndpoint: 'https://hub.example/emails' },
    github: { ...google, ...endpoints, authorizationEndpoint: 'https://other.example/authorize?x=1', preset: 'github' }
  }).providers
  t.strictSame(apple?.parameters, { response_mode: 'form_post' })
  t.equal(tenant?.issuer, 'https://login.microsoftonline.com/contoso/v2.0')
  t.match(own, { issuer: 'https://a.example', scopes: ['openid', 'email', 'profile'] }, 'with an issuer of its own a name says nothing')
  t.match(hub, { issuer: 'https://hub.example/authorize', endpoints: { emails: 'https://hub.example/emails' } })
  t.equal(enterprise?.issuer, 'https://other.example/authorize', 'users of another server are not those of github.com')
})

t.test('claims of presets', async (t) => {
  const [microsoft, github, google] = read({ microsoft: { clientId: 'x' }, github: { clientId: 'x' }, google: { clientId: 'x' } }).providers
  const claims = { sub: 'a', id: 1, email: 'a@example.com', email_verified: true }
  t.match(await microsoft?.profile(claims), { subject: 'a', emailVerified: false }, 'attack: an address that the owner of a tenant wrote down')
  t.match(await microsoft?.profile({ ...claims, email_verified: false, xms_edov: '1' }), { emailVerified: true })
  t.match(await github?.profile(claims), { subject: 1, email: 'a@example.com', emailVerified: true })
  for (const [value, verified] of [[true, true], ['true', true], [1, true], [false, false], ['false', false], [0, false], [undefined, false], ['yes', false], [{}, false]] as const) {
    t.equal((await google?.profile({ ...claims, email_verified: value }))?.emailVerified, verified, inspect(value))
  }
  const [mapped] = read({ google: { clientId: 'x', profile: { email: 'upn' } } }).providers
  t.match(await mapped?.profile({ ...claims, upn: 'b@example.com' }), { subject: 'a', email: 'b@example.com' })
})

t.test('routes are there with providers, and can be left out', async (t) => {
  const { call } = await accounts(t, { oauth: { providers: { google } } }, { oauth: false })
  t.equal((await call('GET', '/oauth/google/authorize')).statusCode, 404)
  await t.rejects(accounts(t, {}, { oauth: true }), { name: 'ConfigurationError', message: /^oauth: true needs providers/ })
  await t.rejects(accounts(t, {}, { oauth: 'yes' as unknown as boolean }), { name: 'ConfigurationError', message: /^oauth must be true or false/ })
  const app = await build(t)
  t.throws(() => app.bouncer.oauth, { name: 'ConfigurationError', message: /^store is missing/ })
})
