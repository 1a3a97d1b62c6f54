import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { promisify } from 'node:util'

// Programs of the system that some tests stand on. Where one is missing the tests say that they were skipped, but in CI, where that is a failure.

const run = promisify(execFile)

async function whyNot (name: string, find: () => Promise<unknown>): Promise<string | false> {
  try {
    await find()
    return false
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    return `${name} is not installed here`
  }
}

/** For the `skip` of a test: false where `oathtool` is installed. */
export const noOathtool = (): Promise<string | false> => whyNot('oathtool', () => run('oathtool', ['--version']))

/** The code that `oathtool` makes of a secret in base32, so many seconds from now. */
export async function oathtoolCode (secret: string, after = 0): Promise<string> {
  const { stdout } = await run('oathtool', ['--totp', '-b', secret, '--now', `@${Math.floor(Date.now() / 1000) + after}`])
  return stdout.trim()
}

/** Debian's. */
export const chromiumPath = '/usr/bin/chromium'

/** For the `skip` of a test: false where Chromium is installed. */
export const noChromium = (): Promise<string | false> => whyNot('Chromium', () => access(chromiumPath, constants.X_OK))
