import { audience, body, issuer } from '../apps/claims.js'
import { answerParent } from './process.js'

const routeSchema = {
  params: { type: 'object', properties: { id: { type: 'string' } } },
  response: { 200: { type: 'object', properties: { ok: { type: 'boolean' } } } }
}

/** Wall and CPU time in milliseconds since `mark`, and a new mark. */
function stopwatch () {
  let wall = process.hrtime.bigint()
  let cpu = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    const spent = { wall: Number(process.hrtime.bigint() - wall) / 1e6, cpu: (user + system) / 1e3 }
    wall = process.hrtime.bigint()
    cpu = process.cpuUsage()
    return spent
  }
}

const sum = (...parts) => ({ wall: parts.reduce((total, part) => total + part.wall, 0), cpu: parts.reduce((total, part) => total + part.cpu, 0) })

answerParent({
  async start ({ build, key, routes, guarded }) {
    const lap = stopwatch()
    const { default: Fastify } = await import('fastify')
    const { default: swagger } = await import('@fastify/swagger')
    const plugin = guarded ? (await import(new URL('index.js', build).href)).default : undefined
    const modules = lap()

    const app = Fastify()
    await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'Benchmark', version: '1' } } })
    if (plugin !== undefined) await app.register(plugin, { issuer, audience, jwt: { secret: key.secret } })
    for (let index = 0; index < routes; index++) {
      const guard = plugin === undefined ? {} : { onRequest: [index % 2 === 0 ? app.requireUser() : app.requireRole('admin')] }
      app.get(`/things/${index}/:id`, { schema: { ...routeSchema }, ...guard }, async () => body)
    }
    await app.ready()
    const ready = lap()

    const document = app.swagger()
    const swaggerTime = lap()
    if (Object.keys(document.paths).length !== routes) throw new Error('routes are missing from the document')
    return { modules, ready, 'modules and ready()': sum(modules, ready), 'swagger()': swaggerTime, 'all of it': sum(modules, ready, swaggerTime) }
  }
})
