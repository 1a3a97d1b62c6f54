import { createHash, createHmac } from 'node:crypto'
import t from 'tap'
import { BadSignatureError, signRequest } from '../../index.js'
import { contentDigest, messageMac, readMessageSignature, signatureBase, verifiesMessage } from '../../lib/signing/message.js'

const bad = (reason: string) => ({ name: 'BadSignatureError', reason })
const secret = 'a secret of at least thirty-two bytes'

/** The example of RFC 9421, appendix B.2, and its shared secret of B.1.5. */
const rfc = {
  key: Buffer.from('uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==', 'base64'),
  body: '{"hello": "world"}',
  request: {
    method: 'POST',
    target: '/foo?param=Value&Pet=dog',
    headers: { host: 'example.com', date: 'Tue, 20 Apr 2021 02:07:55 GMT', 'content-type': 'application/json', 'content-length': '18' }
  }
}

t.test('RFC 9421, appendix B.2.5: the signature by hmac-sha256', async (t) => {
  // Its one component that is no header is @authority, which is not read here.
  const base = [
    '"date": Tue, 20 Apr 2021 02:07:55 GMT',
    '"@authority": example.com',
    '"content-type": application/json',
    '"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
  ].join('\n')
  t.equal(messageMac(rfc.key, base), 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=')
  t.ok(verifiesMessage([Buffer.alloc(32), rfc.key], base, 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8='))
  t.notOk(verifiesMessage([rfc.key], base, 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE9='), 'another spelling of the same bytes')
})

t.test('RFC 9530, appendix B: a digest', async (t) => {
  t.equal(contentDigest(createHash('sha256').update('{"hello": "world"}\n').digest()), 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:')
})

t.test('RFC 9421, section 2: the components and their order', async (t) => {
  const components = ['date', '@method', '@path', '@query', 'content-type', 'content-length']
  t.equal(signatureBase(rfc.request, components, '("date");created=1'), [
    '"date": Tue, 20 Apr 2021 02:07:55 GMT',
    '"@method": POST',
    '"@path": /foo',
    '"@query": ?param=Value&Pet=dog',
    '"content-type": application/json',
    '"content-length": 18',
    '"@signature-params": ("date");created=1'
  ].join('\n'))
  t.match(signatureBase({ ...rfc.request, target: '/foo' }, ['@query'], '()'), /^"@query": \?\n/)
  t.match(signatureBase({ ...rfc.request, target: '/foo?' }, ['@query'], '()'), /^"@query": \?\n/)
  t.match(signatureBase({ ...rfc.request, target: '/a??b' }, ['@path', '@query'], '()'), /^"@path": \/a\n"@query": \?\?b\n/)
})

t.test('no part of a request speaks for two', async (t) => {
  const { request } = rfc
  for (const value of ['a\nb', 'a\r\n"@method": GET', '\0', 'é', 'Ł', undefined, ['a'], 1]) {
    t.throws(() => signatureBase({ ...request, headers: { 'x-a': value } }, ['x-a'], '()'), bad('component'))
    t.throws(() => signatureBase({ ...request, target: `/${String(value)}\n` }, ['@path'], '()'), bad('component'))
  }
  t.throws(() => signatureBase(request, ['constructor'], '()'), bad('component'))
  t.throws(() => signatureBase({ ...request, headers: Object.create({ 'x-a': 'inherited' }) }, ['x-a'], '()'), bad('component'))
  t.throws(() => signatureBase(request, ['x-not-there'], '()'), bad('component'))
})

t.test('a vector of this package: what a client in another language has to send', async (t) => {
  const random = (size: number) => Buffer.alloc(size, 1)
  const headers = signRequest({ keyId: 'billing', secret, method: 'POST', url: 'https://api.example.com/hook?a=1&b=%20', body: '{"total":42}', headers: { 'Content-Type': 'application/json' }, clock: () => 1_700_000_000_123, random })
  t.strictSame(headers, {
    'content-type': 'application/json',
    'content-digest': 'sha-256=:uxRTx/7I38fJ0sQBNiBffO9qHZu2Ph7oXAOPBOcwuqg=:',
    'signature-input': 'sig1=("@method" "@path" "@query" "content-type" "content-digest");created=1700000000;nonce="AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";keyid="billing";alg="hmac-sha256"',
    signature: 'sig1=:xE2MGN356qiyMjWoeIzKVhJOslW/jAvDE4QvA08zalo=:'
  })
})

const input = 'sig1=("@method" "@path" "@query");created=1700000000;nonce="0123456789abcdef";keyid="billing"'
const signature = `sig1=:${createHmac('sha256', secret).update('').digest('base64')}:`

t.test('what is read of the headers', async (t) => {
  t.match(readMessageSignature(input, signature), {
    components: ['@method', '@path', '@query'], parameters: input.slice(5), keyId: 'billing', nonce: '0123456789abcdef', created: 1_700_000_000, expires: undefined, signature: signature.slice(6, -1)
  })
  const more = input.replace('"@query"', '"@query" "x-a" "content-digest"').replace(';nonce', ';expires=1700000300;nonce') + ';alg="hmac-sha256"'
  t.match(readMessageSignature(more, signature), { components: ['@method', '@path', '@query', 'x-a', 'content-digest'], expires: 1_700_000_300 })
  const label = 'a-b_c.d*9'
  t.match(readMessageSignature(input.replace('sig1', label), signature.replace('sig1', label)), { keyId: 'billing' })
})

t.test('what is refused: everything of which there is a second reading', async (t) => {
  const inputs: unknown[] = [
    '', 'sig1', 'sig1=', 'sig1=()', 1, null, {}, ['a'], `${input} `, ` ${input}`, `${input},`, `${input}, ${input}`, `${input};`, `${input}\n`,
    input.replace('sig1', 'Sig1'), input.replace('sig1', '1'), input.replace('=(', '= ('), input.replace(' "@path"', '  "@path"'), input.replace('("', '( "'), input.replace('"@path"', '@path'),
    input.replace('"@path"', '"@path";req'), input.replace('"@path"', '"@path" "@path"'), input.replace('"@path"', '"@target-uri"'), input.replace('"@path"', '"@path" "X-A"'), input.replace('"@path"', '"@path" "@status"'),
    input.replace(';created=1700000000', ''), input.replace('1700000000', '01700000000'), input.replace('1700000000', '1700000000.5'), input.replace('1700000000', '-1'), input.replace('1700000000', '"1700000000"'), input.replace('1700000000', '9999999999999'),
    input.replace(/;nonce="\w+"/, ''), input.replace('0123456789abcdef', '0123456789abcde'), input.replace('0123456789abcdef', 'a'.repeat(129)), input.replace('0123456789abcdef', '01234567 89abcdef'), input.replace('"0123456789abcdef"', '1234567890123456'), input.replace('0123456789abcdef', '0123456789abcde\\"'), input.replace('0123456789abcdef', '0123456789abcdé'),
    input.replace(';keyid="billing"', ''), input.replace('billing', ''), input.replace('"billing"', '1'), input.replace('billing', 'a b'),
    `${input};created=1700000001`, `${input};keyid="billing"`, `${input};tag="a"`, `${input};expires="1"`, `${input}; alg="hmac-sha256"`, `${input};alg=hmac-sha256`, `${input};alg="none"`, `${input};alg="HMAC-SHA256"`, `${input};__proto__="a"`,
    input.replace('"@query"', `"@query" "x-${'a'.repeat(63)}"`), input.replace('"@query"', `"@query" ${'"x-a" '.repeat(200)}`), `${input};alg="${'a'.repeat(2048)}"`
  ]
  for (const one of inputs) t.throws(() => readMessageSignature(one, signature), BadSignatureError, String(one).slice(0, 200))
  const signatures: unknown[] = ['', 'sig1', 1, null, ['a'], signature.slice(0, -1), `${signature} `, signature.replace(':', ''), signature.replace('=:', ':'), signature.replace(/=:$/, ':'), signature.replace('sig1', 'sig2'), `${signature}, ${signature}`, signature.replace(/.=:/, '_=:'), `${signature};a=1`, `sig1=:${'A'.repeat(44)}=:`]
  for (const one of signatures) t.throws(() => readMessageSignature(input, one), BadSignatureError, String(one))
  for (const name of ['"@method" ', '"@path" ', ' "@query"']) t.throws(() => readMessageSignature(input.replace(name, ''), signature), bad('not_covered'), `without ${name}`)
  t.throws(() => readMessageSignature(undefined, signature), bad('missing'))
  t.throws(() => readMessageSignature(input, undefined), bad('missing'))
})
