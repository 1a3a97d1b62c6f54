import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import type { RouteAuth, User } from '../../index.js'
import { readStepUp } from '../../lib/http/step-up.js'
import { createIssuer } from '../../lib/testing.js'
import { clock } from '../accounts.js'
import { bearer, build, now, refused } from '../build.js'
import { buildDocumented, codesOf, operationOf, USER_CODES } from '../openapi/document.js'

type Asked = Exclude<RouteAuth, boolean>

/** Checks the refusal to its last header. */
function steppedUp (t: Test, response: Awaited<ReturnType<FastifyInstance['inject']>>, { maxAge, factors }: Asked, challenges = ''): void {
  refused(t, response, 401, 'STEP_UP_REQUIRED', 'Recent stronger authentication is required.')
  t.strictSame(response.json().extra, { code: 'STEP_UP_REQUIRED', ...(maxAge !== undefined && { max_age: maxAge }), ...(factors !== undefined && { acr_values: ['mfa'] }) })
  const parameters = `${maxAge === undefined ? '' : `, max_age="${maxAge}"`}${factors === undefined ? '' : ', acr_values="mfa"'}`
  t.equal(response.headers['www-authenticate'], `Bearer realm="api", error="insufficient_user_authentication"${parameters}${challenges}`)
}

const recent = () => ({ auth_time: now() - 10 })
const old = () => ({ auth_time: now() - 1000 })
const strong = { amr: ['pwd', 'otp', 'mfa'] }

t.test('maxAge and factors, alone, together and with the rest', async (t) => {
  const app = await build(t)
  let handled = 0
  const routes: Record<string, Asked> = { age: { maxAge: 300 }, factors: { factors: 2 }, both: { maxAge: 300, factors: 2 }, role: { roles: ['admin'], maxAge: 300, factors: 2 } }
  for (const [name, auth] of Object.entries(routes)) app.get(`/${name}`, { config: { auth } }, async () => { handled++; return 'in' })
  const ask = async (name: string, claims: Record<string, unknown>) => await app.inject({ url: `/${name}`, headers: bearer(claims) })
  const outcomes: Array<[claims: Record<string, unknown>, passes: string[]]> = [
    [{}, []],
    [recent(), ['age']],
    [old(), []],
    [strong, ['factors']],
    [{ ...old(), ...strong }, ['factors']],
    [{ ...recent(), amr: ['pwd'] }, ['age']],
    [{ ...recent(), ...strong }, ['age', 'factors', 'both']],
    [{ ...recent(), ...strong, roles: ['admin'] }, ['age', 'factors', 'both', 'role']]
  ]
  for (const [claims, passes] of outcomes) {
    for (const [name, auth] of Object.entries(routes)) {
      handled = 0
      const response = await ask(name, claims)
      if (passes.includes(name)) t.equal(handled, 1, `${name}: ${JSON.stringify(claims)}`)
      else if (name === 'role' && claims.roles === undefined) refused(t, response, 403, 'INSUFFICIENT_ROLES')
      else steppedUp(t, response, auth)
      if (!passes.includes(name)) t.equal(handled, 0)
    }
  }
  steppedUp(t, await ask('role', { ...old(), ...strong, roles: ['admin'] }), routes.role as Asked)
  refused(t, await app.inject('/both'), 401, 'MISSING_TOKEN')
  refused(t, await ask('both', { exp: now() - 1, ...recent(), ...strong }), 401, 'TOKEN_EXPIRED')
})

t.test('the problem details have the same', async (t) => {
  const app = await build(t)
  app.get('/', { config: { auth: { maxAge: 0, factors: 2 } } }, async () => 'in')
  const response = await app.inject({ url: '/', headers: { ...bearer(old()), accept: 'application/problem+json' } })
  t.match(response.json(), { status: 401, code: 'STEP_UP_REQUIRED', max_age: 0, acr_values: ['mfa'] })
})

t.test('auth_time missing, of another type, far away, or to come', async (t) => {
  const app = await build(t)
  app.get('/', { config: { auth: { maxAge: 300 } } }, async () => 'in')
  const right = now() - 10
  const values: unknown[] = [undefined, null, '', String(right), [right], { value: right }, true, false, new Date(), 0, -1, -right, right - 300, now() + 60, right * 1000, 1e300, -1e300]
  for (const value of values) steppedUp(t, await app.inject({ url: '/', headers: bearer({ auth_time: value }) }), { maxAge: 300 })
  steppedUp(t, await app.inject({ url: '/', headers: bearer(JSON.parse(`{"__proto__":{"auth_time":${right}}}`)) }), { maxAge: 300 })
  steppedUp(t, await app.inject({ url: '/', headers: bearer({ auth_time: now() + 5, iat: undefined }) }), { maxAge: 300 })
  t.equal((await app.inject({ url: '/', headers: bearer({ auth_time: right, iat: undefined }) })).body, 'in')
})

