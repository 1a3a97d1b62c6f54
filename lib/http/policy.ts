import { missingGroups, missingRoles, missingScopes, type User } from '../context.js'
import type { AuthError, AuthErrorClass } from '../errors/auth-error.js'
import { scopeTokens } from '../errors/authentication.js'
import { InsufficientGroupsError, InsufficientRolesError, InsufficientScopeError } from '../errors/authorization.js'
import { ConfigurationError } from '../errors/operation.js'

/** What a route asks of its callers. */
export interface Policy {
  /** Strangers pass; a bad token is still refused. */
  readonly optional: boolean
  /** Each answers with the refusal of a user who lacks something. */
  readonly checks: ReadonlyArray<(user: User) => AuthError | undefined>
  /** What the checks answer with. */
  readonly refusals: readonly AuthErrorClass[]
}

export const userPolicy: Policy = { optional: false, checks: [], refusals: [] }
export const optionalPolicy: Policy = { optional: true, checks: [], refusals: [] }

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
  return { optional: false, checks: [(user) => check(user, wanted, requireAll)], refusals: [refusal] }
}

/** The policy that asks for everything that `policies` ask for. */
export function combine (policies: readonly Policy[]): Policy {
  return {
    optional: policies.every((policy) => policy.optional),
    checks: policies.flatMap((policy) => policy.checks),
    refusals: [...new Set(policies.flatMap((policy) => policy.refusals))]
  }
}
