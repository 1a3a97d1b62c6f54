import { Type } from '@sinclair/typebox'
import { ConfigurationError } from './errors/operation.js'
import type { ClientAuthMethod, OAuthProviderSettings } from './flow/oauth/settings.js'
import { OAUTH_PRESETS, type OAuthEndpoints, type OAuthPreset, type OAuthPresetName, type ProfileMap } from './flow/oauth/presets.js'
import { profileReader, type ProfileReader } from './flow/oauth/profile.js'
import { deriveKey } from './random.js'
import { isSecure } from './secure-url.js'

/** One provider. A name of a preset alone needs no more than a client. */
export interface OAuthProviderOptions {
  /** What is known of it already. Default: the preset of the same name, if there is one and neither `issuer` nor endpoints are given. */
  preset?: OAuthPresetName
  /** Its identifier, https (http on loopback only): its endpoints are discovered (OpenID Connect Discovery 1.0). With endpoints of your own it is what its users are known by, and what `iss` of its answers must be (RFC 9207); default the authorization endpoint. */
  issuer?: string
  /** As the provider registered this application. */
  clientId: string
  /** Or a function that makes one, for providers that want it signed anew (Apple). Leave it out for a public client. */
  clientSecret?: string | (() => string | Promise<string>)
  /** How the secret is sent. Default: what the provider says that it takes. */
  clientAuth?: ClientAuthMethod
  /** Default `openid email profile`, or those of the preset. */
  scopes?: readonly string[]
  /** Further parameters of the authorization request, such as `{ prompt: 'select_account' }`. */
  parameters?: Readonly<Record<string, string>>
  /** For plain OAuth 2.0, with the two below: nothing is discovered, and no ID token is expected. */
  authorizationEndpoint?: string
  tokenEndpoint?: string
  /** Where the provider says who has signed in, as JSON. */
  userinfoEndpoint?: string
  /** Where it lists addresses, `{ email, primary, verified }` each, if `userinfoEndpoint` has none. */
  emailsEndpoint?: string
  /** Which claims say who it is, or a function of them. Default `{ subject: 'sub', email: 'email', emailVerified: 'email_verified' }`. */
  profile?: ProfileMap | ProfileReader
  /** Whether every address of this provider counts as verified: for one that belongs to the application's owner and gives no other. Default false. */
  trustEmail?: boolean
}

/** Sign-in at providers. */
export interface OAuthOptions {
  /** By the name that stands in paths. */
  providers: Readonly<Record<string, OAuthProviderOptions>>
  /** Addresses of clients that keep a verifier, where they wait for the answer: compared exactly. Default none. */
  redirects?: readonly string[]
  /** Address of this server as browsers see it, without the path of the routes, such as `https://api.example.com`. Default: that of each request. */
  baseUrl?: string
  /** Whether somebody who has no account gets one. Default true. */
  signUp?: boolean
  /** Whether an account of the same address is linked at sign-in, where provider and account both have it verified. Default false. */
  linkByEmail?: boolean
  /** Whether tokens of providers are kept, encrypted with `encryptionKey`. Default false. */
  keepTokens?: boolean
}

/** The same as the account system uses them. */
export interface OAuthSettings {
  providers: readonly OAuthProviderSettings[]
  redirects: readonly string[]
  baseUrl: string | undefined
  signUp: boolean
  linkByEmail: boolean
  keepTokens: boolean
  /** Seal attempts under way; the first is today's. */
  stateKeys: readonly [Buffer, ...Buffer[]]
}

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1 })
const flag = Type.Boolean({ remedy: 'must be true or false' })
const callback = Type.Function([], Type.Unknown())
const claim = Type.Optional(text)

