// Checked by tsc and never run: each @ts-expect-error fails the check when what
// it stands before is no error any more.
import Fastify, { type FastifyRequest } from 'fastify'
import authPlugin, {
  AuthError, authErrorHandler, authServerOptions, createSigner, errorResponses, InsufficientRolesError, securityContext, signRequest, TokenError, UserAlreadyExistsError, UserNotFoundError, validateOptions,
  type AuthPluginOptions, type Bouncer, type Claims, type DocumentedError, type Guard, type Guards, type Role, type RouteAuth, type Signer, type User, type ValueSigner
} from 'fastify-bouncer'

type Same<Left, Right> = (<T>() => T extends Left ? 1 : 2) extends (<T>() => T extends Right ? 1 : 2) ? true : false
function is<Check extends true> (): Check | undefined { return undefined }

const app = Fastify({ ...authServerOptions, logger: true })
await app.register(authPlugin, { issuer: 'i', audience: 'a', jwt: { secret: 's' } })

// What the instance and the request have.
is<Same<typeof app.bouncer, Bouncer>>()
is<Same<Bouncer['guards'], Guards>>()
is<Same<FastifyRequest['user'], User | null>>()
is<Same<ReturnType<FastifyRequest['authenticate']>, Promise<User>>>()
is<Same<ReturnType<typeof app.requireRole>, Guard>>()
is<Same<Role, string>>()
is<Same<Claims, Readonly<Record<string, unknown>>>>()

app.get('/user', { preHandler: app.requireUser() }, async (request) => {
  // @ts-expect-error the user may be null
  const id: string = request.user.id
  // @ts-expect-error users have no such property
  const name = request.user?.name
  // @ts-expect-error roles cannot be changed
  request.user?.roles.push('admin')
  // @ts-expect-error nor can the user
  if (request.user !== null) request.user.id = 'other'
  // @ts-expect-error claims are unknown until they are narrowed
  const sub: string = request.user?.claims.sub
  const method: 'bearer' | 'basic' | undefined = request.user?.method
  return [id, name, sub, method, await request.authenticate() satisfies User]
})

// Guards stand in onRequest, preValidation and preHandler, alone and in lists.
app.get('/guards', { onRequest: app.requireUser(), preValidation: app.requireUser(), preHandler: [app.requireRole('a'), app.requireAllRoles('a', 'b')] }, async () => 'in')
app.get('/lists', { onRequest: [app.optionalUser(), app.requireGroup('g')], preHandler: app.requireAllScopes('s') }, async () => 'in')
app.route({ method: 'GET', url: '/route', onRequest: app.bouncer.guards.requireRole('a'), handler: async () => 'in' })
app.addHook('onRequest', app.requireUser())
app.addHook('preHandler', app.requireAllGroups('g'))
app.setNotFoundHandler({ preHandler: app.requireUser() }, async () => 'nothing')
app.get('/inline', async (request, reply) => {
  const called = app.requireRole('admin')(request, reply)
  is<Same<typeof called, Promise<void>>>()
  await called
})

// @ts-expect-error a guard has to be made first
app.get('/uncalled', { preHandler: app.requireUser }, async () => 'in')
// @ts-expect-error a guard has to be made first
app.get('/uncalled', { onRequest: [app.requireRole] }, async () => 'in')
// @ts-expect-error at least one name
app.requireRole()
// @ts-expect-error at least one name
app.requireAllScopes()
// @ts-expect-error names, not lists
app.requireGroup(['g'])
// @ts-expect-error names are strings
app.requireAllGroups(1)
// @ts-expect-error no names
app.requireUser('admin')

// Signatures.
const signer = createSigner({ secret: ['next', 'old'], purpose: 'downloads' })
const unsalted = createSigner({ secret: 's', unsalted: true })
is<Same<typeof signer, Signer>>()
is<Same<typeof unsalted, ValueSigner>>()
is<Same<ReturnType<typeof signer.unsign>, string>>()
is<Same<ReturnType<typeof signRequest>, Record<string, string>>>()
is<Same<FastifyRequest['signedBy'], string | null>>()
app.get('/signed-url', { onRequest: app.requireSignedUrl({ signer }) }, async () => 'in')
app.post('/signed-request', { preHandler: [app.requireSignedRequest({ keys: { a: 's', b: ['s', new Uint8Array(32)] }, window: 60, headers: ['content-type'] })] }, async () => 'in')
app.post('/looked-up', { preHandler: app.requireSignedRequest({ keys: async (keyId) => keyId === 'a' ? 's' : null, remember: async (key: string, ttl: number) => key !== String(ttl) }) }, async () => 'in')
fetch('/', { headers: signRequest({ keyId: 'a', secret: 's', url: '/' }) })
// @ts-expect-error what the values are for
createSigner({ secret: 's' })
// @ts-expect-error one or the other
createSigner({ secret: 's', purpose: 'p', unsalted: true })
// @ts-expect-error seconds, by name
signer.unsign('v', 3600)
// @ts-expect-error no such option
signer.unsign('v', { max_age: 3600 })
// @ts-expect-error every URL has an end
signer.signUrl('/a')
// @ts-expect-error values alone
app.requireSignedUrl({ signer: unsalted })
// @ts-expect-error whose requests
app.requireSignedRequest({})

