import { test } from 'tap'
import { checkClaims, own, type ClaimRules } from '../../lib/token/claims.js'
import type { AuthPluginOptions } from '../../index.js'
import { audience, claims, forge, issuer, now, secret, token } from '../build.js'
import { allRefused, guarded, passed, refusedAs } from '../guarded.js'

const JWT = { alg: 'HS256', typ: 'JWT' }

/** A right signature over a payload that is written as text. */
const withPayload = (text: string): string => forge(JWT, text)

/** The payload of {@link claims} as text, with more text before its end. */
const extended = (changes: Record<string, unknown>, more: string): string => withPayload(JSON.stringify(claims(changes)).replace(/}$/, `,${more}}`))

const each = (claim: string, values: unknown[]): Record<string, string> =>
  Object.fromEntries(values.map((value) => [`${claim}: ${JSON.stringify(value) ?? 'absent'}`, token({ [claim]: value })]))

const rules: ClaimRules = { issuer, audience: [audience], clockTolerance: 0, tokenUse: ['access'] }
const NOW = 1_700_000_000

/** What {@link checkClaims} says at {@link NOW}, plus or minus milliseconds. */
function verdict (changes: Record<string, unknown>, over: Partial<ClaimRules> = {}, milliseconds = 0): string {
  try {
    checkClaims({ iss: issuer, aud: audience, sub: 'user-1', exp: NOW + 60, ...changes }, { ...rules, ...over }, NOW * 1000 + milliseconds)
    return 'ok'
  } catch (error) {
    const { code, reason } = error as { code: string, reason?: string }
    return reason ?? code
  }
}

test('a payload that is not an object', async (t) => {
  const texts = ['[]', '[{}]', `[${JSON.stringify(claims())}]`, '"text"', '1', 'null', 'true', '{', '{}{}', 'undefined', '\ufeff{}', '{"iss":}', "{'iss':1}"]
  await allRefused(t, await guarded(t), Object.fromEntries(texts.map((text) => [text, withPayload(text)])), 'malformed')
  await allRefused(t, await guarded(t), { 'an empty object': withPayload('{}') }, 'issuer')
})

test('nested arrays, deep and wide', async (t) => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  const app = await guarded(t)
  await allRefused(t, app, { 'payload of arrays': withPayload(deep(2500)) }, 'malformed')
  await allRefused(t, app, { 'aud of arrays': extended({ aud: undefined }, `"aud":${deep(2000)}`), 'the audience in a nested list': token({ aud: [[audience]] }) }, 'audience')
  passed(t, await app.ask(extended({}, `"deep":${deep(2000)}`)), 'user-1', 'a deep claim that nobody reads')
})

test('exp missing, or not a finite number', async (t) => {
  const app = await guarded(t)
  await allRefused(t, app, each('exp', [undefined, null, '', String(now() + 60), `${now() + 60}`, 'Infinity', true, [], [now() + 60], {}, new Date(9e12)]), 'claims')
  await allRefused(t, app, {
    Infinity: extended({ exp: undefined }, '"exp":1e400'),
    '-Infinity': extended({ exp: undefined }, '"exp":-1e400'),
    'in __proto__': extended({ exp: undefined }, `"__proto__":{"exp":${now() + 60}}`)
  }, 'claims')
  await allRefused(t, app, { NaN: extended({ exp: undefined }, '"exp":NaN') }, 'malformed')
})

test('exp in the past, at the epoch, negative', async (t) => {
  const app = await guarded(t, {}, { logger: { level: 'info', stream: { write () {} } } })
  await allRefused(t, app, {
    ...each('exp', [now() - 1, now() - 60, 0, -1, -now(), 1e-300, -1e300]),
    'negative zero': extended({ exp: undefined }, '"exp":-0.0')
  }, 'expired')
})

test('the second of exp itself is expired already', (t) => {
  t.equal(verdict({ exp: NOW }), 'TOKEN_EXPIRED')
  t.equal(verdict({ exp: NOW }, {}, -1), 'ok', 'a millisecond before')
  t.equal(verdict({ exp: NOW + 0.5 }), 'ok', 'fractions count')
  t.equal(verdict({ exp: NOW - 0.5 }), 'TOKEN_EXPIRED')
  t.equal(verdict({ exp: Number.MAX_VALUE }), 'ok')
  t.end()
})

