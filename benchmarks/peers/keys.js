import { createPublicKey, createSecretKey, webcrypto } from 'node:crypto'

/** The verification key as a `KeyObject`, prepared once. */
export function keyObject (key, algorithm) {
  return algorithm === 'HS256' ? createSecretKey(Buffer.from(key.secret)) : createPublicKey(key.public)
}

/** The verification key as a `CryptoKey`, prepared once. */
export async function cryptoKey (key, algorithm) {
  const { subtle } = webcrypto
  return algorithm === 'HS256'
    ? await subtle.importKey('raw', Buffer.from(key.secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
    : await subtle.importKey('spki', createPublicKey(key.public).export({ type: 'spki', format: 'der' }), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
}

/** Claims that jsonwebtoken does not ask for by itself. */
export const complete = ({ exp, sub }) => typeof exp === 'number' && typeof sub === 'string'
