import { test } from 'tap'
import { verificationKey } from '../../lib/token/key-source.js'
import { claims, forge, secret, token } from '../build.js'
import { newKey, signed } from '../keys.js'

test('a verification key checks the signature and no claim', (t) => {
  const { verify } = verificationKey(secret, ['HS256'])
  t.match(verify(token({ exp: 1, nbf: 9_999_999_999, iss: 'anybody' })), { exp: 1, iss: 'anybody' })
  t.match(verify(forge({ alg: 'HS256' }, claims(), 'another secret of thirty-two bytes!!')), { code: 'TOKEN_INVALID', reason: 'signature' })
  t.end()
})

test('a verification key serves the algorithms it was prepared for', (t) => {
  const key = newKey('rsa')
  const { verify } = verificationKey(key.pem.public, ['RS256'])
  t.match(verify(signed({ alg: 'RS256' }, claims(), key.privateKey)), { sub: 'user-1' })
  t.match(verify(signed({ alg: 'RS512' }, claims(), key.privateKey)), { code: 'TOKEN_INVALID', reason: 'algorithm' })
  t.match(verify(signed({ alg: 'HS256' }, claims(), key.pem.public)), { code: 'TOKEN_INVALID', reason: 'algorithm' })
  t.end()
})

test('a key that does not fit its algorithms is refused when it is prepared', (t) => {
  t.throws(() => verificationKey(newKey('P-256').pem.public, ['RS256']))
  t.throws(() => verificationKey('', ['HS256']))
  t.end()
})

test('a fault that is no refusal of the library is thrown on as it is', (t) => {
  const fault = new RangeError('out of order')
  const broken = Object.assign(Buffer.from('x'), { toString () { throw fault } })
  t.throws(() => verificationKey(secret, ['HS256']).verify(broken as unknown as string), fault)
  t.end()
})