test('nbf and iat in the future, and of wrong types', async (t) => {
  for (const claim of ['nbf', 'iat']) {
    await allRefused(t, await guarded(t), each(claim, [now() + 60, now() + 1e9, 1e300]), 'not_yet_valid')
    await allRefused(t, await guarded(t), {
      ...each(claim, [null, '', String(now()), true, [], [now()], {}]),
      Infinity: extended({ [claim]: undefined }, `"${claim}":1e400`)
    }, 'claims')
    const { ask } = await guarded(t)
    for (const value of [undefined, now(), now() - 60, 0, -1]) passed(t, await ask(token({ [claim]: value })), 'user-1', `${claim}: ${value}`)
    t.equal(verdict({ [claim]: NOW }), 'ok', 'the second itself is valid')
    t.equal(verdict({ [claim]: NOW }, {}, -1), 'not_yet_valid')
  }
})

test('clockTolerance moves each bound by that much and no more', (t) => {
  const over = { clockTolerance: 30 }
  t.equal(verdict({ exp: NOW - 29 }, over), 'ok')
  t.equal(verdict({ exp: NOW - 30 }, over), 'TOKEN_EXPIRED')
  t.equal(verdict({ exp: NOW - 30 }, over, -1), 'ok')
  for (const claim of ['nbf', 'iat']) {
    t.equal(verdict({ [claim]: NOW + 30 }, over), 'ok')
    t.equal(verdict({ [claim]: NOW + 31 }, over), 'not_yet_valid')
    t.equal(verdict({ [claim]: NOW + 30 }, over, -1), 'not_yet_valid')
  }
  t.equal(verdict({ exp: undefined }, over), 'claims', 'tolerance is not indifference')
  t.end()
})

test('jwt.clockTolerance over HTTP', async (t) => {
  const strict = await guarded(t)
  const lenient = await guarded(t, { jwt: { secret, clockTolerance: 600 } })
  for (const [changes, reason] of [[{ exp: now() - 300 }, 'expired'], [{ nbf: now() + 300 }, 'not_yet_valid'], [{ iat: now() + 300 }, 'not_yet_valid']] as const) {
    refusedAs(t, await strict.ask(token(changes)), reason)
    passed(t, await lenient.ask(token(changes)))
  }
  refusedAs(t, await lenient.ask(token({ exp: now() - 700 })), 'expired')
})

test('another issuer: array, prefix, trailing slash, case, and no issuer', async (t) => {
  const values = [undefined, null, '', ' ', `${issuer}/`, `${issuer} `, issuer.slice(0, -1), `${issuer}.evil.com`, issuer.toUpperCase(), `${issuer}\u0000`, [issuer], [issuer, 'evil'], { iss: issuer }, 1, true, 'https://evil.com']
  await allRefused(t, await guarded(t), each('iss', values), 'issuer')
})

test('another audience: list, substring, prefix, case, and no audience', async (t) => {
  const values = [undefined, null, '', [], [''], [[audience]], `${audience} `, `${audience}2`, audience.slice(0, -1), audience.slice(1), audience.toUpperCase(), `${audience},other`, `${audience} other`, { aud: audience }, { 0: audience, length: 1 }, 1, true, [1], [null], ['other'], 'other']
  await allRefused(t, await guarded(t), each('aud', values), 'audience')
  const { ask } = await guarded(t)
  for (const aud of [audience, [audience], ['other', audience], [audience, 'other']]) passed(t, await ask(token({ aud })))
})

test('several accepted audiences', async (t) => {
  const app = await guarded(t, { audience: ['one', 'two'] })
  for (const aud of ['one', 'two', ['two'], ['three', 'two']]) passed(t, await app.ask(token({ aud })))
  app.seen.length = 0
  await allRefused(t, app, each('aud', [audience, 'onetwo', 'one,two', 'one two', ['three'], 'o']), 'audience')
})

test('sub missing or no name', async (t) => {
  await allRefused(t, await guarded(t), {
    ...each('sub', [undefined, null, '', 0, 1, true, [], ['user-1'], {}]),
    'in __proto__': extended({ sub: undefined }, '"__proto__":{"sub":"user-1"}')
  }, 'claims')
})

test('an ID token is no access token', async (t) => {
  await allRefused(t, await guarded(t), {
    ...each('nonce', ['n-0S6_WzA2Mj', '', null, 0, false]),
    ...each('at_hash', ['MTIzNDU2Nzg5MDEyMzQ1Ng', '', null]),
    ...each('token_use', ['id', 'ID', 'Id']),
    ...each('token_type', ['id']),
    ...each('typ', ['ID', 'id'])
  }, 'token_type')
})

