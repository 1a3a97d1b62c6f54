import { Type } from '@sinclair/typebox'
import swagger from '@fastify/swagger'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { authRoutes, memoryStore, type AuthPluginOptions, type Challenge, type OnboardingOptions, type Tokens } from '../../../index.js'
import { registerStep } from '../../../lib/onboarding.js'
import { accounts, cheapHash, clock, mailed, password, type AccountsApp } from '../../accounts.js'
import { build, refused, secret } from '../../build.js'
import { codesOf, documentOf, VERSIONS } from '../../openapi/document.js'
import { encryptionKey, enrol, signInWith } from '../../totp.js'
import { watched, type WatchedStore } from '../../watched-store.js'

const fresh = 'another horse battery'

/** A registration between two steps that may be left out. */
const onboarding: OnboardingOptions = {
  steps: [
    { name: 'free', schema: Type.Object({}), hint: { title: 'Free' }, isRequired: () => false, execute () {} },
    registerStep(),
    { name: 'last', schema: Type.Object({ password: Type.Optional(Type.String()) }), hint: { title: 'Last' }, isRequired: () => false, execute () {} }
  ]
}

type Codes = Record<string, string[]>

const body = { 400: ['REQUEST_INVALID'], 413: ['PAYLOAD_TOO_LARGE'], 415: ['UNSUPPORTED_MEDIA_TYPE'] }
const limited = { 429: ['RATE_LIMITED'] }
const store = { 503: ['AUTH_UNAVAILABLE'] }
const bearer = {
  400: ['INVALID_AUTHORIZATION_HEADER'],
  401: ['MISSING_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED', 'ACCOUNT_UNAVAILABLE', 'AUTHENTICATION_FAILED'],
  ...store
}
const proven = { 400: ['MFA_SETUP_FAILED', 'INVALID_PASSWORD'], 401: ['STEP_UP_REQUIRED'], 404: ['USER_NOT_FOUND'] }
const flow = { 401: ['ACCOUNT_UNAVAILABLE'], 404: ['ONBOARDING_SESSION_INVALID'], 409: ['ONBOARDING_FLOW_COMPLETE'], 410: ['ONBOARDING_SESSION_EXPIRED'] }
const administrator = { ...bearer, 403: ['INSUFFICIENT_ROLES'] }

/** The lists of several, put together. */
function all (...lists: Codes[]): Codes {
  const together: Codes = {}
  for (const [status, codes] of lists.flatMap(Object.entries) as Array<[string, string[]]>) together[status] = [...together[status] ?? [], ...codes].sort()
  return together
}

/** Exactly what each route can refuse. */
const DOCUMENTED: Record<string, Codes> = {
  'POST /login': all(body, limited, store, { 401: ['INVALID_CREDENTIALS'] }),
  'POST /login/challenge': all(body, limited, store, { 400: ['INVALID_CHALLENGE', 'PASSWORD_POLICY_VIOLATION'] }),
  'POST /refresh': all(body, limited, store, { 401: ['TOKEN_INVALID', 'TOKEN_REVOKED', 'ACCOUNT_UNAVAILABLE', 'AUTHENTICATION_FAILED'] }),
  'POST /logout': all(body, bearer),
  'POST /logout-all': all(body, bearer),
  'GET /sessions': all(bearer, { 400: ['REQUEST_INVALID'] }),
  'DELETE /sessions/{id}': all(body, bearer),
  'POST /register': all(body, limited, store, { 400: ['USER_ALREADY_EXISTS', 'REGISTER_INVALID_PASSWORD'] }),
  'GET /me': all(bearer, { 404: ['USER_NOT_FOUND'] }),
  'PATCH /me': all(body, bearer, limited, { 400: ['INVALID_PASSWORD', 'USER_ALREADY_EXISTS'], 404: ['USER_NOT_FOUND'] }),
  'POST /me/password': all(body, bearer, limited, { 400: ['UPDATE_USER_INVALID_PASSWORD'], 404: ['USER_NOT_FOUND'] }),
  'POST /verify/request': all(body, limited, store),
  'POST /verify': all(body, limited, store, { 400: ['VERIFY_USER_BAD_TOKEN'] }),
  'POST /password/forgot': all(body, limited, store),
  'POST /password/reset': all(body, limited, store, { 400: ['RESET_PASSWORD_BAD_TOKEN', 'RESET_PASSWORD_INVALID_PASSWORD'] }),
  'POST /mfa/totp': all(body, bearer, limited, proven),
  'POST /mfa/totp/verify': all(body, bearer, limited, { 400: ['MFA_SETUP_FAILED'], 404: ['USER_NOT_FOUND'] }),
  'DELETE /mfa/totp': all(body, bearer, limited, proven),
  'GET /mfa': all(bearer, { 404: ['USER_NOT_FOUND'] }),
  'POST /mfa/recovery-codes': all(body, bearer, limited, proven),
  'DELETE /users/{id}/mfa': all(body, administrator, { 400: ['MFA_SETUP_FAILED'], 404: ['USER_NOT_FOUND'] }),
  'POST /onboarding/start': all(body, limited, store),
  'POST /onboarding/advance': all(body, limited, store, flow, { 400: ['USER_ALREADY_EXISTS'], 422: ['ONBOARDING_STEP_FAILED'] }),
  'POST /onboarding/skip': all(body, limited, store, flow, { 422: ['ONBOARDING_STEP_FAILED'] }),
  'POST /onboarding/resume': all(body, store, flow),
  'GET /users': all(administrator, { 400: ['REQUEST_INVALID'] }),
  'GET /users/{id}': all(administrator, { 400: ['REQUEST_INVALID'], 404: ['USER_NOT_FOUND'] }),
  'PATCH /users/{id}': all(body, administrator, { 400: ['USER_ALREADY_EXISTS', 'UPDATE_USER_INVALID_PASSWORD'], 403: ['AUTHORIZATION_DENIED'], 404: ['USER_NOT_FOUND'] }),
  'DELETE /users/{id}': all(body, administrator, { 403: ['AUTHORIZATION_DENIED'], 404: ['USER_NOT_FOUND'] })
}

