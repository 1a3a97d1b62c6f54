import type { Readable, Writable } from 'node:stream'
import { parseArgs, type ParseArgsConfig } from 'node:util'

/** What a command reads and writes: `process`, or what a test gives. */
export interface CommandIo {
  stdin: Readable & { isTTY?: boolean }
  stdout: Writable
  stderr: Writable
  env: Readonly<Record<string, string | undefined>>
}

/** One command of the program. */
export interface Command {
  /** How it is used, for `--help` and after wrong usage. */
  readonly usage: string
  /** Throws {@link UsageError}, {@link CommandError}, and errors of the package. */
  run (args: readonly string[], io: CommandIo): Promise<void>
}

/** The command line cannot be meant: exit code 2. The message repeats no value, which could be a secret. */
export class UsageError extends Error {}

/** What was asked for cannot be done: exit code 1. */
export class CommandError extends Error {}

type Config<Options> = { options: Options, strict: true, allowPositionals: false }
type Values<Options extends NonNullable<ParseArgsConfig['options']>> = ReturnType<typeof parseArgs<Config<Options>>>['values']

/** Reads options by their `node:util` description. Throws {@link UsageError}. */
export function readOptions<Options extends NonNullable<ParseArgsConfig['options']>> (args: readonly string[], options: Options): Values<Options> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // Node's sentence would repeat what was given, and that could be a database address or a password.
    if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') throw new UsageError('There is an argument too many.')
    throw new UsageError(message.replace(/\.?(\n.*)?$/s, '.'))
  }
}
