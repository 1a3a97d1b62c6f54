import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { build } from '../../build.js'
import { strictValidator } from '../../../lib/http/routes/validation.js'

const closed = { additionalProperties: false }
const password = Type.String({ minLength: 3, maxLength: 20 })
const schemas = {
  body: Type.Object({ password, age: Type.Optional(Type.Integer()), admin: Type.Optional(Type.Boolean()), tags: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })) }, closed),
  querystring: Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 100, default: 50 }), active: Type.Optional(Type.Boolean()), after: Type.Optional(Type.String({ maxLength: 5 })) }, closed),
  params: Type.Object({ id: Type.Integer() })
}

interface Answer { status: number, body: { seen?: unknown, errors?: unknown } }

/** An application with one route under the strict validator, which answers with what reached it. */
async function validating (t: Test, schema: Record<string, TSchema>, serverOptions: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = await build(t, { errorHandler: 'all' }, serverOptions)
  await app.register(async (scope) => {
    scope.setValidatorCompiler(strictValidator())
    scope.post('/:id', { schema }, async ({ body, query, params }) => ({ seen: { body, query, params } }))
  })
  return app
}

async function post (app: FastifyInstance, payload: unknown, url = '/1'): Promise<Answer> {
  const response = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload: typeof payload === 'string' ? payload : JSON.stringify(payload) })
  const json = response.json()
  return { status: response.statusCode, body: { seen: json.seen, errors: json.extra?.errors } }
}

t.test('a body reaches its handler as it was sent', async (t) => {
  const app = await validating(t, { body: schemas.body })
  for (const body of [{ password: '   ' }, { password: 'abc', age: 3, admin: false, tags: ['a'] }, { age: 0, password: '123' }]) {
    t.strictSame((await post(app, body)).body.seen, { body, query: {}, params: { id: '1' } })
  }
})

t.test('attack: properties that the schema does not list are refused, not taken away', async (t) => {
  const app = await validating(t, { body: schemas.body })
  for (const extra of [{ roles: ['admin'] }, { is_admin: true }, { toString: 1 }, { Password: 'x' }, { hasOwnProperty: 1 }, { '': 1 }]) {
    t.strictSame(await post(app, { password: 'abc', ...extra }), { status: 400, body: { seen: undefined, errors: [{ path: 'body', message: 'must NOT have additional properties' }] } }, JSON.stringify(extra))
  }
})

const poisoned = ['{"password":"abc","__proto__":{"admin":true}}', '{"password":"abc","constructor":{"prototype":{"admin":true}}}', '{"__proto__":{"password":"abc"}}', '{"password":"abc","\\u005f_proto__":{"admin":true}}', '{"password":"abc","prototype":{}}']
for (const onPoisoning of ['error', 'ignore'] as const) {
  t.test(`attack: prototype keys in bodies, where Fastify's parser is set to ${onPoisoning}`, async (t) => {
    const app = await validating(t, { body: schemas.body }, { onProtoPoisoning: onPoisoning, onConstructorPoisoning: onPoisoning })
    for (const payload of poisoned) t.equal((await post(app, payload)).status, 400, payload)
    t.notOk('admin' in {}, 'nothing is polluted')
  })
}

t.test('attack: prototype keys in query strings', async (t) => {
  const app = await validating(t, { querystring: schemas.querystring })
  for (const query of ['__proto__=1', '__proto__[admin]=1', 'constructor=1', 'constructor.prototype.admin=1', 'toString=1']) {
    t.match(await post(app, {}, `/1?${query}`), { status: 400, body: { errors: [{ path: 'querystring', message: 'must NOT have additional properties' }] } }, query)
  }
})

