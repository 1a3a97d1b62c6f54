import fc from 'fast-check'
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { bodyOf, refusalOf, type Reason } from '../guarded.js'

// One fixed seed, so that a failure in one place is a failure everywhere. Another is tried with FUZZ_SEED=1234.
const seed = Number(process.env.FUZZ_SEED ?? 20_260_801)

/** Tries a property with this many cases, and says with which seed. A failure prints the smallest case found. */
export async function campaign<Values extends [unknown, ...unknown[]]> (t: Test, cases: number, property: fc.IAsyncProperty<Values> | fc.IProperty<Values>): Promise<void> {
  t.comment(`seed ${seed}, ${cases} cases`)
  try {
    await fc.assert(property, { seed, numRuns: cases })
    t.pass(`${cases} cases`)
  } catch (error) {
    const { message, cause } = error as Error
    t.fail(cause instanceof Error ? `${message}\n${cause.message}` : message)
  }
}

const REASONS: Reason[] = ['malformed', 'signature', 'issuer', 'audience', 'unknown_key', 'algorithm', 'not_yet_valid', 'token_type', 'claims']
const BODIES = new Map([...REASONS, 'missing' as const, 'expired' as const, 'header' as const].map((name) => [bodyOf(refusalOf(name)), { ...refusalOf(name), name }]))

/** The name of a refusal. Throws for any answer that is none of those a token can get, to the last byte. */
export function nameOf (response: LightMyRequestResponse): string {
  const refusal = BODIES.get(response.payload)
  if (refusal === undefined || refusal.status !== response.statusCode || refusal.challenge !== response.headers['www-authenticate']) {
    throw new Error(`not a refusal of ours: ${response.statusCode} ${response.payload}`)
  }
  return refusal.name
}

/** Names of what it is refused with, of an error that is thrown in place of an answer. */
export function codeOf (run: () => unknown): string {
  try {
    run()
    return 'ok'
  } catch (error) {
    const { code, reason, name } = error as { code?: string, reason?: string, name: string }
    switch (code) {
      case 'TOKEN_INVALID': return String(reason)
      case 'TOKEN_EXPIRED': return 'expired'
      case 'MISSING_TOKEN': return 'missing'
      case 'INVALID_AUTHORIZATION_HEADER': return 'header'
      default: throw new Error(`not an error of ours: ${name}`, { cause: error })
    }
  }
}
