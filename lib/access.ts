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
  if (!Array.isArray(value)) return NONE
  return Object.freeze([...new Set(value.filter((name): name is string => typeof name === 'string' && name !== ''))])
}

const NONE: readonly string[] = Object.freeze([])
