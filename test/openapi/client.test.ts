import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { buildEverything } from './application.js'
import { documentOf, VERSIONS } from './document.js'

const consumer = readFileSync(new URL('fixtures/client.ts.txt', import.meta.url), 'utf8')

/** The compiler's complaints about a folder's `client.ts`, each with the line it is about. */
function complaints (folder: string): string[] {
  const program = ts.createProgram([join(folder, 'client.ts')], { strict: true, noEmit: true, target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [], allowImportingTsExtensions: true })
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, ' ')
    return file === undefined ? text : `${file.text.slice(start).split('\n')[0]}: ${text}`
  })
}

for (const version of VERSIONS) {
  t.test(`OpenAPI ${version}: a generated client narrows refusals by extra.code`, async t => {
    const document = await documentOf(await buildEverything(t, version))
    const types = astToString(await openapiTS(JSON.stringify(document)))

    const right = t.testdir({ 'api.ts': types, 'client.ts': consumer })
    t.strictSame(complaints(right), [], 'what a client may write compiles')

    const mistakes: Array<[name: string, code: string, complaint: RegExp]> = [
      ['a code that this route does not send', "export function f (error: Refusal<'/admin', 403>) { return error.extra.code === 'INSUFFICIENT_SCOPE' }", /no overlap/],
      ['a field of another code', "export function f (error: Refusal<'/everything', 403>) { return error.extra.required_scopes }", /required_scopes/],
      ['a switch that forgets a code', "export function f (error: Refusal<'/user', 401>): never { if (error.extra.code === 'MISSING_TOKEN') throw error; return error.extra }", /not assignable to type 'never'/],
      ['the code of a class where the endpoint has one of its own', "export function f (error: Refusal<'/register', 400, 'post'>) { return error.extra.code === 'INVALID_PASSWORD' }", /no overlap/],
      ['a field of another code of the endpoint', "export function f (error: Refusal<'/register', 400, 'post'>) { return error.extra.code === 'REGISTER_INVALID_PASSWORD' ? error.extra.errors?.[0]?.path : '' }", /path/],
      ['a status that this route does not have', "export type T = Refusal<'/user', 403>", /403/]
    ]
    for (const [name, code, complaint] of mistakes) {
      const found = complaints(t.testdir({ 'api.ts': types, 'client.ts': `${consumer}\n${code}\n` }))
      t.equal(found.length, 1, name)
      t.match(found[0], complaint, name)
    }
  })
}
