import websocket from '@fastify/websocket'
import { once } from 'node:events'
import type { FastifyRequest } from 'fastify'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { securityContext, type AuthPluginOptions } from '../../index.js'
import { bearer, build, now } from '../build.js'

/** What a client is answered: the first message, or the refusal of the upgrade. */
async function connect (t: Test, address: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(address, { headers })
  t.teardown(() => { socket.terminate() })
  return await new Promise((resolve, reject) => {
    socket.once('message', (data) => { resolve(String(data)) })
    socket.once('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => { resolve(`${response.statusCode} ${response.headers['www-authenticate'] ?? ''} ${JSON.parse(String(Buffer.concat(chunks))).extra.code}`) })
    })
    socket.once('error', reject)
  })
}

const plugins: Array<[name: string, plugin: AuthPluginOptions]> = [['declared', {}], ['protect all', { protect: 'all' }], ['errorHandler all', { errorHandler: 'all' }]]

for (const [name, plugin] of plugins) {
  t.test(`websocket routes are guarded before the upgrade: ${name}`, async (t) => {
    const app = await build(t, plugin)
    await app.register(websocket)
    let opened = 0
    const handler = (socket: WebSocket, { user }: FastifyRequest) => {
      opened++
      socket.on('message', (text) => { socket.send(`${String(text)} ${securityContext.get()?.id ?? 'nobody'}`) })
      socket.send(`hello ${user?.id ?? 'stranger'}`)
    }
    await app.register(async (scope) => {
      scope.get('/preHandler', { websocket: true, preHandler: scope.requireRole('admin') }, handler)
      scope.get('/onRequest', { websocket: true, onRequest: [scope.requireRole('admin')] }, handler)
      scope.get('/config', { websocket: true, config: { auth: { roles: ['admin'] } } }, handler)
      scope.get('/optional', { websocket: true, config: { auth: { optional: true } } }, handler)
      scope.route({ method: 'GET', url: '/both', preHandler: scope.requireRole('admin'), handler: async () => 'plain', wsHandler: handler })
      await scope.register(async (nested) => {
        nested.addHook('onRequest', nested.requireRole('admin'))
        nested.get('/scope', { websocket: true }, handler)
      })
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const address = `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}`

    for (const path of ['/preHandler', '/onRequest', '/config', '/scope', '/both']) {
      opened = 0
      t.equal(await connect(t, address + path, {}), '401 Bearer realm="api" MISSING_TOKEN', `${path}: a stranger`)
      t.equal(await connect(t, address + path, bearer()), '403  INSUFFICIENT_ROLES', `${path}: who lacks the role`)
      t.equal(await connect(t, address + path, bearer({ exp: now() - 1, role: 'admin' })), '401 Bearer realm="api", error="invalid_token" TOKEN_EXPIRED', `${path}: an expired token`)
      t.equal(opened, 0, `${path}: nothing was opened`)
      t.equal(await connect(t, address + path, bearer({ role: 'admin' })), 'hello user-1', `${path}: who has the role`)
    }
    t.equal(await connect(t, `${address}/optional`, {}), 'hello stranger')
    t.equal(await connect(t, `${address}/optional`, bearer()), 'hello user-1')
    t.match(await connect(t, `${address}/optional`, { authorization: 'Bearer a b' }), '400')
    t.match(await connect(t, `${address}/config?access_token=${bearer({ role: 'admin' }).authorization.slice(7)}`, {}), '401', 'no token is read from the query')
  })
}

t.test('the same address over plain HTTP is guarded too', async (t) => {
  const app = await build(t)
  await app.register(websocket)
  app.route({ method: 'GET', url: '/', preHandler: app.requireRole('admin'), handler: async () => 'plain', wsHandler: () => {} })
  t.equal((await app.inject('/')).statusCode, 401)
  t.equal((await app.inject({ url: '/', headers: bearer({ role: 'admin' }) })).body, 'plain')
})

t.test('messages of two sockets of two users never meet', async (t) => {
  const app = await build(t)
  await app.register(websocket)
  app.get('/', { websocket: true, preHandler: app.requireUser() }, (socket, request) => {
    socket.on('message', () => { socket.send(request.user?.id ?? 'nobody') })
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const names = ['ann', 'bob', 'eve']
  const sockets = names.map((sub) => new WebSocket(address, { headers: bearer({ sub }) }))
  t.teardown(() => { for (const socket of sockets) socket.terminate() })
  await Promise.all(sockets.map(async (socket) => await once(socket, 'open')))
  const answers = await Promise.all(sockets.map(async (socket) => {
    socket.send('who am I?')
    const [answer] = await once(socket, 'message')
    return String(answer)
  }))
  t.strictSame(answers, names)
})