t.test('an issuer whose clock is ahead may have signed somebody in a little later than now', async (t) => {
  const app = await build(t, { jwt: { secret: 'a secret of at least thirty-two bytes', clockTolerance: 60 } })
  app.get('/', { config: { auth: { maxAge: 300 } } }, async () => 'in')
  const later = now() + 30
  t.equal((await app.inject({ url: '/', headers: bearer({ auth_time: later, iat: later }) })).body, 'in')
  steppedUp(t, await app.inject({ url: '/', headers: bearer({ auth_time: later + 1, iat: later }) }), { maxAge: 300 })
  refused(t, await app.inject({ url: '/', headers: bearer({ auth_time: now() + 90, iat: now() + 90 }) }), 401, 'TOKEN_INVALID')
})

const NOW = 1_700_000_000
const user = (claims: Record<string, unknown>, more: Partial<User> = {}): User => ({ id: 'ada', roles: [], groups: [], scopes: [], claims, method: 'bearer', ...more })

/** Whether somebody with these claims passes, at {@link NOW} plus or minus milliseconds. */
function passes (asked: Asked, claims: Record<string, unknown>, milliseconds = 0, more: Partial<User> = {}): boolean {
  const policy = readStepUp(asked as Record<string, unknown>, () => NOW * 1000 + milliseconds)
  return policy?.checks.every((check) => check(user(claims, more)) === undefined) === true
}

t.test('the second itself counts, and no millisecond more', async (t) => {
  t.ok(passes({ maxAge: 300 }, { auth_time: NOW - 300 }))
  t.notOk(passes({ maxAge: 300 }, { auth_time: NOW - 300 }, 1))
  t.ok(passes({ maxAge: 300 }, { auth_time: NOW - 300.5 }, -500))
  t.ok(passes({ maxAge: 0 }, { auth_time: NOW }))
  t.notOk(passes({ maxAge: 0 }, { auth_time: NOW }, 1))
  t.ok(passes({ maxAge: 0 }, { auth_time: NOW + 1, iat: NOW + 1 }))
  t.notOk(passes({ maxAge: 300 }, { auth_time: NOW }, -1), 'the future')
  t.notOk(passes({ maxAge: Number.MAX_SAFE_INTEGER }, { auth_time: NaN }))
  t.notOk(passes({ maxAge: Number.MAX_SAFE_INTEGER }, { auth_time: -Infinity }))
})

t.test('which methods are two factors', async (t) => {
  for (const amr of [['mfa'], ['pwd', 'mfa'], ['pwd', 'otp'], ['pin', 'hwk'], ['kba', 'sms'], ['swk', 'pin'], ['fpt', 'pwd', 'user'], ['face', 'pwd'], ['pwd', 'mca'], ['pwd', 7, 'otp']]) {
    t.ok(passes({ factors: 2 }, { amr }), JSON.stringify(amr))
  }
  for (const amr of [undefined, null, '', 'mfa', 'pwd otp', { 0: 'mfa', length: 1 }, { mfa: true }, [], [''], ['MFA'], ['mfa '], [['mfa']], [['pwd', 'otp']], ['pwd'], ['pwd', 'pin', 'kba'], ['otp'], ['otp', 'sms', 'hwk'], ['pwd', 'pwd'], ['pwd', 'user', 'rba', 'geo', 'wia'], ['pwdotp'], ['http://schemas.microsoft.com/claims/multipleauthn'], 2, true]) {
    t.notOk(passes({ factors: 2 }, { amr }), JSON.stringify(amr))
  }
  t.notOk(passes({ factors: 2 }, JSON.parse('{"__proto__":{"amr":["mfa"]}}')))
})

t.test('any claims: never a pass that the claims do not give, never a fault', async () => {
  const amr = fc.oneof(fc.jsonValue(), fc.array(fc.oneof(fc.constantFrom('pwd', 'pin', 'otp', 'hwk', 'mfa'), fc.jsonValue()), { maxLength: 3 }))
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), fc.double(), fc.integer({ min: NOW - 400, max: NOW + 100 })), amr, fc.nat(400), (time, amr, maxAge) => {
    const list: readonly unknown[] = Array.isArray(amr) ? amr : []
    const has = (...names: string[]) => list.some((one) => names.includes(one as string))
    const fresh = typeof time === 'number' && time >= NOW - maxAge && time <= NOW
    const two = has('mfa') || (has('pwd', 'pin') && has('otp', 'hwk'))
    const claims = { auth_time: time, amr }
    return passes({ maxAge }, claims) === fresh && passes({ factors: 2 }, claims) === two && passes({ maxAge, factors: 2 }, claims) === (fresh && two)
  }), { numRuns: 2000 })
})

