import { createHash, createHmac, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { ConfigurationError } from '../errors/operation.js'
import { verificationKey, type KeySource, type VerificationKey } from './key-source.js'

/** A key pair in PEM; without `private` it verifies and does not sign. */
export interface KeyPair {
  public: string
  private?: string | { key: string, passphrase: string }
  /** Key id of the tokens it signs. By default the thumbprint of the key (RFC 7638). */
  kid?: string
}

/** What tokens are signed with. */
export interface SigningKey {
  material: string | { key: string, passphrase: string }
  algorithm: string
  kid: string | undefined
}

/** Keys held by this application: verification for all, signing for the first. */
export interface LocalKeys extends KeySource {
  readonly signing: SigningKey | undefined
  /** What others verify our tokens with, as JSON Web Keys (RFC 7517); none for secrets. */
  readonly publicKeys: ReadonlyArray<Record<string, unknown>>
}

interface LocalKey {
  kid: string
  algorithms: readonly string[]
  verification: VerificationKey
  signing: SigningKey['material'] | undefined
  published: Record<string, unknown> | undefined
}

export const HMAC_ALGORITHMS: readonly string[] = ['HS256', 'HS384', 'HS512']
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const EC_ALGORITHMS: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/** The algorithms a key set published by an identity provider may use. */
export const PUBLIC_KEY_ALGORITHMS: readonly string[] = [...RSA_ALGORITHMS, ...Object.values(EC_ALGORITHMS), 'EdDSA']

const MIN_SECRET_BYTES = 32
export const MIN_RSA_BITS = 2048

/**
 * Reads `jwt.secret`: one secret or key pair, or several for rotation, of which
 * the first signs and all verify.
 *
 * Throws {@link ConfigurationError} for secrets under 32 bytes, RSA keys under
 * 2048 bits, keys that are not what they should be, and mixed kinds.
 */
export function localKeys (secrets: ReadonlyArray<string | KeyPair>, allowed: readonly string[] | undefined): LocalKeys {
  const keys = secrets.map((secret) => typeof secret === 'string' ? hmacKey(secret, allowed) : publicKey(secret, allowed))
  const [first] = keys
  if (first === undefined) throw new ConfigurationError({ option: 'jwt.secret', message: 'jwt.secret is an empty list. Give at least one secret or key pair.' })
  if (new Set(secrets.map((secret) => typeof secret)).size > 1) {
    throw new ConfigurationError({ option: 'jwt.secret', message: 'jwt.secret mixes HMAC secrets and key pairs. Whoever knows a public key could then forge tokens: use one kind.' })
  }
  const algorithms = new Set(keys.flatMap((key) => key.algorithms))
  const serving = (alg: string) => keys.filter((key) => key.algorithms.includes(alg))
  const byAlgorithm = new Map([...algorithms].map((alg) => [alg, serving(alg).map((key) => key.verification)]))
  // Two keys may have been given one key id: both are tried.
  const named = (alg: string, kid: string) => serving(alg).filter((key) => key.kid === kid).map((key) => key.verification)
  const byId = new Map(keys.flatMap((key) => key.algorithms.map((alg) => [`${alg} ${key.kid}`, named(alg, key.kid)])))
  return {
    algorithms,
    signing: first.signing === undefined
      ? undefined
      : { material: first.signing, algorithm: first.algorithms[0] as string, kid: first.kid },
    publicKeys: keys.flatMap(({ published }) => published === undefined ? [] : [published]),
    // A key id that is not ours may be somebody else's name for one of our keys:
    // then all are tried. There are only as many as were configured.
    find: ({ alg, kid }) => (kid === undefined ? undefined : byId.get(`${alg} ${kid}`)) ?? byAlgorithm.get(alg) ?? []
  }
}

function hmacKey (secret: string, allowed: readonly string[] = ['HS256']): LocalKey {
  // Bytes that are public elsewhere are no secret, however long they are.
  if (isPublic(secret)) {
    throw new ConfigurationError({ option: 'jwt.secret', message: 'jwt.secret is a key or an address in a string, which would be used as an HMAC secret. Give key pairs as { public, private }, in PEM.' })
  }
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
    throw new ConfigurationError({ option: 'jwt.secret', message: `jwt.secret is shorter than ${MIN_SECRET_BYTES} bytes. Make one with: node -p "crypto.randomBytes(32).toString('base64')"` })
  }
  const algorithms = intersect(HMAC_ALGORITHMS, allowed, 'an HMAC secret')
  // Derived one way: a key id is public.
  const kid = createHmac('sha256', secret).update('fastify-bouncer key id').digest('base64url').slice(0, 16)
  return { kid, algorithms, verification: verificationKey(secret, algorithms), signing: secret, published: undefined }
}