/** The refusals that the document of an application lists, by route. */
async function documented (t: Test, overrides: AuthPluginOptions = {}, version = '3.1.0'): Promise<Record<string, Codes>> {
  const app = await build(t, { store: memoryStore(), passwords: cheapHash, encryptionKey, onboarding, ...overrides })
  await app.register(swagger, { openapi: { openapi: version, info: { title: 'An API', version: '1.0.0' } } })
  await app.register(authRoutes, { prefix: '/auth' })
  const { paths } = await documentOf(app)
  return Object.fromEntries(Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) =>
    [`${method.toUpperCase()} ${path.replace('/auth', '')}`, all(codesOf(operation))])))
}

for (const version of VERSIONS) {
  t.test(`OpenAPI ${version}: each route lists what it can refuse, and nothing else`, async (t) => {
    t.strictSame(await documented(t, {}, version), DOCUMENTED)
  })
}

t.test('with errorHandler: false, bodies are the application\'s: none is documented', async (t) => {
  t.strictSame(await documented(t, { errorHandler: false }), Object.fromEntries(Object.keys(DOCUMENTED).map((route) => [route, {}])))
})

t.test('what is answered when all is well, and who may ask', async (t) => {
  const app = await build(t, { store: memoryStore(), passwords: cheapHash, encryptionKey, onboarding })
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'An API', version: '1.0.0' } } })
  await app.register(authRoutes)
  const { paths } = await documentOf(app)
  const found = Object.fromEntries(Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, { responses, security }]) =>
    [`${method.toUpperCase()} ${path}`, [Object.keys(responses).find((status) => status < '300'), JSON.stringify(security)]])))
  const [anyone, perhaps, user] = ['[]', '[{"bearerAuth":[]},{}]', '[{"bearerAuth":[]}]']
  t.strictSame(found, {
    'POST /login': ['200', anyone],
    'POST /login/challenge': ['200', anyone],
    'POST /refresh': ['200', anyone],
    'POST /logout': ['204', perhaps],
    'POST /logout-all': ['204', perhaps],
    'GET /sessions': ['200', user],
    'DELETE /sessions/{id}': ['204', user],
    'POST /register': ['201', anyone],
    'GET /me': ['200', user],
    'PATCH /me': ['200', user],
    'POST /me/password': ['204', user],
    'POST /verify/request': ['202', anyone],
    'POST /verify': ['200', anyone],
    'POST /password/forgot': ['202', anyone],
    'POST /password/reset': ['204', anyone],
    'POST /mfa/totp': ['200', user],
    'POST /mfa/totp/verify': ['200', user],
    'DELETE /mfa/totp': ['204', user],
    'GET /mfa': ['200', user],
    'POST /mfa/recovery-codes': ['200', user],
    'DELETE /users/{id}/mfa': ['204', user],
    'POST /onboarding/start': ['200', anyone],
    'POST /onboarding/advance': ['200', anyone],
    'POST /onboarding/skip': ['200', anyone],
    'POST /onboarding/resume': ['200', anyone],
    'GET /users': ['200', user],
    'GET /users/{id}': ['200', user],
    'PATCH /users/{id}': ['200', user],
    'DELETE /users/{id}': ['204', user]
  })
})

