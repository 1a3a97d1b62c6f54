import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { AuthError } from '../errors/auth-error.js'
import { ConfigurationError } from '../errors/operation.js'
import { identityOf } from './authenticate.js'
import type { CodedClass } from './documented-error.js'
import { ADMITTED, createGuard, policyOf, type Enforcer, type Guard } from './guards.js'
import { asksForUsers, bodyHooks, combine, userPolicy, type Policy } from './policy.js'
import type { Refuser } from './refusal.js'
import { looksDeclared, readDeclaration } from './route-auth.js'
import { contradiction, outOfScope, overwritten, tooEarly } from './route-mistakes.js'
import type { ScopeGuards } from './scope-guards.js'

/** A route that was declared after the plugin, and what it asks for by itself. */
export interface KnownRoute {
  readonly options: RouteOptions
  readonly instance: FastifyInstance
  /** `config.auth`, as it was when the route was declared. */
  readonly auth: unknown
  readonly anonymous: boolean
  /** From `config.auth`, `protect`, and guards among the route's own hooks. */
  policies: readonly Policy[]
  /** From `config.auth.errors`. */
  readonly errors: readonly CodedClass[]
  readonly mark: RouteMark
}

/** What `onRoute` leaves on a route. */
interface RouteMark {
  /** Asks for what other plugins have added to the route, or taken from its hooks. */
  guard: Guard | undefined
}

export type Protect = 'declared' | 'all' | ((route: RouteOptions) => boolean)

export interface RouteOptionsOfPlugin {
  protect: Protect
  hook: 'onRequest' | 'preHandler'
  scopeGuards: ScopeGuards
  enforce: Enforcer
  refuse: Refuser
  /** Wraps a route's error handler; undefined where errors are the application's. */
  errorHandler: ((own: RouteOptions['errorHandler']) => NonNullable<RouteOptions['errorHandler']>) | undefined
}

/** Marks the configuration of routes that `onRoute` saw. */
export const knownKey = Symbol('fastify-bouncer.route')

declare module 'fastify' {
  interface FastifyContextConfig {
    [knownKey]?: RouteMark
  }
}

/** The hooks a route can have. Guards belong in some, and are refused in the others. */
const STAGES = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse', 'onTimeout', 'onError', 'onRequestAbort'] as const

/** Guards the routes of an instance as they are declared, and returns them, growing. */
export function guardRoutes (instance: FastifyInstance, options: RouteOptionsOfPlugin): readonly KnownRoute[] {
  const known: KnownRoute[] = []

  instance.addHook('onRoute', function (route) {
    known.push(guardRoute(this, route, options))
  })

  instance.addHook('onReady', async () => {
    for (const route of known) review(route, options)
  })

  instance.addHook('preParsing', (request, reply, payload, done) => {
    stopUnchecked(request, reply, options, (error) => { error === undefined ? done(null, payload) : done(error as never) })
  })

  // Fastify's own handler answers with the message, which may hold what only
  // operators should see. Handlers of the application's get it as it is.
  instance.addHook('onError', (request, _reply, error, done) => {
    if (error instanceof AuthError && isForFastify(request, options)) error.message = error.detail
    done()
  })

  return known
}

function isForFastify (request: FastifyRequest, { errorHandler }: RouteOptionsOfPlugin): boolean {
  return errorHandler === undefined ? request.server.errorHandler.name.endsWith('defaultErrorHandler') : !isKnown(request)
}

function guardRoute (instance: FastifyInstance, route: RouteOptions, options: RouteOptionsOfPlugin): KnownRoute {
  refuseMisplaced(route)
  const declaration = readDeclaration(route.config)
  const guards = policiesOf(route)
  const anonymous = declaration.kind === 'anonymous'
  if (anonymous && asksForUsers(guards)) throw contradiction(route)
  const declared = declaration.kind === 'asking' ? declaration.policy : undefined
  const policy = declared ?? (!anonymous && isProtected(options.protect, route) ? userPolicy : undefined)
  const mark: RouteMark = { guard: undefined }
  // New arrays and objects throughout: those given may serve several routes.
  if (policy !== undefined) {
    const guard = createGuard(policy, declared === undefined ? sparingPreflights(options.enforce, route) : options.enforce, options.refuse)
    route[options.hook] = [guard, ...listOf(route[options.hook])] as never
  }
  route.preParsing = [...guards.flatMap(bodyHooks), ...listOf(route.preParsing)] as never
  const auth = authOf(route)
  route.config = { ...route.config, [knownKey]: mark }
  route.onRequest = [note(mark), ...listOf(route.onRequest)] as never
  if (options.errorHandler !== undefined) route.errorHandler = options.errorHandler(route.errorHandler)
  return {
    options: route,
    instance,
    auth,
    anonymous,
    policies: policy === undefined ? guards : [policy, ...guards],
    errors: declaration.kind === 'asking' ? declaration.errors : [],
    mark
  }
}

/**
 * Looks at a route again when all plugins are loaded. An `onRoute` hook that ran
 * after ours, such as that of a child scope, may have taken guards from it,
 * wrapped them out of sight, or given it another `config`.
 */
