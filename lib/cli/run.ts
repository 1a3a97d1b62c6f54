import { createRequire } from 'node:module'
import { UsageError, type Command, type CommandIo } from './command.js'
import { createAdmin } from './create-admin.js'
import { failureLines, secretsIn } from './failure.js'
import { migrate } from './migrate.js'

const COMMANDS: ReadonlyMap<string | undefined, Command> = new Map([['migrate', migrate], ['create-admin', createAdmin]])

const USAGE = `Usage: fastify-bouncer <command> [options]

Commands:
  migrate               brings the tables of the account system up to date
  create-admin          makes the first administrator, or one more

Options:
  -h, --help            prints this, or after a command what it takes
  --version             prints the version

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

/** Runs a command line, without the program's own name. Answers with the exit code: 0, 1 for what failed, 2 for wrong usage. */
export async function run (argv: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...args] = argv
  const command = COMMANDS.get(name)
  try {
    if (command === undefined) io.stdout.write(answerTo(name))
    else if (asksForHelp(args)) io.stdout.write(command.usage)
    else await command.run(args, io)
    return 0
  } catch (error) {
    const isUsage = error instanceof UsageError
    const lines = isUsage ? [error.message, '', command?.usage ?? USAGE] : failureLines(error, secretsIn([...argv, io.env.DATABASE_URL ?? '']))
    io.stderr.write(`fastify-bouncer: ${lines.join('\n').trimEnd()}\n`)
    return isUsage ? 2 : 1
  }
}

function answerTo (name: string | undefined): string {
  if (name === '--version') return `${version()}\n`
  if (name !== undefined && asksForHelp([name])) return USAGE
  throw new UsageError(name === undefined ? 'Say what to do.' : name.startsWith('-') ? 'The command comes first, its options after it.' : 'There is no such command.')
}

function asksForHelp (args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h')
}

function version (): string {
  // By its own name: from here and from dist/ the way to it differs.
  const load = createRequire(import.meta.url)
  return (load('fastify-bouncer/package.json') as { version: string }).version
}
