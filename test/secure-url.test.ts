import t from 'tap'
import { isSecure } from '../lib/secure-url.js'

t.test('by https, or to this machine', async (t) => {
  for (const address of ['https://example.com', 'https://127.0.0.1', 'http://localhost', 'http://localhost:8080/x', 'http://127.0.0.1', 'http://127.1.2.3:1', 'http://[::1]:1', 'http://0x7f.1', 'HTTP://LOCALHOST']) t.ok(isSecure(new URL(address)), address)
  for (const address of ['http://example.com', 'http://localhost.example.com', 'http://127.0.0.1.example.com', 'http://example.com/127.0.0.1', 'http://127.0.0.1@example.com', 'http://10.0.0.1', 'http://[::2]', 'http://[::ffff:7f00:1]', 'ftp://127.0.0.1', 'file:///etc/passwd', 'data:text/plain,x', 'javascript:0']) t.notOk(isSecure(new URL(address)), address)
})
