import fc from 'fast-check'
import swagger from '@fastify/swagger'
import type { FastifyInstance, HTTPMethods, LightMyRequestResponse } from 'fastify'
import { test, type Test } from 'tap'
import { authRoutes, authServerOptions, memoryStore } from '../../index.js'
import { cheapHash, type AccountsApp } from '../accounts.js'
import { build, token } from '../build.js'
import { walk, wholeFlow } from '../onboarding.js'
import { encryptionKey } from '../totp.js'
import { logged, type LogLine } from '../log-lines.js'
import { codesOf, documentOf, type Operation } from '../openapi/document.js'
import { campaign } from './campaign.js'

/** Part of every text that is sent: no refusal may have it. */
const CANARY = 'c4n4ry'
/** Passwords: no answer at all may have one. */
const RIGHT = 'p4ssw0rd that is right'
const NEW = 'p4ssw0rd that is new'

interface Campaigned {
  app: FastifyInstance
  /** What each route is documented with, by method and path. */
  operations: Map<string, Operation>
  lines: LogLine[]
  ids: { admin: string, ada: string }
  /** The sessions of {@link FLOWS}. */
  flows: readonly [string, string]
}

/** An application with a documented route for everything, an administrator and a user. */
async function documented (t: Test): Promise<Campaigned> {
  const { lines, serverOptions } = logged('error')
  const app = await build(t, { store: memoryStore(), passwords: cheapHash, attempts: false, encryptionKey, onboarding: wholeFlow().onboarding, errorHandler: 'all' }, { ...authServerOptions, ...serverOptions })
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'Accounts', version: '1.0.0' } } })
  await app.register(authRoutes, { prefix: '/auth' })
  const { id: admin } = await app.bouncer.users.create({ email: 'root@example.com', password: RIGHT, roles: ['admin'] })
  const { id: ada } = await app.bouncer.users.create({ email: 'ada@example.com', username: 'ada', password: RIGHT })
  const flows = await Promise.all(FLOWS.map(async (name) => (await app.bouncer.onboarding.start({ email: `${name.replace(' ', '-')}@example.com` })).session)) as [string, string]
  const codes: AccountsApp['events'] = []
  app.bouncer.events.on('onboarding_code_requested', (event) => { codes.push({ name: 'onboarding_code_requested', event }) })
  await walk({ app, happened: () => codes.map(({ event }) => event) as never }, flows[1], 'profile')
  const { paths } = await documentOf(app)
  const operations = new Map(Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation])))
  return { app, operations, lines, ids: { admin, ada }, flows }
}

const marked = (text: string): string => `${CANARY}${text}`
/** Stand for sessions of onboarding under way, one before its first step and one before its profile. */
const FLOWS = ['first flow', 'second flow'] as const
const KEYS = ['data', 'step', 'session', 'challenge_name', 'code', 'mfa_type', 'must_change_password', 'email', 'username', 'password', 'token', 'refresh_token', 'current_password', 'new_password', 'roles', 'is_active', 'is_verified']
const ODD_KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'id', 'passwordHash', 'sub', '', '\u0000', '0']

const text = fc.oneof(
  fc.string({ maxLength: 20 }).map(marked),
  fc.string({ unit: 'binary', maxLength: 20 }).map(marked),
  fc.integer({ min: 0, max: 3000 }).map((length) => marked('x'.repeat(length))),
  fc.constantFrom('\ud800', '\u0000', '\u202e', '%00', '\r\nx: y', '${x}', '{{x}}', "' or 1=1 --", '"', '\\', 'é'.repeat(200)).map(marked) // eslint-disable-line no-template-curly-in-string
)
const address = fc.oneof(fc.constantFrom('ada@example.com', ' ADA@example.com', 'root@example.com'), fc.nat(50).map((index) => `${CANARY}${index}@example.com`), text.map((local) => `${local}@example.com`))
const secret = fc.oneof(fc.constantFrom(RIGHT, NEW), text)
const odd = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.double(), text, fc.array(text, { maxLength: 3 }), fc.dictionary(text, text, { maxKeys: 2 }), fc.constantFrom([], {}, [[]], [null], { length: 1 }, { toJSON: 1 }))

