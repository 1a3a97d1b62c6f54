import { Secret, TOTP } from 'otpauth'
import encodeQR from 'qr'

/** What an authenticator application takes a secret from. */
export interface TotpLink {
  /** `otpauth://totp/…` */
  readonly otpauth_uri: string
  /** The link as a QR code, an SVG document. */
  readonly qr_code: string
}

/** A secret in base32 as a link and as a QR code; `issuer` and `label` are what the application shows. Throws `TypeError` for what is no base32. */
export function totpLink (secret: string, issuer: string, label: string): TotpLink {
  const uri = new TOTP({ issuer, label, secret: Secret.fromBase32(secret) }).toString()
  return { otpauth_uri: uri, qr_code: encodeQR(uri, 'svg') }
}
