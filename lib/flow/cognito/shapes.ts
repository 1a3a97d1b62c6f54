// What Cognito takes at all. The rest is refused without a call: it would only
// be told that a parameter is invalid, as it is told of a wrong configuration.

const MAX_PASSWORD = 256
const MAX_TOKEN = 16_384

/** A user name, an address, or whatever else the pool signs in with. */
export function isUsername (value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256 && /^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u.test(value)
}

/** Any password: neither empty nor of a length that no pool allows. */
export function isPassword (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_PASSWORD
}

/** A new password: no blank at either end. */
export function isNewPassword (value: unknown): value is string {
  return isPassword(value) && value.trim() === value
}

/** A code of an authenticator application (RFC 6238, six digits). */
export function isTotpCode (value: unknown): value is string {
  return typeof value === 'string' && /^\d{6}$/.test(value)
}

/** A code that was sent to somebody. */
export function isSentCode (value: unknown): value is string {
  return typeof value === 'string' && /^\S{1,64}$/.test(value)
}

/** A token of Cognito's, by its characters. */
export function isToken (value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TOKEN && /^[\w.=-]+$/.test(value)
}
