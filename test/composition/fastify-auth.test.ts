import fastifyAuth from '@fastify/auth'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Guard } from '../../index.js'
import { bearer, build, now, refused } from '../build.js'

/** Callers by what they have: role, group, scope. */
const callers = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({ role: (bits & 1) !== 0, group: (bits & 2) !== 0, scope: (bits & 4) !== 0 }))
type Caller = typeof callers[number]

const headersOf = ({ role, group, scope }: Caller) => bearer({ roles: role ? ['r'] : [], groups: group ? ['g'] : [], scope: scope ? 's' : '' })
const role = (app: FastifyInstance) => app.requireRole('r')
const group = (app: FastifyInstance) => app.requireGroup('g')
const scope = (app: FastifyInstance) => app.requireScope('s')

type Make = (app: FastifyInstance) => Guard

/** Compositions, and who may pass. A list within a list has the other relation. */
const compositions: Array<{ name: string, relation: 'and' | 'or', guards: Array<Make | Make[]>, passes: (caller: Caller) => boolean }> = [
  { name: 'role or group', relation: 'or', guards: [role, group], passes: (c) => c.role || c.group },
  { name: 'role and group', relation: 'and', guards: [role, group], passes: (c) => c.role && c.group },
  { name: 'role or group or scope', relation: 'or', guards: [role, group, scope], passes: (c) => c.role || c.group || c.scope },
  { name: 'role and group and scope', relation: 'and', guards: [role, group, scope], passes: (c) => c.role && c.group && c.scope },
  { name: '(role and group) or scope', relation: 'or', guards: [[role, group], scope], passes: (c) => (c.role && c.group) || c.scope },
  { name: 'scope or (role and group)', relation: 'or', guards: [scope, [role, group]], passes: (c) => (c.role && c.group) || c.scope },
  { name: '(role or group) and scope', relation: 'and', guards: [[role, group], scope], passes: (c) => (c.role || c.group) && c.scope },
  { name: 'scope and (role or group)', relation: 'and', guards: [scope, [role, group]], passes: (c) => (c.role || c.group) && c.scope },
  { name: 'one alone', relation: 'or', guards: [role], passes: (c) => c.role }
]

for (const stage of ['onRequest', 'preHandler'] as const) {
  for (const run of [undefined, 'all'] as const) {
    t.test(`truth table of guards composed by fastify.auth in ${stage}, run ${run ?? 'as needed'}`, async (t) => {
      const app = await build(t)
      await app.register(fastifyAuth)
      let ran = 0
      for (const [index, { relation, guards }] of compositions.entries()) {
        const made = guards.map((make) => Array.isArray(make) ? make.map((inner) => inner(app)) : make(app))
        app.get(`/${index}`, { [stage]: app.auth(made as never, { relation, run: run as never }) }, async () => { ran++; return 'in' })
      }
      const wrong = []
      for (const [index, { name, passes }] of compositions.entries()) {
        for (const caller of callers) {
          ran = 0
          const { statusCode } = await app.inject({ url: `/${index}`, headers: headersOf(caller) })
          const expected = passes(caller) ? 200 : 403
          if (statusCode !== expected || ran !== (expected === 200 ? 1 : 0)) wrong.push(`${name} for ${JSON.stringify(caller)}: ${statusCode}`)
        }
        ran = 0
        refused(t, await app.inject(`/${index}`), 401, 'MISSING_TOKEN')
        refused(t, await app.inject({ url: `/${index}`, headers: bearer({ exp: now() - 1, roles: ['r'], groups: ['g'], scope: 's' }) }), 401, 'TOKEN_EXPIRED')
        refused(t, await app.inject({ url: `/${index}`, headers: { authorization: 'Bearer a b' } }), 400, 'INVALID_AUTHORIZATION_HEADER')
        t.equal(ran, 0, 'the handler did not run')
      }
      t.strictSame(wrong, [])
    })
  }
}

t.test('guards composed on routes that this plugin never saw still compose', async (t) => {
  const app = await build(t)
  await app.register(fastifyAuth)
  app.setNotFoundHandler({ preHandler: app.auth([app.requireRole('r'), app.requireGroup('g')]) }, async (_request, reply) => await reply.code(404).send('nothing here'))
  refused(t, await app.inject({ url: '/unknown', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.equal((await app.inject({ url: '/unknown', headers: bearer({ roles: ['r'] }) })).body, 'nothing here')
})

t.test('guards beside strategies of the application', async (t) => {
  const app = await build(t)
  await app.register(fastifyAuth)
  const apiKey = async (request: { headers: Record<string, unknown> }) => {
    if (request.headers['x-api-key'] !== 'right') throw Object.assign(new Error('wrong key'), { statusCode: 401 })
  }
  app.get('/or', { onRequest: app.auth([apiKey, app.requireRole('r')]) }, async () => 'in')
  app.get('/and', { onRequest: app.auth([apiKey, app.requireRole('r')], { relation: 'and' }) }, async () => 'in')
  t.equal((await app.inject({ url: '/or', headers: { 'x-api-key': 'right' } })).body, 'in')
  t.equal((await app.inject({ url: '/or', headers: bearer({ roles: ['r'] }) })).body, 'in')
  refused(t, await app.inject('/or'), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/and', headers: bearer({ roles: ['r'] }) })).json().message, 'wrong key')
  refused(t, await app.inject({ url: '/and', headers: { 'x-api-key': 'right' } }), 401, 'MISSING_TOKEN')
  t.equal((await app.inject({ url: '/and', headers: { 'x-api-key': 'right', ...bearer({ roles: ['r'] }) } })).body, 'in')
})

t.test('what config.auth asks is asked besides what fastify.auth composes', async (t) => {
  const app = await build(t)
  await app.register(fastifyAuth)
  app.get('/', { config: { auth: { scopes: ['s'] } }, preHandler: app.auth([app.requireRole('r'), app.requireGroup('g')]) }, async () => 'in')
  refused(t, await app.inject({ url: '/', headers: bearer({ roles: ['r'] }) }), 403, 'INSUFFICIENT_SCOPE')
  refused(t, await app.inject({ url: '/', headers: bearer({ scope: 's' }) }), 403, 'INSUFFICIENT_GROUPS')
  t.equal((await app.inject({ url: '/', headers: bearer({ groups: ['g'], scope: 's' }) })).body, 'in')
})

t.test('a guard factory that was not called lets nobody through fastify.auth', async (t) => {
  const app = await build(t)
  await app.register(fastifyAuth)
  let ran = 0
  for (const [name, factory] of Object.entries(app.bouncer.guards)) {
    app.get(`/${name}`, { preHandler: app.auth([factory as never]) }, async () => { ran++; return 'in' })
  }
  for (const name of Object.keys(app.bouncer.guards)) {
    for (const headers of [{}, bearer({ roles: ['r'] })]) t.equal((await app.inject({ url: `/${name}`, headers })).statusCode, 500)
  }
  t.equal(ran, 0)
})
