import { TokenInvalidError } from '../../errors/authentication.js'
import { isToken, isUsername } from './shapes.js'

/** A refresh token of Cognito's, and whose it is where that has to be known. */
export interface RefreshTicket {
  readonly token: string
  readonly username?: string
}

/**
 * How refresh tokens are given to clients: as Cognito's own or, where the app
 * client has a secret, with the user name before it. The secret hash is made of
 * the user name, and Cognito's token does not tell it.
 */
export interface RefreshTickets {
  pack (ticket: RefreshTicket): string
  /** Throws `TokenInvalidError` for what was never given out. */
  unpack (presented: string): RefreshTicket
}

/** Refresh tokens for an app client that has a secret, or none. */
export function refreshTickets (hasSecret: boolean): RefreshTickets {
  return {
    pack: ({ token, username = '' }) => hasSecret ? `${Buffer.from(username).toString('base64url')}.${token}` : token,

    unpack (presented) {
      if (!isToken(presented)) throw malformed()
      if (!hasSecret) return { token: presented }
      const dot = presented.indexOf('.')
      const encoded = presented.slice(0, Math.max(dot, 0))
      const username = Buffer.from(encoded, 'base64url').toString('utf8')
      const token = presented.slice(dot + 1)
      // One spelling only.
      if (!isUsername(username) || Buffer.from(username).toString('base64url') !== encoded || token === '') throw malformed()
      return { token, username }
    }
  }
}

function malformed (): TokenInvalidError {
  return new TokenInvalidError({ reason: 'malformed' })
}
