import type { FastifyInstance } from 'fastify'
import type { ProviderSettings } from './provider-options.js'
import type { User } from './context.js'
import { TokenInvalidError } from './errors/authentication.js'
import { systemClock } from './clock.js'
import type { AuthEventEmitter } from './events.js'
import type { Accounts, SignInService } from './flow/accounts.js'
import { createAttempts } from './flow/attempts.js'
import { createCountedProvider } from './flow/counted-provider.js'
import { createLaterTasks } from './flow/later.js'
import { createLogin, createOrChallenge } from './flow/login.js'
import type { Identify } from './flow/session/identify.js'
import { createChallengeSessions } from './mfa/challenge-sessions.js'
import { available } from './store/available.js'
import type { EphemeralOnlyStore, EphemeralStore } from './store/contract.js'
import { memoryStore } from './store/memory.js'

/** Opens what attempts and challenges are kept in, and closes it with the application. */
export async function openProvider (instance: FastifyInstance, { provider, ephemeralStore = memoryStore() }: ProviderSettings): Promise<EphemeralStore> {
  if (ephemeralStore.warning !== undefined) instance.log.warn('fastify-bouncer: attempts and challenges are known to this process alone; where there are several, give an ephemeralStore')
  await provider.open?.()
  await ephemeralStore.open?.()
  instance.addHook('onClose', async () => { await ephemeralStore.close?.() })
  return available<EphemeralOnlyStore>(ephemeralStore).ephemeral
}

export interface ProviderDependencies {
  ephemeral: EphemeralStore
  identify: Identify
  /** Whose tokens the provider's users bring. */
  issuer: string
  events: AuthEventEmitter
}

/** What `app.bouncer` has of a provider: its users are not ours to list or to change. */
export type ProvidedAccounts = Pick<Accounts, 'login' | 'challenges' | 'authenticate' | 'refresh' | 'logout'>

/** Sign-in at a provider, with attempts counted and challenges kept here. */
export function buildProvider (instance: FastifyInstance, settings: ProviderSettings, { ephemeral, identify, issuer, events }: ProviderDependencies): { accounts: ProvidedAccounts, service: SignInService } {
  const report = (err: unknown): void => { instance.log.error({ err }, 'fastify-bouncer: what was to be done after an answer failed') }
  const attempts = createAttempts({ ephemeral, limits: settings.limits, events, report })
  const later = createLaterTasks(report)
  // Hooks run last in, first out: before the store is closed.
  instance.addHook('onClose', later.settled)
  const provider = createCountedProvider({ provider: settings.provider, attempts, events, later })
  /** The user of an access token; undefined for what is none, and may be a refresh token: providers have theirs in any form. */
  async function callerOf (token: string): Promise<User | undefined> {
    try {
      return await identify(token)
    } catch (error) {
      if (error instanceof TokenInvalidError) return undefined
      throw error
    }
  }

  const challenges = createChallengeSessions(ephemeral, settings.challenge, systemClock)
  const login = createLogin({ provider, attempts, events, challenges, orChallenge: createOrChallenge(challenges) })
  return {
    service: { ...provider, ...login },
    accounts: {
      login: login.signIn,
      challenges: { respond: login.respond },
      authenticate: async (token) => await identify(token),
      refresh: async (token, origin = {}) => await provider.refresh(token, origin),
      async logout (token) {
        const user = await callerOf(token)
        // Whose access token it is must be known to the provider: another's would only be shown to it.
        if (user !== undefined && (user.claims as Record<string, unknown>).iss !== issuer) throw new TokenInvalidError({ reason: 'issuer', message: 'A token of another issuer has no session here' })
        if (user === undefined) await provider.revoke(token, false)
        else await provider.signOut({ user, token })
      }
    }
  }
}
