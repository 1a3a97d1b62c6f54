import type { FastifyRequest } from 'fastify'
import { withoutStack } from '../errors/auth-error.js'
import { ConfigurationError } from '../errors/operation.js'
import { BadSignatureError, SignatureExpiredError } from '../errors/signing.js'
import { isThenable } from '../promise.js'
import type { UrlSigner } from '../signing/urls.js'
import { proofPolicy, type Policy } from './policy.js'

/** What {@link Guards.requireSignedUrl} takes. */
export interface SignedUrlOptions {
  /** The signer whose `signUrl()` makes the URLs; not one that is `unsalted`. */
  signer: Pick<UrlSigner, 'verifyUrl'>
}

/** The policy that asks for a signed URL. Throws {@link ConfigurationError} for no signer, one that signs no URLs, and options that are none. */
export function signedUrlPolicy (options: SignedUrlOptions): Policy {
  const { signer, ...others } = (options ?? {}) as Partial<SignedUrlOptions>
  if (typeof signer?.verifyUrl !== 'function') throw misused('needs a signer with a purpose: requireSignedUrl({ signer: createSigner({ secret, purpose: \'downloads\' }) })')
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw misused(`has no option ${unknown}; it has signer. How long a URL works is said when it is signed`)
  return proofPolicy({
    scheme: 'signedUrl',
    // As the client sent it: what rewriteUrl makes of it was not signed.
    verify: ({ method, originalUrl }: FastifyRequest) => { insist(withoutStack(() => signer.verifyUrl(originalUrl, { method }))) }
  }, [BadSignatureError, SignatureExpiredError])
}

/** Throws {@link ConfigurationError} for the answer of a verifier that is none of ours and did not verify, or not yet. */
function insist (answer: { expiresAt: Date } | PromiseLike<unknown> | undefined): void {
  if (isThenable(answer)) {
    // Nobody awaits it: its refusal must not end the process.
    answer.then(undefined, () => {})
    throw misused('needs a verifyUrl() that answers at once: a promise has verified nothing yet')
  }
  if (!(answer?.expiresAt instanceof Date)) throw misused('needs a verifyUrl() that answers { expiresAt }, a Date, and throws for what does not verify')
}

function misused (problem: string): ConfigurationError {
  return new ConfigurationError({ option: 'requireSignedUrl()', message: `requireSignedUrl() ${problem}.` })
}