function review (route: KnownRoute, options: RouteOptionsOfPlugin): void {
  const { options: routeOptions, mark, anonymous } = route
  if (anonymous && asksForUsers(options.scopeGuards(route.instance))) throw contradiction(routeOptions)
  const left = policiesOf(routeOptions)
  const asked = route.policies.filter((policy) => !left.includes(policy))
  const added = authOf(routeOptions) === route.auth ? undefined : readDeclaration(routeOptions.config)
  const marked = routeOptions.config?.[knownKey] === mark
  // What was asked for cannot be withdrawn, nor a mark be found that is gone.
  if (added?.kind === 'anonymous' || (!marked && (asked.length > 0 || mayAsk(routeOptions, options.protect)))) throw overwritten(routeOptions)
  if (added?.kind === 'asking') {
    asked.push(added.policy)
    route.policies = [...route.policies, added.policy]
  }
  if (asked.length > 0) mark.guard = createGuard(combine(asked), options.enforce, options.refuse)
}

// Asking Fastify for the configuration of a request's route makes a new object
// each time; a hook of the route has its mark.
function note (mark: RouteMark): (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void {
  return (request, reply, done) => {
    identityOf(request).known = true
    if (mark.guard === undefined) done()
    else mark.guard(request, reply, done)
  }
}

/** Whether `onRoute` saw the route of this request. */
export function isKnown (request: FastifyRequest): boolean {
  // First: reply.callNotFound() makes a 404 of a request whose route was known.
  return !request.is404 && (identityOf(request).known || request.routeOptions.config[knownKey] !== undefined)
}

/**
 * The last line, for routes whose hook did not run: those that `onRoute` never
 * saw (declared too early, or in a child that was registered before) are refused
 * where they ask for a user; where another plugin took all hooks away, ours is
 * made up for.
 */
function stopUnchecked (request: FastifyRequest, reply: FastifyReply, options: RouteOptionsOfPlugin, done: (error?: Error) => void): void {
  if (identityOf(request).known || request.is404) { done(); return }
  const route = request.routeOptions
  const mark = route.config[knownKey]
  if (mark !== undefined) note(mark)(request, reply, done)
  else if (asksUnseen(request, options.protect)) options.refuse(tooEarly(route.method, route.url), request, reply, done)
  else done()
}

function policiesOf (route: RouteOptions): Policy[] {
  return STAGES.flatMap((stage) => listOf<unknown>(route[stage]).map((hook) => policyOf(hook, stage))).filter((policy) => policy !== undefined)
}

// Fastify ignores keys it does not know, and with them the guard.
function refuseMisplaced (route: RouteOptions): void {
  const stages: readonly string[] = STAGES
  for (const [key, value] of Object.entries(route)) {
    if (!stages.includes(key) && listOf<unknown>(value).some((hook) => policyOf(hook, 'preHandler') !== undefined)) {
      throw new ConfigurationError({ option: key, message: `${String(route.method)} ${route.url} has a guard under ${key}, which is no hook of Fastify's. Give it as onRequest or preHandler.` })
    }
    if (key === 'auth' && looksDeclared(value)) {
      throw new ConfigurationError({ option: key, message: `${String(route.method)} ${route.url} has auth beside config. Write config: { auth: ... }.` })
    }
  }
}

/**
 * Refuses routes outside the scope of this plugin that ask for a user by
 * `config.auth`: nobody would check it. It happens where a plugin of the
 * application's registers this one without being wrapped by fastify-plugin.
 */
export function watchOutside (instance: FastifyInstance, refuse: Refuser): void {
  const outermost = outermostOf(instance)
  if (outermost === instance) return
  outermost.addHook('preParsing', (request, reply, payload, done) => {
    const { config, method, url } = request.routeOptions
    if (request.is404 || config[knownKey] !== undefined || !looksDeclared(authOf({ config }))) done(null, payload)
    else refuse(outOfScope(method, url), request, reply, done as never)
  })
}

function outermostOf (instance: FastifyInstance): FastifyInstance {
  const parent = Object.getPrototypeOf(instance) as FastifyInstance
  return typeof parent.addHook === 'function' ? outermostOf(parent) : instance
}

function authOf ({ config }: Pick<RouteOptions, 'config'>): unknown {
  return config !== undefined && Object.hasOwn(config, 'auth') ? config.auth : undefined
}

function asksUnseen (request: FastifyRequest, protect: Protect): boolean {
  const route = request.routeOptions as unknown as RouteOptions
  // @fastify/cors, registered before, has such a route.
  return mayAsk(route, protect) && !(authOf(route) === undefined && isForPreflights(route) && isPreflight(request))
}

// A function is not asked: what is left of an unseen route is not what it is
// written for, so that it could not be relied on.
function mayAsk (route: RouteOptions, protect: Protect): boolean {
  const { kind } = readDeclaration(route.config)
  return kind === 'silent' ? protect !== 'declared' : kind === 'asking'
}

function isProtected (protect: Protect, route: RouteOptions): boolean {
  if (typeof protect === 'string') return protect === 'all'
  const answer = protect(route)
  if (typeof answer === 'boolean') return answer
  throw new ConfigurationError({ option: 'protect', message: `protect answered ${typeof answer} for ${String(route.method)} ${route.url}. It must answer true or false, at once.` })
}

// A preflight never carries credentials (Fetch standard, section 3.2.2). Only
// routes for OPTIONS alone are spared: one for several methods may do anything.
function isForPreflights (route: RouteOptions): boolean {
  return listOf(route.method).every((method) => method === 'OPTIONS')
}

function isPreflight ({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

function sparingPreflights (enforce: Enforcer, route: RouteOptions): Enforcer {
  if (!isForPreflights(route)) return enforce
  return (request, policy) => {
    return isPreflight(request) ? ADMITTED : enforce(request, policy)
  }
}

function listOf<Item> (value: Item | Item[] | undefined): Item[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}
