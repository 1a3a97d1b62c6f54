import { get as httpGet, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import swagger from '@fastify/swagger'
import t, { type Test } from 'tap'
import Fastify, { type FastifyInstance, type FastifyServerOptions, type LightMyRequestResponse } from 'fastify'
import authPlugin, { ConfigurationError, createSigner, type AuthPluginOptions, type Guard, type Signer, type SignUrlOptions } from '../../index.js'
import { bearer, build, inTestEnvironment, options, refused, server } from '../build.js'
import { logged } from '../log-lines.js'
import { buildDocumented, codesOf, operationOf, USER_CODES } from '../openapi/document.js'

const secret = 'a secret of at least thirty-two bytes'
const start = 1_700_000_000
const hour = { expiresIn: 3600 }

/** A signer whose clock stands, until a test moves it. */
function standing (purpose = 'downloads'): { signer: Signer, pass: (seconds: number) => void } {
  let now = start * 1000
  return { signer: createSigner({ secret, purpose, clock: () => now }), pass: (seconds) => { now += seconds * 1000 } }
}

interface Downloads {
  app: FastifyInstance
  signer: Signer
  pass: (seconds: number) => void
  /** URLs whose handlers ran. */
  reached: string[]
  get: (url: string, method?: string) => Promise<LightMyRequestResponse>
}

async function downloads (t: Test, overrides: AuthPluginOptions = {}, serverOptions: FastifyServerOptions = {}): Promise<Downloads> {
  const app = await build(t, overrides, serverOptions)
  const reached: string[] = []
  const { signer, pass } = standing()
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/download/:id',
    onRequest: app.requireSignedUrl({ signer }),
    handler: async ({ url, query }) => { reached.push(url); return query }
  })
  const get = async (url: string, method = 'GET') => await app.inject({ url, method: method as 'GET' })
  return { app, signer, pass, reached, get }
}

const badly = (t: Test, response: LightMyRequestResponse) => { refused(t, response, 400, 'BAD_SIGNATURE', 'Invalid signature') }

t.test('a signed URL opens its route, until it ends', async (t) => {
  const { signer, pass, get, reached } = await downloads(t)
  const url = signer.signUrl('/download/42?file=a', hour)
  t.match(url, /^\/download\/42\?file=a&expires=1700003600&signature=[\w-]{43}$/)
  t.strictSame((await get(url)).json(), Object.fromEntries(new URLSearchParams(url.split('?')[1])))
  pass(3600)
  t.equal((await get(url)).statusCode, 200)
  pass(1)
  refused(t, await get(url), 400, 'SIGNATURE_EXPIRED', 'Signature has expired')
  t.equal(reached.length, 2)
  t.equal((await get(signer.signUrl('/download/42', hour))).statusCode, 200)
})

const attacks: Array<[name: string, change: (url: string) => string]> = [
  ['no signature', (url) => url.replace(/&signature=.*/, '')],
  ['nothing at all', () => '/download/42'],
  ['an empty signature', (url) => url.replace(/signature=.*/, 'signature=')],
  ['another path', (url) => url.replace('42', '43')],
  ['another value', (url) => url.replace('file=a', 'file=b')],
  ['a later end', (url) => url.replace('expires=1', 'expires=2')],
  ['a parameter added at the end', (url) => `${url}&file=b`],
  ['an empty parameter added at the end', (url) => `${url}&`],
  ['a tracking parameter added at the end', (url) => `${url}&utm_source=mail`],
  ['a parameter added at the beginning', (url) => url.replace('?', '?file=b&')],
  ['a parameter added before the signature', (url) => url.replace('&signature', '&file=b&signature')],
  ['a parameter left out', (url) => url.replace('file=a&', '')],
  ['a parameter twice', (url) => url.replace('file=a', 'file=a&file=a')],
  ['parameters in another order', (url) => url.replace(/(file=a)&(expires=\d+)/, '$2&$1')],
  ['the signature first', (url) => url.replace(/\?(.*)&(signature=.*)/, '?$2&$1')],
  ['the signature twice', (url) => `${url}&signature=${url.slice(-43)}`],
  ['two ends', (url) => url.replace('expires=', 'expires=9999999999&expires=')],
  ['an end that is not decimal', (url) => url.replace('expires=', 'expires=0')],
  ['an escape for a letter', (url) => url.replace('file=a', 'file=%61')],
  ['an escape in the path', (url) => url.replace('/42', '/%342')],
  ['an escape in the signature', (url) => `${url.slice(0, -1)}%${url.charCodeAt(url.length - 1).toString(16)}`],
  ['a slash more', (url) => url.replace('?', '/?')],
  ['two slashes', (url) => `/${url}`],
  ['dots in the path', (url) => `/download/..${url}`],
  ['a fragment in the request line', (url) => `${url}#a`],
  ['a fragment before the query', (url) => url.replace('?', '#?')],
  ['a semicolon before the query', (url) => url.replace('?', ';?')],
  ['another name in other letters', (url) => url.replace('signature', 'Signature')],
  ['padding', (url) => `${url}=`],
  ['16,385 characters', (url) => url.replace('file=a', `file=${'a'.repeat(16_385 - url.length + 1)}`)]
]