/** Somebody's tokens, and what became of them. */
type User = { id: string, email: string } & Tokens

/** An application in which everything that goes wrong has been prepared. */
interface World extends AccountsApp {
  store: WatchedStore
  admin: User
  ada: User
  revoked: User
  deactivated: User
  lapsed: User
  expired: string
  /** A token of a user that there is not. */
  nobody: string
  /** A token of Ada's that does not say when she signed in. */
  undated: string
  /** Somebody with a second factor. */
  enrolled: User
  /** A challenge to set another password. */
  session: string
  /** Sessions of onboarding, by what is the matter with them. */
  flows: Record<'fresh' | 'free' | 'complete' | 'expired' | 'taken' | 'deactivated', string>
}

async function makeFlows ({ app }: AccountsApp, taken: string, expired: string): Promise<World['flows']> {
  const { onboarding: { start, skip, advance }, users } = app.bouncer
  const at = async (email: string): Promise<string> => (await start({ email })).session
  const registered = async (email: string): Promise<string> => {
    const session = await at(email)
    await skip(session)
    await advance(session, { password })
    return session
  }
  const [fresh, free, complete, takenFlow, deactivated] = [await at('fresh@example.com'), await registered('free@example.com'), await registered('complete@example.com'), await at(taken), await registered('deactivated@example.com')]
  await skip(fresh)
  await skip(takenFlow)
  await skip(complete)
  await users.update((await users.find({ email: 'deactivated@example.com' }))?.id ?? '', { is_active: false })
  return { fresh, free, complete, expired, taken: takenFlow, deactivated }
}

async function makeWorld (t: Test): Promise<World> {
  const pass = clock(t)
  const store = watched(memoryStore())
  const built = await accounts(t, { encryptionKey, onboarding, store, jwt: { secret, accessTokenTtl: 7200, refreshTokenTtl: 3600 } })
  const { app, signUp } = built
  const expired = app.bouncer.jwt?.sign({ sub: 'x' }, { expiresIn: 1 }) ?? ''
  const lapsed = await signUp()
  const { session: expiredFlow } = await app.bouncer.onboarding.start({ email: 'expired@example.com' })
  pass(3601)
  const [admin, ada, revoked, deactivated] = [await signUp({ roles: ['admin'] }), await signUp(), await signUp(), await signUp()]
  await app.bouncer.logoutAll(revoked.id)
  await app.bouncer.users.update(deactivated.id, { is_active: false })
  const nobody = app.bouncer.jwt?.sign({ sub: 'nobody', roles: ['admin'] }) ?? ''
  const undated = app.bouncer.jwt?.sign({ sub: ada.id }) ?? ''
  const enrolled = await signUp()
  const { secret: factor } = await enrol(app, enrolled.id)
  Object.assign(enrolled, await signInWith(app, { email: enrolled.email, password }, factor))
  const { id, email } = await signUp()
  await app.bouncer.users.update(id, { must_change_password: true })
  const { session } = await app.bouncer.login({ email, password }) as Challenge
  return { ...built, flows: await makeFlows(built, ada.email, expiredFlow), undated, enrolled, session, store, admin, ada, revoked, deactivated, lapsed, expired, nobody }
}

