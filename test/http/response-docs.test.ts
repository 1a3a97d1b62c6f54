import t from 'tap'
import type { FastifyInstance, FastifyReply } from 'fastify'
import {
  AuthError, errorClasses, errorResponses, InsufficientRolesError, InvalidPasswordError, OAuthAccountAlreadyLinkedError, OnboardingStepError, PasswordPolicyError,
  UserAlreadyExistsError, UserNotFoundError, type DocumentedError
} from '../../index.js'
import { exampleOf, responsesOf } from '../../lib/http/response-docs.js'
import { bearer, build, refused, server } from '../build.js'
import { buildDocumented, codesOf, documentOf, operationOf, USER_CODES, type Response } from '../openapi/document.js'

const handler = async () => ({ ok: true })

t.test('errorResponses() has one entry per status, and names the codes', async t => {
  const responses = errorResponses(UserNotFoundError, UserAlreadyExistsError, OAuthAccountAlreadyLinkedError)
  const described: Record<string, string> = {}
  for (const [status, { description = '' }] of Object.entries(responses)) described[status] = description
  t.strictSame(described, {
    [UserNotFoundError.statusCode]: 'Not Found: USER_NOT_FOUND',
    [UserAlreadyExistsError.statusCode]: 'Bad Request: USER_ALREADY_EXISTS, OAUTH_ACCOUNT_ALREADY_LINKED'
  })
  t.strictSame(errorResponses(), {})
})

t.test('a code is named once, whatever classes have it', async t => {
  class SameCodeError extends UserNotFoundError {}
  const code = 'REGISTER_INVALID_PASSWORD'
  t.equal(errorResponses(UserNotFoundError, SameCodeError)[404]!.description, 'Not Found: USER_NOT_FOUND')
  t.equal(errorResponses({ errorClass: InvalidPasswordError, code }, { errorClass: PasswordPolicyError, code })[400]!.description, 'Bad Request: REGISTER_INVALID_PASSWORD')
})

t.test('errorResponses() refuses what is no error of this package', async t => {
  for (const wrong of [Error, undefined, null, 'USER_NOT_FOUND', { errorClass: UserNotFoundError }, { errorClass: Error, code: 'A' }, { errorClass: UserNotFoundError, code: 'a' }]) {
    t.throws(() => errorResponses(UserNotFoundError, wrong as unknown as DocumentedError), { name: 'ConfigurationError', option: 'errorResponses()', message: /^errorResponses\(\) must be a list of error classes/ })
  }
})

for (const [name, declare] of [
  ['in schema.response', (errors: DocumentedError[]) => ({ schema: { response: errorResponses(...errors) } })],
  ['in config.auth.errors', (errors: DocumentedError[]) => ({ config: { auth: { errors } } })]
] as const) {
  t.test(`a code of the endpoint's own, ${name}, is what the endpoint answers with`, async t => {
    const app = await buildDocumented(t)
    const code = 'ORDER_NOT_FOUND'
    app.get('/x', declare([{ errorClass: UserNotFoundError, code }]), async () => { throw new UserNotFoundError({ code }) })
    const { description, content } = (await operationOf(app, '/x')).responses[404]!
    t.equal(description, 'Not Found: ORDER_NOT_FOUND')
    for (const accept of ['application/json', 'application/problem+json']) {
      const { examples } = content![accept]!
      t.strictSame(Object.keys(examples), [code], 'and not that of the class')
      t.strictSame(examples[code]!.value, (await app.inject({ url: '/x', headers: { accept, ...bearer() } })).json())
    }
  })
}

t.test('an endpoint may answer with the code of a class and with one of its own', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: errorResponses(UserNotFoundError, { errorClass: UserNotFoundError, code: 'ORDER_NOT_FOUND' }) } }, handler)
  t.strictSame(codesOf(await operationOf(app, '/x')), { 404: ['USER_NOT_FOUND', 'ORDER_NOT_FOUND'] })
})

t.test('a code of the endpoint\'s own joins what the guards refuse', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { preHandler: app.requireRole('a'), config: { auth: { errors: [{ errorClass: InsufficientRolesError, code: 'NOT_YOUR_ORDER' }] } } }, handler)
  t.strictSame(codesOf(await operationOf(app, '/x')), { ...USER_CODES, 403: ['INSUFFICIENT_ROLES', 'NOT_YOUR_ORDER'] })
})

