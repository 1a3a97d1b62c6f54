import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { build } from '../build.js'
import type { AuthPluginOptions } from '../../index.js'

export interface MediaType {
  schema: { $ref?: string, anyOf?: Array<{ $ref: string }> }
  examples: Record<string, { value: { extra: Record<string, unknown> } & Record<string, unknown> }>
}

export interface Response {
  description: string
  headers?: Record<string, { required?: boolean, schema: object }>
  content?: Record<string, MediaType>
}

export interface Operation {
  operationId?: string
  security?: object[]
  parameters?: Array<{ name: string, in: string }>
  responses: Record<string, Response>
}

export interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>, securitySchemes?: Record<string, object> }
}

/** The two versions of OpenAPI that every document is tried in. */
export const VERSIONS = ['3.0.3', '3.1.0']

/** An application with `@fastify/swagger` and the plugin. */
export async function buildDocumented (t: Test, overrides: AuthPluginOptions = {}, swaggerOptions: FastifyDynamicSwaggerOptions = {}): Promise<FastifyInstance> {
  const app = await build(t, overrides)
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'An API', version: '1.0.0' } }, ...swaggerOptions })
  return app
}

/** The document of an application, as its clients get it. */
export async function documentOf (app: FastifyInstance): Promise<Document> {
  await app.ready()
  return JSON.parse(JSON.stringify(app.swagger()))
}

/** One operation of the document. */
export async function operationOf (app: FastifyInstance, path: string, method = 'get'): Promise<Operation> {
  const operation = (await documentOf(app)).paths[path]?.[method]
  if (operation === undefined) throw new Error(`${method} ${path} is not documented`)
  return operation
}

/** The codes of an operation's refusals, by status. */
export function codesOf (operation: Operation): Record<string, string[]> {
  return Object.fromEntries(Object.entries(operation.responses).flatMap(([status, { content }]) => {
    const examples = content?.['application/json']?.examples
    return examples === undefined ? [] : [[status, Object.keys(examples)]]
  }))
}

/** What any guard for users refuses. */
export const USER_CODES = {
  400: ['INVALID_AUTHORIZATION_HEADER'],
  401: ['MISSING_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_INVALID']
}
