import { Type } from '@sinclair/typebox'
import t from 'tap'
import { authErrorHandler, authRoutes, ErrorCode, InsufficientRolesError, InvalidPasswordError, memoryStore, OAuthAccountAlreadyLinkedError, UserAlreadyExistsError } from '../../index.js'
import { accounts, cheapHash, password, tokensOf } from '../accounts.js'
import { build } from '../build.js'
import { logged } from '../log-lines.js'
import { oauthAccounts } from '../oauth.js'

// The "Exception Context Reference" of litestar-auth, from top to bottom: what it
// says of each class, and its examples as an application writes them here.

const email = 'admin@example.com'

/** A body of the page; its lines are broken for readers. */
const page = (body: string): string => JSON.stringify(JSON.parse(body))

const ALREADY_LINKED = page(`{
  "status_code": 400,
  "detail": "This provider account is already linked to another user. One provider identity can only be linked to a single local account.",
  "extra": {
    "code": "OAUTH_ACCOUNT_ALREADY_LINKED"
  }
}`)

const USER_EXISTS = page(`{
  "status_code": 400,
  "detail": "A user with the provided credentials already exists.",
  "extra": {
    "code": "USER_ALREADY_EXISTS"
  }
}`)

const INVALID_PASSWORD = page(`{
  "status_code": 400,
  "detail": "The provided password is invalid.",
  "extra": {
    "code": "UPDATE_USER_INVALID_PASSWORD"
  }
}`)

const INSUFFICIENT_ROLES = page(`{
  "status_code": 403,
  "detail": "The authenticated user does not have all of the required roles.",
  "extra": {
    "code": "INSUFFICIENT_ROLES"
  }
}`)

t.test('serialization boundary: only message and code go out, unless the application chooses otherwise', async (t) => {
  const expose = {
    UserAlreadyExistsError: {
      schema: Type.Object({ taken: Type.String({ examples: ['email'] }) }),
      pick: (error: unknown) => ({ taken: (error as UserAlreadyExistsError).identifierType })
    }
  }
  for (const [overrides, extra] of [[{}, {}], [{ expose }, { taken: 'email' }]] as const) {
    const { app, call } = await accounts(t, overrides)
    await app.bouncer.users.create({ email })
    const response = await call('POST', '/register', { email, password })
    t.strictSame(response.json(), { status_code: 400, detail: 'A user with the provided credentials already exists.', extra: { code: 'USER_ALREADY_EXISTS', ...extra } })
  }
})

t.test('OAuthAccountAlreadyLinkedError: an identity that belongs to another user', async (t) => {
  const { serverOptions, lines } = logged()
  const { app, link, signUp } = await oauthAccounts(t, {}, {}, serverOptions)
  const { oauth } = app.bouncer
  const [owner, other] = [await signUp(), await signUp()]
  await oauth.link(owner.id, { provider: 'acme', subject: 'acct-123', email: 'user@example.com' })
  const log: unknown[] = []
  try {
    await oauth.link(other.id, { provider: 'acme', subject: 'acct-123', email: 'user@example.com' })
  } catch (exc) {
    if (!(exc instanceof OAuthAccountAlreadyLinkedError)) throw exc
    log.push(['OAuth account conflict provider=%s account_id=%s existing_user_id=%s', exc.provider, exc.accountId, exc.existingUserId])
    t.match(exc.message, new RegExp(`acme.*acct-123.*${owner.id}`), 'the message, for operators, includes the three')
  }
  t.strictSame(log, [['OAuth account conflict provider=%s account_id=%s existing_user_id=%s', 'acme', 'acct-123', owner.id]])

  const response = await link(other.access_token, 'acct-123')
  t.equal(response.payload, ALREADY_LINKED)
  t.match(lines.find(({ err }) => err !== undefined), { err: { type: 'OAuthAccountAlreadyLinkedError', provider: 'acme', accountId: 'acct-123', existingUserId: owner.id } })
})

t.test('UserAlreadyExistsError: a create or an update collides with an identity', async (t) => {
  const { app, signUp } = await accounts(t)
  const { users } = app.bouncer
  await users.create({ email, username: 'root' })
  const { id } = await signUp()
  const collisions = [
    ['email', email, async () => await users.create({ email: ' Admin@Example.com' })],
    ['username', 'root', async () => await users.create({ email: 'other@example.com', username: 'ROOT' })],
    ['email', email, async () => await users.update(id, { email })],
    ['username', 'root', async () => await users.update(id, { username: 'root' })],
    ['email', email, async () => await app.bouncer.profile.update(id, { email, current_password: password })],
    ['email', email, async () => await app.bouncer.register({ email, password })]
  ] as const
  const log: unknown[] = []
  for (const [type, value, collide] of collisions) {
    try {
      await collide()
    } catch (exc) {
      if (!(exc instanceof UserAlreadyExistsError)) throw exc
      log.push(['Duplicate user identifier_type=%s identifier_value=%r', exc.identifierType, exc.identifierValue])
      t.strictSame(exc.identifier, { type, value })
      t.equal(exc.message, 'A user with the provided credentials already exists.', 'generic even where there is context')
    }
  }
  t.strictSame(log, collisions.map(([type, value]) => ['Duplicate user identifier_type=%s identifier_value=%r', type, value]))
})