t.test('a body is never converted', async (t) => {
  const app = await validating(t, { body: schemas.body })
  const wrong: Array<[body: unknown, path: string, message: string]> = [
    [{ password: 12345 }, 'body/properties/password', 'must be string'],
    [{ password: true }, 'body/properties/password', 'must be string'],
    [{ password: null }, 'body/properties/password', 'must be string'],
    [{ password: ['abc'] }, 'body/properties/password', 'must be string'],
    [{ password: { $ne: '' } }, 'body/properties/password', 'must be string'],
    [{ password: 'abc', age: '3' }, 'body/properties/age', 'must be integer'],
    [{ password: 'abc', admin: 'true' }, 'body/properties/admin', 'must be boolean'],
    [{ password: 'abc', admin: 1 }, 'body/properties/admin', 'must be boolean'],
    [{ password: 'abc', tags: 'a' }, 'body/properties/tags', 'must be array'],
    [[{ password: 'abc' }], 'body', 'must be object'],
    ['"abc"', 'body', 'must be object'],
    ['null', 'body', 'must be object'],
    [{}, 'body', "must have required property 'password'"],
    [{ password: 'ab' }, 'body/properties/password', 'must NOT have fewer than 3 characters'],
    [{ password: 'a'.repeat(21) }, 'body/properties/password', 'must NOT have more than 20 characters']
  ]
  for (const [body, path, message] of wrong) t.strictSame(await post(app, body), { status: 400, body: { seen: undefined, errors: [{ path, message }] } }, JSON.stringify(body))
})

t.test('a request without a body', async (t) => {
  const app = await validating(t, { body: schemas.body })
  const response = await app.inject({ method: 'POST', url: '/1' })
  t.equal(response.statusCode, 400)
  t.strictSame(response.json().extra.errors, [{ path: 'body', message: 'must be object' }])
})

t.test('a default of a body is the document\'s alone', async (t) => {
  const app = await validating(t, { body: Type.Object({ kind: Type.Optional(Type.String({ default: 'none' })) }, closed) })
  t.strictSame((await post(app, {})).body.seen, { body: {}, query: {}, params: { id: '1' } })
})

t.test('query strings and parameters are text, out of which values are read', async (t) => {
  const app = await validating(t, { querystring: schemas.querystring, params: schemas.params })
  const seen = async (url: string) => (await post(app, {}, url)).body.seen
  t.strictSame(await seen('/1'), { body: {}, query: { limit: 50 }, params: { id: 1 } })
  t.strictSame(await seen('/2?limit=7&active=true&after=12'), { body: {}, query: { limit: 7, active: true, after: '12' }, params: { id: 2 } })
  for (const [url, path, message] of [
    ['/1?limit=0', 'querystring/properties/limit', 'must be >= 1'],
    ['/1?limit=1000', 'querystring/properties/limit', 'must be <= 100'],
    ['/1?limit=', 'querystring/properties/limit', 'must be integer'],
    ['/1?limit=1.5', 'querystring/properties/limit', 'must be integer'],
    ['/1?limit=ten', 'querystring/properties/limit', 'must be integer'],
    ['/1?limit=1&limit=2', 'querystring/properties/limit', 'must be integer'],
    ['/1?active=yes', 'querystring/properties/active', 'must be boolean'],
    ['/1?after=a&after=b', 'querystring/properties/after', 'must be string'],
    ['/1?after=toolong', 'querystring/properties/after', 'must NOT have more than 5 characters'],
    ['/1?offset=3', 'querystring', 'must NOT have additional properties'],
    ['/one', 'params/properties/id', 'must be integer']
  ] as const) {
    t.strictSame(await post(app, {}, url), { status: 400, body: { seen: undefined, errors: [{ path, message }] } }, url)
  }
})

