import { availableParallelism } from 'node:os'
import { CLIENT_CORE, SERVER_CORE, start } from '../verify/process.js'

/** All cores, for what is not to be bound to one. */
export const ALL_CORES = `0-${availableParallelism() - 1}`

/** An application in a process of its own: what it told of itself, `call` for its own verbs, `stop`. */
export async function startServer (app, settings, { core = SERVER_CORE, profile } = {}) {
  const execArgv = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const child = start('../accounts/server.js', core, { execArgv })
  const facts = await child.ask('start', { app, settings })
  return {
    ...facts,
    cpu: async () => await child.ask('cpu'),
    call: async (verb, argument) => await child.ask('call', { verb, argument }),
    stop: async () => {
      // One that has died already says nothing more, and its own failure was reported.
      await child.ask('close').catch(() => {})
      await child.stop()
    }
  }
}

/** The client in a process of its own. */
export function startClient (core = CLIENT_CORE) {
  return start('../accounts/client.js', core)
}

/** Runs `work` with what is stopped in any case afterwards. */
export async function withChildren (work) {
  const children = []
  try {
    return await work((child) => { children.push(child); return child })
  } finally {
    await Promise.all(children.map(async (child) => { await child.stop() }))
  }
}
