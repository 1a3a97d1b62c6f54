import t from 'tap'
import { BadSignatureError, SignatureExpiredError, SigningError } from '../../lib/errors.js'

t.test('one base class for both signature problems', async (t) => {
  const expired = new SignatureExpiredError({ age: 7200, maxAge: 3600 })
  t.ok(expired instanceof SigningError)
  t.equal(expired.age, 7200)
  t.equal(expired.maxAge, 3600)
  t.notMatch(JSON.stringify(expired), /7200|3600/)
  const bad = new BadSignatureError({ reason: 'purpose' })
  t.ok(bad instanceof SigningError)
  t.notOk(bad instanceof SignatureExpiredError)
  t.notMatch(JSON.stringify(bad), /purpose/)
})
