/** Characters of an attribute that are compared: more than any e-mail address has. */
const COMPARED = 1024

/**
 * How many characters two texts share, in any order, from 0 to 1: twice the
 * common ones over all (`quick_ratio` of Python's difflib). Linear.
 */
export function similarity (a: string, b: string): number {
  const available = new Map<string, number>()
  let total = 0
  for (const character of b) {
    total++
    available.set(character, (available.get(character) ?? 0) + 1)
  }
  let shared = 0
  for (const character of a) {
    total++
    const left = available.get(character) ?? 0
    if (left > 0) shared++
    available.set(character, left - 1)
  }
  return total === 0 ? 1 : 2 * shared / total
}

/** Whether a password is at least this similar to an attribute of its user, or to the part before the first `@`. Without case. */
export function isSimilar (password: string, attribute: string | null | undefined, threshold: number): boolean {
  const value = (attribute ?? '').slice(0, COMPARED).normalize('NFKC').toLowerCase()
  const lower = password.toLowerCase()
  const parts = new Set([value, value.split('@', 1)[0] as string])
  return [...parts].some((part) => part !== '' && similarity(lower, part) >= threshold)
}
