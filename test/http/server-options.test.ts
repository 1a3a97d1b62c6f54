import Fastify, { type FastifyInstance } from 'fastify'
import { connect, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import authPlugin, { authServerOptions } from '../../index.js'
import { options, token } from '../build.js'

async function listening (t: Test, serverOptions: object = {}): Promise<FastifyInstance> {
  const app = Fastify({ ...authServerOptions, ...serverOptions })
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin, { ...options, errorHandler: 'all' })
  app.get('/', { preHandler: app.requireUser() }, async () => 'in')
  app.post('/', async () => 'in')
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

/** Writes to the server as it stands and returns all that it answers before it closes the connection. */
async function exchange (app: FastifyInstance, text: string): Promise<string> {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.write(text)
  await new Promise((resolve) => { socket.on('close', resolve) })
  return Buffer.concat(chunks).toString()
}

function parse (answer: string): { status: number, headers: string[], body: unknown } {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  const [line = '', ...headers] = head.split('\r\n')
  return { status: Number(line.split(' ')[1]), headers, body: JSON.parse(body) }
}

const INVALID = { status_code: 400, detail: 'The request is invalid.', extra: { code: 'REQUEST_INVALID' } }

t.test('requests that Node cannot parse', async (t) => {
  const app = await listening(t)
  const requests = [
    'c4n4ry\r\n\r\n',
    'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nBad Header c4n4ry: 1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nx: \u0000c4n4ry\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  ]
  for (const request of requests) {
    const answer = await exchange(app, request)
    // The last of them is found bad while its body is read: Node answers, or the connection ends.
    const { status, headers, body } = parse(answer.slice(answer.lastIndexOf('HTTP/1.1 ')))
    t.equal(status, 400, JSON.stringify(request))
    t.strictSame(body, INVALID)
    t.ok(headers.includes('Content-Type: application/json; charset=utf-8'))
    t.ok(headers.includes('Connection: close'))
    t.notMatch(answer, 'c4n4ry')
  }
  t.equal((await app.inject('/unknown')).statusCode, 404, 'the server lives')
})

t.test('header fields that are too large: 431', async (t) => {
  const app = await listening(t)
  const answer = parse(await exchange(app, `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'c4n4ry'.repeat(5000)}\r\n\r\n`))
  t.equal(answer.status, 431)
  t.strictSame(answer.body, { status_code: 431, detail: 'Request Header Fields Too Large', extra: { code: 'HEADERS_TOO_LARGE' } })
})

t.test('requests that never end: 408', async (t) => {
  const app = await listening(t, { http: { headersTimeout: 50, requestTimeout: 50, connectionsCheckingInterval: 20 }, requestTimeout: 50 })
  const answer = parse(await exchange(app, 'GET / HTTP/1.1\r\nHost: x\r\nx: '))
  t.equal(answer.status, 408)
  t.strictSame(answer.body, { status_code: 408, detail: 'Request Timeout', extra: { code: 'REQUEST_TIMEOUT' } })
})

t.test('attack: two Authorization headers over a real connection', async (t) => {
  const app = await listening(t)
  const answer = parse(await exchange(app, `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token()}\r\nauthorization: Bearer c4n4ry\r\n\r\n`))
  t.equal(answer.status, 400)
  t.match(answer.body, { extra: { code: 'INVALID_AUTHORIZATION_HEADER' } })
})

t.test('attack: a second request smuggled behind a refused one is judged by itself', async (t) => {
  const app = await listening(t)
  const answer = await exchange(app, `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token()}\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  t.strictSame([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), ['200', '401'])
})

t.test('URLs that cannot be decoded, over a real connection', async (t) => {
  const app = await listening(t)
  const answer = parse(await exchange(app, 'GET /%zz/c4n4ry HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
  t.equal(answer.status, 400)
  t.strictSame(answer.body, INVALID)
})

t.test('nothing is written to a connection that is gone', async (t) => {
  const calls: string[] = []
  const socket = (state: object) => ({ destroyed: false, writable: true, write: () => { calls.push('write') }, destroy: () => { calls.push('destroy') }, ...state }) as unknown as Socket
  const answer = (code: string | undefined, state: object = {}) => {
    calls.length = 0
    authServerOptions.clientErrorHandler(Object.assign(new Error('parse error'), { code }), socket(state))
    return [...calls]
  }
  t.strictSame(answer('ECONNRESET'), [])
  t.strictSame(answer('HPE_INVALID_METHOD', { destroyed: true }), [])
  t.strictSame(answer('HPE_INVALID_METHOD', { writable: false }), ['destroy'])
  t.strictSame(answer('HPE_INVALID_METHOD'), ['write', 'destroy'])
  t.strictSame(answer(undefined), ['write', 'destroy'])
})

t.test('the options serve an application without the plugin too', async (t) => {
  const app = Fastify(authServerOptions)
  t.teardown(async () => { await app.close() })
  t.strictSame((await app.inject('/%zz')).json(), INVALID)
})
