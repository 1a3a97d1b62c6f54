import type { Clock } from '../../clock.js'
import type { Sealer } from '../../encryption.js'
import { ConfigurationError } from '../../errors/operation.js'
import type { AuthEventEmitter } from '../../events.js'
import { newRecoveryCodes, recoveryDigest } from '../../mfa/recovery-codes.js'
import { newTotpSecret, stepOf, totpLink } from '../../mfa/totp.js'
import { randomToken } from '../../random.js'
import type { FactorStore, StoredTotp, StoredUser } from '../../store/contract.js'
import { accountOf } from '../../user/account.js'
import type { TotpSecret } from '../provider.js'

/** A second factor that is set up, and does not count yet. `sealed` is kept until a code of it comes. */
export interface Enrolment {
  readonly shown: TotpSecret
  readonly sealed: string
}

/** The second factors of users: authenticator applications, and recovery codes for whoever has lost one. */
export interface SecondFactor {
  find (userId: string): Promise<StoredTotp | undefined>
  /** Uses a code of the authenticator application up; false for one that is wrong, or was used before, here or elsewhere. */
  useTotp (totp: StoredTotp, code: string): Promise<boolean>
  /** Uses a recovery code up; false for one there is not. */
  useRecoveryCode (totp: StoredTotp, code: string, user: StoredUser): Promise<boolean>
  /** A new secret for a user. */
  prepare (user: StoredUser): Enrolment
  /** Makes a secret count, by a code of it, which is used up; undefined for a wrong code, or where the user has a second factor by now. */
  enrol (userId: string, sealed: string, code: string): Promise<readonly string[] | undefined>
  /** New recovery codes in place of the old; undefined where the second factor is not there any more. */
  replaceRecoveryCodes (totp: StoredTotp): Promise<readonly string[] | undefined>
  remove (userId: string): Promise<boolean>
}

/** What second factors are made with. */
export interface SecondFactorOptions {
  factors: FactorStore
  /** Encrypts the secrets; undefined where no key is configured. */
  sealer: Sealer | undefined
  /** What authenticator applications show beside a code. */
  issuerName: string
  clock: Clock
  events: AuthEventEmitter
  /** Told of what failed when a code had been right. */
  report: (error: unknown) => void
}

/** Second factors over a store. */
export function createSecondFactor ({ factors, sealer, issuerName, clock, events, report }: SecondFactorOptions): SecondFactor {
  function sealing (): Sealer {
    if (sealer !== undefined) return sealer
    throw new ConfigurationError({ option: 'encryptionKey', message: 'encryptionKey is missing: second factors need one, 32 random bytes in base64 that stay the same.' })
  }

  /** Encrypts a secret with today's key where it was with an older one. */
  async function renew ({ userId, id, secret: before }: StoredTotp, secret: string): Promise<void> {
    await factors.replaceSecret(userId, id, before, sealing().seal(secret, placeOf(userId))).catch(report)
  }

  return {
    find: (userId) => factors.find(userId),

    async useTotp (totp, code) {
      const { text: secret, outdated } = sealing().open(totp.secret, placeOf(totp.userId))
      const step = stepOf(code, secret, clock())
      // In one step, since the same code may come twice at once (RFC 6238, section 5.2).
      if (step === undefined || !await factors.useStep(totp.userId, totp.id, step)) return false
      if (outdated) await renew(totp, secret)
      return true
    },

    async useRecoveryCode ({ userId, id, recoveryCodes }, code, user) {
      if (!await factors.useRecoveryCode(userId, id, recoveryDigest(userId, code))) return false
      await events.emit('recovery_code_used', { user: accountOf(user), left: recoveryCodes.length - 1 })
      return true
    },

    prepare (user) {
      const secret = newTotpSecret()
      return {
        shown: { secret, ...totpLink(secret, issuerName, user.email) },
        sealed: sealing().seal(secret, placeOf(user.id))
      }
    },

    async enrol (userId, sealed, code) {
      const { text: secret } = sealing().open(sealed, placeOf(userId))
      const now = clock()
      const usedStep = stepOf(code, secret, now)
      if (usedStep === undefined) return undefined
      const codes = newRecoveryCodes()
      const stored = await factors.insert({
        userId,
        id: randomToken(),
        secret: sealing().seal(secret, placeOf(userId)),
        usedStep,
        recoveryCodes: codes.map((one) => recoveryDigest(userId, one)),
        createdAt: now
      })
      return stored ? codes : undefined
    },

    async replaceRecoveryCodes ({ userId, id }) {
      const codes = newRecoveryCodes()
      return await factors.replaceRecoveryCodes(userId, id, codes.map((one) => recoveryDigest(userId, one))) ? codes : undefined
    },

    remove: (userId) => factors.delete(userId)
  }
}

function placeOf (userId: string): string {
  return `totp:${userId}`
}
