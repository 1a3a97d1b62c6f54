import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { availableParallelism } from 'node:os'

/** Whether processes can be bound to a core each. */
export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

/** The core of everything that is measured, and the core of everything that measures. */
export const SERVER_CORE = 0
export const CLIENT_CORE = 1

/** A process of a script in this folder, bound to a core and reachable by `ask`. */
export function start (script, core, { execArgv = [] } = {}) {
  const command = [...(canPin ? ['taskset', '-c', String(core)] : []), process.execPath, ...execArgv, fileURLToPath(new URL(script, import.meta.url))]
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' } })
  const waiting = []
  child.on('message', ({ error, result }) => {
    const { resolve, reject } = waiting.shift()
    if (error === undefined) resolve(result)
    else reject(new Error(error))
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`${script} ended (${signal ?? code})`))
  })
  return {
    ask: async (verb, argument) => await new Promise((resolve, reject) => {
      waiting.push({ resolve, reject })
      child.send({ verb, argument })
    }),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      // It ends by itself then, and writes its profile if it was asked for one.
      await new Promise((resolve) => { child.once('exit', resolve); child.disconnect() })
    }
  }
}

/** Answers what the parent asks, by these functions, one after the other. */
export function answerParent (verbs) {
  let last = Promise.resolve()
  process.on('message', ({ verb, argument }) => {
    last = last.then(() => verbs[verb](argument)).then(
      (result) => { process.send({ result }) },
      (error) => { process.send({ error: error.stack ?? String(error) }) }
    )
  })
  process.on('disconnect', () => { process.exit() })
}
