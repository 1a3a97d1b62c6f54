import fc from 'fast-check'
import t from 'tap'
import { bodyForm } from '../../lib/http/negotiate.js'
import { build, refused } from '../build.js'

const problem = [
  'application/problem+json',
  'APPLICATION/PROBLEM+JSON',
  'Application/Problem+Json',
  'application/problem+json;q=0.1',
  'application/problem+json; q=1.0',
  'application/problem+json; charset=utf-8',
  'application/problem+json;charset=UTF-8;q=0.5',
  'application/problem+json, application/json',
  'application/problem+json, application/json;q=0.9',
  'application/json;q=0.9, application/problem+json',
  'application/json;q=0, application/problem+json',
  'text/html, application/problem+json;q=0.5',
  'application/problem+json, */*',
  '*/*, application/problem+json',
  '*/*;q=0.8,application/problem+json',
  'application/*;q=0.5, application/problem+json',
  'text/html,,application/problem+json,',
  '  application/problem+json  '
]

const json = [
  undefined,
  '',
  '*/*',
  'application/*',
  'application/json',
  'text/html',
  'text/html, */*;q=0.1',
  'application/problem+xml',
  'application/problem+jsonx',
  'xapplication/problem+json',
  'application/problem+json;q=0',
  'application/problem+json;q=0.0, */*',
  'application/problem+json;q=abc',
  'application/problem+json;q=0.5, application/json',
  'application/json, application/problem+json',
  'application/problem+json;q=0.5, */*',
  'application/problem+json; profile=x',
  'problem+json',
  'application/problem+json/x',
  'application problem+json',
  ';application/problem+json',
  '"application/problem+json"',
  'application/problem+json\u0000'
]

t.test('problem+json is for those who name it and prefer it', async (t) => {
  for (const accept of problem) t.equal(bodyForm(accept), 'problem', accept)
  for (const accept of json) t.equal(bodyForm(accept), 'json', String(accept))
})

t.test('over HTTP: the body, its type and Vary', async (t) => {
  const app = await build(t)
  app.get('/', { onRequest: app.requireUser() }, async () => 'reached')
  for (const accept of problem) {
    const response = await app.inject({ url: '/', headers: { accept } })
    t.equal(response.statusCode, 401)
    t.equal(response.headers['content-type'], 'application/problem+json; charset=utf-8', accept)
    t.equal(response.headers.vary, 'Accept')
    t.strictSame(response.json(), { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Missing or invalid Authorization header', code: 'MISSING_TOKEN' })
  }
  for (const accept of json) refused(t, await app.inject({ url: '/', headers: accept === undefined ? {} : { accept } }), 401, 'MISSING_TOKEN')
})

const piece = fc.oneof(
  fc.constantFrom('application/problem+json', 'application/json', '*/*', 'application/*', 'text/html', ';q=', ';q=0', ';q=1', ';q=-1', ';q=1e9', ';q=NaN', ',', ';', '=', '"', '\\', '/', ' ', '\t', 'charset=utf-8', 'PROBLEM+JSON', '%', '__proto__', 'constructor/prototype'),
  fc.string({ maxLength: 5 })
)

t.test('attack: garbage in Accept gets the refusal all the same, never a 5xx', async (t) => {
  const app = await build(t)
  app.get('/', { onRequest: app.requireUser() }, async () => 'reached')
  await fc.assert(fc.asyncProperty(fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')), async (accept) => {
    const response = await app.inject({ url: '/', headers: { accept } })
    const body = response.json()
    return response.statusCode === 401 && (body.code ?? body.extra.code) === 'MISSING_TOKEN' &&
      response.headers['content-type'] === (body.code === undefined ? 'application/json; charset=utf-8' : 'application/problem+json; charset=utf-8')
  }), { numRuns: 1500 })
})

t.test('attack: an Accept header made to keep a parser busy gets the refusal all the same', async (t) => {
  const app = await build(t)
  app.get('/', { onRequest: app.requireUser() }, async () => 'reached')
  for (const accept of ['application/problem+json,'.repeat(600), `application/problem+json${';a="'.repeat(3000)}`, `application/problem+json${' '.repeat(15_000)},x`, `${';'.repeat(15_000)}problem+json`]) {
    t.equal((await app.inject({ url: '/', headers: { accept } })).statusCode, 401)
  }
})

t.test('an Accept header of more than 1024 characters is not read', async (t) => {
  const app = await build(t)
  app.get('/', { onRequest: app.requireUser() }, async () => 'reached')
  for (const filler of [(length: number) => ' '.repeat(length), (length: number) => `,${'x/y,'.repeat(length)}`.slice(0, length), (length: number) => `;a=${'b'.repeat(length)}`.slice(0, length)]) {
    const longest = `application/problem+json${filler(1000)}`
    t.equal(longest.length, 1024)
    t.equal((await app.inject({ url: '/', headers: { accept: `application/problem+json${' '.repeat(1000)}` } })).headers['content-type'], 'application/problem+json; charset=utf-8')
    for (const accept of [`${longest} `, `application/problem+json${filler(5000)}`]) refused(t, await app.inject({ url: '/', headers: { accept } }), 401, 'MISSING_TOKEN')
  }
})
