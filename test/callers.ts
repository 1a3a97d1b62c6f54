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
const holdings: ReadonlyArray<readonly string[]> = [[], ['a'], ['a', 'b']]

/** A stranger, a malformed header, an expired token, and users with every mix of nothing, `a`, and `a` and `b`. */
export const callers: readonly Caller[] = [
  { name: 'a stranger', kind: 'stranger', headers: {}, ...nothing },
  { name: 'a malformed header', kind: 'malformed', headers: { authorization: 'Bearer a b' }, ...nothing },
  // The token would be enough for every guard if it were still valid.
  { name: 'an expired token', kind: 'bad', headers: bearer({ exp: now() - 10, roles: ['a', 'b'], groups: ['a', 'b'], scope: 'a b' }), ...nothing },
  ...holdings.flatMap((roles) => holdings.flatMap((groups) => holdings.map((scopes) => ({
    name: `roles ${roles.join()} groups ${groups.join()} scopes ${scopes.join()}`,
    kind: 'user' as const,
    headers: bearer({ roles, groups, scope: scopes.join(' ') }),
    roles,
    groups,
    scopes
  }))))
]
