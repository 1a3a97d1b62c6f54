import { isDeepStrictEqual } from 'node:util'
import type { AuthErrorClass } from '../errors/auth-error.js'
import type { BodyForm } from './error-body.js'
import { documentSchema, responsesOf, schemaName, type Json, type Refusal } from './response-docs.js'

/** What a document says of one operation. */
export interface OperationDocs {
  /** What its guards can refuse with, each class once. */
  refusals: readonly Refusal[]
  /** What the application lists in its schema with `errorResponses()`. */
  written: readonly Refusal[]
  /** Whether it asks for a user, lets strangers pass too, is declared open to all, or says nothing. */
  access: 'user' | 'optional' | 'anonymous' | undefined
}

/** Finds what is said of an operation, by its mark or its address (`get /users/{id}`). */
export type DocsFinder = (mark: unknown, address: string) => OperationDocs | undefined

/** Extension by which an operation of the document is known as one of our routes; removed from what is served. */
export const operationKey = 'x-fastify-bouncer'

/** Security schemes for an OpenAPI document: `components: { securitySchemes: { ...authSecuritySchemes } }`. */
export const authSecuritySchemes = {
  bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }
} as const

interface Operation extends Json {
  security?: unknown[]
  parameters?: Array<{ in?: string, name?: string }>
  responses?: Record<string, Json>
}

/** Operations by method. Those of methods that are no field of it are put together since OpenAPI 3.2. */
type PathItem = Record<string, Operation | undefined> & { additionalOperations?: Record<string, Operation> }

/** Completes a document of `@fastify/swagger` in place: security, responses, schemas. */
export function completeDocument (document: Json, find: DocsFinder): void {
  const found = takeMarks(document, find)
  // Swagger 2.0 has neither several media types nor alternatives in a schema.
  if (document.openapi === undefined) return
  const scheme = lazily(() => bearerScheme(document))
  const reference = schemaReferences(document)
  for (const [operation, docs] of found) {
    secure(operation, docs, document, scheme)
    respond(operation, docs, reference)
  }
}

/** The operations that something is said of; their marks are taken off. */
function takeMarks (document: Json, find: DocsFinder): Array<[Operation, OperationDocs]> {
  const found: Array<[Operation, OperationDocs]> = []
  for (const [path, item] of Object.entries((document.paths ?? {}) as Record<string, PathItem | undefined>)) {
    for (const [method, operation] of Object.entries({ ...item, ...item?.additionalOperations })) {
      // A HEAD route with an operation id is documented from a copy that has no
      // mark. Where the address does not help, it is the GET route's.
      const docs = find(operation?.[operationKey], `${method.toLowerCase()} ${path}`) ?? (method === 'head' ? find(item?.get?.[operationKey], '') : undefined)
      if (operation !== undefined && docs !== undefined) found.push([operation, docs])
    }
  }
  for (const [operation] of found) delete operation[operationKey]
  return found
}

function secure (operation: Operation, { access }: OperationDocs, document: Json, scheme: () => string): void {
  if (operation.security !== undefined || access === undefined) return
  if (access === 'anonymous') {
    if (document.security !== undefined) operation.security = []
    return
  }
  operation.security = access === 'user' ? [{ [scheme()]: [] }] : [{ [scheme()]: [] }, {}]
  // The scheme says it; as a parameter it would be declared twice.
  const parameters = operation.parameters?.filter((parameter) => parameter.in !== 'header' || parameter.name?.toLowerCase() !== 'authorization')
  if (parameters?.length === 0) delete operation.parameters
  else if (parameters !== undefined) operation.parameters = parameters
}

// What was written with errorResponses() has a schema that tolerates foreign
// errors at run time; the document says what it is meant to be.
function respond (operation: Operation, { refusals, written }: OperationDocs, reference: SchemaReference): void {
  const own = (operation.responses ??= {})
  const exact = new Set(written.map(({ errorClass }) => String(errorClass.statusCode)))
  for (const [status, response] of Object.entries(responsesOf([...refusals, ...written], reference))) {
    if (exact.has(status) || own[status] === undefined) own[status] = response
  }
}

/** The name of the document's bearer scheme, which is added when there is none. */
function bearerScheme (document: Json): string {
  const components = (document.components ??= {}) as Json
  const schemes = { ...components.securitySchemes as Record<string, { type?: string, scheme?: string }> }
  const declared = Object.keys(schemes).find((name) => schemes[name]?.type === 'http' && schemes[name]?.scheme?.toLowerCase() === 'bearer')
  if (declared !== undefined) return declared
  const name = 'bearerAuth' in schemes ? 'fastifyBouncerBearer' : 'bearerAuth'
  // A new object: the old one is the application's, shared by all its documents.
  components.securitySchemes = { ...schemes, [name]: { ...authSecuritySchemes.bearerAuth } }
  return name
}

type SchemaReference = (refusal: Refusal, form: BodyForm) => Json

/** References to schemas, each put among the components when it is first asked for. */
function schemaReferences (document: Json): SchemaReference {
  const names = { json: new Map<AuthErrorClass, string>(), problem: new Map<AuthErrorClass, string>() }
  return (refusal, form) => {
    const components = (document.components ??= {}) as Json
    const schemas = (components.schemas ??= {}) as Json
    let name = names[form].get(refusal.errorClass)
    if (name === undefined) {
      const schema = documentSchema(refusal, form)
      name = schemaName(refusal, form)
      while (name in schemas && !isDeepStrictEqual(schemas[name], schema)) name = `Auth${name}`
      names[form].set(refusal.errorClass, name)
      schemas[name] = schema
    }
    return { $ref: `#/components/schemas/${name}` }
  }
}

function lazily<Value> (make: () => Value): () => Value {
  let value: Value | undefined
  return () => (value ??= make())
}
