import type { FastifyInstance } from 'fastify'
import type { ProviderSettings } from './provider-options.js'
import type { AuthEventEmitter } from './events.js'
import type { Accounts, SignInService } from './flow/accounts.js'
import { createAttempts } from './flow/attempts.js'
import { createCountedProvider } from './flow/counted-provider.js'
import { createLogin } from './flow/login.js'
import type { Identify } from './flow/session/identify.js'
import { createChallengeSessions } from './mfa/challenge-sessions.js'
import { available } from './store/available.js'
import type { EphemeralOnlyStore, EphemeralStore } from './store/contract.js'
import { memoryStore } from './store/memory.js'

/** Opens what attempts and challenges are kept in, and closes it with the application. */
export async function openProvider (instance: FastifyInstance, { ephemeralStore = memoryStore() }: ProviderSettings): Promise<EphemeralStore> {
  if (ephemeralStore.warning !== undefined) instance.log.warn('fastify-bouncer: attempts and challenges are known to this process alone; where there are several, give an ephemeralStore')
  await ephemeralStore.open?.()
  instance.addHook('onClose', async () => { await ephemeralStore.close?.() })
  return available<EphemeralOnlyStore>(ephemeralStore).ephemeral
}

export interface ProviderDependencies {
  ephemeral: EphemeralStore
  identify: Identify
  events: AuthEventEmitter
}

/** What `app.bouncer` has of a provider: its users are not ours to list or to change. */
export type ProvidedAccounts = Pick<Accounts, 'login' | 'challenges' | 'authenticate' | 'refresh' | 'logout'>

/** Sign-in at a provider, with attempts counted and challenges kept here. */
export function buildProvider (instance: FastifyInstance, settings: ProviderSettings, { ephemeral, identify, events }: ProviderDependencies): { accounts: ProvidedAccounts, service: SignInService } {
  const report = (err: unknown): void => { instance.log.error({ err }, 'fastify-bouncer: what was to be done after an answer failed') }
  const attempts = createAttempts({ ephemeral, limits: settings.limits, events, report })
  const provider = createCountedProvider({ provider: settings.provider, attempts, events })
  const login = createLogin({ provider, attempts, events, challenges: createChallengeSessions(ephemeral, settings.challenge) })
  return {
    service: { ...provider, ...login },
    accounts: {
      login: login.signIn,
      challenges: { respond: login.respond },
      authenticate: async (token) => await identify(token),
      refresh: async (token, origin = {}) => await provider.refresh(token, origin),
      logout: async (token) => token.split('.').length === 3
        ? await provider.signOut({ user: await identify(token), token })
        : await provider.revoke(token, false)
    }
  }
}