t.test('what is written by hand is documented exactly', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: { 200: { type: 'object', properties: { ok: { type: 'boolean' } } }, ...errorResponses(UserNotFoundError, OnboardingStepError) } } }, handler)
  app.get('/same', { config: { auth: { errors: [UserNotFoundError, OnboardingStepError] } } }, handler)
  const { paths } = await documentOf(app)
  const { 200: ok, ...written } = paths['/x']!.get!.responses
  t.match(ok, { content: { 'application/json': { schema: { properties: { ok: { type: 'boolean' } } } } } })
  for (const [status, response] of Object.entries(written)) t.strictSame(response, paths['/same']!.get!.responses[status], status)
  t.equal(Object.keys(written).length, 2)
  t.notOk('security' in paths['/x']!.get!, 'and asks for no user')
  t.notMatch(JSON.stringify(paths['/x']), /additionalProperties|anyOf|fastify-bouncer/)
})

t.test('what is written by hand joins what the guards refuse', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { preHandler: app.requireScope('a'), schema: { response: errorResponses(InsufficientRolesError, UserNotFoundError) } }, handler)
  t.strictSame(codesOf(await operationOf(app, '/x')), { ...USER_CODES, 403: ['INSUFFICIENT_SCOPE', 'INSUFFICIENT_ROLES'], 404: ['USER_NOT_FOUND'] })
})

t.test('a class of the application\'s own, written by hand', async t => {
  class OrderNotFoundError extends UserNotFoundError {
    static override readonly code = 'ORDER_NOT_FOUND'
    static override readonly detail = 'Order not found'
  }
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: errorResponses(OrderNotFoundError) } }, async () => { throw new OrderNotFoundError() })
  const { content } = (await operationOf(app, '/x')).responses[404]!
  t.strictSame(content!['application/json']!.examples.ORDER_NOT_FOUND!.value, (await app.inject('/x')).json())
})

const foreign: Array<[name: string, run: (reply: FastifyReply) => unknown]> = [
  ['an error thrown', () => { throw Object.assign(new Error('theirs'), { statusCode: 404, code: 'THEIRS' }) }],
  ['an error with a detail of its own, such as a database gives', () => { throw Object.assign(new Error('theirs'), { statusCode: 404, detail: 'Key (email)=(a@example.com) already exists.', extra: { secret: 1 } }) }],
  ['an error whose fields are of odd types', () => { throw Object.assign(new Error('theirs'), { statusCode: 404, status_code: 'x', detail: { odd: true } }) }],
  ['an object sent', reply => reply.code(404).send({ message: 'theirs', errors: [{ path: '/a' }] })],
  ['an object in the form of Fastify', reply => reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'theirs', more: [1] })],
  ['an object in a form like ours', reply => reply.code(404).send({ status_code: 'x', detail: 7, extra: null, more: true })],
  ['a list sent', reply => reply.code(404).send([1, { two: 2 }])],
  ['null sent', reply => reply.code(404).send(null)],
  ['a string sent', reply => reply.code(404).send('theirs')],
  ['nothing sent', reply => reply.code(404).send()]
]

for (const errorHandler of ['auth', false] as const) {
  t.test(`errorHandler: ${errorHandler}: foreign errors of a documented status are what they were`, async t => {
    const plain = server(t)
    const app = await build(t, { errorHandler })
    const declare = (instance: FastifyInstance, response: object) => {
      foreign.forEach(([, run], index) => { instance.get(`/${index}`, { schema: { response } }, async (_request, reply) => run(reply)) })
    }
    declare(plain, {})
    declare(app, errorResponses(UserNotFoundError))
    for (const [index, [name]] of foreign.entries()) {
      const expected = await plain.inject(`/${index}`)
      const answer = await app.inject(`/${index}`)
      t.equal(answer.statusCode, 404, name)
      t.equal(answer.body, expected.body, name)
      t.equal(answer.headers['content-type'], expected.headers['content-type'], name)
    }
  })
}

t.test('our errors come out as documented, private context left out', async t => {
  const error = () => new OAuthAccountAlreadyLinkedError({ provider: 'github', accountId: 'secret-account', existingUserId: 'secret-user' })
  const { statusCode } = error()
  for (const errorHandler of ['auth', 'all', false] as const) {
    const app = await build(t, { errorHandler })
    app.get('/x', { schema: { response: errorResponses(OAuthAccountAlreadyLinkedError, UserNotFoundError) } }, async () => { throw error() })
    const response = await app.inject('/x')
    t.equal(response.statusCode, statusCode)
    t.strictSame(response.json(), JSON.parse(JSON.stringify(error())), `errorHandler: ${errorHandler}`)
    t.notMatch(response.body, /secret/)
  }
})

