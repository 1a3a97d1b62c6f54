/** What a stored hash can be made with. */
export const HASH_KINDS = ['argon2id', 'argon2i', 'argon2d', 'scrypt', 'pbkdf2', 'bcrypt'] as const
/** A kind of stored hash. */
export type HashKind = typeof HASH_KINDS[number]

/** A stored hash whose form is known and whose parameters are bounded. */
export interface ReadHash {
  readonly kind: HashKind
  /** Whether it is the hash of this password. The work is the same for every password. */
  matches (password: string): Promise<boolean>
}

/** Reads a stored hash; undefined where it is of another kind, malformed, or would cost too much. Never throws, and takes time linear in what it is given. */
export type HashReader = (stored: string) => ReadHash | undefined

/** A hash of no password, and how it would be stored. */
export type Decoy = ReadHash & { readonly text: string }

/** Makes new hashes. Its parameters are checked before it is made. */
export interface Hasher {
  readonly kind: HashKind
  hash (password: string): Promise<string>
  /** What could be stored, and is the hash of no password: reading it and trying passwords takes as much work as with one that {@link Hasher.hash} made. */
  decoy (): Decoy
  /** Whether a stored hash is one of its own, and in no parameter weaker than it would make it now. */
  isCurrent (stored: string): boolean
}

/** Bytes of salt in new hashes (RFC 9106, section 3.1). */
export const SALT_BYTES = 16
/** Bytes of output in new hashes. */
export const HASH_BYTES = 32
