/** True when `held` contains at least one of `wanted`. Names are compared exactly; nothing wanted is nothing allowed. */
export function hasAny (held: readonly string[], wanted: readonly string[]): boolean {
  return wanted.some((name) => held.includes(name))
}

/** True when `held` contains every one of `wanted`. Names are compared exactly; nothing wanted is nothing allowed. */
export function hasAll (held: readonly string[], wanted: readonly string[]): boolean {
  return wanted.length > 0 && wanted.every((name) => held.includes(name))
}

/** The strings of a claim that should be a list of names, each once. Anything else counts as no names. */
export function names (value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) return NONE
  const found = new Set<string>()
  for (const name of value) {
    if (typeof name === 'string' && name !== '') found.add(name)
  }
  return Object.freeze([...found])
}

const NONE: readonly string[] = Object.freeze([])