/** A value that may fit its key, written as JSON. */
function valueFor (key: string): fc.Arbitrary<string> {
  const fitting = new Map<string, fc.Arbitrary<unknown>>(Object.entries({
    email: address,
    username: fc.oneof(fc.constantFrom('ada', 'ADA'), fc.nat(50).map((index) => `${CANARY}${index}`), text),
    password: secret,
    current_password: secret,
    new_password: secret,
    token: fc.oneof(fc.constant(CANARY.padEnd(43, 'A')), text),
    refresh_token: fc.oneof(fc.constant(CANARY.padEnd(91, 'A')), text),
    roles: fc.array(fc.oneof(fc.constantFrom('admin', 'editor'), text), { maxLength: 4 }),
    is_active: fc.boolean(),
    is_verified: fc.boolean(),
    must_change_password: fc.boolean(),
    session: fc.oneof(fc.constant(CANARY.padEnd(43, 'A')), fc.constantFrom(...FLOWS), text),
    challenge_name: fc.constantFrom('MFA_TOTP', 'RECOVERY_CODE', 'MFA_SETUP', 'SMS_MFA', 'NEW_PASSWORD_REQUIRED', 'SELECT_MFA_TYPE'),
    mfa_type: fc.constantFrom('MFA_TOTP', 'RECOVERY_CODE'),
    code: fc.oneof(fc.constantFrom('000000', '123 456'), text),
    step: fc.oneof(fc.constantFrom('register', 'verify_email'), text),
    data: fc.dictionary(fc.oneof(fc.constantFrom('code', 'password', 'name', 'accepted', '__proto__'), text), fc.oneof(odd, text), { maxKeys: 3 })
  }))
  return fc.oneof({ weight: 5, arbitrary: fitting.get(key) ?? odd }, { weight: 1, arbitrary: odd }).map((value) => JSON.stringify(value))
}

const member = (key: string): fc.Arbitrary<string> => valueFor(key).map((value) => `${JSON.stringify(key)}:${value}`)
/** Written by hand, so that a key can come twice, and `__proto__` is one like any other. */
const members = (keys: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<string> => fc.array(keys.chain(member), { maxLength }).map((all) => all.join(','))
const exactly = (...keys: string[]): fc.Arbitrary<string> => fc.tuple(...keys.map(member)).map((all) => `{${all.join(',')}}`)

/** What each route wants, more or less. */
const BODIES: Record<string, fc.Arbitrary<string>> = {
  'POST /auth/register': fc.oneof(exactly('email', 'password'), exactly('email', 'password', 'username')),
  'POST /auth/login': fc.oneof(exactly('email', 'password'), exactly('username', 'password')),
  'POST /auth/login/challenge': fc.oneof(exactly('session', 'challenge_name', 'code'), exactly('session', 'challenge_name', 'new_password'), exactly('session', 'challenge_name', 'mfa_type')),
  'POST /auth/onboarding/start': exactly('email'),
  'POST /auth/onboarding/advance': fc.oneof(exactly('session', 'data'), exactly('session', 'step', 'data'), fc.constantFrom(...FLOWS).chain((flow) => member('data').map((data) => `{"session":"${flow}",${data}}`))),
  'POST /auth/onboarding/skip': fc.oneof(exactly('session'), exactly('session', 'step')),
  'POST /auth/onboarding/resume': exactly('session'),
  'POST /auth/mfa/totp': fc.oneof(exactly(), exactly('current_password')),
  'POST /auth/mfa/totp/verify': exactly('code'),
  'DELETE /auth/mfa/totp': fc.oneof(exactly('current_password'), exactly('code')),
  'POST /auth/mfa/recovery-codes': fc.oneof(exactly('current_password'), exactly('code')),
  'POST /auth/refresh': exactly('refresh_token'),
  'POST /auth/logout': exactly('refresh_token'),
  'POST /auth/logout-all': exactly('refresh_token'),
  'PATCH /auth/me': fc.oneof(exactly('username'), exactly('email', 'current_password')),
  'POST /auth/me/password': exactly('current_password', 'new_password'),
  'POST /auth/verify': exactly('token'),
  'POST /auth/verify/request': exactly('email'),
  'POST /auth/password/forgot': exactly('email'),
  'POST /auth/password/reset': exactly('token', 'password'),
  'PATCH /auth/users/{id}': fc.oneof(...KEYS.filter((key) => !key.includes('token') && !key.includes('_password')).map((key) => exactly(key)))
}

const broken = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map(marked),
  fc.constantFrom('', '{', '[', 'null', 'true', '0', '""', '[]', '{}', '{"email":', '{"a":1,}', "{'a':1}", '\ufeff{}', '{}{}', 'NaN', '-', '1e999', '[1', '{"\\ud800":1}'),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth)),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `${'{"a":'.repeat(depth)}{"__proto__":1}${'}'.repeat(depth)}`),
  fc.constant(`{"email":"${CANARY.repeat(200_000)}"}`)
)

const bodyOf = (route: string): fc.Arbitrary<string | undefined> => fc.oneof(
  { weight: 6, arbitrary: BODIES[route] ?? fc.constant(undefined) },
  { weight: 2, arbitrary: members(fc.oneof(fc.constantFrom(...KEYS), fc.constantFrom(...KEYS, ...ODD_KEYS), text), 6).map((all) => `{${all}}`) },
  { weight: 2, arbitrary: broken },
  { weight: 1, arbitrary: fc.constant(undefined) }
)

const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  { weight: 2, arbitrary: fc.constantFrom('application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset=utf-16', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/problem+json', 'application/json, text/plain', CANARY, `application/${CANARY}`, '/', ';', undefined) }
)

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('limit', 'after', '__proto__', 'constructor[a]', CANARY), fc.oneof(fc.constantFrom('1', '0', '101', '1e2', '', 'true', '%00', '%ff', '%'), text.map((value) => encodeURIComponent(value.toWellFormed())))).map(([name, value]) => `?${name}=${value}`) },
  { weight: 1, arbitrary: fc.constantFrom('?', '?limit=1&limit=2', '?after=&limit=5', '?limit[]=1', '?&&=', '?limit=2') }
)

