import { TokenInvalidError } from '../../errors/authentication.js'
import { isToken, isUsername } from './shapes.js'

/** A refresh token of Cognito's, and whose it is where that has to be known. */
export interface RefreshTicket {
  readonly token: string
  readonly username?: string
}

/**
 * How refresh tokens are given to clients: as Cognito's own or, where a secret
 * hash goes with them, with the user name before it. The hash is made of the
 * name, and Cognito's token does not tell it.
 */
export interface RefreshTickets {
  pack (ticket: RefreshTicket): string
  /** Throws `TokenInvalidError` for what was never given out. */
  unpack (presented: string): RefreshTicket
}

/** Refresh tokens that a secret hash goes with, or none. */
export function refreshTickets (hashed: boolean): RefreshTickets {
  return {
    pack: ({ token, username = '' }) => hashed ? `${Buffer.from(username).toString('base64url')}.${token}` : token,

    unpack (presented) {
      if (!isToken(presented)) throw malformed()
      if (!hashed) return { token: presented }
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
