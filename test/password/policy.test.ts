import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { AuthUnavailableError, PasswordPolicyError } from '../../lib/errors.js'
import { createPolicy, type PasswordRule, type PasswordSubject, type PolicySettings } from '../../lib/password/policy.js'
import { campaign } from '../fuzz/campaign.js'
import { thrown } from '../thrown.js'
import { cheap, defaultPolicy } from './build.js'

const SHORT = 'Password must be at least 8 characters'
const LONG = 'Password must be at most 128 characters'
const TEXT = 'Password must be valid Unicode text'
const NUMERIC = 'Password must not be entirely numeric'
const COMMON = 'Password must not be a commonly used password'
const EMAIL = 'Password must not be too similar to your e-mail address'
const NAME = 'Password must not be too similar to your user name'
const UPPER = 'Password must contain at least one uppercase letter'
const LOWER = 'Password must contain at least one lowercase letter'
const DIGIT = 'Password must contain at least one digit'
const SYMBOL = 'Password must contain at least one symbol'

const failures = (password: unknown, subject: PasswordSubject = {}, settings: Partial<PolicySettings> = {}) =>
  createPolicy({ ...defaultPolicy, ...settings })(password as string, subject)

t.test('length', async (t) => {
  t.strictSame(await failures('tr0ub4d'), [SHORT])
  t.strictSame(await failures('tr0ub4do'), [])
  t.strictSame(await failures(''), [SHORT])
  t.strictSame(await failures('tr0ub4do', {}, { minLength: 9 }), ['Password must be at least 9 characters'])
  t.strictSame(await failures('\u{1f511}'.repeat(7)), [SHORT], 'characters are code points')
  t.strictSame(await failures('\u{1f511}'.repeat(8)), [])
  t.strictSame(await failures('\ufdfa'), [SHORT], 'one character that stands for 18')
  t.strictSame(await failures('e\u0301'.repeat(7)), [SHORT], 'an accent is no character of its own')
  t.strictSame(await failures('x'.repeat(128)), [])
  t.strictSame(await failures('x'.repeat(129)), [LONG])
  t.strictSame(await failures('\u{1f511}'.repeat(128)), [])
  t.strictSame(await failures('x'.repeat(21), {}, { maxLength: 20 }), ['Password must be at most 20 characters'])
})

t.test('no rule looks at a password out of bounds', async (t) => {
  let asked = 0
  const rules: PasswordRule[] = [() => { asked++; return undefined }]
  t.strictSame(await failures('1'.repeat(50_000_000), {}, { rules, uppercase: true }), [LONG])
  for (const value of ['abcdefgh\ud83d', undefined, null, 12345678, {}, ['correct horse']]) t.strictSame(await failures(value, {}, { rules }), [TEXT])
  t.equal(asked, 0)
})

t.test('entirely numeric', async (t) => {
  for (const password of ['4815162342', '\uff14\uff18\uff11\uff15\uff11\uff16\uff12\uff13', '\u0664\u0668\u0661\u0665\u0661\u0666\u0662\u0663', '\u00b2\u00b2\u00b2\u00b3\u00b3\u00b3\u00b2\u00b3', '\u278a'.repeat(8)]) {
    t.strictSame(await failures(password, {}, { common: false }), [NUMERIC], password)
    t.strictSame(await failures(password, {}, { common: false, numeric: false }), [], password)
  }
  for (const password of ['481516234x', '48151 62342', '-4815162342']) t.strictSame(await failures(password), [], password)
})

t.test('common passwords', async (t) => {
  for (const password of ['password', 'PassWord', 'qwertyuiop', 'Football', '\uff50assword']) {
    t.strictSame(await failures(password), [COMMON], password)
    t.strictSame(await failures(password, {}, { common: false }), [], password)
  }
  t.strictSame(await failures('12345678'), [NUMERIC, COMMON])
  for (const password of ['passwordpasswor', 'password qwerty', '123456 password', ' password ', 'password\n', '        ']) t.strictSame(await failures(password), [], `${JSON.stringify(password)} is not in the list`)
})

t.test('similar to the user', async (t) => {
  const subject = { email: 'john.doe@example.com', username: 'tiger42' }
  t.strictSame(await failures('john.doe1', subject), [EMAIL])
  t.strictSame(await failures('eod.nhoj', subject), [EMAIL], 'in any order')
  t.strictSame(await failures('Tiger4242', subject), [NAME])
  t.strictSame(await failures('john.doe1', { email: 'john.doe@example.com', username: 'johndoe' }), [EMAIL, NAME])
  t.strictSame(await failures('john.doe1', subject, { similarity: false }), [])
  t.strictSame(await failures('john.doe1', subject, { similarity: 1 }), [])
  t.strictSame(await failures('John.Doe', subject, { similarity: 1 }), [EMAIL])
  t.strictSame(await failures('john.doe1', { email: null, username: null }), [])
  t.strictSame(await failures('correct horse', subject), [])
})

