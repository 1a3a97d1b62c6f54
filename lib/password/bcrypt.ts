import { createHash } from 'node:crypto'
import type { ReadHash } from './hasher.js'

/** The highest cost of a stored hash: about two seconds. */
export const BCRYPT_LIMIT = 15

/** The last characters of salt and output have bits to spare, which are 0. */
const FORM = /^(?:(bcrypt|bcrypt_sha256)\$)?(\$2[abxy]\$(0[4-9]|1\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26])$/

/**
 * bcrypt, `$2a$`, `$2b$`, `$2y$` and `$2x$`, and Django's two spellings. It reads
 * 72 bytes of a password and ignores the rest, as the library did that made the
 * hash. The defect that `$2x$` stands for is not imitated: such a hash verifies
 * where the password is ASCII, which the defect left alone. None is ever made anew.
 */
export function readBcrypt (stored: string): ReadHash | undefined {
  const [match, prefix, hash = '', cost] = FORM.exec(stored) ?? []
  if (match === undefined || Number(cost) > BCRYPT_LIMIT) return undefined
  return {
    kind: 'bcrypt',
    async matches (password) {
      const { verify } = await import('@node-rs/bcrypt')
      return verify(prefix === 'bcrypt_sha256' ? createHash('sha256').update(password).digest('hex') : password, hash)
    }
  }
}
