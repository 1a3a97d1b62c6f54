import { existsSync, readFileSync } from 'node:fs'
import { Type, TypeGuard, type TObject } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import t from 'tap'
import * as publicNames from '../index.js'
import * as errors from '../lib/errors.js'
import { bodyOf, bodySchema, createBodySerializer } from '../lib/http/error-body.js'
import { camelCase, classOf, contextOf, contract, make, property, type Row } from './errors/contract.js'
import { declaredFields } from './errors/declared-fields.js'

// The registry: every class against the contract, the document and the schemas.

/** Where each class is provoked. What has no operation yet in this version is thrown by a route. */
const provokedIn: Record<string, string> = {
  ...Object.fromEntries(contract.filter((row) => !row.abstract).map((row) => [row.class, 'test/errors/over-http.test.ts'])),
  ConfigurationError: 'test/errors/by-operation.test.ts',
  AuthUnavailableError: 'test/errors/by-operation.test.ts',
  InvalidAuthorizationError: 'test/errors/by-operation.test.ts',
  MissingTokenError: 'test/errors/by-operation.test.ts',
  TokenExpiredError: 'test/errors/by-operation.test.ts',
  TokenInvalidError: 'test/errors/by-operation.test.ts',
  InsufficientRolesError: 'test/errors/by-operation.test.ts',
  InsufficientGroupsError: 'test/errors/by-operation.test.ts',
  InsufficientScopeError: 'test/errors/by-operation.test.ts'
}

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const rowOf = (name: string): Row | undefined => contract.find((row) => row.class === name)
const lineage = (row: Row): Row[] => [row, ...contract.filter((parent) => parent.class === row.parent).flatMap(lineage)]

t.test('the contract and the package have the same classes', async (t) => {
  t.strictSame(errors.errorClasses.map(({ name }) => name).sort(), contract.map((row) => row.class).sort())
  for (const errorClass of errors.errorClasses) {
    t.equal((errors as Record<string, unknown>)[errorClass.name], errorClass, `fastify-bouncer/errors exports ${errorClass.name}`)
    t.equal((publicNames as Record<string, unknown>)[errorClass.name], errorClass, `fastify-bouncer exports ${errorClass.name}`)
  }
})

t.test('each class is as the contract has it', async (t) => {
  for (const row of contract) {
    const errorClass = classOf(row)
    t.equal(Object.getPrototypeOf(errorClass).name, row.parent, `${row.class} stands under ${row.parent}`)
    t.equal(errorClass.statusCode, row.status, `${row.class} status`)
    t.equal(errorClass.code, row.code, `${row.class} code`)
    t.equal(errorClass.detail, row.detail.replace('{any|all}', 'any'), `${row.class} detail`)
    t.strictSame(errorClass.publicFields, row.public.map(camelCase), `${row.class} public fields`)
  }
})

t.test('each field is on the object; the private ones nowhere else', async (t) => {
  for (const row of contract.filter((row) => !row.abstract)) {
    const context = contextOf(classOf(row))
    const error = make(classOf(row))
    for (const [field, value] of Object.entries(context)) t.strictSame(property(error, field), value, `${row.class}.${field}`)
    const given = Object.keys(context)
    const mirrored = ['identifierType', 'identifierValue']
    t.strictSame([...row.private, ...row.public.map(camelCase)].filter((field) => !mirrored.includes(field)).sort(), given.sort(), `${row.class}: a value for each field`)
    t.strictSame(Object.keys(error.extra), ['code', ...row.public], `${row.class}: extra has the code and the public fields`)
    t.strictSame(Object.keys(error.toJSON()), ['status_code', 'detail', 'extra'])
    // A hash is private even from operators.
    const shown = row.private.filter((field) => !mirrored.includes(field) && field !== 'hash')
    t.strictSame(Object.keys(error.context()).sort(), shown.sort(), `${row.class}: the log has the private fields`)
  }
})

