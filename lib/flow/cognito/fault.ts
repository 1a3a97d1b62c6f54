/** Fields of a call that are no secret: an operator may read them. */
const SHOWN = new Set(['ClientId', 'USERNAME', 'Username', 'AuthFlow', 'ChallengeName', 'FriendlyDeviceName'])
/** What is shorter stands in any sentence by chance. */
const LEAST = 4

/**
 * What went wrong in a call, fit for a log. The SDK's own error is not: it holds
 * the whole answer, which may hold tokens, and a sentence that may repeat what
 * was sent. `input` is that.
 */
export function faultOf (error: unknown, input: object): Error {
  const { name, message, code, $fault, $metadata } = Object(error) as { name?: unknown, message?: unknown, code?: unknown, $fault?: unknown, $metadata?: { requestId?: string, httpStatusCode?: number } }
  // A sentence of the service, or of the system; what a parser says quotes what it read.
  const said = ($fault !== undefined || code !== undefined || name === 'AbortError') && typeof message === 'string'
  const fault = new Error(said ? withoutSecrets(message, input) : 'The call failed')
  Object.defineProperty(fault, 'name', { value: String(name ?? 'Error'), enumerable: false })
  return Object.assign(fault, {
    ...(typeof code === 'string' && { code }),
    ...($metadata?.requestId !== undefined && { requestId: $metadata.requestId }),
    ...($metadata?.httpStatusCode !== undefined && { status: $metadata.httpStatusCode })
  })
}

function withoutSecrets (message: string, input: object): string {
  return secretsOf(input).reduce((text, secret) => text.replaceAll(secret, '***'), message)
}

/** Longest first: one may be part of another. */
function secretsOf (input: object): string[] {
  return Object.entries(input)
    .flatMap(([name, value]: [string, unknown]) => {
      if (typeof value === 'object' && value !== null) return secretsOf(value)
      return typeof value === 'string' && value.length >= LEAST && !SHOWN.has(name) ? [value] : []
    })
    .sort((a, b) => b.length - a.length)
}
