import { Type, type TSchema } from '@sinclair/typebox'
import { accountOptionsSchema } from './account-options.js'
import { providerOptionsSchema } from './provider-options.js'
import { CLAIM_PRESETS } from './token/claim-presets.js'

const DAY = 86_400
const upToADay = Type.Number({ minimum: 0, maximum: DAY, remedy: 'must be a number of seconds, up to a day' })
const wait = Type.Number({ exclusiveMinimum: 0, remedy: 'must be a number of seconds above 0' })
const size = Type.Integer({ minimum: 1, remedy: 'must be a whole number above 0' })
const text = (remedy: string) => Type.String({ pattern: '\\S', remedy })
const flag = Type.Boolean({ remedy: 'must be true or false' })
const oneOf = (...values: Array<string | boolean>) => Type.Union(values.map((value) => Type.Literal(value)), { remedy: `must be one of ${values.join(', ')}` })
const callback = Type.Function([], Type.Unknown(), { remedy: 'must be a function' })
const closed = { additionalProperties: false }

const pair = Type.Object({
  public: text('must be a public key in PEM'),
  private: Type.Optional(Type.Union([Type.String(), Type.Object({ key: Type.String(), passphrase: Type.String() }, closed)], { remedy: 'must be a private key in PEM, or { key, passphrase }' })),
  kid: Type.Optional(text('must be a string that is not empty'))
}, closed)

const jwt = Type.Object({
  secret: Type.Optional(Type.Union([Type.String(), pair, Type.Array(Type.Union([Type.String(), pair]))], { remedy: 'must be a string of at least 32 bytes, { public, private } in PEM, or a list of them' })),
  jwksUrl: Type.Optional(text('must be the https address of a key set')),
  algorithms: Type.Optional(Type.Array(Type.String(), { minItems: 1, remedy: 'must be a list of algorithm names, such as [\'RS256\']' })),
  clockTolerance: Type.Optional(Type.Number({ minimum: 0, maximum: 600, remedy: 'must be a number of seconds from 0 to 600' })),
  accessTokenTtl: Type.Optional(wait),
  refreshTokenTtl: Type.Optional(wait),
  tokenUse: Type.Optional(Type.Array(oneOf('access', 'id'), { minItems: 1, remedy: 'must be a list of access and id' })),
  maxTokenLength: Type.Optional(size),
  cache: Type.Optional(Type.Union([Type.Boolean(), Type.Integer({ minimum: 0, maximum: 1_000_000 })], { remedy: 'must be true, false, or a number of tokens up to 1,000,000' })),
  decorate: Type.Optional(flag),
  jwksTimeout: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 60, remedy: 'must be a number of seconds above 0, up to 60' })),
  jwksMaxAge: Type.Optional(upToADay),
  jwksCooldown: Type.Optional(upToADay),
  jwksStaleFor: Type.Optional(Type.Number({ minimum: 0, maximum: 30 * DAY, remedy: 'must be a number of seconds, up to 30 days' })),
  jwksMaxBytes: Type.Optional(size)
}, { ...closed, remedy: 'must be an object with secret or jwksUrl' })

const claimPath = Type.Array(text(''), { minItems: 1 })
const claimPaths = Type.Optional(Type.Array(claimPath))
const provider = oneOf(...Object.keys(CLAIM_PRESETS))
const claims = Type.Union([provider, Type.Object({
  preset: Type.Optional(provider),
  roles: claimPaths,
  groups: claimPaths,
  scopes: claimPaths,
  clientId: claimPaths,
  machines: Type.Optional(Type.Array(Type.Array(Type.Union([
    Type.Object({ claim: claimPath, is: text('') }, closed),
    Type.Object({ claim: claimPath, startsWith: text('') }, closed),
    Type.Object({ claim: claimPath, absent: Type.Literal(true) }, closed)
  ]), { minItems: 1 })))
}, closed)], { remedy: `must be one of ${Object.keys(CLAIM_PRESETS).join(', ')}, or { preset, roles, groups, scopes, clientId, machines }, in which a claim is a list of names, such as ['realm_access', 'roles'], and each of the four a list of claims` })

const issuerProperties = {
  issuer: text('must be the exact value of the tokens\' iss, and not empty'),
  audience: Type.Union([text(''), Type.Array(text(''), { minItems: 1 })], { remedy: 'must be the exact value of the tokens\' aud, or a list of such values, and not empty' }),
  jwt
}

/** The shape of the plugin's options. Each part says in `remedy` what it must be. */
export const optionsSchema = Type.Object({
  ...optional(issuerProperties),
  ...optional(accountOptionsSchema),
  roles: Type.Optional(callback),
  claims: Type.Optional(claims),
  issuers: Type.Optional(Type.Array(Type.Object({ ...issuerProperties, roles: Type.Optional(callback), claims: Type.Optional(claims) }, closed), { minItems: 1, remedy: 'must be a list of { issuer, audience, jwt, roles?, claims? }' })),
  enabled: Type.Optional(flag),
  protect: Type.Optional(Type.Union([Type.Literal('declared'), Type.Literal('all'), callback], { remedy: 'must be declared, all, or a function of the route' })),
  hook: Type.Optional(oneOf('onRequest', 'preHandler')),
  errorHandler: Type.Optional(oneOf('auth', 'all', false)),
  userProperty: Type.Optional(text('must be a property name')),
  decorate: Type.Optional(flag),
  securityContext: Type.Optional(flag),
  logLevel: Type.Optional(oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent')),
  ...optional(providerOptionsSchema),
  basic: Type.Optional(Type.Union([Type.Boolean(), Type.Object({
    authenticate: Type.Optional(callback),
    realm: Type.Optional(Type.String({ pattern: '^[ !#-\\[\\]-~]+$' })),
    allowSingleFactor: Type.Optional(flag),
    cacheFor: Type.Optional(Type.Number({ minimum: 0, maximum: 300, remedy: 'must be a number of seconds, up to 300' }))
  }, closed)], { remedy: 'must be true, or { authenticate, realm, allowSingleFactor, cacheFor }: a function of user name and password, a text without quotes, true or false, and seconds up to 300' })),
  expose: Type.Optional(Type.Record(Type.String(), Type.Object({ schema: Type.Object({ properties: Type.Object({}) }), pick: callback }, closed), { remedy: 'must map class names to { schema, pick }, the schema being that of an object' })),
  detail: Type.Optional(callback)
}, closed)

function optional (properties: Record<string, TSchema>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)]))
}
