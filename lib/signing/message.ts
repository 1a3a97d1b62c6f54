import { createHash, createHmac } from 'node:crypto'
import { BadSignatureError } from '../errors/signing.js'
import { anyKey } from '../random.js'
import { SECONDS } from './whole-seconds.js'

/** What a request says of its signature (RFC 9421, section 4), and the signature. */
export interface MessageSignature {
  /** What is signed: `@method` and its like, and names of headers. */
  readonly components: readonly string[]
  /** The value of the member of Signature-Input, as it came: it is signed too. */
  readonly parameters: string
  readonly keyId: string
  readonly nonce: string
  /** Seconds since 1970. */
  readonly created: number
  readonly expires: number | undefined
  /** In base64. */
  readonly signature: string
}

/** The parts of a request that every signature covers, which are no headers (RFC 9421, section 2.2). */
export const TARGET_COMPONENTS = ['@method', '@path', '@query'] as const

const NAME = '[a-z*][a-z0-9_.*-]{0,63}'
/** A string without escapes (RFC 8941, section 3.3.3). */
const STRING = '"[ !#-[\\]-~]{0,128}"'
/** One member, in the one spelling that RFC 8941 has for it. */
const INPUT = new RegExp(`^(${NAME})=(\\(([a-z0-9@" -]{0,1024})\\)((?:;[a-z]{1,16}=(?:${SECONDS}|${STRING})){0,8}))$`)
const PARAMETER = new RegExp(`;([a-z]+)=(${SECONDS}|${STRING})`, 'g')
const SIGNATURE = new RegExp(`^(${NAME})=:([A-Za-z0-9+/]{43}=):$`)
const COMPONENT = /^"(@method|@path|@query|[a-z0-9-]{1,64})"$/
const PARAMETERS = ['created', 'expires', 'nonce', 'keyid', 'alg']
/** Long enough for 96 random bits, and nothing anybody would take for a small number. */
const NONCE = /^[!-~]{16,128}$/
/** Visible ASCII without quotes and backslashes: what a string without escapes can hold. */
export const KEY_ID = /^[!#-[\]-~]{1,128}$/

/**
 * Reads the headers Signature-Input and Signature: one signature, of HMAC-SHA-256,
 * with `created`, `nonce` and `keyid`. Throws {@link BadSignatureError} for
 * anything else, which includes every second spelling of the same.
 */
export function readMessageSignature (input: unknown, signature: unknown): MessageSignature {
  if (input === undefined || signature === undefined) throw bad('missing')
  const described = match(INPUT, input)
  const signed = match(SIGNATURE, signature)
  const [, label = '', parameters = '', list = '', rest = ''] = described
  if (signed[1] !== label) throw bad('malformed')
  const { created, expires, nonce, keyid, alg = 'hmac-sha256' } = readParameters(rest)
  if (typeof created !== 'number' || (expires !== undefined && typeof expires !== 'number')) throw bad('malformed')
  if (typeof nonce !== 'string' || !NONCE.test(nonce) || typeof keyid !== 'string' || !KEY_ID.test(keyid)) throw bad('malformed')
  if (alg !== 'hmac-sha256') throw bad('algorithm')
  return { components: readComponents(list), parameters, keyId: keyid, nonce, created, expires, signature: signed[2] as string }
}

function match (pattern: RegExp, header: unknown): RegExpExecArray {
  const found = typeof header === 'string' ? pattern.exec(header) : null
  if (found === null) throw bad('malformed')
  return found
}

function readParameters (text: string): Record<string, string | number | undefined> {
  const read = new Map<string, string | number>()
  for (const [, name = '', value = ''] of text.matchAll(PARAMETER)) {
    // What is not understood may be meant to forbid something.
    if (!PARAMETERS.includes(name) || read.has(name)) throw bad('malformed')
    read.set(name, value.startsWith('"') ? value.slice(1, -1) : Number(value))
  }
  return Object.fromEntries(read)
}

function readComponents (list: string): string[] {
  const names = list.split(' ').map((item) => COMPONENT.exec(item)?.[1])
  if (!names.every((name) => name !== undefined) || new Set(names).size < names.length) throw bad('malformed')
  if (!TARGET_COMPONENTS.every((name) => names.includes(name))) throw bad('not_covered')
  return names
}

/** The parts of a request that are signed. `target` is a path and a query, as in the request line. */
export interface MessageParts {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** What is signed, as text (RFC 9421, section 2.5). Throws {@link BadSignatureError} where a part is missing, or is not visible ASCII. */
export function signatureBase ({ method, target, headers }: MessageParts, components: readonly string[], parameters: string): string {
  const query = target.indexOf('?')
  const values = new Map<string, unknown>([
    ['@method', method],
    ['@path', query === -1 ? target : target.slice(0, query)],
    ['@query', query === -1 ? '?' : target.slice(query)]
  ])
  const lines = components.map((name) => {
    const value = values.get(name) ?? (Object.hasOwn(headers, name) ? headers[name] : undefined)
    // A line break would let one value speak for several; what is not ASCII has several encodings.
    if (typeof value !== 'string' || !/^[\t -~]*$/.test(value)) throw bad('component')
    return `"${name}": ${value.trim()}`
  })
  return [...lines, `"@signature-params": ${parameters}`].join('\n')
}

/** The signature of a text, in base64. */
export function messageMac (key: Buffer, base: string): string {
  return createHmac('sha256', key).update(base).digest('base64')
}

/** Whether one of the keys signed `base`. */
export function verifiesMessage (keys: readonly Buffer[], base: string, signature: string): boolean {
  return anyKey(keys, signature, (key) => messageMac(key, base))
}

/** The value of Content-Digest (RFC 9530, section 2) for a body of this SHA-256. */
export function contentDigest (sha256: Buffer): string {
  return `sha-256=:${sha256.toString('base64')}:`
}

/** The value of Content-Digest where there is no body. */
export const EMPTY_DIGEST = contentDigest(createHash('sha256').digest())

function bad (reason: string): BadSignatureError {
  return new BadSignatureError({ reason })
}
