import type { TokenShape } from './claims.js'

/** Where a claim is: the names that lead to it, one for each object on the way. Names may hold anything, dots and slashes too. */
export type ClaimPath = readonly string[]

/** What a claim of a machine's token looks like. `{client}` in `is` stands for the id of the token's client. */
export type MachineSign =
  | { readonly claim: ClaimPath, readonly is: string }
  | { readonly claim: ClaimPath, readonly startsWith: string }
  | { readonly claim: ClaimPath, readonly absent: true }

/** Providers whose tokens are known. */
export type ClaimProvider = 'keycloak' | 'auth0' | 'okta' | 'entra' | 'cognito'

/** Where tokens say who their bearer is. What is left out is that of `preset`, or else of the standards. */
export interface ClaimMap {
  /** The provider whose tokens these are, but for what is given beside it. Default: none. */
  readonly preset?: ClaimProvider
  /**
   * Lists of roles; they add up. A name `{audience}` in a path stands for each of
   * the issuer's audiences that the token is for. Default: `roles` (a list) or
   * `role` (one name).
   */
  readonly roles?: readonly ClaimPath[]
  /** Lists of groups; they add up. Default: `groups`. */
  readonly groups?: readonly ClaimPath[]
  /** Scopes, lists or texts with spaces between them (RFC 8693, section 4.2); they add up. Default: `scope`, else `scp`, else `scopes`. */
  readonly scopes?: readonly ClaimPath[]
  /** The client; the first that is a text counts. Default: `client_id`, else `azp`. */
  readonly clientId?: readonly ClaimPath[]
  /** How the token of a machine is known: by all signs of any of these lists. Default: its `sub` is the client (RFC 9068, section 2.2). */
  readonly machines?: ReadonlyArray<readonly MachineSign[]>
}

/** What is known of a provider's tokens. */
export interface ClaimPreset extends Required<Omit<ClaimMap, 'preset'>> {
  readonly tokens: TokenShape
}

const NAMED_CLIENT: MachineSign = { claim: ['sub'], is: '{client}' }
const SERVICE_ACCOUNT: MachineSign = { claim: ['preferred_username'], startsWith: 'service-account-' }

/**
 * Keycloak: roles of the realm, and those that the API itself has as a client.
 * The caller's own client roles (`azp`) say nothing about this API. People may
 * be named like service accounts, whose tokens alone carry the client's id a
 * second time (`clientId` in older versions).
 * https://www.keycloak.org/docs/latest/server_admin/#_service_accounts
 */
const keycloak: ClaimPreset = {
  roles: [['realm_access', 'roles'], ['resource_access', '{audience}', 'roles']],
  groups: [['groups']],
  scopes: [['scope']],
  clientId: [['azp']],
  machines: [
    [SERVICE_ACCOUNT, { claim: ['client_id'], is: '{client}' }],
    [SERVICE_ACCOUNT, { claim: ['clientId'], is: '{client}' }]
  ],
  tokens: {}
}

/**
 * Auth0: `permissions` are all that the user has, whatever the client asked for,
 * and therefore roles; `scope` is what the client asked for and got.
 * https://auth0.com/docs/get-started/apis/enable-role-based-access-control-for-apis
 * https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
 */
const auth0: ClaimPreset = {
  roles: [['permissions']],
  groups: [],
  scopes: [['scope']],
  clientId: [['azp'], ['client_id']],
  machines: [[{ claim: ['sub'], is: '{client}@clients' }], [{ claim: ['gty'], is: 'client-credentials' }]],
  tokens: {}
}

/**
 * Okta, tokens of a custom authorization server: `groups` and `roles` are there
 * once a claim of that name is added to it.
 * https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
 * https://developer.okta.com/docs/guides/customize-tokens-groups-claim/main/
 */
const okta: ClaimPreset = {
  roles: [['roles']],
  groups: [['groups']],
  scopes: [['scp']],
  clientId: [['cid']],
  machines: [[NAMED_CLIENT]],
  tokens: {}
}

/**
 * Microsoft Entra ID: `azp` in tokens of version 2.0, `appid` in those of 1.0;
 * ID tokens have neither, and else may look like access tokens of an API that is
 * one application with its client. `idtyp` is an optional claim.
 * https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
 * https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
 */
const entra: ClaimPreset = {
  roles: [['roles']],
  groups: [['groups']],
  scopes: [['scp']],
  clientId: [['azp'], ['appid']],
  machines: [[{ claim: ['idtyp'], is: 'app' }]],
  tokens: { accessClaims: ['azp', 'appid'] }
}

/**
 * Amazon Cognito user pools: groups are all the roles there are. `token_use`
 * tells kinds of tokens apart; access tokens name the app client in `client_id`
 * where ID tokens have `aud`.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
 */
const cognito: ClaimPreset = {
  roles: [['cognito:groups']],
  groups: [['cognito:groups']],
  scopes: [['scope']],
  clientId: [['client_id'], ['aud']],
  machines: [[NAMED_CLIENT, { claim: ['username'], absent: true }, { claim: ['cognito:username'], absent: true }]],
  tokens: { accessAudience: 'client_id', useClaim: 'token_use' }
}

/** The presets of the option `claims`. */
export const CLAIM_PRESETS: Readonly<Record<ClaimProvider, ClaimPreset>> = { keycloak, auth0, okta, entra, cognito }