/** What leads to no route of the application's. */
const NO_ROUTE = ['two slashes', 'a slash more', 'dots in the path']

t.test('a URL that was changed in any way opens nothing', async (t) => {
  const { app, signer, reached } = await downloads(t)
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  const url = signer.signUrl('/download/42?file=a', hour)
  const byWire = async (path: string): Promise<[status?: number, code?: string]> => {
    // As it stands: inject() and fetch() would mend some of these.
    const [response] = await once(httpGet({ port, path, agent: false }), 'response') as [IncomingMessage]
    return [response.statusCode, JSON.parse(await text(response)).extra?.code]
  }
  t.strictSame(await byWire(url), [200, undefined])
  reached.length = 0
  for (const [name, change] of attacks) {
    await t.test(name, async (t) => {
      t.not(change(url), url)
      const [status, code] = await byWire(change(url))
      if (NO_ROUTE.includes(name)) t.equal(status, 404)
      else if (status !== 431) t.strictSame([status, code], [400, 'BAD_SIGNATURE'])
      t.throws(() => signer.verifyUrl(change(url)), { code: 'BAD_SIGNATURE' })
    })
  }
  for (let index = 0; index < url.length; index++) {
    t.throws(() => signer.verifyUrl(url.slice(0, index) + url.slice(index + 1)), { code: 'BAD_SIGNATURE' }, `without character ${index}`)
  }
  t.throws(() => signer.verifyUrl(`/${'a'.repeat(16_384)}${url}`), { name: 'BadSignatureError', reason: 'malformed' }, 'not looked at')
  for (const other of [undefined, null, 1, {}]) t.throws(() => signer.verifyUrl(other as never), { code: 'BAD_SIGNATURE' })
  t.strictSame(reached, [])
})

t.test('a URL of another purpose, of another secret, and a signed value are no signed URLs', async (t) => {
  const { get } = await downloads(t)
  badly(t, await get(standing('invitations').signer.signUrl('/download/42', hour)))
  badly(t, await get(createSigner({ secret: 'another secret of thirty-two bytes or more', purpose: 'downloads' }).signUrl('/download/42', hour)))
  const { signer } = standing()
  const target = '/download/42?expires=1700003600'
  for (const text of [target, `GET ${target}`, `3:GET${target.length}:${target}`]) badly(t, await get(`${target}&signature=${signer.sign(text).slice(-43)}`))
  t.throws(() => signer.unsign(signer.signUrl('/download/42', hour)), { code: 'BAD_SIGNATURE' })
})

t.test('a URL works with its method; HEAD is GET without the body', async (t) => {
  const { signer, get } = await downloads(t)
  const forGet = signer.signUrl('/download/42', hour)
  t.equal((await get(forGet, 'HEAD')).statusCode, 200)
  for (const method of ['POST', 'DELETE']) {
    badly(t, await get(forGet, method))
    const url = signer.signUrl('/download/42', { ...hour, method: method.toLowerCase() })
    t.equal((await get(url, method)).statusCode, 200)
    badly(t, await get(url))
    t.equal((await get(url, 'HEAD')).statusCode, 400)
  }
  t.equal((await get(signer.signUrl('/download/42', { ...hour, method: 'HEAD' }))).statusCode, 200)
})

