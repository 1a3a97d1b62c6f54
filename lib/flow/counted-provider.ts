import { InvalidCredentialsError } from '../errors/authentication.js'
import { ChallengeRequiredError } from '../errors/challenge.js'
import type { AuthEventEmitter, Origin } from '../events.js'
import type { Attempts } from './attempts.js'
import type { LaterTasks } from './later.js'
import type { Caller, IdentityProvider, Identifier } from './provider.js'

/** What attempts at a provider are counted with. */
export interface CountedProviderOptions {
  provider: IdentityProvider
  attempts: Attempts
  events: AuthEventEmitter
  later: LaterTasks
}

/** A provider elsewhere, with what is tried there counted here first: it is asked no more than the limits allow. */
export function createCountedProvider ({ provider, attempts, events, later }: CountedProviderOptions): IdentityProvider {
  /** Counts by the name that was typed; what a provider makes of it is its own. */
  const nameOf = ({ email, username }: { email?: string | undefined, username?: string | undefined }): string => `name:${String(email ?? username).toLowerCase()}`

  async function counted<Result> (operation: Parameters<Attempts['begin']>[0], account: string, origin: Origin, work: () => Promise<Result>): Promise<Result> {
    const attempt = await attempts.begin(operation, account, origin)
    try {
      const result = await work()
      await attempt.succeeded()
      return result
    } catch (error) {
      // The password was right: what comes next has limits of its own.
      if (error instanceof ChallengeRequiredError) await attempt.succeeded()
      throw error
    }
  }

  const byUser = ({ user }: Caller): string => user.id

  return {
    ...provider,

    async signIn (credentials, origin) {
      const { email, username, password } = credentials
      if ((typeof email === 'string') === (typeof username === 'string') || typeof password !== 'string') throw new TypeError('login() takes { email, password } or { username, password }')
      try {
        return await counted('login', nameOf(credentials), origin, () => provider.signIn(credentials, origin))
      } catch (error) {
        if (error instanceof InvalidCredentialsError) {
          await events.emit('user_login_failed', { identifier: String(email ?? username), reason: error.reason ?? 'refused', origin })
        }
        throw error
      }
    },

    async refresh (refreshToken, origin) {
      // By address alone: what token it is, only the provider knows.
      const attempt = await attempts.begin('refresh', undefined, origin)
      const tokens = await provider.refresh(refreshToken, origin)
      await attempt.succeeded()
      return tokens
    },

    changePassword: (caller, passwords, origin) => counted('password_change', byUser(caller), origin, () => provider.changePassword(caller, passwords, origin)),
    confirmTotp: (caller, code, origin) => counted('challenge', byUser(caller), origin, () => provider.confirmTotp(caller, code, origin)),
    reset: (ticket, password, origin) => counted('password_reset', 'token' in ticket ? '' : nameOf(ticket), origin, () => provider.reset(ticket, password, origin)),

    async requestReset (identifier: Identifier, origin) {
      // Never forgotten by success: each sends a mail.
      await attempts.begin('password_reset_request', nameOf(identifier), origin)
      // After the answer: how long the provider takes tells whether it found somebody.
      later.run(async () => await provider.requestReset(identifier, origin))
    }
  }
}
