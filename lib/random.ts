import { createHash, createHmac, hkdfSync, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'

/** Where random bytes come from; tests give their own. */
export type RandomBytes = (size: number) => Buffer

export const systemRandom: RandomBytes = (size) => randomBytes(size)

/** A token nobody can guess: 256 bits, in base64url. */
export function randomToken (random: RandomBytes = systemRandom): string {
  return random(32).toString('base64url')
}

/** So many digits, each as likely as the next: for codes that people type. */
export function randomDigits (count: number): string {
  return String(randomInt(10 ** count)).padStart(count, '0')
}

/** An id that sorts by the time it was made: UUID version 7 (RFC 9562, section 5.7). */
export function timeOrderedId (now: number, random: RandomBytes = systemRandom): string {
  const bytes = random(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** SHA-256 in base64url: how tokens of 256 random bits are stored. */
export function digest (value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}

/** HMAC-SHA-256 over parts that cannot run into each other. */
export function mac (key: Buffer, ...parts: string[]): Buffer {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:${part}`)
  return hmac.digest()
}

/** A key for one purpose out of a secret for several (RFC 5869). */
export function deriveKey (secret: string | Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'fastify-bouncer', purpose, 32))
}

/** Whether a MAC, as text, is that of one of the keys. As text, of which there is one spelling: the last character of another may stand for the same bytes. */
export function anyKey (keys: readonly Buffer[], given: string, macOf: (key: Buffer) => string): boolean {
  const bytes = Buffer.from(given)
  return keys.some((key) => equal(bytes, Buffer.from(macOf(key))))
}

/** Compares in a time that tells nothing but the lengths. */
export function equal (a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
