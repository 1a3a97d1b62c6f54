import type { Accounts, SignInService } from '../../flow/accounts.js'
import type { ErrorHandling } from '../error-handler.js'

/** What the routes find on the instance that the plugin was registered on. */
export interface MountedAccounts {
  /** The users of the store; undefined where a provider has them. */
  accounts: Accounts | undefined
  /** Where they sign in, whoever has them. */
  service: SignInService
  /** Whether second factors can be set up. */
  hasMfa: boolean
  /** Providers that users of the store can sign in at, and the address of this server; undefined for none. */
  oauth: { providers: readonly string[], baseUrl: string | undefined } | undefined
  /** Whether there is a flow of onboarding. */
  hasOnboarding: boolean
  /** Whose tokens name users of these accounts. */
  issuer: string
  /** Undefined where errors are the application's. */
  handling: ErrorHandling | undefined
  adminRole: string
  requireVerified: boolean
  concealExistingUsers: boolean
  /** The public keys of the tokens signed here, as JSON Web Keys; none for a secret. */
  publicKeys: ReadonlyArray<Record<string, unknown>>
}

/** Where they find it: null where there is no account system. */
export const accountsKey = Symbol('fastify-bouncer.accounts')
