import { answerParent } from './process.js'

answerParent({
  /** Starts the application in a file; answers with its port, and the cookies it accepts if it wants any. */
  async start ({ app, settings }) {
    const { start } = await import(new URL(`../${app}`, import.meta.url).href)
    const { port, cookies } = await start(settings)
    return { port, cookies }
  },

  /** CPU time of this process so far, in microseconds, all its threads together. */
  async cpu () {
    const { user, system } = process.cpuUsage()
    return user + system
  },

  /** What is held after collecting garbage, in bytes. Needs --expose-gc. */
  async memory () {
    // What finalizers let go of in the first pass is collected in the second.
    globalThis.gc()
    await new Promise((resolve) => { setImmediate(resolve) })
    globalThis.gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { rss, heapUsed, external }
  }
})
