import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { audience, issuer } from '../apps/claims.js'

/** The five kinds of refusal, mixed evenly. */
export const REFUSALS = ['missing', 'malformed', 'bad signature', 'expired', 'wrong audience']

const HOUR = 3600

/** One secret and one key pair, shared by everything in a run. */
export function createKeys () {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
  return { HS256: { secret: randomBytes(48).toString('base64') }, ES256: { public: pair.publicKey, private: pair.privateKey } }
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

function signed (algorithm, key, payload) {
  const input = `${encode({ alg: algorithm, typ: 'JWT' })}.${encode(payload)}`
  const signature = algorithm === 'HS256'
    ? createHmac('sha256', key.secret).update(input).digest()
    : sign('sha256', Buffer.from(input), { key: key.private, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

// Nobody gets as far as the signature, so making one would only cost time.
function unsigned (algorithm, payload, kid) {
  return `${encode({ alg: algorithm, typ: 'JWT', kid })}.${encode(payload)}.${'A'.repeat(86)}`
}

/** Claims as an identity provider writes them; every token is another one. */
function claims (serial, changes) {
  const now = Math.floor(Date.now() / 1000)
  return { iss: issuer, aud: audience, sub: `user-${serial}`, jti: `token-${serial}`, iat: now - 60, exp: now + 12 * HOUR, email: 'user@example.com', roles: ['editor'], scope: 'read write', ...changes }
}

/** The header field of the `serial`th request of a kind; undefined for none. */
export function authorization (kind, serial, algorithm, key) {
  switch (kind) {
    case 'missing': return undefined
    case 'malformed': return `Bearer not${serial}.a.token`
    case 'bad signature': return `Bearer ${wrongSignature(signed(algorithm, key, claims(serial)))}`
    case 'expired': return `Bearer ${signed(algorithm, key, claims(serial, { iat: 0, exp: HOUR }))}`
    case 'wrong audience': return `Bearer ${signed(algorithm, key, claims(serial, { aud: 'other-api' }))}`
    case 'unknown key': return `Bearer ${unsigned(algorithm, claims(serial), `unknown-${serial}`)}`
    default: return `Bearer ${signed(algorithm, key, claims(serial))}`
  }
}

// Another character in the middle of the signature: still canonical base64url.
function wrongSignature (token) {
  const place = token.length - 20
  return token.slice(0, place) + (token[place] === 'A' ? 'B' : 'A') + token.slice(place + 1)
}
