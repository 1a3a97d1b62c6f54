import { availableParallelism } from 'node:os'
import { PasswordPolicyError } from '../errors/account.js'
import { AuthUnavailableError, InvalidHashError } from '../errors/operation.js'
import { readArgon2 } from './argon2.js'
import { readBcrypt } from './bcrypt.js'
import type { HashReader, ReadHash } from './hasher.js'
import { readPasswordOptions, type PasswordOptions, type PasswordSettings } from './options.js'
import { readPbkdf2 } from './pbkdf2.js'
import { createPolicy, sentenceOf, type PasswordSubject } from './policy.js'
import { createQueue } from './queue.js'
import { readScrypt } from './scrypt.js'
import { spell } from './spelling.js'

export type { PasswordOptions } from './options.js'
export type { PasswordRule, PasswordSubject } from './policy.js'

/** Rules and hashes of passwords. */
export interface Passwords {
  /** Checks the rules. Throws {@link PasswordPolicyError} with one sentence per failed rule, all at once; {@link AuthUnavailableError} when a rule of the application cannot tell. */
  check (password: string, subject?: PasswordSubject, userId?: string): Promise<void>
  /** Hash of a password that was checked. Throws {@link AuthUnavailableError} when the queue is full, {@link PasswordPolicyError} for a password that {@link Passwords.verify} would never accept. */
  hash (password: string): Promise<string>
  /**
   * Whether the password belongs to the stored hash, and whether that should be
   * replaced. Without one (undefined, null, '', or Django's `!…`), and for a
   * password out of bounds, the same work is done in vain and the answer is no.
   * Throws {@link InvalidHashError}, after the same work, for a hash of no
   * configured hasher, {@link AuthUnavailableError} when the queue is full.
   */
  verify (password: string, stored: string | null | undefined): Promise<{ matches: boolean, outdated: boolean }>
}

const READERS: readonly HashReader[] = [readArgon2, readScrypt, readPbkdf2, readBcrypt]

/** The room of passwords. Throws `ConfigurationError`, which names the option and the remedy. */
export function createPasswords (options: PasswordOptions = {}): Passwords {
  return assemble(readPasswordOptions(options, availableParallelism()))
}

/** The same from settings that nobody checks. */
export function assemble ({ policy, hasher, accepted, concurrency, queueLimit }: PasswordSettings): Passwords {
  const { maxLength } = policy
  const failures = createPolicy(policy)
  const queue = createQueue({ concurrency, limit: queueLimit })
  const decoy = hasher.decoy()

  function read (stored: string): ReadHash | undefined {
    const hash = READERS.map((reader) => reader(stored)).find((found) => found !== undefined)
    return hash !== undefined && accepted.has(hash.kind) ? hash : undefined
  }

  return {
    async check (password, subject = {}, userId) {
      const errors = await failures(password, subject)
      if (errors.length > 0) throw new PasswordPolicyError({ errors, ...(userId !== undefined && { userId }) })
    },

    async hash (password) {
      const spelling = spell(password, maxLength)
      if (typeof spelling === 'string') throw new PasswordPolicyError({ errors: [sentenceOf(spelling, maxLength)] })
      return await queue.run(() => computed(hasher.hash(spelling.normal)))
    },

    async verify (password, stored) {
      const usable = typeof stored === 'string' && stored !== '' && !stored.startsWith('!')
      // Whether there is a hash or not, and whoever's it is: all that takes time is done.
      const text = usable ? stored : decoy.text
      const hash = read(text)
      const current = hasher.isCurrent(text)
      const spelling = spell(password, maxLength)
      // Hashes of others may be of what was typed. Out of bounds, an empty password takes its place.
      const forms = typeof spelling === 'string' ? [''] : [...new Set([spelling.normal, spelling.typed])]
      const form = await queue.run(() => computed(firstMatch(usable && hash !== undefined ? hash : decoy, forms)))
      if (usable && hash === undefined) throw new InvalidHashError({ hash: text })
      const matches = usable && form !== undefined && typeof spelling !== 'string'
      return { matches, outdated: matches && (form !== spelling.normal || !current) }
    }
  }
}

// All of them, whichever matches: else the time would tell who knows the
// password of an account that is refused all the same.
async function firstMatch (hash: ReadHash, forms: readonly string[]): Promise<string | undefined> {
  let first: string | undefined
  for (const form of forms) {
    if (await hash.matches(form)) first ??= form
  }
  return first
}

/** A library that is missing, or out of memory, is no wrong password. */
async function computed<Result> (work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (cause) {
    throw new AuthUnavailableError({ dependency: 'password hashing', cause })
  }
}