t.test('a URL comes back as browsers and fetch() send it', async (t) => {
  const { signer } = standing()
  const urls = ['/a b', '/ä?x=ö y"<>`', '/%7e/~', '/a/..b/.c/d..', '/a/...', '/a?b=/../c', '/a#/../b', '/?', '/#top', '/a?b#c d', 'https://files.example.com', 'https://files.example.com:443/a?b=c#d', 'HTTP://EXAMPLE.com/%zz', '/😀?a=%', '/a?b=c&', '/a??', '/a;b?c;d', '/a?b\\c']
  for (const url of urls) {
    const signed = signer.signUrl(url, hour)
    const { href, pathname, search, hash } = new URL(signed, 'http://localhost')
    t.ok(href.endsWith(signed), signed)
    t.strictSame(signer.verifyUrl(pathname + search), { expiresAt: new Date((start + 3600) * 1000) })
    t.equal(hash, new URL(url, 'http://localhost').hash)
  }
  t.match(signer.signUrl('https://files.example.com:443/a?b=c#d', hour), /^https:\/\/files\.example\.com\/a\?b=c&expires=1700003600&signature=[\w-]{43}#d$/)
})

t.test('what signUrl() does not sign', async (t) => {
  const { signer } = standing()
  const urls = ['', 'download', 'javascript:alert(1)', 'data:,a', 'ftp://example.com/', '//example.com/a', '/\\example.com/a', '/\t/example.com', '/.//example.com', 'https://', 'http://[', 'https://ada@example.com/', 'https://:secret@example.com/', 'https://example.com//a', undefined, null, 1, new URL('https://example.com/'), '/a?expires=1', '/a?signature=x', '/a?%65xpires=1', '/a?b=c&signature']
  for (const url of urls) t.throws(() => signer.signUrl(url as string, hour), TypeError, String(url))
  const longest = '/'.padEnd(16_384 - signer.signUrl('/', hour).length + 1, 'a')
  t.doesNotThrow(() => signer.verifyUrl(signer.signUrl(longest, hour)))
  t.throws(() => signer.signUrl(`${longest}a`, hour), TypeError)
  for (const expiresIn of [0, -1, 1.5, NaN, Infinity, '3600', undefined, 1e12, 1e12 - start]) t.throws(() => signer.signUrl('/a', { expiresIn } as SignUrlOptions), TypeError, String(expiresIn))
  for (const given of [undefined, null, 3600, {}, { ...hour, expires: 1 }]) t.throws(() => signer.signUrl('/a', given as never), TypeError)
  for (const method of ['', 'GE T', 'GET\n', 1, null]) {
    t.throws(() => signer.signUrl('/a', { ...hour, method: method as string }), TypeError)
    t.throws(() => signer.verifyUrl(signer.signUrl('/a', hour), { method: method as string }), TypeError)
  }
  t.throws(() => signer.verifyUrl('/a', { methods: 'GET' } as never), TypeError)
})

t.test('attack: a part of a path that leads out of it', async (t) => {
  const { signer } = standing()
  const parts = ['../admin', '..', '.', './a', '%2e%2e/admin', '.%2E/admin', '%2e', 'a/../../admin', '..\\admin', 'a\\b', '.\t./admin', 'a\n', 'a ', '\0']
  for (const part of parts) {
    for (const origin of ['', 'https://files.example.com']) {
      t.throws(() => signer.signUrl(`${origin}/download/${part}`, hour), { name: 'TypeError', message: /encodeURIComponent/ }, part)
      if (!/[ \t\n\0]/.test(part)) t.throws(() => signer.signUrl(`${origin}/download/${part}?a=b#c`, hour), TypeError, part)
    }
  }
  for (const url of ['https:///files.example.com/a', 'https:\\\\example.com', 'https://example.com\\a', 'https://example.com/..', 'https://?a']) t.throws(() => signer.signUrl(url, hour), TypeError, url)
  t.match(signer.signUrl(`/download/${encodeURIComponent('../admin')}`, hour), /^\/download\/\.\.%2Fadmin\?/)
})

t.test('a prefix, and rewriteUrl: what the client sent is what is verified', async (t) => {
  const app = await build(t, {}, { rewriteUrl: ({ url = '' }) => url.replace('/public', '/v1') })
  const { signer } = standing()
  const inside: string[] = []
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.requireSignedUrl({ signer }))
    scope.get('/files/:id', async ({ url }) => { inside.push(url) })
  }, { prefix: '/v1' })
  t.equal((await app.inject(signer.signUrl('/public/files/1', hour))).statusCode, 200)
  t.equal((await app.inject(signer.signUrl('/v1/files/1', hour))).statusCode, 200)
  const inner = signer.signUrl('/v1/files/1', hour)
  badly(t, await app.inject(inner.replace('/v1', '/public')))
  t.match(inside, [/^\/v1\/files\/1\?/, /^\/v1\/files\/1\?/])
})

