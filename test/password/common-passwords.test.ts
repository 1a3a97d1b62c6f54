import { readFile } from 'node:fs/promises'
import t from 'tap'
import { commonPasswords } from '../../lib/password/common-passwords.js'
import { commonPasswordsSource, generate } from '../../scripts/generate-common-passwords.js'

const file = new URL('../../lib/password/common-passwords.ts', import.meta.url)

t.test('the file is what the generator makes', async (t) => {
  // No t.equal: it would print the list.
  t.ok(await readFile(file, 'utf8') === await generate(), 'npm run build:examples && node dist/scripts/generate-common-passwords.js makes it anew')
})

t.test('it says whose it is', async (t) => {
  const head = (await readFile(file, 'utf8')).slice(0, 2000)
  t.match(head, /Copyright \(c\) .* Dropbox, Inc\.\n/)
  t.match(head, /The above copyright notice and this permission notice shall be/)
})

t.test('at least 10,000, once each, in lower case, between spaces', async (t) => {
  const words = commonPasswords.slice(1, -1).split(' ')
  t.ok(words.length >= 10_000)
  t.equal(new Set(words).size, words.length)
  t.ok(words.every((word) => /^\S+$/.test(word) && word === word.toLowerCase()))
  t.ok(commonPasswords === ` ${words.join(' ')} `)
  for (const word of ['password', '12345678', 'qwertyuiop', 'iloveyou', 'football']) t.ok(words.includes(word), word)
})

t.test('the generator lowers the case, drops what is there twice, and refuses what it could not keep apart', async (t) => {
  t.match(commonPasswordsSource(['Secret', 'secret', '12345', 12345], '1.0', 'Free\n\nfor all'), /1\.0[^]*\n\/\/ Free\n\/\/\n\/\/ for all\n[^]*The 2 most[^]*= " secret 12345 "\n$/)
  for (const word of ['two words', 'a\nb', '']) t.throws(() => commonPasswordsSource([word], '1.0', ''), /space/)
})
