import { AuthUnavailableError } from '../errors/operation.js'

/** Runs tasks in the order they came, a few at a time. */
export interface Queue {
  /** Throws {@link AuthUnavailableError} when too many wait already, and whatever the task throws. */
  run<Result> (task: () => Promise<Result>): Promise<Result>
}

/** A queue that runs `concurrency` tasks at once and lets `limit` more wait. */
export function createQueue ({ concurrency, limit }: { concurrency: number, limit: number }): Queue {
  const waiting: Array<() => void> = []
  let running = 0

  return {
    async run (task) {
      if (running < concurrency) running++
      else if (waiting.length >= limit) throw new AuthUnavailableError({ dependency: 'password hashing' })
      // Whoever leaves hands over his place, so that nobody can come in between.
      else await new Promise<void>((resolve) => { waiting.push(resolve) })
      try {
        return await task()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      }
    }
  }
}
