import type { FastifyRequest, preParsingHookHandler } from 'fastify'
import { missingGroups, missingRoles, missingScopes, type User } from '../context.js'
import type { AuthError, AuthErrorClass } from '../errors/auth-error.js'
import { scopeTokens } from '../errors/authentication.js'
import { InsufficientGroupsError, InsufficientRolesError, InsufficientScopeError } from '../errors/authorization.js'
import { ConfigurationError } from '../errors/operation.js'

/** What a request has to show by itself, whoever sends it. */
export interface Proof {
  /** What it is called in a document. */
  readonly scheme: 'signedUrl' | 'signedRequest'
  /** Throws, or rejects with, what is wrong with the request. */
  verify (request: FastifyRequest): void | Promise<void>
  /** Looks at the body while it is read; without it, `verify` refuses. */
  readonly beforeBody?: preParsingHookHandler
}

/** What a route asks of its callers. */
export interface Policy {
  /** A user; or strangers pass too, but no bad token; or nobody is asked for, and no credentials are looked at. */
  readonly asks: 'user' | 'optional' | 'nobody'
  readonly proofs: readonly Proof[]
  /** Each answers with the refusal of a user who lacks something. */
  readonly checks: ReadonlyArray<(user: User) => AuthError | undefined>
  /** What the checks answer with. */
  readonly refusals: readonly AuthErrorClass[]
}

export const userPolicy: Policy = { asks: 'user', proofs: [], checks: [], refusals: [] }
export const optionalPolicy: Policy = { asks: 'optional', proofs: [], checks: [], refusals: [] }

/** The policy that asks for a proof, and for nobody. */
export function proofPolicy (proof: Proof, refusals: readonly AuthErrorClass[]): Policy {
  return { asks: 'nobody', proofs: [proof], checks: [], refusals }
}

type Kind = 'role' | 'group' | 'scope'

const KINDS = {
  role: { check: missingRoles, refusal: InsufficientRolesError },
  group: { check: missingGroups, refusal: InsufficientGroupsError },
  scope: { check: missingScopes, refusal: InsufficientScopeError }
} as const

/**
 * The policy that asks for any, or all, of `names`. Throws
 * {@link ConfigurationError} for no names, and for names that are none.
 */
export function namesPolicy (kind: Kind, names: readonly unknown[], requireAll: boolean, option: string): Policy {
  if (names.length === 0) {
    throw new ConfigurationError({ option, message: `${option} names no ${kind}. Give at least one, or ask for any user with requireUser().` })
  }
  if (!names.every((name): name is string => typeof name === 'string' && name !== '')) {
    throw new ConfigurationError({ option, message: `${option} takes ${kind} names: strings that are not empty.` })
  }
  if (kind === 'scope' && scopeTokens(names).length < names.length) {
    throw new ConfigurationError({ option, message: `${option} takes scopes of RFC 6749: printable characters without spaces, quotes and backslashes, one scope each.` })
  }
  const wanted = Object.freeze([...new Set(names)])
  const { check, refusal } = KINDS[kind]
  return { asks: 'user', proofs: [], checks: [(user) => check(user, wanted, requireAll)], refusals: [refusal] }
}

/** The policy that asks for everything that `policies` ask for. */
export function combine (policies: readonly Policy[]): Policy {
  return {
    asks: (['user', 'optional'] as const).find((asked) => policies.some(({ asks }) => asks === asked)) ?? 'nobody',
    proofs: policies.flatMap((policy) => policy.proofs),
    checks: policies.flatMap((policy) => policy.checks),
    refusals: [...new Set(policies.flatMap((policy) => policy.refusals))]
  }
}

/** Whether any of the policies has to do with users: a signature is asked of a request, and of nobody. */
export function asksForUsers (policies: readonly Policy[]): boolean {
  return policies.some(({ asks }) => asks !== 'nobody')
}

/** What a policy, if there is one, looks at bodies with. */
export function bodyHooks (policy: Policy | undefined): preParsingHookHandler[] {
  return (policy?.proofs ?? []).flatMap(({ beforeBody }) => beforeBody ?? [])
}
