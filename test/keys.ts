import { constants, createHmac, createPrivateKey, generateKeyPairSync, sign, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { KeyPair } from '../lib/token/local-keys.js'
import { encode } from './build.js'

/** A key pair, as objects and in PEM. */
export interface TestKey {
  publicKey: KeyObject
  privateKey: KeyObject
  pem: { public: string, private: string }
}

/** The kinds of key that are accepted, each with the algorithms it serves. */
export const ALGORITHMS = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  ed25519: ['EdDSA']
} as const

/** A kind of key in {@link ALGORITHMS}. */
export type KeyKind = keyof typeof ALGORITHMS

/** A new key pair. `bits` is for RSA only. */
export function newKey (kind: KeyKind | 'secp256k1' | 'ed448' | 'rsa-pss', bits = 2048): TestKey {
  const { privateKey, publicKey } = generate(kind, bits)
  return {
    privateKey,
    publicKey,
    pem: {
      public: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      private: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    }
  }
}

function generate (kind: KeyKind | 'secp256k1' | 'ed448' | 'rsa-pss', bits: number): { publicKey: KeyObject, privateKey: KeyObject } {
  switch (kind) {
    case 'rsa': return generateKeyPairSync('rsa', { modulusLength: bits })
    case 'rsa-pss': return generateKeyPairSync('rsa-pss', { modulusLength: bits })
    case 'ed25519': return generateKeyPairSync('ed25519')
    case 'ed448': return generateKeyPairSync('ed448')
    default: return generateKeyPairSync('ec', { namedCurve: kind })
  }
}

/** The key pair as `jwt.secret` takes it. */
export function pairOf (key: TestKey, more: Partial<KeyPair> = {}): KeyPair {
  return { public: key.pem.public, private: key.pem.private, ...more }
}

/** The public key as a member of a key set. */
export function jwkOf (key: TestKey, members: Record<string, unknown> = {}): JsonWebKey {
  return { ...key.publicKey.export({ format: 'jwk' }), ...members }
}

/** The private key with its passphrase. */
export function encrypted (key: TestKey, passphrase: string): string {
  return key.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase }).toString()
}

/** A signature of `input`, made without any library for tokens. A string key is an HMAC secret. */
export function signature (alg: string, input: string, key: KeyObject | string | Buffer): Buffer {
  const hash = `sha${alg.slice(2)}`
  if (typeof key === 'string' || Buffer.isBuffer(key)) return createHmac(hash, key).update(input).digest()
  const data = Buffer.from(input)
  switch (alg.slice(0, 2)) {
    case 'PS': return sign(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST })
    case 'ES': return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
    case 'Ed': return sign(null, data, key)
    default: return sign(hash, data, key)
  }
}

/** A token with this header and payload, signed as `alg` says (by default the header's own). */
export function signed (header: Record<string, unknown>, payload: unknown, key: KeyObject | string | Buffer, alg = String(header.alg)): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signature(alg, input, key).toString('base64url')}`
}

/** A private key in PEM, read back. */
export const privateKey = (pem: string): KeyObject => createPrivateKey(pem)
