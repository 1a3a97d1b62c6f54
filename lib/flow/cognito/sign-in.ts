import { InvalidCredentialsError } from '../../errors/authentication.js'
import type { IdentityProvider } from '../provider.js'
import { responseTo } from './answers.js'
import type { Call } from './calls.js'
import type { Outcome } from './challenges.js'
import type { CognitoSettings } from './options.js'
import { challengeRefusals } from './refusals/challenge.js'
import { signInRefusals } from './refusals/sign-in.js'
import { unavailable } from './refusals/table.js'
import { secretHash } from './secret-hash.js'
import { isPassword, isUsername } from './shapes.js'
import { unpackTicket } from './ticket.js'

/** Signing in, over these calls. */
export function createSignIn (call: Call, { clientId, clientSecret }: CognitoSettings, outcome: Outcome): Pick<IdentityProvider, 'signIn' | 'respond'> {
  const hash = (username: string): { SECRET_HASH?: string } =>
    clientSecret === undefined ? {} : { SECRET_HASH: secretHash(clientSecret, username, clientId) }

  /** Verifies the code of a new authenticator application; what goes on is another session. */
  async function enrolled (session: string, code: string): Promise<string> {
    const { Status: status, Session: next } = await call(challengeRefusals, (sdk) => new sdk.VerifySoftwareTokenCommand({ Session: session, UserCode: code }))
    if (status !== 'SUCCESS' || next === undefined) throw unavailable('Cognito did not verify a new second factor.')
    return next
  }

  return {
    async signIn (credentials) {
      const { password } = credentials
      const username = credentials.email ?? credentials.username
      if (!isUsername(username) || !isPassword(password)) throw new InvalidCredentialsError({ reason: 'impossible' })
      const answered = await call(signInRefusals, (sdk) => new sdk.InitiateAuthCommand({
        AuthFlow: 'USER_PASSWORD_AUTH',
        ClientId: clientId,
        AuthParameters: { USERNAME: username, PASSWORD: password, ...hash(username) }
      }))
      return await outcome(answered, { username, label: username })
    },

    async respond (packed, answer, context) {
      const ticket = unpackTicket(packed)
      const { responses, code } = responseTo(ticket, answer)
      const { challenge, username } = ticket
      const session = code === undefined ? ticket.session : await enrolled(ticket.session, code)
      const answered = await call(challengeRefusals, (sdk) => new sdk.RespondToAuthChallengeCommand({
        ClientId: clientId,
        ChallengeName: challenge,
        Session: session,
        ChallengeResponses: { USERNAME: username, ...hash(username), ...responses }
      }))
      await context.claim()
      return await outcome(answered, ticket)
    }
  }
}