t.test('a client that acts for itself has signed nobody in, whatever its token says', async (t) => {
  t.notOk(passes({ maxAge: 300 }, { auth_time: NOW }, 0, { machine: true }))
  const issuer = await createIssuer({ audience: 'client' })
  t.teardown(async () => { await issuer.close() })
  const app = await build(t, { ...issuer.options, claims: 'cognito' })
  app.get('/', { config: { auth: { maxAge: 300 } } }, async () => 'in')
  const token = async (claims: object) => `Bearer ${await issuer.token({ aud: undefined, client_id: 'client', token_use: 'access', ...recent(), ...claims })}`
  t.equal((await app.inject({ url: '/', headers: { authorization: await token({ sub: 'ada', username: 'ada' }) } })).body, 'in')
  steppedUp(t, await app.inject({ url: '/', headers: { authorization: await token({ sub: 'client' }) } }), { maxAge: 300 })
})

t.test('Basic is a sign-in of this moment, by one factor', async (t) => {
  const app = await build(t, { basic: { authenticate: (username) => ({ id: username, claims: { amr: ['mfa'] } }) } })
  app.get('/age', { config: { auth: { maxAge: 0 } } }, async () => 'in')
  app.get('/both', { config: { auth: { maxAge: 300, factors: 2 } } }, async () => 'in')
  const headers = { authorization: `Basic ${Buffer.from('ada:secret').toString('base64')}` }
  t.equal((await app.inject({ url: '/age', headers })).body, 'in')
  const response = await app.inject({ url: '/both', headers })
  t.equal(response.statusCode, 401)
  t.equal(response.json().extra.code, 'STEP_UP_REQUIRED')
})

t.test('a remembered token grows older', async (t) => {
  const pass = clock(t)
  const signedIn = now()
  const app = await build(t, { jwt: { secret: 'a secret of at least thirty-two bytes', cache: true } })
  app.get('/', { config: { auth: { maxAge: 30 } } }, async () => 'in')
  const headers = bearer({ auth_time: signedIn, exp: signedIn + 600 })
  t.equal((await app.inject({ url: '/', headers })).body, 'in')
  pass(28)
  t.equal((await app.inject({ url: '/', headers })).body, 'in')
  pass(3)
  steppedUp(t, await app.inject({ url: '/', headers }), { maxAge: 30 })
})

t.test('what maxAge and factors cannot mean is refused when the route is declared', async (t) => {
  const app = await build(t)
  const declare = (auth: unknown) => () => { app.get('/', { config: { auth: auth as RouteAuth } }, async () => 'in') }
  for (const maxAge of [-1, NaN, Infinity, -Infinity, 0.5, 2 ** 53, '300', '', null, true, [300], {}, 300n]) {
    t.throws(declare({ maxAge }), { name: 'ConfigurationError', option: 'config.auth.maxAge', message: 'config.auth.maxAge must be a whole number of seconds, 0 or more.' }, String(maxAge))
  }
  for (const factors of [0, 1, 3, 2.5, NaN, '2', null, true, [2], ['mfa'], {}]) {
    t.throws(declare({ factors, roles: ['admin'] }), { name: 'ConfigurationError', option: 'config.auth.factors', message: /must be 2/ }, String(factors))
  }
  for (const key of ['maxAge', 'factors']) t.throws(declare({ [key]: undefined }), { option: `config.auth.${key}`, message: /undefined; leave it out/ })
  for (const auth of [{ maxAge: 300 }, { factors: 2 }]) t.throws(declare({ ...auth, optional: true }), { option: 'config.auth.optional', message: /keep one of them/ })
  for (const auth of [{ maxage: 300 }, { max_age: 300 }, { factor: 2 }]) t.throws(declare(auth), { message: /is not known; known are .*maxAge, factors, optional, errors/ })
  t.equal((await app.inject('/')).statusCode, 404, 'none of them became a route')
})

t.test('the document lists it on exactly the routes that ask', async (t) => {
  const app = await buildDocumented(t)
  const handler = async () => ({})
  const routes: Array<[url: string, auth: RouteAuth, codes: object]> = [
    ['/user', true, USER_CODES],
    ['/role', { roles: ['a'] }, { ...USER_CODES, 403: ['INSUFFICIENT_ROLES'] }],
    ['/age', { maxAge: 300 }, { ...USER_CODES, 401: [...USER_CODES[401], 'STEP_UP_REQUIRED'] }],
    ['/factors', { factors: 2 }, { ...USER_CODES, 401: [...USER_CODES[401], 'STEP_UP_REQUIRED'] }],
    ['/all', { roles: ['a'], maxAge: 0, factors: 2, optional: false }, { ...USER_CODES, 401: [...USER_CODES[401], 'STEP_UP_REQUIRED'], 403: ['INSUFFICIENT_ROLES'] }]
  ]
  for (const [url, auth] of routes) app.get(url, { config: { auth } }, handler)
  for (const [url, , codes] of routes) {
    const operation = await operationOf(app, url)
    t.strictSame(codesOf(operation), codes, url)
    t.strictSame(operation.security, [{ bearerAuth: [] }])
  }
})
