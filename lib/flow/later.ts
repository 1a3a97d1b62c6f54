/** Work that goes on after an answer, so that the answer's time tells nothing of it. */
export interface LaterTasks {
  run (task: () => Promise<void>): void
  /** Resolves when all that was started is done, or after ten seconds: what is left then is reported. */
  settled (): Promise<void>
}

const PATIENCE = 10_000

/** `report` is told of tasks that failed: nobody else hears of it. */
export function createLaterTasks (report: (error: unknown) => void, patience = PATIENCE): LaterTasks {
  const running = new Set<Promise<void>>()
  return {
    run (task) {
      // In a turn of its own, so that not even its first step delays the answer.
      const done: Promise<void> = new Promise<void>((resolve) => { setImmediate(resolve) })
        .then(task)
        .catch(report)
        .finally(() => { running.delete(done) })
      running.add(done)
    },
    async settled () {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<'late'>((resolve) => { timer = setTimeout(resolve, patience, 'late') })
      while (running.size > 0) {
        if (await Promise.race([Promise.all(running), late]) !== 'late') continue
        report(new Error(`${running.size} tasks did not end within ${patience} ms; they are left behind`))
        break
      }
      clearTimeout(timer)
    }
  }
}
