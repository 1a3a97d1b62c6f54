import type { IssuerOptions } from 'fastify-bouncer'
import { createIssuer } from 'fastify-bouncer/testing'

/** The identity provider of a customer: the API trusts its tokens beside its own. */
export interface IdentityProvider {
  /** For the plugin's `issuers`. */
  readonly options: IssuerOptions
  readonly jwksUrl: string
  /** Tokens of its people, who have no account here. */
  readonly tokens: Readonly<Record<'grace' | 'linus' | 'expired', string>>
  close (): Promise<void>
}

const WORKING_DAY = 8 * 3600

/** Starts one on loopback. Its tokens carry what accounts of this package do not have: groups and scopes. */
export async function startIdentityProvider (): Promise<IdentityProvider> {
  const issuer = await createIssuer({ audience: 'example-api' })
  const grace = { sub: 'grace', email: 'grace@example.com', roles: ['editor'], groups: ['staff'], scope: 'reports:read' }
  const linus = { sub: 'linus', email: 'linus@example.com', roles: ['editor'], groups: ['guests'], scope: 'openid' }
  return {
    options: issuer.options,
    jwksUrl: issuer.jwksUrl,
    tokens: {
      grace: await issuer.token(grace, { expiresIn: WORKING_DAY }),
      linus: await issuer.token(linus, { expiresIn: WORKING_DAY }),
      expired: await issuer.token(grace, { expiresIn: -1 })
    },
    close: issuer.close
  }
}
