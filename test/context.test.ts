import { EventEmitter, once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import authPlugin, { InsufficientGroupsError, InsufficientRolesError, InsufficientScopeError, MissingTokenError, securityContext } from '../index.js'
import { bearer, build, options, refused, server, token } from './build.js'

const who = (): string => securityContext.get()?.id ?? 'nobody'
const tick = async () => { await new Promise(setImmediate) }

/** Looks at the context from everywhere below the caller. */
async function look (): Promise<string[]> {
  const seen = [who()]
  await null
  seen.push(who())
  await tick()
  seen.push(who())
  await wait(1)
  seen.push(who())
  await new Promise<void>((resolve) => { process.nextTick(() => { seen.push(who()); resolve() }) })
  await new Promise<void>((resolve) => { queueMicrotask(() => { seen.push(who()); resolve() }) })
  await new Promise<void>((resolve) => { setTimeout(() => { seen.push(who()); resolve() }) })
  for await (const chunk of Readable.from(['x', 'y'])) seen.push(chunk === 'x' ? who() : who())
  await Promise.all([1, 2].map(async () => { await tick(); seen.push(who()) }))
  const emitter = new EventEmitter()
  emitter.once('done', () => { seen.push(who()) })
  emitter.emit('done')
  await Promise.reject(new Error('x')).catch(() => { seen.push(who()) })
  return seen
}

const only = (name: string, seen: readonly string[]): string[] => seen.filter((one) => one !== name)

for (const hook of ['onRequest', 'preHandler'] as const) {
  t.test(`200 requests at once do not meet, guarded in ${hook}`, async (t) => {
    const app = await build(t, { hook, roles: async (claims) => { await tick(); return [`role-of-${String(claims.sub)}`] } })
    app.post('/', { config: { auth: true } }, async (request) => {
      const seen = await look()
      return { seen, user: request.user?.id, roles: securityContext.roles() }
    })
    const answers = await Promise.all(Array.from({ length: 200 }, async (_, index) => {
      const response = await app.inject({ method: 'POST', url: '/', headers: bearer({ sub: `user-${index}` }), payload: { index } })
      const { seen, user, roles } = response.json()
      return only(`user-${index}`, [...seen, user]).length === 0 && roles[0] === `role-of-user-${index}`
    }))
    t.equal(answers.filter(Boolean).length, 200)
  })
}

t.test('users and strangers at once, over kept-alive connections, do not meet', async (t) => {
  const app = await build(t)
  app.post('/', { config: { auth: { optional: true } } }, async () => await look())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  t.teardown(() => { agent.destroy() })
  const { port } = app.server.address() as AddressInfo
  const ask = async (name: string, headers: object) => await new Promise<boolean>((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', agent, method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, async (response) => {
      const chunks = await response.toArray()
      resolve(only(name, JSON.parse(Buffer.concat(chunks).toString())).length === 0)
    })
    request.on('error', reject)
    request.end('{"a":1}')
  })
  const answers = await Promise.all(Array.from({ length: 120 }, async (_, index) =>
    index % 3 === 0 ? await ask('nobody', {}) : await ask(`user-${index}`, bearer({ sub: `user-${index}` }))))
  t.equal(answers.filter(Boolean).length, 120)
})

/** Sends requests over one connection, one after another or all at once, and returns their bodies. */
async function overOneConnection (app: FastifyInstance, requests: readonly string[], pipelined: boolean): Promise<string[]> {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  let text = ''
  const bodies = () => [...text.matchAll(/\r\n\r\n\[(.*?)\]/g)].map(([, body]) => String(body))
  socket.on('data', (chunk) => { text += String(chunk) })
  if (pipelined) socket.write(requests.join(''))
  for (const [index, request] of requests.entries()) {
    if (!pipelined) socket.write(request)
    while (bodies().length <= index) await once(socket, 'data')
  }
  socket.destroy()
  return bodies()
}

