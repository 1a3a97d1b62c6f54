import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What `work` comes to, and not before so many milliseconds: a store is quicker
 * to find nobody than somebody, by less than that.
 */
export async function atLeast<Result> (milliseconds: number, work: Promise<Result>): Promise<Result> {
  const [outcome] = await Promise.allSettled([work, sleep(milliseconds)])
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}
