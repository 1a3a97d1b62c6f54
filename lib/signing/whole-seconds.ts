/** Ends in the year 33658: what is longer than twelve digits is no time. */
const END = 1e12

/** Whether a value is a whole number of seconds, 0 or more. */
export function isSeconds (value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < END
}

/** The one spelling of such a number: no sign, no leading zero. */
export const SECONDS = '(?:0|[1-9][0-9]{0,11})'
