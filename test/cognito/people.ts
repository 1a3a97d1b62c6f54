import { inspect } from 'node:util'
import { decodeJwt } from 'jose'
import { ChallengeRequiredError } from '../../lib/errors/challenge.js'
import type { Caller, ChallengeContext } from '../../lib/flow/provider.js'
import { rejection } from '../rejection.js'

/** Who asks with this access token, as if it had been verified. */
export function callerOf (token: string, claims: Record<string, unknown> = {}): Caller {
  const own: Record<string, unknown> = decodeJwt(token)
  const groups = (own['cognito:groups'] ?? []) as string[]
  return { token, user: { id: own['sub'] as string, roles: groups, groups, scopes: [], claims: { ...own, ...claims }, method: 'bearer' } }
}

/** The context of an answer, and how often the challenge was used up. */
export function claims (fault?: Error): ChallengeContext & { count: () => number } {
  let count = 0
  return {
    origin: {},
    count: () => count,
    async claim () {
      count++
      if (fault !== undefined) throw fault
    }
  }
}

/** The challenge that something is answered with. */
export async function challenged (work: Promise<unknown>): Promise<ChallengeRequiredError> {
  const error = await rejection<ChallengeRequiredError>(work)
  if (!(error instanceof ChallengeRequiredError)) throw error
  return error
}

/** All that a log could print of something. */
export function printed (value: unknown): string {
  return [inspect(value, { depth: 20, showHidden: true }), JSON.stringify(value), String(value), value instanceof Error ? `${value.stack} ${inspect(value.cause, { depth: 20, showHidden: true })}` : ''].join('\n')
}
