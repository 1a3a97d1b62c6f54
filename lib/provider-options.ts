import { Type } from '@sinclair/typebox'
import { limitsOf, type AccountOptions } from './account-options.js'
import { ConfigurationError } from './errors/operation.js'
import { DEFAULT_LIMITS, type AttemptLimits } from './flow/attempts.js'
import type { IdentityProvider } from './flow/provider.js'
import type { EphemeralOnlyStore } from './store/contract.js'

/** Users of an identity provider in place of a `store`. */
export interface ProviderOptions {
  /** Where users sign in, such as `cognitoProvider()` of `fastify-bouncer/cognito`. In place of `store`; `ephemeralStore` keeps attempts and challenges. */
  provider?: IdentityProvider
}

/** The same as the plugin uses them. */
export interface ProviderSettings {
  provider: IdentityProvider
  /** Undefined for one in memory. */
  ephemeralStore: EphemeralOnlyStore | undefined
  limits: AttemptLimits
  /** Lifetime of challenges, in seconds. */
  challenge: number
}

const VERBS = {
  signIn: true,
  respond: true,
  refresh: true,
  signOut: true,
  signOutEverywhere: true,
  revoke: true,
  lookUp: true,
  changePassword: true,
  requestReset: true,
  reset: true,
  setUpTotp: true,
  confirmTotp: true,
  disableTotp: true
} as const satisfies Record<Exclude<keyof IdentityProvider, 'name' | 'trust' | 'resetBy' | 'open'>, true>

/** The shape of {@link ProviderOptions}; what a provider must do is checked by name, since it may be an instance of a class. */
export const providerOptionsSchema = {
  provider: Type.Object({
    name: Type.String({ remedy: 'must be a name' }),
    resetBy: Type.Union([Type.Literal('token'), Type.Literal('code')], { remedy: 'must be token or code' }),
    trust: Type.Optional(Type.Object({ issuer: Type.String(), audience: Type.String(), jwksUrl: Type.String() }, { remedy: 'must be { issuer, audience, jwksUrl, claims }' }))
  }, { remedy: 'must be an identity provider, such as cognitoProvider() of fastify-bouncer/cognito' })
}

/** Its verbs, each called on its own object. */
function bound (provider: IdentityProvider): IdentityProvider {
  const { name, trust, resetBy } = provider
  const verbs = Object.fromEntries(Object.keys(VERBS).map((verb) => {
    const run: unknown = provider[verb as keyof typeof VERBS]
    if (typeof run !== 'function') throw new ConfigurationError({ option: `provider.${verb}`, message: `provider.${verb} must be a function: it is part of what a provider must do.` })
    return [verb, (run as (...args: unknown[]) => unknown).bind(provider)]
  })) as unknown as Pick<IdentityProvider, keyof typeof VERBS>
  if (provider.open !== undefined && typeof provider.open !== 'function') throw new ConfigurationError({ option: 'provider.open', message: 'provider.open must be a function, or be left out.' })
  return { ...verbs, name, resetBy, ...(trust !== undefined && { trust }), async open () { await provider.open?.() } }
}

/** What of the account system is for a provider as well. */
const SHARED: ReadonlySet<string> = new Set(['ephemeralStore', 'attempts', 'events', 'mfa'])

/** Reads the options of a provider; undefined without one. `accountOptions` are the names that need a store. Throws {@link ConfigurationError}. */
export function readProviderSettings (options: AccountOptions & ProviderOptions, accountOptions: readonly string[]): ProviderSettings | undefined {
  const { provider, ephemeralStore, attempts, mfa = {} } = options
  if (provider === undefined) return undefined
  const stray = accountOptions.find((name) => !SHARED.has(name) && options[name as keyof AccountOptions] !== undefined)
  if (stray !== undefined) throw new ConfigurationError({ option: stray, message: `${stray} is for users of a store; with a provider they are its own. Keep one of store and provider.` })
  const foreign = Object.keys(mfa).find((name) => name !== 'challengeTtl')
  if (foreign !== undefined) throw new ConfigurationError({ option: `mfa.${foreign}`, message: `mfa.${foreign} is for users of a store; the provider has rules of its own.` })
  const lacking = LACKING.find((operation) => attempts !== undefined && attempts !== false && attempts[operation] !== undefined)
  if (lacking !== undefined) throw new ConfigurationError({ option: `attempts.${lacking}`, message: `attempts.${lacking} limits what a provider does not do here. Leave it out.` })
  return { provider: bound(provider), ephemeralStore, limits: withCodes(limitsOf(attempts), attempts, provider), challenge: mfa.challengeTtl ?? 300 }
}

/** What is tried only with users of a store. */
const LACKING = ['register', 'verify', 'verify_request', 'onboarding'] as const

/** A code that is typed in can be guessed at, where a token of 256 bits cannot: it is counted per account. */
function withCodes (limits: AttemptLimits, attempts: AccountOptions['attempts'], { resetBy }: IdentityProvider): AttemptLimits {
  const given = attempts === undefined || attempts === false ? attempts : attempts.password_reset
  const said = given === false || given?.account !== undefined
  if (resetBy === 'token' || said) return limits
  return { ...limits, password_reset: { ...limits.password_reset, account: DEFAULT_LIMITS.challenge.account } }
}