/** A request that would be answered as it should, were it not for what a provocation changes. */
const RIGHT: Record<string, { path?: string, payload?: (world: World) => object, token?: (world: World) => string }> = {
  'POST /login': { payload: ({ ada: { email } }) => ({ email, password }) },
  'POST /login/challenge': { payload: ({ session }) => ({ session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: fresh }) },
  'POST /refresh': { payload: ({ ada }) => ({ refresh_token: ada.refresh_token }) },
  'POST /logout': { token: ({ ada }) => ada.access_token },
  'POST /logout-all': { token: ({ ada }) => ada.access_token },
  'GET /sessions': { token: ({ ada }) => ada.access_token },
  'DELETE /sessions/{id}': { path: '/sessions/x', token: ({ ada }) => ada.access_token },
  'POST /register': { payload: () => ({ email: 'new@example.com', password }) },
  'GET /me': { token: ({ ada }) => ada.access_token },
  'PATCH /me': { payload: () => ({ email: 'moved@example.com', current_password: password }), token: ({ ada }) => ada.access_token },
  'POST /me/password': { payload: () => ({ current_password: password, new_password: fresh }), token: ({ ada }) => ada.access_token },
  'POST /verify/request': { payload: ({ ada: { email } }) => ({ email }) },
  'POST /verify': { payload: () => ({ token: 'x'.repeat(43) }) },
  'POST /password/forgot': { payload: ({ ada: { email } }) => ({ email }) },
  'POST /password/reset': { payload: () => ({ token: 'x'.repeat(43), password: fresh }) },
  'POST /mfa/totp': { token: ({ ada }) => ada.access_token },
  'POST /mfa/totp/verify': { payload: () => ({ code: '000000' }), token: ({ ada }) => ada.access_token },
  'DELETE /mfa/totp': { token: ({ ada }) => ada.access_token },
  'GET /mfa': { token: ({ ada }) => ada.access_token },
  'POST /mfa/recovery-codes': { token: ({ ada }) => ada.access_token },
  'DELETE /users/{id}/mfa': { path: '/users/x/mfa', token: ({ admin }) => admin.access_token },
  'POST /onboarding/start': { payload: () => ({ email: 'new@example.com' }) },
  'POST /onboarding/advance': { payload: ({ flows }) => ({ session: flows.fresh, data: { password } }) },
  'POST /onboarding/skip': { payload: ({ flows }) => ({ session: flows.free }) },
  'POST /onboarding/resume': { payload: ({ flows }) => ({ session: flows.fresh }) },
  'GET /users': { token: ({ admin }) => admin.access_token },
  'GET /users/{id}': { path: '/users/x', token: ({ admin }) => admin.access_token },
  'PATCH /users/{id}': { path: '/users/x', payload: () => ({ is_verified: true }), token: ({ admin }) => admin.access_token },
  'DELETE /users/{id}': { path: '/users/x', token: ({ admin }) => admin.access_token }
}

interface Change {
  path?: string
  payload?: object | string
  token?: string | undefined
  headers?: Record<string, string>
}

type Send = (change?: Change) => Promise<LightMyRequestResponse>
type Provocation = (world: World, send: Send, route: string) => Promise<LightMyRequestResponse>

/** Sends the request of a route, changed. */
function sender (world: World, route: string): Send {
  const [method = '', template = ''] = route.split(' ')
  const { path = template, payload, token } = RIGHT[route] ?? {}
  return async (change = {}) => {
    const credentials = 'token' in change ? change.token : token?.(world)
    const sent = change.payload ?? payload?.(world)
    return await world.app.inject({
      method: method as 'GET',
      url: `/auth${change.path ?? path}`,
      ...(sent !== undefined && { payload: sent }),
      headers: { ...(credentials !== undefined && { authorization: `Bearer ${credentials}` }), ...change.headers }
    })
  }
}

const json = { 'content-type': 'application/json' }
const byFlow = (route: string): boolean => route.includes('/onboarding/')
const byRefresh = (route: string): boolean => route === 'POST /refresh'
const refusedUser = (of: (world: World) => User): Provocation => async (world, send, route) =>
  await send(byRefresh(route) ? { payload: { refresh_token: of(world).refresh_token } } : { token: of(world).access_token })

