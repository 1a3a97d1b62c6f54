import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Group, Role, Scope, User } from '../context.js'
import { withoutStack, type AuthError } from '../errors/auth-error.js'
import { MissingTokenError } from '../errors/authentication.js'
import { ConfigurationError } from '../errors/operation.js'
import { isThenable } from '../promise.js'
import type { Authenticator, RequestIdentity } from './authenticate.js'
import { namesPolicy, optionalPolicy, userPolicy, type Policy } from './policy.js'
import type { Refuser } from './refusal.js'
import type { SignedRequestOptions } from './signed-request.js'
import type { SignedUrlOptions } from './signed-url.js'

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
  /** Asks for a URL that `signer.signUrl()` made, and for nobody. */
  requireSignedUrl (options: SignedUrlOptions): Guard
  /** Asks for a request that `signRequest()` signed, and for nobody. For `preHandler` and `preValidation`: it reads the body. */
  requireSignedRequest (options: SignedRequestOptions): Guard
}

/** The policies of signatures, which need more than their options. */
export interface SignaturePolicies {
  signedUrl: (options: SignedUrlOptions) => Policy
  signedRequest: (options: SignedRequestOptions) => Policy
}

/** What an {@link Enforcer} answers with for a request that may pass. */
export const ADMITTED = Symbol('fastify-bouncer.admitted')

/** Answers {@link ADMITTED}, or with what stands in a request's way; a promise only where authentication needs one. */
export type Enforcer = (request: FastifyRequest, policy: Policy) => unknown

/** Enforces policies by `authenticate`. */
export function createEnforcer (authenticate: Authenticator): Enforcer {
  function askUser (request: FastifyRequest, policy: Policy): unknown {
    if (policy.asks === 'nobody') return ADMITTED
    const identity = authenticate(request)
    return isThenable(identity) ? identity.then((settled) => decide(settled, policy)) : decide(identity, policy)
  }
  async function askProofs (request: FastifyRequest, policy: Policy): Promise<unknown> {
    for (const proof of policy.proofs) await proof.verify(request)
    return await askUser(request, policy)
  }
  return (request, policy) => policy.proofs.length === 0 ? askUser(request, policy) : askProofs(request, policy)
}

function decide (identity: RequestIdentity, policy: Policy): unknown {
  const { user, refusal } = identity
  if (user === null || user === undefined) {
    if (policy.asks !== 'optional' || !(refusal instanceof MissingTokenError)) return refusal
  } else if (policy.checks.length > 0) {
    const missing = withoutStack(() => firstMissing(user, policy))
    if (missing !== undefined) return missing
  }
  return ADMITTED
}

function firstMissing (user: User, { checks }: Policy): AuthError | undefined {
  for (const check of checks) {
    const missing = check(user)
    if (missing !== undefined) return missing
  }
  return undefined
}

/** The hook that enforces `policy`. Whatever the answer is, only {@link ADMITTED} lets a request pass. */
export function createGuard (policy: Policy, enforce: Enforcer, refuse: Refuser): Guard {
  async function inline (request: FastifyRequest): Promise<void> {
    const outcome = await enforce(request, policy)
    if (outcome !== ADMITTED) throw outcome
  }
  function guard (request: FastifyRequest, reply: FastifyReply, done?: (error?: Error) => void): void | Promise<void> {
    if (done === undefined) {
      const outcome = inline(request)
      // Whoever forgets to await it has no guard; but no stranger shall end the process.
      outcome.catch(() => {})
      return outcome
    }
    const conclude = (outcome: unknown): void => {
      if (outcome === ADMITTED) done()
      else refuse(outcome, request, reply, done)
    }
    const stop = (error: unknown): void => { refuse(error, request, reply, done) }
    try {
      const outcome = enforce(request, policy)
      if (!isThenable(outcome)) conclude(outcome)
      // What fails while an answer is made must be answered too.
      else Promise.resolve(outcome).then(conclude, stop).catch(stop)
    } catch (error) {
      stop(error)
    }
  }
  return Object.assign(guard as Guard, { [policyKey]: policy })
}

/** The guard factories, each checking its arguments when a route is declared. */
export function createGuards (guard: (policy: Policy) => Guard, { signedUrl, signedRequest }: SignaturePolicies): Guards {
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
    requireAllScopes: byName('requireAllScopes', 'scope', true),
    requireSignedUrl: (options) => guard(signedUrl(options)),
    requireSignedRequest: (options) => guard(signedRequest(options))
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
  if (stage === 'onRequest' && policy?.proofs.some(({ beforeBody }) => beforeBody !== undefined) === true) {
    throw new ConfigurationError({ option: stage, message: 'requireSignedRequest() is given as onRequest, where no body has been read that it could verify. Give it as preHandler; the rest of the signature is verified before the body is read.' })
  }
  return policy
}

function notCalled (name: string): ConfigurationError {
  return new ConfigurationError({ option: `${name}()`, message: `${name} is given as a hook without being called. Write ${name}(...), with its names if it takes any.` })
}
