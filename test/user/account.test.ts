import fc from 'fast-check'
import t from 'tap'
import type { StoredUser } from '../../lib/store/contract.js'
import { accountOf, namesOf, normalizedNames, normalizedRoles, normalizeEmail, normalizeUsername, requiredFlag } from '../../lib/user/account.js'

const stored: StoredUser = {
  id: 'user-1',
  email: 'ada@example.com',
  username: 'ada',
  passwordHash: '$argon2id$the hash',
  roles: ['admin'],
  isActive: true,
  isVerified: false,
  mustChangePassword: false,
  signedOutAt: null,
  createdAt: 1,
  updatedAt: 2
}

const point = (code: number): string => `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
// What looks like nothing, or moves what is around it: blanks of every width,
// control characters, direction marks, joiners, fillers, selectors, tags, and
// halves of surrogate pairs.
const UNSEEN = [
  0x00, 0x09, 0x0a, 0x0d, 0x1b, 0x20, 0x7f, 0x85, 0xa0, 0xad, 0x034f, 0x061c, 0x115f, 0x1160, 0x1680, 0x17b4, 0x180b, 0x180e, 0x2000, 0x2003,
  0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x202f, 0x205f, 0x2060, 0x2064, 0x2066, 0x2069, 0x206f, 0x2800,
  0x3000, 0x3164, 0xd800, 0xdfff, 0xe000, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xffff, 0x1bca0, 0x1d173, 0xe0001, 0xe0041, 0xe0100, 0xe01ef, 0x10ffff
]

// Letters, marks and signs whose forms and cases are not one to one, and what
// has a meaning in addresses.
const tricky = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'aZ09.@+-_ßİıſΣςΩKÅàǰJHTWYfi@aⅣ①ªẞDž가각 \t\0\u0301\u030c\u0331\u0308\u0307\u0323\u0345\u200b\ufeff\u1100\u1161\u0958\ufb2c\ud800'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })
  ),
  maxLength: 20
})
const address = fc.tuple(tricky, tricky).map(([local, domain]) => `${local}@${domain}`)

t.test('an account shows all of a user but the password hash and the times', async (t) => {
  const account = accountOf(stored)
  t.strictSame(account, { id: 'user-1', email: 'ada@example.com', username: 'ada', roles: ['admin'], is_active: true, is_verified: false })
  t.notOk(JSON.stringify(account).includes('argon2'))
  ;(account.roles as string[]).push('owner')
  t.strictSame(stored.roles, ['admin'], 'who changes an account changes no user')
  t.equal(accountOf({ ...stored, username: null }).username, null)
})

t.test('the names of a user are those a password is compared with, and nothing else', async (t) => {
  t.strictSame(namesOf(stored), { email: 'ada@example.com', username: 'ada' })
})

t.test('e-mail addresses: one spelling for each', async (t) => {
  const spellings: Record<string, string[]> = {
    'ada@example.com': ['ada@example.com', 'Ada@Example.COM', '  ada@example.com', 'ada@example.com\t\r\n', '\ufeffada@example.com\u00a0'],
    'kim@example.com': ['\u212Aim@example.com', 'KIM@example.com'],
    'zoë@exämple.com': ['zoe\u0308@exa\u0308mple.com', 'ZOË@EXÄMPLE.COM', 'ZOE\u0308@example.com'.replace('example', 'exa\u0308mple')],
    'ada+tag@mail.example.com': ['Ada+Tag@mail.example.com'],
    "o'hara_{x}|y!#$%&*/=?^`~@example.com": ["O'Hara_{x}|y!#$%&*/=?^`~@example.com"],
    'a..b.@example.com': ['A..B.@example.com'],
    'root@localhost': ['root@LOCALHOST'],
    '用户@例子.中国': ['用户@例子.中国'],
    'ada@xn--exmple-cua.com': ['ada@XN--exmple-cua.com']
  }
  for (const [email, ways] of Object.entries(spellings)) {
    for (const way of ways) t.equal(normalizeEmail(way), email, JSON.stringify(way))
  }
})

t.test('e-mail addresses: a capital that has no composed form, beside a small letter that has one', async (t) => {
  for (const [capital, small] of [['J\u030c', 'ǰ'], ['H\u0331', 'ẖ'], ['T\u0308', 'ẗ'], ['W\u030a', 'ẘ'], ['Y\u030a', 'ẙ'], ['Ι\u0308\u0301', 'ΐ']] as Array<[string, string]>) {
    t.equal(normalizeEmail(`${capital}@example.com`), `${small}@example.com`)
    t.equal(normalizeEmail(`${small}@example.com`), `${small}@example.com`)
    t.equal(normalizeUsername(capital), small)
    t.equal(normalizeUsername(small), small)
  }
})

