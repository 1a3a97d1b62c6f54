import { createCipheriv, createDecipheriv } from 'node:crypto'
import { ConfigurationError } from './errors/operation.js'
import { digest, systemRandom, type RandomBytes } from './random.js'

/** Keeps secrets that must be read again. */
export interface Sealer {
  /** Encrypts a text for one place, such as the account it belongs to. */
  seal (text: string, place: string): string
  /** The text again, and whether it should be sealed anew since the key is not today's. Throws {@link ConfigurationError} for what no key opens, or what belongs elsewhere. */
  open (sealed: string, place: string): { text: string, outdated: boolean }
}

const ALGORITHM = 'aes-256-gcm'
/** Bytes, as NIST SP 800-38D wants them. */
const [NONCE, TAG] = [12, 16]
/** Enough to tell keys apart, and nothing to learn about them. */
const KEY_ID = 8

/**
 * Encryption with AES-256-GCM, each time with a nonce of its own; what was
 * sealed for one place cannot be put into another. The first of `keys`, of 32
 * bytes each, seals; all of them open.
 */
export function createSealer (keys: readonly [Buffer, ...Buffer[]], random: RandomBytes = systemRandom): Sealer {
  const byId = new Map(keys.map((key) => [idOf(key), key]))
  const [today] = keys

  return {
    seal (text, place) {
      const nonce = random(NONCE)
      const cipher = createCipheriv(ALGORITHM, today, nonce, { authTagLength: TAG }).setAAD(Buffer.from(place))
      const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${idOf(today)}.${bytes.toString('base64url')}`
    },

    open (sealed, place) {
      const id = sealed.slice(0, KEY_ID)
      const key = byId.get(id)
      const bytes = Buffer.from(sealed.slice(KEY_ID + 1), 'base64url')
      // One spelling: the decoder reads over what is no base64url.
      if (key === undefined || bytes.length < NONCE + TAG || sealed !== `${id}.${bytes.toString('base64url')}`) throw unreadable()
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE), { authTagLength: TAG })
        .setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG))
      try {
        const text = Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]).toString('utf8')
        return { text, outdated: key !== today }
      } catch (cause) {
        throw unreadable(cause)
      }
    }
  }
}

function idOf (key: Buffer): string {
  return digest(`key id:${key.toString('base64url')}`).slice(0, KEY_ID)
}

function unreadable (cause?: unknown): ConfigurationError {
  return new ConfigurationError({ option: 'encryptionKey', cause, message: 'encryptionKey opens a stored secret with none of its keys: one that is still needed is missing, or what is stored was changed.' })
}
