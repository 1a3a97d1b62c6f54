import { Type } from '@sinclair/typebox'
import { ConfigurationError } from './errors/operation.js'
import { DEFAULT_LIMITS, type AttemptLimit, type AttemptLimits, type AttemptOperation } from './flow/attempts.js'
import type { SessionLifetimes } from './flow/session/sessions.js'
import { mfaOptionsSchema, readMfaSettings, type MfaOptions, type MfaSettings } from './mfa-options.js'
import { oauthOptionsSchema, readOAuthSettings, type OAuthOptions, type OAuthSettings } from './oauth-options.js'
import { onboardingOptionsSchema, readOnboardingSettings, type OnboardingOptions } from './onboarding-options.js'
import type { OnboardingSettings } from './flow/onboarding/engine.js'
import { passwordOptionsSchema } from './password/options-schema.js'
import { createPasswords, type PasswordOptions, type Passwords } from './password/passwords.js'
import { deriveKey } from './random.js'
import type { EphemeralOnlyStore, Store } from './store/contract.js'

/** Sessions of the account system. Times are in seconds. */
export interface SessionOptions {
  /** How long a session can last, however often it is refreshed. Default 2592000 (30 days). */
  maxLifetime?: number
  /** For how long a refresh can be repeated whose answer was lost. Default 10. */
  gracePeriod?: number
  /** Key of the refresh tokens, at least 32 bytes, or a list for rotation. Default: derived from `jwt.secret`. */
  secret?: string | readonly string[]
}

/** Limits of one operation; false for none. What is left out stays at its default. */
export interface AttemptOptions {
  /** Per account, whether there is such an account or not. */
  account?: AttemptLimit | false
  /** Per address: of IPv6 the first 64 bits. */
  address?: AttemptLimit | false
}

/** Options of the account system. All but `events` need a `store`. */
export interface AccountOptions {
  /** Users, sessions and linked accounts: `sqliteStore()`, `postgresStore()`, `memoryStore()`, or one of your own. */
  store?: Store
  /** What expires: `redisStore()`. Default: the `store`. */
  ephemeralStore?: EphemeralOnlyStore
  /** Rules for new passwords, and how they are hashed. */
  passwords?: PasswordOptions
  sessions?: SessionOptions
  /** Whether signing out, deactivation and lost roles end access tokens at once; `maxStaleness` is for how many seconds one answer of the store may serve. Default true. */
  revocation?: boolean | { maxStaleness: number }
  /** How often something may be tried; false switches all limits off. */
  attempts?: false | { readonly [Operation in AttemptOperation]?: AttemptOptions | false }
  /** Whether a listener that throws makes the operation fail. Default `{ propagate: false }`. */
  events?: { propagate?: boolean }
  /** The role of administrators. Default `'admin'`. */
  adminRole?: string
  /** Whether an address must be verified before its user can sign in. Default false. */
  requireVerified?: boolean
  /** Whether registering an address that is taken looks like registering a free one; needs `requireVerified`. Default false. */
  concealExistingUsers?: boolean
  /** Key that encrypts secrets of second factors: 32 random bytes in base64, or a list for rotation, of which the first encrypts. */
  encryptionKey?: string | readonly string[]
  /** Second factors; they need `encryptionKey`. */
  mfa?: MfaOptions
  /** Sign-in at other providers, such as Google, and accounts there that users link. */
  oauth?: OAuthOptions
  /** Lifetime of tokens that verify an address, in seconds. Default `{ tokenTtl: 86400 }`. */
  verification?: { tokenTtl?: number }
  /** Lifetime of tokens that reset a password, in seconds. Default `{ tokenTtl: 3600 }`. */
  passwordReset?: { tokenTtl?: number }
  /** A flow that leads people to an account, step by step: `{ steps }`, from `fastify-bouncer/onboarding` or of your own. */
  onboarding?: OnboardingOptions
}

