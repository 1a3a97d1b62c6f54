import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { build } from '../build.js'

const run = promisify(execFile)
const secret = 'a secret of at least thirty-two bytes'
const page = readFileSync(new URL('../../docs/signing.md', import.meta.url), 'utf8')
const [, client = ''] = /^```python\n(.*?)^```$/ms.exec(page) ?? []

const SENDING = `
import sys
request = signed_request("billing", sys.argv[2].encode(), "POST", sys.argv[1], b'{"total": 42}')
with urllib.request.urlopen(request) as response:
    print(response.read().decode())
try:
    urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    print(error.read().decode())
`

const python = await run('python3', ['--version']).then(() => 'python3', () => undefined)

t.test('the client that the page has in Python', { skip: python === undefined ? 'there is no python3' : false }, async (t) => {
  const app = await build(t)
  app.post('/hooks/billing', { preHandler: app.requireSignedRequest({ keys: { billing: secret } }) }, async ({ signedBy, body }) => ({ signedBy, body }))
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  for (const query of ['', '?source=shop&b=%20']) {
    const { stdout } = await run('python3', ['-c', client + SENDING, `${origin}/hooks/billing${query}`, secret])
    const [first = '', second = ''] = stdout.split('\n')
    t.strictSame(JSON.parse(first), { signedBy: 'billing', body: { total: 42 } })
    t.match(JSON.parse(second), { status_code: 400, extra: { code: 'BAD_SIGNATURE' } })
  }
})
