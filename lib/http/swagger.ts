import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { FastifyInstance } from 'fastify'
import type { AuthErrorClass } from '../errors/auth-error.js'
import { AccountUnavailableError, AuthenticationError, InvalidAuthorizationError, InvalidCredentialsError, MissingTokenError, TokenExpiredError, TokenInvalidError, TokenRevokedError } from '../errors/authentication.js'
import { RateLimitError } from '../errors/account.js'
import { AuthUnavailableError } from '../errors/operation.js'
import { withOwnCode, type CodedClass } from './documented-error.js'
import { completeDocument, operationKey, type OperationDocs, type Scheme } from './openapi.js'
import { bearerOnlyKey } from './authenticate.js'
import { combine } from './policy.js'
import type { Exposure } from './refusal.js'
import { errorsOf, type Json, type Refusal } from './response-docs.js'
import type { KnownRoute } from './routes.js'
import type { ScopeGuards } from './scope-guards.js'

export interface DocumentationOptions {
  routes: readonly KnownRoute[]
  scopeGuards: ScopeGuards
  settings: {
    errorHandler: 'auth' | 'all' | false
    expose: Record<string, Exposure>
    /** Whether authentication depends on something that may be down. */
    mayBeUnavailable: boolean
    /** Whether tokens can die before they expire. */
    revocable: boolean
    /** Whether bearer tokens are taken. */
    issuers: readonly unknown[]
    /** HTTP Basic, and whether an application's own check stands behind it. */
    basic: { counted: boolean } | undefined
  }
}

type Swagger = (options?: { yaml?: boolean }) => unknown

/**
 * Documents the routes for `@fastify/swagger`: the function `swagger` of every
 * instance from a route outwards answers with the completed document. Routes
 * keep their schemas, so that no response is ever serialised by what the
 * document says.
 */
export function documentRoutes (instance: FastifyInstance, { routes, scopeGuards, settings }: DocumentationOptions): void {
  const docsOf = documentation(scopeGuards, settings)
  const schemes: Scheme[] = [...settings.issuers.length > 0 ? ['bearer' as const] : [], ...settings.basic === undefined ? [] : ['basic' as const]]
  const completed = new WeakSet<object>()

  // Not as late as onReady: a hook of the application's may ask for the document there.
  instance.addHook('onRoute', function () {
    for (const owner of swaggerOwners(this)) {
      if (completed.has(owner)) continue
      completed.add(owner)
      owner.swagger = completing(owner.swagger, routes, docsOf, schemes)
    }
  })
}

/** Tells what the document says of a route. */
function documentation (scopeGuards: ScopeGuards, { errorHandler, expose, mayBeUnavailable, revocable, issuers, basic }: DocumentationOptions['settings']): (route: KnownRoute) => OperationDocs {
  const refusalOf = ({ errorClass, code }: CodedClass): Refusal => ({
    errorClass,
    code,
    exposed: Object.hasOwn(expose, errorClass.name) ? expose[errorClass.name]?.schema.properties : undefined
  })

  return (route) => {
    const guards = scopeGuards(route.instance)
    const bearerOnly = bearerOnlyKey in route.instance
    const written = errorsOf(route.options.schema).map(refusalOf)
    const policies = [...guards, ...route.policies]
    if (policies.length === 0) return { access: route.anonymous ? openAccess(written) : undefined, proofs: [], refusals: [], written, bearerOnly }
    const { asks, proofs, refusals } = combine(policies)
    const asksUser: AuthErrorClass[] = [
      InvalidAuthorizationError,
      ...(asks === 'optional' ? [] : [MissingTokenError]),
      ...(issuers.length > 0 ? [TokenExpiredError, TokenInvalidError] : []),
      ...(basic === undefined || bearerOnly ? [] : [InvalidCredentialsError]),
      // Only the account system counts attempts.
      ...(basic?.counted === true && !bearerOnly ? [RateLimitError] : []),
      ...(revocable ? [TokenRevokedError, AccountUnavailableError, AuthenticationError] : []),
      ...refusals,
      ...(mayBeUnavailable ? [AuthUnavailableError] : [])
    ]
    const classes = asks === 'nobody' ? refusals : asksUser
    return {
      access: asks === 'nobody' ? openAccess(written) : asks,
      proofs: proofs.map(({ scheme }) => scheme),
      bearerOnly,
      refusals: errorHandler === false ? [] : [...classes.map(withOwnCode), ...route.errors].map(refusalOf),
      written
    }
  }
}

