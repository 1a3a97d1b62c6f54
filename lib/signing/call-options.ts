/** Checks the options of a call: {@link TypeError} for what is no object, and for a name that is not known, which would be left unheeded. */
export function knownOptions (options: unknown, call: string, ...names: string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw new TypeError(`${call} takes its options as an object, such as { ${names[0]}: ... }`)
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new TypeError(`${call} has no option ${unknown}; it has ${names.join(', ')}`)
}

/** As {@link knownOptions}, and {@link TypeError} for one that is undefined: a limit that a configuration lacks is not meant to be none. */
export function givenOptions (options: unknown, call: string, ...names: string[]): void {
  knownOptions(options, call, ...names)
  const lacking = Object.entries(options as object).find(([, value]) => value === undefined)
  if (lacking !== undefined) throw new TypeError(`${call}: ${lacking[0]} is undefined; give it a value, or leave it out`)
}
