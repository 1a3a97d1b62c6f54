import t from 'tap'
import { securityContext } from '../../index.js'
import { bearer, build, refused } from '../build.js'

for (const protect of ['declared', 'all'] as const) {
  t.test(`a guard before the application's not-found handler, protect ${protect}`, async (t) => {
    const app = await build(t, { protect })
    let ran = 0
    app.setNotFoundHandler({ preHandler: app.requireRole('admin') }, async (request, reply) => {
      ran++
      return await reply.code(404).send({ for: request.user?.id, context: securityContext.get()?.id })
    })
    refused(t, await app.inject('/unknown'), 401, 'MISSING_TOKEN')
    refused(t, await app.inject({ url: '/unknown', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
    refused(t, await app.inject({ url: '/unknown', headers: { authorization: 'Bearer a b' } }), 400, 'INVALID_AUTHORIZATION_HEADER')
    refused(t, await app.inject({ method: 'POST', url: '/unknown', payload: { a: 1 } }), 401, 'MISSING_TOKEN')
    t.equal(ran, 0)
    const found = await app.inject({ url: '/unknown', headers: bearer({ role: 'admin' }) })
    t.equal(found.statusCode, 404)
    t.strictSame(found.json(), { for: 'user-1', context: 'user-1' })
  })
}

t.test('without a guard the application answers unknown addresses, to strangers too', async (t) => {
  for (const protect of ['declared', 'all'] as const) {
    const app = await build(t, { protect })
    app.setNotFoundHandler(async (_request, reply) => await reply.code(404).send('nothing'))
    const { statusCode, body } = await app.inject({ url: '/unknown', headers: { authorization: 'Bearer a b' } })
    t.equal(statusCode, 404)
    t.equal(body, 'nothing')
  }
})

t.test('a guard in a root hook refuses strangers at unknown addresses, in our body', async (t) => {
  for (const errorHandler of ['auth', 'all'] as const) {
    const app = await build(t, { errorHandler })
    app.addHook('onRequest', app.requireUser())
    app.get('/known', async () => 'in')
    refused(t, await app.inject('/known'), 401, 'MISSING_TOKEN')
    refused(t, await app.inject('/unknown'), 401, 'MISSING_TOKEN')
    t.equal((await app.inject({ url: '/unknown', headers: bearer() })).statusCode, 404)
    t.equal((await app.inject({ url: '/known', headers: bearer() })).body, 'in')
  }
})

t.test('reply.callNotFound from a guarded route', async (t) => {
  const app = await build(t)
  app.get('/', { preHandler: app.requireUser() }, (_request, reply) => { reply.callNotFound() })
  refused(t, await app.inject('/'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/', headers: bearer() })).statusCode, 404)
})

t.test('not-found handlers of children', async (t) => {
  const app = await build(t)
  await app.register(async (scope) => {
    scope.setNotFoundHandler({ preHandler: [scope.requireUser()] }, async (_request, reply) => await reply.code(404).send('child'))
    scope.get('/known', async () => 'in')
  }, { prefix: '/child' })
  refused(t, await app.inject('/child/unknown'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/child/unknown', headers: bearer() })).body, 'child')
  t.equal((await app.inject('/unknown')).statusCode, 404)
})
