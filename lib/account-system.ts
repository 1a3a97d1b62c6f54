import type { FastifyInstance } from 'fastify'
import type { AccountSettings } from './account-options.js'
import { systemClock } from './clock.js'
import { ConfigurationError } from './errors/operation.js'
import type { AuthEventEmitter } from './events.js'
import { createAccounts, type Accounts, type SignInService } from './flow/accounts.js'
import { createLaterTasks } from './flow/later.js'
import type { Identify, TrustedIssuer } from './flow/session/identify.js'
import { createRevocation, type Revocation } from './flow/session/revocation.js'
import type { JwtService } from './http/fastify-jwt.js'
import { available } from './store/available.js'
import type { EphemeralStore, FactorStore, IdentityStore, SessionStore, UserStore } from './store/contract.js'

/** The stores of one application, open, and the check of access tokens against them. */
export interface OpenAccounts {
  settings: AccountSettings
  /** Whose tokens have sessions and users here. */
  issuer: string
  users: UserStore
  sessions: SessionStore
  factors: FactorStore
  identities: IdentityStore
  ephemeral: EphemeralStore
  revocation: Revocation
}

/**
 * Opens the stores, if there are any, says what should be known of them, and
 * closes them with the application. Whatever fails in them later is an
 * `AuthUnavailableError`. Throws `ConfigurationError` for what an operator must
 * do first.
 */
export async function openAccounts (instance: FastifyInstance, settings: AccountSettings | undefined, local: TrustedIssuer | undefined): Promise<OpenAccounts | undefined> {
  if (settings === undefined || local === undefined) return undefined
  const { store, ephemeralStore, maxStaleness, requireVerified } = settings
  for (const one of ephemeralStore === undefined ? [store] : [store, ephemeralStore]) {
    if (one.warning !== undefined) instance.log.warn(`fastify-bouncer: ${one.warning}`)
    await one.open?.()
    instance.addHook('onClose', async () => { await one.close?.() })
  }
  const { users, sessions, factors, identities, ephemeral: stored } = available(store)
  const { ephemeral } = ephemeralStore === undefined ? { ephemeral: stored } : available(ephemeralStore)
  pruneSessions(instance, sessions)
  const revocation = createRevocation({ users, sessions, ephemeral, maxStaleness: Number(maxStaleness), clockTolerance: local.rules.clockTolerance, requireVerified, clock: systemClock })
  return { settings, issuer: local.rules.issuer, users, sessions, factors, identities, ephemeral, revocation }
}

const HOUR = 3_600_000
/** How long a session that is over is kept: what a token of it is refused with can say why. */
const KEPT = 24 * HOUR

function pruneSessions (instance: FastifyInstance, sessions: SessionStore): void {
  const timer = setInterval(() => {
    sessions.prune(systemClock() - KEPT).catch((err) => { instance.log.warn({ err }, 'fastify-bouncer: old sessions could not be deleted') })
  }, HOUR)
  timer.unref()
  instance.addHook('onClose', async () => { clearInterval(timer) })
}

export interface AccountDependencies {
  identify: Identify
  /** Signs with the key of the settings. */
  jwt: JwtService
  events: AuthEventEmitter
}

/** Builds the account system on open stores. */
export function buildAccounts (instance: FastifyInstance, open: OpenAccounts, { identify, jwt, events }: AccountDependencies): { accounts: Accounts, service: SignInService } {
  const { settings, ...stores } = open
  const report = (err: unknown): void => { instance.log.error({ err }, 'fastify-bouncer: what was to be done after an answer failed') }
  const later = createLaterTasks(report)
  // Hooks run last in, first out: before the stores are closed.
  instance.addHook('onClose', later.settled)
  return createAccounts({
    ...settings,
    ...stores,
    identify,
    events,
    later,
    report,
    // With options the library prepares the key anew for each token.
    sign: (claims, lifetime) => lifetime === settings.lifetimes.accessTokenTtl ? jwt.sign(claims) : jwt.sign(claims, { expiresIn: lifetime }),
    clock: systemClock
  })
}

/** Every service where there is no store: each throws `ConfigurationError` with this sentence when it is used. */
export function missingAccounts (problem: string): Accounts {
  const refuse = (): never => { throw new ConfigurationError({ option: 'store', message: problem }) }
  const refuseLater = async (): Promise<never> => refuse()
  const calls = { login: refuseLater, refresh: refuseLater, logout: refuseLater, logoutAll: refuseLater, register: refuseLater }
  const groups = Object.fromEntries(['users', 'profile', 'sessions', 'passwords', 'verification', 'challenges', 'mfa', 'oauth', 'onboarding'].map((name) => [name, { get: refuse, enumerable: false, configurable: true }]))
  return Object.defineProperties(calls, groups) as unknown as Accounts
}
