import { names } from '../access.js'
import type { Claims, Role, User } from '../context.js'
import { AuthError } from '../errors/auth-error.js'
import { AuthUnavailableError } from '../errors/operation.js'
import { isThenable } from '../promise.js'
import { own } from './claims.js'
import type { RawClaims } from './key-source.js'

/** Finds the roles of a token's bearer. Whatever is not a list of names counts as no roles. */
export type RoleResolver = (claims: Claims) => readonly string[] | Promise<readonly string[]>

/** Where the tokens of an issuer say who their bearer is. What cannot be found, or is of another type, is nothing. */
export interface ClaimReader {
  readonly roles: (claims: Readonly<RawClaims>) => readonly string[]
  readonly groups: (claims: Readonly<RawClaims>) => readonly string[]
  readonly scopes: (claims: Readonly<RawClaims>) => readonly string[]
  /** The id of the client that the token was given to. */
  readonly client: (claims: Readonly<RawClaims>) => string | undefined
  /** Whether that client got the token for itself, so that no person stands behind it. */
  readonly isMachine: (claims: Readonly<RawClaims>, client: string | undefined) => boolean
}

/** The claim `roles` (a list) or, without it, `role` (one name). */
export const rolesFromClaims = (claims: Readonly<RawClaims>): readonly string[] => {
  const roles = own(claims, 'roles')
  return roles === undefined ? names([own(claims, 'role')]) : names(roles)
}

/**
 * Reads claims by the names of the standards: `roles` or `role`, `groups`;
 * `scope`, `scp` or `scopes`; `client_id` or `azp`. A token whose subject is its
 * client belongs to a machine (RFC 9068, section 2.2).
 */
export const standardReader: ClaimReader = {
  roles: rolesFromClaims,
  groups: (claims) => names(own(claims, 'groups')),
  scopes: scopesFromClaims,
  client: (claims) => text(own(claims, 'client_id')) ?? text(own(claims, 'azp')),
  isMachine: (claims, client) => client !== undefined && client === claims.sub
}

/**
 * The user that verified claims speak of. Throws {@link AuthUnavailableError}
 * when the role resolver fails: who has no known roles must not be let in
 * somewhere by accident, nor be told that he lacks them.
 */
export function userFromClaims (claims: Readonly<RawClaims>, resolver?: undefined, reader?: ClaimReader): User
export function userFromClaims (claims: Readonly<RawClaims>, resolver: RoleResolver | undefined, reader?: ClaimReader): User | Promise<User>
export function userFromClaims (claims: Readonly<RawClaims>, resolver?: RoleResolver, reader: ClaimReader = standardReader): User | Promise<User> {
  if (resolver === undefined) return user(claims, reader.roles(claims), reader)
  try {
    const roles = resolver(claims as Claims)
    return isThenable(roles)
      ? Promise.resolve(roles).then((found) => user(claims, names(found), reader), failed)
      : user(claims, names(roles), reader)
  } catch (error) {
    return failed(error)
  }
}

type Draft = { -readonly [Key in keyof User]: User[Key] }

function user (claims: Readonly<RawClaims>, roles: readonly string[], reader: ClaimReader): User {
  const id = claims.sub as string
  const email = own(claims, 'email')
  const groups = reader.groups(claims)
  const scopes = reader.scopes(claims)
  const client = reader.client(claims)
  const found: Draft = typeof email === 'string'
    ? { id, roles: roles as readonly Role[], groups, scopes, email, claims: claims as Claims, method: 'bearer' }
    : { id, roles: roles as readonly Role[], groups, scopes, claims: claims as Claims, method: 'bearer' }
  if (client !== undefined) found.clientId = client
  if (reader.isMachine(claims, client)) found.machine = true
  return Object.freeze(found)
}

// `scope` is a string of names with spaces between them (RFC 8693, section
// 4.2); `scp` and `scopes`, strings or lists, are what providers make of it.
function scopesFromClaims (claims: Readonly<RawClaims>): readonly string[] {
  return scopeNames(own(claims, 'scope') ?? own(claims, 'scp') ?? own(claims, 'scopes'))
}

/** The scopes in the value of a claim: a list, or a string with spaces between them. */
export function scopeNames (value: unknown): readonly string[] {
  return names(typeof value === 'string' ? value.split(' ') : value)
}

/** A text that is not empty; undefined for anything else. */
export function text (value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function failed (error: unknown): never {
  if (error instanceof AuthError) throw error
  throw new AuthUnavailableError({ dependency: 'roles', cause: error })
}
