import type { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { systemClock, type Clock } from '../../clock.js'
import { ConfigurationError } from '../../errors/operation.js'
import { isSecure } from '../../secure-url.js'

/** Options of `cognitoProvider`. */
export interface CognitoOptions {
  /** Such as `eu-west-1`. */
  region: string
  /** Such as `eu-west-1_AbCdEfGhI`. */
  userPoolId: string
  /** The app client that users sign in through; `ALLOW_USER_PASSWORD_AUTH` must be among its flows, and `ALLOW_REFRESH_TOKEN_AUTH` unless it rotates refresh tokens. */
  clientId: string
  /** Where the app client has one. */
  clientSecret?: string
  /** Whether the app client rotates refresh tokens: Cognito then takes them in another operation. Default false. */
  refreshTokenRotation?: boolean
  /** Address of something else that speaks as Cognito does, such as cognito-local; https, or http on loopback. Tokens are then issued by it. */
  endpoint?: string
  /** A client of the application's own, which is used as it is: its region, endpoint and retries count. */
  client?: CognitoIdentityProviderClient
  /** How long a call may take, its repetition included, in seconds. Default 5. */
  timeout?: number
  /** What authenticator applications show beside a user's name. Default: the id of the pool. */
  totpIssuer?: string
}

/** The same as the provider uses them. */
export interface CognitoSettings {
  region: string
  clientId: string
  clientSecret: string | undefined
  refreshTokenRotation: boolean
  endpoint: string | undefined
  client: CognitoIdentityProviderClient | undefined
  /** In milliseconds. */
  timeout: number
  totpIssuer: string
  /** Whose tokens users bring. */
  issuer: string
  clock: Clock
}

const NAMES = new Set(['region', 'userPoolId', 'clientId', 'clientSecret', 'refreshTokenRotation', 'endpoint', 'client', 'timeout', 'totpIssuer'])
/** Longer than a timer can be set for makes no difference to anybody. */
const MAX_TIMEOUT = 3600

/** Throws {@link ConfigurationError}, which names the option, for options that cannot be meant. */
export function readOptions (options: CognitoOptions): CognitoSettings {
  const unknown = Object.keys(options ?? {}).find((name) => !NAMES.has(name))
  if (unknown !== undefined) throw refuse(unknown, 'is not an option')
  const { region, userPoolId, clientId, clientSecret, refreshTokenRotation = false, client, timeout = 5, totpIssuer = userPoolId } = options ?? {}
  if (!matches(region, /^[a-z0-9-]{1,32}$/)) throw refuse('region', 'must be the name of a region, such as eu-west-1')
  if (!matches(userPoolId, /^[\w-]{1,55}$/)) throw refuse('userPoolId', 'must be the id of a user pool, such as eu-west-1_AbCdEfGhI')
  if (options.endpoint === undefined && !userPoolId.startsWith(`${region}_`)) throw refuse('userPoolId', `must be of the region ${region}: the id of such a pool starts with ${region}_`)
  if (!matches(clientId, /^[\w+]{1,128}$/)) throw refuse('clientId', 'must be the id of an app client of the pool')
  if (clientSecret !== undefined && !matches(clientSecret, /^\S+$/)) throw refuse('clientSecret', 'must be the secret of the app client, or be left out where it has none')
  if (typeof refreshTokenRotation !== 'boolean') throw refuse('refreshTokenRotation', 'must be true or false')
  if (client !== undefined && typeof client?.send !== 'function') throw refuse('client', 'must be a CognitoIdentityProviderClient')
  if (typeof timeout !== 'number' || !(timeout > 0 && timeout <= MAX_TIMEOUT)) throw refuse('timeout', `must be a number of seconds above 0, at most ${MAX_TIMEOUT}`)
  if (!matches(totpIssuer, /^[^:\p{C}]{1,64}$/u)) throw refuse('totpIssuer', 'must be a name of 1 to 64 characters without a colon')
  const endpoint = options.endpoint === undefined ? undefined : readEndpoint(options.endpoint)
  return {
    region,
    clientId,
    clientSecret,
    refreshTokenRotation,
    endpoint,
    client,
    timeout: Math.ceil(timeout * 1000),
    totpIssuer,
    issuer: `${endpoint ?? `https://cognito-idp.${region}.amazonaws.com`}/${userPoolId}`,
    clock: systemClock
  }
}

function readEndpoint (value: string): string {
  if (typeof value !== 'string' || !URL.canParse(value)) throw refuse('endpoint', 'must be an absolute URL')
  const url = new URL(value)
  const { username, password, origin, pathname, search, hash } = url
  if (!isSecure(url)) throw refuse('endpoint', 'must be https (http only on loopback): passwords are sent to it')
  if (username !== '' || password !== '' || search !== '' || hash !== '') throw refuse('endpoint', 'must hold no user name, password, query or fragment')
  return origin + pathname.replace(/\/$/, '')
}

function matches (value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function refuse (option: string, problem: string): ConfigurationError {
  return new ConfigurationError({ option, message: `cognitoProvider: ${option} ${problem}.` })
}
