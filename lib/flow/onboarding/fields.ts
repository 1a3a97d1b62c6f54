import type { TSchema } from '@sinclair/typebox'
import type { StepField } from './step.js'

interface Property { type?: string, format?: string, title?: string, const?: string | number, enum?: Array<string | number>, anyOf?: Property[] }

/** The fields of a schema, as a form would show them: one for each property. */
export function fieldsOf (schema: TSchema): readonly StepField[] {
  const required: readonly string[] = schema.required ?? []
  return Object.entries(schema.properties as Record<string, Property>).map(([name, property]) => {
    const options = choicesOf(property)
    return {
      name,
      type: options === undefined ? typeOf(name, property) : 'select',
      label: property.title ?? labelOf(name),
      required: required.includes(name),
      ...(options !== undefined && { options })
    }
  })
}

/** A union of constants is a choice, if a form can show them. */
function choicesOf ({ enum: values, anyOf }: Property): Array<string | number> | undefined {
  const choices: unknown[] | undefined = values ?? (anyOf?.every((part) => part.const !== undefined) === true ? anyOf.map((part) => part.const) : undefined)
  const shown = choices?.filter((choice) => typeof choice === 'string' || typeof choice === 'number')
  return shown === undefined || shown.length === 0 ? undefined : shown as Array<string | number>
}

function typeOf (name: string, { type = '', format }: Property): string {
  if (name.includes('password')) return 'password'
  if (format === 'email') return format
  return new Map([['boolean', 'checkbox'], ['number', 'number'], ['integer', 'number']]).get(type) ?? 'text'
}

function labelOf (name: string): string {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
