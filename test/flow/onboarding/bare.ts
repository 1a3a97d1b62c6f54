import type { AuthEventName, AuthEvents, OnboardingOptions, Store } from '../../../index.js'
import { createSealer } from '../../../lib/encryption.js'
import { createEvents } from '../../../lib/events.js'
import { createAccounts, type Accounts } from '../../../lib/flow/accounts.js'
import { createLaterTasks } from '../../../lib/flow/later.js'
import type { OnboardingSettings } from '../../../lib/flow/onboarding/engine.js'
import { readOnboardingSettings } from '../../../lib/onboarding-options.js'
import { limitsOf } from '../../../lib/account-options.js'
import type { Clock } from '../../../lib/clock.js'
import { PasswordPolicyError } from '../../../lib/errors/account.js'
import type { Passwords } from '../../../lib/password/passwords.js'
import type { OnboardingStep } from '../../../lib/onboarding.js'

/** Passwords that cost nothing, for tests that hash thousands. */
const cheap: Passwords = {
  async check (password) { if (password.length < 8) throw new PasswordPolicyError({ errors: ['Password must be at least 8 characters'] }) },
  hash: async (password) => `hash of ${password}`,
  verify: async (password, hash) => ({ matches: hash === `hash of ${password}`, outdated: false })
} as Passwords

export interface Bare {
  accounts: Accounts
  /** What happened, in order. */
  events: Array<{ name: string, event: Record<string, unknown> }>
  /** What could not be told to anybody. */
  reported: unknown[]
}

export interface BareOptions extends Omit<Partial<OnboardingOptions>, 'steps'> {
  /** Or settings that were read before: schemas take long to compile. */
  steps: readonly OnboardingStep[] | OnboardingSettings
  store: Store
  clock: Clock
  requireVerified?: boolean
  limits?: boolean
}

const NAMES = [
  'onboarding_started', 'onboarding_code_requested', 'onboarding_step_completed', 'onboarding_step_skipped', 'onboarding_step_failed', 'onboarding_completed',
  'onboarding_session_expired', 'terms_accepted', 'user_created', 'user_login', 'user_logout', 'verification_completed', 'mfa_enabled'
] as const satisfies readonly AuthEventName[]

/** The account system with a flow, without an application around it; another one over the same store is another process. */
export function bare ({ steps, store, clock, requireVerified = false, limits = false, ...rest }: BareOptions): Bare {
  const reported: unknown[] = []
  const report = (error: unknown): void => { reported.push(error) }
  const emitter = createEvents({ propagate: false, report })
  const events: Bare['events'] = []
  for (const name of NAMES) emitter.on(name, (event: AuthEvents[AuthEventName]) => { events.push({ name, event: event as unknown as Record<string, unknown> }) })
  const { accounts } = createAccounts({
    ...store,
    passwords: cheap,
    refreshKeys: [Buffer.alloc(32, 1)],
    sign: (claims) => `access.${JSON.stringify(claims)}`,
    identify: async () => { throw new Error('nobody asks') },
    issuer: 'https://auth.example.com',
    revocation: { revoke: async () => {} },
    lifetimes: { accessTokenTtl: 900, idle: 604_800, absolute: 2_592_000, grace: 10, verification: 86_400, passwordReset: 3600, challenge: 300, recentSignIn: 600 },
    limits: limitsOf(limits ? {} : false),
    events: emitter,
    later: createLaterTasks(report),
    report,
    clock,
    adminRole: 'admin',
    requireVerified,
    concealExistingUsers: false,
    sealer: createSealer([Buffer.alloc(32, 2)]),
    mfaRequired: false,
    issuerName: 'test',
    oauth: undefined,
    onboarding: 'lifetime' in steps ? steps : readOnboardingSettings({ steps, ...rest }, { hasKey: true, concealExistingUsers: false })
  })
  return { accounts, events, reported }
}

/** The how many-th call of the store from now fails, and whether what it was to do is done all the same. */
export interface Fault { after: number, done: boolean }

/** A store that dies in the middle. */
export function mortal (store: Store): Store & { fault: Fault | null } {
  const dying = { ...store, fault: null as Fault | null }
  for (const part of ['users', 'sessions', 'factors', 'ephemeral'] as const) {
    const verbs = store[part] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    Object.assign(dying, {
      [part]: Object.fromEntries(Object.entries(verbs).map(([verb, run]) => [verb, async (...args: unknown[]) => {
        const { fault } = dying
        // From there on nothing of this process reaches the store: it is dead.
        if (fault === null || fault.after-- > 0) return await run(...args)
        if (fault.after === -1 && fault.done) await run(...args)
        throw new Error('the process died')
      }]))
    })
  }
  return dying
}
