import cors from '@fastify/cors'
import t from 'tap'
import authPlugin from '../../index.js'
import { bearer, options, refused, server } from '../build.js'

const preflight = { origin: 'https://app.example.com', 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization'] as const

for (const hook of hooks) {
  for (const first of ['cors', 'bouncer'] as const) {
    for (const protect of ['declared', 'all'] as const) {
      t.test(`@fastify/cors in ${hook}, ${first} first, protect ${protect}`, async (t) => {
        const app = server(t)
        if (first === 'cors') await app.register(cors, { hook, origin: true })
        await app.register(authPlugin, { ...options, protect })
        if (first === 'bouncer') await app.register(cors, { hook, origin: true })
        let ran = 0
        app.get('/config', { config: { auth: true } }, async () => { ran++; return 'in' })
        app.get('/guard', { preHandler: app.requireUser() }, async () => { ran++; return 'in' })

        for (const url of ['/config', '/guard']) {
          const asked = await app.inject({ method: 'OPTIONS', url, headers: preflight })
          t.equal(asked.statusCode, 204, 'a preflight passes')
          t.equal(asked.headers['access-control-allow-origin'], preflight.origin)

          const stranger = await app.inject({ url, headers: { origin: preflight.origin } })
          refused(t, stranger, 401, 'MISSING_TOKEN')
          // Later hooks of a refused request do not run, so headers set there
          // cannot be in it; those set before must be.
          if (hook === 'onRequest' && first === 'cors') {
            t.equal(stranger.headers['access-control-allow-origin'], preflight.origin, 'the refusal can be read by a browser')
            t.match(stranger.headers.vary, /Origin/)
          }
          // Preflight headers on a request that is none open nothing.
          refused(t, await app.inject({ url, headers: preflight }), 401, 'MISSING_TOKEN')
          t.equal((await app.inject({ url, headers: { ...bearer(), origin: preflight.origin } })).body, 'in')
        }
        t.equal(ran, 2)
      })
    }
  }
}

t.test('attack: preflight headers on OPTIONS open no route for several methods', async (t) => {
  const app = server(t)
  await app.register(authPlugin, { ...options, protect: 'all' })
  let ran = 0
  app.all('/all', async () => { ran++; return 'in' })
  app.route({ method: ['OPTIONS', 'POST'], url: '/two', handler: async () => { ran++; return 'in' } })
  for (const url of ['/all', '/two']) refused(t, await app.inject({ method: 'OPTIONS', url, headers: preflight }), 401, 'MISSING_TOKEN')
  t.equal(ran, 0)
})

t.test('attack: beside cors with preflights left to the application, app.all stays shut', async (t) => {
  for (const first of ['cors', 'bouncer']) {
    const app = server(t)
    const corsOptions = { preflight: false, origin: true }
    if (first === 'cors') await app.register(cors, corsOptions)
    await app.register(authPlugin, { ...options, protect: 'all' })
    if (first === 'bouncer') await app.register(cors, corsOptions)
    let ran = 0
    app.all('/all', async () => { ran++; return 'in' })
    refused(t, await app.inject({ method: 'OPTIONS', url: '/all', headers: preflight }), 401, 'MISSING_TOKEN')
    t.equal(ran, 0)
  }
})

t.test('a route for OPTIONS alone lets preflights pass and nothing else', async (t) => {
  const app = server(t)
  await app.register(authPlugin, { ...options, protect: 'all' })
  app.options('/own', async () => 'allowed')
  app.options('/asking', { config: { auth: { roles: ['admin'] } } }, async () => 'in')
  t.equal((await app.inject({ method: 'OPTIONS', url: '/own', headers: preflight })).body, 'allowed')
  refused(t, await app.inject({ method: 'OPTIONS', url: '/own' }), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ method: 'OPTIONS', url: '/own', headers: { origin: preflight.origin } }), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ method: 'OPTIONS', url: '/own', headers: { 'access-control-request-method': 'GET' } }), 401, 'MISSING_TOKEN')
  // What a route asks for itself is asked of preflights too.
  refused(t, await app.inject({ method: 'OPTIONS', url: '/asking', headers: preflight }), 401, 'MISSING_TOKEN')
})

t.test('strict preflights and route-level cors leave guards alone', async (t) => {
  const app = server(t)
  await app.register(cors, { origin: 'https://app.example.com', strictPreflight: true, credentials: true })
  await app.register(authPlugin, { ...options, protect: 'all' })
  app.get('/', async () => 'in')
  t.equal((await app.inject({ method: 'OPTIONS', url: '/', headers: { origin: preflight.origin } })).statusCode, 400, 'as cors answers by itself')
  t.equal((await app.inject({ method: 'OPTIONS', url: '/', headers: preflight })).statusCode, 204)
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
})
