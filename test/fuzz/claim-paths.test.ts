import fc from 'fast-check'
import { test } from 'tap'
import { CLAIM_PRESETS } from '../../lib/token/claim-presets.js'
import type { ClaimMap, ClaimProvider } from '../../index.js'
import { readClaimMap, valueAt } from '../../lib/token/claim-reader.js'
import { userFromClaims } from '../../lib/token/principal.js'
import { campaign } from './campaign.js'

type Payload = Record<string, unknown>

const NAMES = ['a', 'roles', '__proto__', 'constructor', 'length', '0', 'https://x.example/a.b']
const name = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: fc.string() })
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, 0, '', 'admin', 'admin user'),
    fc.jsonValue({ maxDepth: 2 }),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(name, tie('tree'), { maxKeys: 4 })
  )
}))
/** As a token's payload is read: what stands under `__proto__` is a member like others. */
const payload = fc.dictionary(name, tree, { maxKeys: 6 }).map((members): Payload => JSON.parse(JSON.stringify(members)))
const path = fc.array(name, { minLength: 1, maxLength: 4 })

/** The reader once more, as plainly as can be: by the entries of an object. */
function plainly (value: unknown, path: readonly string[]): unknown {
  const [first, ...rest] = path
  if (first === undefined) return value
  if (Object.prototype.toString.call(value) !== '[object Object]') return undefined
  const found = Object.entries(value as object).find(([key]) => key === first)
  return found === undefined ? undefined : plainly(found[1], rest)
}

/** Names are the texts in a list, and nothing else. */
function isListOfNames (value: unknown): boolean {
  return Array.isArray(value) && Object.isFrozen(value) && value.every((one) => typeof one === 'string' && one !== '') && new Set(value).size === value.length
}

test('any claims, any path: what an entry of an object holds, and nothing else', async (t) => {
  let found = 0
  await campaign(t, 10_000, fc.property(payload, path, (claims, path) => {
    const value = valueAt(claims, path)
    if (value !== plainly(claims, path)) throw new Error(`${JSON.stringify(value)} at ${JSON.stringify(path)}`)
    if (value !== undefined) found++
    const { reader } = readClaimMap({ roles: [path], groups: [path], scopes: [path], clientId: [path] }, ['my-api'])
    for (const list of [reader.roles(claims), reader.groups(claims), reader.scopes(claims)]) {
      if (!isListOfNames(list)) throw new Error(JSON.stringify(list))
    }
    const texts = Array.isArray(value) ? value.filter((one) => typeof one === 'string' && one !== '') : []
    if (JSON.stringify(reader.roles(claims)) !== JSON.stringify([...new Set(texts)])) throw new Error('roles that are not in the list')
    const client = reader.client(claims)
    if (client !== (typeof value === 'string' && value !== '' ? value : undefined)) throw new Error(`client ${JSON.stringify(client)}`)
  }))
  t.ok(found > 300, `${found} values found`)
})

test('any claims, any preset and any map: a user with names or none, never a fault', async (t) => {
  const known = [...new Set(Object.values(CLAIM_PRESETS).flatMap(({ roles, groups, scopes, clientId, machines }) => [...roles, ...groups, ...scopes, ...clientId, ...machines.flat().map(({ claim }) => claim)]).flat())]
  const provider = fc.constantFrom(...Object.keys(CLAIM_PRESETS) as ClaimProvider[])
  const paths = fc.option(fc.array(path, { maxLength: 3 }), { nil: undefined })
  const sign = fc.oneof(fc.record({ claim: path, is: fc.constantFrom('app', '{client}', 'x{client}y', 'admin') }), fc.record({ claim: path, startsWith: fc.constantFrom('a', 'admin') }), fc.record({ claim: path, absent: fc.constant(true as const) }))
  const map: fc.Arbitrary<ClaimMap> = fc.record({ preset: fc.option(provider, { nil: undefined }), roles: paths, groups: paths, scopes: paths, clientId: paths, machines: fc.option(fc.array(fc.array(sign, { minLength: 1, maxLength: 3 }), { maxLength: 3 }), { nil: undefined }) })
  const claims = fc.tuple(payload, fc.dictionary(fc.constantFrom(...known, 'aud', 'sub', 'email'), tree)).map(([one, other]): Payload => ({ ...one, ...other, sub: 'user-1' }))
  await campaign(t, 5_000, fc.property(claims, fc.oneof(provider, map), fc.subarray(['my-api', 'a', 'roles'], { minLength: 1 }), (claims, option, audience) => {
    const before = JSON.stringify(claims)
    const user = userFromClaims(claims, undefined, readClaimMap(option, audience).reader)
    for (const list of [user.roles, user.groups, user.scopes]) if (!isListOfNames(list)) throw new Error(JSON.stringify(list))
    if ('clientId' in user && (typeof user.clientId !== 'string' || user.clientId === '')) throw new Error('a client that is none')
    if ('machine' in user && user.machine !== true) throw new Error('a machine that is none')
    if (JSON.stringify(claims) !== before) throw new Error('claims were changed')
  }))
})
