import { createServer } from 'node:http'
import { createPublicKey } from 'node:crypto'
import { CLIENT_CORE, SERVER_CORE, start } from './process.js'
import { slope } from './statistics.js'
import { REFUSALS } from './tokens.js'

const SLICES = 20
/** What a straight line through the last three quarters of the run may rise by, in bytes: about one byte per request of a million. */
const FLAT = { heapUsed: 1024 * 1024, rss: 16 * 1024 * 1024 }

/**
 * P10: refuses requests of which no two have the same token, and looks at what
 * the server holds on the way: once with a secret and the cache of verified
 * tokens, once with remote keys and, besides, key ids that nobody knows.
 */
export async function measureMemory ({ keys, build, requests, connections, say }) {
  const keySet = await serveKeySet(keys.ES256)
  try {
    return [
      await watch('secret, with cache', { algorithm: 'HS256', key: keys.HS256, settings: { cache: true }, kinds: REFUSALS }),
      await watch('remote keys, unknown key ids', { algorithm: 'ES256', key: { ...keys.ES256, jwksUrl: keySet.url }, settings: { cache: true }, kinds: ['unknown key', 'malformed'] })
    ]
  } finally {
    await keySet.close()
  }

  async function watch (name, { algorithm, key, settings, kinds }) {
    say(name)
    const server = start('server.js', SERVER_CORE, { execArgv: ['--expose-gc'] })
    const client = start('client.js', CLIENT_CORE)
    try {
      const { port } = await server.ask('start', { app: 'apps/bouncer.js', settings: { build, algorithm, key, ...settings } })
      const samples = []
      const answers = {}
      const slice = Math.ceil(requests / SLICES)
      for (let index = 0; index < SLICES; index++) {
        const result = await client.ask('run', { port, path: '/me', count: slice, connections, kinds: { names: kinds, algorithm, key }, serial: index * slice })
        for (const [answer, count] of Object.entries(result.answers)) {
          if (!answer.endsWith(' 401')) throw new Error(`${name}: ${answer} was not expected`)
          answers[answer] = (answers[answer] ?? 0) + count
        }
        samples.push({ requests: (index + 1) * slice, ...await server.ask('memory') })
      }
      const late = samples.slice(SLICES / 4)
      const growth = (field) => slope(late.map((sample) => [sample.requests, sample[field]])) * requests
      const rise = { heapUsed: growth('heapUsed'), rss: growth('rss') }
      return { name, requests: slice * SLICES, answers, samples, rise, flat: rise.heapUsed < FLAT.heapUsed && rise.rss < FLAT.rss }
    } finally {
      await Promise.all([client.stop(), server.stop()])
    }
  }
}

async function serveKeySet ({ public: pem }) {
  const document = JSON.stringify({ keys: [{ ...createPublicKey(pem).export({ format: 'jwk' }), kid: 'known', alg: 'ES256', use: 'sig' }] })
  const server = createServer((_request, response) => { response.setHeader('content-type', 'application/json').end(document) })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return {
    url: `http://127.0.0.1:${server.address().port}/jwks.json`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => { server.close(resolve) })
    }
  }
}
