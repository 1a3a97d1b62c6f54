import type { StoredUser, UserChanges, UserConditions } from './contract.js'

/** Roles as they are stored: each once, sorted by code unit on every engine. */
export function sortedRoles (roles: readonly string[]): readonly string[] {
  return [...new Set(roles)].sort()
}

/** The user as a change leaves him. Only known fields are taken; id and time of creation stay. */
export function withChanges (user: StoredUser, changes: UserChanges): StoredUser {
  return {
    id: user.id,
    email: changes.email ?? user.email,
    username: changes.username === undefined ? user.username : changes.username,
    passwordHash: changes.passwordHash === undefined ? user.passwordHash : changes.passwordHash,
    roles: sortedRoles(changes.roles ?? user.roles),
    isActive: changes.isActive ?? user.isActive,
    isVerified: changes.isVerified ?? user.isVerified,
    mustChangePassword: changes.mustChangePassword ?? user.mustChangePassword,
    signedOutAt: changes.signedOutAt === undefined ? user.signedOutAt : changes.signedOutAt,
    createdAt: user.createdAt,
    updatedAt: changes.updatedAt ?? user.updatedAt
  }
}

/** Whether a condition of compare-and-set does not hold for the user as he is. */
export function hasChanged (user: StoredUser, { passwordHash, email }: UserConditions): boolean {
  return (passwordHash !== undefined && user.passwordHash !== passwordHash) || (email !== undefined && user.email !== email)
}

/** Whether the user counts for `keepRole`. */
export function holds (user: StoredUser, role: string, verified = false): boolean {
  return user.isActive && user.roles.includes(role) && (!verified || user.isVerified)
}