/** What the router answers, before there is a route. */
const ROUTER = ['404 NOT_FOUND', '414 URI_TOO_LONG']
/** Where there is none, Fastify reads the body before it says so. */
const ROUTELESS = [...ROUTER, '400 REQUEST_INVALID', '413 PAYLOAD_TOO_LARGE', '415 UNSUPPORTED_MEDIA_TYPE']

/** Checks an answer of a route against its documentation. */
function check (response: LightMyRequestResponse, operation: Operation | undefined, problem: boolean): string {
  const { statusCode, payload, headers } = response
  const said = JSON.stringify([payload, headers])
  if (statusCode >= 500) throw new Error(`${statusCode} ${payload}`)
  if (/p4ssw0rd|argon2/.test(said)) throw new Error(`a secret came out: ${said}`)
  if (operation !== undefined && statusCode < 300) {
    if (operation.responses[statusCode] === undefined) throw new Error(`${statusCode} is not documented`)
    return String(statusCode)
  }
  if (said.includes(CANARY)) throw new Error(`something of the request came back: ${said}`)
  // HEAD has no body, and routes that there are not have one code for all.
  if (payload === '') return String(statusCode)
  const body = JSON.parse(payload)
  const code = problem && body.status !== undefined ? body.code : body.extra.code
  if ((body.status_code ?? body.status) !== statusCode || typeof body.detail !== 'string') throw new Error(`not a body of ours: ${payload}`)
  if ((operation === undefined ? ROUTELESS : ROUTER).includes(`${statusCode} ${code}`)) return code
  if (operation === undefined || codesOf(operation)[statusCode]?.includes(code) !== true) throw new Error(`${statusCode} ${code} is not documented`)
  return code
}

test('anything sent to any route of accounts: a documented answer, nothing of the request in a refusal, and the process lives', async (t) => {
  const { app, operations, lines, ids, flows } = await documented(t)
  t.equal(operations.size, 29, 'the routes there are')
  const tokens = { nobody: undefined, user: token({ sub: ids.ada, exp: 9_999_999_999 }), admin: token({ sub: ids.admin, roles: ['admin'], exp: 9_999_999_999 }), garbage: marked('.x.y') }
  const id = fc.oneof(fc.constantFrom(ids.ada, ids.admin, 'nobody', '%00', '%', '%E0%A4%A', '..', '%2F', '__proto__', 'x'.repeat(100), 'x'.repeat(101)), text.map((value) => encodeURIComponent(value.toWellFormed())))
  const request = fc.constantFrom(...operations.keys()).chain((route) => fc.record({
    route: fc.constant(route),
    method: fc.oneof({ weight: 12, arbitrary: fc.constant(route.split(' ')[0] as HTTPMethods) }, { weight: 1, arbitrary: fc.constantFrom(...METHODS) }),
    id,
    query,
    payload: bodyOf(route),
    type: contentType,
    caller: fc.constantFrom('nobody', 'user', 'admin', 'admin', 'user', 'garbage'),
    problem: fc.boolean()
  }))
  const seen = new Map<string, Set<string>>()
  await campaign(t, 4_000, fc.asyncProperty(request, async ({ route, method, id, query, payload, type, caller, problem }) => {
    const path = route.split(' ')[1] as string
    const bearer = tokens[caller as keyof typeof tokens]
    const response = await app.inject({
      method: method as never,
      url: path.replace('{id}', id) + query,
      ...(payload !== undefined && { payload: payload.replaceAll(FLOWS[0], flows[0]).replaceAll(FLOWS[1], flows[1]) }),
      headers: {
        ...(payload !== undefined && type !== undefined && { 'content-type': type }),
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(problem && { accept: 'application/problem+json' })
      }
    })
    // GET answers HEAD as well.
    const code = check(response, operations.get(`${method === 'HEAD' ? 'GET' : method} ${path}`), problem)
    if (method === route.split(' ')[0]) seen.set(route, (seen.get(route) ?? new Set()).add(code))
  }))
  for (const [route, codes] of seen) t.comment(`${route}: ${[...codes].toSorted().join(' ')}`)
  t.strictSame([...operations.keys()].filter((route) => (seen.get(route)?.size ?? 0) < 2), [], 'each route gave several answers')
  t.strictSame(lines, [], 'no error was logged, now or later')
  t.equal(({} as Record<string, unknown>).roles, undefined)
  const { id: last } = await app.bouncer.users.create({ email: 'last@example.com', password: RIGHT })
  const login = await app.inject({ method: 'POST', url: '/auth/login', payload: { email: 'last@example.com', password: RIGHT } })
  t.equal(login.statusCode, 200)
  t.equal((await app.inject({ url: '/auth/me', headers: { authorization: `Bearer ${login.json().access_token}` } })).json().id, last)
})
