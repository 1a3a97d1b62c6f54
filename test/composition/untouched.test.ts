import type { FastifyInstance, FastifyServerOptions, LightMyRequestResponse, RouteOptions } from 'fastify'
import { inspect } from 'node:util'
import t from 'tap'
import authPlugin, { type AuthPluginOptions } from '../../index.js'
import { bearer, options, server } from '../build.js'
import { thrown } from '../thrown.js'

const names = Object.keys(thrown)
const pick = (index: unknown) => thrown[names[Number(index)] as string]?.()

/** Where things are thrown. */
const stages: Record<string, Partial<RouteOptions>> = {
  'onRequest, async': { onRequest: async (request) => { throw pick(request.headers['x-index']) } },
  'onRequest, done': { onRequest: (request, _reply, done) => { done(pick(request.headers['x-index']) as Error) } },
  'preParsing, async': { preParsing: async (request) => { throw pick(request.headers['x-index']) } },
  'preValidation, async': { preValidation: async (request) => { throw pick(request.headers['x-index']) } },
  'preHandler, async': { preHandler: [async () => {}, async (request) => { throw pick(request.headers['x-index']) }] },
  'preHandler, at once': { preHandler: (request) => { throw pick(request.headers['x-index']) } },
  'handler, async': { handler: async (request) => { throw pick(request.headers['x-index']) } },
  'handler, at once': { handler: (request) => { throw pick(request.headers['x-index']) } },
  'handler, after a while': { handler: async (request) => { await new Promise(setImmediate); throw pick(request.headers['x-index']) } },
  'reply.send': { handler: (request, reply) => { reply.send(pick(request.headers['x-index'])) } },
  'reply.code(401).send': { handler: (request, reply) => { reply.code(401).send(pick(request.headers['x-index'])) } },
  'reply.code(403).header.send': { handler: (request, reply) => { reply.code(403).header('www-authenticate', 'Basic').send(pick(request.headers['x-index'])) } },
  'preSerialization, async': { preSerialization: async (request, reply, payload) => { if (reply.statusCode !== 200 || 'mine' in (payload as object)) return payload; throw pick(request.headers['x-index']) } },
  'onSend, async': { onSend: async (request, reply) => { if (reply.statusCode === 200) throw pick(request.headers['x-index']) } }
}

type Handler = NonNullable<RouteOptions['errorHandler']>
const answering: Handler = (error, _request, reply) => { reply.code(499).send({ mine: inspect(error, { compact: true }).split('\n')[0] }) }
const sending: Handler = (error, _request, reply) => { reply.send(error) }
const throwing: Handler = (error) => { throw error }
const asynchronous: Handler = async (error, _request, reply) => await reply.code(498).header('x-mine', '1').send({ mine: error?.message })

/** How an application handles errors. */
const setups: Record<string, { before?: Handler, after?: Handler, child?: Handler, route?: Handler }> = {
  'no handler': {},
  'a handler before': { before: answering },
  'a handler after': { after: answering },
  'a handler after that sends on': { after: sending },
  'a handler after that throws on': { after: throwing },
  'an asynchronous handler after': { after: asynchronous },
  'a handler in a child': { after: answering, child: asynchronous },
  'a handler in a child that throws on': { after: answering, child: throwing },
  'a handler of the route': { after: answering, route: asynchronous },
  'a handler of the route that throws on': { after: answering, route: throwing },
  'a handler of the route that sends on': { child: answering, route: sending }
}

type Setup = typeof setups[string]

async function application (app: FastifyInstance, setup: Setup, plugin: AuthPluginOptions | undefined, guarded: boolean): Promise<FastifyInstance> {
  if (setup.before !== undefined) app.setErrorHandler(setup.before)
  if (plugin !== undefined) await app.register(authPlugin, { ...options, ...plugin })
  if (setup.after !== undefined) app.setErrorHandler(setup.after)
  await app.register(async (scope) => {
    if (setup.child !== undefined) scope.setErrorHandler(setup.child)
    for (const [index, stage] of Object.values(stages).entries()) {
      scope.route({
        method: 'GET',
        url: `/${index}`,
        handler: async () => ({ fine: true }),
        ...stage,
        ...(setup.route !== undefined && { errorHandler: setup.route }),
        ...(guarded && { config: { auth: true } })
      })
    }
  })
  return app
}

function seen ({ statusCode, body, headers: { date, ...headers } }: LightMyRequestResponse): unknown {
  return { statusCode, body, headers }
}

const variants: Array<{ name: string, plugin: AuthPluginOptions, guarded: boolean, server?: FastifyServerOptions }> = [
  { name: 'errorHandler auth, guarded', plugin: {}, guarded: true },
  { name: 'errorHandler auth, open', plugin: {}, guarded: false },
  { name: 'errorHandler false, guarded', plugin: { errorHandler: false }, guarded: true },
  { name: 'errorHandler auth, guarded, no override of handlers', plugin: {}, guarded: true, server: { allowErrorHandlerOverride: false } },
  { name: 'jwt shown', plugin: { jwt: { secret: 'a secret of at least thirty-two bytes', decorate: true } }, guarded: true }
]

for (const [setupName, setup] of Object.entries(setups)) {
  t.test(`what applications throw is answered as without this plugin: ${setupName}`, async (t) => {
    const plain = await application(server(t), setup, undefined, false)
    const apps = await Promise.all(variants.map(async (variant) => await application(server(t, variant.server), setup, variant.plugin, variant.guarded)))
    const wrong = []
    for (const [stage, stageName] of Object.keys(stages).entries()) {
      for (const [index, name] of names.entries()) {
        const request = { url: `/${stage}`, headers: { 'x-index': String(index), ...bearer() } }
        const expected = JSON.stringify(seen(await plain.inject(request)))
        for (const [number, variant] of variants.entries()) {
          // @fastify/jwt is ours there, and its errors are.
          if (variant.name === 'jwt shown' && name === 'an error of @fastify/jwt') continue
          const found = JSON.stringify(seen(await (apps[number] as FastifyInstance).inject(request)))
          if (found !== expected) wrong.push(`${variant.name}: ${name} in ${stageName}: ${found}, not ${expected}`)
        }
      }
    }
    t.strictSame(wrong, [])
  })
}
