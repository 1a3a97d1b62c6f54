import { bearer, now } from './build.js'

/** What a test's caller has, by the claims of his token; strangers and bad tokens have none. */
export interface Caller {
  name: string
  headers: Record<string, string>
  kind: 'stranger' | 'malformed' | 'bad' | 'user'
  roles: readonly string[]
  groups: readonly string[]
  scopes: readonly string[]
}

const nothing = { roles: [], groups: [], scopes: [] }
const none: readonly string[] = []
const some = ['a']
const all = ['a', 'b']

function user ([roles = none, groups = none, scopes = none]: ReadonlyArray<readonly string[]>): Caller {
  return {
    name: `a user with roles ${roles.join()}; groups ${groups.join()}; scopes ${scopes.join()}`,
    kind: 'user',
    headers: bearer({ roles, groups, scope: scopes.join(' ') }),
    roles,
    groups,
    scopes
  }
}

/** A stranger, a malformed header, an expired token, and users with a mix of nothing, `a`, and `a` and `b`. */
export const callers: readonly Caller[] = [
  { name: 'a stranger', kind: 'stranger', headers: {}, ...nothing },
  { name: 'a malformed header', kind: 'malformed', headers: { authorization: 'Bearer a b' }, ...nothing },
  // The token would be enough for every guard if it were still valid.
  { name: 'an expired token', kind: 'bad', headers: bearer({ exp: now() - 10, roles: all, groups: all, scope: 'a b' }), ...nothing },
  ...[none, all].flatMap((roles) => [none, all].flatMap((groups) => [none, all].map((scopes) => user([roles, groups, scopes])))),
  user([some, all, all]), user([all, some, all]), user([all, all, some]), user([some, some, some])
]
