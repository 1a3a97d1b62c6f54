import type { FastifyRequest } from 'fastify'
import { withoutStack } from '../errors/auth-error.js'
import { ConfigurationError } from '../errors/operation.js'
import { BadSignatureError, SignatureExpiredError } from '../errors/signing.js'
import type { UrlSigner } from '../signing/urls.js'
import { proofPolicy, type Policy } from './policy.js'

/** What {@link Guards.requireSignedUrl} takes. */
export interface SignedUrlOptions {
  /** The signer whose `signUrl()` makes the URLs; not one that is `unsalted`. */
  signer: Pick<UrlSigner, 'verifyUrl'>
}

/** The policy that asks for a signed URL. Throws {@link ConfigurationError} for no signer, and one that signs no URLs. */
export function signedUrlPolicy ({ signer }: Partial<SignedUrlOptions> = {}): Policy {
  if (typeof signer?.verifyUrl !== 'function') {
    throw new ConfigurationError({ option: 'requireSignedUrl()', message: 'requireSignedUrl() needs a signer with a purpose: requireSignedUrl({ signer: createSigner({ secret, purpose: \'downloads\' }) }).' })
  }
  return proofPolicy({
    scheme: 'signedUrl',
    // As the client sent it: what rewriteUrl makes of it was not signed.
    verify: ({ method, originalUrl }: FastifyRequest) => { withoutStack(() => signer.verifyUrl(originalUrl, { method })) }
  }, [BadSignatureError, SignatureExpiredError])
}
