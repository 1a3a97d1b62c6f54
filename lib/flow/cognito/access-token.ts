/** What is read of an access token that Cognito has just issued, over its own connection: so nothing is verified here. */
export interface IssuedClaims {
  readonly username?: string
  /** Seconds that it lives. */
  readonly lifetime?: number
}

/** The claims of such a token, as far as they are there. */
export function issuedClaims (token: string): IssuedClaims {
  const { username, iat, exp } = payloadOf(token)
  const lifetime = Number(exp) - Number(iat)
  return { ...(typeof username === 'string' && { username }), ...(lifetime > 0 && { lifetime }) }
}

function payloadOf (token: string): Record<string, unknown> {
  try {
    const [, payload = ''] = token.split('.', 2)
    return Object(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))) as Record<string, unknown>
  } catch {
    return {}
  }
}