/** The same as the account system uses them. */
export interface AccountSettings extends Omit<MfaSettings, 'challenge' | 'recentSignIn'> {
  store: Store
  ephemeralStore: EphemeralOnlyStore | undefined
  passwords: Passwords
  refreshKeys: readonly [Buffer, ...Buffer[]]
  lifetimes: SessionLifetimes & { verification: number, passwordReset: number, challenge: number, recentSignIn: number }
  /** Undefined without providers. */
  oauth: OAuthSettings | undefined
  /** False for no check; otherwise seconds. */
  maxStaleness: number | false
  limits: AttemptLimits
  adminRole: string
  requireVerified: boolean
  concealExistingUsers: boolean
  onboarding: OnboardingSettings | undefined
}

const DAY = 86_400
const closed = { additionalProperties: false }
const seconds = Type.Number({ exclusiveMinimum: 0, maximum: 3650 * DAY, remedy: 'must be a number of seconds above 0' })
const flag = Type.Boolean({ remedy: 'must be true or false' })
const secret = Type.String({ minLength: 1 })
const attemptLimit = Type.Union([Type.Literal(false), Type.Object({ max: Type.Integer({ minimum: 1 }), window: seconds, lockout: seconds }, closed)], { remedy: 'must be false, or { max, window, lockout }: so many in so many seconds, and then a lock-out of so many' })
const operationLimits = Type.Union([Type.Literal(false), Type.Object({ account: Type.Optional(attemptLimit), address: Type.Optional(attemptLimit) }, closed)], { remedy: 'must be false, or { account, address }, each { max, window, lockout } or false' })
const anyStore = (remedy: string, ...members: string[]) => Type.Object(Object.fromEntries(members.map((name) => [name, Type.Object({}, { remedy: `is missing: a store has ${members.join(', ')}` })])), { remedy })
const tokenTtl = Type.Object({ tokenTtl: Type.Optional(seconds) }, { ...closed, remedy: 'must be { tokenTtl }, in seconds' })

/** The shape of {@link AccountOptions}. */
export const accountOptionsSchema = {
  store: anyStore('must be a store, such as sqliteStore(\'auth.db\') of fastify-bouncer/sql', 'users', 'sessions', 'ephemeral'),
  ephemeralStore: anyStore('must be a store for what expires, such as redisStore(url) of fastify-bouncer/redis', 'ephemeral'),
  passwords: passwordOptionsSchema,
  sessions: Type.Object({
    maxLifetime: Type.Optional(seconds),
    gracePeriod: Type.Optional(Type.Number({ minimum: 0, maximum: 300, remedy: 'must be a number of seconds from 0 to 300' })),
    secret: Type.Optional(Type.Union([secret, Type.Array(secret, { minItems: 1 })], { remedy: 'must be a string of at least 32 bytes, or a list of them' }))
  }, { ...closed, remedy: 'must be { maxLifetime, gracePeriod, secret }, times in seconds' }),
  revocation: Type.Union([Type.Boolean(), Type.Object({ maxStaleness: Type.Number({ minimum: 0, maximum: DAY }) }, closed)], { remedy: 'must be true, false, or { maxStaleness } in seconds, up to a day' }),
  attempts: Type.Union([Type.Literal(false), Type.Object(Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, Type.Optional(operationLimits)])), closed)], { remedy: `must be false, or limits for any of ${Object.keys(DEFAULT_LIMITS).join(', ')}: { account, address }, each { max, window, lockout } in seconds, or false` }),
  events: Type.Object({ propagate: Type.Optional(flag) }, { ...closed, remedy: 'must be { propagate }' }),
  adminRole: Type.String({ minLength: 1, remedy: 'must be the name of a role' }),
  requireVerified: flag,
  concealExistingUsers: flag,
  verification: tokenTtl,
  passwordReset: tokenTtl,
  onboarding: onboardingOptionsSchema,
  ...mfaOptionsSchema,
  ...oauthOptionsSchema
}

