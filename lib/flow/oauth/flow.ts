import type { Clock } from '../../clock.js'
import type { Sealer } from '../../encryption.js'
import type { AuthEventEmitter } from '../../events.js'
import { systemRandom } from '../../random.js'
import type { EphemeralStore, IdentityStore, SessionStore, UserStore } from '../../store/contract.js'
import type { UserMaker } from '../account/new-user.js'
import type { Attempts } from '../attempts.js'
import type { OrChallenge } from '../login.js'
import type { Prove } from '../mfa/proof.js'
import type { Completion } from '../session/completion.js'
import { createOAuthAttempts } from './attempt.js'
import { createOAuthClient } from './client.js'
import type { OAuthProviderSettings } from './settings.js'
import { createLinkedAccounts } from './linked-accounts.js'
import { createOAuth, type OAuth } from './oauth.js'
import { createOAuthSignIn } from './sign-in.js'

/** Sign-in at providers, as it was configured. */
export interface OAuthFlowSettings {
  readonly providers: readonly OAuthProviderSettings[]
  readonly redirects: readonly string[]
  readonly signUp: boolean
  readonly linkByEmail: boolean
  readonly keepTokens: boolean
  readonly stateKeys: readonly [Buffer, ...Buffer[]]
}

/** What sign-in at providers stands on. */
export interface OAuthFlowOptions {
  settings: OAuthFlowSettings | undefined
  users: UserStore
  identities: IdentityStore
  sessions: SessionStore
  ephemeral: EphemeralStore
  makeUser: UserMaker
  prove: Prove
  completion: Completion
  orChallenge: OrChallenge
  attempts: Attempts
  events: AuthEventEmitter
  sealer: Sealer | undefined
  requireVerified: boolean
  concealExistingUsers: boolean
  clock: Clock
  report: (error: unknown) => void
}

/** Without providers nobody signs in at one; the key is nobody's. */
function none (): OAuthFlowSettings {
  return { providers: [], redirects: [], signUp: false, linkByEmail: false, keepTokens: false, stateKeys: [systemRandom(32)] }
}

/** Sign-in at providers, and linked accounts: its parts, wired together. */
export function createOAuthFlow (options: OAuthFlowOptions): OAuth {
  const { settings: { providers, redirects, stateKeys, keepTokens, signUp, linkByEmail } = none(), clock, sealer } = options
  const accounts = createLinkedAccounts({
    ...options,
    issuers: new Map(providers.map(({ name, issuer, manyIssuers }) => [name, manyIssuers ? undefined : issuer])),
    sealer,
    keepTokens
  })
  return createOAuth({
    ...options,
    clients: new Map(providers.map((provider) => [provider.name, createOAuthClient({ settings: provider, clock })])),
    redirects,
    underWay: createOAuthAttempts({ ...options, stateKeys }),
    accounts,
    signIn: createOAuthSignIn({ ...options, accounts, signUp, linkByEmail })
  })
}