test('refresh, logout and other tokens are no access tokens', async (t) => {
  const app = await guarded(t)
  await allRefused(t, app, {
    ...each('typ', ['Refresh', 'Offline', 'Logout', 'Registration', 'refresh', 'Action', 'Serialized-ID']),
    ...each('token_use', ['refresh', 'challenge', 'verify', 'reset', 'onboarding', '']),
    ...each('token_type', ['refresh', 'mac', 'DPoP', 'access ']),
    ...each('events', [{ 'http://schemas.openid.net/event/backchannel-logout': {} }, {}, null, []]),
    'a mark that is no string': token({ token_use: ['access'] }),
    'a mark of null': token({ typ: null }),
    'a mark of true': token({ token_type: true }),
    'access and a logout event': token({ token_use: 'access', events: {} }),
    'marks that contradict each other': token({ token_use: 'access', typ: 'Refresh' }),
    'marks that contradict each other, turned round': token({ token_use: 'refresh', typ: 'Bearer' })
  }, 'token_type')
})

test('marks of an access token', async (t) => {
  const { ask } = await guarded(t)
  for (const changes of [{ token_use: 'access' }, { typ: 'Bearer' }, { typ: 'JWT' }, { token_type: 'Bearer' }, { token_type: 'access' }, { typ: 'at+jwt' }, { token_use: 'access', typ: 'Bearer', token_type: 'bearer' }, { token_use: 'access', nonce: 'x' }]) {
    passed(t, await ask(token(changes)), 'user-1', JSON.stringify(changes))
  }
})

test('jwt.tokenUse opts in to ID tokens, and to those only', async (t) => {
  const id = [{ nonce: 'n' }, { at_hash: 'h' }, { token_use: 'id' }, { typ: 'ID' }]
  const other = [{ typ: 'Refresh' }, { events: {} }, { token_use: 'refresh', nonce: 'n' }, { token_use: 'id', typ: 'Bearer' }]
  const check = async (tokenUse: NonNullable<AuthPluginOptions['jwt']>['tokenUse'], accepted: object[], refused: object[]): Promise<void> => {
    const app = await guarded(t, { jwt: { secret, tokenUse } })
    for (const changes of refused) refusedAs(t, await app.ask(token({ ...changes })), 'token_type', JSON.stringify(changes))
    t.equal(app.seen.length, 0)
    for (const changes of accepted) passed(t, await app.ask(token({ ...changes })), 'user-1', JSON.stringify(changes))
  }
  await check(['access', 'id'], [...id, {}, { token_use: 'access' }], other)
  await check(['id'], id, [...other, {}, { token_use: 'access' }, { typ: 'Bearer' }])
})

test('roles, groups and scopes of wrong types are none at all, never a fault', async (t) => {
  const { app } = await guarded(t)
  app.get('/role', { preHandler: [app.requireRole('admin')] }, async () => 'in')
  app.get('/all-roles', { preHandler: [app.requireAllRoles('admin')] }, async () => 'in')
  app.get('/group', { preHandler: [app.requireGroup('admin')] }, async () => 'in')
  app.get('/scope', { preHandler: [app.requireScope('admin')] }, async () => 'in')
  const values = [null, 0, 1, true, {}, { admin: true }, { 0: 'admin', length: 1 }, [['admin']], [{ toString: 'admin' }], [null, 0, true], [], '', 'Admin', ' admin', ['admin '], ['ADMIN'], ['admin,user'], ['adm', 'in']]
  for (const value of values) {
    const routes: Array<[string, string, string]> = [['/role', 'roles', 'ROLES'], ['/all-roles', 'roles', 'ROLES'], ['/role', 'role', 'ROLES'], ['/group', 'groups', 'GROUPS'], ['/scope', 'scopes', 'SCOPE'], ['/scope', 'scp', 'SCOPE']]
    for (const [url, claim, code] of routes) {
      // A string of scopes is a list with spaces between, by design of the claim.
      if (code === 'SCOPE' && value === ' admin') continue
      const response = await app.inject({ url, headers: { authorization: `Bearer ${token({ [claim]: value })}` } })
      t.equal(response.statusCode, 403, `${claim}: ${JSON.stringify(value)}`)
      t.equal(response.json().extra.code, `INSUFFICIENT_${code}`)
    }
  }
  for (const [url, claim] of [['/role', 'roles'], ['/group', 'groups'], ['/scope', 'scopes'], ['/scope', 'scp'], ['/scope', 'scope']] as const) {
    const response = await app.inject({ url, headers: { authorization: `Bearer ${token({ [claim]: ['admin', 7, null, ['x']] })}` } })
    t.equal(response.statusCode, 200, `${claim}: the names among a mixed list count`)
  }
})

