import { Secret, TOTP } from 'otpauth'
import type { FastifyInstance } from 'fastify'
import type { Tokens } from '../index.js'

/** A key for secrets at rest. */
export const encryptionKey = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')

/** What an authenticator application shows for this secret, so many seconds from now. */
export function codeOf (secret: string, after = 0): string {
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + after * 1000 })
}

/** Six digits that are not the code, whichever of the steps around now is looked at. */
export function wrongCode (secret: string): string {
  const right = [-60, -30, 0, 30, 60].map((after) => codeOf(secret, after))
  return ['000000', '000001', '000002', '000003', '000004', '000005'].find((code) => !right.includes(code)) as string
}

/** Gives a user an authenticator application; its first code is of the step before now, so that those of now can be used. */
export async function enrol ({ bouncer }: FastifyInstance, userId: string): Promise<{ secret: string, recovery_codes: readonly string[] }> {
  const { secret } = await bouncer.mfa.setUp(userId, { auth_time: Date.now() / 1000 })
  const { recovery_codes: codes } = await bouncer.mfa.confirm(userId, codeOf(secret, -30))
  return { secret, recovery_codes: codes }
}

/** Signs somebody in with the password and a code of now. */
export async function signInWith ({ bouncer }: FastifyInstance, credentials: { email: string, password: string }, secret: string): Promise<Tokens> {
  const challenge = await bouncer.login(credentials)
  if (!('challenge_name' in challenge)) throw new Error('no challenge')
  const tokens = await bouncer.challenges.respond({ session: challenge.session, challenge_name: 'MFA_TOTP', code: codeOf(secret) })
  if ('challenge_name' in tokens) throw new Error('another challenge')
  return tokens
}
