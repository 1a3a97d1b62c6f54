import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { AuthError, type AuthErrorClass } from '../errors/auth-error.js'
import { ConfigurationError } from '../errors/operation.js'
import { identityOf, type RouteMark } from './authenticate.js'
import { ADMITTED, createGuard, policyOf, type Enforcer, type Refuser } from './guards.js'
import { combine, userPolicy, type Policy } from './policy.js'
import { readDeclaration } from './route-auth.js'

/** A route that was declared after the plugin, and what it asks for by itself. */
export interface KnownRoute {
  readonly options: RouteOptions
  readonly instance: FastifyInstance
  readonly anonymous: boolean
  /** From `config.auth`, `protect`, and guards among the route's own hooks. */
  readonly policies: readonly Policy[]
  /** From `config.auth.errors`. */
  readonly errors: readonly AuthErrorClass[]
}

export type Protect = 'declared' | 'all' | ((route: RouteOptions) => boolean)

export interface RouteOptionsOfPlugin {
  protect: Protect
  hook: 'onRequest' | 'preHandler'
  enforce: Enforcer
  refuse: Refuser
  /** Wraps a route's error handler; undefined where errors are the application's. */
  errorHandler: ((own: RouteOptions['errorHandler']) => NonNullable<RouteOptions['errorHandler']>) | undefined
}

/** Marks the configuration of routes that `onRoute` saw, with the policy that the route declares. */
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
  const known: Array<KnownRoute & { mark: RouteMark }> = []

  instance.addHook('onRoute', function (route) {
    const declaration = readDeclaration(route.config)
    const guards = policiesOf(route)
    const anonymous = declaration.kind === 'anonymous'
    if (anonymous && guards.length > 0) throw contradiction(route)
    const declared = declaration.kind === 'asking' ? declaration.policy : undefined
    const policy = declared ?? (!anonymous && isProtected(options.protect, route) ? userPolicy : undefined)
    // New arrays and objects throughout: those given are the application's, and
    // may serve several routes.
    if (policy !== undefined) {
      const guard = createGuard(policy, declared === undefined ? sparingPreflights(options.enforce, route) : options.enforce, options.refuse)
      route[options.hook] = [guard, ...listOf(route[options.hook])] as never
    }
    const mark: RouteMark = { policy: options.hook === 'onRequest' ? policy : undefined, lost: undefined }
    route.config = { ...route.config, [knownKey]: mark }
    route.onRequest = [note(mark), ...listOf(route.onRequest)] as never
    if (options.errorHandler !== undefined) route.errorHandler = options.errorHandler(route.errorHandler)
    known.push({
      options: route,
      instance: this,
      anonymous,
      policies: policy === undefined ? guards : [policy, ...guards],
      errors: declaration.kind === 'asking' ? declaration.errors : [],
      mark
    })
  })

  instance.addHook('onReady', async () => {
    for (const { options: route, policies, mark } of known) recover(route, policies, mark, options.protect)
  })

  instance.addHook('preParsing', (request, reply, payload, done) => {
    stopUnchecked(request, reply, options, (error) => { error === undefined ? done(null, payload) : done(error as never) })
  })

  // A route without a handler of ours answers as Fastify does, with the message;
  // ours may hold what only operators should see.
  instance.addHook('onError', (request, _reply, error, done) => {
    if (options.errorHandler !== undefined && error instanceof AuthError && !isKnown(request)) error.message = error.detail
    done()
  })

  return known
}

// Asking Fastify for the configuration of a request's route makes a new object
// each time; a hook of the route knows it.
function note (mark: RouteMark) {
  return (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    identityOf(request).route = mark
    done()
  }
}

function markOf (request: FastifyRequest): RouteMark | undefined {
  return identityOf(request).route ?? (request.is404 ? undefined : request.routeOptions.config[knownKey])
}

/** Whether `onRoute` saw the route of this request. */
export function isKnown (request: FastifyRequest): boolean {
  return markOf(request) !== undefined
}

/**
 * The last line: a route that asks for a user and whose guard has not let this
 * request pass. Either `onRoute` never saw it (declared too early, or in a child
 * that was registered before), or somebody else's `onRoute` took the guard away.
 */
function stopUnchecked (request: FastifyRequest, reply: FastifyReply, options: RouteOptionsOfPlugin, done: (error?: Error) => void): void {
  const mark = markOf(request)
  if (mark === undefined) { stopUnseen(request, reply, options, done); return }
  const unmet = mark.lost ?? (identityOf(request).admitted === mark.policy ? undefined : mark.policy)
  if (unmet === undefined) done()
  else createGuard(unmet, options.enforce, options.refuse)(request, reply, done)
}

function stopUnseen (request: FastifyRequest, reply: FastifyReply, options: RouteOptionsOfPlugin, done: (error?: Error) => void): void {
  const route = request.routeOptions
  if (!request.is404 && asksUnseen(route as unknown as RouteOptions, options.protect, request)) {
    options.refuse(tooEarly(route.method, route.url), request, reply, done)
  } else {
    done()
  }
}

/**
 * Finds guards that an `onRoute` hook after ours took from a route, or wrapped
 * out of sight, and has {@link stopUnchecked} ask for them.
 */
function recover (route: RouteOptions, policies: readonly Policy[], mark: RouteMark, protect: Protect): void {
  const left = policiesOf(route)
  const lost = policies.filter((policy) => !left.includes(policy))
  const marked = route.config?.[knownKey] === mark
  if (!marked && (lost.length > 0 || asksUnseen(route, protect))) throw overwritten(route)
  if (marked && lost.length > 0) mark.lost = combine(lost)
}

function policiesOf (route: RouteOptions): Policy[] {
  return STAGES.flatMap((stage) => listOf<unknown>(route[stage]).map((hook) => policyOf(hook, stage))).filter((policy) => policy !== undefined)
}

function asksUnseen (route: RouteOptions, protect: Protect, request?: FastifyRequest): boolean {
  const { kind } = readDeclaration(route.config)
  if (kind !== 'silent') return kind === 'asking'
  // @fastify/cors, registered before, has such a route.
  const spared = request !== undefined && isForPreflights(route) && isPreflight(request)
  return !spared && isProtected(protect, route)
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
    if (!isPreflight(request)) return enforce(request, policy)
    identityOf(request).admitted = policy
    return ADMITTED
  }
}

function listOf<Item> (value: Item | Item[] | undefined): Item[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

/** Refuses a guard before a route that says it is open to all. */
export function contradiction ({ method, url }: RouteOptions): ConfigurationError {
  return new ConfigurationError({ option: 'config.auth', message: `${String(method)} ${url} is anonymous (config.auth is false) and has a guard before it. Keep one of them.` })
}

function overwritten ({ method, url }: RouteOptions): ConfigurationError {
  return new ConfigurationError({ option: 'config', message: `${String(method)} ${url} asks for a user, and an onRoute hook of another plugin replaced its config. Have that hook keep what is there: { ...route.config }.` })
}

function tooEarly (method: unknown, url: unknown): ConfigurationError {
  return new ConfigurationError({ option: 'register', message: `${String(method)} ${String(url)} asks for a user and was declared before fastify-bouncer had loaded. Write await app.register(authPlugin, ...), and declare routes after it.` })
}