/** What of the rest of the options the account system stands on. */
export interface SigningOptions {
  accessTokenTtl: number
  refreshTokenTtl: number
  /** Secrets that sign tokens, the first of them today's; undefined where tokens are signed elsewhere. */
  secrets: readonly string[] | undefined
  /** Whose tokens they are. */
  issuer: string
}

/** Reads the options of the account system; undefined without a store. Throws {@link ConfigurationError}. */
export function readAccountSettings (options: AccountOptions, signing: SigningOptions): AccountSettings | undefined {
  const { store, ephemeralStore, sessions = {}, revocation = true } = options
  if (store === undefined) {
    const stray = Object.keys(accountOptionsSchema).find((name) => name !== 'events' && options[name as keyof AccountOptions] !== undefined)
    if (stray !== undefined) throw refuse(stray, 'needs a store, such as store: sqliteStore(\'auth.db\') of fastify-bouncer/sql')
    return undefined
  }
  if (signing.secrets === undefined) throw refuse('store', 'needs a key that signs the tokens of its sessions: give jwt.secret a string, or { public, private }')
  if (options.concealExistingUsers === true && options.requireVerified !== true) throw refuse('concealExistingUsers', 'needs requireVerified: true, since a sign-in right after registering would tell whether the address was free')
  const idle = signing.refreshTokenTtl
  const { challenge, recentSignIn, ...mfa } = readMfaSettings(options.encryptionKey, options.mfa ?? {}, signing.issuer)
  return {
    store,
    ephemeralStore,
    passwords: createPasswords(options.passwords),
    refreshKeys: refreshKeys(sessions.secret ?? signing.secrets),
    lifetimes: {
      accessTokenTtl: signing.accessTokenTtl,
      idle,
      absolute: sessions.maxLifetime ?? Math.max(30 * DAY, idle),
      grace: sessions.gracePeriod ?? 10,
      verification: options.verification?.tokenTtl ?? DAY,
      passwordReset: options.passwordReset?.tokenTtl ?? 3600,
      challenge,
      recentSignIn
    },
    ...mfa,
    oauth: readOAuthSettings(options.oauth, listOf(sessions.secret ?? signing.secrets), mfa.sealer !== undefined),
    maxStaleness: revocation === false ? false : revocation === true ? 0 : revocation.maxStaleness,
    limits: limitsOf(options.attempts),
    adminRole: options.adminRole ?? 'admin',
    requireVerified: options.requireVerified ?? false,
    concealExistingUsers: options.concealExistingUsers ?? false,
    onboarding: options.onboarding && readOnboardingSettings(options.onboarding, { hasKey: mfa.sealer !== undefined, concealExistingUsers: options.concealExistingUsers === true })
  }
}

const MIN_SECRET_BYTES = 32

function listOf (secrets: string | readonly string[]): readonly string[] {
  return typeof secrets === 'string' ? [secrets] : secrets
}

function refreshKeys (secrets: string | readonly string[]): readonly [Buffer, ...Buffer[]] {
  const list = listOf(secrets)
  if (list.some((one) => Buffer.byteLength(one) < MIN_SECRET_BYTES)) throw refuse('sessions.secret', `is shorter than ${MIN_SECRET_BYTES} bytes`)
  return list.map((one) => deriveKey(one, 'refresh tokens')) as [Buffer, ...Buffer[]]
}

const NO_LIMITS = { account: false, address: false } as const

/** All limits: those given, and defaults for the rest. */
export function limitsOf (attempts: AccountOptions['attempts'] = {}): AttemptLimits {
  return Object.fromEntries(Object.entries(DEFAULT_LIMITS).map(([operation, defaults]) => {
    const given = attempts === false ? false : attempts[operation as AttemptOperation] ?? {}
    // By name, not spread: what is undefined is left out as well.
    const { account = defaults.account, address = defaults.address } = given === false ? NO_LIMITS : given
    return [operation, { account, address }]
  })) as AttemptLimits
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: `${option} ${problem}.` })
}