for (const pipelined of [false, true]) {
  t.test(`attack: an identity that stays on a kept-alive connection${pipelined ? ', pipelined' : ''}`, async (t) => {
    const app = server(t)
    // Before the plugin, and outside of its scope, nothing hides what an earlier request left behind.
    // A promise would, so the hook has none.
    app.addHook('onRequest', (request, _reply, done) => { request.headers['x-first'] = who(); done() })
    const answer = async (request: FastifyRequest, reply: FastifyReply) => await reply.send(`[${String(request.headers['x-first'])} ${[...new Set(await look())].join()}]`)
    app.post('/outside', answer)
    await app.register(async (scope) => {
      await scope.register(authPlugin, options)
      scope.post('/', { config: { auth: { optional: true } } }, answer)
      scope.post('/open', answer)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const request = (path: string, name?: string) => {
      const authorization = name === undefined ? '' : `Authorization: Bearer ${token({ sub: name })}\r\n`
      return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n${authorization}\r\n{"a":1}`
    }
    const requests = [request('/', 'ann'), request('/'), request('/outside'), request('/', 'bob'), request('/open', 'eve'), request('/', 'ann'), request('/outside', 'ann'), request('/open')]
    t.strictSame(await overOneConnection(app, requests, pipelined), ['nobody ann', 'nobody nobody', 'nobody nobody', 'nobody bob', 'nobody nobody', 'nobody ann', 'nobody nobody', 'nobody nobody'])
  })
}

t.test('the context stays across the parsing of a large body that comes in pieces', async (t) => {
  const app = await build(t, {}, { bodyLimit: 5_000_000 })
  const seen: string[] = []
  app.addContentTypeParser('text/slow', async (_request: unknown, payload: NodeJS.ReadableStream) => {
    let size = 0
    for await (const chunk of payload) size += chunk.length
    return size
  })
  app.addHook('preValidation', async () => { seen.push(`preValidation ${who()}`) })
  app.addHook('preHandler', (_request, _reply, done) => { seen.push(`preHandler ${who()}`); done() })
  app.post('/', { config: { auth: true } }, async (request) => {
    seen.push(`handler ${who()}`, ...await look())
    return { size: typeof request.body === 'number' ? request.body : JSON.stringify(request.body).length }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (const type of ['application/json', 'text/slow']) {
    seen.length = 0
    const body = JSON.stringify({ data: 'x'.repeat(2_000_000) })
    const response = await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`, {
      method: 'POST',
      headers: { ...bearer({ sub: 'ann' }), 'content-type': type },
      body: Readable.toWeb(Readable.from(body.match(/.{1,50000}/g) as string[], { objectMode: false })) as RequestInit['body'],
      duplex: 'half'
    } as RequestInit)
    t.equal((await response.json() as { size: number }).size, body.length)
    t.strictSame(seen.map((line) => line.split(' ').at(-1)), seen.map(() => 'ann'))
  }
})

t.test('the context is there in every hook, in error handlers, and after the response', async (t) => {
  const app = await build(t)
  const seen: string[] = []
  const note = (place: string) => { seen.push(`${place} ${who()}`) }
  app.addHook('preParsing', async () => { note('preParsing') })
  app.addHook('preValidation', async () => { note('preValidation') })
  app.addHook('preHandler', async () => { note('preHandler') })
  app.addHook('preSerialization', async () => { note('preSerialization') })
  app.addHook('onSend', async () => { note('onSend') })
  app.addHook('onError', async () => { note('onError') })
  app.addHook('onResponse', async () => { note('onResponse') })
  app.setErrorHandler(async (_error, _request, reply) => { note('errorHandler'); return await reply.code(500).send('failed') })
  app.post('/fine', { config: { auth: true } }, async () => ({ fine: true }))
  app.post('/fault', { config: { auth: true } }, async () => { await tick(); throw new Error('boom') })
  app.post('/invalid', { config: { auth: true }, schema: { body: { type: 'object', required: ['x'] } } }, async () => 'in')

  const run = async (url: string) => {
    seen.length = 0
    const response = await app.inject({ method: 'POST', url, headers: bearer({ sub: 'ann' }), payload: { a: 1 } })
    await tick()
    return response
  }
  await run('/fine')
  t.strictSame(seen, ['preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse'].map((place) => `${place} ann`))
  await run('/fault')
  t.strictSame(seen, ['preParsing', 'preValidation', 'preHandler', 'onError', 'errorHandler', 'onSend', 'onResponse'].map((place) => `${place} ann`))
  await run('/invalid')
  t.strictSame(seen, ['preParsing', 'preValidation', 'onError', 'errorHandler', 'onSend', 'onResponse'].map((place) => `${place} ann`))
})

t.test('the context is there in error handlers for bodies that cannot be parsed', async (t) => {
  const app = await build(t)
  app.setErrorHandler(async (_error, _request, reply) => await reply.code(400).send(who()))
  app.post('/', { config: { auth: true } }, async () => 'in')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const response = await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`, { method: 'POST', headers: { ...bearer({ sub: 'ann' }), 'content-type': 'application/json' }, body: '{"a":' })
  t.equal(await response.text(), 'ann')
})

t.test('after a response that was read by a client over a connection, onResponse still knows the user', async (t) => {
  const app = await build(t)
  const seen: string[] = []
  const done = new EventEmitter()
  app.addHook('onResponse', async () => { seen.push(who()); done.emit('done') })
  app.post('/', { config: { auth: true } }, async () => Readable.from(['x'.repeat(100_000), 'y'.repeat(100_000)]))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const finished = once(done, 'done')
  await (await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`, { method: 'POST', headers: { ...bearer({ sub: 'ann' }), 'content-type': 'application/json' }, body: '{}' })).text()
  await finished
  t.strictSame(seen, ['ann'])
})

