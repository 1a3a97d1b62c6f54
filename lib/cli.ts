#!/usr/bin/env node
import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run } from './cli/run.js'

/** Whether Node was started with this file, and not with one that imports it. `npx` starts it by a link. */
function isProgram (): boolean {
  const program = process.argv[1]
  return program !== undefined && existsSync(program) && realpathSync(program) === realpathSync(fileURLToPath(import.meta.url))
}

if (isProgram()) process.exitCode = await run(process.argv.slice(2), process)
