import { channel } from 'node:diagnostics_channel'
import { EventError } from './errors/operation.js'
import type { Account } from './store/contract.js'

/** Where a request came from, as far as it is known. */
export interface Origin {
  readonly address?: string
  readonly userAgent?: string
}

/**
 * What happens, by name. Private reasons are for operators and never sent to a
 * client. `token` and `code` are what the application mails to the user: they are
 * not enumerable, so that no log prints them, and `diagnostics_channel` does not get them.
 */
export interface AuthEvents {
  user_login: { user: Account, sessionId: string, origin: Origin }
  user_login_failed: { identifier: string, reason: string, userId?: string, origin: Origin }
  /** An answer to a challenge was wrong, late or of another sign-in. `account` is the user's id, for users of the store. */
  challenge_failed: { challengeName: string, account: string | undefined, reason: string, origin: Origin }
  /** Somebody signed in by a recovery code; so many are left. */
  recovery_code_used: { user: Account, left: number }
  recovery_codes_replaced: { user: Account }
  mfa_enabled: { user: Account }
  mfa_disabled: { user: Account }
  /** A user can sign in with an account at a provider from now on. */
  oauth_account_linked: { user: Account, provider: string, accountId: string }
  /** `accountId` is null where all accounts at the provider were unlinked. */
  oauth_account_unlinked: { user: Account, provider: string, accountId: string | null }
  /** A sign-in, or a link, ended with an error: its code, and the reason. */
  oauth_failed: { provider: string, reason: string, origin: Origin }
  user_logout: { userId: string, sessionIds: readonly string[], reason: string }
  token_refreshed: { userId: string, sessionId: string, origin: Origin }
  refresh_token_reused: { userId: string, sessionId: string, origin: Origin }
  rate_limit_exceeded: { operation: string, identifier: string, retryAfter: number, origin: Origin }
  password_changed: { user: Account }
  password_reset_requested: { user: Account, readonly token: string, expiresAt: Date }
  password_reset_completed: { user: Account }
  verification_requested: { user: Account, readonly token: string, expiresAt: Date }
  verification_completed: { user: Account }
  user_created: { user: Account }
  /** Somebody registered an address that is taken, while that is concealed. */
  user_registered_again: { user: Account, origin: Origin }
  /** `previousEmail` where the address is another one now: a mail to it warns an owner whose account was taken. */
  user_updated: { user: Account, fields: readonly string[], previousEmail?: string }
  user_deleted: { userId: string }
  onboarding_started: { sessionId: string, email: string, steps: readonly string[], origin: Origin }
  /** The person of an onboarding asks for a code: mail it to the address. */
  onboarding_code_requested: { sessionId: string, email: string, readonly code: string, expiresAt: Date }
  onboarding_step_completed: { sessionId: string, email: string, step: string, user: Account | undefined }
  onboarding_step_skipped: { sessionId: string, email: string, step: string, user: Account | undefined }
  /** A step refused its data, or was to be skipped and cannot be. */
  onboarding_step_failed: { sessionId: string, email: string, step: string, errors: readonly string[] }
  /** `user` is undefined where no step made one. */
  onboarding_completed: { sessionId: string, email: string, user: Account | undefined }
  /** Somebody came back to a session whose time is over. */
  onboarding_session_expired: { sessionId: string, email: string }
  terms_accepted: { sessionId: string, email: string, user: Account | undefined, version: string, acceptedAt: Date }
  /** A stored hash belongs to no configured hasher: the user cannot sign in. */
  invalid_hash: { userId: string }
}

export type AuthEventName = keyof AuthEvents

/** Awaited, in the order of registration. */
export type AuthEventListener<Name extends AuthEventName> = (event: AuthEvents[Name]) => unknown

export interface AuthEventEmitter {
  /** Adds a listener; the function returned removes it. Throws `TypeError` for what is no function. */
  on<Name extends AuthEventName> (name: Name, listener: AuthEventListener<Name>): () => void
  /** Calls the listeners one after the other. Throws {@link EventError} only where errors are propagated. */
  emit<Name extends AuthEventName> (name: Name, event: AuthEvents[Name]): Promise<void>
}

export interface EventOptions {
  /** Whether a listener that throws makes the operation fail. */
  propagate: boolean
  /** Told of listeners that threw, where they stop nothing. */
  report: (error: EventError) => void
}

const SECRETS = ['token', 'code']

/** The emitter of one application. Each event is also published as `fastify-bouncer:<name>` on `diagnostics_channel`. */
export function createEvents ({ propagate, report }: EventOptions): AuthEventEmitter {
  const registrations = new Map<AuthEventName, ReadonlyArray<{ listener: (event: never) => unknown }>>()
  const registered = (name: AuthEventName) => registrations.get(name) ?? []

  return {
    on (name, listener) {
      if (typeof listener !== 'function') throw new TypeError(`The listener of ${name} is not a function`)
      const registration = { listener }
      // Lists are replaced, not changed: an emit under way keeps its own.
      registrations.set(name, [...registered(name), registration])
      return () => { registrations.set(name, registered(name).filter((other) => other !== registration)) }
    },

    async emit (name, event) {
      publish(name, event)
      const shown = withHiddenSecrets(event)
      for (const { listener } of registered(name)) {
        try {
          await (listener as (event: object) => unknown)(shown)
        } catch (original) {
          const error = new EventError({ eventName: name, handlerName: listener.name || 'anonymous', original, cause: original })
          if (propagate) throw error
          report(error)
        }
      }
    }
  }
}

function publish (name: AuthEventName, event: object): void {
  const published = channel(`fastify-bouncer:${name}`)
  if (!published.hasSubscribers) return
  published.publish(Object.fromEntries(Object.entries(event).filter(([field]) => !SECRETS.includes(field))))
}

function withHiddenSecrets (event: object): object {
  const shown = { ...event }
  for (const field of SECRETS) {
    if (Object.hasOwn(shown, field)) Object.defineProperty(shown, field, { enumerable: false })
  }
  return Object.freeze(shown)
}
