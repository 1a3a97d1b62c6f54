import t from 'tap'
import { AuthorizationError, InsufficientGroupsError, InsufficientPermissionsError, InsufficientRolesError, InsufficientScopeError } from '../../lib/errors.js'

const kinds = [
  { Class: InsufficientRolesError, names: 'roles' },
  { Class: InsufficientGroupsError, names: 'groups' },
  { Class: InsufficientScopeError, names: 'scopes' }
] as const

t.test('the detail says any or all, and nothing else of what was asked', async (t) => {
  for (const { Class, names } of kinds) {
    const any = `The authenticated user does not have any of the required ${names}.`
    const all = `The authenticated user does not have all of the required ${names}.`
    t.equal(new Class().detail, any)
    t.equal(new Class({ requireAll: false }).detail, any)
    t.equal(new Class({ requireAll: true }).detail, all)
    t.equal(new Class({ requireAll: true }).message, all)
    t.equal(new Class({ requireAll: true, detail: 'Non.' }).detail, 'Non.')
    t.ok(new Class() instanceof InsufficientPermissionsError)
    t.ok(new Class() instanceof AuthorizationError)
  }
})

t.test('a subclass of an application has its own sentence, in both forms', async (t) => {
  class InsufficientLicenceError extends InsufficientPermissionsError {
    static override readonly detail: string = 'You do not have any of the licences.'
    get required (): undefined { return undefined }
    get granted (): undefined { return undefined }
  }
  t.equal(new InsufficientLicenceError().detail, 'You do not have any of the licences.')
  t.equal(new InsufficientLicenceError({ requireAll: true }).detail, 'You do not have all of the licences.')
})

t.test('role and group names are on the error, and not in the body', async (t) => {
  const roles = new InsufficientRolesError({ requiredRoles: new Set(['admin', 'billing']), userRoles: new Set(['support']), requireAll: true })
  t.strictSame(roles.required, new Set(['admin', 'billing']))
  t.strictSame(roles.granted, new Set(['support']))
  t.strictSame(roles.context(), { requiredRoles: ['admin', 'billing'], userRoles: ['support'], requireAll: true })
  t.strictSame(roles.extra, { code: 'INSUFFICIENT_ROLES' })
  t.equal(roles.headers['www-authenticate'], undefined)
  const groups = new InsufficientGroupsError({ requiredGroups: new Set(['staff']), userGroups: new Set([]) })
  t.strictSame(groups.required, new Set(['staff']))
  t.strictSame(groups.granted, new Set([]))
  t.strictSame(groups.extra, { code: 'INSUFFICIENT_GROUPS' })
})

t.test('context is stored as given, not validated', async (t) => {
  const odd = ['ADMIN', 'admin', '', 'a b']
  t.equal(new InsufficientRolesError({ requiredRoles: odd }).requiredRoles, odd)
  t.strictSame(new InsufficientRolesError({ requiredRoles: odd }).context(), { requiredRoles: odd })
})

t.test('required scopes are public, and in the challenge (RFC 6750)', async (t) => {
  const error = new InsufficientScopeError({ requiredScopes: new Set(['reports:read', 'reports:write']), userScopes: new Set(['profile']), requireAll: true })
  t.strictSame(error.extra, { code: 'INSUFFICIENT_SCOPE', required_scopes: ['reports:read', 'reports:write'] })
  t.equal(error.headers['www-authenticate'], 'Bearer realm="api", error="insufficient_scope", scope="reports:read reports:write"')
  t.strictSame(error.required, ['reports:read', 'reports:write'])
  t.strictSame(error.granted, new Set(['profile']))
  t.strictSame(error.context(), { userScopes: ['profile'], requireAll: true })
  t.notMatch(JSON.stringify(error), /profile/)
})

t.test('a scope refusal without names has neither attribute nor field', async (t) => {
  for (const error of [new InsufficientScopeError(), new InsufficientScopeError({ requiredScopes: [] }), new InsufficientScopeError({ requiredScopes: new Set<string>() })]) {
    t.equal(error.headers['www-authenticate'], 'Bearer realm="api", error="insufficient_scope"')
    t.strictSame(error.extra, { code: 'INSUFFICIENT_SCOPE' })
  }
})

t.test('the list of scopes is a copy: changing what was given changes no error', async (t) => {
  const given = ['a']
  const error = new InsufficientScopeError({ requiredScopes: given })
  given.push('b')
  t.strictSame(error.extra.required_scopes, ['a'])
})