// What a route says of itself.
app.get('/anonymous', { config: { auth: false } }, async () => 'in')
app.get('/any', { config: { auth: true } }, async () => 'in')
app.get('/all', { config: { auth: { roles: ['a'], allRoles: ['b'], groups: ['g'], allGroups: ['g'], scopes: ['s'], allScopes: ['s'], errors: [UserNotFoundError, AuthError] } } }, async () => 'in')
const orderNotFound: DocumentedError = { errorClass: UserNotFoundError, code: 'ORDER_NOT_FOUND' }
app.get('/coded', { config: { auth: { errors: [AuthError, { errorClass: UserNotFoundError, code: 'ORDER_NOT_FOUND' }, orderNotFound] } } }, async () => 'in')
app.get('/written', { schema: { response: errorResponses(AuthError, orderNotFound, { errorClass: UserNotFoundError, code: 'A' }) } }, async () => 'in')
app.get('/step-up', { config: { auth: { roles: ['a'], maxAge: 300, factors: 2 } } }, async (request) => {
  const machine: true | undefined = request.user?.machine
  const clientId: string | undefined = request.user?.clientId
  return [machine, clientId]
})
// @ts-expect-error two factors are all that can be asked for
app.get('/three', { config: { auth: { factors: 3 } } }, async () => 'in')
app.get('/optional', { config: { auth: { optional: true } } }, async () => 'in')
const frozen = { auth: { roles: ['a'] } } as const
app.get('/frozen', { config: frozen }, async () => 'in')
// @ts-expect-error no such key
const unknownKey: RouteAuth = { role: ['admin'] }
// @ts-expect-error a list
const noList: RouteAuth = { roles: 'admin' }
// @ts-expect-error true or false
const noFlag: RouteAuth = { optional: 'yes' }
// @ts-expect-error error classes of this package
const foreignErrors: RouteAuth = { errors: [Error] }
// @ts-expect-error error classes of this package
errorResponses({ errorClass: Error, code: 'A' })
// @ts-expect-error a class, and the code that it has here
errorResponses({ errorClass: UserNotFoundError })
// @ts-expect-error nothing else
errorResponses({ errorClass: UserNotFoundError, code: 'A', status: 404 })
// Fastify infers a type for `config`, so that unknown keys pass here; they are
// refused when the route is declared. Values of known keys are checked.
// @ts-expect-error names are strings
app.get('/wrong', { config: { auth: { roles: [1] } } }, async () => 'in')
// @ts-expect-error a list
app.route({ method: 'GET', url: '/wrong', config: { auth: { scopes: 'read' } }, handler: async () => 'in' })

// Options.
validateOptions({ issuer: 'i', audience: ['a', 'b'], jwt: { jwksUrl: 'https://x', algorithms: ['RS256'], cache: 100, tokenUse: ['access', 'id'] }, roles: async () => ['admin'] })
validateOptions({ claims: 'keycloak' })
validateOptions({ claims: { preset: 'auth0', roles: [['https://example.com/roles']], machines: [[{ claim: ['kind'], is: 'app' }, { claim: ['email'], absent: true }]] } })
// @ts-expect-error no such provider
validateOptions({ claims: 'google' })
// @ts-expect-error a claim is a list of names
validateOptions({ claims: { roles: ['roles'] } })
// @ts-expect-error a sign says one thing
validateOptions({ claims: { machines: [[{ claim: ['kind'] }]] } })
validateOptions({ issuers: [{ issuer: 'i', audience: 'a', jwt: { secret: ['s', { public: 'p', private: { key: 'k', passphrase: 'p' } }] }, roles: () => [] }], protect: (route) => route.url.startsWith('/admin') })
validateOptions({ enabled: false, errorHandler: false, hook: 'preHandler', logLevel: 'silent', detail: (error, request) => request.url === '/' ? error.code : undefined })
const none: AuthPluginOptions = {}
validateOptions(none)
// @ts-expect-error no such option
validateOptions({ issuer: 'i', audiance: 'a' })
// @ts-expect-error no such option of jwt
validateOptions({ jwt: { secrets: 's' } })
// @ts-expect-error each of several issuers needs its own jwt
validateOptions({ issuers: [{ issuer: 'i', audience: 'a' }] })
// @ts-expect-error the answer comes at once
validateOptions({ protect: async () => true })
// @ts-expect-error one of three
validateOptions({ errorHandler: true })
// @ts-expect-error one of two
validateOptions({ hook: 'preParsing' })
// @ts-expect-error seconds are numbers
validateOptions({ jwt: { accessTokenTtl: '15m' } })
// @ts-expect-error roles are a list
validateOptions({ roles: () => 'admin' })

// The application's own error handler.
app.setErrorHandler((error, request, reply) => {
  if (error instanceof TokenError) return reply.code(error.statusCode).headers(error.headers).send({ message: error.detail })
  return authErrorHandler(error, request, reply)
})
app.setErrorHandler(authErrorHandler)

// The context.
is<Same<ReturnType<typeof securityContext.get>, User | null>>()
is<Same<ReturnType<typeof securityContext.requireRole>, User>>()
is<Same<ReturnType<typeof securityContext.hasScope>, boolean>>()

// Errors.
is<Same<InsufficientRolesError['requiredRoles'], ReadonlySet<string> | undefined>>()
is<Same<InsufficientRolesError['statusCode'], number>>()
export const insufficient = new InsufficientRolesError({ requiredRoles: new Set(['admin']), userRoles: ['support'], requireAll: true })
// @ts-expect-error the status belongs to the class
export const statusGiven = new InsufficientRolesError({ statusCode: 500 })
// @ts-expect-error a detail is a string
export const detailGiven = new InsufficientRolesError({ detail: { not: 'a string' } })
// @ts-expect-error of two types
export const unknownIdentifier = new UserAlreadyExistsError({ identifier: { type: 'phone', value: '1' } })
// @ts-expect-error an abstract class
export const abstractError = new AuthError()

export { foreignErrors, noFlag, noList, unknownKey }