t.test('character classes', async (t) => {
  const all = { uppercase: true, lowercase: true, digit: true, symbol: true }
  t.strictSame(await failures('\u4e2d'.repeat(8), {}, all), [UPPER, LOWER, DIGIT, SYMBOL], 'letters without case')
  t.strictSame(await failures('tr0ub4do', {}, all), [UPPER, SYMBOL])
  t.strictSame(await failures('TROUBADO', {}, all), [LOWER, DIGIT, SYMBOL])
  t.strictSame(await failures('Tr0ub4d&', {}, all), [])
  t.strictSame(await failures('\u00c4\u00e4\u0663\u20ac\u4e2d\u4e2d\u4e2d\u4e2d', {}, all), [], 'of any script')
  t.strictSame(await failures('tr0ub4do', {}, { uppercase: true }), [UPPER])
  t.strictSame(await failures('TR0UB4DO', {}, { lowercase: true }), [LOWER])
  t.strictSame(await failures('troubado', {}, { digit: true }), [DIGIT])
  t.strictSame(await failures('tr0ub4do', {}, { symbol: true }), [SYMBOL])
})

t.test('all failures at once', async (t) => {
  t.strictSame(await failures('1234', { email: '1234@example.com', username: '4321' }, { uppercase: true, lowercase: true, symbol: true, rules: [() => 'Password must rhyme'] }),
    [SHORT, UPPER, LOWER, SYMBOL, NUMERIC, COMMON, EMAIL, NAME, 'Password must rhyme'])
  const error = await cheap().check('1234', undefined, 'user-1').catch((error: unknown) => error) as PasswordPolicyError
  t.ok(error instanceof PasswordPolicyError)
  t.match(error, { statusCode: 400, code: 'PASSWORD_POLICY_VIOLATION', detail: 'Password does not meet policy requirements', userId: 'user-1' })
  t.strictSame(error.errors, [SHORT, NUMERIC, COMMON])
  t.equal(error.message, `${SHORT}; ${NUMERIC}; ${COMMON}`)
  const anonymous = await cheap().check('1234').catch((error: unknown) => error)
  t.notOk(Object.hasOwn(anonymous as object, 'userId'))
  t.resolves(cheap().check('correct horse', { email: 'john@example.com' }, 'user-1'))
})

t.test('rules of the application', async (t) => {
  const calls: unknown[] = []
  const subject = { email: 'john@example.com', company: 'Example' }
  const rules: PasswordRule[] = [
    (...args) => { calls.push(args); return undefined },
    async (password) => password.includes('Example') ? 'Password must not name your company' : undefined,
    () => 'Password must rhyme'
  ]
  t.strictSame(await failures('my Exa\uff4dple', subject, { rules }), ['Password must not name your company', 'Password must rhyme'])
  t.strictSame(await failures('tr0ub4d', subject, { rules }), [SHORT, 'Password must rhyme'], 'asked although another failed')
  t.strictSame(calls, [['my Example', subject], ['tr0ub4d', subject]], 'with the password as it is hashed, and all of the subject')
  const none: unknown[] = []
  await cheap({ policy: { ...defaultPolicy, rules: [(...args) => { none.push(args); return undefined }] } }).check('correct horse')
  t.strictSame(none, [['correct horse', {}]], 'without a subject, an empty one')
})

t.test('a rule that cannot tell lets no password through', async (t) => {
  const refuses = async (rule: unknown, name: string) => {
    const error = await cheap({ policy: { ...defaultPolicy, rules: [rule as PasswordRule] } }).check('correct horse').catch((error: unknown) => error)
    t.ok(error instanceof AuthUnavailableError, name)
    t.match(error, { statusCode: 503, dependency: 'password rules' }, name)
    return error as AuthUnavailableError
  }
  for (const [name, make] of Object.entries(thrown)) {
    const value = make()
    t.equal((await refuses(() => { throw value }, `throws ${name}`)).cause, value === undefined ? undefined : value)
    await refuses(async () => { throw value }, `rejects with ${name}`)
  }
  for (const answer of ['', null, true, false, 0, 1, {}, ['Password must rhyme'], new Error('x'), Symbol('x')]) {
    const error = await refuses(() => answer, `answers ${inspect(answer)}`)
    t.match(error.cause, { message: 'a rule answered with something else than a sentence or undefined' })
    await refuses(async () => answer, `answers later ${inspect(answer)}`)
  }
})

t.test('whatever a password is, check accepts it or throws PasswordPolicyError, which does not show it', async (t) => {
  const passwords = cheap({ policy: { ...defaultPolicy, uppercase: true, lowercase: true, digit: true, symbol: true } })
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: fc.constantFrom('\ud83d', '\udd11', 'a', '1', '\ufdfa', ' '), maxLength: 30 }), fc.string({ unit: 'grapheme', maxLength: 30 }))
  const attribute = fc.option(fc.string({ unit: 'binary', maxLength: 40 }), { nil: null })
  await campaign(t, 500, fc.asyncProperty(text, attribute, attribute, async (password, email, username) => {
    try {
      await passwords.check(password, { email, username })
      return [...password].length >= 8 && [...password].length <= 128
    } catch (error) {
      if (!(error instanceof PasswordPolicyError) || error.errors?.length === 0) return false
      return [...password].length < 12 || !inspect(error, { depth: 9, showHidden: true, getters: true }).includes(password)
    }
  }))
})
