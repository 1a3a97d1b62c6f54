import { createInterface } from 'node:readline'
import { Writable, type Readable } from 'node:stream'
import { CommandError, type CommandIo } from './command.js'

/** Longer, in bytes, is no password under any rule. */
const LONGEST = 65_536
const LINE_FEED = 0x0a

/**
 * A password for somebody new: asked for twice on a terminal, which shows
 * nothing of it, or else the first line of standard input. Throws
 * {@link CommandError} when there is none.
 */
export async function readNewPassword ({ stdin, stderr }: Pick<CommandIo, 'stdin' | 'stderr'>): Promise<string> {
  const password = await (stdin.isTTY === true ? askTwice(stdin, stderr) : firstLine(stdin))
  if (password === undefined) throw new CommandError('No password was given: nothing was changed.')
  return password
}

async function askTwice (stdin: Readable, stderr: Writable): Promise<string | undefined> {
  const lines = createInterface({ input: stdin, output: nowhere(), terminal: true, historySize: 0 })
  lines.on('SIGINT', () => lines.close())
  const answers = lines[Symbol.asyncIterator]()
  async function ask (question: string): Promise<string | undefined> {
    stderr.write(question)
    const { value, done } = await answers.next()
    stderr.write('\n')
    return done === true ? undefined : value
  }

  try {
    const first = await ask('Password: ')
    if (first === undefined) return undefined
    const second = await ask('Password, again: ')
    if (second !== undefined && second !== first) throw new CommandError('The two passwords differ: nothing was changed.')
    return second
  } finally {
    lines.close()
  }
}

function nowhere (): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() })
}

async function firstLine (stdin: AsyncIterable<Buffer>): Promise<string | undefined> {
  let input = Buffer.alloc(0)
  for await (const chunk of stdin) {
    input = Buffer.concat([input, chunk])
    if (chunk.includes(LINE_FEED) || input.length > LONGEST) break
  }
  if (input.length === 0) return undefined
  const end = input.indexOf(LINE_FEED)
  const line = end === -1 ? input : input.subarray(0, end)
  if (line.length > LONGEST) throw new CommandError('The password is too long: nothing was changed.')
  return text(line).replace(/\r$/, '')
}

/** Bytes that are no UTF-8 would become a password that nobody can type. */
function text (bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CommandError('The password is not valid UTF-8: nothing was changed.')
  }
}
