import { AuthError, type AuthErrorOptions } from './auth-error.js'
import { bearerChallenge, scopeTokens } from './authentication.js'

/** Base class of all 403s. */
export abstract class AuthorizationError<Options extends object = object> extends AuthError<Options> {
  static override readonly statusCode: number = 403
  static override readonly code: string = 'AUTHORIZATION_DENIED'
  static override readonly detail: string = 'Access denied'
}

/** Base class of role, group and scope refusals. */
export abstract class InsufficientPermissionsError<Options extends object = object> extends AuthorizationError<Options & { requireAll?: boolean }> {
  static override readonly code: string = 'INSUFFICIENT_PERMISSIONS'
  static override readonly detail: string = 'The authenticated user does not have any of the required permissions.'
  declare readonly requireAll?: boolean

  constructor (options: AuthErrorOptions & Options & { requireAll?: boolean } = {} as Options) {
    super(options.requireAll === true ? { ...options, detail: options.detail ?? new.target.detail.replace(' any ', ' all ') } : options)
  }

  /** The names asked for. */
  abstract get required (): Iterable<string> | undefined
  /** The names held. */
  abstract get granted (): Iterable<string> | undefined
}

/** The user has none, or not all, of the required roles. Role names stay on the server. */
export class InsufficientRolesError extends InsufficientPermissionsError<{ requiredRoles?: Iterable<string>, userRoles?: Iterable<string> }> {
  static override readonly code: string = 'INSUFFICIENT_ROLES'
  static override readonly detail: string = 'The authenticated user does not have any of the required roles.'
  declare readonly requiredRoles?: ReadonlySet<string>
  declare readonly userRoles?: ReadonlySet<string>

  override get required (): Iterable<string> | undefined { return this.requiredRoles }
  override get granted (): Iterable<string> | undefined { return this.userRoles }
}

/** The user is in none, or not in all, of the required groups. Group names stay on the server. */
export class InsufficientGroupsError extends InsufficientPermissionsError<{ requiredGroups?: Iterable<string>, userGroups?: Iterable<string> }> {
  static override readonly code: string = 'INSUFFICIENT_GROUPS'
  static override readonly detail: string = 'The authenticated user does not have any of the required groups.'
  declare readonly requiredGroups?: ReadonlySet<string>
  declare readonly userGroups?: ReadonlySet<string>

  override get required (): Iterable<string> | undefined { return this.requiredGroups }
  override get granted (): Iterable<string> | undefined { return this.userGroups }
}

/** The token has none, or not all, of the required scopes, which are public (RFC 6750, section 3.1). */
export class InsufficientScopeError extends InsufficientPermissionsError<{ requiredScopes?: Iterable<string>, userScopes?: Iterable<string> }> {
  static override readonly code: string = 'INSUFFICIENT_SCOPE'
  static override readonly detail: string = 'The authenticated user does not have any of the required scopes.'
  static override readonly publicFields: readonly string[] = ['requiredScopes']
  declare readonly requiredScopes?: readonly string[]
  declare readonly userScopes?: ReadonlySet<string>

  constructor (options: AuthErrorOptions & { requiredScopes?: Iterable<string>, userScopes?: Iterable<string>, requireAll?: boolean } = {}) {
    super(options.requiredScopes === undefined ? options : { ...options, requiredScopes: [...options.requiredScopes] })
  }

  override get required (): Iterable<string> | undefined { return this.requiredScopes }
  override get granted (): Iterable<string> | undefined { return this.userScopes }

  protected override classHeaders (): Record<string, string> {
    const scope = scopeTokens(this.requiredScopes ?? []).join(' ')
    return { 'www-authenticate': bearerChallenge({ error: 'insufficient_scope', ...(scope !== '' && { scope }) }) }
  }
}
