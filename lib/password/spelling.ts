/** A password in the form that is hashed, and as it was typed. */
export interface Spelling {
  /** Unicode's NFKC: a password is the same from every keyboard. */
  readonly normal: string
  readonly typed: string
  /** Characters (code points) of the shorter form. */
  readonly length: number
}

/**
 * Reads a password, or says why it cannot be one: `long` where a form of it has
 * more than `maxLength` characters, `malformed` where it is no Unicode text. This
 * comes before anything else, and bounds its bytes as well: four a character.
 */
export function spell (password: unknown, maxLength: number): Spelling | 'long' | 'malformed' {
  if (typeof password !== 'string') return 'malformed'
  if (password.length > 2 * maxLength) return 'long'
  // Halves of surrogate pairs have no bytes of their own: all of them would hash alike.
  if (/\p{Surrogate}/u.test(password)) return 'malformed'
  const normal = password.normalize('NFKC')
  const lengths = [[...normal].length, [...password].length]
  return Math.max(...lengths) > maxLength ? 'long' : { normal, typed: password, length: Math.min(...lengths) }
}
