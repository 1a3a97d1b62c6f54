import type { TSchema } from '@sinclair/typebox'
import type { ErrorObject } from 'ajv'
import { strictAjv } from '../../user/strict-ajv.js'

/** What is wrong with the data of a step, for the person; undefined for nothing. */
export type DataCheck = (data: unknown) => string | undefined

const MAX_DEPTH = 32
const PROTOTYPES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** The check of a step's data. Throws where the schema is at fault. */
export function dataCheck (schema: TSchema): DataCheck {
  const validate = strictAjv({ ownProperties: true }).compile(closed(schema))
  return (data) => {
    // First: neither the validator nor a copy goes as deep as somebody can nest.
    const unsafe = unsafeIn(data)
    if (unsafe !== undefined) return unsafe
    return validate(data) ? undefined : sentence((validate.errors as ErrorObject[])[0] as ErrorObject, schema)
  }
}

type Part = Record<string, unknown>

/** The same schema, in which each object that does not say otherwise holds what it lists and nothing else. */
function closed (schema: TSchema): TSchema {
  // Symbols are TypeBox's, and stay.
  const copy: Part = { ...schema }
  if ('allOf' in schema) throw new Error('allOf, as Type.Intersect() makes it, cannot be closed against what nobody lists: use Type.Composite()')
  for (const keyword of ['properties', 'patternProperties', '$defs']) {
    if (isPart(schema[keyword])) copy[keyword] = Object.fromEntries(Object.entries(schema[keyword]).map(([name, part]) => [name, closed(part as TSchema)]))
  }
  for (const keyword of ['items', 'anyOf', 'oneOf', 'additionalProperties', 'additionalItems', 'not']) {
    const part: unknown = schema[keyword]
    if (isPart(part)) copy[keyword] = Array.isArray(part) ? part.map(closed) : closed(part as TSchema)
  }
  if (schema.type === 'object' && schema.additionalProperties === undefined && schema.patternProperties === undefined) copy.additionalProperties = false
  return copy as TSchema
}

function isPart (value: unknown): value is Part {
  return typeof value === 'object' && value !== null
}

/** What no schema has to forbid. Not by recursion: data can be as deep as it is long. */
function unsafeIn (data: unknown): string | undefined {
  const left: Array<readonly [value: unknown, depth: number]> = [[data, 0]]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [value, depth] = next
    if (!isPart(value)) continue
    if (depth > MAX_DEPTH) return 'The data is nested too deeply'
    for (const key of Object.keys(value)) {
      if (PROTOTYPES.has(key)) return 'The data has a key that is not allowed'
      left.push([value[key], depth + 1])
    }
  }
  return undefined
}

/** In the schema's own words: nothing that was sent comes back. */
function sentence ({ instancePath, keyword, message, params }: ErrorObject, schema: TSchema): string {
  const [, property = ''] = instancePath.split('/')
  const missing: unknown = keyword === 'required' ? params.missingProperty : undefined
  if (property === '' && typeof missing === 'string') return `${missing} is missing`
  const place = Object.hasOwn(schema.properties as object, property) ? property : 'The data'
  return `${place} ${String(message)}`
}

/** Whether a step can have this schema: that of an object, which lists its properties. */
export function isObjectSchema (schema: unknown): schema is TSchema {
  return isPart(schema) && schema.type === 'object' && isPart(schema.properties)
}