t.test('attack: onResponse of a stranger, whose request was pipelined behind that of a user', async (t) => {
  const app = await build(t)
  const seen: string[] = []
  const done = new EventEmitter()
  app.addHook('onResponse', (request, _reply, next) => {
    seen.push(`${request.url} ${who()}`)
    next()
    done.emit('response')
  })
  let release = (): void => {}
  const held = new Promise<void>((resolve) => { release = resolve })
  app.get('/mine', { config: { auth: true } }, async () => { await held; return 'mine' })
  app.get('/open', async () => { release(); return 'open' })
  app.get('/other', { config: { auth: true } }, async () => 'other')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.resume()
  const get = (url: string, name?: string) => `GET ${url} HTTP/1.1\r\nHost: x\r\n${name === undefined ? '' : `Authorization: Bearer ${token({ sub: name })}\r\n`}\r\n`
  // The others are answered before the first is, and wait for it to go out.
  socket.write(get('/mine', 'ann') + get('/other', 'bob') + get('/open'))
  while (seen.length < 3) await once(done, 'response')
  t.strictSame(seen, ['/mine ann', '/other bob', '/open nobody'])
})

t.test('onTimeout knows the user of its request', async (t) => {
  const app = await build(t, {}, { connectionTimeout: 100 })
  const seen: string[] = []
  const timedOut = new EventEmitter()
  app.addHook('onTimeout', (_request, _reply, next) => {
    seen.push(who())
    next()
    timedOut.emit('timeout')
  })
  app.get('/mine', { config: { auth: true } }, async () => await new Promise(() => {}))
  app.get('/open', async () => await new Promise(() => {}))
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (const [url, headers] of [['/mine', bearer({ sub: 'ann' })], ['/open', bearer({ sub: 'bob' })]] as const) {
    const heard = once(timedOut, 'timeout')
    await t.rejects(fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}${url}`, { headers }))
    await heard
  }
  t.strictSame(seen, ['ann', 'nobody'])
})

t.test('onRequestAbort knows the user of its request', async (t) => {
  const app = await build(t)
  const seen: string[] = []
  const place = new EventEmitter()
  app.addHook('onRequestAbort', (_request, next) => {
    seen.push(who())
    next()
    place.emit('aborted')
  })
  const wait = async () => await new Promise(() => { place.emit('waiting') })
  app.get('/mine', { config: { auth: true } }, wait)
  app.get('/open', wait)
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (const [url, headers] of [['/mine', bearer({ sub: 'ann' })], ['/open', bearer({ sub: 'bob' })]] as const) {
    const waiting = once(place, 'waiting')
    const aborted = once(place, 'aborted')
    const request = httpRequest({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1', path: url, headers, agent: false })
    request.on('error', () => {})
    request.end()
    await waiting
    request.destroy()
    await aborted
  }
  t.strictSame(seen, ['ann', 'nobody'])
})

t.test('nobody is signed in outside of requests, and before a guard has looked', async (t) => {
  const app = await build(t)
  const seen: string[] = []
  app.addHook('onRequest', async () => { seen.push(who()) })
  app.get('/', { preHandler: [async () => { seen.push(who()) }, app.requireUser(), async () => { seen.push(who()) }] }, async () => 'in')
  await app.inject({ url: '/', headers: bearer({ sub: 'ann' }) })
  t.strictSame(seen, ['nobody', 'nobody', 'ann'])
  t.equal(who(), 'nobody')
})

t.test('request.authenticate and guards called inline fill the context', async (t) => {
  const app = await build(t)
  app.get('/authenticate', async (request) => { await request.authenticate(); return who() })
  app.get('/guard', async (request, reply) => { await app.requireUser()(request, reply); return who() })
  for (const url of ['/authenticate', '/guard']) t.equal((await app.inject({ url, headers: bearer({ sub: 'ann' }) })).body, 'ann')
})

t.test('a refused request signs nobody in', async (t) => {
  const app = await build(t)
  const seen: string[] = []
  app.addHook('onError', async () => { seen.push(who()) })
  app.get('/', { preHandler: app.requireUser() }, async () => 'in')
  await app.inject({ url: '/', headers: bearer({ exp: 1 }) })
  t.strictSame(seen, ['nobody'])
})

t.test('all verbs, for a user', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.requireUser() }, async () => {
    const user = securityContext.require()
    t.equal(user, securityContext.get())
    t.equal(user.id, 'user-1')
    t.strictSame(securityContext.roles(), ['editor', 'author'])
    t.strictSame(securityContext.groups(), ['staff', 'night'])
    t.strictSame(securityContext.scopes(), ['read', 'write'])
    t.equal(securityContext.hasRole('editor'), true)
    t.equal(securityContext.hasRole('admin'), false)
    t.equal(securityContext.hasGroup('staff'), true)
    t.equal(securityContext.hasGroup('editor'), false)
    t.equal(securityContext.hasScope('read'), true)
    t.equal(securityContext.hasScope('staff'), false)
    t.equal(securityContext.requireRole('admin', 'editor'), user)
    t.equal(securityContext.requireAllRoles('editor', 'author'), user)
    t.equal(securityContext.requireGroup('day', 'night'), user)
    t.equal(securityContext.requireAllGroups('staff', 'night'), user)
    t.equal(securityContext.requireScope('delete', 'read'), user)
    t.equal(securityContext.requireAllScopes('read', 'write'), user)
    t.throws(() => securityContext.requireRole('admin'), InsufficientRolesError)
    t.throws(() => securityContext.requireAllRoles('editor', 'admin'), { name: 'InsufficientRolesError', requireAll: true, requiredRoles: new Set(['editor', 'admin']), userRoles: new Set(['editor', 'author']) })
    t.throws(() => securityContext.requireGroup('day'), InsufficientGroupsError)
    t.throws(() => securityContext.requireAllGroups('staff', 'day'), InsufficientGroupsError)
    t.throws(() => securityContext.requireScope('delete'), InsufficientScopeError)
    t.throws(() => securityContext.requireAllScopes('read', 'delete'), InsufficientScopeError)
    // Nothing asked for is nothing allowed.
    t.throws(() => securityContext.requireRole(), InsufficientRolesError)
    t.throws(() => securityContext.requireAllRoles(), InsufficientRolesError)
    t.throws(() => securityContext.requireGroup(), InsufficientGroupsError)
    t.throws(() => securityContext.requireAllGroups(), InsufficientGroupsError)
    t.throws(() => securityContext.requireScope(), InsufficientScopeError)
    t.throws(() => securityContext.requireAllScopes(), InsufficientScopeError)
    return 'looked'
  })
  t.equal((await app.inject({ url: '/', headers: bearer({ roles: ['editor', 'author'], groups: ['staff', 'night'], scope: 'read write' }) })).body, 'looked')
})

function verbsOfStrangers (t: Test): void {
  t.equal(securityContext.get(), null)
  t.strictSame([securityContext.roles(), securityContext.groups(), securityContext.scopes()], [[], [], []])
  t.strictSame([securityContext.hasRole('a'), securityContext.hasGroup('a'), securityContext.hasScope('a')], [false, false, false])
  for (const verb of ['require', 'requireRole', 'requireAllRoles', 'requireGroup', 'requireAllGroups', 'requireScope', 'requireAllScopes'] as const) {
    t.throws(() => securityContext[verb]('a'), MissingTokenError)
  }
}

t.test('all verbs, for a stranger', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.optionalUser() }, async () => { verbsOfStrangers(t); return 'looked' })
  t.equal((await app.inject('/')).body, 'looked')
})

t.test('all verbs, outside of requests', async (t) => { verbsOfStrangers(t) })

t.test('what the verbs throw below a handler is answered as guards answer', async (t) => {
  const app = await build(t)
  const service = async () => { await tick(); return securityContext.requireRole('admin').id }
  app.get('/', { preHandler: app.optionalUser() }, async () => await service())
  app.get('/open', async () => await service())
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject('/open'), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ url: '/', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.equal((await app.inject({ url: '/', headers: bearer({ role: 'admin' }) })).body, 'user-1')
})

t.test('setting request.user does not change who acts', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.requireUser() }, async (request) => {
    request.user = { id: 'impostor', roles: ['admin'], groups: [], scopes: [], claims: {}, method: 'bearer' }
    return who()
  })
  t.equal((await app.inject({ url: '/', headers: bearer() })).body, 'user-1')
})

t.test('securityContext: false spares the context; guards work, and the verbs know nobody', async (t) => {
  const app = await build(t, { securityContext: false })
  app.get('/', { preHandler: app.requireRole('admin') }, async (request) => ({ user: request.user?.id, context: who() }))
  app.get('/verb', { preHandler: app.requireUser() }, async () => securityContext.requireRole('admin'))
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
  t.strictSame((await app.inject({ url: '/', headers: bearer({ role: 'admin' }) })).json(), { user: 'user-1', context: 'nobody' })
  refused(t, await app.inject({ url: '/verb', headers: bearer({ role: 'admin' }) }), 401, 'MISSING_TOKEN')
})

t.test('two applications in one process, one inside the other, keep their users apart', async (t) => {
  const inner = await build(t)
  inner.get('/', { preHandler: inner.optionalUser() }, async () => who())
  const outer = await build(t)
  outer.get('/', { preHandler: outer.requireUser() }, async () => {
    const asStranger = (await inner.inject('/')).body
    const asBob = (await inner.inject({ url: '/', headers: bearer({ sub: 'bob' }) })).body
    return [who(), asStranger, asBob]
  })
  t.strictSame((await outer.inject({ url: '/', headers: bearer({ sub: 'ann' }) })).json(), ['ann', 'nobody', 'bob'])
})

t.test('a handler that reads its body as a stream keeps the context', async (t) => {
  const app = await build(t)
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => { done(null, payload) })
  app.post('/', { config: { auth: true } }, async (request) => {
    const chunks: string[] = []
    for await (const chunk of request.body as Readable) chunks.push(`${who()} ${String(chunk).length}`)
    return chunks.map((line) => line.split(' ')[0])
  })
  const response = await app.inject({ method: 'POST', url: '/', headers: { ...bearer({ sub: 'ann' }), 'content-type': 'application/octet-stream' }, payload: Buffer.alloc(200_000) })
  t.strictSame([...new Set(response.json())], ['ann'])
})
