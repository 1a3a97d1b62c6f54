import t from 'tap'
import { createIdentify, type TrustedIssuer } from '../../../lib/flow/session/identify.js'
import { audience, issuer } from '../../build.js'
import type { User } from '../../../index.js'

const trusted = (name: string, roles?: TrustedIssuer['roles']): TrustedIssuer => ({
  rules: { issuer: name, audience: [audience], clockTolerance: 0, tokenUse: ['access'] },
  keys: { algorithms: new Set(), find: () => [] },
  roles
})

t.test('a user is read from a token once, and asked for his roles each time', async (t) => {
  const plain = { issuer: trusted(issuer), claims: { sub: 'ada', roles: ['editor'] } }
  const identify = createIdentify({ verify: () => plain, revocation: undefined, local: plain.issuer })
  t.equal(identify('x'), identify('x'))
  t.match(identify('x'), { id: 'ada', roles: ['editor'] })

  let asked = 0
  const resolved = { issuer: trusted(issuer, () => [`role ${++asked}`]), claims: { sub: 'ada' } }
  const resolving = createIdentify({ verify: () => resolved, revocation: undefined, local: resolved.issuer })
  t.strictSame([(resolving('x') as User).roles, (resolving('x') as User).roles], [['role 1'], ['role 2']])
})

t.test('without a store and with a key at hand, nothing has to be waited for', async (t) => {
  const verified = { issuer: trusted(issuer), claims: { sub: 'ada' } }
  t.notOk(createIdentify({ verify: () => verified, revocation: undefined, local: undefined })('x') instanceof Promise)
  t.match(await createIdentify({ verify: async () => verified, revocation: undefined, local: undefined })('x'), { id: 'ada' }, 'keys may have to be fetched')
})

t.test('only tokens that were signed here are looked up, and what the look finds is final', async (t) => {
  const here = trusted(issuer)
  const there = trusted('https://partner.example.org')
  const looked: unknown[] = []
  const refusal = new Error('revoked')
  const revocation = { async check (claims: unknown) { looked.push(claims); throw refusal } }
  const claims = { sub: 'ada', sid: 'x' }
  const foreign = createIdentify({ verify: () => ({ issuer: there, claims }), revocation, local: here })
  t.match(await foreign('x'), { id: 'ada' })
  t.strictSame(looked, [])
  await t.rejects(async () => { await createIdentify({ verify: () => ({ issuer: here, claims }), revocation, local: here })('x') }, refusal)
  await t.rejects(async () => { await createIdentify({ verify: async () => ({ issuer: here, claims }), revocation, local: here })('x') }, refusal)
  t.strictSame(looked, [claims, claims])
})
