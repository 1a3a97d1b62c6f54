import { names } from '../access.js'
import type { Claims, Role, User } from '../context.js'
import { AuthError } from '../errors/auth-error.js'
import { AuthUnavailableError } from '../errors/operation.js'
import { isThenable } from '../promise.js'
import { own } from './claims.js'
import type { RawClaims } from './key-source.js'

/** Finds the roles of a token's bearer. Whatever is not a list of names counts as no roles. */
export type RoleResolver = (claims: Claims) => readonly string[] | Promise<readonly string[]>

/** The claim `roles` (a list) or, without it, `role` (one name). */
export const rolesFromClaims = (claims: Readonly<RawClaims>): readonly string[] => {
  const roles = own(claims, 'roles')
  return roles === undefined ? names([own(claims, 'role')]) : names(roles)
}

/**
 * The user that verified claims speak of. Throws {@link AuthUnavailableError}
 * when the role resolver fails: who has no known roles must not be let in
 * somewhere by accident, nor be told that he lacks them.
 */
export function userFromClaims (claims: Readonly<RawClaims>): User
export function userFromClaims (claims: Readonly<RawClaims>, resolver: RoleResolver | undefined): User | Promise<User>
export function userFromClaims (claims: Readonly<RawClaims>, resolver?: RoleResolver): User | Promise<User> {
  if (resolver === undefined) return user(claims, rolesFromClaims(claims))
  try {
    const roles = resolver(claims as Claims)
    return isThenable(roles)
      ? Promise.resolve(roles).then((found) => user(claims, names(found)), failed)
      : user(claims, names(roles))
  } catch (error) {
    return failed(error)
  }
}

function user (claims: Readonly<RawClaims>, roles: readonly string[]): User {
  const id = claims.sub as string
  const email = own(claims, 'email')
  const groups = names(own(claims, 'groups'))
  const scopes = scopesFromClaims(claims)
  return Object.freeze(typeof email === 'string'
    ? { id, roles: roles as readonly Role[], groups, scopes, email, claims: claims as Claims, method: 'bearer' }
    : { id, roles: roles as readonly Role[], groups, scopes, claims: claims as Claims, method: 'bearer' })
}

// `scope` is a string of names with spaces between them (RFC 8693, section
// 4.2); `scp` and `scopes`, strings or lists, are what providers make of it.
function scopesFromClaims (claims: Readonly<RawClaims>): readonly string[] {
  const scopes = own(claims, 'scope') ?? own(claims, 'scp') ?? own(claims, 'scopes')
  return names(typeof scopes === 'string' ? scopes.split(' ') : scopes)
}

function failed (error: unknown): never {
  if (error instanceof AuthError) throw error
  throw new AuthUnavailableError({ dependency: 'roles', cause: error })
}