t.test('in preHandler, in a list, beside a guard for users: all must let it pass', async (t) => {
  const app = await build(t)
  const { signer } = standing()
  app.get('/both', { onRequest: [app.requireRole('admin')], preHandler: [app.requireSignedUrl({ signer })] }, async () => 'in')
  app.get('/inline', async (request, reply) => { await app.requireSignedUrl({ signer })(request, reply) })
  const url = signer.signUrl('/both', hour)
  refused(t, await app.inject(url), 401, 'MISSING_TOKEN')
  refused(t, await app.inject({ url, headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  badly(t, await app.inject({ url: '/both', headers: bearer({ roles: ['admin'] }) }))
  t.equal((await app.inject({ url, headers: bearer({ roles: ['admin'] }) })).statusCode, 200)
  badly(t, await app.inject('/inline'))
  t.equal((await app.inject(signer.signUrl('/inline', hour))).statusCode, 200)
})

t.test('a bad token is nothing to a route that asks for a signature alone', async (t) => {
  const { app, signer } = await downloads(t)
  const response = await app.inject({ url: signer.signUrl('/download/42', hour), headers: { authorization: 'Bearer not.a.token' } })
  t.equal(response.statusCode, 200)
})

t.test('protect: all asks for a user besides, unless config.auth is false; a guard for users contradicts that', async (t) => {
  const app = await build(t, { protect: 'all' })
  const { signer } = standing()
  const onRequest = app.requireSignedUrl({ signer })
  app.get('/both', { onRequest }, async () => 'in')
  app.get('/signed', { onRequest, config: { auth: false } }, async () => 'in')
  t.throws(() => app.get('/x', { onRequest: [onRequest, app.requireUser()], config: { auth: false } }, async () => 'in'), ConfigurationError)
  refused(t, await app.inject(signer.signUrl('/both', hour)), 401, 'MISSING_TOKEN')
  badly(t, await app.inject({ url: '/both', headers: bearer() }))
  t.equal((await app.inject({ url: signer.signUrl('/both', hour), headers: bearer() })).statusCode, 200)
  badly(t, await app.inject('/signed'))
  t.equal((await app.inject(signer.signUrl('/signed', hour))).statusCode, 200)
})

t.test('a scope of signed URLs may have open routes in it, which are not open', async (t) => {
  const app = await build(t)
  const { signer } = standing()
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.requireSignedUrl({ signer }))
    scope.get('/signed', { config: { auth: false } }, async () => 'in')
  })
  badly(t, await app.inject('/signed'))
  t.equal((await app.inject(signer.signUrl('/signed', hour))).statusCode, 200)
})

t.test('a guard that another plugin took away is made up for', async (t) => {
  const app = await build(t)
  const { signer } = standing()
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => { delete route.onRequest })
    scope.get('/signed', { preHandler: [], onRequest: scope.requireSignedUrl({ signer }) }, async () => 'in')
  })
  badly(t, await app.inject('/signed'))
  t.equal((await app.inject(signer.signUrl('/signed', hour))).statusCode, 200)
})

t.test('a guard works on a route that the plugin never saw', async (t) => {
  const app = server(t)
  const { signer } = standing()
  const guards: Guard[] = []
  app.get('/early', { onRequest: (request, reply, done) => { guards[0]?.(request, reply, done) } }, async () => 'in')
  await app.register(authPlugin, options)
  guards.push(app.requireSignedUrl({ signer }))
  badly(t, await app.inject('/early'))
  t.equal((await app.inject(signer.signUrl('/early', hour))).statusCode, 200)
})

t.test('what requireSignedUrl() does not take', async (t) => {
  const app = await build(t)
  for (const given of [undefined, {}, { signer: undefined }, { signer: {} }, { signer: createSigner({ secret, unsalted: true }) }, null, { signer: standing().signer, maxAge: 60 }]) {
    t.throws(() => app.requireSignedUrl(given as never), { name: 'ConfigurationError', option: 'requireSignedUrl()' })
  }
  t.throws(() => app.get('/x', { onRequest: app.requireSignedUrl as never }, async () => 'in'), { name: 'ConfigurationError', option: 'requireSignedUrl()' })
})