t.test('a guarded route with responses written by hand still refuses as documented', async t => {
  const app = await build(t)
  app.get('/x', { preHandler: app.requireRole('admin'), schema: { response: errorResponses(InsufficientRolesError) } }, async (_request, reply) => reply.code(403).send({ theirs: true }))
  refused(t, await app.inject({ url: '/x', headers: bearer() }), 403, 'INSUFFICIENT_ROLES')
  t.strictSame((await app.inject({ url: '/x', headers: bearer({ roles: ['admin'] }) })).json(), { theirs: true })
})

t.test('every class has an example, which is what it sends', async t => {
  const app = await build(t)
  app.get('/:name', async request => {
    throw exampleOf(errorClasses.find(({ name }) => name === (request.params as { name: string }).name)!)
  })
  for (const errorClass of errorClasses) {
    const responses = responsesOf([{ errorClass, code: errorClass.code, exposed: undefined }], () => ({}))
    const { content, headers } = responses[errorClass.statusCode] as unknown as Required<Response>
    for (const [accept, { examples }] of Object.entries(content)) {
      const answer = await app.inject({ url: `/${errorClass.name}`, headers: { accept } })
      t.strictSame(examples[errorClass.code]!.value, answer.json(), `${errorClass.name} ${accept}`)
      for (const name of Object.keys(headers)) t.ok(name.toLowerCase() in answer.headers, `${errorClass.name} sends ${name}`)
    }
  }
})

t.test('classes of the application\'s own have examples, whatever their constructors want', async t => {
  class SeatTakenError extends OnboardingStepError { static override readonly code = 'SEAT_TAKEN' }
  class OutOfStockError extends UserNotFoundError {
    static override readonly code = 'OUT_OF_STOCK'
    static override readonly detail = 'Out of stock'
    constructor (item: { name: string }) {
      super({ message: `${item.name.toUpperCase()} is out of stock` })
    }
  }
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: errorResponses(SeatTakenError, OutOfStockError) } }, handler)
  const { responses } = await operationOf(app, '/x')
  const example = (status: number, code: string) => responses[status]!.content!['application/json']!.examples[code]!.value
  t.strictSame(example(404, 'OUT_OF_STOCK'), { status_code: 404, detail: 'Out of stock', extra: { code: 'OUT_OF_STOCK' } })
  t.match(example(OnboardingStepError.statusCode, 'SEAT_TAKEN'), { extra: { code: 'SEAT_TAKEN', step_name: String } })
})

t.test('a class of the application\'s own is not taken for one of ours by its name', async t => {
  const named = { RequestInvalidError: class extends UserNotFoundError { static override readonly publicFields = ['errors'] } }
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: errorResponses(named.RequestInvalidError) } }, handler)
  t.equal(named.RequestInvalidError.name, 'RequestInvalidError')
  t.strictSame((await operationOf(app, '/x')).responses[404]!.content!['application/json']!.examples.USER_NOT_FOUND!.value.extra, { code: 'USER_NOT_FOUND' })
})

t.test('a class whose constructor takes no code has the endpoint\'s in its example', async t => {
  class OutOfStockError extends UserNotFoundError {
    constructor () { super({ code: 'OUT_OF_STOCK' }) }
  }
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: errorResponses({ errorClass: OutOfStockError, code: 'SOLD' }) } }, handler)
  t.strictSame((await operationOf(app, '/x')).responses[404]!.content!['application/json']!.examples.SOLD!.value, { status_code: 404, detail: 'User not found', extra: { code: 'SOLD' } })
})

t.test('a status and a header of the application\'s own', async t => {
  class ClosedError extends AuthError {
    static override readonly statusCode = 499
    static override readonly code = 'CLOSED'
    protected override classHeaders () { return { 'x-opens-at': '9' } }
  }
  const app = await buildDocumented(t)
  app.get('/x', { schema: { response: errorResponses(ClosedError) } }, handler)
  const { description, headers } = (await operationOf(app, '/x')).responses[499]!
  t.equal(description, 'Error: CLOSED')
  t.strictSame(headers!['X-Opens-At'], { schema: { type: 'string' }, required: true })
})

t.test('a header is required where all refusals of the status have it', async t => {
  const app = await buildDocumented(t)
  app.get('/x', { preHandler: app.requireScope('a'), config: { auth: { errors: [InsufficientRolesError] } } }, handler)
  const { responses } = await operationOf(app, '/x')
  t.equal(responses[403]!.headers!['WWW-Authenticate']!.required, false, 'a refused role has no challenge')
  t.equal(responses[401]!.headers!['WWW-Authenticate']!.required, true)
})