const provider = Type.Object({
  preset: Type.Optional(Type.Union(Object.keys(OAUTH_PRESETS).map((name) => Type.Literal(name)), { remedy: `must be one of ${Object.keys(OAUTH_PRESETS).join(', ')}` })),
  issuer: Type.Optional(text),
  clientId: Type.String({ minLength: 1, remedy: 'must be the client id that the provider gave' }),
  clientSecret: Type.Optional(Type.Union([text, callback], { remedy: 'must be the client secret that the provider gave, or a function that makes it' })),
  clientAuth: Type.Optional(Type.Union([Type.Literal('client_secret_post'), Type.Literal('client_secret_basic')], { remedy: 'must be client_secret_post or client_secret_basic' })),
  scopes: Type.Optional(Type.Array(Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$' }), { minItems: 1, remedy: 'must be a list of scopes, each without blanks' })),
  parameters: Type.Optional(Type.Record(Type.String(), Type.String(), { remedy: 'must be an object of strings' })),
  authorizationEndpoint: Type.Optional(text),
  tokenEndpoint: Type.Optional(text),
  userinfoEndpoint: Type.Optional(text),
  emailsEndpoint: Type.Optional(text),
  profile: Type.Optional(Type.Union([callback, Type.Object({ subject: claim, email: claim, emailVerified: claim }, closed)], { remedy: 'must be { subject, email, emailVerified }, names of claims, or a function of them' })),
  trustEmail: Type.Optional(flag)
}, { ...closed, remedy: 'must be { clientId, clientSecret }, with issuer where the name is no preset' })

/** The shape of {@link OAuthOptions}. */
export const oauthOptionsSchema = {
  oauth: Type.Object({
    providers: Type.Record(Type.String(), provider, { remedy: 'must be an object with a provider under each name' }),
    redirects: Type.Optional(Type.Array(text, { remedy: 'must be a list of addresses' })),
    baseUrl: Type.Optional(text),
    signUp: Type.Optional(flag),
    linkByEmail: Type.Optional(flag),
    keepTokens: Type.Optional(flag)
  }, { ...closed, remedy: 'must be { providers, redirects }' })
}

/** Reads the options of sign-in at providers; `secrets` sign the tokens of this server. Throws {@link ConfigurationError}. */
export function readOAuthSettings (options: OAuthOptions | undefined, secrets: readonly string[], hasKey: boolean): OAuthSettings | undefined {
  if (options === undefined) return undefined
  const { providers, redirects = [], baseUrl, signUp = true, linkByEmail = false, keepTokens = false } = options
  const names = Object.keys(providers)
  if (names.length === 0) throw refuse('providers', 'is empty; leave oauth out')
  if (keepTokens && !hasKey) throw refuse('keepTokens', 'needs encryptionKey: 32 random bytes in base64 that stay the same')
  const read = names.map((name) => readProvider(name, providers[name] as OAuthProviderOptions))
  refuseConfusion(read, providers)
  return {
    providers: read,
    redirects: redirects.map(readRedirect),
    baseUrl: baseUrl === undefined ? undefined : readBase(baseUrl),
    signUp,
    linkByEmail,
    keepTokens,
    stateKeys: secrets.map((secret) => deriveKey(secret, 'oauth attempts')) as unknown as [Buffer, ...Buffer[]]
  }
}

/** Addresses of Microsoft that tenants share: each has an issuer of its own. */
const MANY_TENANTS = /^https:\/\/login\.microsoftonline\.com\/(common|organizations|consumers)\//

/** Stands in a path, beside `accounts`. */
const NAME = /^[a-z][a-z0-9_-]{0,31}$/
/** What this package says in an authorization request. */
const RESERVED = new Set(['client_id', 'client_secret', 'redirect_uri', 'response_type', 'scope', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri'])

function readProvider (name: string, options: OAuthProviderOptions): OAuthProviderSettings {
  const at = `providers.${name}`
  if (!NAME.test(name) || name === 'accounts') throw refuse(at, 'must be a name of small letters, digits, - and _, other than accounts: it stands in paths')
  const preset = presetOf(name, options)
  const own = endpointsOf(at, options)
  if (own === undefined && preset?.endpoints !== undefined && options.issuer !== undefined) throw refuse(`${at}.issuer`, 'is another one than the preset\'s, whose endpoints are not discovered: give authorizationEndpoint, tokenEndpoint and userinfoEndpoint as well')
  const endpoints = own ?? preset?.endpoints
  // Never the preset's for endpoints of somebody else: subjects of one would be taken for those of the other.
  const issuer = options.issuer ?? (own === undefined ? preset?.issuer : withoutQuery(own.authorization))
  if (issuer === undefined) throw refuse(`${at}.issuer`, `is missing; give it, or a preset: one of ${Object.keys(OAUTH_PRESETS).join(', ')}`)
  if (issuer.includes('/.well-known/')) throw refuse(`${at}.issuer`, 'is the address of a description; give the issuer that stands in it')
  const { response_mode: mode = 'query' } = options.parameters ?? {}
  if (mode !== 'query' && mode !== 'form_post') throw refuse(`${at}.parameters.response_mode`, 'must be query or form_post: no other answer comes to this server')
  const stray = Object.keys(options.parameters ?? {}).find((key) => RESERVED.has(key))
  if (stray !== undefined) throw refuse(`${at}.parameters.${stray}`, 'is not for the application to set')
  if (endpoints === undefined && options.scopes?.includes('openid') === false) throw refuse(`${at}.scopes`, 'lacks openid, without which there is no ID token')
  const { profile = preset?.profile } = options
  return {
    name,
    issuer: readUrl(`${at}.issuer`, issuer),
    manyIssuers: MANY_TENANTS.test(issuer),
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    clientAuth: options.clientAuth,
    scopes: options.scopes ?? preset?.scopes ?? ['openid', 'email', 'profile'],
    parameters: { ...preset?.parameters, ...options.parameters },
    endpoints,
    profile: typeof profile === 'function' ? profile : profileReader({ ...preset?.profile, ...profile }),
    trustEmail: options.trustEmail ?? false
  }
}

// Whoever signs in at one of two providers with one issuer is the same user by
// the same subject: then a subject must mean the same at both.
function refuseConfusion (read: readonly OAuthProviderSettings[], providers: OAuthOptions['providers']): void {
  const seen = new Map<string, string>()
  for (const { name, issuer, endpoints } of read) {
    const { profile } = providers[name] as OAuthProviderOptions
    const meaning = typeof profile === 'function' ? name : JSON.stringify([endpoints, profile?.subject])
    const { href } = new URL(issuer)
    if ((seen.get(href) ?? meaning) !== meaning) throw refuse(`providers.${name}.issuer`, 'is that of another provider here, whose subjects mean something else; give each an issuer of its own')
    seen.set(href, meaning)
  }
}

function withoutQuery (address: string): string {
  return address.replace(/[?#].*$/s, '')
}

function presetOf (name: string, { preset, issuer, authorizationEndpoint }: OAuthProviderOptions): OAuthPreset | undefined {
  const given = preset ?? (issuer === undefined && authorizationEndpoint === undefined && Object.hasOwn(OAUTH_PRESETS, name) ? name as OAuthPresetName : undefined)
  return given === undefined ? undefined : OAUTH_PRESETS[given]
}

/** Undefined where they are discovered. */
function endpointsOf (at: string, { authorizationEndpoint: authorization, tokenEndpoint: token, userinfoEndpoint: userinfo, emailsEndpoint: emails }: OAuthProviderOptions): OAuthEndpoints | undefined {
  const given = Object.entries({ authorizationEndpoint: authorization, tokenEndpoint: token, userinfoEndpoint: userinfo, emailsEndpoint: emails })
  if (given.every(([, value]) => value === undefined)) return undefined
  for (const [name, value] of given) {
    if (value !== undefined) readUrl(`${at}.${name}`, value)
    else if (name !== 'emailsEndpoint') throw refuse(`${at}.${name}`, 'is missing; plain OAuth 2.0 needs authorizationEndpoint, tokenEndpoint and userinfoEndpoint')
  }
  return { authorization, token, userinfo, ...(emails !== undefined && { emails }) } as OAuthEndpoints
}

function readUrl (option: string, value: string): string {
  if (!URL.canParse(value)) throw refuse(option, 'is not an absolute URL')
  const url = new URL(value)
  if (!isSecure(url)) throw refuse(option, 'must be https (http only on loopback)')
  if (url.username !== '' || url.password !== '' || url.hash !== '') throw refuse(option, 'must hold no user name, password or fragment')
  return value
}

function readBase (value: string): string {
  const url = new URL(readUrl('baseUrl', value))
  if (url.search !== '') throw refuse('baseUrl', 'must hold no query')
  return url.href.replace(/\/$/, '')
}

/** A scheme of one application alone holds a dot (RFC 8252, section 7.1): nobody means `javascript:`. */
const PRIVATE_SCHEME = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/

function readRedirect (value: string, index: number): string {
  const option = `redirects.${index}`
  if (!URL.canParse(value)) throw refuse(option, 'is not an absolute URL')
  const url = new URL(value)
  if (!isSecure(url) && !PRIVATE_SCHEME.test(url.protocol)) throw refuse(option, 'must be https (http only on loopback), or a scheme of the application\'s own such as com.example.app:/signed-in')
  if (url.username !== '' || url.password !== '' || value.includes('#') || value.includes('*')) throw refuse(option, 'must hold no user name, password, fragment or *')
  return value
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option: `oauth.${option}`, message: `oauth.${option} ${problem}.` })
}
