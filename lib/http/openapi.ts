import { isDeepStrictEqual } from 'node:util'
import type { AuthErrorClass } from '../errors/auth-error.js'
import type { BodyForm } from './error-body.js'
import type { Proof } from './policy.js'
import { documentSchema, responsesOf, schemaName, type Json, type Refusal } from './response-docs.js'

/** What a document says of one operation. */
export interface OperationDocs {
  /** What its guards can refuse with. */
  refusals: readonly Refusal[]
  /** What the application lists in its schema with `errorResponses()`. */
  written: readonly Refusal[]
  /** Whether it asks for a user, lets strangers pass too, is declared open to all, or says nothing. */
  access: 'user' | 'optional' | 'anonymous' | undefined
  /** The signatures it asks for besides. */
  proofs: ReadonlyArray<Proof['scheme']>
  /** Whether it takes bearer tokens alone, whatever other routes take. */
  bearerOnly: boolean
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
export function completeDocument (document: Json, schemes: readonly Scheme[], find: DocsFinder): void {
  const found = takeMarks(document, find)
  // Swagger 2.0 has neither several media types nor alternatives in a schema.
  if (document.openapi === undefined) return
  const nameOf = (scheme: AnyScheme): string => schemeName(document, scheme)
  const reference = schemaReferences(document)
  for (const [operation, docs] of found) {
    secure(operation, docs, schemes, nameOf)
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

function secure (operation: Operation, { access, proofs, bearerOnly }: OperationDocs, schemes: readonly Scheme[], nameOf: (scheme: AnyScheme) => string): void {
  if (operation.security !== undefined || access === undefined) return
  const proven = Object.fromEntries(proofs.map((proof) => [nameOf(proof), []]))
  if (access === 'anonymous') {
    // Also where the whole document has none: linters ask that it be said.
    operation.security = proofs.length === 0 ? [] : [proven]
    leaveOut(operation, proofs)
    return
  }
  const alternatives = (bearerOnly ? schemes.slice(0, 1) : schemes).map((scheme) => ({ [nameOf(scheme)]: [], ...proven }))
  operation.security = access === 'user' ? alternatives : [...alternatives, proven]
  leaveOut(operation, ['bearer', ...proofs])
}

/** What each scheme comes in, as `in name`. */
const COMES_IN: Record<AnyScheme, readonly string[]> = {
  bearer: ['header authorization'],
  basic: ['header authorization'],
  signedUrl: ['query expires', 'query signature'],
  signedRequest: ['header signature']
}

// The scheme says it; as a parameter it would be declared twice.
function leaveOut (operation: Operation, schemes: readonly AnyScheme[]): void {
  const said = schemes.flatMap((scheme) => COMES_IN[scheme])
  const parameters = operation.parameters?.filter(({ in: place, name }) => !said.includes(`${place} ${place === 'header' ? name?.toLowerCase() : name}`))
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

/** A scheme that credentials can come by. */
export type Scheme = 'bearer' | 'basic'

type AnyScheme = Scheme | Proof['scheme']

const SCHEMES = {
  bearer: { ours: 'bearerAuth', other: 'fastifyBouncerBearer', object: authSecuritySchemes.bearerAuth },
  basic: { ours: 'basicAuth', other: 'fastifyBouncerBasic', object: { type: 'http', scheme: 'basic' } },
  signedUrl: {
    ours: 'signedUrl',
    other: 'fastifyBouncerSignedUrl',
    object: { type: 'apiKey', in: 'query', name: 'signature', description: 'A URL that the server made: it ends with `expires` and `signature`, and works as it is or not at all.' }
  },
  signedRequest: {
    ours: 'signedRequest',
    other: 'fastifyBouncerSignedRequest',
    object: {
      type: 'apiKey',
      in: 'header',
      name: 'Signature',
      description: 'HTTP Message Signature (RFC 9421) by `hmac-sha256` over `@method`, `@path`, `@query` and, where there is a body, `content-digest` (RFC 9530, `sha-256`). `Signature-Input` has `created`, `nonce` (16 to 128 characters, used once) and `keyid`.'
    }
  }
} as const

/** The name of a scheme in the document, which is added when it has none. */
function schemeName (document: Json, wanted: AnyScheme): string {
  const { ours, other, object } = SCHEMES[wanted]
  const components = (document.components ??= {}) as Json
  const schemes = { ...components.securitySchemes as Record<string, Record<string, string | undefined> | undefined> }
  const declared = Object.keys(schemes).find((name) => isSame(schemes[name], object))
  if (declared !== undefined) return declared
  const name = ours in schemes ? other : ours
  // A new object: the old one is the application's, shared by all its documents.
  components.securitySchemes = { ...schemes, [name]: { ...object } }
  return name
}

// Names of schemes and of headers are written in any case.
function isSame (declared: Record<string, string | undefined> | undefined, object: Readonly<Record<string, string>>): boolean {
  return ['type', 'scheme', 'in', 'name'].every((field) => declared?.[field]?.toLowerCase() === object[field]?.toLowerCase())
}

type SchemaReference = (refusal: Refusal, form: BodyForm) => Json

/** References to schemas, each put among the components when it is first asked for. */
function schemaReferences (document: Json): SchemaReference {
  const names = new Map<AuthErrorClass, Map<string, string>>()
  return (refusal, form) => {
    const components = (document.components ??= {}) as Json
    const schemas = (components.schemas ??= {}) as Json
    const key = `${form} ${refusal.code}`
    const known = names.get(refusal.errorClass) ?? new Map<string, string>()
    let name = known.get(key)
    if (name === undefined) {
      const schema = documentSchema(refusal, form)
      name = schemaName(refusal, form)
      while (name in schemas && !isDeepStrictEqual(schemas[name], schema)) name = `Auth${name}`
      names.set(refusal.errorClass, known.set(key, name))
      schemas[name] = schema
    }
    return { $ref: `#/components/schemas/${name}` }
  }
}
