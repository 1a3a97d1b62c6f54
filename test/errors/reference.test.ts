import { readFileSync } from 'node:fs'
import t from 'tap'
import { exampleOf } from '../../lib/http/response-docs.js'
import { errorReference } from '../../scripts/generate-error-reference.js'
import { build } from '../build.js'
import { classOf, contract, type Row } from './contract.js'

const written = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

/** The part of the page on one class. */
const sectionOf = (row: Row): string => written.split('\n### ').find((section) => section.startsWith(`${row.class}${row.abstract ? ' (abstract)' : ''}\n`)) ?? ''

t.test('docs/errors.md is what the generator makes: else run npm run docs:errors', async (t) => {
  t.equal(written, errorReference(contract))
})

t.test('each section says what the contract says', async (t) => {
  for (const row of contract) {
    const section = sectionOf(row)
    t.ok(section.includes(`**When:** ${row.when}.`), `${row.class}: when`)
    t.ok(section.includes(`**Status:** ${row.status} `), `${row.class}: status`)
    t.ok(section.includes(`**Code:** \`${row.code}\``), `${row.class}: code`)
    t.ok(section.includes(`“${row.detail.replace('{any|all}', 'any')}”`), `${row.class}: detail`)
    for (const field of [...row.private, ...row.public]) t.ok(section.includes(`\`${field}\``), `${row.class}: ${field}`)
    for (const [routes, code] of Object.entries(row.endpointCodes)) t.ok(section.includes(`\`${code}\` at \`${routes.split(', ')[0]}\``), `${row.class}: ${code}`)
    if (!row.abstract) t.match(section, /\*\*What a client does:\*\* [a-z].+\.\n/, `${row.class}: what a client does`)
    t.notMatch(section.replace(row.when, ''), /undefined|null|\[object/, `${row.class}: nothing is missing`)
  }
})

t.test('the examples are what a client gets', async (t) => {
  const app = await build(t)
  const concrete = contract.filter((row) => !row.abstract)
  for (const row of concrete) app.get(`/${row.class}`, async () => { throw exampleOf(classOf(row)) })
  for (const row of concrete) {
    const [json, problem] = [...sectionOf(row).matchAll(/```json\n(.*?)\n```/gs)].map(([, block = '']) => JSON.parse(block))
    t.strictSame((await app.inject(`/${row.class}`)).json(), json, row.class)
    const response = await app.inject({ url: `/${row.class}`, headers: { accept: 'application/problem+json' } })
    t.strictSame(response.json(), problem, `${row.class} as problem+json`)
    for (const name of ['WWW-Authenticate', 'Retry-After']) {
      const value = response.headers[name.toLowerCase()]
      t.equal(sectionOf(row).includes(`\`${name}: ${value}\``), value !== undefined, `${row.class}: ${name}`)
    }
  }
})
