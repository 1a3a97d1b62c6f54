/** Bytes of padded base64; undefined where they would be written otherwise: one hash has one spelling. */
export function fromBase64 (text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** Base64 without padding, as PHC strings have it. */
export function toUnpadded (bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}

/** Bytes of base64 without padding; undefined where they would be written otherwise. */
export function fromUnpadded (text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return toUnpadded(bytes) === text ? bytes : undefined
}

/** Base64 without padding and with `.` for `+`, as passlib writes it. */
export function toAb64 (bytes: Buffer): string {
  return toUnpadded(bytes).replaceAll('+', '.')
}

/** Bytes of passlib's base64; undefined where they would be written otherwise. */
export function fromAb64 (text: string): Buffer | undefined {
  return text.includes('+') ? undefined : fromUnpadded(text.replaceAll('.', '+'))
}

/** Whether there are bytes, and how many is within both bounds. */
export function hasLength (bytes: Buffer | undefined, least: number, most: number): bytes is Buffer {
  return bytes !== undefined && bytes.length >= least && bytes.length <= most
}