t.test('UserAlreadyExistsError: the response, and the log of the operator', async (t) => {
  const { serverOptions, lines } = logged()
  const { app, call, signUp } = await accounts(t, {}, {}, serverOptions)
  const { access_token: access } = await signUp({ roles: ['admin'] })
  const { id } = await app.bouncer.users.create({ email, username: 'root' })
  const { access_token: other } = await signUp()
  for (const response of [
    await call('POST', '/register', { email, password }),
    await call('PATCH', '/me', { username: 'root' }, other),
    await call('PATCH', `/users/${id}`, { email: 'user1@example.com' }, access)
  ]) t.equal(response.payload, USER_EXISTS)
  const logs = lines.filter(({ err }) => (err as { code?: string } | undefined)?.code === 'USER_ALREADY_EXISTS')
  t.match(logs.map(({ err }) => (err as { identifier: unknown }).identifier), [{ type: 'email', value: email }, { type: 'username', value: 'root' }, { type: 'email', value: 'user1@example.com' }])
})

t.test('InvalidPasswordError: validation, or verification, of a password fails', async (t) => {
  const { app, signUp } = await accounts(t)
  const { id } = await signUp()
  const log: unknown[] = []
  for (const update of [
    async () => await app.bouncer.users.update(id, { password: 'short' }),
    async () => { await app.bouncer.users.setPassword(id, 'short') },
    async () => { await app.bouncer.passwords.change(id, { current_password: password, new_password: 'short' }) },
    async () => { await app.bouncer.passwords.change(id, { current_password: 'wrong password', new_password: 'another good password' }) },
    async () => await app.bouncer.profile.update(id, { email, current_password: 'wrong password' })
  ]) {
    try {
      await update()
    } catch (exc) {
      if (!(exc instanceof InvalidPasswordError)) throw exc
      log.push(['Password validation failed user_id=%s', exc.userId])
      t.notOk(exc.message.includes(id), 'who it was is not in the message')
    }
  }
  t.strictSame(log, Array(5).fill(['Password validation failed user_id=%s', id]))
})

t.test('InvalidPasswordError: the response, and the log of the operator', async (t) => {
  const { serverOptions, lines } = logged()
  const { call, signUp } = await accounts(t, {}, {}, serverOptions)
  const { id, access_token: access } = await signUp()
  const response = await call('POST', '/me/password', { current_password: 'wrong password', new_password: 'another good password' }, access)
  t.equal(response.payload, INVALID_PASSWORD)
  t.equal(response.json().extra.code, ErrorCode.UPDATE_USER_INVALID_PASSWORD)
  t.match(lines.find(({ err }) => err !== undefined), { err: { type: 'InvalidPasswordError', userId: id } })
})

t.test('InsufficientRolesError: the guard raises it, and a handler of the application looks into it', async (t) => {
  const app = await build(t, { errorHandler: false, store: memoryStore(), passwords: cheapHash })
  const log: unknown[] = []
  app.setErrorHandler((exc, request, reply) => {
    if (exc instanceof InsufficientRolesError) {
      log.push(['Role denial require_all=%s required_roles=%s user_roles=%s', exc.requireAll, [...exc.requiredRoles ?? []].sort(), [...exc.userRoles ?? []].sort()])
    }
    return authErrorHandler(exc, request, reply)
  })
  await app.register(authRoutes, { prefix: '/auth' })
  app.get('/billing', { preHandler: [app.requireAllRoles('billing', 'admin')] }, async () => 'reached')
  await app.bouncer.users.create({ email, password, roles: ['support'] })
  const { access_token: access } = await tokensOf(app.bouncer.login({ email, password }))
  const headers = { authorization: `Bearer ${access}` }
  const response = await app.inject({ url: '/billing', headers })
  t.equal(response.statusCode, 403)
  t.equal(response.payload, INSUFFICIENT_ROLES)
  const users = await app.inject({ url: '/auth/users', headers })
  t.equal(users.payload, INSUFFICIENT_ROLES.replace(' all ', ' any '))
  t.strictSame(log, [
    ['Role denial require_all=%s required_roles=%s user_roles=%s', true, ['admin', 'billing'], ['support']],
    ['Role denial require_all=%s required_roles=%s user_roles=%s', false, ['admin'], ['support']]
  ])
})