/** How each code is provoked on any route that documents it. */
const PROVOKED: Record<string, Provocation> = {
  REQUEST_INVALID: async (_world, send, route) => {
    if (route === 'GET /sessions' || route === 'GET /users') return await send({ path: `${route.slice(4)}?limit=0` })
    if (route === 'GET /users/{id}') return await send({ path: '/users/' })
    return await send({ payload: '{', headers: json })
  },
  PAYLOAD_TOO_LARGE: async (_world, send) => await send({ payload: JSON.stringify('x'.repeat(2 ** 21)), headers: json }),
  UNSUPPORTED_MEDIA_TYPE: async (_world, send) => await send({ payload: 'x', headers: { 'content-type': 'text/csv' } }),
  INVALID_AUTHORIZATION_HEADER: async (_world, send) => await send({ token: 'a b' }),
  MISSING_TOKEN: async (_world, send) => await send({ token: undefined }),
  TOKEN_EXPIRED: async ({ expired }, send) => await send({ token: expired }),
  TOKEN_INVALID: async ({ ada }, send, route) => await send(byRefresh(route) ? { payload: { refresh_token: ada.access_token } } : { token: ada.refresh_token }),
  TOKEN_REVOKED: refusedUser(({ revoked }) => revoked),
  ACCOUNT_UNAVAILABLE: async (world, send, route) => await (byFlow(route) ? send({ payload: { session: world.flows.deactivated } }) : refusedUser(({ deactivated }) => deactivated)(world, send, route)),
  ONBOARDING_SESSION_INVALID: async (_world, send) => await send({ payload: { session: 'x'.repeat(43) } }),
  ONBOARDING_SESSION_EXPIRED: async ({ flows }, send) => await send({ payload: { session: flows.expired } }),
  ONBOARDING_FLOW_COMPLETE: async ({ flows }, send) => await send({ payload: { session: flows.complete } }),
  ONBOARDING_STEP_FAILED: async ({ flows }, send) => await send({ payload: { session: flows.fresh } }),
  AUTHENTICATION_FAILED: refusedUser(({ lapsed }) => lapsed),
  AUTH_UNAVAILABLE: async ({ store: { failing } }, send, route) => {
    failing.add('sessions.find').add('ephemeral.increment')
    if (byFlow(route)) failing.add('ephemeral.get')
    try {
      return await send()
    } finally {
      failing.clear()
    }
  },
  RATE_LIMITED: async ({ store, ada, enrolled }, send, route) => {
    const { increment } = store.ephemeral
    store.ephemeral.increment = async (key, limit) => ({ ...await increment(key, limit), count: limit.limit + 1 })
    try {
      return await send(/mfa\/(totp|recovery-codes)$/.test(route) ? { token: (route === 'POST /mfa/totp' ? ada : enrolled).access_token, payload: { current_password: password } } : {})
    } finally {
      store.ephemeral.increment = increment
    }
  },
  INVALID_CREDENTIALS: async ({ ada: { email } }, send) => await send({ payload: { email, password: fresh } }),
  INSUFFICIENT_ROLES: async ({ ada }, send) => await send({ token: ada.access_token }),
  USER_NOT_FOUND: async ({ nobody }, send, route) => await send(/ \/(me|mfa)\b/.test(route) ? { token: nobody } : {}),
  USER_ALREADY_EXISTS: async ({ admin, ada, flows }, send, route) => await send({
    POST: byFlow(route) ? { payload: { session: flows.taken, data: { password } } } : { payload: { email: admin.email, password } },
    PATCH: route === 'PATCH /me' ? { payload: { email: admin.email, current_password: password } } : { path: `/users/${ada.id}`, payload: { email: admin.email } }
  }[route.split(' ')[0] as 'POST' | 'PATCH']),
  INVALID_PASSWORD: async ({ ada, enrolled }, send, route) => await send(route.includes('/mfa') ? { token: (route === 'POST /mfa/totp' ? ada : enrolled).access_token, payload: { current_password: fresh } } : { payload: { email: 'new@example.com' } }),
  MFA_SETUP_FAILED: async ({ ada, enrolled }, send, route) => await send({
    'POST /mfa/totp': { token: enrolled.access_token },
    'DELETE /users/{id}/mfa': { path: `/users/${ada.id}/mfa` }
  }[route] ?? {}),
  STEP_UP_REQUIRED: async ({ app, undated, enrolled }, send, route) => await send({ token: route === 'POST /mfa/totp' ? undated : app.bouncer.jwt?.sign({ sub: enrolled.id }) }),
  INVALID_CHALLENGE: async (_world, send) => await send({ payload: { session: 'x', challenge_name: 'MFA_TOTP', code: '000000' } }),
  PASSWORD_POLICY_VIOLATION: async ({ session }, send) => await send({ payload: { session, challenge_name: 'NEW_PASSWORD_REQUIRED', new_password: 'x' } }),
  REGISTER_INVALID_PASSWORD: async (_world, send) => await send({ payload: { email: 'new@example.com', password: 'x' } }),
  UPDATE_USER_INVALID_PASSWORD: async ({ ada }, send, route) => await send(route === 'POST /me/password'
    ? { payload: { current_password: fresh, new_password: fresh } }
    : { path: `/users/${ada.id}`, payload: { password: 'x' } }),
  RESET_PASSWORD_INVALID_PASSWORD: async (world, send) => {
    await world.call('POST', '/password/forgot', { email: world.ada.email })
    return await send({ payload: { token: await mailed(world, 'password_reset_requested'), password: 'x' } })
  },
  VERIFY_USER_BAD_TOKEN: async (_world, send) => await send(),
  RESET_PASSWORD_BAD_TOKEN: async (_world, send) => await send(),
  AUTHORIZATION_DENIED: async ({ admin }, send) => await send({ path: `/users/${admin.id}`, payload: { is_active: false } })
}