t.test('attack: the dotless i is no i, nor is an I with a dot (2019, password reset of GitHub)', async (t) => {
  t.equal(normalizeEmail('mıke@example.com'), 'mıke@example.com')
  t.not(normalizeEmail('MİKE@example.com'), 'mike@example.com')
  t.equal(normalizeEmail('MIKE@example.com'), 'mike@example.com')
  t.not(normalizeUsername('mıke'), 'mike')
  t.not(normalizeUsername('mİke'), 'mike')
})

t.test('what is no e-mail address', async (t) => {
  const none = [
    '', ' ', '@', 'ada', 'ada@', '@example.com', ' @example.com', 'ada@ ', 'ada@@example.com', 'ada@example.com@', 'ada@b@example.com',
    'ada@.example.com', 'ada@example.com.', 'ada@example..com', 'ada@.', 'ada@..',
    'ada lovelace@example.com', 'ada@example .com', 'ada@example.com x', 'ada\n@example.com', 'ada@example.com\r\nBcc: everybody'
  ]
  for (const value of none) t.equal(normalizeEmail(value), undefined, JSON.stringify(value))
})

t.test('attack: what a mail program reads as several recipients, or as another one, is no address', async (t) => {
  for (const value of [
    'ada@example.com,eve', 'eve,ada@example.com', 'ada@example.com;eve', 'eve;ada@example.com', '<ada@example.com>', 'eve<ada@example.com', 'ada@example.com>', 'ada(eve)@example.com',
    'ada@example.com(eve)', 'group:ada@example.com', '"ada"@example.com', '"a,b"@example.com', 'ada\\@example.com', 'ada@[127.0.0.1]', 'ada@[IPv6:::1]'
  ]) t.equal(normalizeEmail(value), undefined, value)
})

t.test('attack: names with what nobody sees, at the start, within and at the end', async (t) => {
  for (const code of UNSEEN) {
    const one = code < 0x10000 ? String.fromCharCode(code) : String.fromCodePoint(code)
    t.equal(normalizeEmail(`a${one}da@example.com`), undefined, `${point(code)} in the local part`)
    t.equal(normalizeEmail(`ada@exa${one}mple.com`), undefined, `${point(code)} in the domain`)
    t.equal(normalizeEmail(`ada${one}@example.com`), undefined, `${point(code)} before the @`)
    t.equal(normalizeUsername(`ad${one}min`), undefined, `${point(code)} in a user name`)
    t.equal(normalizeUsername(`${one}admin`), undefined, `${point(code)} at its start`)
    t.equal(normalizeUsername(`admin${one}`), undefined, `${point(code)} at its end`)
    // Blanks around an address are typing; anything else is not.
    t.ok([undefined, 'ada@example.com'].includes(normalizeEmail(`${one}ada@example.com${one}`)), `${point(code)} around an address`)
  }
})

t.test('e-mail addresses: 64 octets before the @ and 254 in all, counted as they are stored', async (t) => {
  const domainOf = (length: number): string => `${'d'.repeat(length - 4)}.com`
  const local = 'l'.repeat(64)
  t.equal(normalizeEmail(`${local}@${domainOf(189)}`), `${local}@${domainOf(189)}`)
  t.equal(normalizeEmail(`${local}@${domainOf(190)}`), undefined)
  t.equal(normalizeEmail(`${local}l@example.com`), undefined)
  t.equal(normalizeEmail(`${'é'.repeat(32)}@example.com`), `${'é'.repeat(32)}@example.com`)
  t.equal(normalizeEmail(`${'é'.repeat(33)}@example.com`), undefined)
  t.equal(normalizeEmail(`${'İ'.repeat(22)}@example.com`), undefined, 'a letter that grows')
  t.equal(normalizeEmail(` ${local}@${domainOf(189)} `), `${local}@${domainOf(189)}`)
})

t.test('attack: names of any length are refused by their length', async (t) => {
  const long = 'ﷺ'.repeat(10_000_000)
  t.equal(normalizeEmail(`${long}@example.com`), undefined)
  t.equal(normalizeEmail(`${' '.repeat(10_000_000)}ada@example.com`), undefined)
  t.equal(normalizeUsername(long), undefined)
  t.equal(normalizeUsername('e\u0301'.repeat(40)), undefined, 'also what would be short in the end')
  t.equal(normalizeUsername('e\u0301'.repeat(32)), 'é'.repeat(32))
})

t.test('any text is an e-mail address in its one spelling, or none: normalising it again changes nothing', async (t) => {
  let found = 0
  fc.assert(fc.property(fc.oneof(address, tricky, fc.emailAddress()), (text) => {
    const email = normalizeEmail(text)
    if (email === undefined) return true
    found += 1
    const same = [email, ` ${email} `, text.normalize('NFC'), text.normalize('NFD')].every((spelling) => normalizeEmail(spelling) === email)
    return same && email === email.normalize('NFC') && email === email.toLowerCase() && Buffer.byteLength(email) <= 254 && email.split('@').length === 2 && !/[\s\0,<>]/.test(email)
  }), { numRuns: 5000 })
  t.ok(found > 500, `${found} of them were addresses`)
})

