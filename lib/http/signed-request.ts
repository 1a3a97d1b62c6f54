import type { FastifyReply, FastifyRequest, RequestPayload, preParsingHookHandler } from 'fastify'
import { systemClock, type Clock } from '../clock.js'
import { AuthUnavailableError, ConfigurationError } from '../errors/operation.js'
import { BadSignatureError, SignatureExpiredError } from '../errors/signing.js'
import { EMPTY_DIGEST, readMessageSignature, signatureBase, verifiesMessage, type MessageSignature } from '../signing/message.js'
import { readKeys, type RequestKeys } from '../signing/request-keys.js'
import { isSeconds } from '../signing/whole-seconds.js'
import { announcesBody, digestBody, refuseBody, type WatchedBody } from './body-digest.js'
import { nonceCheck, type NonceCheck, type Remember } from './nonces.js'
import { proofPolicy, type Policy } from './policy.js'
import type { Refuser } from './refusal.js'

/** What {@link Guards.requireSignedRequest} takes. */
export interface SignedRequestOptions {
  /** Secrets by key id, at least 32 bytes each; a list for rotation. Or a function that looks them up. */
  keys: RequestKeys
  /** Seconds by which the time of a signature may lie in the past or ahead. Default 300. */
  window?: number
  /** Headers that must be signed too, such as `content-type`. */
  headers?: readonly string[]
  /** Remembers nonces in place of the plugin's store. */
  remember?: Remember
  /** For tests. */
  clock?: Clock
}

/** What the policy needs of the plugin. */
export interface SignedRequestParts {
  enabled: boolean
  refuse: Refuser
  /** Remembers nonces where an application does not itself. Called when a guard is made. */
  remember: () => Remember
}

/** A request whose headers are right. */
interface Pending {
  readonly signature: MessageSignature
  /** Whether the body is the one that was signed. */
  readonly isRight: () => boolean
  /** The rest of the check, once it has begun. */
  conclusion: Promise<void> | undefined
}

/** What a clock of one of our servers may differ by from another's, in milliseconds. */
const MARGIN = 60_000
const DAY = 86_400

/** The policy that asks for a signed request (RFC 9421). Throws {@link ConfigurationError} for options that cannot be meant. */
export function signedRequestPolicy (options: SignedRequestOptions, { enabled, refuse, remember }: SignedRequestParts): Policy {
  const { check, conclude } = createCheck(options, remember)
  // By request and not by property: two guards on one route know nothing of each other.
  const pending = new WeakMap<FastifyRequest, Pending>()

  const beforeBody: preParsingHookHandler = (request, reply, payload, done) => {
    if (!enabled || pending.has(request)) { done(null, payload); return }
    const stop = (error: unknown): void => { refuse(error, request, reply, done as (error: Error) => void) }
    check(request).then((signature) => {
      const { isRight, stream } = watchBody(request, reply, payload, signature)
      pending.set(request, { signature, isRight, conclusion: undefined })
      done(null, stream)
    }).catch(stop)
  }

  async function verify (request: FastifyRequest): Promise<void> {
    const known = pending.get(request)
    if (known === undefined) {
      throw new ConfigurationError({ option: 'requireSignedRequest()', message: 'requireSignedRequest() did not see the body of this request. Give it as preHandler of a route, or of a scope, that is declared after fastify-bouncer has loaded.' })
    }
    known.conclusion ??= conclude(request, known)
    await known.conclusion
  }

  return proofPolicy({ scheme: 'signedRequest', verify, beforeBody }, [BadSignatureError, SignatureExpiredError, AuthUnavailableError])
}

interface RequestCheck {
  /** Everything but the body and the nonce: what can be known before the body is read. */
  check (request: FastifyRequest): Promise<MessageSignature>
  /** The body, the time once more, and then the nonce: only what was signed is remembered. */
  conclude (request: FastifyRequest, known: Pending): Promise<void>
}

function createCheck (options: SignedRequestOptions, remember: SignedRequestParts['remember']): RequestCheck {
  const { window, headers, clock } = readOptions(options)
  const find = readKeys(options.keys)
  const isNew: NonceCheck = nonceCheck(options.remember ?? remember())

  function checkTime ({ created, expires = Infinity }: MessageSignature, now: number): void {
    const age = Math.floor(now / 1000) - created
    if (age < -window) throw new BadSignatureError({ reason: 'future' })
    if (age > window || created + age > expires) throw new SignatureExpiredError({ age, maxAge: Math.min(window, expires - created) })
  }

  return {
    async check ({ method, originalUrl, headers: sent }) {
      const signature = readMessageSignature(sent['signature-input'], sent.signature)
      const { components, parameters, keyId } = signature
      if (!headers.every((name) => components.includes(name))) throw new BadSignatureError({ reason: 'not_covered' })
      const keys = await find(keyId)
      if (keys === undefined) throw new BadSignatureError({ reason: 'unknown_key' })
      const base = signatureBase({ method, target: originalUrl, headers: sent }, components, parameters)
      if (!verifiesMessage(keys, base, signature.signature)) throw new BadSignatureError({ reason: 'mismatch' })
      checkTime(signature, clock())
      return signature
    },

    async conclude (request, { signature, isRight }) {
      if (!isRight()) throw new BadSignatureError({ reason: 'body_unread' })
      const { keyId, nonce, created } = signature
      const now = clock()
      // Again: a body may take its time, and a nonce that is no longer remembered would be new once more.
      checkTime(signature, now)
      const ttl = (created + window + 1) * 1000 - now + MARGIN
      if (!await isNew(keyId, nonce, ttl)) throw new BadSignatureError({ reason: 'replayed' })
      request.signedBy = keyId
    }
  }
}

/** Throws {@link BadSignatureError} for a body that was not signed, or that is none. */
function watchBody (request: FastifyRequest, reply: FastifyReply, payload: RequestPayload, { components }: MessageSignature): WatchedBody {
  const promised = components.includes('content-digest') ? request.headers['content-digest'] : undefined
  if (!announcesBody(request)) {
    if (promised !== undefined && promised !== EMPTY_DIGEST) throw new BadSignatureError({ reason: 'body' })
    return refuseBody(payload, reply)
  }
  if (typeof promised !== 'string') throw new BadSignatureError({ reason: 'body_not_covered' })
  return digestBody(payload, promised, reply)
}

function readOptions (options: SignedRequestOptions): { window: number, headers: readonly string[], clock: Clock } {
  const refuse = (option: string, problem: string): ConfigurationError => new ConfigurationError({ option: `requireSignedRequest().${option}`, message: `requireSignedRequest(): ${option} ${problem}.` })
  const known = ['keys', 'window', 'headers', 'remember', 'clock']
  if (typeof options !== 'object' || options === null) throw refuse('keys', 'must be given, as in requireSignedRequest({ keys: { name: secret } })')
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw refuse(name, `is not an option; there are ${known.join(', ')}`)
  }
  const { window = 300, headers = [], remember, clock = systemClock } = options
  if (!isSeconds(window) || window === 0 || window > DAY) throw refuse('window', `must be a whole number of seconds from 1 to ${DAY}`)
  if (!Array.isArray(headers) || !headers.every((name) => typeof name === 'string' && /^[a-z0-9-]{1,64}$/.test(name))) throw refuse('headers', 'must be a list of header names in lower case')
  if (remember !== undefined && typeof remember !== 'function') throw refuse('remember', 'must be a function (key, ttl) => Promise<boolean>')
  return { window, headers, clock }
}
