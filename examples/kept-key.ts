import { randomBytes, randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'

/** The key in this file; where there is no such file, a new one, which is kept there: what it encrypted must be read again. */
export async function keptKey (file: string): Promise<string> {
  const unfinished = `${file}.${randomUUID()}`
  await writeFile(unfinished, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  try {
    // Of two servers that start at once one makes the key, and nobody reads half of it.
    await link(unfinished, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(unfinished)
  }
  return (await readFile(file, 'utf8')).trim()
}