t.test('the case of an address of ASCII means nothing', async (t) => {
  let found = 0
  fc.assert(fc.property(fc.emailAddress(), (text) => {
    const email = normalizeEmail(text)
    if (email !== undefined) found += 1
    return normalizeEmail(text.toUpperCase()) === email && normalizeEmail(text.toLowerCase()) === email
  }), { numRuns: 500 })
  t.ok(found > 400, `${found} of them were addresses`)
})

t.test('user names: one spelling for each, by compatibility too', async (t) => {
  const spellings: Record<string, string[]> = {
    ada: ['ada', 'ADA', 'ada', '𝒜𝒹𝒶', 'ⓐⓓⓐ'],
    kim: ['\u212Aim'],
    file: ['file'],
    zoë: ['zoe\u0308', 'ZOË'],
    s4: ['ſ④'],
    'ada.b-c_d+e': ['Ada.B-C_D+E'],
    用户: ['用户'],
    ['a'.repeat(64)]: ['A'.repeat(64)]
  }
  for (const [username, ways] of Object.entries(spellings)) {
    for (const way of ways) t.equal(normalizeUsername(way), username, JSON.stringify(way))
  }
})

t.test('what is no user name', async (t) => {
  for (const value of ['', ' ', 'ada lovelace', ' ada', 'ada ', 'ada@', '@', 'ada@example.com', 'ada@example.com', 'ada﹫example.com', 'a'.repeat(65), '㍿'.repeat(64), '\u00a8', 'ada\n']) {
    t.equal(normalizeUsername(value), undefined, JSON.stringify(value))
  }
})

t.test('any text is a user name in its one spelling, or none: normalising it again changes nothing', async (t) => {
  let found = 0
  fc.assert(fc.property(tricky, (text) => {
    const username = normalizeUsername(text)
    if (username === undefined) return true
    found += 1
    const same = [username, ...['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => text.normalize(form))].every((spelling) => normalizeUsername(spelling) === username)
    return same && username === username.normalize('NFKC') && username === username.toLowerCase() && username.length <= 64 && !/[\s@]/.test(username)
  }), { numRuns: 5000 })
  t.ok(found > 500, `${found} of them were user names`)
})

t.test('no user name is an e-mail address', async () => {
  fc.assert(fc.property(fc.oneof(address, tricky), (text) => normalizeEmail(text) === undefined || normalizeUsername(text) === undefined), { numRuns: 1000 })
})

t.test('names that are given are normalised, what is not given stays away', async (t) => {
  t.strictSame(normalizedNames({}), {})
  t.strictSame(normalizedNames({ email: undefined, username: undefined }), {})
  t.strictSame(normalizedNames({ email: ' Ada@Example.com' }), { email: 'ada@example.com' })
  t.strictSame(normalizedNames({ username: 'Ada' }), { username: 'ada' })
  t.strictSame(normalizedNames({ email: 'ada@example.com', username: null }), { email: 'ada@example.com', username: null })
  t.strictSame(normalizedNames({ email: 'ada@example.com', passwordHash: 'x' } as object), { email: 'ada@example.com' }, 'and nothing else')
})

t.test('names that are none are a TypeError, which does not repeat them', async (t) => {
  for (const value of ['', 'hunter2', 'a@b@hunter2']) t.throws(() => normalizedNames({ email: value }), { name: 'TypeError', message: 'email is no e-mail address' })
  for (const value of ['', 'hunter 2', 'ada@hunter2']) t.throws(() => normalizedNames({ username: value }), { name: 'TypeError', message: /^username is no user name/ })
  for (const value of [null, 5, true, {}, ['ada@example.com']]) t.throws(() => normalizedNames({ email: value as never }), { name: 'TypeError', message: /^email is no/ })
  for (const value of [5, true, {}, ['ada']]) t.throws(() => normalizedNames({ username: value as never }), { name: 'TypeError', message: /^username is no/ })
})

t.test('roles: each once, sorted, in a list of their own', async (t) => {
  const given = ['editor', 'admin', 'editor', 'Admin']
  const roles = normalizedRoles(given)
  t.strictSame(roles, ['Admin', 'admin', 'editor'])
  t.strictSame(given, ['editor', 'admin', 'editor', 'Admin'], 'the list that was given is as it was')
  t.strictSame(normalizedRoles([]), [])
})

t.test('roles that are none are a TypeError', async (t) => {
  for (const value of ['admin', undefined, null, {}, new Set(['admin']), { length: 1, 0: 'admin' }, [''], ['admin', 1], [null], [['admin']]]) {
    t.throws(() => normalizedRoles(value as never), { name: 'TypeError', message: /roles/ })
  }
})

t.test('a flag is true or false, and nothing that passes for it', async (t) => {
  t.equal(requiredFlag(true, 'is_active'), true)
  t.equal(requiredFlag(false, 'is_active'), false)
  for (const value of ['false', 'true', '', 0, 1, null, undefined, {}, []]) t.throws(() => requiredFlag(value as never, 'is_active'), { name: 'TypeError', message: /is_active/ })
})