t.test('the declared types have the same fields', async (t) => {
  const declared = declaredFields()
  const common = declared.get('AuthError')?.properties ?? new Set()
  for (const row of contract) {
    const { properties, required } = declared.get(row.class) ?? { properties: new Set<string>(), required: new Set<string>() }
    const own = [...properties].filter((name) => !common.has(name) && !row.public.includes(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)))
    const known = lineage(row).flatMap((one) => one.private)
    t.strictSame(own.filter((name) => !known.includes(name)), [], `${row.class} has no private field that the contract lacks`)
    t.strictSame(row.private.filter((name) => !own.includes(name)), [], `${row.class} has every private field`)
    t.strictSame([...required].sort(), [...row.required].sort(), `${row.class}: what its constructor requires`)
  }
})

t.test('ErrorCode has the codes of all classes and endpoints, under their own names', async (t) => {
  const codes: Record<string, string> = errors.ErrorCode
  for (const [name, value] of Object.entries(codes)) t.equal(name, value)
  for (const row of contract) {
    for (const code of [row.code, ...Object.values(row.endpointCodes)]) t.equal(codes[code], code, `ErrorCode.${code}`)
  }
  const foreign = ['REQUEST_INVALID', 'NOT_FOUND', 'METHOD_NOT_ALLOWED', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'HEADERS_TOO_LARGE', 'INTERNAL_ERROR']
  const ours = contract.flatMap((row) => [row.code, ...Object.values(row.endpointCodes)])
  t.strictSame(Object.keys(codes).sort(), [...new Set([...ours, ...foreign])].sort(), 'and no others')
  t.equal(new Set(contract.map((row) => row.code)).size, contract.length, 'no two classes share a code')
})

/** A schema that refuses properties it does not name. */
function closed (schema: TObject): TObject {
  const properties = Object.entries(schema.properties).map(([name, member]) => [name, TypeGuard.IsObject(member) ? closed(member) : member])
  return Type.Object(Object.fromEntries(properties), { additionalProperties: false })
}

t.test('the schemas accept every body: toJSON, and what the serializers write', async (t) => {
  const serialize = createBodySerializer(() => undefined)
  for (const row of contract) {
    const errorClass = classOf(row)
    const json = TypeCompiler.Compile(closed(bodySchema(errorClass, 'json')))
    const problem = TypeCompiler.Compile(closed(bodySchema(errorClass, 'problem')))
    for (const error of [make(errorClass), ...(row.required.length === 0 ? [make(errorClass, {})] : [])]) {
      t.ok(json.Check(error.toJSON()), `${row.class}: toJSON`)
      const body = serialize(error, error, 'json')
      t.ok(json.Check(JSON.parse(body)), `${row.class}: JSON`)
      t.equal(body, JSON.stringify(error), `${row.class}: the serializer writes what toJSON says`)
      const other = serialize(error, error, 'problem')
      t.ok(problem.Check(JSON.parse(other)), `${row.class}: problem+json`)
      t.equal(other, JSON.stringify(bodyOf(error.statusCode, error, 'problem')))
    }
    const body = make(errorClass).toJSON()
    t.notOk(json.Check({ ...body, status_code: 200 }), `${row.class}: the schema knows its status`)
    t.notOk(json.Check({ ...body, extra: { ...body.extra, code: 'ANOTHER' } }), `${row.class}: the schema knows its code`)
    for (const field of row.private) t.notOk(json.Check({ ...body, extra: { ...body.extra, [field]: 'x' } }), `${row.class}: the schema has no ${field}`)
  }
})

t.test('every class that can be thrown is provoked by a test', async (t) => {
  for (const row of contract.filter((one) => !one.abstract)) {
    const file = provokedIn[row.class] ?? ''
    if (!t.ok(existsSync(new URL(`../${file}`, import.meta.url)), `${row.class}: there is a test`)) continue
    const text = read(file)
    t.ok(text.includes(row.class) && text.includes(`${row.code}`), `${row.class} is provoked in ${file}`)
  }
  t.strictSame(Object.keys(provokedIn).filter((name) => rowOf(name)?.abstract !== false), [], 'no test is named for a class that is not thrown')
})

t.test('docs/errors.md has every class and every code', async (t) => {
  const document = read('docs/errors.md')
  for (const row of contract) {
    t.ok(document.includes(`\n### ${row.class}${row.abstract ? ' (abstract)' : ''}\n`), row.class)
    for (const code of [row.code, ...Object.values(row.endpointCodes)]) t.ok(document.includes(`\`${code}\``), code)
  }
  for (const code of Object.values(errors.ErrorCode)) t.ok(document.includes(`\`${code}\``), code)
})
