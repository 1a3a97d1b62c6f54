import { spawn } from 'node:child_process'

/** A shell in which lines are run one after the other, as somebody pastes them. */
export interface Shell {
  /** Runs a line; answers with what it prints. Rejects when it takes too long, or ends the shell. */
  run (line: string): Promise<string>
  close (): void
}

const PATIENCE = 30_000
const MARK = '--- that was the line ---'

export function openShell (): Shell {
  const shell = spawn('sh', [], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  let heard = (): void => {}
  shell.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    heard()
  })
  const ended = new Promise<never>((_resolve, reject) => {
    shell.once('error', reject)
    shell.once('exit', (code, signal) => { reject(new Error(`The shell ended with ${code ?? signal}`)) })
  })
  ended.catch(() => {})

  return {
    async run (line) {
      output = ''
      let timer: NodeJS.Timeout | undefined
      const printed = new Promise<string>((resolve, reject) => {
        timer = setTimeout(() => { reject(new Error(`It takes too long: ${line}\n${output}`)) }, PATIENCE)
        heard = () => { if (output.includes(MARK)) resolve(output.slice(0, output.indexOf(`\n${MARK}`))) }
      })
      shell.stdin.write(`${line}\nprintf '\\n%s\\n' '${MARK}'\n`)
      try {
        return await Promise.race([printed, ended])
      } finally {
        clearTimeout(timer)
      }
    },
    close () { shell.kill('SIGKILL') }
  }
}
