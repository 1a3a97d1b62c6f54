import { mock } from 'node:test'
import type { FastifyInstance, FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { authRoutes, memoryStore, type AuthEventName, type AuthEvents, type AuthPluginOptions, type AuthRoutesOptions, type SignInAnswer, type Tokens } from '../index.js'
import { createPasswords } from '../lib/password/passwords.js'
import { build } from './build.js'

/** As cheap as the minimum allows. */
export const cheapHash = { argon2id: { timeCost: 2, memoryCost: 19_456, parallelism: 1 } }

export const password = 'correct horse battery'

/** A hash of it, computed once. */
const hashed = createPasswords(cheapHash).hash(password)

export interface AccountsApp {
  app: FastifyInstance
  /** Everything that happened, in order. */
  events: Array<{ name: AuthEventName, event: object }>
  /** The events of one name. */
  happened<Name extends AuthEventName> (name: Name): Array<AuthEvents[Name]>
  /** A request to a route of accounts, with a bearer token if one is given. */
  call (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object, token?: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** Makes an active, verified user and signs her in. */
  signUp (user?: { email?: string, username?: string, roles?: string[] }): Promise<{ id: string, email: string } & Tokens>
}

const NAMES: Record<AuthEventName, true> = {
  user_login: true,
  user_login_failed: true,
  challenge_failed: true,
  recovery_code_used: true,
  recovery_codes_replaced: true,
  mfa_enabled: true,
  mfa_disabled: true,
  oauth_account_linked: true,
  oauth_account_unlinked: true,
  oauth_failed: true,
  user_logout: true,
  token_refreshed: true,
  refresh_token_reused: true,
  rate_limit_exceeded: true,
  password_changed: true,
  password_reset_requested: true,
  password_reset_completed: true,
  verification_requested: true,
  verification_completed: true,
  user_created: true,
  user_registered_again: true,
  user_updated: true,
  user_deleted: true,
  onboarding_started: true,
  onboarding_code_requested: true,
  onboarding_step_completed: true,
  onboarding_step_skipped: true,
  onboarding_step_failed: true,
  onboarding_completed: true,
  onboarding_session_expired: true,
  terms_accepted: true,
  invalid_hash: true
}

/** An application with accounts in memory and their routes under /auth. */
export async function accounts (t: Test, overrides: AuthPluginOptions = {}, routes: AuthRoutesOptions = {}, serverOptions: FastifyServerOptions = {}): Promise<AccountsApp> {
  const { store = memoryStore() } = overrides
  const app = await build(t, { passwords: cheapHash, ...overrides, store }, serverOptions)
  await app.register(authRoutes, { prefix: '/auth', ...routes })
  const events: AccountsApp['events'] = []
  for (const name of Object.keys(NAMES) as AuthEventName[]) {
    app.bouncer.events.on(name, (event) => { events.push({ name, event }) })
  }
  let users = 0
  const call: AccountsApp['call'] = async (method, path, payload, token, headers = {}) => await app.inject({
    method,
    url: `/auth${path}`,
    ...(payload !== undefined && { payload }),
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  })
  return {
    app,
    events,
    happened: (name) => events.filter((one) => one.name === name).map((one) => one.event) as never,
    call,
    async signUp ({ email = `user${++users}@example.com`, username, roles = [] } = {}) {
      const { id } = await app.bouncer.users.create({ email, roles, is_verified: true, ...(username !== undefined && { username }) })
      await store.users.update(id, { passwordHash: await hashed })
      return { id, email, ...await tokensOf(app.bouncer.login({ email, password })) }
    }
  }
}

/** Takes over the clock until the test ends; the function returned lets seconds pass. Timers go on as they are. */
export function clock (t: Test): (seconds: number) => void {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.teardown(() => { mock.timers.reset() })
  return (seconds) => { mock.timers.setTime(Date.now() + seconds * 1000) }
}

/** Waits until something is so; fails after five seconds. */
export async function until (so: () => boolean | Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!await so()) {
    if (performance.now() - started > 5000) throw new Error('It did not come to be')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The token of the event of this name that came so many-th; waits for it, since it may come after the answer. */
export async function mailed ({ happened }: AccountsApp, name: 'verification_requested' | 'password_reset_requested', which = 1): Promise<string> {
  await until(() => happened(name).length >= which)
  return happened(name)[which - 1]?.token as string
}

/** What a client can compare of an answer: everything but its date. */
export function visible ({ statusCode, payload, headers }: LightMyRequestResponse): object {
  const { date, ...rest } = headers
  return { statusCode, payload, headers: rest }
}

/** The tokens of a sign-in that is asked for nothing more. */
export async function tokensOf (answer: Promise<SignInAnswer>): Promise<Tokens> {
  const given = await answer
  if ('challenge_name' in given) throw new Error(`a challenge: ${given.challenge_name}`)
  return given
}
