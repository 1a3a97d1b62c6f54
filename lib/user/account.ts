import type { Account, StoredUser } from '../store/contract.js'

const MAX_EMAIL = 254
const MAX_LOCAL_PART = 64
const MAX_USERNAME = 64
/** What mail programs read as a list of addresses, a comment or a name beside one (RFC 5322, section 3.2.3). */
const SPECIAL = /[()<>[\]:;,\\"]/
/** Blanks, control characters, what has no glyph, and the pattern of Braille without a dot. */
const UNSEEN = /[\s\p{C}\p{Default_Ignorable_Code_Point}\u2800]/u

/** The user as everybody may see it. */
export function accountOf ({ id, email, username, roles, isActive, isVerified }: StoredUser): Account {
  return { id, email, username, roles: [...roles], is_active: isActive, is_verified: isVerified }
}

/** Why a user cannot be signed in, or undefined. */
export function unavailability (user: StoredUser | undefined, requireVerified: boolean): 'deleted' | 'deactivated' | 'unverified' | undefined {
  if (user === undefined) return 'deleted'
  if (!user.isActive) return 'deactivated'
  return requireVerified && !user.isVerified ? 'unverified' : undefined
}

/** What a password must not resemble. */
export function namesOf ({ email, username }: StoredUser): Pick<StoredUser, 'email' | 'username'> {
  return { email, username }
}

/**
 * An e-mail address in the one spelling it is stored and looked up in: trimmed,
 * lower case, NFC. Undefined for what cannot be an address (RFC 5321, sections
 * 4.5.3.1 and 2.3.11: local part up to 64 octets, 254 in all), and for quoted
 * local parts and numeric domains, which are; whether mail arrives is what
 * verification is for.
 */
export function normalizeEmail (value: string): string | undefined {
  // Before anything else looks at it: nothing runs on unbounded input.
  if (value.length > MAX_EMAIL + 2) return undefined
  const email = value.trim().toLowerCase().normalize('NFC')
  const [local = '', domain = '', ...rest] = email.split('@')
  if (rest.length > 0 || local === '' || domain === '' || UNSEEN.test(email) || SPECIAL.test(email)) return undefined
  if (domain.startsWith('.') || domain.endsWith('.') || domain.includes('..')) return undefined
  return Buffer.byteLength(local) <= MAX_LOCAL_PART && Buffer.byteLength(email) <= MAX_EMAIL ? email : undefined
}

/**
 * A user name in the one spelling it is stored and looked up in: NFKC and lower
 * case, so that no two look alike by their form only. Undefined for what is
 * none: empty, over 64 characters, with blanks or with what nobody sees, or with
 * an `@`, which would look like an address.
 */
export function normalizeUsername (value: string): string | undefined {
  if (value.length > MAX_USERNAME) return undefined
  // Once more, since a small letter can have a composed form where the capital has none.
  const username = value.normalize('NFKC').toLowerCase().normalize('NFKC')
  return username === '' || username.length > MAX_USERNAME || username.includes('@') || UNSEEN.test(username) ? undefined : username
}

/** The names of a user that are given, normalised. Throws `TypeError` for what is no address and no user name. */
export function normalizedNames (names: { email?: string | undefined, username?: string | null | undefined }): { email?: string, username?: string | null } {
  const { email, username } = names
  return {
    ...(email !== undefined && { email: required(email, normalizeEmail, 'email is no e-mail address') }),
    ...(username !== undefined && { username: username === null ? null : required(username, normalizeUsername, 'username is no user name: 1 to 64 characters without blanks and without @') })
  }
}

/** The names without an address that is the user's already: written again it would undo a change that was made meanwhile. */
export function movedNames ({ email: before }: StoredUser, { email, ...names }: { email?: string, username?: string | null }): { email?: string, username?: string | null } {
  return { ...names, ...(email !== undefined && email !== before && { email }) }
}

/** Role names, each once and sorted. Throws `TypeError` for what is no name. */
export function normalizedRoles (roles: readonly string[]): readonly string[] {
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string' && isRole(role))) {
    throw new TypeError('roles is a list of role names: strings that are not empty, without control characters')
  }
  return [...new Set(roles)].sort()
}

/** Whether every store can keep it, and everybody read it. */
export function isRole (role: string): boolean {
  return role !== '' && !/[\p{Cc}\p{Cs}]/u.test(role)
}

/** A flag as it is. Throws `TypeError` for what is neither true nor false: the text `'false'` would be true. */
export function requiredFlag (value: boolean, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} is neither true nor false`)
  return value
}

function required (value: string, normalize: (value: string) => string | undefined, problem: string): string {
  const normal = typeof value === 'string' ? normalize(value) : undefined
  if (normal === undefined) throw new TypeError(problem)
  return normal
}
