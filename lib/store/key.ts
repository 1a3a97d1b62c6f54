import { digest } from '../random.js'

/** Longest key that is stored as it is, in characters: an index of PostgreSQL takes 2,704 bytes. */
const LONGEST = 200

/**
 * The key under which an entry is stored. Keys may hold what a client sent: one
 * that is long, or that holds the one character PostgreSQL has no place for, is
 * stored as its digest, so that no client can make a store large or fail.
 */
export function storedKey (key: string): string {
  const plain = key.length <= LONGEST && !key.startsWith('sha256:') && !key.includes('\0')
  return plain ? key : `sha256:${digest(key)}`
}