t.test('every refusal that is documented is made, and in the form that is documented', async (t) => {
  const world = await makeWorld(t)
  for (const [route, statuses] of Object.entries(DOCUMENTED)) {
    for (const [status, codes] of Object.entries(statuses)) {
      for (const code of codes) {
        const provoke = PROVOKED[code] as Provocation
        const response = await provoke(world, sender(world, route), route)
        refused(t, response, Number(status), code)
        if (status === '429' || status === '503') t.equal(response.headers['retry-after'], String(response.json().extra.retry_after), `${route}: ${code}`)
      }
    }
  }
  t.strictSame(new Set(Object.keys(PROVOKED)), new Set(Object.values(DOCUMENTED).flatMap((statuses) => Object.values(statuses).flat())), 'nothing is provoked that no route documents')
})

t.test('unchanged, the same requests are answered as they should be', async (t) => {
  const world = await makeWorld(t)
  // Those that need what was mailed, and a user of that id.
  const otherwise: Record<string, number> = { 'POST /mfa/totp/verify': 400, 'DELETE /mfa/totp': 400, 'POST /mfa/recovery-codes': 400, 'DELETE /users/{id}/mfa': 404, 'POST /verify': 400, 'POST /password/reset': 400, 'GET /users/{id}': 404, 'PATCH /users/{id}': 404, 'DELETE /users/{id}': 404 }
  for (const route of Object.keys(RIGHT)) {
    const ada = await world.signUp()
    const { statusCode } = await sender({ ...world, ada }, route)()
    if (route in otherwise) t.equal(statusCode, otherwise[route], route)
    else t.ok(statusCode < 300, route)
  }
})

for (const errorHandler of ['auth', 'all', false] as const) {
  t.test(`errorHandler: ${String(errorHandler)}: whose body a refusal of these routes has`, async (t) => {
    const applications = (app: FastifyInstance): void => {
      if (errorHandler !== 'all') app.setErrorHandler(async (error, _request, reply) => await reply.code((error as { statusCode?: number }).statusCode ?? 500).send({ theirs: (error as { code?: string }).code }))
    }
    const app = await build(t, { store: memoryStore(), passwords: cheapHash, errorHandler })
    applications(app)
    await app.register(authRoutes)
    app.get('/outside', async () => { throw Object.assign(new Error('theirs'), { statusCode: 409, code: 'THEIRS' }) })
    const requests: Array<[url: string, payload: object | undefined, status: number, code: string]> = [
      ['/login', { email: 'ada@example.com', password }, 401, 'INVALID_CREDENTIALS'],
      ['/refresh', { refresh_token: 'x' }, 401, 'TOKEN_INVALID'],
      ['/logout', undefined, 401, 'MISSING_TOKEN'],
      ['/login', {}, 400, errorHandler === false ? 'FST_ERR_VALIDATION' : 'REQUEST_INVALID']
    ]
    for (const [url, payload, status, code] of requests) {
      const response = await app.inject({ method: 'POST', url, ...(payload !== undefined && { payload }) })
      if (errorHandler !== false) refused(t, response, status, code)
      else t.strictSame([response.statusCode, response.json()], [status, { theirs: code }])
      t.equal(response.headers['cache-control'], 'no-store')
    }
    const missing = await app.inject('/sessions')
    if (errorHandler === false) t.strictSame([missing.statusCode, missing.json()], [401, { theirs: 'MISSING_TOKEN' }])
    else refused(t, missing, 401, 'MISSING_TOKEN')
    t.match((await app.inject('/outside')).json(), errorHandler === 'all' ? { status_code: 409, extra: { code: 'CONFLICT' } } : { theirs: 'THEIRS' })
  })
}