test('claims in __proto__ and constructor give nothing and pollute nothing', async (t) => {
  const app = await guarded(t)
  app.app.get('/admin', { preHandler: [app.app.requireRole('admin')] }, async () => 'in')
  for (const text of [
    extended({}, '"__proto__":{"roles":["admin"],"role":"admin"}'),
    extended({}, '"constructor":{"prototype":{"roles":["admin"]}}'),
    extended({ roles: undefined }, '"__proto__":["admin"]')
  ]) {
    const response = await app.app.inject({ url: '/admin', headers: { authorization: `Bearer ${text}` } })
    t.equal(response.statusCode, 403)
    t.equal(response.json().extra.code, 'INSUFFICIENT_ROLES')
    passed(t, await app.ask(text))
  }
  t.strictSame(app.seen.map((user) => [user.roles, (user as unknown as { role?: string }).role]), [[[], undefined], [[], undefined], [[], undefined]])
  t.equal(({} as { roles?: unknown }).roles, undefined, 'Object.prototype is as it was')
  await allRefused(t, await guarded(t), {
    'iss in __proto__': extended({ iss: undefined }, `"__proto__":{"iss":"${issuer}"}`)
  }, 'issuer')
  await allRefused(t, await guarded(t), {
    'aud in __proto__': extended({ aud: undefined }, `"__proto__":{"aud":"${audience}"}`)
  }, 'audience')
})

test('claims named like members of Object.prototype are claims like others', async (t) => {
  const { ask, seen } = await guarded(t)
  passed(t, await ask(token({ toString: 'x', hasOwnProperty: 1, valueOf: null, then: 'x', toJSON: 'x' })))
  t.equal(seen[0]?.claims.hasOwnProperty, 1)
})

test('duplicate members of a payload: the last counts, for all readers alike', async (t) => {
  const app = await guarded(t)
  refusedAs(t, await app.ask(extended({}, '"iss":"https://evil.com"')), 'issuer')
  refusedAs(t, await app.ask(extended({}, '"aud":"other"')), 'audience')
  refusedAs(t, await app.ask(extended({}, '"exp":1')), 'expired')
  refusedAs(t, await app.ask(extended({}, '"sub":""')), 'claims')
  t.equal(app.seen.length, 0)
  passed(t, await app.ask(extended({ exp: 1 }, `"exp":${now() + 60}`)))
  passed(t, await app.ask(extended({}, '"sub":"user-2"')), 'user-2')
})

test('the first check that fails is the one that is told, and a wrong signature goes before all', async (t) => {
  const app = await guarded(t)
  refusedAs(t, await app.ask(forge(JWT, { iss: 'evil', exp: 1 }, 'another secret of thirty-two bytes!!')), 'signature')
  refusedAs(t, await app.ask(token({ iss: 'evil', exp: 1 })), 'issuer', 'whoever is no issuer of ours learns no more')
  refusedAs(t, await app.ask(token({ typ: 'Refresh', exp: 1 })), 'token_type')
  t.equal(app.seen.length, 0)
})

test('when the token expired is for logs only', async (t) => {
  const { app } = await guarded(t)
  let expiredAt: unknown
  app.addHook('onError', async (_request, _reply, error) => { expiredAt = (error as unknown as { expiredAt?: Date }).expiredAt })
  app.get('/logged', { preHandler: [app.requireUser()] }, async () => 'in')
  const response = await app.inject({ url: '/logged', headers: { authorization: `Bearer ${token({ exp: 1_000_000_000 })}` } })
  refusedAs(t, response, 'expired')
  t.strictSame(expiredAt, new Date(1_000_000_000_000))
})

test('own() sees own properties only', (t) => {
  t.equal(own({ a: 1 }, 'a'), 1)
  t.equal(own({ a: undefined }, 'a'), undefined)
  t.equal(own(Object.create({ a: 1 }) as object, 'a'), undefined)
  t.equal(own({}, 'toString'), undefined)
  t.end()
})
