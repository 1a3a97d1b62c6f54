import { Type } from '@sinclair/typebox'
import { limitsOf, type AccountOptions } from './account-options.js'
import { ConfigurationError } from './errors/operation.js'
import type { AttemptLimits } from './flow/attempts.js'
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

/** The shape of {@link ProviderOptions}. */
export const providerOptionsSchema = {
  provider: Type.Object({
    name: Type.String({ remedy: 'must be a name' }),
    resetBy: Type.Union([Type.Literal('token'), Type.Literal('code')], { remedy: 'must be token or code' }),
    ...Object.fromEntries(Object.keys(VERBS).map((verb) => [verb, Type.Function([], Type.Unknown(), { remedy: 'must be a function: it is part of what a provider must do' })]))
  }, { remedy: 'must be an identity provider, such as cognitoProvider() of fastify-bouncer/cognito' })
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
  return { provider, ephemeralStore, limits: limitsOf(attempts), challenge: mfa.challengeTtl ?? 300 }
}
