import { InvalidResetTokenError } from '../errors/account.js'
import type { PasswordReset } from './account/password-reset.js'
import type { Profile } from './account/profile.js'
import type { Users } from './account/users.js'
import type { Mfa } from './mfa/enrolment.js'
import { timed } from './mfa/proof.js'
import type { IdentityProvider } from './provider.js'
import type { Revocation } from './session/revocation.js'
import type { Sessions } from './session/sessions.js'

/** What the users of the store are provided with. */
export interface LocalProviderOptions extends Pick<IdentityProvider, 'signIn' | 'respond'> {
  sessions: Sessions
  users: Users
  profile: Profile
  reset: PasswordReset
  mfa: Mfa
  revocation: Pick<Revocation, 'revoke'>
}

/** The users of the store, as every other provider has them. */
export function createLocalProvider ({ signIn, respond, sessions, users, profile, reset, mfa, revocation }: LocalProviderOptions): IdentityProvider {
  return {
    name: 'local',
    resetBy: 'token',
    signIn,
    respond,
    refresh: sessions.refresh,

    async signOut ({ user }) {
      const { sid } = user.claims as Record<string, unknown>
      if (typeof sid === 'string') await sessions.end(sid, 'logout')
      else await revocation.revoke(user.claims as Record<string, unknown>)
    },

    signOutEverywhere: async ({ user }) => await sessions.endAll(user.id, 'logout_all'),

    async revoke (refreshToken, everywhere) {
      if (everywhere) await sessions.endAll(await sessions.ownerOf(refreshToken), 'logout_all')
      else await sessions.end(sessions.sessionOf(refreshToken), 'logout')
    },

    lookUp: async ({ user }) => await users.get(user.id),
    changePassword: async ({ user }, passwords, origin) => await profile.changePassword(user.id, passwords, origin),

    async requestReset ({ email }, origin) {
      if (email === undefined) throw new TypeError('requestReset() takes { email }')
      await reset.request(email, origin)
    },

    async reset (ticket, password, origin) {
      if (!('token' in ticket)) throw new InvalidResetTokenError({ reason: 'no_token' })
      await reset.reset(ticket.token, password, origin)
    },

    setUpTotp: async (caller, proof, origin) => await mfa.setUp(caller.user.id, timed(caller.user, proof), origin),
    confirmTotp: async ({ user }, code, origin) => await mfa.confirm(user.id, code, origin),
    disableTotp: async (caller, proof, origin) => await mfa.disable(caller.user.id, timed(caller.user, proof), origin)
  }
}