t.test('attack: a verifier that only promises to look at the URL, or looks at nothing', async (t) => {
  const app = await build(t)
  const { signer } = standing()
  const answers: Array<[name: string, verifyUrl: (target: string, options?: { method?: string }) => unknown, status: number]> = [
    ['a promise', async (target) => signer.verifyUrl(target), 500],
    ['nothing', () => undefined, 500],
    ['null', () => null, 500],
    ['true', () => true, 500],
    ['false', () => false, 500],
    ['no date', () => ({ expiresAt: start }), 500],
    ['what another signer answers', signer.verifyUrl, 400]
  ]
  answers.forEach(([, verifyUrl], index) => { app.get(`/${index}`, { onRequest: app.requireSignedUrl({ signer: { verifyUrl } as never }) }, async () => 'in') })
  for (const [index, [name, , status]] of answers.entries()) {
    const url = `/${index}`
    refused(t, await app.inject(url), status, status === 400 ? 'BAD_SIGNATURE' : 'CONFIGURATION_ERROR')
    if (name === 'a promise') refused(t, await app.inject(signer.signUrl(url, hour)), 500, 'CONFIGURATION_ERROR')
  }
})

t.test('enabled: false lets everyone through here too', async (t) => {
  inTestEnvironment(t)
  const { get } = await downloads(t, { enabled: false })
  t.equal((await get('/download/42')).statusCode, 200)
})

t.test('nothing of the URL comes back, and the log has the reason', async (t) => {
  const { lines, serverOptions } = logged('info')
  const { get } = await downloads(t, {}, serverOptions)
  const response = await get('/download/hidden-42?file=hidden-a&expires=9999999999&signature=hidden')
  badly(t, response)
  t.notMatch(response.payload + JSON.stringify(response.headers), /hidden/)
  t.match(lines.filter(({ err }) => err !== undefined), [{ err: { type: 'BadSignatureError' }, context: { reason: 'malformed' } }])
})

t.test('the document: its refusals, and its own scheme in place of bearer', async (t) => {
  const { signer } = standing()
  const app = await buildDocumented(t)
  app.get('/signed', { onRequest: app.requireSignedUrl({ signer }) }, async () => 'in')
  app.get('/open', { onRequest: app.requireSignedUrl({ signer }), config: { auth: false } }, async () => 'in')
  app.get('/both', { onRequest: [app.requireUser(), app.requireSignedUrl({ signer })] }, async () => 'in')
  app.get('/perhaps', { onRequest: [app.optionalUser(), app.requireSignedUrl({ signer })] }, async () => 'in')
  const signed = { 400: ['BAD_SIGNATURE', 'SIGNATURE_EXPIRED'] }
  for (const path of ['/signed', '/open']) {
    const operation = await operationOf(app, path)
    t.strictSame(codesOf(operation), signed)
    t.strictSame(operation.security, [{ signedUrl: [] }])
  }
  const both = await operationOf(app, '/both')
  t.strictSame(codesOf(both), { ...USER_CODES, 400: [...USER_CODES[400], ...signed[400]] })
  t.strictSame(both.security, [{ bearerAuth: [], signedUrl: [] }])
  t.strictSame((await operationOf(app, '/perhaps')).security, [{ bearerAuth: [], signedUrl: [] }, { signedUrl: [] }])
  const { components } = app.swagger() as { components: { securitySchemes: Record<string, object> } }
  t.match(components.securitySchemes.signedUrl, { type: 'apiKey', in: 'query', name: 'signature' })
})

t.test('the document: a scheme of the application is used where it is the same, and no other', async (t) => {
  const app = server(t)
  const same = { type: 'apiKey', in: 'query', name: 'signature' } as const
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'x', version: '1' }, components: { securitySchemes: { signedUrl: { type: 'apiKey', in: 'header', name: 'x-api-key' }, header: { ...same, in: 'header' }, link: same } } } })
  await app.register(authPlugin, options)
  app.get('/signed', { onRequest: app.requireSignedUrl({ signer: standing().signer }) }, async () => 'in')
  t.strictSame((await operationOf(app, '/signed')).security, [{ link: [] }])
})

t.test('over a socket, with fetch()', async (t) => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(authPlugin, options)
  const signer = createSigner({ secret, purpose: 'downloads' })
  app.get('/files/*', { onRequest: app.requireSignedUrl({ signer }) }, async ({ url }) => ({ url }))
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  const url = signer.signUrl(`${origin}/files/a b/ö?x=é&y="`, hour)
  t.equal((await fetch(url)).status, 200)
  t.equal((await fetch(`${url}&z=1`)).status, 400)
  t.equal((await fetch(url.replace('x=', 'X='))).status, 400)
})
