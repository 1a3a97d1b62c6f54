import type { AuthErrorClass } from '../errors/auth-error.js'
import type { BodyForm } from './error-body.js'
import { classesKey, documentSchema, responsesOf, schemaName, type Json, type Refusal } from './response-docs.js'

/** What a document says of one operation. */
export interface OperationDocs {
  /** What it can refuse with, each class once. */
  refusals: readonly Refusal[]
  /** Whether it asks for a user, lets strangers pass too, or is open to all. */
  access: 'user' | 'optional' | 'anonymous'
}

/** Extension by which an operation of the document is known as one of our routes; removed from what is served. */
export const operationKey = 'x-fastify-bouncer'

/** Security schemes for an OpenAPI document: `components: { securitySchemes: { ...authSecuritySchemes } }`. */
export const authSecuritySchemes = {
  bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }
} as const

interface Operation extends Json {
  security?: unknown[]
  responses?: Record<string, Json>
}

/** Completes a document of `@fastify/swagger` in place: security, responses, schemas. `operations` go by the marks of their routes. */
export function completeDocument (document: Json, operations: ReadonlyMap<unknown, OperationDocs>, refusalOf: (name: string) => Refusal | undefined): void {
  const marked = takeMarks(document, operations)
  // Swagger 2.0 has neither several media types nor alternatives in a schema.
  if (document.openapi === undefined) return
  const scheme = lazily(() => bearerScheme(document))
  const reference = schemaReferences(document)
  for (const [operation, docs] of marked) completeOperation(document, operation, docs, scheme, reference)
  for (const operation of pathItems(document).flatMap((item) => Object.values(item))) exactResponses(operation, reference, refusalOf)
}

function completeOperation (document: Json, operation: Operation, { refusals, access }: OperationDocs, scheme: () => string, reference: SchemaReference): void {
  if (operation.security === undefined) {
    if (access !== 'anonymous') operation.security = access === 'user' ? [{ [scheme()]: [] }] : [{ [scheme()]: [] }, {}]
    else if (document.security !== undefined) operation.security = []
  }
  const own = operation.responses ?? {}
  operation.responses = own
  for (const [status, response] of Object.entries(responsesOf(refusals, reference))) own[status] ??= response
}

/** The operations that carry a mark of ours, which is taken off. */
function takeMarks (document: Json, operations: ReadonlyMap<unknown, OperationDocs>): Array<[Operation, OperationDocs]> {
  return pathItems(document).flatMap((item) => {
    // A HEAD route with an operation id is documented from a copy, made before
    // any route was marked: it refuses what the GET route refuses.
    const marks = Object.entries(item).map(([method, operation]) => [operation, operation?.[operationKey] ?? (method === 'head' ? item.get?.[operationKey] : undefined)] as const)
    return marks.flatMap(([operation, mark]) => {
      const docs = operations.get(mark)
      if (docs === undefined) return []
      delete operation[operationKey]
      return [[operation, docs] as [Operation, OperationDocs]]
    })
  })
}

function pathItems (document: Json): Array<Record<string, Operation>> {
  return Object.values((document.paths ?? {}) as Record<string, Record<string, Operation>>)
}

// What was written with errorResponses() has a schema that tolerates foreign
// errors at run time; the document says what it is meant to be.
function exactResponses (operation: Operation, reference: SchemaReference, refusalOf: (name: string) => Refusal | undefined): void {
  const responses = operation?.responses ?? {}
  for (const [status, response] of Object.entries(responses)) {
    const content = response.content as Record<string, { schema?: Json }> | undefined
    const names = content?.['application/json']?.schema?.[classesKey]
    if (!Array.isArray(names)) continue
    const refusals = names.map((name) => refusalOf(String(name)))
    if (refusals.every((refusal) => refusal !== undefined)) Object.assign(responses, { [status]: responsesOf(refusals, reference)[status] })
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
      name = schemaName(refusal, form)
      while (name in schemas) name = `Auth${name}`
      names[form].set(refusal.errorClass, name)
      schemas[name] = documentSchema(refusal, form)
    }
    return { $ref: `#/components/schemas/${name}` }
  }
}

function lazily<Value> (make: () => Value): () => Value {
  let value: Value | undefined
  return () => (value ??= make())
}
