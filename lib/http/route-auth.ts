import type { Group, Role, Scope } from '../context.js'
import { ConfigurationError } from '../errors/operation.js'
import { own } from '../token/claims.js'
import { readDocumentedErrors, type CodedClass, type DocumentedError } from './documented-error.js'
import { combine, namesPolicy, optionalPolicy, userPolicy, type Policy } from './policy.js'
import { readStepUp } from './step-up.js'

/**
 * `config.auth` of a route: `false` for an anonymous route, `true` for any user,
 * or what the user must have. All of it is required together.
 */
export type RouteAuth = boolean | {
  /** At least one of these roles. */
  roles?: readonly Role[]
  /** All of these roles. */
  allRoles?: readonly Role[]
  /** At least one of these groups. */
  groups?: readonly Group[]
  /** All of these groups. */
  allGroups?: readonly Group[]
  /** At least one of these scopes. */
  scopes?: readonly Scope[]
  /** All of these scopes. */
  allScopes?: readonly Scope[]
  /** Seconds, 0 or more, that may have passed since the sign-in (the token's `auth_time`; RFC 9470). */
  maxAge?: number
  /** A sign-in with two factors (the token's `amr`; RFC 8176). */
  factors?: 2
  /** Let strangers through, and refuse bad tokens all the same. */
  optional?: boolean
  /** What the handler itself throws, for the OpenAPI document: classes, or `{ errorClass, code }` where it gives one a code of its own. */
  errors?: readonly DocumentedError[]
}

/** What a route says of itself in `config.auth`. */
export type Declaration =
  | { readonly kind: 'silent' }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'asking', readonly policy: Policy, readonly errors: readonly CodedClass[] }

const LISTS = {
  roles: ['role', false],
  allRoles: ['role', true],
  groups: ['group', false],
  allGroups: ['group', true],
  scopes: ['scope', false],
  allScopes: ['scope', true]
} as const

const KEYS = new Set([...Object.keys(LISTS), 'maxAge', 'factors', 'optional', 'errors'])

/** Whether a value asks for a user in the way of `config.auth`: other plugins may use the name for something else. */
export function looksDeclared (auth: unknown): boolean {
  if (auth === true) return true
  if (typeof auth !== 'object' || auth === null || Array.isArray(auth)) return false
  const keys = Object.keys(auth)
  return keys.length > 0 && keys.every((key) => KEYS.has(key))
}

/** Reads `config.auth`. Throws {@link ConfigurationError} for what cannot be meant. */
export function readDeclaration (config: object | undefined): Declaration {
  if (config === undefined || !Object.hasOwn(config, 'auth')) return { kind: 'silent' }
  const auth = own(config, 'auth')
  if (auth === false) return { kind: 'anonymous' }
  if (auth === true) return { kind: 'asking', policy: userPolicy, errors: [] }
  if (typeof auth !== 'object' || auth === null || Array.isArray(auth)) {
    throw refuse('config.auth', 'must be true, false, or an object such as { roles: [\'admin\'] }')
  }
  const asked = auth as Record<string, unknown>
  const keys = Object.keys(asked)
  if (keys.length === 0) throw refuse('config.auth', 'is an empty object; write true to ask for any user')
  for (const key of keys) {
    if (!KEYS.has(key)) throw refuse(`config.auth.${key}`, `is not known; known are ${[...KEYS].join(', ')}`)
    if (asked[key] === undefined) throw refuse(`config.auth.${key}`, 'is undefined; leave it out or give it a value')
  }
  return { kind: 'asking', policy: readPolicy(asked), errors: Object.hasOwn(asked, 'errors') ? readDocumentedErrors(asked.errors, 'config.auth.errors') : [] }
}

function readPolicy (asked: Record<string, unknown>): Policy {
  const policies = Object.entries(LISTS).flatMap(([key, [kind, requireAll]]) => {
    const names = own(asked, key)
    if (names === undefined) return []
    if (!Array.isArray(names)) throw refuse(`config.auth.${key}`, 'must be a list of names')
    return [namesPolicy(kind, names, requireAll, `config.auth.${key}`)]
  })
  const stepUp = readStepUp(asked)
  // Last: whoever lacks a role would sign in once more for nothing.
  if (stepUp !== undefined) policies.push(stepUp)
  const optional = own(asked, 'optional') ?? false
  if (typeof optional !== 'boolean') throw refuse('config.auth.optional', 'must be true or false')
  if (!optional) return combine([userPolicy, ...policies])
  if (policies.length > 0) throw refuse('config.auth.optional', 'lets strangers through while other keys ask for a user; keep one of them')
  return optionalPolicy
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: `${option} ${problem}.` })
}
