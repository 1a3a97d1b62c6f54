import { AsyncLocalStorage } from 'node:async_hooks'
import { hasAll, hasAny } from './access.js'
import { MissingTokenError } from './errors/authentication.js'
import { InsufficientGroupsError, InsufficientRolesError, InsufficientScopeError } from './errors/authorization.js'

/**
 * Narrow the names your application knows, and a misspelt one no longer compiles:
 * `declare module 'fastify-bouncer' { interface AuthTypes { role: 'admin' | 'editor' } }`.
 * Keys: `role`, `group`, `scope`, `claims`.
 */
export interface AuthTypes {}

type Narrowed<Key extends string, Default> = AuthTypes extends Record<Key, infer Narrow> ? Narrow : Default

/** A role name; any string unless {@link AuthTypes} narrows it. */
export type Role = Narrowed<'role', string>
/** A group name; any string unless {@link AuthTypes} narrows it. */
export type Group = Narrowed<'group', string>
/** A scope; any string unless {@link AuthTypes} narrows it. */
export type Scope = Narrowed<'scope', string>
/** The claims of a token; unknown values by name unless {@link AuthTypes} narrows them. */
export type Claims = Narrowed<'claims', Readonly<Record<string, unknown>>>

/** Who is signed in: the value of `request.user`. */
export interface User {
  /** The token's `sub`. */
  readonly id: string
  readonly roles: readonly Role[]
  readonly groups: readonly Group[]
  readonly scopes: readonly Scope[]
  readonly email?: string
  /** The client that the token was given to, where the token names one. */
  readonly clientId?: string
  /** True where that client acts for itself (client credentials, RFC 6749, section 4.4); absent for people. */
  readonly machine?: true
  /** All verified claims, frozen. */
  readonly claims: Claims
  /** How the credentials came. */
  readonly method: 'bearer' | 'basic'
}

/** What one request knows about its user; filled in by authentication. */
export interface Identity {
  user: User | null
}

const storage = new AsyncLocalStorage<Identity>()

/** Runs `next` where {@link securityContext} answers for `identity`. Without effect when it does already. */
export function runAs (identity: Identity, next: () => void): void {
  if (storage.getStore() === identity) next()
  else storage.run(identity, next)
}

/**
 * Who is acting now, anywhere below a request handler: one request's user, kept
 * across awaits, timers, body parsing and errors, never another request's.
 */
export const securityContext = {
  /** The user, or null when nobody is signed in. */
  get (): User | null {
    return storage.getStore()?.user ?? null
  },

  /** The user. Throws {@link MissingTokenError} (401) when nobody is signed in. */
  require (): User {
    const user = securityContext.get()
    if (user === null) throw new MissingTokenError()
    return user
  },

  /** The user's roles; none when nobody is signed in. */
  roles (): readonly Role[] {
    return securityContext.get()?.roles ?? []
  },

  /** The user's groups; none when nobody is signed in. */
  groups (): readonly Group[] {
    return securityContext.get()?.groups ?? []
  },

  /** The user's scopes; none when nobody is signed in. */
  scopes (): readonly Scope[] {
    return securityContext.get()?.scopes ?? []
  },

  hasRole (role: Role): boolean {
    return securityContext.roles().includes(role)
  },

  hasGroup (group: Group): boolean {
    return securityContext.groups().includes(group)
  },

  hasScope (scope: Scope): boolean {
    return securityContext.scopes().includes(scope)
  },

  /** The user, who has at least one of these roles. Throws {@link MissingTokenError} (401) or {@link InsufficientRolesError} (403). */
  requireRole (...roles: Role[]): User {
    return acting((user) => missingRoles(user, roles, false))
  },

  /** The user, who has all of these roles. Throws {@link MissingTokenError} (401) or {@link InsufficientRolesError} (403). */
  requireAllRoles (...roles: Role[]): User {
    return acting((user) => missingRoles(user, roles, true))
  },

  /** The user, who is in at least one of these groups. Throws {@link MissingTokenError} (401) or {@link InsufficientGroupsError} (403). */
  requireGroup (...groups: Group[]): User {
    return acting((user) => missingGroups(user, groups, false))
  },

  /** The user, who is in all of these groups. Throws {@link MissingTokenError} (401) or {@link InsufficientGroupsError} (403). */
  requireAllGroups (...groups: Group[]): User {
    return acting((user) => missingGroups(user, groups, true))
  },

  /** The user, who has at least one of these scopes. Throws {@link MissingTokenError} (401) or {@link InsufficientScopeError} (403). */
  requireScope (...scopes: Scope[]): User {
    return acting((user) => missingScopes(user, scopes, false))
  },

  /** The user, who has all of these scopes. Throws {@link MissingTokenError} (401) or {@link InsufficientScopeError} (403). */
  requireAllScopes (...scopes: Scope[]): User {
    return acting((user) => missingScopes(user, scopes, true))
  }
}

/** What a user without the roles is refused with; undefined when there is nothing to refuse. */
export function missingRoles (user: User, requiredRoles: readonly string[], requireAll: boolean): InsufficientRolesError | undefined {
  if ((requireAll ? hasAll : hasAny)(user.roles, requiredRoles)) return undefined
  return new InsufficientRolesError({ requiredRoles: new Set(requiredRoles), userRoles: new Set(user.roles), requireAll })
}

/** What a user outside the groups is refused with; undefined when there is nothing to refuse. */
export function missingGroups (user: User, requiredGroups: readonly string[], requireAll: boolean): InsufficientGroupsError | undefined {
  if ((requireAll ? hasAll : hasAny)(user.groups, requiredGroups)) return undefined
  return new InsufficientGroupsError({ requiredGroups: new Set(requiredGroups), userGroups: new Set(user.groups), requireAll })
}

/** What a user without the scopes is refused with; undefined when there is nothing to refuse. */
export function missingScopes (user: User, requiredScopes: readonly string[], requireAll: boolean): InsufficientScopeError | undefined {
  if ((requireAll ? hasAll : hasAny)(user.scopes, requiredScopes)) return undefined
  return new InsufficientScopeError({ requiredScopes, userScopes: new Set(user.scopes), requireAll })
}

function acting (missing: (user: User) => Error | undefined): User {
  const user = securityContext.require()
  const refusal = missing(user)
  if (refusal !== undefined) throw refusal
  return user
}
