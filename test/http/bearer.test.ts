import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import type { User } from '../../index.js'
import { bearerToken } from '../../lib/http/bearer.js'
import { token } from '../build.js'
import { bodyOf, guarded, passed, refusalOf, refusedAs } from '../guarded.js'

interface RawResponse {
  status: number
  head: string
  body: string
}

/** Sends these lines over a socket, since every HTTP client tidies headers up. */
async function send (app: FastifyInstance, headers: string[], path = '/'): Promise<RawResponse> {
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.write(['GET ' + path + ' HTTP/1.1', 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n'), 'latin1')
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const [head = '', body = ''] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, body }
}

test('the scheme is case-insensitive (RFC 9110, section 11.1)', async (t) => {
  const { app } = await guarded(t)
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    passed(t, await app.inject({ url: '/', headers: { authorization: `${scheme} ${token()}` } }), 'user-1', scheme)
  }
})

test('the name of the header is case-insensitive', async (t) => {
  const { app } = await guarded(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (const name of ['Authorization', 'authorization', 'AUTHORIZATION', 'aUTHORIZATION']) {
    t.equal((await send(app, [`${name}: Bearer ${token()}`])).status, 200, name)
  }
})

test('several spaces between scheme and token are one separator', async (t) => {
  const { app } = await guarded(t)
  for (const spaces of ['  ', '     ', ' '.repeat(200)]) {
    passed(t, await app.inject({ url: '/', headers: { authorization: `Bearer${spaces}${token()}` } }))
  }
})

test('no credentials are a missing token, and the challenge has no error', async (t) => {
  const { app, seen } = await guarded(t)
  const cases: Record<string, string | undefined> = {
    'no header': undefined,
    'an empty header': '',
    'an empty Bearer': 'Bearer',
    'an empty Bearer and a space': 'Bearer ',
    'an empty bearer and spaces': 'bearer    ',
    Basic: 'Basic dXNlcjpwYXNz',
    'Basic, empty': 'Basic',
    Negotiate: 'Negotiate YIIJ/wYGKwYBBQUCoIIJ8zCCCe+g',
    DPoP: `DPoP ${token()}`,
    'a scheme that begins like Bearer': `Bearerx ${token()}`,
    'a scheme that ends like Bearer': `xBearer ${token()}`,
    'Token instead of Bearer': `Token ${token()}`,
    'Digest with parameters': 'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", nc=00000001',
    'Digest with a comma and a space in a value': 'Digest username="Mufasa, Esq of Pride Rock", realm="a, b c"',
    'Digest with a quote that is never closed': `Digest username="a, Bearer ${token()}`,
    'Digest with an escaped quote in a value': String.raw`Digest username="a\", b c", realm="x"`,
    'a token without any scheme': token()
  }
  for (const [what, authorization] of Object.entries(cases)) {
    refusedAs(t, await app.inject({ url: '/', ...(authorization !== undefined && { headers: { authorization } }) }), 'missing', what)
  }
  t.equal(seen.length, 0)
})

test('a malformed header is 400 with invalid_request', async (t) => {
  const { app, seen } = await guarded(t)
  const good = token()
  const cases: Record<string, string> = {
    'a tab in place of the space': `Bearer\t${good}`,
    'a tab after the space': `Bearer \t${good}`,
    'a tab alone': '\t',
    'leading space': ` Bearer ${good}`,
    'trailing space': `Bearer ${good} `,
    'a second token': `Bearer ${good} ${good}`,
    'a comma after the token': `Bearer ${good},`,
    'a parameter after the token': `Bearer ${good}, realm="api"`,
    'parameters in place of the token': 'Bearer realm="api"',
    'a colon after the scheme': `Bearer: ${good}`,
    'an equals sign in place of the space': `Bearer=${good}`,
    'a quoted token': `Bearer "${good}"`,
    'an equals sign inside the token': `Bearer ${good.replace('.', '=.')}`,
    'nothing but an equals sign': 'Bearer =',
    'a control character': `Bearer ${good}\u0001`,
    'letters beyond ASCII': 'Bearer tök.ën.x',
    'a scheme beyond ASCII': `Béarer ${good}`,
    'percent-encoding': `Bearer ${encodeURIComponent(good + ' ')}`,
    'a line break': `Bearer ${good}\nX-Role: admin`,
    'only a comma': ',',
    'a bracket as scheme': `[Bearer] ${good}`
  }
  for (const [what, authorization] of Object.entries(cases)) {
    refusedAs(t, await app.inject({ url: '/', headers: { authorization } }), 'header', what)
  }
  t.equal(seen.length, 0)
})

test('a header that names two methods is 400', async (t) => {
  const { app, seen } = await guarded(t)
  const good = token()
  const cases = [
    `Bearer ${good}, Basic dXNlcjpwYXNz`,
    `Basic dXNlcjpwYXNz, Bearer ${good}`,
    `Basic dXNlcjpwYXNz,Bearer ${good}`,
    `Bearer ${good},\tBasic dXNlcjpwYXNz`,
    `Bearer ${good}, Bearer ${good}`,
    `Digest username="a", realm="b", Bearer ${good}`,
    `Digest username="a, b", Bearer ${good}`
  ]
  for (const authorization of cases) {
    refusedAs(t, await app.inject({ url: '/', headers: { authorization } }), 'header', authorization.slice(0, 24))
  }
  t.equal(seen.length, 0)
})

test('repeated Authorization headers are 400, although Node hides all but the first', async (t) => {
  const { app, seen } = await guarded(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const good = `Authorization: Bearer ${token()}`
  const cases: Record<string, string[]> = {
    'the same twice': [good, good],
    'two identities': [good, `Authorization: Bearer ${token({ sub: 'user-2' })}`],
    'two spellings of the name': [good, `AUTHORIZATION: Bearer ${token({ sub: 'user-2' })}`],
    'other headers between': [good, 'Accept: */*', 'X-Request-Id: 1', `authorization: Bearer ${token()}`],
    'a second that is empty': [good, 'Authorization:'],
    'Bearer and Basic': [good, 'Authorization: Basic dXNlcjpwYXNz'],
    'Basic and Bearer': ['Authorization: Basic dXNlcjpwYXNz', good],
    'three of them': [good, good, good]
  }
  for (const [what, headers] of Object.entries(cases)) {
    const response = await send(app, headers)
    t.equal(response.status, 400, what)
    t.equal(response.body, bodyOf(refusalOf('header')), what)
    t.match(response.head, /www-authenticate: Bearer realm="api", error="invalid_request"/i, what)
  }
  t.equal(seen.length, 0)
})

test('a first header that is empty does not hide a second one', async (t) => {
  const { app, seen } = await guarded(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const response = await send(app, ['Authorization:', `Authorization: Bearer ${token()}`])
  t.equal(response.status, 400)
  t.equal(seen.length, 0)
})

test('a header whose name only resembles Authorization changes nothing', async (t) => {
  const { app } = await guarded(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const headers = ['Proxy-Authorization: Bearer x', 'X-Authorizatio: Bearer x', 'Authorizatiom: Bearer y', `Authorization: Bearer ${token()}`]
  t.equal((await send(app, headers)).status, 200)
  t.equal((await send(app, headers.slice(0, 3))).status, 401)
})

test('over a socket the whitespace around the value is not part of it', async (t) => {
  const { app } = await guarded(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await send(app, [`Authorization:   \tBearer ${token()} \t `])).status, 200)
  t.equal((await send(app, ['Authorization: Bearer '])).body, bodyOf(refusalOf('missing')))
  t.equal((await send(app, ['Authorization:'])).body, bodyOf(refusalOf('missing')))
})

test('a token in the query, a cookie, a body or another header is never read', async (t) => {
  const { app, seen } = await guarded(t)
  app.post('/', { preHandler: [app.requireUser()] }, async (request) => seen.push(request.user as User))
  const good = token()
  for (const url of [`/?access_token=${good}`, `/?token=${good}`, `/?authorization=Bearer%20${good}`, `/?access_token=${good}&jwt=${good}`]) {
    refusedAs(t, await app.inject({ url }), 'missing', url.slice(0, 16))
  }
  for (const headers of [{ cookie: `token=${good}; access_token=${good}` }, { 'x-access-token': good }, { 'proxy-authorization': `Bearer ${good}` }]) {
    refusedAs(t, await app.inject({ url: '/', headers }), 'missing', Object.keys(headers)[0])
  }
  refusedAs(t, await app.inject({ method: 'POST', url: '/', payload: { access_token: good, authorization: `Bearer ${good}` } }), 'missing', 'body')
  t.equal(seen.length, 0)
})

test('a token in the query does not replace one in the header', async (t) => {
  const { app } = await guarded(t)
  const response = await app.inject({ url: `/?access_token=${token({ sub: 'user-2' })}`, headers: { authorization: `Bearer ${token()}` } })
  passed(t, response, 'user-1')
})

test('a token above the size limit is refused before decoding', async (t) => {
  const limit = token().length
  const { ask, seen } = await guarded(t, { jwt: { secret: 'a secret of at least thirty-two bytes', maxTokenLength: limit } })
  passed(t, await ask(token()), 'user-1', 'a token of just the limit')
  // The same token with one character more in a claim is right in every other respect.
  const longer = token({ sub: 'user-12' })
  t.ok(longer.length > limit)
  seen.length = 0
  const parse = t.intercept(JSON, 'parse', { value: () => { throw new Error('decoded') }, configurable: true })
  const response = await ask(longer)
  parse.restore()
  refusedAs(t, response, 'malformed')
  t.equal(seen.length, 0)
})

test('the size limit is 8 KiB by default', async (t) => {
  const { ask } = await guarded(t)
  const filled = (length: number): string => {
    let filler = ''
    while (token({ filler: filler + 'xxx' }).length <= length) filler += 'xxx'
    return token({ filler })
  }
  const just = filled(8192)
  t.ok(just.length > 8185 && just.length <= 8192)
  passed(t, await ask(just))
  const above = token({ filler: 'x'.repeat(6000) })
  t.ok(above.length > 8192)
  refusedAs(t, await ask(above), 'malformed')
})

test('reading a header takes linear time, whatever it holds (ReDoS)', async (t) => {
  const n = 200_000
  const inputs: Record<string, string> = {
    spaces: 'Bearer' + ' '.repeat(n) + '\t',
    commas: 'Digest ' + ','.repeat(n),
    'commas and spaces': 'Digest ' + ', '.repeat(n / 2),
    'commas and names': 'Digest ' + ',a '.repeat(n / 3),
    'a long name after a comma': 'Digest ,' + 'a'.repeat(n),
    'spaces before an equals sign': 'Digest ,a' + ' '.repeat(n) + '=',
    'equals signs': 'Bearer ' + '='.repeat(n) + 'x',
    'a long scheme': 'a'.repeat(n) + '\t',
    'open quotes': 'Digest ' + '"'.repeat(n + 1),
    'escaped quotes': 'Digest "' + '\\"'.repeat(n / 2),
    'a token and rubbish': 'Bearer ' + 'a'.repeat(n) + '!'
  }
  // Quadratic behaviour would need minutes for one of these; the bound is for slow machines.
  for (const [what, authorization] of Object.entries(inputs)) {
    const start = process.cpuUsage()
    t.throws(() => bearerToken({ headers: { authorization }, raw: { rawHeaders: ['Authorization', authorization] } }), /Invalid|Missing/, what)
    const { user } = process.cpuUsage(start)
    t.ok(user < 2_000_000, `${what} in ${user} µs`)
  }
})

test('a header that is not a string is malformed', async (t) => {
  for (const authorization of [['Bearer x'], 1, null, {}, true]) {
    t.throws(() => bearerToken({ headers: { authorization }, raw: { rawHeaders: [] } }), { code: 'INVALID_AUTHORIZATION_HEADER' })
  }
})

test('characters that a header allows and a token does not are a malformed token', async (t) => {
  const { app, seen } = await guarded(t)
  for (const text of ['not.a.token', 'abc', 'a.b', '...', 'abc==', '~.~.~', '+/+/', `${token()}=`, token().replace('.', '~')]) {
    refusedAs(t, await app.inject({ url: '/', headers: { authorization: `Bearer ${text}` } }), 'malformed', text)
  }
  t.equal(seen.length, 0)
})
