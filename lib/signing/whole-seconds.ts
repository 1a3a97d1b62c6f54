/** Ends in the year 33658: what is longer than twelve digits is no time. */
const END = 1e12

/** Whether a value is a whole number of seconds, 0 or more. */
export function isSeconds (value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < END
}

/** The one spelling of such a number: no sign, no leading zero. */
export const SECONDS = '(?:0|[1-9][0-9]{0,11})'

/** Checks the options of a call: {@link TypeError} for what is no object, and for a name that is not known, which would be left unheeded. */
export function knownOptions (options: unknown, call: string, ...names: string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw new TypeError(`${call} takes its options as an object, such as { ${names[0]}: ... }`)
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new TypeError(`${call} has no option ${unknown}; it has ${names.join(', ')}`)
}
