import { answerParent } from '../verify/process.js'

let application

answerParent({
  /** Starts the application of a file, and answers with its port and whatever else it tells of itself. */
  async start ({ app, settings }) {
    application = await (await import(new URL(`../${app}`, import.meta.url).href)).start(settings)
    return { port: application.port, ...application.facts }
  },

  /** CPU time of this process so far, in microseconds, all its threads together. */
  async cpu () {
    const { user, system } = process.cpuUsage()
    return user + system
  },

  /** Anything that the application itself can do. */
  async call ({ verb, argument }) {
    return await application[verb](argument)
  },

  async close () {
    await application.close()
  }
})
