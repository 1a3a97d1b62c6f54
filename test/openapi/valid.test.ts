import t, { type Test } from 'tap'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildEverything } from './application.js'
import { documentOf, VERSIONS, type Document } from './document.js'

const CLI = fileURLToPath(new URL('../../node_modules/@redocly/cli/bin/cli.js', import.meta.url))
const RULES = `extends: [recommended-strict]
rules:
  no-invalid-media-type-examples: error
  no-invalid-schema-examples: error
  no-invalid-parameter-examples: error
  response-contains-header:
    severity: error
    names: { 401: [WWW-Authenticate, Cache-Control, Vary], 403: [Cache-Control, Vary] }
  paths-kebab-case: error
  spec-strict-refs: error
`

/** What the linter finds: one line per problem. */
async function problems (t: Test, document: Document): Promise<string[]> {
  const folder = t.testdir({ 'redocly.yaml': RULES, 'openapi.json': JSON.stringify(document) })
  const args = [CLI, 'lint', '--config', join(folder, 'redocly.yaml'), '--format', 'json', join(folder, 'openapi.json')]
  // The linter would look for a newer one of itself, and report that it ran.
  const env = { PATH: process.env.PATH, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 2 ** 26 }).catch((error: { stdout: string }) => error)
  const { problems } = JSON.parse(stdout) as { problems: Array<{ ruleId: string, severity: string, message: string, location: Array<{ pointer: string }> }> }
  return problems.map(({ severity, ruleId, message, location }) => `${severity} ${ruleId} ${location[0]?.pointer}: ${message}`)
}

for (const version of VERSIONS) {
  t.test(`OpenAPI ${version}: a strict linter finds nothing`, async t => {
    t.strictSame(await problems(t, await documentOf(await buildEverything(t, version))), [])
  })
}

t.test('the linter sees what it is there for', async t => {
  const document = await documentOf(await buildEverything(t, VERSIONS[0]!))
  const { responses } = document.paths['/admin']!.get!
  responses[403]!.content!['application/json']!.examples.INSUFFICIENT_ROLES!.value.extra.code = 'OTHER'
  responses[401]!.content!['application/json']!.schema.anyOf![0]!.$ref += 'Nowhere'
  delete responses[401]!.headers!['WWW-Authenticate']
  document.paths['/user']!.get!.security = [{ nowhere: [] }]
  const found = (await problems(t, document)).join('\n')
  for (const rule of ['no-invalid-media-type-examples', 'no-unresolved-refs', 'response-contains-header', 'security-defined']) t.match(found, `error ${rule} `)
})