function publicKey (pair: KeyPair, allowed: readonly string[] | undefined): LocalKey {
  const key = readKey('jwt.secret.public', () => {
    if (pair.public.includes('PRIVATE KEY')) throw new Error('it is a private key')
    return createPublicKey(pair.public)
  })
  const own = keyAlgorithms(key)
  if (own === undefined) {
    throw new ConfigurationError({ option: 'jwt.secret.public', message: `jwt.secret.public is a key that no accepted algorithm uses. Use RSA of at least ${MIN_RSA_BITS} bits, EC on P-256, P-384 or P-521, or Ed25519.` })
  }
  const algorithms = intersect(own, allowed ?? own, 'this key')
  if (pair.private !== undefined) {
    const material = pair.private
    const signing = readKey('jwt.secret.private', () => createPrivateKey(material))
    if (thumbprint(createPublicKey(signing)) !== thumbprint(key)) {
      throw new ConfigurationError({ option: 'jwt.secret.private', message: 'jwt.secret.private and jwt.secret.public do not belong together.' })
    }
  }
  const pem = key.export({ format: 'pem', type: 'spki' }).toString()
  const kid = pair.kid ?? thumbprint(key)
  return {
    kid,
    algorithms,
    verification: verificationKey(pem, algorithms),
    signing: pair.private,
    published: { ...key.export({ format: 'jwk' }), kid, use: 'sig', ...(algorithms.length === 1 && { alg: algorithms[0] }) }
  }
}

/** The algorithms a public key serves, or undefined for a weak or foreign one. */
export function keyAlgorithms (key: KeyObject): readonly string[] | undefined {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa': return modulusLength >= MIN_RSA_BITS ? RSA_ALGORITHMS : undefined
    case 'ec': return EC_ALGORITHMS[namedCurve] === undefined ? undefined : [EC_ALGORITHMS[namedCurve]]
    case 'ed25519': return ['EdDSA']
    default: return undefined
  }
}

/** The key's name, made of its public parts (RFC 7638). */
export function thumbprint (key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' }) as JsonWebKey
  // The required members of each kind, in the order of their names; those of
  // the other kinds are undefined and so are left out.
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}

function intersect (own: readonly string[], allowed: readonly string[], what: string): readonly string[] {
  const both = own.filter((algorithm) => allowed.includes(algorithm))
  const foreign = allowed.filter((algorithm) => !own.includes(algorithm))
  if (both.length === 0 || foreign.length > 0) {
    throw new ConfigurationError({ option: 'jwt.algorithms', message: `jwt.algorithms lists ${foreign.join(', ') || 'nothing'}, which ${what} does not serve. It serves ${own.join(', ')}.` })
  }
  return both
}

function readKey (option: string, read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch (cause) {
    throw new ConfigurationError({ option, message: `${option} cannot be read as a key in PEM.`, cause })
  }
}

// PEM, also in base64 as environment variables hold it; JSON Web Keys; SSH and
// DER keys; addresses, meant for jwksUrl.
function isPublic (secret: string): boolean {
  return /-----BEGIN [A-Z0-9 ]+-----|^LS0tLS1CRUdJTi|^ssh-|^https?:\/\//.test(secret.trim()) || isJson(secret) || isDer(secret)
}

function isDer (text: string): boolean {
  try {
    createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' })
    return true
  } catch {
    return false
  }
}

function isJson (text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}
