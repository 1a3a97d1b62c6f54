import fc from 'fast-check'
import { test } from 'tap'
import { BadSignatureError, createSigner, signRequest } from '../../index.js'
import { readMessageSignature, signatureBase } from '../../lib/signing/message.js'
import { build } from '../build.js'
import { campaign } from './campaign.js'

const secret = 'a secret of at least thirty-two bytes'
const noise = fc.constantFrom(' ', '', ',', ';', '=', ':', '"', '\\', '(', ')', '@', '\n', '\0', 'é', '&', '?', '%', '0', 'a', '"@method"', ';created=1', ';keyid="a"', 'sig1=', '&signature=', '?expires=')

/** Some text, with pieces of it left out, put twice, or replaced. */
const edited = (text: string) => fc.array(fc.tuple(fc.nat(text.length), fc.nat(4), noise), { minLength: 1, maxLength: 4 })
  .map((edits) => edits.reduce((result, [at, length, insert]) => result.slice(0, at) + insert + result.slice(at + length), text))

/** What a call is refused with; undefined where it is not. */
function refusalOf (call: () => unknown): BadSignatureError | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof BadSignatureError) return error
    throw error
  }
}

test('any Signature-Input and Signature: read in the one way there is to write them, or refused', async (t) => {
  const { 'signature-input': input = '', signature = '' } = signRequest({ keyId: 'billing', secret, url: '/', headers: { 'x-a': 'b' } })
  let read = 0
  await campaign(t, 30_000, fc.property(fc.oneof(edited(input), fc.constant(input), fc.string({ unit: 'binary', maxLength: 80 })), fc.oneof(fc.constant(signature), edited(signature)), (given, mac) => {
    const refusal = refusalOf(() => {
      const found = readMessageSignature(given, mac)
      const { components, keyId, nonce, created, expires } = found
      const list = components.map((name) => `"${name}"`).join(' ')
      const written = [`nonce="${nonce}"`, `keyid="${keyId}"`, `created=${created}`, ...expires === undefined ? [] : [`expires=${expires}`], 'alg="hmac-sha256"']
      // Nothing was skipped, and nothing was read that is not there.
      const rest = written.reduce((text, one) => text.replace(`;${one}`, () => ''), given.slice(given.indexOf('(')))
      if (rest !== `(${list})`) throw new Error(`read otherwise than written: ${given}`)
      read++
    })
    if (refusal !== undefined && given === input && mac === signature) throw new Error('refused what is right')
  }))
  t.ok(read > 1000, `${read} were read`)
})

test('two requests that differ have two texts to sign', async (t) => {
  const visible = fc.string({ unit: fc.constantFrom('/', '?', '&', '=', 'a', '"', ':', ' ', '@path', '\n'), maxLength: 12 })
  const parts = fc.record({ method: fc.constantFrom('GET', 'POST'), target: visible.map((rest) => `/${rest}`), header: visible })
  const components = ['@method', '@path', '@query', 'x-a']
  const textOf = ({ method, target, header }: { method: string, target: string, header: string }) =>
    signatureBase({ method, target, headers: { 'x-a': header } }, components, '()')
  await campaign(t, 30_000, fc.property(parts, parts, (one, other) => {
    let texts: string[] = []
    if (refusalOf(() => { texts = [textOf(one), textOf(other)] }) !== undefined) return
    // A question mark with nothing after it is no query; blanks around a header are not part of it.
    const plain = ({ method, target, header }: typeof one) => JSON.stringify([method, target.replace(/^([^?]*)\?$/, '$1').trim(), header.trim()])
    if ((texts[0] === texts[1]) && plain(one) !== plain(other) && one.target.trim() !== other.target.trim()) throw new Error(`${plain(one)} and ${plain(other)}`)
  }))
})

test('any URL: what was signed opens, and no other', async (t) => {
  const signer = createSigner({ secret, purpose: 'downloads', clock: () => 1_700_000_000_000 })
  await campaign(t, 5_000, fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
    const url = `/${path.replace(/^\/+/, '')}?${query}`
    if (/(^|&)(expires|signature)(=|&|$)/.test(query) || new URL(url, 'http://localhost').pathname.startsWith('//')) return
    if (/\/(\.|%2e){1,2}(\/|\?)/i.test(url.slice(0, url.indexOf('?') + 1))) {
      try {
        signer.signUrl(url, { expiresIn: 1 })
      } catch (error) {
        if (error instanceof TypeError) return
      }
      throw new Error(`not refused: ${url}`)
    }
    signer.verifyUrl(signer.signUrl(url, { expiresIn: 1 }))
  }))
  const right = signer.signUrl('/download/42?file=a&n=1', { expiresIn: 60 })
  await campaign(t, 30_000, fc.property(fc.oneof(edited(right), fc.string({ unit: 'binary', maxLength: 100 })), (url) => {
    if (refusalOf(() => signer.verifyUrl(url)) === undefined && url !== right) throw new Error(`opened by ${url}`)
  }))
})

test('any headers over HTTP: 400, and never a pass', async (t) => {
  const app = await build(t)
  app.post('/hook', { preHandler: app.requireSignedRequest({ keys: { billing: secret } }) }, async () => 'in')
  const right = signRequest({ keyId: 'billing', secret, method: 'POST', url: '/hook', body: '{}', headers: { 'content-type': 'application/json' } })
  const header = (name: string) => fc.oneof({ weight: 2, arbitrary: fc.constant(right[name] ?? '') }, { weight: 1, arbitrary: edited(right[name] ?? '') })
  await campaign(t, 3_000, fc.asyncProperty(header('signature'), header('signature-input'), header('content-digest'), async (signature, input, digest) => {
    if (signature === right.signature && input === right['signature-input'] && digest === right['content-digest']) return
    const response = await app.inject({ method: 'POST', url: '/hook', payload: '{}', headers: { ...right, signature, 'signature-input': input, 'content-digest': digest } })
    if (response.statusCode !== 400 || response.json().extra.code !== 'BAD_SIGNATURE') throw new Error(`${response.statusCode} ${response.payload}`)
  }))
  t.equal((await app.inject({ method: 'POST', url: '/hook', payload: '{}', headers: right })).statusCode, 200, 'none of them used up the nonce')
})
