import { digest, equal, mac, systemRandom, type RandomBytes } from '../random.js'

/** A refresh token that this server made. */
export interface RefreshToken {
  readonly sessionId: string
  /** How many tokens of its family came before it. */
  readonly generation: number
  /** What is stored of it. */
  readonly digest: string
  /** The token that follows it, made with the first key: always the same one. */
  readonly successor: () => string
  /** What may be stored of its successor, if it was made with any of the keys. */
  readonly successors: () => readonly string[]
}

/** Makes and reads refresh tokens. */
export interface RefreshTokens {
  /** The first token of a session. */
  first (sessionId: string): string
  /** Reads a token; undefined for anything this server did not make. */
  read (token: string): RefreshToken | undefined
}

// Session id, generation, secret, tag.
const [ID, GENERATION, SECRET, TAG] = [16, 4, 32, 16]
const BODY = ID + GENERATION + SECRET
const LENGTH = Math.ceil((BODY + TAG) * 4 / 3)

/**
 * Refresh tokens that clients cannot look into. Each names its session and its
 * place in the family, and has a tag, so that a forged one costs no query and an
 * old one is known as such although only the digest of the current one is
 * stored. Its secret gives that of its successor by HMAC: whoever repeats a
 * refresh whose answer was lost gets the same successor, from any process.
 *
 * The first of `keys` makes tokens, all of them read.
 */
export function createRefreshTokens (keys: readonly [Buffer, ...Buffer[]], random: RandomBytes = systemRandom): RefreshTokens {
  const write = (key: Buffer, sessionId: string, generation: number, secret: Buffer): string => {
    const body = Buffer.alloc(BODY)
    body.write(sessionId.replaceAll('-', ''), 0, 'hex')
    body.writeUInt32BE(generation, ID)
    secret.copy(body, ID + GENERATION)
    return Buffer.concat([body, tagOf(key, body)]).toString('base64url')
  }

  return {
    first: (sessionId) => write(keys[0], sessionId, 0, random(SECRET)),

    read (token) {
      const bytes = bytesOf(token)
      if (bytes === undefined) return undefined
      const body = bytes.subarray(0, BODY)
      const tag = bytes.subarray(BODY)
      if (!keys.some((key) => equal(tag, tagOf(key, body)))) return undefined
      const sessionId = uuidOf(body.subarray(0, ID))
      const generation = body.readUInt32BE(ID)
      const next = (key: Buffer): string => write(key, sessionId, generation + 1, mac(key, 'refresh token successor', body.toString('base64url')))
      return {
        sessionId,
        generation,
        digest: digest(token),
        successor: () => next(keys[0]),
        successors: () => keys.map(next)
      }
    }
  }
}

/** One spelling only: what decodes to the same bytes otherwise is another string. */
function bytesOf (token: string): Buffer | undefined {
  if (token.length !== LENGTH) return undefined
  const bytes = Buffer.from(token, 'base64url')
  return bytes.toString('base64url') === token ? bytes : undefined
}

function tagOf (key: Buffer, body: Buffer): Buffer {
  return mac(key, 'refresh token', body.toString('base64url')).subarray(0, TAG)
}

function uuidOf (bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
