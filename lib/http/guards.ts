import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Group, Role, Scope, User } from '../context.js'
import { withoutStack } from '../errors/auth-error.js'
import { MissingTokenError } from '../errors/authentication.js'
import { ConfigurationError } from '../errors/operation.js'
import { identityOf, type Authenticator } from './authenticate.js'
import { namesPolicy, optionalPolicy, userPolicy, type Policy } from './policy.js'

const policyKey = Symbol('fastify-bouncer.policy')
const factoryKey = Symbol('fastify-bouncer.factory')

/** A hook for `onRequest` or `preHandler`, alone or in a list. Called without `done` it returns a promise. */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void
  (request: FastifyRequest, reply: FastifyReply): Promise<void>
}

/** The guards of an instance. Several on one route must all let the request pass. */
export interface Guards {
  /** Asks for any user. */
  requireUser (): Guard
  /** Lets strangers pass, and refuses bad tokens all the same. */
  optionalUser (): Guard
  /** Asks for at least one of these roles. */
  requireRole (...roles: [Role, ...Role[]]): Guard
  /** Asks for all of these roles. */
  requireAllRoles (...roles: [Role, ...Role[]]): Guard
  /** Asks for at least one of these groups. */
  requireGroup (...groups: [Group, ...Group[]]): Guard
  /** Asks for all of these groups. */
  requireAllGroups (...groups: [Group, ...Group[]]): Guard
  /** Asks for at least one of these scopes. */
  requireScope (...scopes: [Scope, ...Scope[]]): Guard
  /** Asks for all of these scopes. */
  requireAllScopes (...scopes: [Scope, ...Scope[]]): Guard
}

/** Lets a request pass or throws; a promise only where authentication needs one. */
export type Enforcer = (request: FastifyRequest, policy: Policy) => void | Promise<void>

/** Sends, or passes on, what stood in a request's way. */
export type Refuser = (error: unknown, request: FastifyRequest, reply: FastifyReply, done: (error: Error) => void) => void

/** Enforces policies by `authenticate`. */
export function createEnforcer (authenticate: Authenticator): Enforcer {
  return (request, policy) => {
    let user: User | Promise<User>
    try {
      user = authenticate(request)
    } catch (error) {
      return admitStranger(request, policy, error)
    }
    if (!(user instanceof Promise)) return admit(request, policy, user)
    return user.then((found) => admit(request, policy, found), (error) => admitStranger(request, policy, error))
  }
}

function admit (request: FastifyRequest, policy: Policy, user: User): void {
  if (policy.checks.length > 0) {
    withoutStack(() => {
      for (const check of policy.checks) check(user)
    })
  }
  identityOf(request).admitted = policy
}

function admitStranger (request: FastifyRequest, policy: Policy, error: unknown): void {
  if (!policy.optional || !(error instanceof MissingTokenError)) throw error
  identityOf(request).admitted = policy
}

/** The hook that enforces `policy`. */
export function createGuard (policy: Policy, enforce: Enforcer, refuse: Refuser): Guard {
  function guard (request: FastifyRequest, reply: FastifyReply, done?: (error?: Error) => void): void | Promise<void> {
    if (done === undefined) return (async () => { await enforce(request, policy) })()
    let pending
    try {
      pending = enforce(request, policy)
    } catch (error) {
      refuse(error, request, reply, done)
      return
    }
    if (pending === undefined) done()
    else pending.then(() => { done() }, (error) => { refuse(error, request, reply, done) })
  }
  return Object.assign(guard as Guard, { [policyKey]: policy })
}

/** The guard factories, each checking its arguments when a route is declared. */
export function createGuards (guard: (policy: Policy) => Guard): Guards {
  const byName = (name: string, kind: 'role' | 'group' | 'scope', requireAll: boolean) =>
    (...names: string[]) => guard(namesPolicy(kind, names, requireAll, `${name}()`))
  const plain = (name: string, policy: Policy) => (...unexpected: unknown[]) => {
    // As a hook it would be called with a request, and return without checking.
    if (unexpected.length > 0) throw notCalled(name)
    return guard(policy)
  }
  const guards: Guards = {
    requireUser: plain('requireUser', userPolicy),
    optionalUser: plain('optionalUser', optionalPolicy),
    requireRole: byName('requireRole', 'role', false),
    requireAllRoles: byName('requireAllRoles', 'role', true),
    requireGroup: byName('requireGroup', 'group', false),
    requireAllGroups: byName('requireAllGroups', 'group', true),
    requireScope: byName('requireScope', 'scope', false),
    requireAllScopes: byName('requireAllScopes', 'scope', true)
  }
  for (const [name, factory] of Object.entries(guards)) Object.assign(factory, { [factoryKey]: name })
  return guards
}

/** Where a guard can refuse: before the handler, in hooks that take nothing but request, reply and `done`. */
const GUARDED_STAGES: readonly string[] = ['onRequest', 'preValidation', 'preHandler']

/**
 * The policy of a hook, if it is a guard. Throws {@link ConfigurationError} for
 * a factory that was not called (`preHandler: app.requireUser`), and for a guard
 * in a stage where it cannot refuse, such as `onResponse`.
 */
export function policyOf (hook: unknown, stage: string): Policy | undefined {
  if (typeof hook !== 'function') return undefined
  const { [policyKey]: policy, [factoryKey]: factory } = hook as { [policyKey]?: Policy, [factoryKey]?: string }
  if (factory !== undefined) throw notCalled(factory)
  if (policy !== undefined && !GUARDED_STAGES.includes(stage)) {
    throw new ConfigurationError({ option: stage, message: `A guard is given as ${stage}, where it cannot refuse. Give it as onRequest or preHandler.` })
  }
  return policy
}

function notCalled (name: string): ConfigurationError {
  return new ConfigurationError({ option: `${name}()`, message: `${name} is given as a hook without being called. Write ${name}(...), with its names if it takes any.` })
}
