import type { FastifyInstance } from 'fastify'
import type { AuthErrorClass } from '../errors/auth-error.js'
import { InvalidAuthorizationError, MissingTokenError, TokenExpiredError, TokenInvalidError } from '../errors/authentication.js'
import { errorClasses } from '../errors.js'
import { AuthUnavailableError } from '../errors/operation.js'
import { completeDocument, operationKey, type OperationDocs } from './openapi.js'
import { combine } from './policy.js'
import type { Exposure } from './refusal.js'
import type { Json, Refusal } from './response-docs.js'
import { contradiction, type KnownRoute } from './routes.js'
import type { ScopeGuards } from './scope-guards.js'

export interface DocumentationOptions {
  /** Tells the marks of this registration from another's. */
  id: string
  routes: readonly KnownRoute[]
  scopeGuards: ScopeGuards
  settings: {
    errorHandler: 'auth' | 'all' | false
    expose: Record<string, Exposure>
    /** Whether authentication depends on something that may be down. */
    mayBeUnavailable: boolean
  }
}

type Swagger = (options?: { yaml?: boolean }) => unknown

/**
 * Documents the routes for `@fastify/swagger`. Nothing is added to a route's
 * schema but a mark, and that after schemas are compiled, so that no response
 * is ever serialised by what the document says.
 */
export function documentRoutes (instance: FastifyInstance, { id, routes, scopeGuards, settings }: DocumentationOptions): void {
  const operations = new Map<unknown, OperationDocs>()
  const refusalOf = (errorClass: AuthErrorClass): Refusal => ({
    errorClass,
    exposed: Object.hasOwn(settings.expose, errorClass.name) ? settings.expose[errorClass.name]?.schema.properties : undefined
  })
  const refusalNamed = (name: string): Refusal | undefined => {
    const errorClass = errorClasses.find((candidate) => candidate.name === name)
    return errorClass === undefined ? undefined : refusalOf(errorClass)
  }

  function docsOf (route: KnownRoute): OperationDocs {
    const guards = scopeGuards(route.instance)
    if (route.anonymous && guards.length > 0) throw contradiction(route.options)
    const policies = [...guards, ...route.policies]
    if (policies.length === 0) return { access: 'anonymous', refusals: [] }
    const { optional, refusals } = combine(policies)
    const classes = [
      InvalidAuthorizationError,
      ...(optional ? [] : [MissingTokenError]),
      TokenExpiredError,
      TokenInvalidError,
      ...refusals,
      ...(settings.mayBeUnavailable ? [AuthUnavailableError] : []),
      ...route.errors
    ]
    return {
      access: optional ? 'optional' : 'user',
      refusals: settings.errorHandler === false ? [] : [...new Set<AuthErrorClass>(classes)].map(refusalOf)
    }
  }

  instance.addHook('onReady', async () => {
    for (const [index, route] of routes.entries()) {
      const docs = docsOf(route)
      if (docs.access === 'anonymous' && !route.anonymous) continue
      const mark = `${id}/${index}`
      operations.set(mark, docs)
      route.options.schema = { ...route.options.schema, [operationKey]: mark } as object
    }
    const owners = new Set([instance, ...routes.map((route) => route.instance)].flatMap(swaggerOwners))
    if (owners.size === 0) return
    const { stringify } = await import('yaml')
    for (const owner of owners) {
      owner.swagger = completing(owner.swagger, (document) => { completeDocument(document, operations, refusalNamed) }, stringify)
    }
  })
}

/** The instances, from this one outwards, that `@fastify/swagger` was registered in. */
function swaggerOwners (instance: FastifyInstance): Array<{ swagger: Swagger }> {
  const owners = []
  for (let scope: object | null = instance; scope !== null; scope = Object.getPrototypeOf(scope)) {
    if (Object.hasOwn(scope, 'swagger')) owners.push(scope as { swagger: Swagger })
  }
  return owners
}

function completing (swagger: Swagger, complete: (document: Json) => void, stringify: (document: unknown, options: object) => string): Swagger {
  let text: string | undefined
  return (options) => {
    const document = swagger() as Json
    complete(document)
    if (options?.yaml !== true) return document
    text ??= stringify(document, { strict: false, aliasDuplicateObjects: false })
    return text
  }
}
