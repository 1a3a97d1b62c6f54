import fc from 'fast-check'
import { test } from 'tap'
import { bearerToken } from '../../lib/http/bearer.js'
import { token } from '../build.js'
import { guarded } from '../guarded.js'
import { campaign, codeOf, nameOf } from './campaign.js'

const TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const B64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/'

/** How many characters at the start are of this alphabet. */
function run (text: string, alphabet: string): number {
  let length = 0
  while (length < text.length && alphabet.includes(text.charAt(length))) length++
  return length
}

/** The header without its quoted values, character by character. */
function unquoted (header: string): string {
  let rest = ''
  for (let index = 0; index < header.length; index++) {
    if (header[index] !== '"') {
      rest += header[index]
      continue
    }
    index++
    while (index < header.length && header[index] !== '"') {
      if (header[index] === '\\') {
        // A backslash with nothing behind it quotes nothing: it stays outside.
        if (index + 1 === header.length) return rest + '\\'
        index++
      }
      index++
    }
  }
  return rest
}

/** What RFC 9110 and RFC 6750 say of a header, read without regular expressions: the token, or why there is none. */
function reference (header: string): string {
  if (header === '') return 'missing'
  const scheme = header.slice(0, run(header, TCHAR))
  const rest = header.slice(scheme.length)
  if (scheme === '' || (rest !== '' && rest[0] !== ' ')) return 'header'
  const methods = unquoted(header).split(',').slice(1).some((part) => {
    const text = part.slice(run(part, ' \t'))
    const after = text.slice(run(text, TCHAR))
    const value = after.slice(run(after, ' '))
    return after !== text && value !== after && value !== '' && value[0] !== '=' && value.trimStart() === value
  })
  if (methods) return 'header'
  const credentials = rest.slice(run(rest, ' '))
  if (scheme.toLowerCase() !== 'bearer' || credentials === '') return 'missing'
  const body = credentials.slice(run(credentials, B64))
  return body === credentials || body.slice(run(body, '=')) !== '' ? 'header' : `token ${credentials}`
}

const separator = fc.constantFrom(' ', '  ', '\t', '', ',', ', ', '=', ':', '"', '\\', '\u0000', '\n', '\u00a0')
const scheme = fc.oneof(fc.constantFrom('Bearer', 'bearer', 'BEARER', 'Basic', 'Digest', 'Negotiate', 'DPoP', '', 'Béarer'), fc.string({ maxLength: 8 }))
const credentials = fc.oneof(fc.constantFrom('abc', 'a.b.c', 'abc==', 'realm="a, b c"', 'a=b', '=', 'user="x\\", y z"'), fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 12 }))
const header = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.oneof(separator, scheme, credentials), { maxLength: 8 }).map((parts) => parts.join('')),
  fc.tuple(scheme, separator, credentials, separator, scheme, separator, credentials).map((parts) => parts.join(''))
)

test('any Authorization header: what is read is what the RFCs say', async (t) => {
  await campaign(t, 40_000, fc.property(header, (authorization) => {
    const raw = { rawHeaders: ['Host', 'x', 'Authorization', authorization] }
    let read = ''
    const code = codeOf(() => { read = bearerToken({ headers: { authorization }, raw }) })
    const found = code === 'ok' ? `token ${read}` : code
    if (found !== reference(authorization)) throw new Error(`${found} in place of ${reference(authorization)}`)
  }))
})

test('any raw headers: a repeated Authorization is always seen', async (t) => {
  const name = fc.constantFrom('Authorization', 'authorization', 'AUTHORIZATION', 'aUtHoRiZaTiOn', 'Authorization2', 'Proxy-Authorization', 'Host', 'Cookie', 'authorizatiom')
  await campaign(t, 5_000, fc.property(fc.array(fc.tuple(name, fc.constantFrom('Bearer abc', 'authorization', 'Authorization', '')), { maxLength: 8 }), (fields) => {
    const count = fields.filter(([field]) => field.toLowerCase() === 'authorization').length
    const code = codeOf(() => bearerToken({ headers: { authorization: 'Bearer abc' }, raw: { rawHeaders: fields.flat() } }))
    if (code !== (count > 1 ? 'header' : 'ok')) throw new Error(`${code} for ${count}`)
  }))
})

test('any Authorization header over HTTP: one of our refusals, and a pass for the one good token only', async (t) => {
  const { app, seen } = await guarded(t)
  const good = token({ exp: 9_999_999_999 })
  const value = fc.oneof(
    { weight: 3, arbitrary: header },
    { weight: 1, arbitrary: fc.tuple(scheme, separator, fc.constant(good), fc.oneof(fc.constant(''), separator, credentials)).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('bearer', 'BEARER', 'Bearer'), fc.constantFrom(' ', '   '), fc.constant(good)).map((parts) => parts.join('')) }
  )
  let passes = 0
  await campaign(t, 8_000, fc.asyncProperty(value, async (authorization) => {
    const response = await app.inject({ url: '/', headers: { authorization } })
    const expected = reference(authorization)
    if (response.statusCode === 200) {
      passes++
      if (expected !== `token ${good}`) throw new Error('passed')
    } else {
      const name = nameOf(response)
      const fits = expected.startsWith('token ') ? expected !== `token ${good}` && ['malformed', 'signature'].includes(name) : name === expected
      if (!fits) throw new Error(`${name} in place of ${expected}`)
    }
  }))
  t.ok(passes > 100, `${passes} were good`)
  t.equal(seen.length, passes)
})
