import type { FastifyRequest } from 'fastify'
import { names } from '../access.js'
import type { Claims, Group, Role, Scope, User } from '../context.js'
import { AuthError } from '../errors/auth-error.js'
import { InvalidCredentialsError, MissingTokenError } from '../errors/authentication.js'
import { AuthUnavailableError } from '../errors/operation.js'
import type { PasswordCheckOptions } from '../flow/session/password-check.js'
import { originOf } from './routes/origin.js'
import { authorizationHeader, malformed, presented, type CredentialSource } from './credentials.js'

/** Whom an application's own check of a user name and password found. */
export interface BasicUser {
  id: string
  roles?: readonly string[]
  groups?: readonly string[]
  scopes?: readonly string[]
  email?: string
  claims?: Readonly<Record<string, unknown>>
}

/** An application's own check of a user name and password; null for nobody. What it throws is answered 503, but for errors of this package. */
export type BasicAuthenticate = (username: string, password: string, request: FastifyRequest) => BasicUser | null | Promise<BasicUser | null>

/** A user name and a password. */
export interface BasicCredentials {
  readonly username: string
  readonly password: string
}

/** The users of the account system, by e-mail address or user name. */
export function localUsers (options: PasswordCheckOptions): BasicAuthenticate {
  return async (username, password, request) => {
    const name = username.includes('@') ? { email: username } : { username }
    return await request.server.bouncer.passwords.verify({ ...name, password }, originOf(request), options)
  }
}

/** The challenge of the scheme (RFC 7617, section 2.1). */
export function basicChallenge (realm: string): string {
  return `Basic realm="${realm}", charset="UTF-8"`
}

/** How the scheme begins, in any case (RFC 9110, section 11.1). */
const SCHEME = /^basic(?: |$)/i
/** More than any user name and password need, and little to decode. */
const MAX_LENGTH = 8192
/** RFC 7617, section 2: token68 of base64, padded or not. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
/** RFC 7617, section 2: neither part holds any. */
const CONTROL = /\p{Cc}/u

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Whether a request comes with credentials of this scheme, rightly written or not. */
export function isBasic ({ headers: { authorization } }: CredentialSource): boolean {
  return typeof authorization === 'string' && SCHEME.test(authorization)
}

/**
 * The user name and password of a Basic header (RFC 7617, in UTF-8; the first
 * colon divides them). Throws `MissingTokenError` for an empty one, and
 * `InvalidAuthorizationError` for what cannot be decoded.
 */
export function basicCredentials (request: CredentialSource): BasicCredentials {
  const { value } = presented(authorizationHeader(request))
  if (value === '') throw new MissingTokenError()
  if (value.length > MAX_LENGTH || !BASE64.test(value)) throw malformed('undecodable')
  const text = decode(Buffer.from(value, 'base64'))
  const colon = text.indexOf(':')
  if (colon === -1 || CONTROL.test(text)) throw malformed('undecodable')
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

function decode (bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw malformed('undecodable')
  }
}

/** Finds the user of a request with Basic credentials. Rejects with the class that says what is wrong with them. */
export function createBasic (authenticate: BasicAuthenticate): (request: FastifyRequest) => Promise<User> {
  return async (request) => {
    const { username, password } = basicCredentials(request)
    const wrong = (reason: string): InvalidCredentialsError => new InvalidCredentialsError({ identifier: username, reason })
    // Directories take an empty password for somebody who does not want to sign in, and say yes.
    if (username === '' || password === '') throw wrong('empty')
    const user = await found(authenticate, username, password, request)
    if (user === null || user === undefined) throw wrong('unknown_or_wrong')
    return principal(user)
  }
}

async function found (authenticate: BasicAuthenticate, username: string, password: string, request: FastifyRequest): Promise<BasicUser | null> {
  try {
    return await authenticate(username, password, request)
  } catch (error) {
    if (error instanceof AuthError) throw error
    throw new AuthUnavailableError({ dependency: 'basic.authenticate', cause: error })
  }
}

function principal ({ id, email, claims = {}, ...lists }: BasicUser): User {
  if (typeof id !== 'string' || id === '') throw new TypeError('basic.authenticate must answer with { id }, or null')
  return Object.freeze({
    id,
    roles: names(lists.roles) as readonly Role[],
    groups: names(lists.groups) as readonly Group[],
    scopes: names(lists.scopes) as readonly Scope[],
    ...(typeof email === 'string' && { email }),
    claims: Object.freeze({ ...claims }) as Claims,
    method: 'basic'
  })
}