t.test('addresses and user names are checked as they are where users are made', async (t) => {
  const app = await validating(t, { body: Type.Object({ email: Type.Optional(Type.String({ format: 'email' })), username: Type.Optional(Type.String({ format: 'username' })) }, closed) })
  for (const body of [{ email: 'Ada@Example.com' }, { email: 'ä@büro.example' }, { username: 'ada' }]) t.equal((await post(app, body)).status, 200, JSON.stringify(body))
  for (const email of ['', 'ada', 'ada@', '@example.com', 'a b@example.com', 'a@b@c', 'a@example..com', 'ada@example.com\n\u0000', `${'a'.repeat(300)}@example.com`]) {
    t.strictSame(await post(app, { email }), { status: 400, body: { seen: undefined, errors: [{ path: 'body/properties/email', message: 'must match format "email"' }] } }, email.slice(0, 30))
  }
  for (const username of ['', 'ada@example.com', 'a b', 'a'.repeat(65)]) {
    t.strictSame(await post(app, { username }), { status: 400, body: { seen: undefined, errors: [{ path: 'body/properties/username', message: 'must match format "username"' }] } }, username.slice(0, 30))
  }
})

t.test('alternatives', async (t) => {
  const app = await validating(t, { body: Type.Union([Type.Object({ email: Type.String(), password }, closed), Type.Object({ username: Type.String(), password }, closed), Type.Null()]) })
  for (const body of [{ email: 'a', password: 'abc' }, { username: 'a', password: 'abc' }, 'null']) t.equal((await post(app, body)).status, 200, JSON.stringify(body))
  t.equal((await app.inject({ method: 'POST', url: '/1' })).statusCode, 200, 'a request without a body has null')
  for (const body of [{ email: 'a', username: 'a', password: 'abc' }, { password: 'abc' }, { email: 1, password: 'abc' }]) {
    const { status, body: { errors } } = await post(app, body)
    t.equal(status, 400)
    t.match(errors, [{ path: /^body\/anyOf\/0/ }])
    t.ok((errors as unknown[]).length <= 4, 'one failure for each of them, and one for all')
  }
})

t.test('properties that are required by alternatives, and declared beside them', async (t) => {
  const app = await validating(t, { body: Type.Object({ email: Type.Optional(Type.String()), username: Type.Optional(Type.String()) }, { ...closed, anyOf: [{ required: ['email'] }, { required: ['username'] }] }) })
  t.equal((await post(app, { email: 'a' })).status, 200)
  t.equal((await post(app, {})).status, 400)
})

t.test('attack: a body full of mistakes is answered with one', async (t) => {
  const app = await validating(t, { body: schemas.body })
  const body = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`c4n4ry${index}`, index]))
  const response = await app.inject({ method: 'POST', url: '/1', payload: body })
  t.equal(response.statusCode, 400)
  t.equal(response.json().extra.errors.length, 1)
  t.notMatch(response.body, 'c4n4ry')
})

t.test('headers are not converted either', async (t) => {
  const app = await validating(t, { headers: Type.Object({ 'x-count': Type.Optional(Type.Integer()) }) })
  t.equal((await app.inject({ method: 'POST', url: '/1' })).statusCode, 200)
  t.equal((await app.inject({ method: 'POST', url: '/1', headers: { 'x-count': '1' } })).statusCode, 400)
})

t.test('a schema at fault is refused when the server starts', async (t) => {
  for (const [name, property, message] of [
    ['a format nobody checks', Type.String({ format: 'uri' }), /unknown format "uri"/],
    ['a keyword that is none', Type.String({ maxLenght: 5 }), /unknown keyword: "maxLenght"/],
    ['a keyword of another type', Type.Unsafe({ type: 'string', maximum: 5 }), /maximum/]
  ] as const) {
    const app = await validating(t, { body: Type.Object({ property }, closed) })
    await t.rejects(async () => { await app.ready() }, { message }, name)
  }
})

t.test('routes outside the scope keep Fastify\'s validator', async (t) => {
  const app = await validating(t, { body: schemas.body })
  app.post('/outside', { schema: { body: schemas.body } }, async ({ body }) => body)
  t.strictSame((await app.inject({ method: 'POST', url: '/outside', payload: { password: 12345, extra: 1 } })).json(), { password: '12345' })
})
