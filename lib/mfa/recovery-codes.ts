import { digest, systemRandom, type RandomBytes } from '../random.js'

const COUNT = 10
const [GROUPS, LENGTH] = [6, 4]
/** Crockford's base32: no two characters look alike. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
/** More than anybody types. */
const MAX_TYPED = 64

/** Ten codes of 120 random bits, such as `3f7k-9wq2-m4np-c8ty-5xh0-ev6j`. */
export function newRecoveryCodes (random: RandomBytes = systemRandom): string[] {
  return Array.from({ length: COUNT }, () => Array.from({ length: GROUPS }, () => [...random(LENGTH)].map((byte) => ALPHABET[byte & 31]).join('')).join('-'))
}

/** What is stored of a code of this user, however it was typed. With 120 random bits a plain digest is enough (ASVS 5.0, 6.5.2). */
export function recoveryDigest (userId: string, code: string): string {
  const typed = code.slice(0, MAX_TYPED).toLowerCase().replace(/[\s-]/g, '').replaceAll('o', '0').replace(/[il]/g, '1')
  return digest(`recovery code:${userId}:${typed}`)
}