/** A route without a guard that can still miss a token reads one itself: clients have to know that they may send it. */
function openAccess (written: readonly Refusal[]): 'anonymous' | 'optional' {
  return written.some(({ errorClass }) => errorClass === MissingTokenError) ? 'optional' : 'anonymous'
}

/** The instances, from this one outwards, that `@fastify/swagger` was registered in. */
function swaggerOwners (instance: FastifyInstance): Array<{ swagger: Swagger }> {
  const owners = []
  for (let scope: object | null = instance; scope !== null; scope = Object.getPrototypeOf(scope)) {
    if (Object.hasOwn(scope, 'swagger') && typeof (scope as { swagger: unknown }).swagger === 'function') owners.push(scope as { swagger: Swagger })
  }
  return owners
}

function completing (swagger: Swagger, routes: readonly KnownRoute[], docsOf: (route: KnownRoute) => OperationDocs, schemes: readonly Scheme[]): Swagger {
  let document: Json | undefined
  let text: string | undefined
  return (options) => {
    if (document === undefined) {
      const docs = new Map(routes.map((route) => [route, docsOf(route)]))
      const made = whileMarked(routes.filter((route) => saysAnything(docs.get(route))), swagger)
      // Made from other things than routes: a static document.
      if (made.marks.size === 0) return swagger(options)
      const byAddress = new Map(routes.flatMap((route) => addresses(route).map((address) => [address, route])))
      document = made.document as Json
      completeDocument(document, schemes, (mark, address) => docs.get(made.marks.get(mark) ?? byAddress.get(address) as KnownRoute))
    }
    if (options?.yaml !== true) return document
    return (text ??= yaml(document))
  }
}

function saysAnything (docs: OperationDocs | undefined): boolean {
  return docs !== undefined && (docs.access !== undefined || docs.written.length > 0)
}

/**
 * Makes the document while the schema of each route carries a mark, by which
 * its operation is found again whatever a transform does to its address.
 * Answers with the marks of the routes that were read.
 */
function whileMarked (routes: readonly KnownRoute[], swagger: Swagger): { document: unknown, marks: Map<unknown, KnownRoute> } {
  const marks = new Map<unknown, KnownRoute>()
  const restore = routes.map((route) => {
    const { options } = route
    const { schema } = options
    const marked = { ...schema, [operationKey]: randomUUID() }
    Object.defineProperty(options, 'schema', {
      configurable: true,
      enumerable: true,
      get () {
        marks.set(marked[operationKey], route)
        return marked
      }
    })
    return () => { Object.defineProperty(options, 'schema', { configurable: true, enumerable: true, writable: true, value: schema }) }
  })
  try {
    return { document: swagger(), marks }
  } finally {
    for (const undo of restore) undo()
  }
}

/** Where a document shows a route, unless a transform has moved it. */
function addresses ({ options: { method, url } }: KnownRoute): string[] {
  return [method].flat().map((name) => `${name.toLowerCase()} ${url.replaceAll(/:(\w+)(\([^)]*\))?/g, '{$1}')}`)
}

// Loaded on first use, and at once, because swagger() answers at once.
function yaml (document: Json): string {
  const { stringify } = createRequire(import.meta.url)('yaml') as typeof import('yaml')
  return stringify(document, { strict: false, aliasDuplicateObjects: false })
}
